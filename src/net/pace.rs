//! Whether bytes move fast enough, in either direction: looked at once a window, so that a pause within is none.
use std::time::{Duration, Instant};

/// Bytes a second that who is owed some must take.
pub const LEAST_OUT: u64 = 16 << 10;

/// A movement that goes on or rests.
#[derive(Default)]
pub struct Pace {
    /// Begin of the window, and how many bytes had moved by then.
    window: Option<(Instant, u64)>,
}

impl Pace {
    pub fn rest(&mut self) {
        self.window = None;
    }

    pub fn go(&mut self, moved: u64) {
        self.window.get_or_insert_with(|| (Instant::now(), moved));
    }

    /// When `is_slow` is to be asked.
    pub fn due(&self, window: Duration) -> Option<Instant> {
        self.window.map(|(since, _)| since + window)
    }

    /// Whether a window is over in which less than `least` bytes a second have moved.
    pub fn is_slow(&mut self, now: Instant, window: Duration, moved: u64, least: u64) -> bool {
        let Some((since, before)) = self.window.filter(|(since, _)| now >= *since + window) else {
            return false;
        };
        let time = now.saturating_duration_since(since).as_millis() as u64;
        self.window = Some((now, moved));
        moved.saturating_sub(before) < least.saturating_mul(time) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_m5_a_few_bytes_now_and_then_are_slow() {
        let (mut pace, window) = (Pace::default(), Duration::from_secs(10));
        assert!(!pace.is_slow(Instant::now() + window, window, 0, 100), "what rests is not slow");
        pace.go(500);
        let start = Instant::now();
        assert!(!pace.is_slow(start + window / 2, window, 500, 100), "the window is not over");
        let end = start + window * 2;
        assert!(!pace.is_slow(end, window, 2500, 100));
        assert!(pace.is_slow(end + window, window, 3499, 100));
        pace.rest();
        assert!(pace.due(window).is_none());
    }
}
