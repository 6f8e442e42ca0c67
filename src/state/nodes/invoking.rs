//! Telling a node what to do, and its answer: `node.invoke` and what goes by it. Part of `State`, on the state thread, which
//! puts an answer together from texts that the node's own thread has made ready.
//!
//! Each command ends once: with the node's answer, at its deadline, or with the node's connection. An answer that comes
//! later, a second time, or from another connection than was asked, is passed over.
use super::known::Repeated;
use super::left::Gone;
use crate::calls::{Call, Party, Question};
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::{Put, json};
use crate::logging::quoted;
use crate::nodes::allowed::{Platform, Rules};
use crate::nodes::asleep::may_wait;
use crate::params::params;
use crate::protocol::events;
use crate::protocol::frame::{self, Payload};
use crate::state::State;
use crate::state::event::Answer;
use serde_json::{Map, Value};
use std::sync::Arc;

/// How long an answer is waited for where nobody says, and at most: an hour.
const PATIENCE_MS: u64 = 30_000;
const MOST_MS: u64 = 3_600_000;
/// Commands that nobody may be waiting for any more.
const MOST: usize = 1024;

/// What who asked is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Node, command and what it gave.
    Whole,
    /// What it gave.
    Payload,
}

/// A command for a node.
pub struct Told {
    pub node: String,
    pub command: String,
    /// JSON.
    pub params: Option<String>,
    pub timeout_ms: Option<u64>,
    /// The idempotency key, and the hash of all else.
    pub key: String,
    pub hash: String,
    pub shape: Shape,
    /// Of a command for its shell: its name, and the session that asks.
    pub run: Option<(String, Option<String>)>,
}

pub(super) struct Invoke {
    node: String,
    conn: u64,
    command: String,
    key: String,
    shape: Shape,
    run: Option<(String, Option<String>)>,
    /// Of what may wait for a phone to be looked at.
    again: Option<Option<String>>,
    deadline: u64,
}

params! {
    /// A node's answer, as its own thread has made it ready.
    pub struct Given {
        pub id: String,
        pub ok: bool,
        /// JSON texts: the payload, and the same as a text if it came as one.
        pub payload: String,
        pub quoted: String,
        pub code: Option<String>,
        pub message: Option<String>,
    }
}

impl State {
    pub fn invoke(&mut self, call: Call, told: Told) -> Result<Answer> {
        let deadline = self.mono + told.timeout_ms.unwrap_or(PATIENCE_MS).min(MOST_MS);
        let asked =
            |id: &str, conn| Question { id: id.to_string(), party: Party::Conn(conn), deadline, call };
        match self.nodes.known.look(&told.key, &told.hash, self.mono)? {
            Repeated::Answered(answer) => return answer.map(Answer::Now),
            Repeated::Open(id) => {
                let conn = self.nodes.invokes.get(&id).map_or(0, |invoke| invoke.conn);
                return self.nodes.asked.ask(asked(&id, conn)).map(|()| Answer::Later);
            }
            Repeated::No => {}
        }
        let conn = self.told_on(&told.node, &told.command)?;
        if self.nodes.invokes.len() >= MOST {
            return Err(Error::unavailable("too many commands of nodes are open; wait for some to end"));
        }
        let id = ids::uuid()?;
        self.nodes.asked.ask(asked(&id, conn))?;
        let event = request(&id, &told);
        log::info!(target: "gateway/nodes", "invoke node={} command={} id={id}", quoted(&told.node), quoted(&told.command));
        let Told { node, command, key, hash, shape, run, params, .. } = told;
        let is_phone = self.nodes.link(&node).is_some_and(|link| link.about.kind() == Platform::Ios);
        let again = (is_phone && may_wait(&command)).then_some(params);
        self.nodes.known.add(key.clone(), hash, id.clone(), self.mono);
        self.nodes.invokes.insert(id, Invoke { node, conn, command, key, shape, run, again, deadline });
        let text = frame::event(events::NODE_INVOKE.name, &event);
        self.clients.send(conn, &events::NODE_INVOKE, Arc::new(text.into()));
        Ok(Answer::Later)
    }

    /// The newest connection of a node that may be told this, or why there is none.
    fn told_on(&self, node: &str, command: &str) -> Result<u64> {
        let links = self.nodes.links.get(node).map(Vec::as_slice).unwrap_or_default();
        let Some(newest) = links.last() else {
            return Err(Error::unavailable("node not connected").with("code", "NOT_CONNECTED"));
        };
        let rules = Rules::of(&self.shared.config());
        let able = links.iter().rev().find(|link| link.about.refusal(&rules, command).is_none());
        able.map(|link| link.conn).ok_or_else(|| {
            let why = newest.about.refusal(&rules, command).unwrap_or_default();
            let fix = match why {
                "command not allowlisted" if rules.denies(command) => "gateway.nodes.denyCommands names it",
                "command not allowlisted" => "allow it by gateway.nodes.allowCommands",
                _ => "the node does not offer it",
            };
            Error::invalid(format!("node command not allowed: {command}: {fix}"))
                .with("reason", why)
                .with("command", command)
        })
    }

    /// A node's answer; `false` when nobody has asked that of this connection, or no longer.
    pub fn invoke_answered(&mut self, conn: u64, given: Given) -> bool {
        match self.nodes.invokes.get(&given.id) {
            Some(invoke) if invoke.conn == conn => {}
            Some(_) => {
                log::warn!(target: "gateway/nodes", "conn={conn} answers what another node was asked; ignored");
                return false;
            }
            None => return false,
        }
        let id = given.id.clone();
        let Some(invoke) = self.nodes.invokes.remove(&id) else { return false };
        let size = given.payload.len() + given.quoted.len();
        let answer = if given.ok { Ok(invoke.payload(given)) } else { Err(self.failed(&invoke, given)) };
        if self.answer_invoke(&id, conn, &answer, size) == 0 {
            self.leave_run(invoke);
        }
        true
    }

    /// Tells all who asked; gives how many did.
    fn answer_invoke(&mut self, id: &str, conn: u64, answer: &Result<Payload>, size: usize) -> usize {
        self.nodes.known.settle(id, answer, size);
        let asked = self.nodes.asked.answer(id, Party::Conn(conn)).unwrap_or_default();
        asked.iter().for_each(|question| question.call.answer(answer.clone()));
        asked.len()
    }

    /// What the node says went wrong; a command that it can do when it is looked at again waits until then.
    fn failed(&mut self, invoke: &Invoke, given: Given) -> Error {
        let mut said = Map::new();
        given.code.iter().for_each(|code| said.put("code", code.as_str()));
        given.message.iter().for_each(|message| said.put("message", message.as_str()));
        let sleeps = "NODE_BACKGROUND_UNAVAILABLE";
        let is_asleep = [&given.code, &given.message].into_iter().flatten().any(|text| text.contains(sleeps));
        if let (true, Some(params)) = (is_asleep, &invoke.again) {
            let kept =
                self.nodes.asleep.keep(&invoke.node, &invoke.command, params.clone(), &invoke.key, self.now);
            return kept.map_or_else(
                |full| full,
                |queued| {
                    Error::unavailable("node command queued until iOS returns to foreground")
                        .with("code", "QUEUED_UNTIL_FOREGROUND")
                        .with("queuedActionId", queued)
                        .with("nodeId", invoke.node.as_str())
                        .with("command", invoke.command.as_str())
                        .with("nodeError", Value::Object(said))
                },
            );
        }
        let message = given.message.filter(|text| !text.is_empty());
        let message = message.unwrap_or_else(|| "node invoke failed".to_string());
        Error::new(Kind::Unavailable, message).with("nodeError", Value::Object(said))
    }

    /// Ends those whose time is up; says when the next is.
    pub(in crate::state) fn expire_invokes(&mut self) -> Option<u64> {
        let mono = self.mono;
        for question in self.nodes.asked.expire(mono) {
            question.call.answer(Err(late()));
        }
        let due = self.nodes.invokes.iter().filter(|(_, invoke)| invoke.deadline <= mono);
        for id in due.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            let Some(invoke) = self.nodes.invokes.remove(&id) else { continue };
            self.answer_invoke(&id, invoke.conn, &Err(late()), 0);
            self.leave_run(invoke);
        }
        let open = self.nodes.invokes.values().map(|invoke| invoke.deadline).min();
        open.into_iter().chain(self.nodes.asked.next_deadline()).min()
    }

    /// A connection is gone, or a thread that asked: what it asked goes on, what it was asked has failed.
    pub(in crate::state) fn forget_invokes(&mut self, conn: u64) {
        let unanswered = self.nodes.asked.leave(conn);
        let lost = self.nodes.invokes.iter().filter(|(_, invoke)| invoke.conn == conn);
        for id in lost.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            let Some(invoke) = self.nodes.invokes.remove(&id) else { continue };
            let gone = Error::unavailable(format!("node disconnected ({})", invoke.command));
            let gone = Err(gone.with("code", "NODE_DISCONNECTED"));
            self.nodes.known.settle(&id, &gone, 0);
            unanswered.iter().filter(|q| q.id == id).for_each(|q| q.call.answer(gone.clone()));
            self.leave_run(invoke);
        }
    }

    /// Nobody waits for the end of this command any more: the node's own event tells of it.
    fn leave_run(&mut self, invoke: Invoke) {
        if let Some((run, session)) = invoke.run {
            self.nodes.left.add(Gone { node: invoke.node, run, session });
        }
    }

    /// The command of a node's shell whose end nobody was told of yet, if this is one.
    pub fn left_run(&mut self, node: &str, run: &str, is_over: bool) -> Option<Option<String>> {
        let session = self.nodes.left.find(node, run)?.session.clone();
        if is_over {
            self.nodes.left.take(node, run);
        }
        Some(session)
    }
}

impl Invoke {
    fn payload(&self, given: Given) -> Payload {
        if self.shape == Shape::Payload {
            return Payload::Text(given.payload.into());
        }
        let (node, command) = (json!(self.node), json!(self.command));
        let Given { payload, quoted, .. } = given;
        let mut text = String::with_capacity(payload.len() + quoted.len() + 256);
        let parts = [r#"{"ok":true,"nodeId":"#, &node.to_string(), r#","command":"#, &command.to_string()];
        parts.iter().for_each(|part| text.push_str(part));
        [r#","payload":"#, &payload, r#","payloadJSON":"#, &quoted, "}"]
            .iter()
            .for_each(|part| text.push_str(part));
        Payload::Text(text.into())
    }
}

fn late() -> Error {
    let text = "node invoke timed out";
    Error::unavailable(text).with("nodeError", json!({"code": "TIMEOUT", "message": text}))
}

/// What the node is sent.
fn request(id: &str, told: &Told) -> Value {
    let mut event = Map::new();
    event.put("id", id);
    event.put("nodeId", told.node.as_str());
    event.put("command", told.command.as_str());
    event.put("paramsJSON", told.params.as_deref().map_or(Value::Null, Value::from));
    if let Some(time) = told.timeout_ms {
        event.put("timeoutMs", time);
    }
    event.put("idempotencyKey", told.key.as_str());
    Value::Object(event)
}
