//! What the methods that ask for a turn have in common: their params made ready on the connection's thread, what each of
//! them brings, and the way to the runs.
use crate::calls::{Call, Caller, Provenance, Reply};
use crate::clock;
use crate::deliveries::dedupe::params_hash;
use crate::error::{Error, Result};
use crate::json::Put;
use crate::models::provider::Thinking;
use crate::params::params;
use crate::runs::origin::{Address, Origin, Surface};
use crate::runs::{Ask, Observers, Wishes};
use crate::sessions::attachments::Attachments;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;
use std::sync::Arc;

/// Bytes of one message; more than any model's window takes.
const MAX_MESSAGE: usize = 1_000_000;

/// What is done with large params on the connection's thread: their hash without the key, which must be equal for a
/// repetition to count as one, and the attachments judged and read.
pub fn prepare(mut params: Value) -> Result<Value> {
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    let key = map.remove("idempotencyKey");
    let length = params.get("message").and_then(Value::as_str).map_or(0, str::len);
    if length > MAX_MESSAGE {
        let text = format!("message is {length} bytes long, at most {MAX_MESSAGE} fit; send it in parts");
        return Err(Error::invalid(text));
    }
    // What is refused costs no hash.
    let attached = params.get("attachments").and_then(Value::as_array);
    let attached = attached.map(|list| Attachments::read(list)).transpose()?.unwrap_or_default();
    let hash = params_hash(&params);
    let Some(map) = params.as_object_mut() else { return Ok(params) };
    map.remove("attachments");
    map.put("idempotencyKey", key.unwrap_or_default());
    map.put("hash", hash);
    map.put("images", attached.images);
    map.put("texts", attached.texts);
    Ok(params)
}

params! {
    /// What every request for a turn brings, as `prepare` has left it.
    pub struct Asked {
        message: String,
        images: Vec<Value>,
        texts: String,
        hash: String,
        session_id: Option<String>,
        thinking: Option<String>,
        idempotency_key: String,
    }
}

impl Asked {
    /// What all may wish for. `needs` is said of a request without anything to answer.
    pub fn wishes(&self, needs: &str) -> Result<Wishes> {
        if self.message.trim().is_empty() && self.images.is_empty() && self.texts.is_empty() {
            return Err(Error::invalid(needs));
        }
        let conversation = self.session_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        Ok(Wishes {
            thinking: read_thinking(self.thinking.as_deref())?,
            conversation: conversation.map(str::to_string),
            ..Wishes::default()
        })
    }

    /// Asks for the turn; `to` is where its words go besides.
    pub fn turn(
        self,
        state: &mut State,
        surface: &'static Surface,
        session: String,
        wishes: Wishes,
        call: Call,
        to: Option<Address>,
    ) -> Result<Answer> {
        let mut observers = Observers::of(&call.caller);
        observers.deliver(to);
        let ask = Ask {
            origin: Origin::client(surface, authority(state, &call)),
            id: self.idempotency_key,
            hash: self.hash,
            session,
            message: self.message.trim().to_string(),
            attachments: Attachments { images: self.images, texts: self.texts },
            wishes,
            observers,
            reply: call,
        };
        state.ask(ask).map(Answer::from)
    }
}

/// A turn that a part of the gateway has begun, in its own name: nobody waits for an answer.
pub struct Own<'a> {
    pub surface: &'static Surface,
    pub whose: Provenance,
    /// Who asks, and its call.
    pub caller: Caller,
    pub method: &'static str,
    /// Of the run.
    pub id: String,
    pub session: &'a str,
    pub message: String,
}

impl Own<'_> {
    pub fn ask(self, state: &mut State, wishes: Wishes, observers: Observers) -> Result<()> {
        let Own { caller, method, id, .. } = self;
        let reply = Call { caller: Arc::new(caller), id, method, reply: Reply::Nobody };
        let origin = Origin::client(self.surface, self.whose);
        let ask = Ask::unasked(origin, self.session.to_string(), self.message, reply);
        state.ask(Ask { wishes: Wishes { is_plain: true, ..wishes }, observers, ..ask }).map(drop)
    }
}

/// The line by which a model knows the time of a turn that nobody asked for by a message.
pub fn time_line(state: &State) -> String {
    let now = clock::show(&clock::zoned_as_known(state.now), "%A, %e %B %Y, %H:%M (%Z)");
    format!("Current time: {now}")
}

/// The level that is named at `member`, if one is.
pub fn thinking(level: Option<&str>, member: &str) -> Result<Option<Thinking>> {
    level.map(Thinking::named).transpose().map_err(|why| Error::invalid(format!("{member} {why}")))
}

/// On whose authority it is asked. What a turn asks for may no more than the turn: a guest's or webhook's message stays one,
/// through however many sessions it comes (SEC-34, SEC-42).
fn authority(state: &State, call: &Call) -> Provenance {
    let of_turn = call.caller.run.as_deref().and_then(|run| state.runs.provenance_of(run));
    of_turn.filter(|whose| !whose.is_own()).unwrap_or(call.caller.provenance)
}

/// The thinking level that a request asks for.
fn read_thinking(level: Option<&str>) -> Result<Option<Thinking>> {
    let Some(level) = level.map(str::trim).filter(|l| !l.is_empty()) else { return Ok(None) };
    let wrong = || Error::invalid("invalid thinking level (use off|minimal|low|medium|high|xhigh)");
    Thinking::parse(level).ok_or_else(wrong).map(Some)
}
