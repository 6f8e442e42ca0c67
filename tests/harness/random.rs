//! Numbers for random tests: they vary from seed to seed, and a seed repeats them. And the settings such tests take.

/// A small generator (xorshift); the seed must not be 0.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0 to `n` - 1; 0 for 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A number from the environment, such as a seed that repeats a round.
#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the program's")]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// The same as text.
#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the program's")]
pub fn setting_text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
