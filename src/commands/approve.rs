//! `/approve`: the owner's word about a command that waits, from a chat.
use super::{At, Reply};
use crate::error::Result;
use crate::state::State;

/// Other words for the decisions.
const WORDS: &[(&str, &str)] = &[
    ("allow", "allow-once"),
    ("once", "allow-once"),
    ("yes", "allow-once"),
    ("allowonce", "allow-once"),
    ("always", "allow-always"),
    ("allowalways", "allow-always"),
    ("reject", "deny"),
    ("block", "deny"),
    ("no", "deny"),
];

pub fn approve(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let mut words = args.split_whitespace();
    let (Some(id), Some(word), None) = (words.next(), words.next(), words.next()) else {
        let text =
            "Usage: /approve <id> allow-once|allow-always|deny. The id stands with the command that waits.";
        return Ok(Reply::Text(text.to_string()));
    };
    let word = word.to_ascii_lowercase();
    let decision =
        WORDS.iter().find(|(known, _)| *known == word).map_or(word.as_str(), |(_, decision)| decision);
    let sender = at.sender.strip_prefix(&format!("{}:", at.channel)).unwrap_or(&at.sender);
    let by = format!("Chat approval ({}:{sender})", at.channel);
    let text = match state.decide_approval(&id.to_ascii_lowercase(), decision, &by, &at.key) {
        Ok(id) => {
            format!("\u{2705} Exec approval {decision} submitted for {}.", crate::parts::within(&id, 8))
        }
        Err(e) if e.message() == "invalid decision" => {
            "/approve: say allow-once, allow-always or deny.".to_string()
        }
        Err(e) => format!("/approve: {}; it was answered already, or its time is over.", e.message()),
    };
    Ok(Reply::Text(text))
}
