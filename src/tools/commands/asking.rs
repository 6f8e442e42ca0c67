//! The owner is asked whether a command may run. The turn that asked ends meanwhile: what waits is one thread, `gw-ask-N`,
//! which holds no lock and no place; when the answer comes it starts the command, and its end begins a turn of the
//! session, on the authority of the one that asked.
use super::exec::{HOST, signal_name};
use super::forwarding::Request;
use super::setting;
use super::surroundings::Surroundings;
use super::wish::Wish;
use crate::approvals::decide::unanswered;
use crate::approvals::left;
use crate::approvals::words::Part;
use crate::approvals::{Rules, Verdict, file};
use crate::calls::Whom;
use crate::cancel::Cancel;
use crate::counter::AtomicU64;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::parts::within;
use crate::processes::{Process, running};
use crate::tools::{Context, Output};
use crate::{clock, ids, threads, untrusted};
use rustix::fs::{Mode, OFlags};
use serde_json::{Map, Value};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering;

const STACK: usize = 256 << 10;
/// How long the owner has.
pub const PATIENCE_MS: u64 = 120_000;
/// Characters of output that the turn is begun with which goes on.
const SHOWN: usize = 6000;
const SHORT: usize = 400;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A command that waits, with all that was judged.
struct Waiting {
    context: Context,
    around: Surroundings,
    wish: Wish,
    rules: Rules,
    judged: std::result::Result<Vec<Part>, String>,
    /// The directory that the owner was shown.
    dir: File,
    id: String,
}

pub fn ask(
    context: &Context,
    around: Surroundings,
    wish: Wish,
    rules: &Rules,
    judged: std::result::Result<Vec<Part>, String>,
    why: &str,
) -> Result<Output> {
    let id = ids::uuid()?;
    let dir = opened(&wish.cwd)?;
    let request = request(context, &around, &wish, rules, &id, why);
    let told = call(context, "exec.approval.request", request)?;
    let expires = told.get("expiresAtMs").and_then(Value::as_u64).unwrap_or_default();
    let (command, cwd) = (wish.command.clone(), wish.cwd.to_string_lossy().into_owned());
    let context = Context { cancel: Cancel::new(), updates: None, ..context.clone() };
    let waiting = Waiting { context, around, wish, rules: rules.clone(), judged, dir, id: id.clone() };
    spawn(move || waiting.wait())?;
    let short = within(&id, 8);
    let text =
        format!("Approval required (id {short}). Approve to run; updates will arrive after completion.");
    let details = json!({"status": "approval-pending", "approvalId": (id.as_str()), "approvalSlug": short, "expiresAtMs": expires,
        "host": HOST, "command": command, "cwd": cwd});
    Ok(Output { details: Some(details), ..Output::text(text).about("approval required") })
}

/// Starts the thread of one that waits.
pub(super) fn spawn(wait: impl FnOnce() + Send + 'static) -> Result<()> {
    let name = format!("gw-ask-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let died =
        |what: String| log::error!(target: "tools", "the wait for an approval ended by a defect: {what}");
    threads::spawn(&name, STACK, wait, died).map(drop)
}

/// What somebody has decided, or why it does not run.
pub(super) enum Approved {
    Once,
    Always,
    No(&'static str),
}

impl Approved {
    pub(super) fn of(answer: &Value) -> Approved {
        match answer.get("decision").and_then(Value::as_str) {
            Some("allow-once") => Approved::Once,
            Some("allow-always") => Approved::Always,
            Some(_) => Approved::No("user-denied"),
            None => Approved::No("approval-timeout"),
        }
    }
}

/// All that the owner has to know, whole.
fn request(
    context: &Context,
    around: &Surroundings,
    wish: &Wish,
    rules: &Rules,
    id: &str,
    why: &str,
) -> Value {
    let resolved = wish.command.split_whitespace().next();
    let place = around.place(context, wish);
    let resolved = resolved.and_then(|program| crate::approvals::judge::find(program, &place));
    let mut request = json!({
        "id": id, "command": (wish.command.as_str()), "cwd": (wish.cwd.to_string_lossy()), "host": HOST,
        "security": (rules.security.name()), "ask": (rules.ask.name()), "agentId": (context.agent.as_str()),
        "resolvedPath": (resolved.map(|path| path.to_string_lossy().into_owned())), "sessionKey": (context.session_key.as_str()),
        "timeoutMs": PATIENCE_MS, "twoPhase": true, "why": why, "sandbox": (around.sandbox()),
    });
    if let Some(map) = request.as_object_mut().filter(|_| !wish.env.is_empty()) {
        map.put(
            "env",
            wish.env
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into()))
                .collect::<Map<String, Value>>(),
        );
    }
    request
}

/// A call of the gateway's own, about approvals.
pub(super) fn call(context: &Context, method: &str, params: Value) -> Result<Value> {
    let whom = Whom { name: "exec", scopes: &["operator.approvals"], run: None };
    (context.ask)(&whom, method, params, &context.cancel)
}

impl Waiting {
    fn wait(self) {
        let state_dir = &self.context.settings.env.state_dir;
        let request = Request {
            context: &self.context,
            wish: &self.wish,
            sandbox: self.around.sandbox(),
            id: &self.id,
            host: HOST,
        };
        // Written down before they are asked, and again where one could not be.
        let asked = request.chats();
        request.write_down(asked.clone(), false);
        let chats = request.forward(asked.clone());
        if chats != asked {
            request.write_down(chats.clone(), false);
            let head = format!("A chat could not be asked to allow a command (gateway id={})", self.id);
            tell(&self.context, &head, &self.wish.command, None, None);
        }
        let answer = call(&self.context, "exec.approval.waitDecision", json!({"id": (self.id.as_str())}));
        // Else the gateway restarts or stops; the next start tells who asked.
        let Ok(answer) = answer else { return };
        let decision = answer.get("decision").and_then(Value::as_str).unwrap_or_default().to_string();
        // His word is a new beginning.
        let run = if decision.starts_with("allow") { "" } else { &self.context.run };
        let verdict = match decision.as_str() {
            "allow-once" => Verdict::Whole,
            "allow-always" => {
                self.grant();
                Verdict::Whole
            }
            "deny" => Verdict::Denied("user-denied"),
            _ => unanswered(&self.rules, self.judged.clone()),
        };
        match verdict {
            Verdict::Denied(_) => left::forget(state_dir, &self.id),
            // Before it does anything.
            _ => request.write_down(chats.clone(), true),
        }
        request.tell_end(&chats, &answer);
        let started = match verdict {
            Verdict::Denied(why) => return self.deny(why),
            Verdict::Judged(parts) => self.start(Some(&parts), run),
            Verdict::Whole | Verdict::Asks(_) => self.start(None, run),
        };
        if let Err(e) = started {
            log::warn!(target: "tools", "an allowed command could not be started: {e}");
            left::forget(state_dir, &self.id);
            self.deny(&format!("spawn-failed: {e}"));
        }
    }

    /// For good: exactly this text, in this directory, without variables of its own.
    fn grant(&self) {
        let Wish { command, cwd, env, .. } = &self.wish;
        if !env.is_empty() {
            return;
        }
        let granted = file::grant(
            &self.context.settings.env,
            &self.context.agent,
            command,
            &cwd.to_string_lossy(),
            HOST,
            clock::now_ms(),
        );
        if let Err(e) = granted {
            log::warn!(target: "tools", "a command was allowed for good, which could not be written down: {e}");
        }
    }

    /// `run` is the one that pays for the turn which its end begins.
    fn start(&self, judged: Option<&[Part]>, run: &str) -> Result<()> {
        if !opened(&self.wish.cwd).is_ok_and(|now| is_same(&self.dir, &now)) {
            let text = "another directory is in the place of the one that was shown; ask again";
            return Err(Error::new(Kind::Conflict, text));
        }
        let (context, id, run) = (self.context.clone(), self.id.clone(), run.to_string());
        let then = Box::new(move |process: &Process| {
            let end = process.end().unwrap_or_default();
            let head = format!("Exec finished (gateway id={id}, session={}, {})", process.id, how(&end));
            let run = Some(&*run).filter(|_| !process.is_hushed());
            // Else the gateway stops, and the next start tells that it was cut.
            if tell(&context, &head, &process.command, Some(&process.text(SHOWN)), run) {
                left::forget(&context.settings.env.state_dir, &id);
            }
        });
        // It may be asked for while it runs; its end is told in any case.
        let mut plan = self.around.plan(&self.context, &self.wish, judged, then)?;
        plan.dir = self.dir.try_clone().ok();
        let process = running::start(plan)?;
        process.leave();
        Ok(())
    }

    fn deny(&self, why: &str) {
        let head = format!("Exec denied (gateway id={}, {why})", self.id);
        tell(&self.context, &head, &self.wish.command, None, None);
    }
}

/// A directory itself, whatever is put in its place later.
fn opened(dir: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(dir, flags, Mode::empty());
    opened.map(File::from).map_err(|e| Error::io(format_args!("open {}", dir.display()), e.into()))
}

fn is_same(one: &File, other: &File) -> bool {
    let place = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    place(one).is_some() && place(one) == place(other)
}

fn how(end: &running::End) -> String {
    match (end.is_late, end.signal, end.code) {
        (true, ..) => "timed out".to_string(),
        (_, Some(signal), _) => format!("signal {}", signal_name(signal)),
        (_, _, code) => format!("code {}", code.unwrap_or(-1)),
    }
}

/// What is done at the end of a command that went on without its turn.
pub fn when_left(context: &Context) -> Box<dyn FnOnce(&Process) + Send> {
    let context = Context { cancel: Cancel::new(), updates: None, ..context.clone() };
    Box::new(move |process| {
        if !process.is_background() || setting(&context, "notifyOnExit") == Some(&Value::Bool(false)) {
            return;
        }
        let end = process.end().unwrap_or_default();
        let word = if end.code == Some(0) { "completed" } else { "failed" };
        let head = format!("Exec {word} (session={}, {})", process.id, how(&end));
        let run = Some(&*context.run).filter(|_| !process.is_hushed());
        tell(&context, &head, &process.command, Some(&process.status(SHORT).tail), run);
    })
}

/// The session is told (`false` when it could not be), and its agent asked to go on if there is a run that pays for it, which is nobody's where the owner
/// allowed the command.
pub(super) fn tell(
    context: &Context,
    head: &str,
    command: &str,
    output: Option<&str>,
    run: Option<&str>,
) -> bool {
    let shown = |text: &str| untrusted::wrap("the output of a command", text);
    let output: Result<String> = output
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map_or(Ok(String::new()), |text| Ok(format!("\n{}", shown(text)?)));
    let result = output.and_then(|output| {
        let text = format!("{head}: {command}");
        // A guest is answered where he is: the session's last place may be the owner's.
        let place = context.place.as_ref().filter(|_| !context.provenance.is_own());
        let (login, place) = place.map(|(login, place)| (login.clone(), place.clone())).unwrap_or_default();
        let params = json!({"sessionKey": (context.session_key.as_str()), "provenance": (context.provenance.name()), "text": text, "output": output, "run": run,
            "channel": (login.platform), "accountId": (login.account), "to": (place.peer), "threadId": (place.thread)});
        call(context, crate::calls::EXEC_TOLD, params)
    });
    if let Err(e) = &result {
        log::warn!(target: "tools", "session {} could not be told of a command's end: {e}", crate::logging::quoted(&context.session_key));
    }
    result.is_ok()
}
