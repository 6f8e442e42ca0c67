//! Which lines of the log are shown: by level, time and text. Pure; it is done here, whatever gateway gave them.
use super::line::Entry;
use crate::cli::Flag;
use crate::cli::parse::{Args, millis};
use crate::clock;
use crate::error::{Error, Result};

/// From the least to the most.
const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error", "fatal"];

pub const FLAGS: &[Flag] = &[
    Flag::choice("level", "<level>", LEVELS, "Show only lines of this level and above"),
    Flag::value("since", "<time>", "Show only lines since then: 90s, 2h, 3d, 10:30, 2026-11-29T10:30:00Z"),
    Flag::value("grep", "<text>", "Show only lines with this text, in capitals or not"),
    Flag::value("session", "<key>", "Show only lines that name a session with this in its key"),
];

pub struct Filter {
    /// A place in `LEVELS`.
    least: Option<usize>,
    /// Epoch milliseconds.
    pub since: Option<u64>,
    /// Lower case.
    text: Option<String>,
    /// A part of a session's key, lower case.
    session: Option<String>,
}

impl Filter {
    pub fn of(args: &Args, now: u64) -> Result<Filter> {
        let wrong = |text: &str| {
            Error::usage(format!(
                "--since must be how long ago, as 90s, 2h or 3d, or a time, as 10:30, \"2026-11-29 10:30\" or \
                 2026-11-29T10:30:00Z, not {text:?}"
            ))
        };
        let since = args.value("since").map(|text| since(text, now).ok_or_else(|| wrong(text)));
        Ok(Filter {
            least: args.value("level").and_then(rank),
            since: since.transpose()?,
            text: args.filled("grep")?.map(str::to_lowercase),
            session: args.filled("session")?.map(str::to_lowercase),
        })
    }

    /// Whether any line may be left out.
    pub fn is_set(&self) -> bool {
        self.least.is_some() || self.since.is_some() || self.text.is_some() || self.session.is_some()
    }

    /// Whether a line of the file is wanted. One of another format has neither level nor time.
    pub fn fits(&self, line: &str) -> bool {
        if !self.is_set() {
            return true;
        }
        let entry = Entry::parse(line);
        let of_level = |least| entry.as_ref().and_then(|e| rank(&e.level)).is_some_and(|rank| rank >= least);
        let in_time =
            |since| entry.as_ref().and_then(|e| clock::parse_iso(&e.time)).is_some_and(|at| at >= since);
        let has_text = |text: &String| {
            let shown = entry.as_ref().map_or(line.to_string(), |e| format!("{} {}", e.subsystem, e.message));
            shown.to_lowercase().contains(text)
        };
        let of_session = |key: &String| entry.as_ref().is_some_and(|e| names(&e.message.to_lowercase(), key));
        self.session.as_ref().is_none_or(of_session)
            && self.least.is_none_or(of_level)
            && self.since.is_none_or(in_time)
            && self.text.as_ref().is_none_or(has_text)
    }
}

/// Whether a line says `session=` or `session ` and a key with that in it.
fn names(message: &str, key: &str) -> bool {
    let after = message.match_indices("session").filter_map(|(at, word)| message.get(at + word.len()..));
    let named = after.filter_map(|rest| rest.strip_prefix(['=', ' '])?.split([' ', ',', ';']).next());
    named.into_iter().any(|named| named.contains(key))
}

fn rank(level: &str) -> Option<usize> {
    LEVELS.iter().position(|known| *known == level)
}

/// How long ago, or a time: of a day, of the host's zone, or with a zone of its own.
fn since(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    let ago = millis(text, 1000).filter(|_| !text.contains(':')).map(|ago| now.saturating_sub(ago));
    ago.or_else(|| clock::parse_iso(text)).or_else(|| clock::parse_local(text, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_764_412_200_000; // 2025-11-29T10:30:00Z

    fn line(level: &str, at: u64, text: &str) -> String {
        crate::json::json!({"0": "{\"subsystem\":\"gateway/ws\"}", "1": text, "time": clock::iso(at),
            "_meta": {"logLevelName": level, "name": "{\"subsystem\":\"gateway/ws\"}"}})
        .to_string()
    }

    #[test]
    fn n_31_lines_by_level_time_and_text() {
        let filter = |least, since, text: Option<&str>| Filter {
            least,
            since,
            text: text.map(str::to_string),
            session: None,
        };
        let lines = [line("INFO", NOW - 10, "a turn"), line("WARN", NOW, "Too MANY"), "not JSON".to_string()];
        let shown = |filter: Filter| lines.iter().map(|line| filter.fits(line)).collect::<Vec<_>>();
        assert_eq!(shown(filter(None, None, None)), [true, true, true]);
        assert_eq!(shown(filter(rank("warn"), None, None)), [false, true, false]);
        assert_eq!(shown(filter(None, Some(NOW - 5), None)), [false, true, false]);
        assert_eq!(shown(filter(None, None, Some("too many"))), [false, true, false]);
        assert_eq!(shown(filter(None, None, Some("gateway/ws"))), [true, true, false]);
        assert_eq!(shown(filter(None, None, Some("json"))), [false, false, true]);
        for (key, want) in [("main", true), ("agent:main:main", true), ("work", false), ("fast", false)] {
            assert_eq!(names("turn ✓ 1.0 s session=agent:main:main model=fast", key), want, "{key}");
        }
    }

    #[test]
    fn n_31_times_that_people_write() {
        for (text, want) in [
            ("90s", Some(NOW - 90_000)),
            ("90", Some(NOW - 90_000)),
            ("1.5h", Some(NOW - 5_400_000)),
            ("2d", Some(NOW - 2 * 86_400_000)),
            ("2025-11-29T10:00:00Z", Some(NOW - 1_800_000)),
            ("2025-11-29T11:00:00+01:00", Some(NOW - 1_800_000)),
            ("soon", None),
            ("", None),
            ("-5m", None),
        ] {
            assert_eq!(since(text, NOW), want, "{text}");
        }
        let local = since("2025-11-29 10:30", NOW).unwrap();
        assert_eq!(since("2025-11-29T10:30", NOW), Some(local), "as the host's zone has it");
        assert_eq!(since("2025-11-29T10:30:00", NOW), Some(local));
        let midnight = since("2025-11-29", NOW).unwrap();
        assert_eq!(local - midnight, 37_800_000);
        let hour = since("00:10", NOW).unwrap();
        assert!(
            hour <= NOW && NOW - hour < 86_400_000 && hour.is_multiple_of(60_000),
            "the last time the clock showed it"
        );
    }
}
