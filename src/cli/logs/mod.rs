//! `openclaw logs`: the gateway's log, once or for as long as one likes to watch.
//!
//! Lines that are not wanted (`filter.rs`) are left out here. Asks the gateway by `logs.tail`; where no local gateway answers it reads the file itself (`source.rs`)
//! and says so. Lines go to stdout, everything about them to stderr, so that a pipe gets lines only; with
//! `--json` notices are lines of their own on stdout. Ctrl-C ends it, with the usual status 130.
mod filter;
pub mod line;
pub mod source;
use super::link::rpc;
use super::logs::filter::Filter;
use super::logs::line::{Entry, Style};
use super::logs::source::{Chunk, Source};
use super::parse::Args;
use super::{Command, Context, Flag};
use crate::cli::waiting::Waiting;
use crate::clock;
use crate::error::{Error, Result};
use crate::json::json;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "logs",
    summary: "Show the gateway's log, also while it is written",
    about: "Asks the gateway; when a local gateway does not answer, its log file is read instead.\n\
            Following goes on over rotation and restarts of the gateway, until Ctrl-C.",
    positionals: &[],
    flags: &[FLAGS, filter::FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw logs --limit 50", "Show the last 50 lines"),
        ("openclaw logs --follow", "Show new lines as they come"),
        ("openclaw logs --level warn --since 2h", "Show what went wrong in the last two hours"),
        ("openclaw logs --session main --grep turn", "Show the turns of the main session"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::switch("follow", "Show new lines as they come").short('f'),
    Flag::value("limit", "<n>", "Show at most this many lines; default 200").short('n'),
    Flag::value("max-bytes", "<n>", "Read at most this much of the file; default 250000"),
    Flag::value("interval", "<time>", "Look for new lines this often, as 2s or 500 (ms); default 1s"),
    Flag::switch("plain", "Print plain lines on a terminal too"),
    Flag::switch("utc", "Show times in UTC, the default where stdout is no terminal"),
    Flag::switch("local-time", "Show times in this host's zone"),
    Flag::switch("json", "Print one JSON object a line"),
    Flag::value("timeout", "<time>", "Give up a call after this time, as 10s or 500 (ms); default 5s"),
];

/// What the gateway gives at once.
const MOST_LINES: u64 = 5000;
const MOST_BYTES: u64 = 1_000_000;
/// Shorter intervals would be work without use.
const SHORTEST: u64 = 20;

fn run(context: &Context, args: &Args) -> Result<()> {
    if args.has("utc") && args.has("local-time") {
        return Err(Error::usage("--utc and --local-time exclude each other"));
    }
    let filter = Filter::of(args, clock::now_ms())?;
    let limit = args.number("limit")?.unwrap_or(200).min(MOST_LINES);
    // Where lines are left out, all that can be had are looked through.
    let (lines, bytes) = if filter.is_set() { (MOST_LINES, MOST_BYTES) } else { (limit.max(1), 250_000) };
    let max_bytes = args.number("max-bytes")?.unwrap_or(bytes).clamp(1, MOST_BYTES);
    let interval = Duration::from_millis(args.millis("interval", 1)?.unwrap_or(1000).max(SHORTEST));
    let view = View { context, style: Style::of(context, args), plain_json: args.has("json"), filter };
    let waiting = Waiting::begin(context.out, "asking the gateway");
    let mut source = Source::open(context, args, max_bytes)?;
    let mut first = source.read(None, lines, &|text| view.notice(text))?;
    drop(waiting);
    let is_short = first.truncated && !view.reaches_back(&first);
    first.lines.retain(|line| view.filter.fits(line));
    let surplus = first.lines.len().saturating_sub(limit as usize);
    first.lines.drain(..surplus);
    view.file(&first);
    if is_short && (first.lines.len() as u64) < limit {
        view.notice(match max_bytes {
            MOST_BYTES => {
                "Log tail truncated (only the last 1 MB was looked through; the file has the rest)."
            }
            _ => "Log tail truncated (increase --max-bytes).",
        });
    }
    match view.lines(&first) && args.has("follow") {
        true => follow(&mut source, &view, (first.file, first.cursor), interval),
        false => Ok(()),
    }
}

/// Shows what comes behind a place in the log, for as long as somebody reads it.
fn follow(source: &mut Source, view: &View, from: (String, u64), interval: Duration) -> Result<()> {
    let (mut file, mut cursor) = from;
    loop {
        source.wait(interval, &|text| view.notice(text))?;
        // What came meanwhile is all wanted, whatever --limit says of the start.
        let mut chunk = source.read(Some(cursor), MOST_LINES, &|text| view.notice(text))?;
        if chunk.file != file {
            if !chunk.reset {
                // A gateway that does not see by the cursor that the file is another one.
                chunk = source.read(Some(0), MOST_LINES, &|text| view.notice(text))?;
            }
            view.file(&chunk);
            file = chunk.file.clone();
        } else if chunk.reset {
            view.notice("Log cursor reset (file rotated).");
        }
        if chunk.truncated {
            view.notice("Log lines were missed (increase --max-bytes or lower --interval).");
        }
        cursor = chunk.cursor;
        if !view.lines(&chunk) {
            return Ok(());
        }
    }
}

/// How lines and remarks are printed.
struct View<'a> {
    context: &'a Context,
    style: Style,
    plain_json: bool,
    filter: Filter,
}

impl View<'_> {
    fn file(&self, chunk: &Chunk) {
        if self.plain_json {
            let meta =
                json!({"type": "meta", "file": chunk.file, "cursor": chunk.cursor, "size": chunk.size});
            self.context.out.json_line(&meta);
        } else {
            self.context.out.line(format!("Log file: {}", chunk.file));
        }
    }

    fn notice(&self, text: &str) {
        if self.plain_json {
            self.context.out.json_line(&json!({"type": "notice", "message": text}));
        }
        self.context.out.warn(text);
    }

    /// Prints the lines; whether somebody still reads them.
    fn lines(&self, chunk: &Chunk) -> bool {
        chunk.lines.iter().filter(|line| self.filter.fits(line)).all(|line| self.style.print("", line))
    }

    /// Whether the lines go back to the time that was asked for.
    fn reaches_back(&self, chunk: &Chunk) -> bool {
        let oldest = chunk.lines.iter().find_map(|line| clock::parse_iso(&Entry::parse(line)?.time));
        self.filter.since.zip(oldest).is_some_and(|(since, oldest)| oldest < since)
    }
}
