//! Codes that let one browser in: made on the owner's wish, good for one use within minutes (SEC-02, SEC-17).
//!
//! In memory for the life of a generation; made by a method, taken by a `connect`, on those connections' threads.
use super::secret_eq;
use crate::error::Result;
use crate::ids;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a code may wait at most.
pub const LONGEST: Duration = Duration::from_secs(600);
/// How many wait at most; the oldest gives way.
const MOST: usize = 8;

/// No `Debug`: it must not reach a log.
#[derive(Default)]
pub struct Codes(Mutex<Vec<(String, Instant)>>);

impl Codes {
    /// A new code of 128 bits, good until `life` is over.
    pub fn make(&self, life: Duration) -> Result<String> {
        let code = ids::hex(16)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, until)| *until > Instant::now());
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push((code.clone(), Instant::now() + life.min(LONGEST)));
        Ok(code)
    }

    /// None counts any more: the secret has changed (SEC-14).
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether this is a living code; from now on it is none.
    pub fn take(&self, code: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.len();
        all.retain(|(_, until)| *until > Instant::now());
        let dead = before - all.len();
        all.retain(|(known, _)| !secret_eq(known, code));
        before - all.len() > dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i12_4_a_code_is_good_once_and_for_its_time() {
        let codes = Codes::default();
        let code = codes.make(Duration::from_secs(60)).unwrap();
        assert!(code.len() == 32 && !codes.take("") && !codes.take(&code[1..]));
        assert!(codes.take(&code) && !codes.take(&code));
        let late = codes.make(Duration::ZERO).unwrap();
        assert!(!codes.take(&late));
        let first = codes.make(Duration::from_secs(60)).unwrap();
        for _ in 0..MOST {
            codes.make(Duration::from_secs(60)).unwrap();
        }
        assert!(!codes.take(&first), "the oldest gave way");
        let code = codes.make(Duration::from_secs(60)).unwrap();
        codes.forget();
        assert!(!codes.take(&code), "sec_14: the secret has changed");
    }
}
