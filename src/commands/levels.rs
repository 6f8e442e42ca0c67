//! `/think`, `/verbose`, `/reasoning`. On the state thread.
use super::{At, Reply, entry, model, put, set_member, wrong};
use crate::error::Result;
use crate::models::compat;
use crate::models::provider::{Provider, Thinking};
use crate::slash::levels::{
    reasoning_shown, reasoning_word, thinking, thinking_word, verbose_word, verbosity,
};
use crate::state::State;

const THINKING: &str = "off, minimal, low, medium, high, xhigh";
const VERBOSE: &str = "off, on, full";
const REASONING: &str = "off, on, stream";

pub fn think(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let model = model::current(state, at);
    let provider = Provider::resolve(&state.shared.config(), &state.shared.env, &model).ok();
    let reasons = provider.as_ref().is_some_and(|p| p.reasoning);
    let note = effect(provider.as_ref(), &model);
    if args.is_empty() {
        let level = thinking(&state.shared.config(), &entry(state, at), reasons).name();
        return Ok(Reply::Text(format!("Thinking is {level}. Choices: {THINKING}.{note}")));
    }
    let Some(level) = thinking_word(args) else { return Ok(wrong("think", args, THINKING)) };
    set_member(state, at, "thinkingLevel", level.name())?;
    let unset = entry(state, at);
    if level == Thinking::Off && thinking(&state.shared.config(), &unset, reasons) != Thinking::Off {
        // The patch takes the member out, and then the default would hold, which is not what was asked for.
        let mut entry = unset.clone();
        entry.set("thinkingLevel", "off");
        put(state, at, entry, "patch")?;
    }
    Ok(Reply::Text(format!("Thinking is now {}.{note}", level.name())))
}

/// Where a level has no effect with the session's model, or less than it says.
fn effect(provider: Option<&Provider>, model: &str) -> String {
    let Some(provider) = provider.filter(|p| p.reasoning) else {
        return format!(" {model} is not marked as a model that reasons, so this counts with other models.");
    };
    compat::untold(provider).map(|note| format!(" {note}")).unwrap_or_default()
}

pub fn verbose(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    if args.is_empty() {
        let level = verbosity(&state.shared.config(), &entry(state, at));
        return Ok(Reply::Text(format!("Verbose is {level}. Choices: {VERBOSE}.")));
    }
    let Some(level) = verbose_word(args) else { return Ok(wrong("verbose", args, VERBOSE)) };
    set_member(state, at, "verboseLevel", level)?;
    Ok(Reply::Text(match level {
        "off" => "Verbose is now off: tool calls are not shown.".to_string(),
        "on" => "Verbose is now on: tool calls are shown.".to_string(),
        _ => "Verbose is now full: tool calls and their results are shown.".to_string(),
    }))
}

pub fn reasoning(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    if args.is_empty() {
        let level = reasoning_shown(&entry(state, at));
        return Ok(Reply::Text(format!("Reasoning is {level}. Choices: {REASONING}.")));
    }
    let Some(level) = reasoning_word(args) else { return Ok(wrong("reasoning", args, REASONING)) };
    set_member(state, at, "reasoningLevel", level)?;
    Ok(Reply::Text(format!("Reasoning is now {level}.")))
}
