//! Numbers of 64 bits that many threads change: the processor's own, and a lock around a number on those that have none
//! (32-bit MIPS). Ground for every floor, used by all threads; it decides nothing.
#[cfg(target_has_atomic = "64")]
pub use std::sync::atomic::AtomicU64;
#[cfg(not(target_has_atomic = "64"))]
pub use without::AtomicU64;

/// The part of the standard library's type that is used here, under the same names.
#[cfg(any(test, not(target_has_atomic = "64")))]
mod without {
    use std::sync::atomic::Ordering;
    use std::sync::{Mutex, PoisonError};

    #[derive(Debug, Default)]
    pub struct AtomicU64(Mutex<u64>);

    impl AtomicU64 {
        pub const fn new(value: u64) -> AtomicU64 {
            AtomicU64(Mutex::new(value))
        }

        pub fn load(&self, _: Ordering) -> u64 {
            self.change(|value| value)
        }

        pub fn store(&self, new: u64, _: Ordering) {
            self.change(|_| new);
        }

        pub fn swap(&self, new: u64, _: Ordering) -> u64 {
            self.change(|_| new)
        }

        pub fn fetch_add(&self, more: u64, _: Ordering) -> u64 {
            self.change(|value| value.wrapping_add(more))
        }

        pub fn fetch_sub(&self, less: u64, _: Ordering) -> u64 {
            self.change(|value| value.wrapping_sub(less))
        }

        /// Gives what was there before. Held for one instruction, so that nobody waits, and nothing in it can panic.
        fn change(&self, to: impl FnOnce(u64) -> u64) -> u64 {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let before = *held;
            *held = to(before);
            before
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without::AtomicU64 as Locked;
    use std::sync::atomic::Ordering::Relaxed;

    #[cfg(target_has_atomic = "64")]
    #[test]
    fn without_the_processors_own_it_counts_the_same() {
        use super::AtomicU64;
        let (own, locked) = (AtomicU64::new(u64::MAX), Locked::new(u64::MAX));
        assert_eq!(own.fetch_add(2, Relaxed), locked.fetch_add(2, Relaxed));
        assert_eq!(own.swap(7, Relaxed), locked.swap(7, Relaxed));
        assert_eq!(own.fetch_sub(8, Relaxed), locked.fetch_sub(8, Relaxed));
        assert_eq!(own.load(Relaxed), locked.load(Relaxed));
        own.store(1 << 40, Relaxed);
        locked.store(1 << 40, Relaxed);
        assert_eq!(own.load(Relaxed), locked.load(Relaxed));
    }

    #[test]
    fn without_the_processors_own_no_count_of_two_threads_is_lost() {
        static COUNT: Locked = Locked::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| _ = COUNT.fetch_add(1, Relaxed)));
            }
        });
        assert_eq!(COUNT.load(Relaxed), 4000);
    }
}
