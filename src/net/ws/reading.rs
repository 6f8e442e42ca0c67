//! What comes from the client: taken off the socket, counted, and its requests answered or passed on.
//!
//! Part of the WebSocket worker, on its thread.
use super::{Phase, Sending, Worker};
use crate::calls::budget::{self, Sort};
use crate::calls::log_failure;
use crate::calls::outbox::is_not_now;
use crate::door::Stage;
use crate::error::{Error, Kind};
use crate::json;
use crate::methods::{self, Run};
use crate::parts::Parts;
use crate::protocol::close::Close;
use crate::protocol::frame::{self, Bad, Request};
use crate::protocol::wire::{self, Incoming, Violation};
use crate::state::event::Event;
use crate::sys;
use std::io::Read;

impl Worker {
    /// Takes input off the socket; `false` when the peer is gone. A function of its own, so that the stack of a client
    /// that only waits has no page for this buffer.
    #[inline(never)]
    pub(super) fn read(&mut self) -> bool {
        // Where address space is short, one client's message must not be everybody's end.
        if self.decoder.is_large() && !sys::has_room(3 * self.decoder.held()) {
            self.close(&Close::Crowded);
            return true;
        }
        let mut small = [0u8; 4096];
        let mut large = Vec::new();
        let buffer: &mut [u8] = if self.decoder.is_large() {
            large.resize(64 << 10, 0);
            &mut large
        } else {
            &mut small
        };
        match (&*self.stream).read(buffer) {
            Ok(0) if self.ticket.is_evicted() => {
                let stopping = self.shared.published.is_stopping();
                self.close(if stopping { &Close::ServiceRestart } else { &Close::Evicted });
                true
            }
            Ok(0) => false,
            Ok(n) => {
                self.received += n as u64;
                self.drain.outbox.traffic.note_received(self.received);
                // Cannot be out of range: the kernel filled `n` bytes of this buffer.
                let bytes = buffer.head(n).to_vec();
                self.take(&bytes);
                true
            }
            Err(e) => is_not_now(&e),
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let inbox = &mut self.inbox;
        let result = self.decoder.feed(bytes, self.max_message, &mut |item| {
            inbox.push_back(item);
            true
        });
        match result {
            Ok(()) => {}
            Err(Violation::TooBig) => self.close(&Close::TooBig),
            Err(Violation::Framing(what)) => self.close(&Close::Framing(what)),
            Err(Violation::NotUtf8) => self.close(&Close::Malformed),
        }
        let inbox: usize = self.inbox.iter().map(Incoming::bytes).sum();
        self.hold(self.decoder.held() + inbox);
        if self.held > 0 {
            self.shared.budget.relieve(Sort::Arriving, self.shared.limits.total_buffered as usize);
        }
    }

    /// Counts what is held of messages that are not worked on.
    pub(super) fn hold(&mut self, bytes: usize) {
        if bytes != self.held {
            self.shared.budget.change(&self.drain.outbox.share, Sort::Arriving, self.held, bytes);
            self.held = bytes;
        }
    }

    pub(super) fn on_message(&mut self, message: Incoming) {
        match message {
            Incoming::Text(text) if self.phase == Phase::Handshake => self.handshake(&json::mend(text)),
            Incoming::Text(text) => self.request(json::mend(text)),
            Incoming::Ping(payload) => {
                self.ticket.stage(Stage::Beside);
                self.send(Sending::raw(wire::pong(&payload)));
            }
            Incoming::Pong => self.ticket.stage(Stage::Beside),
            Incoming::Close(code, reason) => self.close(&Close::ByClient(code, reason)),
        }
    }

    /// A frame after `hello-ok`.
    fn request(&mut self, text: String) {
        let Some(caller) = self.caller.clone() else { return self.close(&Close::Internal) };
        let work = self.work(frame::weight(&text));
        let request = match Request::parse(&text) {
            Ok(request) => request,
            Err(Bad::Malformed) => {
                let error = Error::new(Kind::BadFrame, "invalid request frame: not JSON");
                self.answer("invalid", Err(&error), caller.protocol);
                return self.close(&Close::Malformed);
            }
            Err(Bad::NotARequest(id, error)) => {
                return self.answer(id.as_deref().unwrap_or("invalid"), Err(&error), caller.protocol);
            }
        };
        crate::logging::debug!(target: "gateway/ws", "req {} conn={}", crate::logging::quoted(&request.method), self.id);
        let found = methods::find(&caller, &request);
        let id = request.id;
        let (method, params) = match found {
            Ok(found) => found,
            Err(error) => {
                log_failure(&request.method, self.id, &error);
                return self.answer(&id, Err(&error), caller.protocol);
            }
        };
        // The params are values now; a large text is not kept beside them.
        drop(text);
        method.look(&self.shared);
        match method.run {
            Run::Here(handler) => {
                let result = handler(&self.shared, &caller, params);
                if let Err(error) = &result {
                    log_failure(method.name, self.id, error);
                }
                self.answer(&id, result.as_ref(), caller.protocol);
            }
            Run::State(handler) | Run::Prepared(_, handler) => {
                let event = Event::Request { conn: self.id, id, method: method.name, handler, params, work };
                if self.shared.state.send(event).is_err() {
                    self.close(&Close::ServiceRestart);
                }
            }
        }
    }

    /// Waits for its turn to do work that costs `bytes`.
    fn work(&self, bytes: usize) -> budget::Work {
        let is_wanted = || !self.drain.outbox.is_closed();
        self.shared.budget.work(bytes, self.shared.limits.total_buffered as usize / 2, is_wanted)
    }

    pub(super) fn answer(&mut self, id: &str, result: Result<&frame::Payload, &Error>, protocol: u32) {
        self.send(Sending::text(frame::answer(id, result, protocol)));
    }
}
