//! The clock is set while jobs wait: after a step ahead what was missed is due, which the timer sees by itself; after a step
//! back all that waits is planned anew, or it would wait as long as the clock was wrong. Part of `State`, on the state
//! thread.
use crate::cron;
use crate::state::State;

/// Steps that are none: what a clock is led back by little by little.
const STEP: u64 = 1000;

/// How far the wall clock has been ahead of the one that never jumps, milliseconds.
#[derive(Default)]
pub struct Clock(Option<i64>);

impl Clock {
    /// By how much the wall clock has gone back since it was looked at last.
    fn gone_back(&mut self, now: u64, mono: u64) -> Option<u64> {
        let ahead = now as i64 - mono as i64;
        let held = *self.0.get_or_insert(ahead);
        let back = u64::try_from(held - ahead).unwrap_or(0);
        if ahead > held || back >= STEP {
            self.0 = Some(ahead);
        }
        (back >= STEP).then_some(back)
    }
}

impl State {
    pub(super) fn heed_the_clock(&mut self) {
        let Some(back) = self.cron.clock.gone_back(self.now, self.mono) else { return };
        let mut moved = 0;
        for (due, number) in self.cron.book.dues() {
            let Some(job) = self.cron.book.members(number) else { continue };
            let new = cron::after_step_back(&job, due, back, self.now);
            if new.is_some_and(|new| new < due) {
                self.cron.book.put(number, job, new);
                moved += 1;
            }
        }
        if moved > 0 {
            log::info!(target: "gateway/cron", "the clock has gone back by {} s: {moved} scheduled jobs are planned anew", back / 1000);
            self.save_cron(None, false, Box::new(|_, _| {}));
        }
    }
}
