//! The terminal's lines: time, level and what was said, on the `gw-log` thread. The line itself is simplelog's.
use super::Line;
use crate::{clean, clock};
use log::{Level, LevelFilter, Log, Record};
use simplelog::{ConfigBuilder, WriteLogger};
use std::io::{IsTerminal, Stdout, Write};

pub type Console = WriteLogger<Stdout>;

/// What the command line says of the terminal's lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shows {
    /// All that is said is shown.
    pub verbose: bool,
    /// Levels have colours.
    pub color: bool,
}

pub fn open(level: LevelFilter) -> Box<Console> {
    let config = ConfigBuilder::new()
        .set_time_level(LevelFilter::Off)
        // Written in front of it, in its colour.
        .set_max_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Error)
        .build();
    WriteLogger::new(level, config, std::io::stdout())
}

/// A level in brackets, in the colours of `openclaw logs`.
fn shown(level: Level, color: bool) -> String {
    let style = match level {
        Level::Error => 31,
        Level::Warn => 33,
        Level::Debug | Level::Trace => 2,
        Level::Info => 0,
    };
    if color && style > 0 { format!("\u{1b}[{style}m[{level}]\u{1b}[0m") } else { format!("[{level}]") }
}

/// When a line was said, always as long: the time of day here for a person at a terminal, else the moment in UTC.
fn stamp(at: u64) -> String {
    if std::io::stdout().is_terminal() {
        clock::show(&clock::zoned(at, None), "%H:%M:%S.%L")
    } else {
        clock::iso(at)
    }
}

/// Writes a line. One thread does, so the time and the rest stay together; without a reader there is nobody to tell.
pub fn write(console: &Console, line: &Line, color: bool) {
    let _ = write!(std::io::stdout(), "{} {} ", stamp(line.at), shown(line.level, color));
    let text = clean::clean(&line.text);
    let args = format_args!("{text}");
    console.log(&Record::builder().args(args).level(line.level).target(&line.target).build());
}
