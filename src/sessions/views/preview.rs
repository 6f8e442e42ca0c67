//! Short views of a session for lists: preview items, a derived title, the last message. Read from the ends
//! of the transcript only; runs on the connection's thread.
use crate::clock;
use crate::error::Result;
use crate::files::regular;
use crate::json::json;
use crate::sessions::entry::Entry;
use crate::sessions::transcript::{Transcript, kind};
use crate::sessions::{envelope, line, message, repair, tags};
use crate::untrusted;
use serde_json::Value;
use std::io::Read;
use std::ops::ControlFlow;

/// Previews look at this much of the end of a transcript, titles at this much of its start, in bytes.
const PREVIEW_SCAN: usize = 1 << 20;
const TITLE_SCAN: u64 = 64 * 1024;
const TITLE_CHARS: usize = 60;
const LAST_MESSAGE_CHARS: usize = 240;

/// Whose eyes a view is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// They see what strangers wrote without its envelope.
    People,
    /// It must be able to tell what strangers wrote.
    Model,
}

/// One row of `sessions.preview`; `transcript` is `None` for an unknown session.
pub fn preview(
    key: &str,
    transcript: Option<&Transcript>,
    limit: Option<usize>,
    max_chars: Option<usize>,
    eyes: Eyes,
) -> Value {
    let limit = limit.unwrap_or(12).clamp(1, 50);
    let max_chars = max_chars.unwrap_or(240).clamp(20, 2000);
    let (status, items) =
        match transcript.filter(|t| t.path().exists()).map(|t| items(t, limit, max_chars, eyes)) {
            None => ("missing", Vec::new()),
            Some(Err(_)) => ("error", Vec::new()),
            Some(Ok(items)) if items.is_empty() => ("empty", items),
            Some(Ok(items)) => ("ok", items),
        };
    json!({"key": key, "status": status, "items": items})
}

fn items(transcript: &Transcript, limit: usize, max_chars: usize, eyes: Eyes) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut scanned = 0;
    transcript.walk_back(|entry, size| {
        scanned += size;
        items.extend(item(&entry, max_chars, eyes));
        if items.len() >= limit || scanned > PREVIEW_SCAN {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    items.reverse();
    Ok(items)
}

fn item(entry: &Value, max_chars: usize, eyes: Eyes) -> Option<Value> {
    let message = entry.get("message")?;
    let calls = repair::tool_calls(message);
    let role = match message::role(message) {
        "assistant" if !calls.is_empty() => "tool",
        role @ ("user" | "assistant" | "tool" | "system") => role,
        _ => "other",
    };
    let mut text = typed_text(entry, eyes);
    if text.is_empty() && !calls.is_empty() {
        let names: Vec<_> = calls.iter().map(|(_, name)| name.as_str()).collect();
        text = format!("call {}", names.join(", "));
    }
    (!text.is_empty()).then(|| json!({"role": role, "text": cut(&text, max_chars)}))
}

/// `displayName`, else `subject`, else the first user text cut to 60, else the id and the day.
pub fn derived_title(entry: &Entry, first_user_text: Option<&str>) -> Option<String> {
    if let Some(name) = ["displayName", "subject"].iter().find_map(|name| entry.str(name).map(str::trim)) {
        return Some(name.to_string());
    }
    let text =
        first_user_text.map(|t| t.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default();
    if !text.is_empty() {
        return Some(cut_at_word(&text));
    }
    let id: String = entry.session_id()?.chars().take(8).collect();
    let day: String = clock::iso(entry.updated_at()).chars().take(10).collect();
    Some(if entry.updated_at() > 0 { format!("{id} ({day})") } else { id })
}

/// The first thing a user wrote, without its envelope, if it stands near the start.
pub fn first_user_text(transcript: &Transcript, eyes: Eyes) -> Option<String> {
    let mut head = Vec::new();
    regular::read(transcript.path()).ok()??.take(TITLE_SCAN).read_to_end(&mut head).ok()?;
    let entries = head.split(|b| *b == b'\n').filter_map(line::value);
    let is_users = |entry: &Value| entry.get("message").is_some_and(|m| message::role(m) == "user");
    entries.filter(is_users).map(|entry| typed_text(&entry, eyes)).find(|text| !text.is_empty())
}

/// The text of the last message of user or assistant, without envelope, at most 240 characters.
pub fn last_message(transcript: &Transcript, eyes: Eyes) -> Option<String> {
    let mut last = None;
    let mut scanned = 0;
    let walked = transcript.walk_back(|entry, size| {
        scanned += size;
        let role = entry.get("message").map(message::role);
        let is_said = kind(&entry) == "message" && matches!(role, Some("user" | "assistant"));
        last = Some(&entry).filter(|_| is_said).map(|e| typed_text(e, eyes)).filter(|t| !t.is_empty());
        if last.is_some() || scanned > PREVIEW_SCAN {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    walked.ok().and(last).map(|text| cut(&text, LAST_MESSAGE_CHARS))
}

/// What an entry's message says. Of a user's, people see what somebody wrote: nothing of what the gateway asked itself or
/// noted before it, and no envelope. A model sees all that is in no envelope of the gateway's own.
pub(super) fn typed_text(entry: &Value, eyes: Eyes) -> String {
    let Some(message) = entry.get("message") else { return String::new() };
    let text = message::text_of(message);
    let text = match message::role(message) {
        "user" if eyes == Eyes::People && is_gateways(entry, &text) => return String::new(),
        "user" if eyes == Eyes::People => untrusted::shown(&envelope::own_words(&text)),
        "user" => envelope::strip(&text),
        "assistant" => tags::shown(text),
        _ => text,
    };
    text.trim().to_string()
}

/// Whether the gateway asked this itself. The Node gateway marks nothing; what it wrote is known by its words.
fn is_gateways(entry: &Value, text: &str) -> bool {
    let is_old = entry.get("runId").is_none();
    let is_prompt = || text.contains("[cron:") || text.contains("HEARTBEAT_OK");
    entry.get(message::ASKED_BY).is_some() || (is_old && is_prompt())
}

fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_string();
    }
    let head: String = text.chars().take(max_chars.saturating_sub(3)).collect();
    format!("{head}...")
}

fn cut_at_word(text: &str) -> String {
    if text.chars().count() <= TITLE_CHARS {
        return text.to_string();
    }
    let head: String = text.chars().take(TITLE_CHARS - 1).collect();
    let word_end = head.rfind(' ').filter(|at| *at > TITLE_CHARS / 2).and_then(|at| head.get(..at));
    format!("{}…", word_end.unwrap_or(&head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn previews_show_the_newest_items() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        assert_eq!(
            preview("k", Some(&t), None, None, Eyes::People),
            json!({"key": "k", "status": "missing", "items": []})
        );
        t.append(&[]).unwrap();
        assert_eq!(preview("k", Some(&t), None, None, Eyes::People)["status"], "empty");
        let call = json!({"type": "toolCall", "id": "c", "name": "read", "arguments": {}});
        t.append(&[
            message::user_text(&envelope::with_message_id(&envelope::stamp("hello", 0, None), "k"), 1),
            json!({"type": "message", "message": {"role": "assistant", "content": [call]}}),
            message::tool_result("c", "read", &"x".repeat(50), false, 1),
            message::injected("fine", None, 1),
        ])
        .unwrap();
        let want = json!([{"role": "user", "text": "hello"}, {"role": "tool", "text": "call read"},
            {"role": "other", "text": format!("{}...", "x".repeat(17))}, {"role": "assistant", "text": "fine"}]);
        assert_eq!(preview("k", Some(&t), None, Some(20), Eyes::People)["items"], want);
        assert_eq!(preview("k", Some(&t), Some(1), None, Eyes::People)["items"].as_array().unwrap().len(), 1);
        assert_eq!(first_user_text(&t, Eyes::People).as_deref(), Some("hello"));
        assert_eq!(last_message(&t, Eyes::People).as_deref(), Some("fine"));
    }

    /// SEC-34: in lists too.
    #[test]
    fn sec_34_lists_show_envelopes_to_models_only() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        t.append(&[message::user_text(&untrusted::wrap("a webhook", "hello").unwrap(), 1)]).unwrap();
        let seen = |eyes| {
            let items = preview("k", Some(&t), None, Some(2000), eyes)["items"][0]["text"].clone();
            let rest = [first_user_text(&t, eyes), last_message(&t, eyes)].into_iter().flatten();
            rest.chain(items.as_str().map(str::to_string)).collect::<Vec<_>>()
        };
        assert_eq!(seen(Eyes::People), ["hello"; 3]);
        let models = seen(Eyes::Model);
        assert!(models.len() == 3 && models.iter().all(|text| text.contains("UNTRUSTED")), "{models:?}");
    }

    /// Issue 12.1: in lists, previews and searches people see what somebody wrote, models all.
    #[test]
    fn i12_1_lists_show_the_users_own_words() {
        let dir = TestDir::new();
        let t = Transcript::at(&dir.0, "a").unwrap();
        let entry = |text: &str, run: &str, by: Option<&str>| {
            let mut entry = message::of_run(message::user_text(text, 1), run);
            by.into_iter().for_each(|by| entry[message::ASKED_BY] = by.into());
            entry
        };
        let noted =
            envelope::note("The oven is hot", 0, None) + "\n" + &envelope::stamp("HEARTBEAT_OK?", 0, None);
        let old = message::user_text("Read HEARTBEAT.md. Else answer HEARTBEAT_OK.", 1);
        t.append(&[
            old,
            entry("Look around", "a", Some("heartbeat")),
            entry(&noted, "b", None),
            entry("Job", "c", Some("cron")),
        ])
        .unwrap();
        let (people, models) = (Eyes::People, Eyes::Model);
        assert_eq!(first_user_text(&t, people).as_deref(), Some("HEARTBEAT_OK?"));
        assert_eq!(last_message(&t, people).as_deref(), Some("HEARTBEAT_OK?"));
        let items = |eyes| preview("k", Some(&t), None, None, eyes)["items"].as_array().unwrap().len();
        assert_eq!((items(people), items(models)), (1, 4));
        assert_eq!(last_message(&t, models).as_deref(), Some("Job"));
    }

    #[test]
    fn titles_fall_back_in_order() {
        let mut entry = Entry::new("12345678-aaaa", 1_795_224_708_236);
        let check = |entry: &Entry, text: Option<&str>, want: &str| {
            assert_eq!(derived_title(entry, text).unwrap(), want)
        };
        check(&entry, None, "12345678 (2026-11-21)");
        check(&entry, Some(" a\n b "), "a b");
        check(&entry, Some(&"word ".repeat(20)), &format!("{}…", ["word"; 11].join(" ")));
        entry.set("subject", "S");
        check(&entry, Some("a"), "S");
        entry.set("displayName", "D");
        check(&entry, Some("a"), "D");
    }
}
