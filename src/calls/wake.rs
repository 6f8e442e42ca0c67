//! Waking a thread that polls: one descriptor where the system has a counter for it, else a pair of sockets. Any thread
//! wakes, one waits.
use crate::error::{Error, Result};
use std::os::fd::{AsFd, BorrowedFd};

#[cfg(target_os = "linux")]
pub struct Wake(std::os::fd::OwnedFd);

#[cfg(not(target_os = "linux"))]
pub struct Wake {
    rings: std::os::unix::net::UnixStream,
    heard: std::os::unix::net::UnixStream,
}

#[cfg(target_os = "linux")]
impl Wake {
    pub fn new() -> Result<Wake> {
        use rustix::event::{EventfdFlags, eventfd};
        let made = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        made.map(Wake).map_err(|e| Error::io("make the wake-up counter", e.into()))
    }

    pub fn ring(&self) {
        // What cannot be added is so much already that it is readable.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Until the next `ring` it is not readable.
    pub fn clear(&self) {
        // Nothing to take means that nobody rang.
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

#[cfg(not(target_os = "linux"))]
impl Wake {
    pub fn new() -> Result<Wake> {
        let failed = |e| Error::io("make the wake-up socket", e);
        let (rings, heard) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        for end in [&rings, &heard] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        Ok(Wake { rings, heard })
    }

    pub fn ring(&self) {
        // Full means that a wake-up is pending already.
        let _ = std::io::Write::write(&mut &self.rings, &[1]);
    }

    /// Until the next `ring` it is not readable.
    pub fn clear(&self) {
        let mut sink = [0u8; 64];
        while matches!(std::io::Read::read(&mut &self.heard, &mut sink), Ok(n) if n == sink.len()) {}
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        #[cfg(target_os = "linux")]
        return self.0.as_fd();
        #[cfg(not(target_os = "linux"))]
        return self.heard.as_fd();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags};

    #[test]
    fn many_rings_are_one_and_none_is_lost() {
        let wake = Wake::new().unwrap();
        let is_heard = || {
            crate::sys::poll(&mut [PollFd::new(&wake, PollFlags::IN)], Some(std::time::Duration::ZERO))
                .unwrap()
                > 0
        };
        assert!(!is_heard());
        wake.clear();
        for _ in 0..100 {
            (0..200).for_each(|_| wake.ring());
            assert!(is_heard());
            wake.clear();
            wake.clear();
            assert!(!is_heard());
        }
    }
}
