//! The end of a process's group, and the way its words reach it. For commands of agents and for the programs of channels.
use crate::error::{Error, Result};
use crate::parts::Parts;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::{Duration, Instant};

/// Ends the group that this process leads. There may be nobody left in it.
pub fn kill_group(pid: u32) {
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

/// Ends a process with all that it has started; it is waited for, which is over at once.
pub fn kill(child: &mut Child) {
    kill_group(child.id());
    // It may have ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// What is said to a process. Writing to it never waits longer than it is told.
pub struct Input(File);

impl Input {
    pub fn new(fd: impl Into<OwnedFd>) -> Result<Input> {
        let fd = fd.into();
        let unblock = || fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK);
        unblock().map_err(|e| Error::io("prepare the input of a process", e.into()))?;
        Ok(Input(File::from(fd)))
    }

    /// Gives all of it, or says why not.
    pub fn write(&mut self, bytes: &[u8], time: Duration) -> Result<()> {
        let (mut rest, until) = (bytes, Instant::now() + time);
        while !rest.is_empty() {
            match self.0.write(rest) {
                Ok(n) => rest = rest.tail(n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Error::unavailable("the program does not read what it is told"));
                    }
                    // What went wrong shows in the next write.
                    let _ = crate::sys::poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], Some(left));
                }
                Err(e) => return Err(Error::io("write to the program", e)),
            }
        }
        Ok(())
    }
}
