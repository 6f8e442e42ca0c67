//! The embedded default model: needs no account, no server and no network.
//!
//! Runs on the run's thread. It cannot think; it says what it received and which command adds a real
//! model, in pieces, so that the whole path from a client to the transcript can be tried at once.
use super::messages;
use super::provider::{ChatRequest, Chunk, Completion, Kept, Usage};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::parts::Parts;
use crate::sessions::message;
use std::time::Duration;

/// Pieces and the pause between them: enough to see a stream, well under 100 ms in all.
const PIECES: usize = 8;
const PAUSE: Duration = Duration::from_millis(8);
/// How many characters of the message are quoted.
const QUOTE: usize = 120;

/// Answers the last user message. Ends with `Kind::Aborted` when stopped.
pub fn stream(req: &ChatRequest, cancel: &Cancel, on: &mut dyn FnMut(Chunk)) -> Result<Completion> {
    let last = req.messages.iter().rev().find(|m| m.get("role").is_some_and(|r| r == "user"));
    let text = answer(&last.map(|m| messages::text(m, "\n")).unwrap_or_default());
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    if cancel.reason().is_some() {
        return Err(cancel.error());
    }
    let mut said = String::new();
    for piece in words.chunks(words.len().div_ceil(PIECES).max(1)) {
        said += &piece.concat();
        on(Chunk::Text(piece.concat()));
        if !cancel.sleep(PAUSE) {
            on(Chunk::Kept(Box::new(Kept { content: vec![message::text(&said)], ..Kept::default() })));
            return Err(cancel.error());
        }
    }
    Ok(Completion {
        is_paused: false,
        content: vec![message::text(&text)],
        stop_reason: "stop",
        usage: Usage::default(),
        tool_calls: Vec::new(),
    })
}

fn answer(message: &str) -> String {
    let message = unstamped(message);
    let count = message.chars().count();
    let received = match count {
        0 => "Your message arrived without text.".to_string(),
        _ => {
            let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
            let short: String = line.chars().take(QUOTE).collect();
            let more = if line.chars().count() > QUOTE { "…" } else { "" };
            format!(
                "Your message arrived: \"{short}{more}\" ({count} character{}).",
                if count == 1 { "" } else { "s" }
            )
        }
    };
    format!(
        "Hello! {received} I am only the model built into this gateway, so I cannot think about it, but everything \
         around me works. To talk to a real one, start a model server on this machine (Ollama, LM Studio, llama.cpp) \
         and run `openclaw models scan`; for a hosted model it is `openclaw models set <provider>/<model>`."
    )
}

/// The message without the time in front of it and the id behind it, which the gateway adds.
fn unstamped(message: &str) -> &str {
    let message = message.trim();
    let message = message.rfind("[message_id:").map_or(message, |at| message.head(at));
    let stamp = message.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match stamp {
        Some((time, rest)) if time.len() < 48 && time.contains(':') && time.contains("20") => rest.trim(),
        _ => message.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Reason;
    use crate::error::Kind;
    use crate::models::provider::Thinking;
    use serde_json::json;
    use std::time::Instant;

    #[test]
    fn streams_what_it_received_and_the_command() {
        let stamped = "[Sat 2026-11-21 01:31 UTC] hi there\n[message_id: k1]";
        let messages = [json!({"role": "user", "content": [{"type": "text", "text": stamped}]})];
        let (mut pieces, started) = (Vec::new(), Instant::now());
        let request = ChatRequest {
            system: "",
            messages: &messages,
            tools: &[],
            thinking: Thinking::Off,
            has_acted: false,
            wanted: None,
        };
        let done = stream(&request, &Cancel::new(), &mut |c| pieces.push(c)).unwrap();
        assert!(started.elapsed() < Duration::from_millis(500));
        assert!(pieces.len() > 3, "{pieces:?}");
        let joined: String =
            pieces.iter().map(|c| if let Chunk::Text(t) = c { t.as_str() } else { "" }).collect();
        assert_eq!(joined, done.text());
        assert!(
            joined.contains("\"hi there\" (8 characters)") && joined.contains("openclaw models scan"),
            "{joined}"
        );
    }

    #[test]
    fn stops_when_cancelled() {
        let cancel = Cancel::new();
        let mut pieces = Vec::new();
        let stopped = stream(
            &ChatRequest {
                system: "",
                messages: &[],
                tools: &[],
                thinking: Thinking::Off,
                has_acted: false,
                wanted: None,
            },
            &cancel,
            &mut |chunk| {
                pieces.push(matches!(chunk, Chunk::Kept(_)));
                cancel.cancel(Reason::Rpc);
            },
        );
        assert_eq!((stopped.unwrap_err().kind, pieces), (Kind::Aborted, vec![false, true]));
    }
}
