//! The part of the worker that runs before `hello-ok`: exactly one function takes frames then.
use super::{Phase, Worker};
use crate::calls::Caller;
use crate::calls::outbox::Frame;
use crate::door::Stage;
use crate::error::{Error, Kind};
use crate::ids;
use crate::net::auth;
use crate::net::connect::Connect;
use crate::net::ws::sending::Sending;
use crate::protocol::close::Close;
use crate::protocol::frame::{self, Bad, MAX_CONNECT_VALUES, Request};
use crate::protocol::schema;
use crate::state::event::{Event, Join, Place};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Worker {
    /// The only function that takes frames before `hello-ok`.
    pub(super) fn handshake(&mut self, text: &str) {
        self.ticket.stage(Stage::Connecting);
        // Until here the client was a stranger to every generation; from here on it is one's.
        match self.shared.succession.current() {
            Some(shared) => self.shared = shared,
            None => return self.close(&Close::ServiceRestart),
        }
        self.asking = text.to_string();
        let request = match Request::parse(text) {
            Ok(request) => request,
            Err(Bad::Malformed) => return self.close(&Close::Malformed),
            Err(Bad::NotARequest(..)) => return self.close(&Close::Refused("invalid request frame".into())),
        };
        if request.method != "connect" {
            let error = Error::new(Kind::Invalid, "invalid handshake: first request must be connect");
            return self.refuse(&request.id, &error);
        }
        let params = match request.read_params(MAX_CONNECT_VALUES) {
            Ok(params) => params,
            Err(error) => return self.refuse(&request.id, &error),
        };
        if let Err(message) = schema::CONNECT.check(&params) {
            return self.refuse(&request.id, &Error::invalid(message));
        }
        match crate::params::read::<Connect>(params) {
            Ok(connect) => self.connect(request.id, connect),
            // Cannot happen: the schema admits only what this type reads.
            Err(e) => self.refuse(&request.id, &e),
        }
    }

    fn connect(&mut self, id: String, connect: Connect) {
        let client = crate::logging::quoted(&connect.client.id);
        let decided = auth::admit(&self.shared, &self.peer, &self.head, &self.ticket, connect, &self.nonce);
        let admitted = match decided {
            Ok(admitted) => admitted,
            Err(refusal) => {
                if !refusal.change.events.is_empty() {
                    // A state thread that is gone is ending the process; this client is closed anyway.
                    let _ = self.shared.state.send(Event::Pairing { change: refusal.change });
                }
                let hint =
                    refusal.error.details().and_then(|d| d.get("remediationHint")).and_then(|h| h.as_str());
                log::info!(target: "gateway/ws", "refused connect conn={} remote={} client={} reason={} {}",
                    self.id, self.peer.client, client, refusal.error, hint.unwrap_or_default());
                return self.refuse(&id, &refusal.error);
            }
        };
        self.ticket.prove();
        let limits = &self.shared.limits;
        self.max_message = limits.max_payload(admitted.protocol);
        self.drain.outbox.set_max(limits.max_buffered(admitted.protocol));
        if let Some(device) = &admitted.device_id {
            self.drain.outbox.belongs_to(device);
        }
        let caller = admitted.caller(self.id, ids::uuid().unwrap_or_default(), self.peer.remote());
        let caller = Arc::new(Caller { at: self.head.address(self.peer.is_tls()), ..caller });
        self.caller = Some(caller.clone());
        let place = Place::of(self.drain.outbox.clone());
        let settled = place.settled();
        let join = Join { caller, admitted, request_id: id, place };
        self.phase = Phase::Joining;
        // Not sent, because that generation has ended: dropping the place asks the next one.
        let _ = self.shared.state.send(Event::Join(Box::new(join)));
        // Sent so late that nobody will look: taken back.
        if self.shared.published.is_over() && !settled.swap(true, Ordering::SeqCst) {
            self.drain.outbox.push(Frame::Moved);
        }
    }

    fn refuse(&mut self, id: &str, error: &Error) {
        self.send(Sending::text(frame::answer(id, Err(error), 4)));
        match error.kind {
            Kind::Protocol => self.close(&Close::ProtocolMismatch),
            _ => self.close(&Close::Refused(error.message().to_string())),
        }
    }
}
