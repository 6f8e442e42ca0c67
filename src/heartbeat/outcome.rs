//! What becomes of a heartbeat's answer: whether it is sent, and as what it is told (`heartbeat` events, `last-heartbeat`).
//! Pure.
use super::Shows;
use super::ack::{self, Said};
use crate::error::Error;
use crate::json::{Put, json};
use crate::parts::Parts;
use crate::sessions::{Entry, tags};
use serde_json::{Map, Value};

/// How long an answer is not said again, milliseconds.
const AGAIN: u64 = 24 * 60 * 60 * 1000;
/// Characters of an answer that events show.
const PREVIEW: usize = 200;

/// By what an answer is judged.
#[derive(Debug, Clone)]
pub struct Rules {
    pub shows: Shows,
    pub ack_max: usize,
    /// Why it can be sent nowhere, if it can not.
    pub nowhere: Option<&'static str>,
    /// Something was noted for the agent: what it says of that is no repetition.
    pub is_called: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deed {
    pub status: &'static str,
    pub reason: Option<String>,
    pub preview: Option<String>,
    pub send: Option<String>,
    /// These words are known as said from now on.
    pub is_news: bool,
    /// It was as if nobody had looked: the session is as old as before.
    pub is_quiet: bool,
}

impl Rules {
    /// Whether an answer tells nothing.
    pub fn is_quiet(&self, answer: &str) -> bool {
        !matches!(ack::read(answer, self.ack_max), Said::Words(_)) && !has_media(answer)
    }

    pub fn failed(&self, error: &Error) -> Deed {
        Deed { status: "failed", reason: Some(error.message().to_string()), ..Deed::default() }
    }

    /// `entry` is that of the session.
    pub fn judge(&self, answer: &str, entry: &Entry, now: u64) -> Deed {
        let words = match ack::read(answer, self.ack_max) {
            Said::Words(words) => words,
            Said::Ok if has_media(answer) => answer.replace(ack::TOKEN, "").trim().to_string(),
            said => {
                let status = if said == Said::Ok { "ok-token" } else { "ok-empty" };
                let send = (self.shows.ok && self.nowhere.is_none()).then(|| ack::TOKEN.to_string());
                return Deed { status, send, is_quiet: true, ..Deed::default() };
            }
        };
        let preview = Some(words.chars().take(PREVIEW).collect());
        let skipped = |reason: &str, is_quiet: bool| Deed {
            status: "skipped",
            reason: Some(reason.to_string()),
            preview: preview.clone(),
            is_quiet,
            ..Deed::default()
        };
        let said_before = entry.str("lastHeartbeatText").is_some_and(|text| text.trim() == words);
        let said_at = entry.get("lastHeartbeatSentAt").and_then(Value::as_u64);
        let is_recent = said_at.is_some_and(|at| now.saturating_sub(at) < AGAIN);
        if said_before && is_recent && !self.is_called && !has_media(&words) {
            return skipped("duplicate", true);
        }
        match self.nowhere {
            Some(why) => skipped(why, false),
            None if !self.shows.alerts => skipped("alerts-disabled", true),
            None => Deed { status: "sent", preview, send: Some(words), is_news: true, ..Deed::default() },
        }
    }
}

/// Files are sent with it.
fn has_media(text: &str) -> bool {
    !tags::files(text.to_string()).1.is_empty()
}

/// A heartbeat as it is told. `place` is channel, account and peer; what is not there is left out.
pub fn event(deed: &Deed, shows: Shows, why: &str, now: u64, took: u64, place: Option<[&str; 3]>) -> Value {
    let mut told = Map::new();
    told.put("ts", now);
    told.put("status", deed.status);
    let reason = deed.reason.as_deref().unwrap_or(why);
    // Who was told has no need of a reason.
    if deed.status != "sent" {
        told.put("reason", reason);
    }
    told.put("durationMs", took);
    if let Some(preview) = &deed.preview {
        told.put("preview", preview.as_str());
        told.put("hasMedia", has_media(preview));
    }
    if let Some([channel, account, peer]) = place {
        told.put("channel", channel);
        told.put("accountId", account);
        if deed.send.is_some() {
            told.put("to", format!("{channel}:{peer}"));
        }
    }
    let is_ok = deed.status.head(2) == "ok";
    if is_ok {
        told.put("silent", deed.send.is_none());
    }
    let indicator = match deed.status {
        "failed" => Some("error"),
        "sent" => Some("alert"),
        _ if is_ok => Some("ok"),
        _ => None,
    };
    if let Some(indicator) = indicator.filter(|_| shows.indicator) {
        told.put("indicatorType", indicator);
    }
    json!(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let shows = Shows { ok: false, alerts: true, indicator: true };
        Rules { shows, ack_max: 300, nowhere: None, is_called: false }
    }

    fn told_before(at: u64) -> Entry {
        let mut entry = Entry::new("s", 0);
        entry.set("lastHeartbeatText", "The cellar is wet.");
        entry.set("lastHeartbeatSentAt", at);
        entry
    }

    #[test]
    fn i13_2_answers_become_what_the_original_makes_of_them() {
        let (now, none) = (10 * AGAIN, Entry::default());
        let of = |rules: &Rules, answer: &str| {
            let deed = rules.judge(answer, &none, now);
            (deed.status, deed.reason.unwrap_or_default(), deed.send.unwrap_or_default(), deed.is_quiet)
        };
        let row =
            |status, reason: &str, send: &str, quiet| (status, reason.to_string(), send.to_string(), quiet);
        assert_eq!(of(&rules(), "HEARTBEAT_OK all quiet"), row("ok-token", "", "", true));
        assert_eq!(of(&rules(), "NO_REPLY"), row("ok-empty", "", "", true));
        assert_eq!(of(&rules(), "It burns"), row("sent", "", "It burns", false));
        let shown = Rules { shows: Shows { ok: true, ..rules().shows }, ..rules() };
        assert_eq!(of(&shown, "HEARTBEAT_OK"), row("ok-token", "", "HEARTBEAT_OK", true));
        let hidden = Rules { shows: Shows { alerts: false, ..rules().shows }, ..rules() };
        assert_eq!(of(&hidden, "It burns"), row("skipped", "alerts-disabled", "", true));
        let nowhere = Rules { nowhere: Some("no-target"), ..shown };
        assert_eq!(of(&nowhere, "It burns"), row("skipped", "no-target", "", false));
        assert_eq!(of(&nowhere, "HEARTBEAT_OK"), row("ok-token", "", "", true));
        let picture = "HEARTBEAT_OK\nMEDIA:/tmp/a.png";
        assert_eq!(of(&rules(), picture), row("sent", "", "MEDIA:/tmp/a.png", false));
        assert!(!rules().is_quiet(picture) && rules().is_quiet("**HEARTBEAT_OK**"));
        for none in ["HEARTBEAT_OK\nMEDIA: none", "MEDIA: none\nHEARTBEAT_OK"] {
            assert_eq!(of(&rules(), none), row("ok-token", "", "", true), "{none}");
        }
    }

    #[test]
    fn i13_2_the_same_words_are_not_said_twice_in_a_day_unless_something_came_in() {
        let now = 10 * AGAIN;
        let again =
            |rules: &Rules, at: u64| rules.judge(" The cellar is wet.\n", &told_before(at), now).status;
        assert_eq!(again(&rules(), now - AGAIN + 1), "skipped");
        assert_eq!(again(&rules(), now - AGAIN), "sent");
        assert_eq!(again(&Rules { is_called: true, ..rules() }, now - 1), "sent");
        assert_eq!(rules().judge("Other words", &told_before(now), now).status, "sent");
    }

    #[test]
    fn i13_2_events_have_the_members_that_clients_know() {
        let deed = rules().judge("It burns", &Entry::default(), 5);
        let sent = event(&deed, rules().shows, "interval", 9, 4, Some(["telegram", "default", "4242"]));
        let want = serde_json::json!({"ts": 9, "status": "sent", "durationMs": 4, "preview": "It burns", "hasMedia": false,
            "channel": "telegram", "accountId": "default", "to": "telegram:4242", "indicatorType": "alert"});
        assert_eq!(sent, want);
        let ok = event(
            &rules().judge("HEARTBEAT_OK", &Entry::default(), 5),
            rules().shows,
            "interval",
            9,
            4,
            None,
        );
        let want = serde_json::json!({"ts": 9, "status": "ok-token", "reason": "interval", "durationMs": 4, "silent": true, "indicatorType": "ok"});
        assert_eq!(ok, want);
    }
}
