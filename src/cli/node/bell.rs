//! What wakes the node host besides its gateway: signals, and threads that have something for it. One descriptor to wait for.
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub struct Bell {
    heard: UnixStream,
    rings: UnixStream,
    is_over: Arc<AtomicBool>,
    is_free: Arc<AtomicBool>,
}

impl Bell {
    pub fn new() -> Result<Bell> {
        let failed = |e| Error::io("watch for signals", e);
        let (heard, rings) = UnixStream::pair().map_err(failed)?;
        for end in [&heard, &rings] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        let (is_over, is_free) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            flag::register_conditional_shutdown(signal, 0, is_free.clone()).map_err(failed)?;
            flag::register(signal, is_over.clone()).map_err(failed)?;
            pipe::register(signal, rings.try_clone().map_err(failed)?).map_err(failed)?;
        }
        Ok(Bell { heard, rings, is_over, is_free })
    }

    /// While nothing would be lost a signal ends the process at once, as connecting may take its time.
    pub fn set_free(&self, is_free: bool) {
        self.is_free.store(is_free, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// For another thread.
    pub fn ringer(&self) -> Result<Ringer> {
        self.rings.try_clone().map(Ringer).map_err(|e| Error::io("make a pair of sockets", e))
    }

    /// Until the next ring it has nothing to read.
    pub fn clear(&self) {
        let mut sink = [0; 64];
        while matches!((&self.heard).read(&mut sink), Ok(n) if n == sink.len()) {}
    }

    /// Waits, unless a signal comes.
    pub fn pause(&self, time: Duration) {
        if !self.is_over() {
            // Woken early it is only earlier.
            let _ = crate::sys::poll(&mut [PollFd::new(self, PollFlags::IN)], Some(time));
            self.clear();
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.heard.as_fd()
    }
}

pub struct Ringer(UnixStream);

impl Ringer {
    pub fn ring(&self) {
        // Full means that it rings already.
        let _ = (&self.0).write(&[1]);
    }
}
