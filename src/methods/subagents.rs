//! Subagents begin, and whoever asked for one is told of its end. No methods of the table: the tool `sessions_spawn`, the
//! command `/subagents send` and the state thread ask.
//!
//! A subagent works as another agent does, never on the owner's authority, and so does the turn that tells of its end: both
//! read what others wrote (SEC-34). Who asked for it on less has it work on that.
use super::asking::{Own, thinking};
use super::destination::{Named, address};
use super::local;
use crate::calls::{Call, Caller, Provenance, Reply};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{Put, json};
use crate::models::provider::Thinking;
use crate::params::{params, read};
use crate::runs::origin::{ANNOUNCE, Address, Origin, SUBAGENT};
use crate::runs::{Ask, Observer, Observers, Part, Wishes};
use crate::slash::queue;
use crate::state::State;
use crate::state::event::Answer;
use crate::subagents::{Child, number, text, words};
use serde_json::{Map, Value};
use std::sync::Arc;

const MINUTE: u64 = 60_000;

params! {
    struct Spawn {
        task: String,
        label: Option<String>,
        child_session_key: String,
        run_id: String,
        model: Option<String>,
        thinking: Option<String>,
        run_timeout_seconds: Option<u64>,
        cleanup: Option<String>,
    }
}

/// Answers when the subagent's turn is accepted, as the method `agent` does.
pub fn spawn(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let asked: Spawn = read(params)?;
    let run = call.caller.run.as_deref().unwrap_or_default();
    let over = || Error::invalid("only a turn of an agent that goes on can start a subagent");
    let requester = state.runs.session_of(run).ok_or_else(over)?.to_string();
    let whose = state.runs.provenance_of(run).filter(|whose| !whose.is_own());
    let origin = state.runs.address_of(run).map(
        |to| json!({"channel": to.channel, "to": to.peer, "accountId": to.account, "threadId": to.thread}),
    );
    let mut child = Map::new();
    child.put("runId", asked.run_id);
    child.put("childSessionKey", state.sessions.rules().canonical(&asked.child_session_key)?);
    child.put("requesterSessionKey", requester.as_str());
    child.put("requesterDisplayKey", requester);
    child.put("task", asked.task);
    child.put("cleanup", asked.cleanup.as_deref().unwrap_or("keep"));
    let given = [
        ("requesterOrigin", origin),
        ("label", asked.label.map(Value::from)),
        ("model", asked.model.map(Value::from)),
        ("runTimeoutSeconds", asked.run_timeout_seconds.map(Value::from)),
        // Our own: the original has no such difference.
        ("provenance", whose.map(|whose| whose.name().into())),
    ];
    given.into_iter().for_each(|(name, value)| value.into_iter().for_each(|value| child.put(name, value)));
    begin(state, call, child, thinking(asked.thinking.as_deref(), "thinking")?)
}

/// Another task for a subagent that there is, by a person.
pub fn send(state: &mut State, run: &str, message: &str) -> Result<()> {
    let known = state.subagents.book.get(run).cloned();
    let mut child = known.ok_or_else(|| Error::not_found("there is no such subagent"))?;
    for ended in
        ["endedAt", "outcome", "findings", "cleanupHandled", "cleanupCompletedAt", "announceRetryCount"]
    {
        child.remove(ended);
    }
    let id = ids::uuid()?;
    child.put("runId", id.as_str());
    child.put("task", message);
    let caller = Arc::new(local::inside("subagents", provenance(&child)));
    begin(state, Call { caller, id, method: "agent", reply: Reply::Nobody }, child, None).map(drop)
}

fn provenance(child: &Child) -> Provenance {
    child.get("provenance").and_then(Value::as_str).map_or(Provenance::Agent, Provenance::named)
}

/// Asks for the turn, and writes the subagent down.
fn begin(state: &mut State, reply: Call, mut child: Child, thinking: Option<Thinking>) -> Result<Answer> {
    if state.subagents.book.is_full() {
        return Err(Error::unavailable("too many subagents are at work: wait for some to end"));
    }
    let keep = state.shared.config().u64("agents.defaults.subagents.archiveAfterMinutes").unwrap_or(60);
    child.put("createdAt", state.now);
    child.put("startedAt", state.now);
    child.put("archiveAtMs", state.now.saturating_add(keep.saturating_mul(MINUTE)));
    let run = text(&child, "runId").to_string();
    let wishes = Wishes {
        timeout_ms: number(&child, "runTimeoutSeconds").map(|seconds| seconds.saturating_mul(1000)),
        extra_system: Some(words::briefing(&child)),
        label: Some(text(&child, "label").to_string()).filter(|label| !label.is_empty()),
        entry: entry(&child, thinking),
        is_plain: true,
        ..Wishes::default()
    };
    let mut observers = Observers::readers();
    observers.add(Observer::Part(Part::Child, run.clone()));
    let origin = Origin::client(&SUBAGENT, provenance(&child));
    let (key, task) = (text(&child, "childSessionKey").to_string(), text(&child, "task").to_string());
    let ask = Ask { id: run.clone(), wishes, observers, ..Ask::unasked(origin, key, task, reply) };
    let taken = state.ask(ask).inspect_err(|_| state.runs.forget_family(&run))?;
    state.child_begins(child);
    Ok(taken.into())
}

/// What its session is told of it.
fn entry(child: &Child, thinking: Option<Thinking>) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.put("spawnedBy", text(child, "requesterSessionKey"));
    if let Some((provider, model)) = text(child, "model").split_once('/') {
        entry.put("providerOverride", provider);
        entry.put("modelOverride", model);
    }
    if let Some(thinking) = thinking {
        entry.put("thinkingLevel", thinking.name());
    }
    entry
}

/// Has the session that asked for a subagent told of its end: a turn of its agent, whose last words go where it was asked.
pub fn announce(state: &mut State, run: &str) -> Result<()> {
    let Some(child) = state.subagents.book.get(run).cloned() else { return Ok(()) };
    let requester = text(&child, "requesterSessionKey").to_string();
    state.sessions.owner(&requester)?;
    let spent = state.sessions.get(text(&child, "childSessionKey"));
    let tokens = spent.and_then(|entry| {
        let of = |name: &str| entry.get(name).and_then(Value::as_u64);
        Some(of("inputTokens")? + of("outputTokens")?)
    });
    let message = words::announcement(&child, tokens)?;
    let mut observers = Observers::readers();
    observers.add(Observer::Part(Part::Told, run.to_string()));
    observers.deliver(place(state, &child, &requester));
    let (whose, id) = (provenance(&child), words::announcement_id(&child));
    let caller = Caller { run: Some(run.to_string()), ..local::inside("subagents", whose) };
    let together = queue::Change { mode: Some("collect"), ..queue::Change::default() };
    let wishes = Wishes { is_again: true, queue: Some(together), ..Wishes::default() };
    let own = Own { surface: &ANNOUNCE, whose, caller, method: "agent", id, session: &requester, message };
    own.ask(state, wishes, observers)
}

/// Where it was asked for, if that is a chat of a channel.
fn place(state: &State, child: &Child, requester: &str) -> Option<Address> {
    let origin = child.get("requesterOrigin")?.as_object()?;
    let of = |name: &str| match origin.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let to = Some(of("to")?);
    let named = Named { channel: of("channel"), to, account: of("accountId"), thread: of("threadId") };
    address(state, named, requester).ok()
}
