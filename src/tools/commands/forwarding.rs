//! Chats are told of a command that waits, whole and in the gateway's own words, and of what became of it where they cannot
//! know: once each, by the journal of deliveries. On the thread that waits, `gw-ask-N`.
use super::asking::PATIENCE_MS;
use super::shown;
use super::wish::Wish;
use crate::approvals::left::{self, Left};
use crate::approvals::seal;
use crate::calls::Whom;
use crate::channels;
use crate::error::Result;
use crate::json::{Put, json};
use crate::parts::within;
use crate::tools::Context;
use serde_json::{Map, Value};

pub struct Request<'a> {
    pub context: &'a Context,
    pub wish: &'a Wish,
    pub sandbox: &'static str,
    pub id: &'a str,
    /// Where it runs, as people are told.
    pub host: &'a str,
}

/// A chat that was told: `channel`, `to`, `accountId`, `threadId`.
type Chat = Map<String, Value>;

impl Request<'_> {
    /// What people call it by.
    fn slug(&self) -> &str {
        within(self.id, 8)
    }

    /// Asks in these chats. Gives those that have it.
    pub fn forward(&self, chats: Vec<Chat>) -> Vec<Chat> {
        let mut told = Vec::new();
        for (n, chat) in chats.into_iter().enumerate() {
            let sent = self.message(n, chat.clone()).and_then(|params| self.send(params));
            match sent {
                Ok(_) => told.push(chat),
                Err(e) => {
                    log::warn!(target: "tools", "a command waits for approval, and a chat could not be told: {e}");
                }
            }
        }
        told
    }

    /// Who was told that it waits, and did not end that himself, is told that it does not any more.
    pub fn tell_end(&self, chats: &[Chat], answer: &Value) {
        let words = format!("{} ID: {}", words(answer), self.slug());
        let elsewhere = chats.iter().filter(|chat| !self.is_of(chat, answer));
        for (n, chat) in elsewhere.enumerate() {
            let mut params = chat.clone();
            params.put("message", words.as_str());
            params.put("plain", true);
            params.put("idempotencyKey", format!("{}{}-{n}", left::END, self.id));
            if let Err(e) = self.send(Value::Object(params)) {
                log::warn!(target: "tools", "a chat could not be told that a command does not wait any more: {e}");
            }
        }
    }

    /// Whether the decision was said in this chat, which has its answer there.
    fn is_of(&self, chat: &Chat, answer: &Value) -> bool {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let part = |name: &str| chat.get(name).and_then(Value::as_str).unwrap_or_default();
        let (channel, to) = (part("channel"), part("to"));
        let is_own =
            self.context.place.as_ref().is_some_and(|(login, place)| {
                (login.platform.as_str(), place.peer.as_str()) == (channel, to)
            });
        (is_own && text("resolvedIn") == self.context.session_key)
            || text("resolvedBy") == format!("Chat approval ({channel}:{to})")
            || text("resolvedIn").ends_with(&format!(":{to}"))
    }

    fn send(&self, params: Value) -> Result<Value> {
        let whom = Whom { name: "exec", scopes: &["operator.read", "operator.write"], run: None };
        (self.context.ask)(&whom, "send", params, &self.context.cancel)
    }

    /// The chat in which the turn was asked for, and those that the configuration names.
    pub fn chats(&self) -> Vec<Chat> {
        let config = &self.context.config;
        if config.get("approvals.exec.enabled") == Some(&Value::Bool(false)) {
            return Vec::new();
        }
        let is_left_out = |name: &str, of: &str| {
            let wanted = config.strings(name);
            !wanted.is_empty() && !wanted.iter().any(|part| of.contains(part))
        };
        if is_left_out("approvals.exec.agentFilter", &self.context.agent)
            || is_left_out("approvals.exec.sessionFilter", &self.context.session_key)
        {
            return Vec::new();
        }
        let mode = config.str("approvals.exec.mode").unwrap_or("session");
        let mut chats: Vec<Chat> = self.own().filter(|_| mode != "targets").into_iter().collect();
        let targets = config.get("approvals.exec.targets").and_then(Value::as_array).into_iter().flatten();
        chats.extend(targets.filter(|_| mode != "session").filter_map(target));
        chats
    }

    /// The chat in which the turn was asked for.
    fn own(&self) -> Option<Chat> {
        let (login, place) = self.context.place.as_ref()?;
        let mut to = Map::new();
        to.put("channel", login.platform.as_str());
        to.put("accountId", login.account.as_str());
        to.put("to", place.peer.as_str());
        place.thread.iter().for_each(|thread| to.put("threadId", thread.as_str()));
        Some(to)
    }

    /// For a start that finds that nobody has answered, or when it runs that nobody was told its end: `chats` have the
    /// request.
    pub fn write_down(&self, mut chats: Vec<Chat>, is_running: bool) {
        chats.extend(self.own().filter(|own| is_running && !chats.contains(own)));
        let left = Left {
            id: self.id.to_string(),
            session: self.context.session_key.clone(),
            command: self.wish.command.clone(),
            chats,
            is_running,
            provenance: self.context.provenance.name().to_string(),
        };
        if let Err(e) = left.write(&self.context.settings.env.state_dir) {
            log::warn!(target: "tools", "a command waits or runs of which a restart would not tell: {e}");
        }
    }

    fn message(&self, n: usize, mut to: Chat) -> Result<Value> {
        let slug = self.slug();
        let whole = shown::whole(self.wish);
        let (theirs, how) =
            whole.as_deref().map_or((shown::TOO_LONG, "Then reply"), |whole| (whole, "Reply"));
        let text = format!(
            "\u{1f512} Exec approval required\nID: {slug}\nAgent: {}\nHost: {}\nSandbox: {}\nLength: {} characters\nExpires in: {}s\n{how} with: /approve {slug} allow-once|allow-always|deny\n{theirs}",
            self.context.agent,
            self.host,
            self.sandbox,
            self.wish.command.chars().count(),
            PATIENCE_MS / 1000
        );
        let channel = to.get("channel").and_then(Value::as_str).and_then(channels::named);
        // Nobody allows by one touch what he cannot see.
        if whole.is_some() && channel.is_some_and(|channel| channel.has_buttons) {
            let button = |(text, what): (&str, &str)| -> Result<Value> {
                Ok(
                    json!({"text": text, "callback_data": (seal::sealed(&format!("/approve {slug} {what}"))?)}),
                )
            };
            let row = [("Allow once", "allow-once"), ("Always", "allow-always"), ("Deny", "deny")];
            let row: Vec<Value> = row.into_iter().map(button).collect::<Result<_>>()?;
            to.put("buttons", vec![Value::Array(row)]);
        }
        to.put("message", text);
        to.put("plain", true);
        to.put("idempotencyKey", format!("{}{}-{n}", seal::KEY, self.id));
        Ok(Value::Object(to))
    }
}

fn words(answer: &Value) -> String {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = match text("decision") {
        "allow-once" => "\u{2705} Exec approval allowed once.",
        "allow-always" => "\u{2705} Exec approval allowed always.",
        "deny" => "\u{274c} Exec approval denied.",
        _ => return "\u{23f1}\u{fe0f} Exec approval expired: nobody answered in time.".to_string(),
    };
    format!("{what} Resolved by {}.", crate::clean::one_line(text("resolvedBy")))
}

fn target(target: &Value) -> Option<Chat> {
    let text = |name: &str| target.get(name).and_then(Value::as_str);
    let mut to = Map::new();
    to.put("channel", text("channel")?);
    to.put("to", text("to")?);
    for name in ["accountId", "threadId"] {
        text(name).into_iter().for_each(|value| to.put(name, value));
    }
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn i13_o_the_end_of_a_wait_in_words() {
        for (answer, want) in [
            (json!({"decision": null}), "\u{23f1}\u{fe0f} Exec approval expired: nobody answered in time."),
            (
                json!({"decision": "allow-once", "resolvedBy": "a\nb"}),
                "\u{2705} Exec approval allowed once. Resolved by a b.",
            ),
            (
                json!({"decision": "deny", "resolvedBy": "cli"}),
                "\u{274c} Exec approval denied. Resolved by cli.",
            ),
        ] {
            assert_eq!(words(&answer), want);
        }
    }
}
