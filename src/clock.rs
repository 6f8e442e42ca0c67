//! Wall-clock time as the wire and the files write it. The only place that reads the system clock.
//!
//! Pure functions over epoch milliseconds; a state that must be testable keeps its own `now` and takes it
//! from here once a turn.
use jiff::{Timestamp, Zoned, tz::TimeZone};

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

fn timestamp(ms: u64) -> Timestamp {
    Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
}

/// `2026-11-21T01:31:48.236Z`
pub fn iso(ms: u64) -> String {
    format!("{:.3}", timestamp(ms))
}

/// `ms` in the zone named `zone` (IANA name), or in the host's zone.
pub fn zoned(ms: u64, zone: Option<&str>) -> Zoned {
    let tz = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(TimeZone::system);
    timestamp(ms).to_zoned(tz)
}

/// Reads an ISO 8601 time as epoch milliseconds.
pub fn parse_iso(text: &str) -> Option<u64> {
    text.parse::<Timestamp>().ok().and_then(|t| u64::try_from(t.as_millisecond()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_has_milliseconds_and_reads_back() {
        let check = |ms: u64, text: &str| {
            assert_eq!(iso(ms), text);
            assert_eq!(parse_iso(text), Some(ms));
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_795_224_708_236, "2026-11-21T01:31:48.236Z");
    }
}
