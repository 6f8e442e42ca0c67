//! What goes to the client: this thread's own frames first, then the outbox's, as far as the socket takes them.
//!
//! Part of the WebSocket worker, on its thread.
use super::sending::{self, Sending};
use super::{CLOSE_GRACE, Phase, Worker};
use crate::calls::budget::Sort;
use crate::calls::line::Line;
use crate::calls::outbox::{Frame, Work, is_not_now};
use crate::door::Stage;
use crate::door::head::Head;
use crate::protocol::close::Close;
use crate::protocol::frame;
use crate::protocol::wire::{self, Decoder};
use crate::sys;
use std::time::Instant;

impl Worker {
    /// Bytes that have reached the client's system.
    pub(super) fn delivered(&self) -> u64 {
        (self.written + self.drain.outbox.written()).saturating_sub(sys::undelivered(&self.stream))
    }

    /// Queues a frame of this thread's own making.
    pub(super) fn send(&mut self, sending: Sending) {
        self.drain.recall();
        let counted = self.drain.outbox.unsent(sending.bytes());
        self.own.push_back(sending.counted(counted));
    }

    pub(super) fn close(&mut self, why: &Close) {
        if matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        crate::logging::debug!(target: "gateway/ws", "close conn={} code={} reason={}", self.id, why.code(), crate::logging::quoted(&why.reason()));
        self.ticket.stage(Stage::Idle);
        self.send(Sending::raw(wire::close(why.code(), &why.reason())));
        self.inbox.clear();
        self.decoder = Decoder::default();
        self.hold(0);
        self.phase = Phase::Closing { until: Instant::now() + CLOSE_GRACE };
    }

    /// Writes until nothing is left (`false`) or the socket is full (`true`).
    pub(super) fn flush(&mut self) -> std::io::Result<bool> {
        loop {
            if let Some(sending) = &mut self.sending {
                match sending.write(&self.stream) {
                    Ok(bytes) => {
                        self.written += bytes as u64;
                        self.drain.outbox.traffic.note_written(self.written);
                        if !sending.is_out() {
                            continue;
                        }
                        let bytes = sending.bytes();
                        self.sending = None;
                        self.note_freed(bytes);
                    }
                    Err(e) if is_not_now(&e) => {
                        self.blocked();
                        return Ok(true);
                    }
                    Err(e) => return Err(e),
                }
            }
            self.sending = self.own.pop_front();
            if self.sending.is_none() && !self.next_from_outbox() {
                self.writing.rest();
                self.drain.outbox.set_blocked(false);
                return Ok(false);
            }
        }
    }

    /// The socket takes no more: from now on the client is watched, and may have to go for what it holds.
    fn blocked(&mut self) {
        self.writing.go(self.delivered());
        if !self.drain.outbox.is_blocked() {
            self.drain.outbox.set_blocked(true);
            self.shared.budget.relieve(Sort::Unsent, self.shared.limits.total_buffered as usize);
        }
    }

    /// Makes an answer out of files, when it is this client's turn, which is over when it is text.
    fn make(&self, id: &str, work: Work) -> String {
        let outbox = &self.drain.outbox;
        let _turn = self.shared.budget.making.turn(outbox.owner(), || !outbox.is_closed());
        let result = work();
        frame::answer(id, result.as_ref(), self.caller.as_ref().map_or(4, |c| c.protocol))
    }

    /// Makes the outbox's next frame the one to send; `false` when there is none.
    fn next_from_outbox(&mut self) -> bool {
        if matches!(self.phase, Phase::Closing { .. }) {
            return false;
        }
        let lend =
            || (self.phase == Phase::Open).then(|| Line::new(self.stream.clone(), sending::write_some));
        let (frame, seq, counted) = self.drain.pop_or_lend(lend);
        match frame {
            None => return false,
            Some(frame @ (Frame::Event { .. } | Frame::Answer(_) | Frame::Rest(..))) => {
                self.sending = Sending::of(frame, seq).map(|sending| sending.counted(counted));
            }
            Some(Frame::Hello(text)) => {
                self.phase = Phase::Open;
                // What only the handshake needed is not kept for the life of the connection.
                (self.asking, self.head) = (String::new(), Head::default());
                self.sending = Some(Sending::text(text));
            }
            Some(Frame::Work { id, work }) => {
                let text = self.make(&id, work);
                self.send(Sending::text(text));
            }
            Some(Frame::Moved) => {
                self.caller = None;
                self.phase = Phase::Handshake;
                let text = std::mem::take(&mut self.asking);
                self.handshake(&text);
            }
            Some(Frame::Close(why)) => self.close(&why),
        }
        true
    }
}
