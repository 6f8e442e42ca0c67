//! Wall-clock time as the wire and the files write it. The only place that reads the system clock.
//!
//! Pure functions over epoch milliseconds; a state that must be testable keeps its own `now` and takes it
//! from here once a turn.
use crate::env;
use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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

/// `ms` in the zone named `zone` (IANA name), or in the host's zone. May read files, so not for the state thread.
pub fn zoned(ms: u64, zone: Option<&str>) -> Zoned {
    let tz = zone.and_then(named_zone).unwrap_or_else(host_zone);
    timestamp(ms).to_zoned(tz)
}

/// A time as `form` says it: `%` and a letter stand for a part of it as in `strftime`, all others for themselves. Of its
/// letters there are those that are used; `%e` is the day without padding, `%L` are milliseconds. jiff's own knows them
/// all, which is 15 KB of program.
pub fn show(time: &Zoned, form: &str) -> String {
    let mut out = String::new();
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let two = |n: i8| format!("{n:02}");
        let part = match chars.next() {
            Some('A') => weekday(time).to_string(),
            Some('a') => weekday(time).chars().take(3).collect(),
            Some('B') => MONTHS
                .get(usize::from(time.month().unsigned_abs()) - 1)
                .copied()
                .unwrap_or_default()
                .to_string(),
            Some('Y') => format!("{:04}", time.year()),
            Some('m') => two(time.month()),
            Some('d') => two(time.day()),
            Some('e') => time.day().to_string(),
            Some('H') => two(time.hour()),
            Some('M') => two(time.minute()),
            Some('S') => two(time.second()),
            Some('L') => format!("{:03}", time.millisecond()),
            Some('Z') => time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_string(),
            Some('z') => {
                let (seconds, sign) =
                    (time.offset().seconds(), if time.offset().is_negative() { '-' } else { '+' });
                format!("{sign}{:02}:{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60)
            }
            _ => String::new(),
        };
        out.push_str(&part);
    }
    out
}

fn weekday(time: &Zoned) -> &'static str {
    let day = usize::try_from(time.weekday().to_monday_zero_offset()).unwrap_or(0);
    DAYS.get(day).copied().unwrap_or_default()
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Reads the host's zone for `zoned_as_known`, unless it is fresh.
pub fn read_zone() {
    drop(host_zone());
}

/// `ms` in the host's zone as it was last read, UTC before that; reads nothing.
pub fn zoned_as_known(ms: u64) -> Zoned {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    timestamp(ms).to_zoned(known.map_or(TimeZone::UTC, |(_, zone)| zone))
}

/// When the host's zone was read, and which it is.
static KNOWN: Mutex<Option<(Instant, TimeZone)>> = Mutex::new(None);

/// The host's zone, read anew after some minutes: a machine may travel. jiff's own way to it reads the names of all zones
/// and keeps them, 100 KiB; it is left to the variable `TZ` and to hosts that say their zone otherwise.
fn host_zone() -> TimeZone {
    const FRESH: Duration = Duration::from_secs(300);
    // Two that find it old both read it: nothing is read under the lock.
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, zone)) = known.filter(|(at, _)| at.elapsed() < FRESH) {
        return zone;
    }
    let zone = if env::names_a_zone() { None } else { local_zone(Path::new("/etc/localtime")) };
    let zone = zone.unwrap_or_else(|| match TimeZone::system() {
        // Routers have no zone database: their zone is a rule in a file.
        unknown if unknown.is_unknown() => ruled_zone(&RULES.map(Path::new)).unwrap_or(unknown),
        zone => zone,
    });
    *KNOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), zone.clone()));
    zone
}

/// The zone that a link into the zone database stands for.
fn local_zone(link: &Path) -> Option<TimeZone> {
    let file = std::fs::canonicalize(link).ok()?;
    let (_, name) = file.to_str()?.split_once("zoneinfo/")?;
    TimeZone::tzif(name, &std::fs::read(&file).ok()?).ok()
}

/// Where OpenWrt (the first is a link to the second there) and other small systems keep the zone as a rule.
const RULES: [&str; 2] = ["/etc/TZ", "/tmp/TZ"];

/// The zone of a rule, as `CET-1CEST,M3.5.0,M10.5.0/3`, from the first of these files that holds one; by a name too, where it
/// can be read.
fn ruled_zone(files: &[&Path]) -> Option<TimeZone> {
    files.iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let text = text.lines().next()?.trim().trim_start_matches(':');
        named_zone(text).or_else(|| TimeZone::posix(text).ok())
    })
}

/// The zone of an IANA name. Its file is read by name, so that the names of all others are not; may read files.
pub fn named_zone(name: &str) -> Option<TimeZone> {
    let is_plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_".contains(&b))
    };
    if !name.split('/').all(is_plain) {
        return None;
    }
    let of_file = |dir: &str| TimeZone::tzif(name, &std::fs::read(Path::new(dir).join(name)).ok()?).ok();
    ZONES.iter().find_map(|dir| of_file(dir)).or_else(|| TimeZone::get(name).ok())
}

/// Where systems keep them; all else is left to jiff.
const ZONES: [&str; 2] = ["/usr/share/zoneinfo", "/etc/zoneinfo"];

/// The name of the host's zone, if it has one.
pub fn host_zone_name() -> Option<String> {
    host_zone().iana_name().map(str::to_string)
}

/// Reads an ISO 8601 time as epoch milliseconds.
pub fn parse_iso(text: &str) -> Option<u64> {
    text.parse::<Timestamp>().ok().and_then(|t| u64::try_from(t.as_millisecond()).ok())
}

/// Reads a time as the host's clock shows it: a date with a time or alone, or an hour, which is the last one of that name.
pub fn parse_local(text: &str, now: u64) -> Option<u64> {
    let here = zoned(now, None);
    let civil = match (text.parse::<DateTime>(), text.parse::<Time>()) {
        (Ok(civil), _) => civil,
        (_, Ok(time)) if here.time() < time => here.date().yesterday().ok()?.to_datetime(time),
        (_, Ok(time)) => here.date().to_datetime(time),
        _ => return None,
    };
    let at = civil.to_zoned(here.time_zone().clone()).ok()?.timestamp();
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_s_zone_is_that_of_the_link() {
        let dir = std::env::temp_dir().join(format!("clock-{}", std::process::id()));
        let database = dir.join("zoneinfo/Etc");
        std::fs::create_dir_all(&database).unwrap();
        // The smallest zone file there is: UTC.
        let mut file = b"TZif".to_vec();
        file.extend([0; 16]);
        file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4]);
        file.extend([0, 0, 0, 0, 0, 0, b'U', b'T', b'C', 0]);
        std::fs::write(database.join("UTC"), file).unwrap();
        std::os::unix::fs::symlink("zoneinfo/Etc/UTC", dir.join("localtime")).unwrap();
        let zone = local_zone(&dir.join("localtime")).unwrap();
        assert_eq!(zone.iana_name(), Some("Etc/UTC"));
        assert!(local_zone(&dir.join("none")).is_none());
        assert_eq!(zoned(0, Some("Asia/Tokyo")).hour(), 9);
        std::fs::remove_dir_all(dir).unwrap();
    }

    // OpenWrt: `/etc/TZ`, no database, `/etc/localtime` a link to nowhere.
    #[test]
    fn a_host_without_a_database_says_its_zone_by_a_rule() {
        let dir = std::env::temp_dir().join(format!("rules-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (empty, rule, name) = (dir.join("empty"), dir.join("rule"), dir.join("name"));
        std::fs::write(&empty, "").unwrap();
        std::fs::write(&rule, "CET-1CEST,M3.5.0,M10.5.0/3\n").unwrap();
        std::fs::write(&name, "UTC\n").unwrap();
        let zone = ruled_zone(&[&dir.join("none"), &empty, &rule]).unwrap();
        let at = |iso: &str| show(&timestamp(parse_iso(iso).unwrap()).to_zoned(zone.clone()), "%H:%M %Z");
        assert_eq!(at("2026-03-29T00:59:59Z"), "01:59 CET");
        assert_eq!(at("2026-03-29T01:00:00Z"), "03:00 CEST");
        assert_eq!(at("2026-10-25T01:00:00Z"), "02:00 CET");
        assert_eq!(ruled_zone(&[&name]).unwrap().iana_name(), Some("UTC"));
        assert!(ruled_zone(&[&empty]).is_none());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn times_are_shown_as_strftime_shows_them() {
        let both = [
            ("%A, %e %B %Y, %H:%M %Z", "%A, %-d %B %Y, %H:%M %Z"),
            ("%a %Y-%m-%dT%H:%M:%S.%L%z", "%a %Y-%m-%dT%H:%M:%S%.3f%:z"),
        ];
        for zone in ["UTC", "Asia/Tokyo", "America/St_Johns", "Europe/Berlin", "America/Sao_Paulo"] {
            for month in 0..24 {
                let time = zoned(1_768_435_201_007 + month * 31 * 87_654_321, Some(zone));
                for (ours, theirs) in both {
                    assert_eq!(show(&time, ours), time.strftime(theirs).to_string(), "{zone}");
                }
            }
        }
    }

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
