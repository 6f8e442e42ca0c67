//! When a job is due: at one moment, every so often, or by a cron expression in a time zone. Pure but for reading the zone.
use super::fields::Fields;
use super::zones;
use crate::clock;
use crate::error::{Error, Result};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Shorter intervals are taken as this one: a turn of an agent takes longer.
pub const EVERY_LEAST: u64 = 1000;
/// Wall-clock times that are looked at for one that has not been: the repeated hour of an autumn night, by seconds.
const MOST: usize = 8000;

#[derive(Debug)]
pub enum Schedule {
    At(u64),
    Every { ms: u64, anchor: u64 },
    Cron { fields: Box<Fields>, zone: TimeZone },
}

/// Where a zone's rules come from.
pub enum Zones {
    /// From its file, if need be.
    Read,
    /// From what was read before.
    Known,
}

impl Schedule {
    /// Reads the member `schedule` of a job.
    pub fn of(schedule: &Map<String, Value>, zones: &Zones) -> Result<Schedule> {
        let text = |name: &str| schedule.get(name).and_then(Value::as_str);
        let number = |name: &str| schedule.get(name).and_then(Value::as_u64);
        match text("kind") {
            Some("at") => {
                let at = text("at").ok_or_else(|| {
                    Error::invalid("schedule.at is missing: a time as 2026-11-29T10:34:00Z")
                })?;
                parse_at(at).map(Schedule::At).ok_or_else(|| {
                    let got = crate::logging::quoted(at);
                    Error::invalid(format!("Invalid schedule.at: expected ISO-8601 timestamp (got {got})"))
                })
            }
            Some("every") => {
                let ms = number("everyMs").filter(|ms| *ms > 0);
                let ms = ms.ok_or_else(|| {
                    Error::invalid("schedule.everyMs must be a whole number of milliseconds above 0")
                })?;
                Ok(Schedule::Every { ms: ms.max(EVERY_LEAST), anchor: number("anchorMs").unwrap_or(0) })
            }
            Some("cron") => {
                let expr = text("expr").filter(|expr| !expr.trim().is_empty());
                let expr = expr.ok_or_else(|| {
                    Error::invalid("schedule.expr is missing: a cron expression as \"0 9 * * 1-5\"")
                })?;
                let zone = zone(text("tz"), zones)?;
                match once(expr, &zone) {
                    Some(at) => Ok(Schedule::At(at)),
                    None => Ok(Schedule::Cron { fields: Box::new(Fields::parse(expr)?), zone }),
                }
            }
            _ => Err(Error::invalid("schedule.kind must be at, every or cron")),
        }
    }

    /// Whether it may be due more often than once a minute.
    pub fn is_hasty(&self) -> bool {
        match self {
            Schedule::At(_) => false,
            Schedule::Every { ms, .. } => *ms < 60_000,
            Schedule::Cron { fields, .. } => fields.has_seconds(),
        }
    }

    /// The first moment after `after`, epoch milliseconds. That of a time is itself, whether it has passed or not.
    pub fn next(&self, after: u64) -> Option<u64> {
        match self {
            Schedule::At(at) => Some(*at),
            Schedule::Every { anchor, .. } if after < *anchor => Some(*anchor),
            Schedule::Every { ms, anchor } => {
                let passed = (after - anchor) / ms;
                anchor.checked_add(passed.checked_add(1)?.checked_mul(*ms)?)
            }
            Schedule::Cron { fields, zone } => {
                let now = Timestamp::from_millisecond(i64::try_from(after).ok()?).ok()?;
                let mut civil = now.to_zoned(zone.clone()).datetime();
                for _ in 0..MOST {
                    civil = fields.next(civil)?;
                    // In a gap the clock shows the time that much later; of two equal times the first one is meant.
                    let at = zone.to_ambiguous_timestamp(civil).compatible().ok()?.as_millisecond();
                    if let Some(at) = u64::try_from(at).ok().filter(|at| *at > after) {
                        return Some(at);
                    }
                }
                None
            }
        }
    }
}

fn zone(name: Option<&str>, zones: &Zones) -> Result<TimeZone> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(clock::zoned_as_known(0).time_zone().clone());
    };
    match zones {
        Zones::Read => zones::read(name),
        Zones::Known => {
            zones::known(name).ok_or_else(|| Error::unavailable("the time zone has not been read"))
        }
    }
}

/// An expression that is a time, not a pattern.
fn once(expr: &str, zone: &TimeZone) -> Option<u64> {
    let expr = expr.trim();
    if !expr.contains('T') || expr.contains(' ') {
        return None;
    }
    let here = || {
        let civil = expr.parse::<DateTime>().ok()?;
        Some(zone.to_ambiguous_timestamp(civil).compatible().ok()?.as_millisecond())
    };
    let at = expr.parse::<Timestamp>().ok().map(Timestamp::as_millisecond).or_else(here)?;
    u64::try_from(at).ok()
}

/// A time as jobs name it: ISO 8601, of which one without a zone is UTC, or epoch milliseconds.
pub fn parse_at(text: &str) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    clock::parse_iso(text).or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        let at = TimeZone::UTC.to_ambiguous_timestamp(civil).compatible().ok()?;
        u64::try_from(at.as_millisecond()).ok()
    })
}
