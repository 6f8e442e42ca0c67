//! Commands that wait for the owner's word, on the state thread: who asked, until when, and what was said. In memory only;
//! what a process leaves behind when it ends was allowed by nobody.
//!
//! Nothing waits here itself: who asked is answered when somebody decides or the time is up.
use super::State;
use crate::calls::{Call, Party, Pending, Question};
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::parts::within;
use crate::protocol::events;
use crate::protocol::frame::Payload;
use serde_json::Value;
use std::collections::VecDeque;

/// Commands that may wait at a time, and calls that wait for them.
const MOST: usize = 32;
/// Letters of an id that name it, where no other begins so.
const SHORTEST: usize = 4;
/// How long a decision is kept for who has not asked yet, milliseconds.
const KEPT_MS: u64 = 60_000;
/// Decisions that are remembered, and bytes of each one's command.
const REMEMBERED: usize = 50;
const MAX_COMMAND: usize = 2000;
const DECISIONS: [&str; 3] = ["allow-once", "allow-always", "deny"];

pub struct Approvals {
    waiting: Vec<Waiting>,
    asked: Pending,
    /// The newest first.
    decided: VecDeque<Value>,
}

struct Waiting {
    id: String,
    request: Value,
    created: u64,
    expires: u64,
    /// On the monotonic clock.
    deadline: u64,
    /// What was decided; nothing when the time was up.
    decision: Option<Option<&'static str>>,
    /// By whom, and in which session where it was said in a chat.
    by: String,
    place: String,
}

impl Default for Approvals {
    fn default() -> Approvals {
        Approvals { waiting: Vec::new(), asked: Pending::bounded(8, MOST * 2), decided: VecDeque::new() }
    }
}

impl Approvals {
    /// Those that nobody has decided about, for `exec.approval.list`.
    pub fn list(&self) -> Vec<Value> {
        self.waiting.iter().filter(|waiting| waiting.decision.is_none()).map(Waiting::shown).collect()
    }

    /// What was decided about, for `approval.history`.
    pub fn history(&self) -> Vec<&Value> {
        self.decided.iter().collect()
    }

    fn remember(&mut self, id: &str, by: Option<&str>, now: u64) {
        let Some(waiting) = self.waiting.iter().find(|waiting| waiting.id == id) else { return };
        let item = waiting.told(by, now);
        self.decided.push_front(item);
        self.decided.truncate(REMEMBERED);
    }

    /// The one that an id, or the beginning of one, names.
    fn find(&mut self, id: &str) -> Result<&mut Waiting> {
        let id = id.trim();
        let is_open = |waiting: &Waiting| waiting.decision.is_none();
        let is_whole = self.waiting.iter().any(|w| is_open(w) && w.id == id);
        let begins = |waiting: &Waiting| !is_whole && id.len() >= SHORTEST && waiting.id.starts_with(id);
        let is_meant = |waiting: &Waiting| waiting.id == id || begins(waiting);
        let mut found: Vec<&mut Waiting> =
            self.waiting.iter_mut().filter(|w| is_open(w) && is_meant(w)).collect();
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(_), false) => Err(Error::invalid("more than one approval id begins so: give more of it")),
            (None, _) => Err(Error::invalid("unknown approval id")),
        }
    }

    pub(super) fn forget_caller(&mut self, conn: u64) {
        self.asked.leave(conn);
    }
}

impl Waiting {
    fn shown(&self) -> Value {
        json!({"id": self.id, "request": self.request, "createdAtMs": self.created, "expiresAtMs": self.expires})
    }

    /// How it ended, in the shape that the original's page shows.
    fn told(&self, by: Option<&str>, now: u64) -> Value {
        let of = |name: &str| self.request.get(name).and_then(Value::as_str);
        let command = within(of("command").unwrap_or_default(), MAX_COMMAND);
        let (status, reason) = match self.decision.flatten() {
            None => ("expired", "timeout"),
            Some("deny") => ("denied", "user"),
            Some(_) => ("allowed", "user"),
        };
        let mut item = json!({"id": self.id, "status": status, "reason": reason, "createdAtMs": self.created, "resolvedAtMs": now,
            "presentation": {"kind": "exec", "commandText": command},
            "source": {"agentId": (of("agentId")), "sessionKey": (of("sessionKey"))}});
        if let (Some(map), Some(decision)) = (item.as_object_mut(), self.decision.flatten()) {
            map.put("decision", decision);
            map.put("resolver", json!({"kind": "operator", "id": by}));
        }
        item
    }

    /// What who asked is told; the gateway's own wait also by whom and where.
    fn answer(&self, call: &Call) -> Payload {
        let decision = self.decision.flatten();
        let mut told = json!({"id": self.id, "decision": decision, "createdAtMs": self.created, "expiresAtMs": self.expires});
        if let Some(map) = told.as_object_mut().filter(|_| call.caller.method == "local") {
            map.put("resolvedBy", self.by.as_str());
            map.put("resolvedIn", self.place.as_str());
        }
        told.into()
    }
}

impl State {
    /// A command begins to wait. Gives what who asked is told who does not wait for the decision.
    pub fn ask_approval(&mut self, id: String, request: Value, time_ms: u64) -> Result<Payload> {
        if self.approvals.waiting.iter().any(|waiting| waiting.id == id) {
            return Err(Error::invalid("approval id already pending"));
        }
        if self.approvals.waiting.iter().filter(|waiting| waiting.decision.is_none()).count() >= MOST {
            return Err(Error::unavailable(format!(
                "{MOST} commands wait for approval already: see to those first"
            )));
        }
        // What was decided is kept for who has not asked yet, but not without end.
        if self.approvals.waiting.len() >= MOST * 4
            && let Some(oldest) = self.approvals.waiting.iter().position(|waiting| waiting.decision.is_some())
        {
            self.approvals.waiting.remove(oldest);
        }
        let (created, deadline) = (self.now, self.mono.saturating_add(time_ms));
        let waiting = Waiting {
            id,
            request,
            created,
            expires: created.saturating_add(time_ms),
            deadline,
            decision: None,
            by: String::new(),
            place: String::new(),
        };
        self.emit(&events::APPROVAL_REQUESTED, &waiting.shown());
        let told = json!({"status": "accepted", "id": waiting.id, "createdAtMs": created, "expiresAtMs": waiting.expires});
        self.approvals.waiting.push(waiting);
        Ok(told.into())
    }

    /// The decision about exactly this id, if there is one; else the call is answered when there is.
    pub fn await_approval(&mut self, call: Call, id: &str) -> Result<Option<Payload>> {
        let found = self.approvals.waiting.iter().find(|waiting| waiting.id == id);
        let waiting = found.ok_or_else(|| Error::invalid("unknown approval id"))?;
        if waiting.decision.is_some() {
            return Ok(Some(waiting.answer(&call)));
        }
        let question = Question { id: id.to_string(), party: Party::Operators, deadline: u64::MAX, call };
        self.approvals.asked.ask(question).map(|()| None)
    }

    /// Somebody has decided; gives the whole id.
    pub fn decide_approval(&mut self, id: &str, decision: &str, by: &str, place: &str) -> Result<String> {
        let known = DECISIONS.into_iter().find(|known| *known == decision);
        let decision = known.ok_or_else(|| Error::invalid("invalid decision"))?;
        let deadline = self.mono + KEPT_MS;
        let waiting = self.approvals.find(id)?;
        (waiting.decision, waiting.deadline) = (Some(Some(decision)), deadline);
        (waiting.by, waiting.place) = (by.to_string(), place.to_string());
        let id = waiting.id.clone();
        log::info!(target: "gateway/exec", "approval {id}: {decision} by {}", crate::logging::quoted(by));
        self.emit(
            &events::APPROVAL_RESOLVED,
            &json!({"id": id, "decision": decision, "resolvedBy": by, "ts": self.now}),
        );
        self.answer_approval(&id);
        self.approvals.remember(&id, Some(by), self.now);
        Ok(id)
    }

    /// Takes a decision that allows exactly what is meant: it serves once.
    pub fn take_allowed(&mut self, id: &str, is_meant: impl Fn(&Value) -> bool) -> Option<&'static str> {
        let allows =
            |waiting: &Waiting| matches!(waiting.decision, Some(Some("allow-once" | "allow-always")));
        let fits = |waiting: &&Waiting| waiting.id == id && allows(waiting) && is_meant(&waiting.request);
        let decision = self.approvals.waiting.iter().find(fits)?.decision.flatten();
        self.approvals.waiting.retain(|waiting| waiting.id != id);
        decision
    }

    fn answer_approval(&mut self, id: &str) {
        let Approvals { waiting, asked, .. } = &mut self.approvals;
        let Some(waiting) = waiting.iter().find(|waiting| waiting.id == id) else { return };
        for question in asked.answer(id, Party::Operators).unwrap_or_default() {
            question.call.answer(Ok(waiting.answer(&question.call)));
        }
    }

    /// Ends those whose time is up; says when the next is.
    pub(super) fn expire_approvals(&mut self) -> Option<u64> {
        let mono = self.mono;
        let due = |waiting: &&mut Waiting| waiting.deadline <= mono && waiting.decision.is_none();
        let mut ended = Vec::new();
        for waiting in self.approvals.waiting.iter_mut().filter(due) {
            waiting.decision = Some(None);
            waiting.deadline = mono + KEPT_MS;
            ended.push(waiting.id.clone());
        }
        for id in ended {
            self.answer_approval(&id);
            self.approvals.remember(&id, None, self.now);
        }
        self.approvals.waiting.retain(|waiting| waiting.deadline > mono);
        self.approvals.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// No turn answers for its owner.
    pub fn may_decide(call: &Call) -> Result<()> {
        match call.caller.run.is_some() || !call.caller.provenance.is_person() {
            true => Err(Error::new(Kind::Forbidden, "a turn of an agent cannot allow commands")),
            false => Ok(()),
        }
    }
}

/// What of a request's params others see.
pub fn request_of(params: &Value) -> Value {
    let mut request = json!({});
    let names = ["command", "cwd", "host", "security", "ask", "agentId", "resolvedPath", "sessionKey"];
    let also = ["env", "why", "sandbox", "nodeId", "commandArgv"]
        .into_iter()
        .filter(|name| params.get(*name).is_some());
    if let Some(map) = request.as_object_mut() {
        for name in names.into_iter().chain(also) {
            map.put(name, params.get(name).cloned().unwrap_or_default());
        }
    }
    request
}
