//! The hours at which heartbeats come: from `start` until before `end`, over midnight where that is earlier; where both
//! are the same, or one cannot be read, at all. By the clock of a place, so that a day of 23 or 25 hours changes nothing.
//!
//! Zones are read from files: not for the state thread.
use crate::clock;
use crate::config::Config;
use crate::logging::quoted;
use serde_json::Value;

/// Minutes of the day, and whose clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    start: u32,
    end: u32,
    zone: Option<String>,
}

impl Hours {
    pub(super) fn of(section: &Value) -> Option<Hours> {
        let minutes = |name: &str| minutes(section.get(name)?.as_str()?);
        let (start, end) = (minutes("start").filter(|start| *start < DAY)?, minutes("end")?);
        Some(Hours { start, end, zone: zone(section).map(str::to_string) })
    }

    pub fn holds(&self, config: &Config, now: u64) -> bool {
        let minute = self.second(config, now) / 60;
        match self.start.cmp(&self.end) {
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Less => (self.start..self.end).contains(&minute),
            std::cmp::Ordering::Greater => minute >= self.start || minute < self.end,
        }
    }

    /// Milliseconds until they begin next, on a day without a change of the clocks.
    pub fn opens_in(&self, config: &Config, now: u64) -> u64 {
        let left = (self.start + DAY) * 60 - self.second(config, now);
        u64::from(left % (DAY * 60)) * 1000
    }

    /// Of the day.
    fn second(&self, config: &Config, now: u64) -> u32 {
        let user = || config.str("agents.defaults.userTimezone");
        let here = match self.zone.as_deref() {
            Some("local") => clock::zoned(now, None),
            Some(name) if name != "user" && clock::named_zone(name).is_some() => {
                clock::zoned(now, Some(name))
            }
            _ => clock::zoned(now, user()),
        };
        let part = |part: i8| u32::from(part.unsigned_abs());
        (part(here.hour()) * 60 + part(here.minute())) * 60 + part(here.second())
    }
}

const DAY: u32 = 24 * 60;

/// Of `08:30`, and of `24:00`.
fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |part: &str| part.parse::<u32>().ok().filter(|_| part.len() == 2);
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    Some(hours * 60 + minutes).filter(|minute| *minute <= DAY)
}

fn zone(section: &Value) -> Option<&str> {
    section.get("timezone")?.as_str().map(str::trim).filter(|zone| !zone.is_empty())
}

/// What of a section cannot be taken, and what holds instead.
pub(super) fn wrong(section: &Value) -> Vec<(&'static str, String)> {
    let minute = |name: &str| section.get(name).and_then(Value::as_str).and_then(minutes);
    let mut all = Vec::new();
    let ends = [
        ("start", "00:00 to 23:59", minute("start").is_some_and(|start| start < DAY)),
        ("end", "00:00 to 24:00", minute("end").is_some()),
    ];
    for (name, range, _) in ends.into_iter().filter(|(_, _, is_right)| !is_right) {
        all.push((name, format!("it must be a time of day from {range}; heartbeats come at all hours")));
    }
    if minute("start").is_some() && minute("start") == minute("end") {
        all.push(("end", "it is the same as start: heartbeats come at all hours".to_string()));
    }
    let unknown =
        zone(section).filter(|zone| !["user", "local"].contains(zone) && clock::named_zone(zone).is_none());
    all.extend(unknown.map(|zone| {
        let why = format!(
            "{} is no time zone that this machine knows; the user's or the host's is used",
            quoted(zone)
        );
        ("timezone", why)
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(start: &str, end: &str, zone: &str, at: &str) -> bool {
        let hours = Hours::of(&json!({"start": start, "end": end, "timezone": zone})).unwrap();
        hours.holds(&Config::empty(), clock::parse_iso(at).unwrap())
    }

    #[test]
    fn i13_2_hours_begin_and_end_on_the_minute_and_go_over_midnight() {
        for (start, end, at, want) in [
            ("08:00", "22:00", "2026-01-05T07:59:59Z", false),
            ("08:00", "22:00", "2026-01-05T08:00:00Z", true),
            ("08:00", "22:00", "2026-01-05T21:59:59Z", true),
            ("08:00", "22:00", "2026-01-05T22:00:00Z", false),
            ("08:00", "24:00", "2026-01-05T23:59:59Z", true),
            ("08:00", "24:00", "2026-01-06T00:00:00Z", false),
            ("22:00", "06:00", "2026-01-05T23:30:00Z", true),
            ("22:00", "06:00", "2026-01-06T05:59:00Z", true),
            ("22:00", "06:00", "2026-01-06T06:00:00Z", false),
            ("22:00", "06:00", "2026-01-06T21:59:00Z", false),
            ("09:00", "09:00", "2026-01-06T03:00:00Z", true),
            ("00:00", "24:00", "2026-01-06T00:00:00Z", true),
        ] {
            assert_eq!(holds(start, end, "UTC", at), want, "{start} {end} {at}");
        }
    }

    #[test]
    fn i13_2_hours_are_those_of_the_place_on_days_that_are_shorter_and_longer() {
        for (zone, at, want) in [
            // Berlin goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
            ("Europe/Berlin", "2026-03-28T06:59:00Z", false),
            ("Europe/Berlin", "2026-03-28T07:00:00Z", true),
            ("Europe/Berlin", "2026-03-29T05:59:00Z", false),
            ("Europe/Berlin", "2026-03-29T06:00:00Z", true),
            ("Europe/Berlin", "2026-10-25T06:00:00Z", false),
            ("Europe/Berlin", "2026-10-25T07:00:00Z", true),
            // New York on 8 March and 1 November.
            ("America/New_York", "2026-03-08T12:00:00Z", true),
            ("America/New_York", "2026-03-07T12:00:00Z", false),
            ("America/New_York", "2026-11-01T12:00:00Z", false),
            ("America/New_York", "2026-11-01T13:00:00Z", true),
            // Lord Howe moves by half an hour, on 5 April.
            ("Australia/Lord_Howe", "2026-04-03T21:00:00Z", true),
            ("Australia/Lord_Howe", "2026-04-05T21:00:00Z", false),
            ("Australia/Lord_Howe", "2026-04-05T21:30:00Z", true),
        ] {
            assert_eq!(holds("08:00", "20:00", zone, at), want, "{zone} {at}");
        }
    }

    #[test]
    fn i13_2_the_hour_that_comes_twice_is_active_twice_and_the_one_that_is_skipped_hurts_nobody() {
        for at in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            assert!(holds("02:00", "03:00", "Europe/Berlin", at), "{at}");
        }
        for at in ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"] {
            assert!(!holds("02:00", "03:00", "Europe/Berlin", at), "{at}");
        }
    }

    #[test]
    fn i13_2_what_cannot_be_read_is_the_whole_day_and_is_told() {
        for section in [
            json!({}),
            json!({"start": "8:00", "end": "22:00"}),
            json!({"start": "08:00"}),
            json!({"start": "24:00", "end": "09:00"}),
            json!({"start": "08:00", "end": "24:30"}),
            json!({"start": "08:60", "end": "22:00"}),
        ] {
            assert!(Hours::of(&section).is_none() && !wrong(&section).is_empty(), "{section}");
        }
        assert!(wrong(&json!({"start": "08:00", "end": "24:00", "timezone": "local"})).is_empty());
        assert_eq!(wrong(&json!({"start": "08:00", "end": "08:00"}))[0].0, "end");
    }
}
