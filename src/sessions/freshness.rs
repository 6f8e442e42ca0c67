//! Whether a conversation goes on or starts anew: the daily boundary at a local hour and the idle limit of
//! `session.reset`, `resetByType`, `resetByChannel` and the older `session.idleMinutes`.
//!
//! Pure over the given time; the state thread asks when a message starts a turn, never a timer.
use super::Entry;
use crate::clock;
use crate::config::Config;
use jiff::Zoned;
use jiff::civil::Date;
use serde_json::Value;

const DEFAULT_HOUR: i8 = 4;
const DEFAULT_IDLE_MINUTES: u64 = 60;

/// When a session is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Policy {
    /// Local hour of the daily boundary.
    daily: Option<i8>,
    /// Silence that is too long, milliseconds.
    idle: Option<u64>,
}

/// Whether a message that arrives now starts `entry`'s session anew. `channel` is where it came from; without
/// one, what the entry remembers.
pub fn is_stale(config: &Config, key: &str, entry: &Entry, channel: Option<&str>, now_ms: u64) -> bool {
    let channel = channel.or_else(|| entry.str("channel")).or_else(|| entry.str("lastChannel"));
    let session = config.get("session").unwrap_or(&Value::Null);
    let policy = Policy::of(session, type_of(key, entry), channel);
    policy.is_stale(entry.updated_at(), &clock::zoned_as_known(now_ms))
}

/// `thread`, `group` or `direct`.
fn type_of(key: &str, entry: &Entry) -> &'static str {
    if key.contains(":thread:") || key.contains(":topic:") {
        "thread"
    } else if entry.kind(key) == "group" {
        "group"
    } else {
        "direct"
    }
}

impl Policy {
    /// A channel's own policy is all that counts there; one by type stands over `reset`, field by field.
    fn of(session: &Value, kind: &str, channel: Option<&str>) -> Policy {
        let own = channel.and_then(|channel| by_channel(session, channel));
        if let Some(own) = own {
            return Policy::from_fields(|name| own.get(name), None);
        }
        let by_type = session.get("resetByType");
        let typed = by_type
            .and_then(|types| types.get(kind).or_else(|| types.get("dm").filter(|_| kind == "direct")));
        let base = session.get("reset");
        let old = session.get("idleMinutes").and_then(minutes);
        let only_old = base.is_none() && by_type.is_none() && old.is_some();
        let field = |name: &str| typed.and_then(|t| t.get(name)).or_else(|| base.and_then(|b| b.get(name)));
        let policy = Policy::from_fields(field, old);
        if only_old { Policy { daily: None, ..policy } } else { policy }
    }

    fn from_fields<'v>(field: impl Fn(&str) -> Option<&'v Value>, old: Option<u64>) -> Policy {
        let is_idle = field("mode").and_then(Value::as_str) == Some("idle");
        let hour = field("atHour").and_then(Value::as_f64).map_or(DEFAULT_HOUR, |h| h.clamp(0.0, 23.0) as i8);
        let idle = field("idleMinutes").and_then(minutes).or(old);
        let idle = idle.or(is_idle.then_some(DEFAULT_IDLE_MINUTES));
        Policy { daily: (!is_idle).then_some(hour), idle: idle.map(|m| m.saturating_mul(60_000)) }
    }

    /// Activity in the future (the clock was set back) counts as just now; none at all, 0, is long ago.
    fn is_stale(self, updated_at: u64, now: &Zoned) -> bool {
        let now_ms = u64::try_from(now.timestamp().as_millisecond()).unwrap_or(0);
        let passed = |hour| boundary(now, hour).is_some_and(|at| updated_at < at);
        self.daily.is_some_and(passed)
            || self.idle.is_some_and(|idle| now_ms > updated_at.saturating_add(idle))
    }
}

fn by_channel<'v>(session: &'v Value, channel: &str) -> Option<&'v Value> {
    let map = session.get("resetByChannel")?.as_object()?;
    map.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(channel.trim())).map(|(_, own)| own)
}

fn minutes(value: &Value) -> Option<u64> {
    value.as_f64().map(|m| (m as u64).max(1))
}

/// The last time the local clock showed `hour`:00, epoch milliseconds. An hour that a day lacks (clocks go
/// forward) stands for the one after it; of one it has twice the first counts.
fn boundary(now: &Zoned, hour: i8) -> Option<u64> {
    let of_day = |day: Date| {
        let at = day.at(hour, 0, 0, 0).to_zoned(now.time_zone().clone()).ok()?;
        u64::try_from(at.timestamp().as_millisecond()).ok()
    };
    let now_ms = u64::try_from(now.timestamp().as_millisecond()).ok()?;
    of_day(now.date()).filter(|at| *at <= now_ms).or_else(|| of_day(now.date().yesterday().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    /// Central Europe by its rule, so that no time zone files are needed.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn at(text: &str, zone: &str) -> Zoned {
        let time: jiff::Timestamp = text.parse().unwrap();
        time.to_zoned(TimeZone::posix(zone).unwrap())
    }

    fn ms(text: &str) -> u64 {
        clock::parse_iso(text).unwrap()
    }

    fn stale(session: &Value, updated: &str, now: &str, zone: &str) -> bool {
        Policy::of(session, "direct", None).is_stale(ms(updated), &at(now, zone))
    }

    #[test]
    fn a_day_ends_at_four_local_time() {
        let check = |updated: &str, now: &str, want: bool| {
            assert_eq!(stale(&json!({}), updated, now, BERLIN), want, "{updated} {now}");
        };
        // Winter: 04:00 is 03:00 UTC.
        check("2026-11-21T02:59:59.999Z", "2026-11-21T03:00:00Z", true);
        check("2026-11-21T03:00:00Z", "2026-11-21T03:00:00Z", false);
        check("2026-11-20T03:00:00Z", "2026-11-21T02:59:59.999Z", false);
        check("2026-11-20T02:59:59Z", "2026-11-21T02:59:59Z", true);
        // Summer: 02:00 UTC.
        check("2026-07-01T01:59:59Z", "2026-07-01T02:00:00Z", true);
        check("2026-07-01T02:00:00Z", "2026-07-02T01:59:59Z", false);
    }

    #[test]
    fn a_day_may_end_at_midnight() {
        let session = json!({"reset": {"mode": "daily", "atHour": 0}});
        assert!(!stale(&session, "2026-11-20T23:00:00Z", "2026-11-20T23:00:00Z", BERLIN));
        assert!(stale(&session, "2026-11-20T22:59:59Z", "2026-11-20T23:00:00Z", BERLIN));
        // Midnight is skipped: clocks go from 00:00 to 01:00 on the last Sunday of March.
        let azores = "AZOT1AZOST,M3.5.0/0,M10.5.0/1";
        assert!(stale(&session, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", azores));
        assert!(!stale(&session, "2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z", azores));
    }

    #[test]
    fn hours_that_are_skipped_or_come_twice() {
        let two = json!({"reset": {"atHour": 2}});
        // 29 March: 02:00 becomes 03:00 at 01:00 UTC.
        assert!(stale(&two, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", BERLIN));
        assert!(!stale(&two, "2026-03-29T01:00:00Z", "2026-03-29T20:00:00Z", BERLIN));
        // 25 October: 02:00 is at 00:00 UTC and again at 01:00 UTC. One day ends, once.
        assert!(stale(&two, "2026-10-24T23:59:59Z", "2026-10-25T00:00:00Z", BERLIN));
        assert!(!stale(&two, "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", BERLIN));
        assert!(!stale(&two, "2026-10-25T00:30:00Z", "2026-10-25T23:00:00Z", BERLIN));
        // A boundary on the day after a change is right too.
        assert!(!stale(&json!({}), "2026-10-25T03:00:00Z", "2026-10-26T02:59:59Z", BERLIN));
        assert!(stale(&json!({}), "2026-10-25T03:00:00Z", "2026-10-26T03:00:00Z", BERLIN));
    }

    #[test]
    fn odd_times_of_the_last_activity() {
        let idle = json!({"reset": {"mode": "daily", "idleMinutes": 30}});
        // The clock was set back: what lies ahead was just now.
        assert!(!stale(&idle, "2027-01-01T00:00:00Z", "2026-11-21T12:00:00Z", BERLIN));
        let policy = Policy::of(&idle, "direct", None);
        assert!(policy.is_stale(0, &at("2026-11-21T12:00:00Z", BERLIN)));
        assert!(!policy.is_stale(u64::MAX, &at("2026-11-21T12:00:00Z", BERLIN)));
        assert!(!policy.is_stale(0, &at("1970-01-01T00:10:00Z", BERLIN)));
    }

    #[test]
    fn idle_limits_count_to_the_millisecond() {
        let session = json!({"reset": {"mode": "idle", "idleMinutes": 10}});
        assert!(!stale(&session, "2026-11-21T02:55:00Z", "2026-11-21T03:05:00Z", BERLIN));
        assert!(stale(&session, "2026-11-21T02:55:00Z", "2026-11-21T03:05:00.001Z", BERLIN));
        let both = json!({"reset": {"idleMinutes": 10}});
        assert!(stale(&both, "2026-11-21T02:59:00Z", "2026-11-21T03:01:00Z", BERLIN));
        assert!(stale(&both, "2026-11-21T12:00:00Z", "2026-11-21T12:11:00Z", BERLIN));
    }

    #[test]
    fn the_most_particular_policy_counts() {
        let check =
            |session: Value, kind: &str, channel: Option<&str>, daily: Option<i8>, idle: Option<u64>| {
                let want = Policy { daily, idle: idle.map(|m| m * 60_000) };
                assert_eq!(Policy::of(&session, kind, channel), want, "{session} {kind} {channel:?}");
            };
        check(json!({}), "direct", None, Some(4), None);
        check(json!({"idleMinutes": 5}), "direct", None, None, Some(5));
        check(json!({"idleMinutes": 5, "reset": {"atHour": 1}}), "direct", None, Some(1), Some(5));
        check(json!({"idleMinutes": 5, "resetByType": {}}), "group", None, Some(4), Some(5));
        check(json!({"reset": {"mode": "idle"}}), "direct", None, None, Some(60));
        // Harmless nonsense.
        check(
            json!({"reset": {"mode": "idle", "atHour": 9, "idleMinutes": 0}}),
            "direct",
            None,
            None,
            Some(1),
        );
        check(json!({"reset": {"atHour": 99}}), "direct", None, Some(23), None);
        let full = json!({
            "idleMinutes": 7,
            "reset": {"mode": "daily", "atHour": 6, "idleMinutes": 120},
            "resetByType": {"dm": {"mode": "idle", "idleMinutes": 240}, "thread": {"atHour": 2}},
            "resetByChannel": {"Discord": {"mode": "idle", "idleMinutes": 10080}, "irc": {}},
        });
        check(full.clone(), "direct", None, None, Some(240));
        check(full.clone(), "thread", None, Some(2), Some(120));
        check(full.clone(), "group", Some("telegram"), Some(6), Some(120));
        check(full.clone(), "direct", Some("discord"), None, Some(10080));
        check(full, "direct", Some("irc"), Some(4), None);
    }

    #[test]
    fn types_come_from_key_and_entry() {
        let mut group = Entry::new("s", 1);
        group.set("chatType", "channel");
        let check = |key: &str, entry: &Entry, want: &str| assert_eq!(type_of(key, entry), want, "{key}");
        check("agent:main:main", &Entry::default(), "direct");
        check("agent:main:x", &group, "group");
        check("agent:main:slack:channel:c", &Entry::default(), "group");
        check("agent:main:telegram:group:-5:topic:9", &group, "thread");
        check("agent:main:main:thread:1", &Entry::default(), "thread");
    }

    #[test]
    fn the_entry_remembers_its_channel() {
        let dir = crate::config::testing::Dir::new();
        dir.write("openclaw.json", "{session: {resetByChannel: {slack: {mode: 'idle', idleMinutes: 1}}, reset: {mode: 'idle', idleMinutes: 100}}}");
        let config = Config::load(&mut dir.env(&[])).unwrap();
        let mut entry = Entry::new("s", 1_000_000_000);
        let now = 1_000_000_000 + 120_000;
        assert!(!is_stale(&config, "agent:main:main", &entry, None, now));
        assert!(is_stale(&config, "agent:main:main", &entry, Some("slack"), now));
        entry.set("lastChannel", "slack");
        assert!(is_stale(&config, "agent:main:main", &entry, None, now));
        assert!(!is_stale(&config, "agent:main:main", &entry, Some("webchat"), now));
    }
}
