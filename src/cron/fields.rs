//! Cron expressions: five, six or seven fields (seconds in front of five, a year behind six), names, lists, ranges, steps,
//! `L`, `W`, `#`, `?`, a `+` before the weekdays and nicknames, as croner reads them, whose dialect the original speaks.
//!
//! Read into ranges and asked for the next matching wall-clock time. Pure; knows no time zone.
use super::ranges::{ROWS, Row, Set, range, value};
use crate::error::{Error, Result};
use jiff::civil::{Date, DateTime, Weekday, date};

/// Years that may match and are looked through before nothing is expected any more: 29 February is a Monday every 28
/// years, and every 40 around 2100.
const YEARS: u32 = 100;

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

#[derive(Debug, Default)]
pub struct Fields {
    second: Set,
    minute: Set,
    hour: Set,
    day: Set,
    month: Set,
    weekday: Set,
    year: Set,
    /// The last day of the month, its last weekday, and days to which the nearest weekday is meant.
    is_last: bool,
    is_last_weekday: bool,
    near: Vec<i8>,
    /// The n-th such weekday of a month; 0 is the last.
    nth: Vec<(u16, i8)>,
    any_day: bool,
    any_weekday: bool,
    /// Day and weekday must both fit; else one of them is enough where both are restricted.
    needs_both: bool,
}

impl Fields {
    pub fn parse(expr: &str) -> Result<Fields> {
        let wrong = |why: String| {
            Error::invalid(format!(
                "schedule.expr {} is no cron expression: {why}",
                crate::logging::quoted(expr)
            ))
        };
        let lower = expr.trim().to_ascii_lowercase();
        let known = NICKNAMES.iter().find(|(name, _)| *name == lower).map(|(_, stands_for)| *stands_for);
        if known.is_none() && lower.starts_with('@') {
            let names = NICKNAMES.map(|(name, _)| name).join(", ");
            return Err(wrong(format!("of nicknames there are {names}")));
        }
        let text = known.unwrap_or(&lower).to_ascii_uppercase();
        let mut parts: Vec<&str> = text.split_whitespace().collect();
        let count = parts.len();
        if !(5..=7).contains(&count) {
            return Err(wrong(format!(
                "it has {count} fields; five (minute, hour, day, month, weekday), six (seconds first) or seven (a year last) are needed"
            )));
        }
        if count == 5 {
            parts.insert(0, "0");
        }
        if count < 7 {
            parts.push("*");
        }
        let mut fields = Fields::default();
        for (place, part) in parts.iter().enumerate() {
            let row = ROWS.get(place).ok_or_else(|| wrong("it has too many fields".into()))?;
            fields.take(place, row, part).map_err(|why| wrong(format!("{}: {why}", row.name)))?;
        }
        Ok(fields)
    }

    /// Whether several seconds of a minute match.
    pub fn has_seconds(&self) -> bool {
        (0..60).filter(|second| self.second.has(*second)).count() > 1
    }

    fn take(&mut self, place: usize, row: &Row, part: &str) -> std::result::Result<(), String> {
        let part = match (place, part.strip_prefix('+')) {
            (5, Some(rest)) => {
                self.needs_both = true;
                rest
            }
            _ => part,
        };
        let is_any = part == "*" || part == "?";
        match place {
            3 => self.any_day = is_any,
            5 => self.any_weekday = is_any,
            _ => {}
        }
        for item in part.split(',') {
            let is_special = match place {
                3 => self.special_day(row, item)?,
                5 => self.special_weekday(row, item)?,
                _ => false,
            };
            if !is_special {
                let range = range(row, item)?;
                self.set(place).0.push(range);
            }
        }
        Ok(())
    }

    fn set(&mut self, place: usize) -> &mut Set {
        match place {
            0 => &mut self.second,
            1 => &mut self.minute,
            2 => &mut self.hour,
            3 => &mut self.day,
            4 => &mut self.month,
            5 => &mut self.weekday,
            _ => &mut self.year,
        }
    }

    fn special_day(&mut self, row: &Row, item: &str) -> std::result::Result<bool, String> {
        match item {
            "L" => self.is_last = true,
            "LW" => self.is_last_weekday = true,
            _ => match item.strip_suffix('W') {
                Some(day) => self.near.push(value(row, day)? as i8),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn special_weekday(&mut self, row: &Row, item: &str) -> std::result::Result<bool, String> {
        let (day, nth) = match (item.split_once('#'), item.strip_suffix('L')) {
            (Some((day, nth)), _) => (day, nth),
            (None, Some(day)) if !day.is_empty() => (day, "L"),
            _ => return Ok(false),
        };
        let nth = match nth {
            "L" => 0,
            nth => {
                nth.parse().ok().filter(|nth| (1..=5).contains(nth)).ok_or("behind # stands 1 to 5 or L")?
            }
        };
        self.nth.push((value(row, day)? % 7, nth));
        Ok(true)
    }

    /// The first matching time after this one.
    pub fn next(&self, after: DateTime) -> Option<DateTime> {
        let start = after.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
        let (mut day, mut time) = (start.date(), (start.hour(), start.minute(), start.second()));
        let mut years = 0;
        loop {
            let next = match self.skip(day) {
                Some(next) => next?,
                None => match self.time(time) {
                    Some((hour, minute, second)) => return Some(day.at(hour, minute, second, 0)),
                    None => day.tomorrow().ok()?,
                },
            };
            if next.year() != day.year() && self.year.has(next.year().unsigned_abs()) {
                years += 1;
            }
            if years > YEARS {
                return None;
            }
            (day, time) = (next, (0, 0, 0));
        }
    }

    /// The day to go on with, if this one cannot match; inside `None` when there is none.
    fn skip(&self, day: Date) -> Option<Option<Date>> {
        if !self.year.has(day.year().unsigned_abs()) {
            let first = |year| Date::new(year, 1, 1).ok();
            return Some(
                (day.year() + 1..=9999).find(|year| self.year.has(year.unsigned_abs())).and_then(first),
            );
        }
        if !self.month.has(day.month().unsigned_abs().into()) {
            return Some(day.last_of_month().tomorrow().ok());
        }
        (!self.fits(day)).then(|| day.tomorrow().ok())
    }

    fn fits(&self, day: Date) -> bool {
        let (is_day, is_weekday) = (self.is_day(day), self.is_weekday(day));
        match (self.any_day, self.any_weekday) {
            (true, true) => true,
            (false, false) if !self.needs_both => is_day || is_weekday,
            (false, true) => is_day,
            (true, false) => is_weekday,
            (false, false) => is_day && is_weekday,
        }
    }

    fn is_day(&self, day: Date) -> bool {
        let last = day.days_in_month();
        let is_last = (self.is_last && day.day() == last)
            || (self.is_last_weekday && day.day() == nearest(day, last).unwrap_or(0));
        let is_near = self.near.iter().any(|near| *near <= last && Some(day.day()) == nearest(day, *near));
        is_last || is_near || self.day.has(day.day().unsigned_abs().into())
    }

    fn is_weekday(&self, day: Date) -> bool {
        let weekday = u16::from(day.weekday().to_sunday_zero_offset().unsigned_abs());
        let nth = (day.day() - 1) / 7 + 1;
        let is_last = day.day() + 7 > day.days_in_month();
        let is_nth = |(named, wanted): &(u16, i8)| {
            *named == weekday && if *wanted == 0 { is_last } else { *wanted == nth }
        };
        self.weekday.has(weekday) || (weekday == 0 && self.weekday.has(7)) || self.nth.iter().any(is_nth)
    }

    /// The first matching time of a day, from this one on.
    fn time(&self, (hour, minute, second): (i8, i8, i8)) -> Option<(i8, i8, i8)> {
        let mut at = self.hour.from(hour, 23)?;
        let mut from = if at == hour { (minute, second) } else { (0, 0) };
        loop {
            let within = self.minute.from(from.0, 59).and_then(|minute| {
                let least = if minute == from.0 { from.1 } else { 0 };
                match self.second.from(least, 59) {
                    Some(second) => Some((minute, second)),
                    None => Some((self.minute.from(minute + 1, 59)?, self.second.from(0, 59)?)),
                }
            });
            if let Some((minute, second)) = within {
                return Some((at, minute, second));
            }
            at = self.hour.from(at + 1, 23)?;
            from = (0, 0);
        }
    }
}

/// The working day that is nearest to a day of this month, and in it.
fn nearest(month: Date, day: i8) -> Option<i8> {
    let last = month.days_in_month();
    let on = date(month.year(), month.month(), day.clamp(1, last));
    Some(match on.weekday() {
        Weekday::Saturday if day == 1 => 3,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == last => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    })
}
