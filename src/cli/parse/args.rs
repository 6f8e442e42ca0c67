//! What a command was given, by the long names of its flags.
use crate::error::{Error, Result};

/// The raw values of one command line.
#[derive(Debug, Default, Clone)]
pub struct Args {
    pub(super) flags: Vec<(&'static str, String)>,
    pub positionals: Vec<String>,
}

impl Args {
    /// Whether the switch was given.
    pub fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|(name, _)| *name == long)
    }

    /// The value of an option; the last one wins.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// The value of an option that means nothing when it is empty.
    pub fn filled(&self, long: &str) -> Result<Option<&str>> {
        match self.value(long) {
            Some(value) if value.trim().is_empty() => {
                Err(Error::usage(format!("--{long} is empty: give it a value, or leave it out")))
            }
            value => Ok(value),
        }
    }

    /// The same line with none of these options.
    pub fn without(&self, longs: &[&str]) -> Args {
        let flags = self.flags.iter().filter(|(name, _)| !longs.contains(name)).cloned().collect();
        Args { flags, positionals: self.positionals.clone() }
    }

    /// All values of an option that may be repeated.
    pub fn all(&self, long: &str) -> Vec<&str> {
        self.flags.iter().filter(|(name, _)| *name == long).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of an option that must be given.
    pub fn required(&self, long: &str) -> Result<&str> {
        self.value(long).ok_or_else(|| Error::usage(format!("required option '--{long}' not specified")))
    }

    /// A whole number, where the option was given.
    pub fn number(&self, long: &str) -> Result<Option<u64>> {
        let parse = |text: &str| {
            text.trim()
                .parse()
                .map_err(|_| Error::usage(format!("--{long} must be a whole number, not {text:?}")))
        };
        self.value(long).map(parse).transpose()
    }

    /// The same, and more than nothing.
    pub fn positive(&self, long: &str) -> Result<Option<u64>> {
        match self.number(long)? {
            Some(0) => Err(Error::usage(format!("--{long} must be a positive whole number"))),
            number => Ok(number),
        }
    }

    /// A time in milliseconds, where the option was given: `500ms`, `5s`, `2m`, `1h`, or a number of `unit` milliseconds.
    pub fn millis(&self, long: &str, unit: u64) -> Result<Option<u64>> {
        let parse = |text: &str| {
            let wrong =
                || Error::usage(format!("--{long} must be a time such as 500ms, 5s or 2m, not {text:?}"));
            millis(text, unit).ok_or_else(wrong)
        };
        self.value(long).map(parse).transpose()
    }

    /// A positional argument by its place.
    pub fn positional(&self, place: usize) -> Option<&str> {
        self.positionals.get(place).map(String::as_str)
    }
}

/// `500ms`, `5s`, `2m`, `1h`, `3d`, or a number of `unit` milliseconds.
pub fn millis(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = match text.split_at_checked(end)? {
        (number, "") => (number, unit),
        (number, name) => {
            let (minute, hour) = (60_000, 3_600_000);
            let units = [
                ("ms", 1),
                ("s", 1000),
                ("sec", 1000),
                ("m", minute),
                ("min", minute),
                ("h", hour),
                ("d", 24 * hour),
            ];
            (number, units.iter().find(|(unit, _)| *unit == name.trim())?.1)
        }
    };
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(unit),
        // Halves of a second, not of a millisecond.
        Err(_) => number.parse::<f64>().ok().filter(|n| *n < 1e9).map(|n| (n * unit as f64).round() as u64),
    }
}
