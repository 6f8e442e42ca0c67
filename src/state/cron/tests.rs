//! The scheduler by an injected clock, with the real files and nobody who takes turns.
use super::*;
use crate::cron::outcome::End;
use crate::cron::shape;
use crate::json::json;
use crate::state::event::Event;
use crate::state::testing;
use crate::tools::testing::context;
use crossbeam_channel::Receiver;
use serde_json::Value;
use std::time::Duration;

const HOUR: u64 = 60 * 60 * 1000;

/// A state that keeps its jobs in a directory of its own.
fn state(config: &str) -> (State, Receiver<Event>, impl Drop) {
    let (context, dir) = context(config);
    let (mut state, inbox) = testing::state_that_hears(context.settings.clone());
    state.cron = Cron::load(&context.settings, state.now);
    (state, inbox, dir)
}

fn add(state: &mut State, job: Value) -> u32 {
    let mut job = shape::new(job.as_object().unwrap().clone(), state.now).unwrap();
    job.put("id", format!("job-{}", state.cron.book.len()));
    state.cron.book.add(job, state.now).unwrap()
}

fn due(state: &State, number: u32) -> Option<u64> {
    state.cron.book.get(number).unwrap().due()
}

/// What the store thread has to tell, until nothing more comes.
fn hear(state: &mut State, inbox: &Receiver<Event>) {
    while let Ok(event) = inbox.recv_timeout(Duration::from_millis(200)) {
        if let Event::Noted { result, then } = event {
            state.noted(result, then);
        }
    }
}

fn pass(state: &mut State, ms: u64) {
    (state.now, state.mono) = (state.now + ms, state.mono + ms);
}

#[test]
fn i13_the_timer_is_the_first_moment_and_nothing_else() {
    let (mut state, _inbox, _dir) = state("{}");
    assert_eq!(state.run_cron(), None, "without jobs there is no timer");
    for n in 0..1000 {
        add(&mut state, json!({"message": "m", "schedule": {"everyMs": (HOUR + n)}}));
    }
    assert_eq!(state.run_cron(), Some(state.mono + HOUR));
    pass(&mut state, HOUR - 1);
    assert_eq!(state.run_cron(), Some(state.mono + 1));
    // Of a clock that goes back the jobs do not wait until it is as late again.
    state.now -= 2 * HOUR;
    assert_eq!(state.run_cron(), Some(state.mono + 1));
    assert!(state.cron.running.is_empty());
}

#[test]
fn i13_1_a_jump_of_the_clock_runs_what_was_missed_once() {
    let (mut state, inbox, _dir) = state("{}");
    let number =
        add(&mut state, json!({"message": "m", "schedule": {"everyMs": HOUR}, "delivery": {"mode": "none"}}));
    pass(&mut state, 100 * HOUR);
    assert_eq!(state.run_cron(), None, "the end of what runs is a turn of its own");
    assert_eq!((state.cron.running.len(), due(&state, number)), (1, None));
    hear(&mut state, &inbox);
    state.job_ended("job-0", End { result: Ok(()), said: None, has_begun: true });
    let next = due(&state, number).unwrap();
    assert!(next > state.now && next <= state.now + HOUR);
    assert_eq!(state.run_cron(), Some(state.mono + (next - state.now)));
}

/// One that has run is not run again because its moment comes twice, unless the clock was wrong by more than half of its
/// interval.
#[test]
fn i13_1_a_clock_that_goes_back_plans_anew_and_does_nothing_twice() {
    for (back, want) in [(10_000, 10_000 + HOUR), (3 * HOUR, HOUR)] {
        let (mut state, inbox, _dir) = state("{}");
        let job = json!({"message": "m", "schedule": {"everyMs": HOUR}, "delivery": {"mode": "none"}});
        let number = add(&mut state, job);
        pass(&mut state, HOUR);
        state.run_cron();
        hear(&mut state, &inbox);
        state.job_ended("job-0", End { result: Ok(()), said: None, has_begun: true });
        assert_eq!(due(&state, number), Some(state.now + HOUR));
        state.now -= back;
        assert_eq!(state.run_cron(), Some(state.mono + want), "{back}");
        assert_eq!(due(&state, number), Some(state.now + want));
        // Ahead again: what was missed meanwhile runs once.
        pass(&mut state, 10 * HOUR);
        assert_eq!((state.run_cron(), state.cron.running.len()), (None, 1));
    }
}

#[test]
fn i13_1_jobs_that_are_switched_off_have_no_timer() {
    let (mut state, _inbox, _dir) = state("{cron: {enabled: false}}");
    add(&mut state, json!({"message": "m", "schedule": {"everyMs": HOUR}}));
    pass(&mut state, 2 * HOUR);
    assert_eq!((state.run_cron(), state.cron.running.len()), (None, 0));
}

/// A disk that does not take the mark: the run does not begin, and is tried again.
#[test]
fn i13_1_no_run_begins_that_is_not_noted_down() {
    let (mut state, inbox, _dir) = state("{}");
    let number = add(&mut state, json!({"message": "m", "schedule": {"everyMs": HOUR}}));
    let runs = state.cron.place.as_ref().unwrap().jobs.parent().unwrap().to_path_buf();
    let _ = std::fs::remove_dir_all(&runs);
    std::fs::write(&runs, "in the way").unwrap();
    pass(&mut state, HOUR);
    state.run_cron();
    hear(&mut state, &inbox);
    assert!(state.cron.running.is_empty() && state.runs.is_empty());
    assert_eq!(due(&state, number), Some(state.now + AGAIN));
    std::fs::remove_file(&runs).unwrap();
    pass(&mut state, AGAIN);
    state.run_cron();
    hear(&mut state, &inbox);
    assert!(!state.runs.is_empty(), "then it does");
}
