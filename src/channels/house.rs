//! What a running account has of the gateway: the way in for what people write and the way out for what is said to them.
//!
//! The house above implements it over its state thread; a channel knows nothing else of it. Any of an account's threads
//! calls it and waits until what it says is on disk. What may be acknowledged, sent or forgotten follows from the calls
//! alone: a message that was brought may be acknowledged; a delivery that was given out may be sent, once; nothing else may.
use super::blocks::Rules;
use super::board::Board;
use crate::calls::Provenance;
use crate::calls::stream::Stream;
use crate::cancel::Cancel;
use crate::deliveries::{Delivery, Inbound, Login};
use crate::error::Result;
use crate::sessions::attachments::Attachments;
use crate::settings::Settings;
use serde_json::{Map, Value};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

pub trait House: Send + Sync {
    fn login(&self) -> &Login;
    fn settings(&self) -> &Settings;
    fn board(&self) -> &Board;

    /// Set when the account is to end.
    fn cancel(&self) -> &Cancel;

    /// What becomes readable then.
    fn bells(&self) -> Result<Vec<OwnedFd>>;

    /// Ends the account: one of its threads cannot go on. The supervisor starts it anew.
    fn end(&self);

    /// Waits for `time`; false when the account is to end.
    fn sleep(&self, time: Duration) -> Result<bool>;

    /// The same, or until there may be something to hand over or a wish on the board. One thread of the account waits so.
    fn await_deliveries(&self, time: Duration) -> Result<bool>;

    /// What an earlier life of the account left open. Called once, before anything else is.
    fn begin(&self) -> Result<Open>;

    /// The platform brought messages, each with its name there; all may be acknowledged then. Gives those that are new.
    fn bring(&self, messages: Vec<(String, Value)>) -> Result<Vec<Inbound>>;

    /// Asks for the turn that answers a message, and waits until it is accepted. Its words come as deliveries.
    fn turn(&self, turn: Turn) -> Result<Accepted>;

    /// No turn answers the message: it is not offered again.
    fn pass_over(&self, inbound: &Inbound) -> Result<()>;

    /// Something is to be delivered that no run says. With the same id it is delivered once.
    fn promise(&self, id: &str, to: &str, message: Value) -> Result<()>;

    /// The next delivery, one at a time for each peer and none to the peers of `held`; it is this account's to hand over,
    /// and to say what became of it.
    fn next(&self, held: &[String]) -> Result<Option<Delivery>>;

    fn became(&self, delivery: &Delivery, became: Became) -> Result<()>;

    /// The entry of a session, by its canonical key.
    fn session(&self, key: &str) -> Result<Option<Map<String, Value>>>;

    /// Other words for the message that a run answers; false when its turn has begun.
    fn reword(&self, run: &str, words: String) -> Result<bool>;

    /// The sessions of a group go on under its new id.
    fn move_group(&self, old: &str, new: &str) -> Result<()>;

    /// A line that the session's next turn is told (`System: ...`), such as a reaction.
    fn note(&self, key: &str, text: String) -> Result<()>;
}

/// What was left open for a login.
#[derive(Debug, Default)]
pub struct Open {
    /// Acknowledged to the platform and not answered, oldest first.
    pub inbound: Vec<Inbound>,
    /// Handed over, and what became of them is not known.
    pub uncertain: Vec<Delivery>,
}

/// A message that is to be answered by a turn, as its channel understood it.
pub struct Turn<'a> {
    /// Names the turn.
    pub inbound: &'a Inbound,
    /// What it answers besides: parts of an album, of a long text.
    pub also: &'a [Inbound],
    /// Who wrote it: the owner or a guest. What that gives, the house knows.
    pub provenance: Provenance,
    /// The sender as the log and shares of the queue name him.
    pub sender: String,
    /// Canonical key.
    pub session: String,
    /// Where the answer goes.
    pub to: Place,
    /// What the model is told, and what may be a command or hold directives: the text as it was written.
    pub text: String,
    /// Put around the text when it turns out to be neither: `text` stands in the middle.
    pub envelope: (String, String),
    pub attachments: Attachments,
    pub extra_system: Option<String>,
    /// Members of the session's entry that hold from now on: `origin`, `deliveryContext`, `lastTo` and their like.
    pub entry: Map<String, Value>,
    /// The main session, whose last route moves with this one's: a direct chat that has a session of its own.
    pub main: Option<String>,
    /// The message was asked about before, and the gateway stopped.
    pub is_again: bool,
    /// How the answer goes out in several messages while it is written.
    pub blocks: Option<Rules>,
    /// Gets the words as they come and the end; for signs that it is being written, and drafts.
    pub stream: Option<Arc<Stream>>,
}

/// A place at a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub peer: String,
    pub thread: Option<String>,
    pub reply_to: Option<String>,
}

/// What became of the wish for a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// A run answers it, or did.
    Run,
    /// It is answered at once with this, and no run is about it: the channel passes it over.
    Now(Value),
}

/// What a platform says of a message that it has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Receipt {
    /// Its name there.
    pub id: String,
    /// The peer that has it, where that is another one than was named.
    pub moved_to: Option<String>,
    /// What it was sent without, and why.
    pub lacks: Option<String>,
}

impl From<String> for Receipt {
    fn from(id: String) -> Receipt {
        Receipt { id, ..Receipt::default() }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Became {
    /// The platform has it.
    Confirmed(Receipt),
    /// The platform has a part of it; this is what is still to be said, given out again in its turn.
    Partly(Value),
    /// The platform does not have it and may be asked again: it is given out again.
    NotTaken,
    /// The platform will never take it, and why.
    Refused(String),
    /// Nothing of this account can go out now, and why: what somebody waits for is told and not kept, everything else is given
    /// out again.
    NotNow(String),
    /// Nobody knows, and why; that was told. It is not given out again.
    Uncertain(String),
    /// The account ends while it is in its hands: whoever comes next tells what is known of it.
    Left,
}
