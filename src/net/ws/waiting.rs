//! What the worker waits for, and for how long: input, room in the socket, its outbox, the next deadline.
use super::{Phase, Worker};
use crate::door::Stage;
use crate::net::pace::LEAST_OUT;
use crate::net::ws::sending::Sending;
use crate::protocol::close::Close;
use crate::sys;
use rustix::event::{PollFd, PollFlags};
use std::time::{Duration, Instant};

impl Worker {
    /// Waits for input, room in the socket, the outbox, or the next deadline.
    pub(super) fn wait(&mut self, blocked: bool) -> bool {
        let wants_input = !blocked && self.may_read() && self.inbox.is_empty();
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, wants_input);
        flags.set(PollFlags::OUT, blocked);
        match wants_input && self.decoder.held() > 0 {
            true => self.reading.go(self.received),
            false => self.reading.rest(),
        }
        if self.phase == Phase::Handshake && self.decoder.held() > 0 {
            self.ticket.stage(Stage::Begun);
        }
        let deadline = self.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let silent = self.freed.map(|_| SILENT);
        let timeout = deadline.into_iter().chain(silent).min();
        let (socket, woken) = {
            let mut fds = [PollFd::new(&self.stream, flags), PollFd::new(&self.drain, PollFlags::IN)];
            match sys::poll(&mut fds, timeout) {
                Ok(ready) => {
                    if ready == 0 {
                        self.freed = self.freed.filter(|at| !sys::release_memory_since(*at));
                    }
                    let [socket, wake] = &fds;
                    (socket.revents(), wake.revents())
                }
                Err(rustix::io::Errno::INTR) => return true,
                Err(_) => return false,
            }
        };
        if !woken.is_empty() {
            self.drain.clear_wake();
            if blocked && self.drain.outbox.share.is_ended() && !self.cut_off() {
                return false;
            }
        }
        if !self.check_deadlines() {
            return true;
        }
        if socket.contains(PollFlags::IN) && wants_input {
            return self.read();
        }
        // The peer is gone and nothing is left to read.
        !socket.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }

    /// The client was ended because too much waits: frees what it has; `false` when a frame is half out, behind which
    /// no close can be said.
    pub(super) fn cut_off(&mut self) -> bool {
        self.own.clear();
        if self.sending.as_ref().is_some_and(Sending::is_begun) {
            return false;
        }
        self.sending = None;
        self.close(&Close::SlowConsumer);
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let writing = self.writing.due(self.stall());
        match self.phase {
            Phase::Handshake => Some(writing.map_or(self.handshake_until, |s| s.min(self.handshake_until))),
            Phase::Closing { until } => Some(until),
            Phase::Joining | Phase::Open => {
                writing.into_iter().chain(self.reading.due(self.message_time())).min()
            }
        }
    }

    pub(super) fn stall(&self) -> Duration {
        Duration::from_millis(self.shared.limits.stall_ms)
    }

    pub(super) fn message_time(&self) -> Duration {
        Duration::from_millis(self.shared.limits.message_ms)
    }

    /// Closes what has passed a deadline; `false` when it did.
    pub(super) fn check_deadlines(&mut self) -> bool {
        let now = Instant::now();
        if matches!(self.phase, Phase::Closing { .. }) || self.next_deadline().is_none_or(|at| now < at) {
            return true;
        }
        let (stall, message_time) = (self.stall(), self.message_time());
        if self.phase == Phase::Handshake && now >= self.handshake_until {
            self.close(&Close::HandshakeTimeout);
        } else if self.writing.is_slow(now, stall, self.delivered(), LEAST_OUT) {
            self.close(&Close::SlowConsumer);
        } else if self.reading.is_slow(now, message_time, self.received, LEAST_IN) {
            self.close(&Close::Unfinished);
        } else {
            return true;
        }
        false
    }
}

/// That long.
pub(super) const SILENT: Duration = Duration::from_millis(500);

/// Bytes a second that a message which has begun must bring.
pub(super) const LEAST_IN: u64 = 4 << 10;
