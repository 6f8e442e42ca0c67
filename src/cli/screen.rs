//! A terminal's screen that is drawn over, until dropped: what was there before comes back then. Lines are printed as
//! ever, by `print.rs`; those below the screen are left out.
use super::print::{Printer, steer};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lines that still fit the screen while one is drawn; `usize::MAX` at all other times.
static ROWS: AtomicUsize = AtomicUsize::new(usize::MAX);

pub struct Screen {
    out: Printer,
}

impl Screen {
    /// The second screen of the terminal, empty and without a cursor.
    pub fn open(out: Printer) -> Screen {
        steer("\u{1b}[?1049h\u{1b}[?25l");
        Screen { out }
    }

    /// Draws over what stands there.
    pub fn draw(&self, print: impl FnOnce()) {
        steer("\u{1b}[H");
        ROWS.store(self.out.rows().saturating_sub(1), Ordering::Relaxed);
        print();
        ROWS.store(usize::MAX, Ordering::Relaxed);
        steer("\u{1b}[J");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        steer("\u{1b}[?25h\u{1b}[?1049l");
    }
}

/// The lines of `text` that fit, each without what stood behind it; all of it where no screen is drawn.
pub fn fitting(text: &str) -> Option<String> {
    let left = ROWS.load(Ordering::Relaxed);
    if left == usize::MAX {
        return None;
    }
    let lines: Vec<&str> = text.lines().take(left).collect();
    ROWS.store(left - lines.len(), Ordering::Relaxed);
    Some(lines.iter().map(|line| format!("{line}\u{1b}[K\n")).collect())
}
