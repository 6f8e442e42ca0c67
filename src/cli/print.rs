//! The only place that writes to the terminal, but for `chat/screen.rs`: lines, tables, JSON, errors; colour where it is wanted.
//!
//! Results go to stdout, notices and progress to stderr, progress only when stderr is a terminal. Whatever is printed
//! passes `clean.rs` here, so that no name, answer or log line steers the terminal; colours are put around it here as
//! well and nowhere else.
use super::fold;
use super::screen::{self, Screen};
use crate::clean::{clean, escape, one_line};
use crate::config::under;
use crate::env::Env;
use crate::error::{Error, Kind};
use crate::json::json;
use rustix::termios::tcgetwinsize;
use serde_json::Value;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

/// Columns of the terminal that people have at least.
pub const NARROW: usize = 80;

/// Columns for the name in front of a `field`.
const NAME: usize = 11;

/// A result could not be written: the command has failed, whatever else it did.
static LOST: AtomicBool = AtomicBool::new(false);

/// The last line of the terminal on stderr holds what `over` put there.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be written; told already.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// What moves the terminal's cursor and nothing else.
pub(super) fn steer(marks: &str) {
    let mut out = stdout().lock();
    // With the terminal gone there is nobody left to show anything.
    let _ = out.write_all(marks.as_bytes()).and_then(|()| out.flush());
}

#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// Whether what is printed has colours.
    pub color: bool,
    /// Whether stdout is a terminal.
    pub interactive: bool,
    /// Whether stderr is a terminal.
    pub progress: bool,
    /// Columns that lines are folded at.
    columns: usize,
}

/// A piece of a line and the terminal's style for it: 0 is plain, 1 bold, 2 dim, 31 red, 33 yellow, 36 cyan.
pub type Piece<'a> = (u8, &'a str);

impl Printer {
    /// Colour is for terminals. `FORCE_COLOR` of `env` asks for it everywhere, `0` nowhere, and prevails over
    /// `NO_COLOR`; `--no-color` prevails over both. Without `env` there is none.
    pub fn new(env: Option<&Env>, no_color: bool) -> Printer {
        let interactive = stdout().is_terminal();
        let forced = env.and_then(|env| env.var("FORCE_COLOR")).filter(|value| !value.is_empty());
        let color = match forced {
            Some(value) => !matches!(value, "0" | "false"),
            None => interactive && env.is_some_and(|env| env.var("NO_COLOR").is_none_or(str::is_empty)),
        };
        let columns = columns(env, interactive);
        // One that cannot erase a line shows none that is redrawn.
        let is_dumb = env.and_then(|env| env.var("TERM")) == Some("dumb");
        let progress = stderr().is_terminal() && !is_dumb;
        Printer {
            color: color && !no_color && (!is_dumb || forced.is_some()),
            interactive,
            progress,
            columns,
        }
    }

    /// A line on stdout, folded below itself where the terminal is narrower.
    pub fn line(&self, text: impl AsRef<str>) {
        self.put(&self.fit(text.as_ref()));
    }

    /// A line on stdout that somebody will copy or run: never folded.
    pub fn whole(&self, text: impl AsRef<str>) {
        self.put(&format!("{}\n", clean(text.as_ref())));
    }

    /// Clean lines of at most the terminal's width. What goes on in further lines stands two columns further in.
    fn fit(&self, text: &str) -> String {
        let text = clean(text);
        let each = text.split('\n').flat_map(|line| {
            let lead = line.len() - line.trim_start_matches(' ').len();
            fold::hanging(line, self.columns, lead + 2)
        });
        each.fold(String::new(), |text, line| text + &line + "\n")
    }

    /// A question on stdout, the answer to be typed behind it.
    pub fn prompt(&self, text: &str) {
        self.put(&format!("{}: ", self.fit(text).trim_end()));
    }

    /// Text on stdout, at once and without a line break of its own.
    pub fn text(&self, text: &str) {
        self.put(&clean(text));
    }

    /// Columns for what is folded in a pipe too.
    pub fn narrow(&self) -> usize {
        self.columns.min(NARROW)
    }

    /// Whether a line needs no folding.
    pub fn fits(&self, text: &str) -> bool {
        fold::columns(text) <= self.columns
    }

    /// A line of pieces in styles of their own; whether somebody still reads it, for commands that have no other end.
    pub fn styled(&self, pieces: &[Piece]) -> bool {
        self.put(&format!("{}\n", self.joined(pieces)))
    }

    /// A line in one style, folded as `line` does.
    pub fn painted(&self, style: u8, text: &str) {
        for line in self.fit(text).lines() {
            self.styled(&[(style, line)]);
        }
    }

    /// Folds at the width that the terminal has now.
    pub fn refit(&mut self, env: &Env) {
        self.columns = columns(Some(env), self.interactive);
    }

    /// The terminal's screen, to be drawn over.
    pub fn screen(&self) -> Screen {
        Screen::open(*self)
    }

    /// Lines of the terminal.
    pub fn rows(&self) -> usize {
        tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_row)).max(4)
    }

    /// A heading, bold where there is colour.
    pub fn heading(&self, text: &str) {
        self.painted(1, text);
    }

    fn joined(&self, pieces: &[Piece]) -> String {
        let each = pieces.iter().map(|(style, text)| match (self.color, style) {
            (true, 1..) => format!("\u{1b}[{style}m{}\u{1b}[0m", clean(text)),
            _ => clean(text).into_owned(),
        });
        each.collect()
    }

    /// Writes what is clean; whether somebody still reads it.
    fn put(&self, text: &str) -> bool {
        self.make_room();
        let drawn = screen::fitting(text);
        let text = drawn.as_deref().unwrap_or(text);
        let mut out = stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => true,
            // The reader may have gone (`| head`); there is nobody left to tell.
            Err(e) => {
                if e.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
                    self.warn(&format!("Error: write to stdout: {e}"));
                }
                false
            }
        }
    }

    /// Pretty JSON on stdout.
    pub fn json(&self, value: &Value) {
        self.json_text(&format!("{value:#}"));
    }

    /// The same of a text.
    pub fn json_text(&self, text: &str) {
        self.put(&format!("{}\n", escape(text)));
    }

    /// JSON in one line on stdout; whether somebody still reads it.
    pub fn json_line(&self, value: &Value) -> bool {
        self.put(&format!("{}\n", escape(&value.to_string())))
    }

    /// A line on stderr, folded on a terminal.
    pub fn warn(&self, text: &str) {
        let text = text.trim_end();
        let text = if self.progress { self.fit(text) } else { format!("{}\n", clean(text)) };
        self.make_room();
        // As for stdout: with stderr gone there is nobody left to tell.
        let _ = stderr().lock().write_all(text.as_bytes());
    }

    /// A line on stderr that only a person wants to see.
    pub fn progress(&self, text: &str) {
        if self.progress {
            self.warn(text);
        }
    }

    /// Puts `text` into the last line of the terminal on stderr, over what stood there; an empty one erases it.
    pub fn over(&self, text: &str) {
        let text: String = one_line(text).chars().take(self.narrow() - 1).collect();
        let mut err = stderr().lock();
        // As above.
        let _ = write!(err, "\r{text}\u{1b}[K").and_then(|()| err.flush());
        IS_OVER.store(!text.is_empty(), Ordering::Relaxed);
    }

    /// Takes away what `over` put there, before anything else is printed.
    fn make_room(&self) {
        if IS_OVER.load(Ordering::Relaxed) {
            self.over("");
        }
    }

    /// Columns as wide as their widest cell, in several lines where they do not fit beside each other.
    pub fn table(&self, head: &[&str], rows: &[impl AsRef<[String]>]) {
        let (heads, lines) = self.laid_out(head, rows);
        heads.iter().for_each(|line| self.heading(line));
        lines.iter().for_each(|line| self.line(line));
    }

    /// Whether each row of such a table is one line.
    pub fn is_flat(&self, head: &[&str], rows: &[impl AsRef<[String]>]) -> bool {
        self.laid_out(head, rows).0.len() == 1
    }

    fn laid_out(&self, head: &[&str], rows: &[impl AsRef<[String]>]) -> (Vec<String>, Vec<String>) {
        let clean = |row: &[String]| row.iter().map(|cell| one_line(cell)).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(|row| clean(row.as_ref())).collect();
        fold::table(head, &rows, self.columns)
    }

    /// A named value, folded at the terminal's width below itself.
    pub fn field(&self, name: &str, value: &str) {
        // A name that fills its column is followed by a blank all the same.
        let name = format!("{name:<0$} ", NAME - 1);
        let line = clean(&format!("{name}{}", one_line(value))).into_owned();
        fold::hanging(&line, self.columns, NAME).iter().for_each(|line| self.line(line));
    }

    /// How a failed command ends: its `text` on stderr and, for scripts, JSON on stdout: what the error's details carry as
    /// `report`, else the error itself.
    pub fn failure(&self, label: &str, text: &str, error: &Error, as_json: bool) {
        let prefix = match error.kind {
            _ if !label.is_empty() => "",
            Kind::Interrupted => "",
            Kind::Usage => "error: ",
            Kind::Profile => "[openclaw] ",
            _ => "Error: ",
        };
        let excerpt = error.details().and_then(|details| details.get("excerpt")?.as_str());
        let excerpt = excerpt.map_or(String::new(), |excerpt| under(excerpt, "    "));
        self.warn(&format!("{label}{prefix}{text}{excerpt}"));
        if as_json {
            let report = error.details().and_then(|details| details.get("report"));
            self.json(report.unwrap_or(&json!({"ok": false, "error": error.to_wire(4)})));
        }
    }
}

/// The width of the terminal. What goes elsewhere is not folded, unless `COLUMNS` says how wide that is.
fn columns(env: Option<&Env>, is_terminal: bool) -> usize {
    let named = env.and_then(|env| env.var("COLUMNS")).and_then(|text| text.trim().parse().ok());
    let seen = || tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    match named.unwrap_or_else(|| if is_terminal { seen() } else { usize::MAX }) {
        0 => NARROW,
        columns => columns.max(40),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        for (ms, want) in [(0, "0s"), (59_999, "59s"), (60_000, "1m"), (7_200_000, "2h"), (172_800_000, "2d")]
        {
            assert_eq!(age(ms), want);
        }
    }
}
