//! `send`, `poll`, `message.action`: something is done on a channel, and the caller is told when the platform has it.
//!
//! What cannot go out now is refused with what helps; nothing is queued that nobody would carry. The idempotency key
//! makes it once, also over a restart (`state/posting.rs`).
mod place;

use place::route;
pub use place::{Route, named};
pub(super) use place::{filled, is_carried, kept};

use crate::agents::routing::PeerKind;
use crate::approvals::seal;
use crate::calls::{Call, Provenance};
use crate::deliveries::dedupe::params_hash;
use crate::deliveries::{Delivery, Stage};
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::sessions::{history, message};
use crate::state::State;
use crate::state::event::Answer;
use serde_json::{Map, Value};
use std::path::Path;

/// How long a caller waits until the platform has it.
const PATIENCE_MS: u64 = 30_000;
/// How long a request for approval may be on its way whose id is not known, as long as its buttons mean something.
const ASKED_MS: u64 = 180_000;
/// Messages that are read at once.
const MOST_READ: u64 = 200;

params! {
    /// Where it goes.
    struct To {
        to: String,
        channel: Option<String>,
        account_id: Option<String>,
        thread_id: Option<String>,
        idempotency_key: String,
    }
}

params! {
    struct Send {
        message: String,
        media_url: Option<String>,
        media_urls: Vec<String>,
        gif_playback: bool,
        as_voice: bool,
        silent: bool,
        plain: bool,
        buttons: Option<Value>,
        reply_to_id: Option<String>,
        session_key: Option<String>,
    }
}

params! {
    struct Poll {
        question: String,
        options: Vec<String>,
        max_selections: Option<u64>,
        duration_hours: Option<u64>,
        silent: bool,
    }
}

params! {
    struct Action {
        action: String,
        message_id: String,
        message: String,
        emoji: String,
        buttons: Option<Value>,
        file_id: String,
        reply_to_id: Option<String>,
        limit: Option<u64>,
    }
}

pub fn send(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let (to, send): (To, Send) = read(params)?;
    let route = to.route(state)?;
    let media: Vec<String> = send.media_url.into_iter().chain(send.media_urls).collect();
    let text = send.message.trim();
    if text.is_empty() && media.is_empty() {
        return Err(Error::invalid("message required: a text, or a file by mediaUrl"));
    }
    let is_web = |media: &String| media.starts_with("https://") || media.starts_with("http://");
    // The owner's turns send what lies where media do (SEC-13), and nothing else of the host.
    let root = state.shared.env.state_dir.join("media");
    let whose = call.caller.run.as_deref().and_then(|run| state.runs.provenance_of(run));
    let is_turns = whose.is_some_and(Provenance::is_own);
    let is_media = |media: &String| is_turns && Path::new(media).starts_with(&root);
    let may = |media: &String| is_web(media) || is_media(media);
    if !media.iter().all(may) && !call.caller.scopes.has("operator.admin") {
        let text = "mediaUrl names a file of the gateway's host, which needs the scope operator.admin; give an https:// address";
        return Err(Error::new(Kind::Forbidden, text));
    }
    let mut message = Map::new();
    message.put("text", text);
    if !media.is_empty() {
        message.put("media", media);
    }
    for (name, is) in [
        ("isGif", send.gif_playback),
        ("isVoice", send.as_voice),
        ("isSilent", send.silent),
        ("isPlain", send.plain),
    ] {
        if is {
            message.put(name, true);
        }
    }
    if let Some(buttons) = send.buttons {
        message.put("buttons", seal::kept(buttons)?);
    }
    if let Some(id) = send.reply_to_id.filter(|id| !id.is_empty()) {
        message.put("replyTo", id);
    }
    let mirror = place::mirror_of(state, &route, send.session_key.as_deref())?;
    // A turn knows what it has said itself; its words stand in its call.
    let own = call.caller.run.as_deref().and_then(|run| state.runs.session_of(run));
    if let Some(key) = mirror.filter(|key| own != Some(key.as_str())) {
        message.put("mirror", key);
    }
    to.deliver(state, call, route, message)
}

pub fn poll(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let (to, poll): (To, Poll) = read(params)?;
    if poll.question.trim().is_empty() || poll.options.len() < 2 {
        return Err(Error::invalid("poll needs question, and options: at least two answers"));
    }
    let route = to.route(state)?;
    let most = poll.max_selections.unwrap_or(1);
    if most as usize > poll.options.len() {
        let text = format!("maxSelections is {most}, and there are {} options", poll.options.len());
        return Err(Error::invalid(text));
    }
    let mut asked = json!({"question": (poll.question), "options": (poll.options), "maxSelections": most});
    if let (Some(hours), Some(map)) = (poll.duration_hours, asked.as_object_mut()) {
        map.put("durationHours", hours);
    }
    let mut message = Map::new();
    message.put("action", "poll");
    message.put("poll", asked);
    if poll.silent {
        message.put("isSilent", true);
    }
    to.deliver(state, call, route, message)
}

pub fn action(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    // Who may write there may ask there; the method `poll` needs more, as at the original.
    if params.get("action").and_then(Value::as_str) == Some("poll") {
        return poll(state, call, params);
    }
    let (to, action): (To, Action) = read(params)?;
    if action.action == "read" {
        return last(state, &to, action.limit);
    }
    let route = to.route(state)?;
    let mut message = Map::new();
    message.put("action", action.action.as_str());
    match action.action.as_str() {
        "sticker" if action.file_id.is_empty() => {
            return Err(Error::invalid("sticker needs fileId: what the platform calls it"));
        }
        "sticker" => message.put("fileId", action.file_id),
        name if action.message_id.is_empty() => {
            return Err(Error::invalid(format!("{name} needs messageId: which message it is about")));
        }
        _ => message.put("messageId", action.message_id),
    }
    if matches!(action.action.as_str(), "edit" | "delete") {
        is_no_approval(state, &route, message.get("messageId").and_then(Value::as_str).unwrap_or_default())?;
    }
    if let Some(id) = action.reply_to_id.filter(|id| !id.is_empty()) {
        message.put("replyTo", id);
    }
    match action.action.as_str() {
        "edit" if action.message.trim().is_empty() => {
            return Err(Error::invalid("edit needs message: the new text"));
        }
        "edit" => message.put("text", action.message.trim()),
        "react" => message.put("emoji", action.emoji),
        _ => {}
    }
    if let Some(buttons) = action.buttons {
        message.put("buttons", seal::kept(buttons)?);
    }
    to.deliver(state, call, route, message)
}

/// Requests for approval stay as the gateway has written them: nobody has them say something else.
fn is_no_approval(state: &State, route: &Route, id: &str) -> Result<()> {
    let refused = |text: &str| Err(Error::new(Kind::Forbidden, text));
    // `007` and `+7` are 7 to a platform.
    let number = |id: &str| id.trim().parse::<i64>().ok();
    let asked = format!("send:{}", seal::KEY);
    for delivery in state.post.ledger.named(&asked) {
        // Two accounts may be one bot.
        if delivery.platform != route.channel.id {
            continue;
        }
        match &delivery.platform_id {
            Some(known) if known == id || number(known).is_some_and(|n| number(id) == Some(n)) => {
                return refused(
                    "this message asks for approval of a command: it is neither edited nor deleted",
                );
            }
            // Which one it will be is not known yet.
            None if delivery.stage != Stage::Failed && state.now < delivery.ts.saturating_add(ASKED_MS) => {
                return refused("a command is being asked approval for: edit or delete in a few minutes");
            }
            _ => {}
        }
    }
    Ok(())
}

/// What was said there last, as the gateway knows it: platforms give bots no history. Read on the connection's thread.
fn last(state: &State, to: &To, limit: Option<u64>) -> Result<Answer> {
    let (channel, account) = (to.channel.as_deref(), to.account_id.as_deref());
    let mut route = place::named(state, channel, account, &to.to)?;
    route.place.thread = to.thread_id.clone().filter(|id| !id.is_empty()).or(route.place.thread);
    let kinds: &[PeerKind] = match route.place.peer.as_str() {
        // Only the program knows which it is.
        _ if route.channel.is_program() => &[PeerKind::Direct, PeerKind::Group],
        peer if peer.starts_with('-') => &[PeerKind::Group],
        peer if peer.starts_with('@') => {
            return Err(Error::invalid("whom a public name means is not known here: give the chat's number"));
        }
        _ => &[PeerKind::Direct],
    };
    let mut told = json!({"channel": (route.channel.id), "chatId": (route.place.peer)});
    let chat = |peer: &str| message::chat(route.channel.id, &route.account, peer);
    let (mut chats, mut transcript) = (vec![chat(&route.place.peer)], None);
    for kind in kinds {
        let key = place::key_of(state, &route, *kind)?;
        if let (Some(entry), Some(told)) = (state.sessions.begun(&key), told.as_object_mut()) {
            transcript = Some(state.sessions.transcript(&key, &entry)?);
            chats.extend(entry.get(message::MOVED_FROM).and_then(Value::as_str).map(chat));
            told.put("sessionKey", key);
            break;
        }
    }
    let limit = limit.unwrap_or(20).clamp(1, MOST_READ) as usize;
    Ok(Answer::Work(Box::new(move || {
        let messages =
            transcript.map_or(Ok(Vec::new()), |transcript| history::said(&transcript, &chats, limit))?;
        if let Some(told) = told.as_object_mut() {
            told.put("messages", messages);
        }
        Ok(told.into())
    })))
}

impl To {
    fn route(&self, state: &State) -> Result<Route> {
        route(state, self.channel.as_deref(), self.account_id.as_deref(), &self.to)
    }

    fn deliver(
        self,
        state: &mut State,
        call: Call,
        route: Route,
        mut message: Map<String, Value>,
    ) -> Result<Answer> {
        let Route { channel, account, place } = route;
        if let Some(thread) = self.thread_id.filter(|id| !id.is_empty()).or(place.thread) {
            message.put("thread", thread);
        }
        // Which session is told of it is not the caller's to say twice.
        let mirror = message.remove("mirror");
        let mut message = Value::from(message);
        let hash = params_hash(&message);
        if let (Some(mirror), Some(map)) = (mirror, message.as_object_mut()) {
            map.put("mirror", mirror);
        }
        let delivery = Delivery {
            id: format!("send:{}", self.idempotency_key),
            platform: channel.id.to_string(),
            account,
            to: place.peer,
            ts: state.now,
            hash,
            message: Some(message),
            ..Delivery::default()
        };
        state.deliver(call, delivery, PATIENCE_MS)
    }
}
