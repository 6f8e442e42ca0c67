//! The wire protocol as data: frames, close reasons, limits, events, schemas. No I/O, no threads, no clock.
pub mod close;
pub mod events;
pub mod frame;
pub mod limits;
pub mod pieces;
pub mod schema;
pub mod wire;

/// Oldest and newest protocol version this gateway speaks, on one port.
pub const MIN_PROTOCOL: u32 = 3;
pub const MAX_PROTOCOL: u32 = 4;

/// The version to speak with a client that offers `[min, max]`, if the ranges meet.
pub fn negotiate(min: u64, max: u64) -> Option<u32> {
    let best = max.min(u64::from(MAX_PROTOCOL)) as u32;
    (min <= max && u64::from(best) >= min && best >= MIN_PROTOCOL).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::negotiate;

    #[test]
    fn ranges_meet_or_not() {
        for (min, max, want) in [
            (3, 3, Some(3)),
            (3, 4, Some(4)),
            (4, 9, Some(4)),
            (1, 9, Some(4)),
            (1, 2, None),
            (5, 9, None),
            (4, 3, None),
        ] {
            assert_eq!(negotiate(min, max), want, "{min}..{max}");
        }
    }
}
