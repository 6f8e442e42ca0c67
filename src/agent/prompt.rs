//! The system prompt of a turn: who the agent is, when and where, what it has, and the workspace's own texts.
//!
//! Read on the run's thread, anew for each turn, so that an edit counts at once. Only regular files of the
//! workspace itself are read, and links to texts that the owner made (`own`, SEC-13), each up to `agents.defaults.bootstrapMaxChars` and all up to
//! `MAX_TOTAL`; what is cut or cannot be read says so in the prompt and the log. Nothing here fails.
use crate::agent::skills;
use crate::agents::Agents;
use crate::agents::own;
use crate::charset;
use crate::clock;
use crate::config::Config;
use crate::models::provider::Thinking;
use crate::parts::Parts;
use crate::session_key;
use crate::tools::Tool;
use crate::workspace::PERSONA;
use crate::workspace::beneath;
use crate::workspace::links;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub const DEFAULT_MAX_CHARS: u64 = 20_000;
/// Characters of all files together.
const MAX_TOTAL: usize = 150_000;
/// Files of which the log says that they are not shown.
const MAX_TOLD: usize = 100;

/// What a prompt is made for.
pub struct Wanted<'a> {
    pub config: &'a Config,
    pub agents: &'a Agents<'a>,
    pub agent: &'a str,
    /// Canonical.
    pub session_key: &'a str,
    /// Where the conversation takes place, such as `webchat`.
    pub channel: Option<&'a str>,
    /// `provider/model`.
    pub model: &'a str,
    /// What the model is offered.
    pub tools: &'a [&'static Tool],
    pub thinking: Thinking,
    /// Comes from the request and stands last.
    pub extra: Option<&'a str>,
}

pub fn build(wanted: &Wanted) -> String {
    let workspace = wanted.agents.workspace(wanted.agent);
    let mut prompt = facts(wanted, &workspace);
    prompt += &tools(wanted, &workspace);
    if wanted.tools.iter().any(|tool| tool.name == "read") {
        prompt += &skills::section(wanted.agents, wanted.agent, tell);
    }
    prompt += &texts(wanted, &workspace);
    for link in links::left_out(&workspace) {
        tell(&workspace.join(link), links::WHY);
    }
    if let Some(extra) = wanted.extra.map(str::trim).filter(|s| !s.is_empty()) {
        prompt += "\n\n";
        prompt += extra;
    }
    prompt
}

/// Who, when, where, with what.
fn facts(wanted: &Wanted, workspace: &Path) -> String {
    let identity = wanted.agents.identity(wanted.agent);
    let name = identity.get("name").and_then(Value::as_str).unwrap_or("Assistant");
    let now = clock::zoned(clock::now_ms(), wanted.config.str("agents.defaults.userTimezone"));
    // The time of day stands in each message: a prompt that stays the same for a day can be cached by the server.
    let day = clock::show(&now, "%A, %e %B %Y");
    let zone = now.time_zone().iana_name().map_or_else(|| clock::show(&now, "%Z"), str::to_string);
    let host = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let mut facts = format!("You are {name}, a personal assistant.\n\n");
    let mut line = |what: &str, value: &str| {
        // A String takes everything.
        let _infallible = writeln!(facts, "- {what}: {value}");
    };
    line("Today", &format!("{day}, time zone {zone}; messages carry their time"));
    line("Host", &format!("{} ({} {})", text(host.nodename()), text(host.sysname()), text(host.machine())));
    line("Agent", &format!("{}, session {}", wanted.agent, shown_key(wanted)));
    if let Some(channel) = wanted.channel {
        line("Channel", channel);
    }
    let thinking = match wanted.thinking {
        Thinking::Off => String::new(),
        level => format!(", thinking {}", level.name()),
    };
    line("Model", &format!("{}{thinking}", wanted.model));
    line("Workspace", &workspace.display().to_string());
    facts.truncate(facts.trim_end().len());
    facts
}

/// The session's key as far as the owner chose it: below the prefixes of webhooks senders do (SEC-34).
fn shown_key<'w>(wanted: &Wanted<'w>) -> &'w str {
    let key = wanted.session_key;
    let own = key.splitn(3, ':').nth(2).unwrap_or(key);
    let prefixes = wanted.config.strings("hooks.allowedSessionKeyPrefixes").into_iter().chain(["hook:"]);
    let length = prefixes.filter_map(|prefix| {
        let prefix = prefix.trim().to_lowercase();
        let below = [own, key].into_iter().find_map(|key| key.strip_prefix(&*prefix))?;
        (!prefix.is_empty()).then(|| key.len() - below.len())
    });
    length.min().map_or(key, |length| key.head(length))
}

/// The tools by name, and what to do with some of them.
fn tools(wanted: &Wanted, workspace: &Path) -> String {
    if wanted.tools.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = wanted.tools.iter().map(|tool| tool.name).collect();
    let mut text = format!("\n- Tools: {}", names.join(", "));
    let remembers = names.contains(&"memory_search") || names.contains(&"memory_get");
    let exists = |name: &str| matches!(beneath::stat(workspace, Path::new(name)), Ok(Some(_)));
    if remembers && (exists("MEMORY.md") || exists("memory.md") || exists("memory")) {
        text += "\n\nYou have notes from earlier. Before you answer about earlier work, decisions, dates, people or \
                 preferences, look them up with the memory tools; say so if you find nothing.";
    }
    text
}

/// The workspace's files, and notes about what is not shown of them.
fn texts(wanted: &Wanted, workspace: &Path) -> String {
    if let Err(e) = std::fs::read_dir(workspace) {
        return format!("\n\n[the workspace cannot be read: {e}; work without its files]");
    }
    let max = wanted.config.u64("agents.defaults.bootstrapMaxChars").unwrap_or(DEFAULT_MAX_CHARS).max(1);
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let mut left = MAX_TOTAL;
    let mut out = String::new();
    // What the owner told the agent in confidence is not for groups.
    let is_group = session_key::kind_of(wanted.session_key) == "group";
    // A subagent has a task and speaks with nobody.
    let is_child = wanted.session_key.contains(":subagent:");
    let is_read = |file: &&str| match is_child {
        true => matches!(*file, "AGENTS.md" | "TOOLS.md"),
        false => !(is_group && *file == "MEMORY.md"),
    };
    for file in PERSONA.into_iter().filter(is_read) {
        let text = match read(wanted.agents, workspace, file, max.min(left)) {
            Ok(None) => continue,
            Ok(Some(text)) => text,
            Err(why) => {
                tell(&workspace.join(file), &why);
                format!("[not shown: {why}]")
            }
        };
        left = left.saturating_sub(text.chars().count());
        let _infallible = write!(out, "\n\n# {file}\n\n{text}");
    }
    out
}

/// Says in the log, once for each file or folder, that an agent goes without it.
fn tell(path: &Path, why: &str) {
    static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() < MAX_TOLD && told.insert(path.to_path_buf()) {
        log::warn!(target: "gateway/agent", "{} is not read for the agent: {why}", path.display());
    }
}

/// At most `max` characters of a file; `None` when there is nothing to show, `Err` says why it is not shown.
fn read(agents: &Agents, dir: &Path, name: &str, max: usize) -> Result<Option<String>, String> {
    // A character has at most four bytes; one more tells whether something is left.
    let most = (max as u64).saturating_mul(4).saturating_add(1);
    let bytes = own::persona(agents.config(), agents.env(), dir, name, most).map_err(|e| e.to_string())?;
    let Some(bytes) = bytes else { return Ok(None) };
    let is_cut = bytes.len() as u64 == most;
    let text = charset::decode(bytes, None, is_cut, usize::MAX).ok_or("it is no text")?.text;
    let text = text.trim();
    Ok(match text.char_indices().nth(max) {
        None => Some(text.to_string()).filter(|t| !t.is_empty()),
        Some((end, _)) => {
            let kept = text.head(end);
            Some(format!("{kept}\n[cut here: only {max} characters of the file are shown]"))
        }
    })
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
