//! What the methods that ask for a turn have in common: their params made ready on the connection's thread, what each of
//! them brings, and the way to the runs.
use crate::calls::{Call, Provenance};
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
        state.with_runs(|runs, world| runs.ask(world, ask)).map(Answer::from)
    }
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
