//! `wake`, `set-heartbeats`, `last-heartbeat`, and how a heartbeat begins: one turn in the agent's session, with what is noted
//! there, whose words are judged at its end (`runs/beating.rs`). On the state thread, by `Shared::beat`.
//!
//! Nobody is there who could be asked: it is the clock's work (`Provenance::Cron`), and where a webhook is among what it is
//! to look at, a webhook's (SEC-34).
use super::asking::{Own, time_line};
use super::cron_made::charge;
use super::destination::{Named, address, last_channel};
use super::local;
use crate::agent::brought::Brought;
use crate::calls::{Call, Provenance};
use crate::channels::accounts::Account;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::heartbeat::{Beat, Rules, Shows, event};
use crate::ids;
use crate::json::json;
use crate::logging::quoted;
use crate::runs::origin::{Address, HEARTBEAT};
use crate::runs::{Beating, Observer, Observers, Wishes};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::heartbeat::Wish;
use serde_json::Value;

/// Longest note kept, in bytes.
const MAX_TEXT: usize = 4000;

pub fn last(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    Ok(Answer::Now(state.heart.kept.last.clone().unwrap_or_default().into()))
}

pub fn set(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let enabled = params.get("enabled").and_then(Value::as_bool);
    let enabled =
        enabled.ok_or_else(|| Error::invalid("invalid set-heartbeats params: enabled (boolean) required"))?;
    state.switch_beats(enabled);
    Ok(Answer::Now(json!({"ok": true, "enabled": enabled}).into()))
}

pub fn wake(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let text = params.get("text").and_then(Value::as_str).unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(Answer::Now(json!({"ok": false}).into()));
    }
    let is_now = params.get("mode").and_then(Value::as_str) == Some("now");
    if is_now {
        charge(state, &call)?;
    }
    state.add_call(None, crate::parts::within(text, MAX_TEXT).to_string(), Provenance::Cron);
    if is_now {
        state.wake_all("wake");
    }
    Ok(Answer::Now(json!({"ok": true}).into()))
}

/// Begins one in the session of this key.
pub fn begin(state: &mut State, key: &str, wish: &Wish) {
    if let Err(e) = begin_one(state, key, wish) {
        log::warn!(target: "gateway/heartbeat", "the heartbeat of {} did not begin: {e}; what is noted is told with the next message", quoted(key));
        let rules = Rules {
            shows: Shows { ok: false, alerts: true, indicator: true },
            ack_max: 0,
            nowhere: None,
            is_called: false,
        };
        state.tell_beat(event(&rules.failed(&e), rules.shows, wish.reason, state.now, 0, None));
    }
}

fn begin_one(state: &mut State, key: &str, wish: &Wish) -> Result<()> {
    let config = state.shared.config();
    let beat = Beat::of(&config, &wish.agent);
    let called = state.called(key);
    let (to, nowhere) = match place(state, &beat, key) {
        Ok(to) => (Some(to), None),
        Err(why) => (None, Some(why)),
    };
    let shows = shows(&config, to.as_ref());
    if shows.is_nothing() {
        let place = to.as_ref().map(|to| [&*to.channel, &*to.account, &*to.peer]);
        state.skip_beat("alerts-disabled", place);
        return Ok(());
    }
    let message = format!("{}\n{}", beat.prompt(called.is_some()), time_line(state));
    let whose = if called == Some(Provenance::Hook) { Provenance::Hook } else { wish.whose };
    let mut observers = Observers::readers();
    observers.add(Observer::Beat(Box::new(Beating {
        rules: Rules { shows, ack_max: beat.ack_max(), nowhere, is_called: called.is_some() },
        why: wish.reason.to_string(),
        to,
        before: state.sessions.get(key).map(|entry| entry.updated_at()),
        began: state.mono,
        reasoning: beat.includes_reasoning().then(String::new),
    })));
    let (caller, id) = (local::inside("heartbeat", whose), format!("heartbeat-{}", ids::uuid()?));
    let own = Own { surface: &HEARTBEAT, whose, caller, method: "heartbeat", id, session: key, message };
    let brought = Brought::model(beat.text("model").map(str::to_string));
    own.ask(state, Wishes { brought, ..Wishes::default() }, observers)
}

/// Where its words go, or why nowhere.
fn place(state: &State, beat: &Beat, key: &str) -> std::result::Result<Address, &'static str> {
    let text = |name: &str| beat.text(name).map(str::to_string);
    let channel = match beat.target() {
        "none" => return Err("target-none"),
        "last" => last_channel(state, key),
        channel => Some(channel.to_lowercase()),
    };
    let wanted = |account: Option<String>| {
        let named = Named { channel: channel.clone(), to: text("to"), account, thread: None };
        address(state, named, key).ok()
    };
    let account = text("accountId");
    match wanted(account.clone()) {
        Some(to) => Ok(to),
        None if account.is_some() && wanted(None).is_some() => Err("unknown-account"),
        None => Err("no-target"),
    }
}

/// What is shown there: as the account says, else its channel, else all.
fn shows(config: &Config, to: Option<&Address>) -> Shows {
    let Some(to) = to else { return Shows { ok: false, alerts: true, indicator: true } };
    let own = Account::of(config, &to.channel, &to.account).set("heartbeat").map(|(value, _)| value);
    Shows::of(config, &[own, config.get_in(&["channels", &to.channel, "heartbeat"])])
}
