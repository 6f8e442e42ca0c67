//! `/exec` and `/elevated`: how commands of agents run in this session. On the state thread, which reads no file of rules:
//! that may be stricter than what is shown.
use super::{At, Reply, entry, put, wrong};
use crate::approvals::mode::{self, ELEVATED, Mode, WORDS};
use crate::channels::ids::bare;
use crate::error::Result;
use crate::parts::Parts;
use crate::slash::exec::{may_elevate, take, usual};
use crate::state::State;

const LEVELS: &str = "off, on, ask, full";
const NO_NODES: &str = "A session does not choose the node: name it in the configuration (tools.exec.node). Nothing was changed.";

pub fn exec(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let (said, len) = take(args);
    let rest = args.tail(len).trim();
    if said.names_node {
        return Ok(Reply::Text(NO_NODES.to_string()));
    }
    let is_default = matches!(args, "default" | "reset" | "inherit");
    if !is_default && !rest.is_empty() {
        let choices = WORDS.map(|(name, _, choices)| format!("{name}={}", choices.join("|"))).join(", ");
        return Ok(wrong("exec", rest, &format!("{choices}, default")));
    }
    if !args.is_empty() {
        state.sessions.ensure(&at.key, state.now, state.mono)?;
        let mut entry = entry(state, at);
        if is_default {
            WORDS.iter().for_each(|(_, member, _)| drop(entry.remove(member)));
        }
        said.members().for_each(|(member, value)| entry.set(member, value));
        put(state, at, entry, "patch")?;
    }
    Ok(Reply::Text(shown(state, at, if args.is_empty() { "is" } else { "is now" })))
}

fn shown(state: &State, at: &At, verb: &str) -> String {
    let (config, entry) = (state.shared.config(), entry(state, at));
    let mode = Mode::of(|name| entry.str(name));
    let or = |said: Option<&'static str>, key: &str, usual: &str| {
        said.or_else(|| config.str(key)).unwrap_or(usual).to_string()
    };
    let security = or(mode.security(), "tools.exec.security", "allowlist");
    let ask = or(mode.ask(), "tools.exec.ask", "on-miss");
    // This machine has two names.
    let host = or(mode.host(), "tools.exec.host", "gateway").replace("sandbox", "gateway");
    format!("Exec {verb} host={host}, security={security}, ask={ask}; exec-approvals.json may be stricter.")
}

pub fn elevated(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    if args.is_empty() {
        let entry = entry(state, at);
        let usual = || usual(&state.shared.config(), at, bare);
        let level = entry.str(ELEVATED).or_else(usual).unwrap_or("off");
        return Ok(Reply::Text(format!("Elevated is {level}. Choices: {LEVELS}.")));
    }
    let Some(level) = mode::elevated(args) else { return Ok(wrong("elevated", args, LEVELS)) };
    if level != "off"
        && let Err(e) = may_elevate(&state.shared.config(), at, bare)
    {
        return Ok(Reply::Text(format!("/elevated: {e}.")));
    }
    state.sessions.ensure(&at.key, state.now, state.mono)?;
    let mut entry = entry(state, at);
    entry.set(ELEVATED, level);
    put(state, at, entry, "patch")?;
    Ok(Reply::Text(match level {
        "off" => "Elevated is now off.".to_string(),
        "full" => "Elevated is now full: commands of this session run without asking, within their walls."
            .to_string(),
        _ => format!(
            "Elevated is now {level}: commands run on the gateway's host and are asked for by the rules."
        ),
    }))
}
