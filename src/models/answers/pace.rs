//! How long more is waited for behind the end that a server spoke of, and whether that end is believed.
//!
//! Runs on the run's thread, used by `reply`. Some servers name an end in every piece, or count in every piece, and go
//! on after a silence. So only an end that came by itself, behind words that named none and before all counts, is
//! taken for the last word soon; any other is waited out until the mark, the end of the connection or the idle limit.
use crate::fetch::dial::{Phase, Watch};
use crate::models::draft::Draft;
use std::time::{Duration, Instant};

/// How long the end mark is waited for once the answer and its counts are complete.
const TRAILER: Duration = Duration::from_secs(5);
/// How long counts are waited for behind the end mark.
const LATE_COUNTS: Duration = Duration::from_millis(1500);

#[derive(Default)]
pub struct Pace {
    /// When the model said that it is done; only the trailer may be missing.
    finished: Option<Instant>,
    /// The end came in a piece of its own, behind words.
    is_apart: bool,
    /// Words came beside an end or behind one, so the server's ends say little.
    pub is_loose: bool,
    /// Words came behind an end.
    pub was_early: bool,
}

/// An answer before a piece of it was taken.
pub struct Before {
    size: usize,
    had_end: bool,
}

impl Before {
    pub fn of(draft: &Draft) -> Before {
        Before { size: draft.size(), had_end: draft.end.is_some() }
    }

    /// Whether the piece said something.
    pub fn has_grown(&self, draft: &Draft) -> bool {
        draft.size() > self.size
    }
}

impl Pace {
    /// A piece was taken.
    pub fn see(&mut self, before: &Before, draft: &Draft) {
        let (has_grown, has_end) = (before.has_grown(draft), draft.end.is_some());
        self.is_apart |= has_end && !before.had_end && !has_grown && draft.spoke();
        self.is_loose |= has_end && has_grown;
        self.was_early |= before.had_end && has_grown;
    }

    fn trailer(&self, is_counted: bool, idle: Duration) -> Option<Duration> {
        (is_counted && self.is_apart && !self.is_loose).then_some(TRAILER.min(idle))
    }

    /// Nothing more is waited for: not the counts either, and not because of signs of life.
    pub fn is_over(&self, draft: &Draft, is_counted: bool, idle: Duration) -> bool {
        let patience = self.trailer(is_counted, idle).unwrap_or(idle);
        let is_late = self.finished.is_some_and(|at| at.elapsed() > patience);
        (draft.done && draft.usage.total > 0) || (is_late && draft.is_finished())
    }

    /// Once tokens come, silence is what is measured; once all have come, what is left must come soon.
    pub fn keep(&mut self, draft: &Draft, is_counted: bool, idle: Duration, watch: &Watch) {
        let is_finished = draft.is_finished();
        self.finished = is_finished.then(|| self.finished.unwrap_or_else(Instant::now));
        match self.trailer(is_counted, idle) {
            _ if is_finished && draft.done => watch.allow(Phase::Idle, LATE_COUNTS.min(idle)),
            Some(trailer) if is_finished => watch.allow(Phase::Idle, trailer),
            _ if (draft.spoke() || is_finished) && watch.phase() == Phase::FirstToken => {
                watch.enter(Phase::Idle)
            }
            _ => {}
        }
    }
}
