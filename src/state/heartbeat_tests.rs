//! When heartbeats come, by a clock that the test moves.
use super::*;
use crate::clock;
use crate::config::testing::Dir;
use crate::state::event::Event;
use crate::state::testing::state_that_hears;
use crate::tools::testing::context;
use crossbeam_channel::Receiver;
use std::time::Duration;

const MINUTE: u64 = 60_000;

/// Moves both clocks to the next moment that the timer names, and has done what is due; gives the moment.
fn step(state: &mut State, inbox: &Receiver<Event>) -> u64 {
    let due = state.beat().unwrap();
    assert!(due > state.mono, "no wake-up in vain");
    let passed = due - 1 - state.mono;
    (state.mono, state.now) = (state.mono + passed, state.now + passed);
    assert_eq!(state.beat(), Some(due), "nothing is due before");
    (state.mono, state.now) = (state.mono + 1, state.now + 1);
    state.beat();
    if state.heart.is_looking {
        let seen = loop {
            match inbox.recv_timeout(Duration::from_secs(30)).unwrap() {
                Event::Beats(seen) => break seen,
                _ => continue,
            }
        };
        state.beats_are_seen(seen);
    }
    due
}

fn last(state: &State) -> u64 {
    state.heart.kept.last.as_ref().and_then(|last| last.get("ts")?.as_u64()).unwrap_or(0)
}

#[test]
fn i13_2_the_timer_names_the_next_moment_and_an_in_process_restart_keeps_it() {
    let (context, _dir) = context("{}");
    let (mut state, inbox) = state_that_hears(context.settings.clone());
    assert_eq!(state.beat(), None, "nothing is planned, nothing is due");
    state.plan_beats();
    let began = state.mono;
    assert_eq!(step(&mut state, &inbox), began + 30 * MINUTE);
    let told = state.heart.kept.last.clone().unwrap();
    assert_eq!(
        (&told["status"], &told["reason"]),
        (&json!("skipped"), &json!(EMPTY)),
        "nothing is set up: it costs nothing"
    );
    assert_eq!(state.beat(), Some(state.mono + 30 * MINUTE));
    (state.mono, state.now) = (state.mono + 20 * MINUTE, state.now + 20 * MINUTE);
    let kept = state.leave_beats();
    // The next generation counts from its own start, five minutes later.
    let (mut next, _inbox) = state_that_hears(context.settings.clone());
    next.now = state.now + 5 * MINUTE;
    next.take_over_beats(kept);
    assert_eq!(next.beat(), Some(next.mono + 5 * MINUTE));
    assert_eq!(next.heart.kept.last.as_ref(), Some(&told));
    next.switch_beats(false);
    assert_eq!(next.beat(), None, "off is no wake-up");
    next.wake_all("wake");
    assert_eq!(next.beat(), None, "wakes wait too");
    next.switch_beats(true);
    assert_eq!(next.beat(), Some(next.mono + GATHER));
    (next.mono, next.now) = (next.mono + GATHER, next.now + GATHER);
    assert_eq!(next.beat(), Some(next.mono + 30 * MINUTE - GATHER), "for nothing that is noted nobody looks");
}

#[test]
fn i13_2_wakes_are_gathered_and_have_the_least_rights_of_all() {
    let (context, _dir) = context("{}");
    let (mut state, inbox) = state_that_hears(context.settings.clone());
    let main = state.sessions.rules().main();
    state.wake_all("wake");
    let at = state.mono + GATHER;
    (state.mono, state.now) = (state.mono + 100, state.now + 100);
    state.wake_session(&main, "came in".into(), "hook:wake");
    assert_eq!(state.beat(), Some(at), "the first says when");
    let wish = state.heart.wishes.get(&main).unwrap();
    assert_eq!((wish.whose, wish.is_for_notes, wish.reason), (Provenance::Hook, false, "wake"));
    // One for what was noted is in vain when another turn has told it.
    state.heart.wishes.clear();
    state.wake_session(&main, "came in again".into(), "hook:wake");
    state.system_events.clear();
    (state.mono, state.now) = (state.mono + GATHER, state.now + GATHER);
    assert_eq!(state.beat(), None);
    assert!(state.heart.wishes.is_empty() && !state.heart.is_looking);
    drop(inbox);
}

/// Issue 13, "Tests": a simulated year, with days of 23 and 25 hours, in three zones.
#[test]
fn i13_2_over_a_year_they_come_within_the_active_hours_of_the_place() {
    for (zone, start) in [
        ("Europe/Berlin", "2026-01-01T00:00:00Z"),
        ("America/New_York", "2026-06-01T00:00:00Z"),
        ("Australia/Lord_Howe", "2027-03-01T00:00:00Z"),
    ] {
        let files = Dir::new();
        files.write("HEARTBEAT.md", "# Heartbeat\n");
        let hours = json!({"start": "08:00", "end": "22:00", "timezone": zone});
        let beat = json!({"every": "23h", "activeHours": hours});
        let config = json!({"agents": {"defaults": {"workspace": (files.path("")), "heartbeat": beat}}});
        let (context, _dir) = context(&config.to_string());
        let (mut state, inbox) = state_that_hears(context.settings.clone());
        state.now = clock::parse_iso(start).unwrap();
        state.plan_beats();
        let (end, mut came) = (state.now + 365 * 24 * 60 * MINUTE, 0);
        while state.now < end {
            let before = last(&state);
            step(&mut state, &inbox);
            let hour = clock::zoned(state.now, Some(zone)).hour();
            let is_told = last(&state) != before;
            assert_eq!(is_told, (8..22).contains(&hour), "{zone} {}", clock::iso(state.now));
            came += u64::from(is_told);
        }
        // Of 381 at all hours of the day those in fourteen of them.
        assert!((200..=245).contains(&came), "{zone}: {came}");
    }
}

#[test]
fn i13_2_a_wake_outside_of_the_hours_is_looked_at_when_they_begin() {
    let files = Dir::new();
    files.write("HEARTBEAT.md", "# Heartbeat\n");
    let hours = json!({"start": "08:30", "end": "22:00", "timezone": "UTC"});
    let beat = json!({"every": "0m", "activeHours": hours});
    let config = json!({"agents": {"defaults": {"workspace": (files.path("")), "heartbeat": beat}}});
    let (context, _dir) = context(&config.to_string());
    let (mut state, inbox) = state_that_hears(context.settings.clone());
    state.now = clock::parse_iso("2026-01-05T05:11:30Z").unwrap();
    state.plan_beats();
    let main = state.sessions.rules().main();
    state.wake_session(&main, "came in".into(), "hook:wake");
    let mut steps = 0;
    while !state.heart.wishes.is_empty() {
        step(&mut state, &inbox);
        steps += 1;
    }
    assert_eq!(clock::iso(state.now).get(..19), Some("2026-01-05T08:30:00"));
    // Every ten minutes, as clocks may be set; what another turn has told is looked at no more.
    assert!((20..25).contains(&steps), "{steps}");
    state.now = clock::parse_iso("2026-01-05T23:00:00Z").unwrap();
    // The main session may be busy with the first.
    state.wake_session("agent:main:other", "came in again".into(), "hook:wake");
    step(&mut state, &inbox);
    state.system_events.clear();
    assert!(state.beat().is_some());
    (state.mono, state.now) = (state.mono + 10 * MINUTE, state.now + 10 * MINUTE);
    assert_eq!(state.beat(), None);
    assert!(state.heart.wishes.is_empty());
}
