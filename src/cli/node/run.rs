//! `system.run`: a command, judged by this machine's own rules and run as they have read it.
//!
//! What stands in the call is what is judged: a text that is to be shown for other words than those that run is refused,
//! and only the owner's word that his gateway gives (`approved`) lets through what the rules do not, where they ask at all.
//! It is not shut in: who may run what is all that stands between a gateway and this machine.
use super::answer::not_started;
use super::calls::{Answer, Call};
use super::host::Own;
use super::work::{What, Work, dir};
use crate::approvals::judge::Place;
use crate::approvals::words::{self, Join};
use crate::approvals::{Rules, Verdict, decide, file, judge};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::nodes::command;
use crate::processes::Plan;
use crate::tools::commands::{self, setting_of};
use crate::{clock, env::Env};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of all words of a command, and words.
const MAX_COMMAND: usize = 32 << 10;
const MAX_WORDS: usize = 1000;
/// How long a command may take that says nothing of it, and the longest that any may.
const USUAL: Duration = Duration::from_secs(1800);
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// As the rules call this host.
const HOST: &str = "node";
/// Shells whose text is judged in place of them.
const SHELLS: &[&str] = &["sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash"];
/// Variables that commands get of the host's own.
const VARIABLES: &[&str] = &[
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "USER",
    "LOGNAME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
];

/// What a call asks for.
pub struct Asked {
    words: Vec<String>,
    /// As it is judged, granted and shown.
    text: String,
    pub shown: String,
    cwd: PathBuf,
    env: Vec<(String, String)>,
    timeout: Duration,
    agent: String,
    session: Option<String>,
    run: String,
    /// The owner has said so to his gateway.
    is_approved: bool,
    is_for_good: bool,
}

impl Asked {
    /// Whom to tell of its end besides: the session of a command that was waited for, or that took longer than its call.
    pub fn event(&self, call: &Call) -> Option<(&str, &str)> {
        let session = self.session.as_deref()?;
        (self.is_approved || call.is_late()).then_some((session, self.run.as_str()))
    }
}

pub fn run(own: &Own, work: &mut Work, call: &Call) -> Answer {
    let asked = match read(&call.params, &own.env).and_then(|asked| Ok((judged(own, &asked)?, asked))) {
        Ok((words, asked)) => Asked { words, ..asked },
        Err(error) => return Answer::Now(Err(error)),
    };
    let plan = match plan(own, &asked) {
        Ok(plan) => plan,
        Err(error) => return Answer::Now(Err(error)),
    };
    match work.start(call, What::Run(Box::new(asked)), plan, &own.bell) {
        Ok(()) => Answer::Later,
        Err(error) => Answer::Now(Ok(not_started(&error))),
    }
}

fn read(params: &Value, env: &Env) -> Result<Asked> {
    let text =
        |name: &str| params.get(name).and_then(Value::as_str).map(str::trim).filter(|it| !it.is_empty());
    let words = params.get("command").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_string)).collect();
    let words = words.filter(|words| words.first().is_some_and(|program| !program.trim().is_empty()));
    let words = words.ok_or_else(|| Error::invalid("command required"))?;
    if words.len() > MAX_WORDS || words.iter().map(String::len).sum::<usize>() > MAX_COMMAND {
        return Err(Error::invalid(format!(
            "the command is longer than {MAX_WORDS} words or {MAX_COMMAND} bytes"
        )));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(Error::invalid("the command has a NUL in it"));
    }
    if params.get("needsScreenRecording") == Some(&Value::Bool(true)) {
        return Err(Error::unavailable("PERMISSION_MISSING: screenRecording"));
    }
    let (judged, shown) = texts(&words);
    if let Some(raw) = text("rawCommand")
        && ![judged.trim(), shown.trim(), words.join(" ").trim()].contains(&raw)
    {
        let what = "rawCommand is not what command runs, and would be judged and shown in its place";
        return Err(Error::invalid(format!("INVALID_REQUEST: {what}")));
    }
    let decision = text("approvalDecision").filter(|it| matches!(*it, "allow-once" | "allow-always"));
    let millis = params.get("timeoutMs").and_then(Value::as_u64).filter(|ms| *ms > 0);
    Ok(Asked {
        words,
        text: judged,
        shown,
        cwd: cwd(text("cwd"), env)?,
        env: commands::variables(params)?,
        timeout: millis.map_or(USUAL, Duration::from_millis).min(LONGEST),
        agent: text("agentId").unwrap_or("main").to_string(),
        session: text("sessionKey").map(str::to_string),
        run: text("runId").map_or_else(ids::uuid, |run| Ok(run.to_string()))?,
        is_approved: decision.is_some() || params.get("approved") == Some(&Value::Bool(true)),
        is_for_good: decision == Some("allow-always"),
    })
}

/// What is judged, and what people are shown: the text of a shell, or the words as one.
fn texts(words: &[String]) -> (String, String) {
    if let [shell, option, text] = words
        && SHELLS.contains(&shell.as_str())
        && matches!(option.as_str(), "-c" | "-lc")
    {
        return (text.clone(), text.clone());
    }
    (words::line(&[(Join::First, words.to_vec())]), command::quoted(words))
}

/// Nothing runs elsewhere than where it was meant to.
fn cwd(named: Option<&str>, env: &Env) -> Result<PathBuf> {
    let Some(named) = named else { return Ok(env.home.clone()) };
    let dir = env.expand(named);
    match dir.is_absolute() && dir.is_dir() {
        true => Ok(dir),
        false => {
            let shown = crate::parts::within(named, 200);
            Err(Error::invalid(format!(
                "cwd {shown:?} is no directory of this machine: leave it out, or name one"
            )))
        }
    }
}

/// The words to run, as the rules of this machine have them.
fn judged(own: &Own, asked: &Asked) -> Result<Vec<String>> {
    let env = &own.env;
    // Read for each command, so that what the owner has changed holds.
    let config = Config::load(&mut env.clone())?;
    let book = Value::Object(file::read(env)?.file);
    let rules = commands::rules(&config, &asked.agent, &book);
    let setting = |name: &str| setting_of(&config, &asked.agent, name).and_then(Value::as_array);
    let texts =
        |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(str::to_string).collect::<Vec<_>>();
    let path = env.program_dirs(&setting("pathPrepend").map(texts).unwrap_or_default());
    let safe = judge::safe_names(setting("safeBins").map(texts));
    let place =
        Place { cwd: &asked.cwd, path: &path, home: &env.home, writable: &[], safe: &safe, skilled: &[] };
    // Variables change what a command does, so that nothing that was allowed without them is.
    let by_rules = match asked.env.is_empty() {
        true => judge::judge(&asked.text, &rules, &place),
        false => Err("it sets variables".to_string()),
    };
    let cwd = asked.cwd.to_string_lossy();
    let is_granted = asked.env.is_empty() && rules.grants(&asked.text, &cwd, HOST);
    let denied = |text: String| Err(Error::new(Kind::Forbidden, text));
    match decide(&rules, by_rules, is_granted, true) {
        Verdict::Denied(why) if why.starts_with("security") => denied(format!("SYSTEM_RUN_DISABLED: {why}")),
        Verdict::Denied(why) => denied(format!("SYSTEM_RUN_DENIED: {why}")),
        Verdict::Judged(parts) => Ok(match parts.as_slice() {
            [(_, words)] => words.clone(),
            parts => ["/bin/sh".to_string(), "-c".to_string(), words::line(parts)].to_vec(),
        }),
        Verdict::Whole => found(&asked.words, &place),
        Verdict::Asks(_) if asked.is_approved => {
            keep_grant(own, asked, &rules)?;
            found(&asked.words, &place)
        }
        Verdict::Asks(why) => {
            own.say(&format!("approval required for {}: {why}", crate::parts::within(&asked.shown, 200)));
            denied("SYSTEM_RUN_DENIED: approval required".to_string())
        }
    }
}

/// Allowed for good is exactly this, in this directory; with variables it is another command each time.
fn keep_grant(own: &Own, asked: &Asked, rules: &Rules) -> Result<()> {
    let cwd = asked.cwd.to_string_lossy();
    if !asked.is_for_good || !asked.env.is_empty() || rules.grants(&asked.text, &cwd, HOST) {
        return Ok(());
    }
    file::grant(&own.env, &asked.agent, &asked.text, &cwd, HOST, clock::now_ms())
}

/// The same words with the program by its path.
fn found(words: &[String], place: &Place) -> Result<Vec<String>> {
    let mut words = words.to_vec();
    if let Some(program) = words.first_mut()
        && let Some(path) = judge::find(program, place)
    {
        *program = path.to_string_lossy().into_owned();
    }
    Ok(words)
}

fn plan(own: &Own, asked: &Asked) -> Result<Plan> {
    let mut plan = plain(own, &asked.words)?;
    plan.agent = asked.agent.clone();
    plan.session = asked.session.clone().unwrap_or_default();
    plan.command = asked.shown.clone();
    plan.cwd = asked.cwd.clone();
    plan.env.extend(asked.env.iter().cloned());
    plan.timeout = asked.timeout;
    Ok(plan)
}

/// A program of this machine with the few variables that are handed on: tokens and keys are not among them.
pub fn plain(own: &Own, words: &[String]) -> Result<Plan> {
    let env = &own.env;
    let path = env.program_dirs(&[]).iter().map(|dir| dir.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut all = vec![("PATH".to_string(), path.join(":")), ("HOME".to_string(), text(&env.home))];
    all.push(("SHELL".to_string(), "/bin/sh".to_string()));
    all.extend(VARIABLES.iter().filter_map(|name| Some((name.to_string(), env.var(name)?.to_string()))));
    Ok(Plan {
        agent: String::new(),
        session: String::new(),
        command: words.join(" "),
        words: words.to_vec(),
        cwd: env.home.clone(),
        dir: None,
        env: all,
        has_terminal: false,
        has_input: false,
        is_split: true,
        timeout: Duration::from_secs(10),
        walls: None,
        temp: dir(env).join(ids::uuid()?),
        then: Box::new(|_| {}),
    })
}
