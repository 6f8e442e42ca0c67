//! The dialect of the original's schedules, as it was seen to behave (issue 13, sentence 1), and a simulated year.
use super::fields::Fields;
use super::schedule::{Schedule, Zones, parse_at};
use crate::clock::{self, parse_iso};
use crate::json::json;
use serde_json::Value;

const DAY: u64 = 24 * 3600 * 1000;

fn schedule(value: Value) -> Schedule {
    Schedule::of(value.as_object().unwrap(), &Zones::Read).unwrap_or_else(|e| panic!("{value}: {e}"))
}

fn cron(expr: &str, tz: &str) -> Schedule {
    schedule(json!({"kind": "cron", "expr": expr, "tz": tz}))
}

/// The moments after this one, as UTC.
fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let mut at = parse_iso(after).unwrap();
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(next) = schedule.next(at) else { break };
        assert!(next > at);
        at = next;
        found.push(clock::iso(at).replace(":00.000Z", "Z"));
    }
    found
}

#[test]
fn i13_1_expressions_match_as_the_original_s_do() {
    let from = "2026-11-30T10:00:00Z";
    for (expr, want) in [
        ("0 9 * * 1", vec!["2026-12-07T09:00Z", "2026-12-14T09:00Z"]),
        ("0  9 *   * MON", vec!["2026-12-07T09:00Z"]),
        ("30 0 9 * * 1", vec!["2026-12-07T09:00:30.000Z"]),
        ("0 0 0 1 1 ? 2028", vec!["2028-01-01T00:00Z"]),
        ("0 12 * jan-mar sun,7", vec!["2027-01-03T12:00Z", "2027-01-10T12:00Z"]),
        ("0 9-17/4 * * *", vec!["2026-11-30T13:00Z", "2026-11-30T17:00Z", "2026-12-01T09:00Z"]),
        ("*/20 * * * *", vec!["2026-11-30T10:20Z", "2026-11-30T10:40Z", "2026-11-30T11:00Z"]),
        (
            "0 0 * * 1-5,0",
            vec![
                "2026-12-01T00:00Z",
                "2026-12-02T00:00Z",
                "2026-12-03T00:00Z",
                "2026-12-04T00:00Z",
                "2026-12-06T00:00Z",
            ],
        ),
        ("0 0 L * *", vec!["2026-12-31T00:00Z", "2027-01-31T00:00Z", "2027-02-28T00:00Z"]),
        ("0 0 LW * *", vec!["2026-12-31T00:00Z", "2027-01-29T00:00Z"]),
        ("0 0 15W * *", vec!["2026-12-15T00:00Z", "2027-01-15T00:00Z", "2027-02-15T00:00Z"]),
        ("0 0 1W 5 *", vec!["2027-05-03T00:00Z"]),
        ("0 0 * * 5L", vec!["2026-12-25T00:00Z"]),
        ("0 0 * * FRI#L", vec!["2026-12-25T00:00Z"]),
        ("0 0 * * FRI#2", vec!["2026-12-11T00:00Z", "2027-01-08T00:00Z"]),
        // Day or weekday; with the sign both.
        ("0 0 13 * 5", vec!["2026-12-04T00:00Z", "2026-12-11T00:00Z", "2026-12-13T00:00Z"]),
        ("0 0 13 * +5", vec!["2027-08-13T00:00Z"]),
        ("0 0 29 2 *", vec!["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
        ("0 0 29 2 +MON", vec!["2044-02-29T00:00Z"]),
        ("@Weekly", vec!["2026-12-06T00:00Z"]),
        ("@hourly", vec!["2026-11-30T11:00Z"]),
        ("@yearly", vec!["2027-01-01T00:00Z"]),
        ("2027-04-01T00:00:00Z", vec!["2027-04-01T00:00Z"]),
    ] {
        let schedule = cron(expr, "UTC");
        match schedule {
            Schedule::At(at) => assert_eq!(clock::iso(at), "2027-04-01T00:00:00.000Z"),
            _ => assert_eq!(next(&schedule, from, want.len()), want, "{expr}"),
        }
    }
    // What never comes is no mistake.
    for expr in ["0 0 31 2 *", "0 0 0 1 1 * 2020"] {
        assert_eq!(cron(expr, "UTC").next(parse_iso(from).unwrap()), None, "{expr}");
    }
}

#[test]
fn i13_1_what_is_no_expression_is_refused_by_field_and_reason() {
    for (expr, why) in [
        ("* * * *", "it has 4 fields; five"),
        ("60 * * * *", "minute: \"60\" is none of 0 to 59"),
        ("* 24 * * *", "hour: \"24\""),
        ("0 0 0 * *", "day of month: \"0\" is none of 1 to 31"),
        ("0 0 * 13 *", "month: \"13\""),
        ("0 0 * * 8", "day of week: \"8\""),
        ("0/15 * * * *", "minute: a step needs a range: */15 or 0-59/15"),
        ("*/70 * * * *", "the step \"70\" is none of 1 to 59"),
        ("*/0 * * * *", "the step \"0\""),
        ("5-1 * * * *", "5-1 runs backwards"),
        ("@reboot", "of nicknames there are @yearly"),
        ("@every 5m", "of nicknames"),
        ("H 0 * * *", "minute: \"H\""),
        ("0 0 L-2 * *", "day of month"),
        ("TZ=UTC 0 0 * *", "minute: \"TZ=UTC\""),
        ("bogus", "it has 1 fields"),
        ("0 0 * * FRI#9", "behind # stands 1 to 5 or L"),
        ("1,,2 * * * *", "minute: \"\""),
        ("0 0 * JANU *", "month: \"JANU\""),
        ("0 0 * ANF *", "month: \"ANF\""),
    ] {
        let told = Fields::parse(expr).unwrap_err().to_string();
        assert!(told.contains(why) && told.contains("schedule.expr"), "{expr}: {told}");
    }
    let of = |value: Value| Schedule::of(value.as_object().unwrap(), &Zones::Read).unwrap_err().to_string();
    let told = of(json!({"kind": "cron", "expr": "0 0 * * *", "tz": "Mars/Base"}));
    assert!(told.contains("schedule.tz \"Mars/Base\" is not known"), "{told}");
    assert!(
        of(json!({"kind": "cron", "expr": "0 0 * * *", "tz": "../../etc/passwd"})).contains("schedule.tz")
    );
    assert!(of(json!({"kind": "every", "everyMs": 0})).contains("schedule.everyMs"));
    assert!(
        of(json!({"kind": "at", "at": "garbage"}))
            .contains("Invalid schedule.at: expected ISO-8601 timestamp")
    );
    assert!(of(json!({"kind": "never"})).contains("schedule.kind must be at, every or cron"));
}

#[test]
fn i13_1_the_nights_on_which_clocks_change() {
    // The hour that is skipped: once, an hour later by the clock.
    let spring = next(&cron("30 2 * * *", "Europe/Madrid"), "2026-03-28T00:00:00Z", 3);
    assert_eq!(spring, ["2026-03-28T01:30Z", "2026-03-29T01:30Z", "2026-03-30T00:30Z"]);
    // The hour that comes twice: a daily job in the first one only, an hourly one not in the second.
    let autumn = next(&cron("30 2 * * *", "Europe/Madrid"), "2026-10-24T00:00:00Z", 3);
    assert_eq!(autumn, ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
    let hourly = next(&cron("0 * * * *", "Europe/Madrid"), "2026-10-24T22:30:00Z", 4);
    assert_eq!(hourly, ["2026-10-24T23:00Z", "2026-10-25T00:00Z", "2026-10-25T02:00Z", "2026-10-25T03:00Z"]);
    let seconds = next(&cron("* * * * * *", "Europe/Madrid"), "2026-10-25T01:10:00Z", 1);
    assert_eq!(seconds, ["2026-10-25T02:00Z"]);
    assert_eq!(next(&cron("0 9 * * *", "+02:00"), "2026-06-01T00:00:00Z", 1), ["2026-06-01T07:00Z"]);
    assert_eq!(next(&cron("0 9 * * *", "-0330"), "2026-06-01T00:00:00Z", 1), ["2026-06-01T12:30Z"]);
    assert_eq!(next(&cron("0 9 * * *", "EST"), "2026-06-01T00:00:00Z", 1), ["2026-06-01T14:00Z"]);
}

/// A year by an injected clock, in three zones of which one changes its clocks by half an hour and one in the south.
#[test]
fn i13_1_a_year_of_days_has_one_run_each_whatever_clocks_do() {
    let start = parse_iso("2027-01-01T00:00:00Z").unwrap();
    for zone in ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York"] {
        for (expr, hour) in [("15 2 * * *", 2), ("0 8 * * *", 8)] {
            let schedule = cron(expr, zone);
            let (mut at, mut days) = (start, Vec::new());
            while let Some(due) = schedule.next(at).filter(|due| *due < start + 365 * DAY) {
                let shown = clock::zoned(due, Some(zone));
                assert!((hour..=hour + 1).contains(&shown.hour()), "{zone} {shown}");
                days.push(shown.date());
                // Whoever looks late finds the same next day.
                assert_eq!(schedule.next(due + 1), schedule.next(due));
                at = due;
            }
            let count = days.len();
            days.dedup();
            assert_eq!((days.len(), count), (365, 365), "{zone} {expr}");
        }
    }
}

#[test]
fn i13_1_intervals_count_from_their_anchor_and_do_not_pile_up() {
    let every = schedule(json!({"kind": "every", "everyMs": 60_000, "anchorMs": 1_000_000}));
    assert_eq!(every.next(5), Some(1_000_000));
    assert_eq!(every.next(1_000_000), Some(1_060_000));
    assert_eq!(every.next(1_059_999), Some(1_060_000));
    assert_eq!(every.next(1_600_001), Some(1_660_000));
    assert_eq!(
        schedule(json!({"kind": "every", "everyMs": 1})).next(10_500),
        Some(11_000),
        "no storm of turns"
    );
}

#[test]
fn i13_1_times_as_people_write_them() {
    let at = |text: &str| parse_at(text).map(clock::iso);
    assert_eq!(
        at("2030-01-01T00:00:00").as_deref(),
        Some("2030-01-01T00:00:00.000Z"),
        "without a zone it is UTC"
    );
    assert_eq!(at("2030-01-01T00:00:00+02:00").as_deref(), Some("2029-12-31T22:00:00.000Z"));
    assert_eq!(at("2030-01-01").as_deref(), Some("2030-01-01T00:00:00.000Z"));
    assert_eq!(at("1795228578675").as_deref(), Some("2026-11-21T02:36:18.675Z"));
    assert_eq!((at("garbage"), at("")), (None, None));
}
