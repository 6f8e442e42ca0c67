//! The turn of one request on its connection: what its answer may ask of the connection, and what became of it.
//!
//! Used by the connection's own thread, from the moment the request was judged until it is answered.
use crate::calls::Caller;
use crate::door::head::Head;
use crate::door::{OpenStream, Stage, Ticket, has_closed};
use crate::error::{Error, Kind};
use crate::http::responder::Responder;
use crate::http::{Refusal, Shape};
use crate::state::shared::Shared;
use std::cell::Cell;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

/// What has become of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sent {
    #[default]
    Nothing,
    /// Whole, and the connection goes on.
    Kept,
    /// Whole, and the last.
    Last,
    /// It began, and is not whole: nothing may follow.
    Part,
}

pub struct Turn<'a> {
    pub stream: &'a TcpStream,
    pub head: &'a Head,
    pub ticket: &'a Ticket,
    pub shared: &'a Shared,
    /// Who showed a secret.
    pub caller: Option<Arc<Caller>>,
    /// Nothing of the request is left unread, which would be taken for the next one.
    pub is_read: bool,
    /// The end of a stranger's stay.
    pub until: Instant,
    pub sent: Cell<Sent>,
    /// How a refusal looks.
    pub shape: Shape,
}

impl Turn<'_> {
    /// Whether the connection may go on behind the answer.
    pub fn may_stay(&self) -> bool {
        let is_welcome =
            self.ticket.is_proven() || !(self.shared.door.is_pressed() || self.ticket.is_evicted());
        let is_wanted = self.head.version() > 0 && !self.head.has_token("connection", "close");
        let is_sound = self.is_read && !std::thread::panicking();
        is_sound && is_welcome && is_wanted && !self.shared.published.is_stopping()
    }

    /// Whose answers count together.
    pub fn owner(&self) -> &str {
        self.caller.as_ref().map_or("strangers", |caller| caller.owner())
    }

    /// A place among the open streams.
    pub fn place(&self) -> Option<OpenStream> {
        self.shared.door.open_stream(self.shared.limits.http_streams)
    }

    /// Why nobody is answered any more: the secret it was asked with is no longer in force; this generation has ended;
    /// the other end has closed, or half of the connection, which who waits does not.
    pub fn why_gone(&self) -> Option<Error> {
        let is_outdated = |caller: &Arc<Caller>| caller.is_outdated(self.shared.auth().generation);
        if self.caller.as_ref().is_some_and(is_outdated) {
            let why = "the gateway's token or password has changed meanwhile; ask again with the new one";
            return Some(Error::new(Kind::Unauthorized, why));
        }
        if self.shared.published.is_over() {
            return Some(Error::unavailable("the gateway is restarting; try again"));
        }
        has_closed(self.stream).then(|| Error::new(Kind::Aborted, "nobody waits for the answer any more"))
    }

    pub fn is_gone(&self) -> bool {
        self.why_gone().is_some()
    }

    /// The socket takes no more. A stranger who does not read keeps nobody out; gives until when he may stay himself.
    pub fn blocked(&self) -> Option<Instant> {
        if self.ticket.is_proven() {
            return None;
        }
        self.ticket.stage(Stage::Idle);
        Some(if self.ticket.is_evicted() { Instant::now() } else { self.until })
    }
}

/// Even a defect of a handler is answered, if nothing else was.
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && self.sent.get() == Sent::Nothing {
            // The last thing said here; who does not hear it is told by the end of the connection.
            let _ = Responder::new(self).refuse(Refusal::new(500, "a defect of the gateway: see its log"));
        }
    }
}
