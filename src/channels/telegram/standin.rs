//! The stand-in of Telegram's servers (tests only), and what it takes from the harness around it.
pub use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[path = "../../../tests/harness/telegram/mod.rs"]
pub mod telegram;

pub mod model {
    /// Nothing here sends in chunks.
    pub fn read_chunked(_: &mut impl std::io::BufRead) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
