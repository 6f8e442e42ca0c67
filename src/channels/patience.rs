//! Waiting for more of what somebody says in quick succession (`messages.inbound`), the same on every channel. Pure.
//!
//! Times are milliseconds of the clock that the journal has, so that after a crash the same messages are one again.
use crate::config::Config;
use serde_json::Value;

/// No message waits longer for the next one.
const LONGEST: u64 = 60_000;

/// How long a message waits for the next one.
pub fn of(config: &Config, channel: &str) -> u64 {
    let own = config.get_in(&["messages", "inbound", "byChannel", channel]);
    let all = || config.get_in(&["messages", "inbound", "debounceMs"]);
    own.or_else(all).and_then(Value::as_u64).unwrap_or(0).min(LONGEST)
}

/// How long it is waited yet for what is to come until then. A clock that was set back holds nobody up.
pub fn left(until: u64, now: u64) -> u64 {
    if until <= now.saturating_add(LONGEST) { until.saturating_sub(now) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_2_no_clock_makes_a_message_wait_longer_than_the_longest() {
        for (until, now, want) in [
            (1500, 1000, 500),
            (1000, 1000, 0),
            (900, 1000, 0),
            (1000 + LONGEST, 1000, LONGEST),
            (1001 + LONGEST, 1000, 0),
            (86_400_000, 1000, 0),
            (5, u64::MAX, 0),
        ] {
            assert_eq!(left(until, now), want, "{until} {now}");
        }
    }
}
