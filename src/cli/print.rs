//! The only place that writes to the terminal: lines, tables, JSON, errors; colour where it is wanted.
//!
//! Results go to stdout, notices and progress to stderr, progress only when stderr is a terminal. Text that
//! came from elsewhere (names, model output) passes `clean` before a terminal sees it.
use crate::env::Env;
use crate::error::{Error, Kind};
use crate::json::json;
use serde_json::Value;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// A result could not be written: the command has failed, whatever else it did.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be written; told already.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

#[derive(Debug, Clone, Copy)]
pub struct Printer {
    color: bool,
    /// Whether stdout is a terminal.
    pub interactive: bool,
    progress: bool,
}

impl Printer {
    /// `env` decides on colour with `NO_COLOR` and `FORCE_COLOR`; without it there is none.
    pub fn new(env: Option<&Env>, no_color: bool) -> Printer {
        let interactive = stdout().is_terminal();
        let forced = env.and_then(|env| env.var("FORCE_COLOR")).is_some_and(|value| value != "0");
        let refused = no_color || env.is_none_or(|env| env.var("NO_COLOR").is_some() && !forced);
        Printer { color: interactive && !refused, interactive, progress: stderr().is_terminal() }
    }

    /// A line on stdout.
    pub fn line(&self, text: impl AsRef<str>) {
        self.text(&format!("{}\n", text.as_ref()));
    }

    /// Text on stdout as it is, at once.
    pub fn text(&self, text: &str) {
        let mut out = stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // The reader may have gone (`| head`); there is nobody left to tell.
            Err(e) if e.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) => {
                self.warn(&format!("Error: write to stdout: {e}"));
            }
            _ => {}
        }
    }

    /// Pretty JSON on stdout.
    pub fn json(&self, value: &Value) {
        self.line(format!("{value:#}"));
    }

    /// A line on stderr.
    pub fn warn(&self, text: &str) {
        // As for stdout: with stderr gone there is nobody left to tell.
        let _ = writeln!(stderr().lock(), "{}", text.trim_end());
    }

    /// A line on stderr that only a person wants to see.
    pub fn progress(&self, text: &str) {
        if self.progress {
            self.warn(text);
        }
    }

    /// A heading or a name, bold where there is colour.
    pub fn bold(&self, text: &str) -> String {
        self.tint(1, text)
    }

    /// Text in one of the terminal's styles (31 is red, 33 yellow, 2 dim) where there is colour.
    pub fn tint(&self, style: u8, text: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    /// A line on stdout; whether somebody still reads it, for commands that have no other end.
    pub fn line_read(&self, text: &str) -> bool {
        let mut out = stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
    }

    /// Columns as wide as their widest cell; nothing behind the last one.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>]) {
        let lines = layout(head, rows);
        for (place, line) in lines.iter().enumerate() {
            self.line(if place == 0 { self.bold(line) } else { line.clone() });
        }
    }

    /// How a failed command ends: text on stderr and, for scripts, JSON on stdout: what the error's details carry as
    /// `report`, else the error itself.
    pub fn failure(&self, label: &str, error: &Error, as_json: bool) {
        let prefix = match error.kind {
            Kind::Usage => "error: ",
            Kind::Profile => "[openclaw] ",
            _ => "Error: ",
        };
        self.warn(&format!("{label}{prefix}{}", clean(error.message())));
        if as_json {
            let report = error.details().and_then(|details| details.get("report"));
            self.json(report.unwrap_or(&json!({"ok": false, "error": error.to_wire(4)})));
        }
    }
}

/// `text` without the control characters that steer a terminal; line breaks and tabs stay.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// `5m`, `3h`, `2d`: the largest unit that fits.
pub fn age(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86400),
    }
}

fn layout(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|cell| cell.to_string()).collect();
    let one_line = |cell: &String| clean(cell).replace(['\n', '\t'], " ");
    let rows: Vec<Vec<String>> =
        std::iter::once(&head).chain(rows).map(|row| row.iter().map(one_line).collect()).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_carry_no_control_characters() {
        let rows =
            vec![vec!["a\u{1b}[2J\nb".to_string(), "x".into()], vec!["long cell".into(), String::new()]];
        assert_eq!(layout(&["Key", "Age"], &rows), ["Key        Age", "a[2J b     x", "long cell"]);
    }

    #[test]
    fn ages() {
        for (ms, want) in [(0, "0s"), (59_999, "59s"), (60_000, "1m"), (7_200_000, "2h"), (172_800_000, "2d")]
        {
            assert_eq!(age(ms), want);
        }
    }
}
