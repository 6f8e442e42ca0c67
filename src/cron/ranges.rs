//! One field of a cron expression: what it is called, what it may hold, and the ranges it is read into. Pure.

/// What one field lets through.
#[derive(Debug, Default)]
pub struct Set(pub Vec<(u16, u16, u16)>);

impl Set {
    pub fn has(&self, value: u16) -> bool {
        self.0
            .iter()
            .any(|(from, to, step)| (*from..=*to).contains(&value) && (value - from).is_multiple_of(*step))
    }

    pub fn from(&self, value: i8, max: i8) -> Option<i8> {
        (value.max(0)..=max).find(|n| self.has(n.unsigned_abs().into()))
    }
}

/// A field's name, bounds and the names of its values, which begin at `first`.
pub struct Row {
    pub name: &'static str,
    min: u16,
    max: u16,
    /// What `*` ends with.
    last: u16,
    names: &'static str,
    first: u16,
}

const fn row(name: &'static str, min: u16, max: u16) -> Row {
    Row { name, min, max, last: max, names: "", first: 0 }
}

const MONTHS: &str = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
const DAYS: &str = "SUNMONTUEWEDTHUFRISAT";
pub const ROWS: [Row; 7] = [
    row("second", 0, 59),
    row("minute", 0, 59),
    row("hour", 0, 23),
    row("day of month", 1, 31),
    Row { names: MONTHS, first: 1, ..row("month", 1, 12) },
    Row { names: DAYS, last: 6, ..row("day of week", 0, 7) },
    row("year", 1, 9999),
];

/// `*`, a value, a range, each but a lone value with a step.
pub fn range(row: &Row, item: &str) -> std::result::Result<(u16, u16, u16), String> {
    let (span, step) = item.split_once('/').map_or((item, None), |(span, step)| (span, Some(step)));
    let steps = match step {
        None => 1,
        Some(step) => {
            let known = step.parse().ok().filter(|step| (1..=row.max).contains(step));
            known.ok_or_else(|| format!("the step {step:?} is none of 1 to {}", row.max))?
        }
    };
    if span == "*" || span == "?" {
        return Ok((row.min, row.last, steps));
    }
    if let Some((from, to)) = span.split_once('-') {
        let (from, to) = (value(row, from)?, value(row, to)?);
        return match from <= to {
            true => Ok((from, to, steps)),
            false => Err(format!("{span} runs backwards, the smaller value stands first")),
        };
    }
    let at = value(row, span)?;
    match step {
        None => Ok((at, at, 1)),
        Some(step) => Err(format!("a step needs a range: */{step} or {span}-{}/{step}", row.last)),
    }
}

pub fn value(row: &Row, text: &str) -> std::result::Result<u16, String> {
    let named = || {
        let at = (text.len() == 3 && text.is_ascii()).then(|| row.names.find(text)).flatten()?;
        at.is_multiple_of(3).then(|| at as u16 / 3 + row.first)
    };
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok()).flatten().or_else(named);
    number
        .filter(|n| (row.min..=row.max).contains(n))
        .ok_or_else(|| format!("{} is none of {} to {}", crate::logging::quoted(text), row.min, row.max))
}
