//! A command that runs on a node instead of here (`host: "node"`). The owner's rules of this gateway come first, and no listed
//! pattern helps there, for programs of another machine are not looked at from here; then the node's own. What has to be asked for
//! waits as a thread, `gw-ask-N`, and its end is told to the session, as with commands of this machine.
use super::asking::{Approved, call, tell};
use super::forwarding::Request;
use super::setting;
use super::wish::Wish;
use crate::approvals::left;
use crate::approvals::{Rules, file};
use crate::calls::Whom;
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::nodes::command::by_shell;
use crate::parts::within;
use crate::tools::devices::node::{self, Found};
use crate::tools::{Context, Output};
use crate::{clock, ids};
use serde_json::{Map, Value};
use std::time::Duration;

pub const HOST: &str = "node";
/// What a node says whose own rules ask.
const DENIED: &str = "SYSTEM_RUN_DENIED";
/// Of `node.invoke`.
const LATE: &str = "node invoke timed out";

/// A command, and the node that runs it.
struct Afar {
    context: Context,
    wish: Wish,
    node: Found,
    /// Names it for node and session, and is the id of its approval.
    id: String,
}

pub fn run(context: &Context, wish: Wish, rules: &Rules) -> Result<Output> {
    let (security, ask) = (rules.security.name(), rules.ask.name());
    if security == "deny" {
        return Err(Error::new(Kind::Forbidden, "exec denied: host=node security=deny"));
    }
    let named = wish.node.clone().or(setting(context, "node").and_then(Value::as_str).map(str::to_string));
    let offers = |node: &Value| {
        let mut all = node.get("commands").and_then(Value::as_array).into_iter().flatten();
        all.any(|offered| offered == "system.run")
    };
    let node = node::find(context, named.as_deref().filter(|name| !name.trim().is_empty()), offers)?;
    let afar = Afar { context: context.clone(), wish, node, id: ids::uuid()? };
    let is_granted = afar.wish.env.is_empty()
        && ask != "always"
        && rules.grants(&afar.wish.command, &afar.cwd(), &afar.granted_on());
    let mut why = "no rule of this gateway allows it on a node";
    if is_granted || (security == "full" && ask == "off") {
        match afar.told(None, afar.wish.yields) {
            Err(e) if e.message().contains(DENIED) => why = "the node's own rules ask",
            other => return other,
        }
    }
    afar.ask(rules, why)
}

impl Afar {
    fn cwd(&self) -> String {
        self.wish.cwd.to_string_lossy().into_owned()
    }

    /// The host of what is allowed for good: another node is another machine.
    fn granted_on(&self) -> String {
        format!("node:{}", self.node.id)
    }

    fn words(&self) -> Vec<String> {
        by_shell(&self.node.platform, &self.wish.command)
    }

    /// What both the owner and the node are told of it.
    fn both(&self) -> Map<String, Value> {
        let mut both = Map::new();
        if !self.wish.cwd.as_os_str().is_empty() {
            both.put("cwd", self.cwd());
        }
        if !self.wish.env.is_empty() {
            let env = self.wish.env.iter().map(|(name, value)| (name.clone(), value.clone().into()));
            both.put("env", env.collect::<Map<String, Value>>());
        }
        both.put("agentId", self.context.agent.as_str());
        both.put("sessionKey", self.context.session_key.as_str());
        both
    }

    /// Has the node run it, and waits so long. `approved` is the approval's id.
    fn told(&self, approved: Option<&str>, wait: Duration) -> Result<Output> {
        let run = match approved {
            Some(id) => id.to_string(),
            None => ids::uuid()?,
        };
        let mut params = self.both();
        params.put("command", json!(self.words()));
        params.put("rawCommand", self.wish.command.as_str());
        params.put("runId", run.as_str());
        params.put("timeoutMs", self.wish.timeout.as_millis() as u64);
        let asked = json!({"nodeId": (self.node.id.as_str()), "command": "system.run", "params": params,
            "timeoutMs": (wait.as_millis() as u64), "idempotencyKey": (ids::uuid()?)});
        let whom = Whom { name: "exec", scopes: &["operator.write"], run: None };
        let told = (self.context.ask)(&whom, "node.invoke", asked, &self.context.cancel);
        let shown = within(&run, 8);
        match told {
            Ok(told) => {
                said(told.get("payload").unwrap_or(&Value::Null)).map(|output| output.about("on a node"))
            }
            Err(e) if e.message() == LATE => Ok(Output::text(format!(
                "Command still running on the node (run {shown}). Its end is told to this session."
            ))),
            Err(e) => Err(e),
        }
    }

    fn ask(self, rules: &Rules, why: &str) -> Result<Output> {
        let mut request = self.both();
        for (name, value) in [
            ("id", self.id.as_str()),
            ("command", self.wish.command.as_str()),
            ("host", HOST),
            ("nodeId", self.node.id.as_str()),
            ("security", rules.security.name()),
            ("ask", rules.ask.name()),
            ("why", why),
            ("sandbox", "the node's own"),
        ] {
            request.put(name, value);
        }
        request.put("commandArgv", json!(self.words()));
        request.put("timeoutMs", super::asking::PATIENCE_MS);
        request.put("twoPhase", true);
        let told = call(&self.context, "exec.approval.request", request.into())?;
        let expires = told.get("expiresAtMs").and_then(Value::as_u64).unwrap_or_default();
        let (id, command, node) = (self.id.clone(), self.wish.command.clone(), self.node.id.clone());
        let cwd = self.cwd();
        let context = Context { cancel: Cancel::new(), updates: None, ..self.context.clone() };
        let waiting = Afar { context, ..self };
        super::asking::spawn(move || waiting.wait())?;
        let short = within(&id, 8);
        let text =
            format!("Approval required (id {short}). Approve to run; updates will arrive after completion.");
        let details = json!({"status": "approval-pending", "approvalId": (id.as_str()), "approvalSlug": short,
            "expiresAtMs": expires, "host": HOST, "nodeId": node, "command": command, "cwd": cwd});
        Ok(Output { details: Some(details), ..Output::text(text).about("approval required") })
    }

    fn wait(self) {
        let state_dir = self.context.settings.env.state_dir.clone();
        let (context, id) = (&self.context, &self.id);
        let request =
            Request { context, wish: &self.wish, sandbox: "the node's own", id, host: &self.granted_on() };
        let chats = request.chats();
        request.write_down(chats.clone(), false);
        let chats = request.forward(chats);
        let answer = call(context, "exec.approval.waitDecision", json!({"id": id}));
        // Else the gateway restarts or stops; the next start tells who asked.
        let Ok(answer) = answer else { return };
        let approved = Approved::of(&answer);
        match approved {
            Approved::No(_) => left::forget(&state_dir, id),
            _ => request.write_down(chats.clone(), true),
        }
        request.tell_end(&chats, &answer);
        let head = |what: &str| format!("Exec {what} (node={} id={id})", within(&self.node.id, 16));
        let denied = match approved {
            Approved::No(why) => Some(why.to_string()),
            Approved::Always if self.wish.env.is_empty() => {
                let granted = (self.cwd(), self.granted_on(), clock::now_ms());
                let (env, agent) = (&context.settings.env, &context.agent);
                let done = file::grant(env, agent, &self.wish.command, &granted.0, &granted.1, granted.2);
                if let Err(e) = done {
                    log::warn!(target: "tools", "a command was allowed for good, which could not be written down: {e}");
                }
                None
            }
            _ => None,
        };
        if let Some(why) = denied {
            tell(context, &head(&format!("denied, {why}")), &self.wish.command, None, None);
            return;
        }
        let wait = self.wish.timeout.saturating_add(Duration::from_secs(10));
        let is_told = match self.told(Some(id), wait) {
            Ok(output) => tell(context, &head("finished"), &self.wish.command, Some(&output.text), Some("")),
            Err(e) => tell(context, &head("failed"), &self.wish.command, Some(e.message()), Some("")),
        };
        // Else the gateway stops, and the next start tells it.
        if is_told {
            left::forget(&state_dir, id);
        }
    }
}

/// What the node says came of it.
fn said(payload: &Value) -> Result<Output> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    let output: Vec<&str> =
        [text("stdout"), text("stderr")].into_iter().filter(|part| !part.is_empty()).collect();
    let output = within(&output.join("\n"), 48 << 10).to_string();
    let fault = match payload.get("exitCode").and_then(Value::as_i64) {
        _ if payload.get("timedOut") == Some(&Value::Bool(true)) => {
            "Command timed out on the node".to_string()
        }
        Some(0) => String::new(),
        Some(code) => format!("Command exited with code {code}"),
        None if !text("error").is_empty() => format!("The node could not run it: {}", text("error")),
        None => "Command ended without a code".to_string(),
    };
    if !fault.is_empty() {
        let before = if output.is_empty() { output } else { output + "\n\n" };
        return Err(Error::new(Kind::Invalid, before + &fault));
    }
    Ok(Output::text(if output.is_empty() { "(no output)".to_string() } else { output }))
}
