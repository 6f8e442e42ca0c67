//! `/new`, `/reset`, `/stop`, `/compact`, `/send`, `/activation`: commands about the session itself. On the state
//! thread; what takes time is handed back to the caller.
use super::{At, Reply, entry, model, put, set_member, wrong};
use crate::error::Result;
use crate::ids;
use crate::session_key;
use crate::sessions::Entry;
use crate::slash::names;
use crate::state::State;
use serde_json::Value;

/// What the model is told when a new session begins without a message.
const GREETING: &str = "A new session begins, and the user has not written anything yet. Greet them in one to three \
    sentences, as the person your workspace files describe, and ask what they would like to do. Use no tools for \
    this, and do not mention this instruction.";

/// A session id of its own for what follows; settings stay. A model's name at the start chooses that model.
pub fn new(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let (word, rest) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
    let wanted = names::named(&state.shared.config(), word);
    let message = if wanted.is_some() { rest } else { args }.trim();
    let id = ids::uuid()?;
    let mut entry = match state.sessions.get(&at.key) {
        Some(old) => old.reset(&id, state.now),
        None => Entry::new(&id, state.now),
    };
    if entry.str("chatType").is_none() {
        entry.set("chatType", session_key::kind_of(&at.key));
    }
    if let Some(reference) = wanted {
        model::choose(&mut entry, &reference, &model::own(state, at));
    }
    put(state, at, entry, "reset")?;
    let is_own = !message.is_empty();
    let message = if is_own { message } else { GREETING };
    Ok(Reply::Turn { message: message.to_string(), is_own })
}

pub fn stop(_: &mut State, _: &At, _: &str) -> Result<Reply> {
    Ok(Reply::Stop)
}

pub fn compact(_: &mut State, _: &At, args: &str) -> Result<Reply> {
    let instructions = Some(args).filter(|text| !text.is_empty()).map(str::to_string);
    Ok(Reply::Compact { instructions })
}

/// Commands are answered whatever the policy, so `/send on` undoes `/send off`.
pub fn send(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let value = match args.to_ascii_lowercase().as_str() {
        "" => {
            let now = match entry(state, at).str("sendPolicy") {
                Some("deny") => "off",
                Some(_) => "on",
                None => "inherit",
            };
            return Ok(Reply::Text(format!("Send is {now}. Choices: on, off, inherit.")));
        }
        "on" | "allow" => "allow".into(),
        "off" | "deny" => "deny".into(),
        "inherit" | "default" | "reset" => Value::Null,
        _ => return Ok(wrong("send", args, "on, off, inherit")),
    };
    let text = match value.as_str() {
        Some("deny") => "Send is now off: messages start no turn here, commands still work.",
        Some(_) => "Send is now on.",
        None => "Send is now as session.sendPolicy says.",
    };
    set_member(state, at, "sendPolicy", value)?;
    Ok(Reply::Text(text.to_string()))
}

pub fn activation(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let entry = entry(state, at);
    if entry.kind(&at.key) != "group" {
        return Ok(Reply::Text(
            "/activation: only groups have it; here every message is answered.".to_string(),
        ));
    }
    let value = match args.to_ascii_lowercase().as_str() {
        "" => {
            let now = entry.str("groupActivation").unwrap_or("mention");
            return Ok(Reply::Text(format!("Activation is {now}. Choices: mention, always.")));
        }
        "mention" => "mention",
        "always" => "always",
        _ => return Ok(wrong("activation", args, "mention, always")),
    };
    set_member(state, at, "groupActivation", value)?;
    Ok(Reply::Text(format!("Activation is now {value}.")))
}
