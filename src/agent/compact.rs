//! How much of a conversation is sent along with a turn, and its compaction: older messages are replaced by a
//! summary that the same model writes. Runs on the run's thread.
//!
//! Nothing is removed from the transcript: a `compaction` entry says from where on the messages count. When the
//! model fails nothing is written.
use super::summary;
use crate::cancel::Cancel;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::json::Put;
use crate::models::failure;
use crate::models::provider::{Api, ChatRequest, Provider, Thinking};
use crate::sessions::branch::{Branch, Reach};
use crate::sessions::{Transcript, context, estimate, message};
use serde_json::Value;

/// Tokens kept free for the answer when nothing else is configured; a quarter of a small window.
const RESERVE: u64 = 20_000;
/// Newest messages that stay word for word, in tokens, and the share of the window they may take with the summary.
const KEEP: u64 = 20_000;
const SHARE: f64 = 0.5;
/// Messages that are sent at most, so that the start of a turn stays fast; more of them are compacted.
const MESSAGES: usize = 2500;
/// Bytes of images that are sent; older ones are left out. Servers refuse requests of some 30 MB.
const IMAGES: usize = 16 << 20;
/// A conversation larger than this many requests is summarised from its newer part.
const MAX_PARTS: usize = 8;
/// A part that the model refuses as too long is halved, but not below this many tokens.
const MIN_PART: u64 = 500;

/// What to send of a conversation.
#[derive(Debug)]
pub struct Window {
    /// Oldest first, in the transcript's shape; the first is a user's, every tool call has its result.
    pub messages: Vec<Value>,
    /// About what the request takes, in tokens, instructions and tools included.
    pub tokens: u64,
    /// Whether a compaction is due before the next call.
    pub is_full: bool,
    /// Whether older messages are not among them.
    pub is_cut: bool,
}

/// What a compaction did; sizes in tokens, estimated where the server did not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    pub tokens_before: u64,
    pub tokens_after: u64,
    pub summary: String,
}

/// Sizes that follow from model and configuration, in tokens.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// For instructions, tools and messages: the window without the room for the answer.
    usable: u64,
    /// What stays word for word in a compaction.
    keep: u64,
    /// Conversation text in one request for a summary.
    part: u64,
    /// The summary itself.
    summary: u64,
}

impl Limits {
    fn of(provider: &Provider, config: &Config) -> Limits {
        let window = tokens(provider, config).max(1);
        let reserve = match config.u64("agents.defaults.compaction.reserveTokensFloor") {
            Some(floor) => floor.min(window / 2),
            None => RESERVE.min(window / 4),
        };
        let answer = provider.max_tokens.map_or(0, |most| most.min(window / 2));
        let usable = window - reserve.max(answer);
        let share = config.get("agents.defaults.compaction.maxHistoryShare").and_then(Value::as_f64);
        let history = (usable as f64 * share.unwrap_or(SHARE).clamp(0.1, 0.9)) as u64;
        Limits {
            usable,
            keep: KEEP.min(history / 2),
            part: (usable / 4 * 3).max(MIN_PART),
            summary: (history / 4).clamp(256, 8_000),
        }
    }
}

/// The window of a model, as it is configured.
pub fn tokens(provider: &Provider, config: &Config) -> u64 {
    let most = config.u64("agents.defaults.contextTokens").filter(|most| *most > 0);
    most.map_or(provider.context_window, |most| most.min(provider.context_window))
}

/// The setting that bounds the window.
pub fn setting(provider: &Provider, config: &Config) -> String {
    match tokens(provider, config) < provider.context_window {
        true => "agents.defaults.contextTokens".to_string(),
        false => format!("contextWindow of the model in models.providers.{}.models", provider.id),
    }
}

/// What is said where `fixed_bytes` of instructions and tools leave less of the window than a compaction keeps.
pub fn crowded(provider: &Provider, fixed_bytes: usize, config: &Config) -> Option<String> {
    let (limits, fixed) = (Limits::of(provider, config), estimate::of_bytes(fixed_bytes));
    let (about, window) = (fixed.div_ceil(100) * 100, tokens(provider, config));
    (limits.usable.saturating_sub(fixed) < limits.keep).then(|| {
        format!(
            "instructions and tools take about {about} of the {window} tokens of {}/{}, so that little of a conversation fits: raise {}, as far as its server gives it that, or offer fewer tools (tools.profile minimal)",
            provider.id,
            provider.model,
            setting(provider, config)
        )
    })
}

/// The newest part of the conversation that fits the model's window beside `fixed_bytes` of instructions and tools.
/// The server's own count of the last answer is used where there is one.
pub fn window(
    transcript: &Transcript,
    provider: &Provider,
    fixed_bytes: usize,
    config: &Config,
) -> Result<Window> {
    let limits = Limits::of(provider, config);
    let fixed = estimate::of_bytes(fixed_bytes);
    let budget = limits.usable.saturating_sub(fixed);
    let reach =
        Reach { tokens: budget.max(limits.keep), counted: limits.usable, messages: MESSAGES, images: IMAGES };
    let mut branch = Branch::read(transcript, reach)?;
    let beside = fixed + summary_tokens(&branch);
    let guess = beside + branch.tokens;
    let total = branch.counted.unwrap_or(guess);
    if branch.is_whole && total <= limits.usable {
        let messages = context::into_messages(branch, 0);
        return Ok(Window { messages, tokens: total, is_full: false, is_cut: false });
    }
    // When the server counts more than was guessed, the guesses of all messages are too low by as much.
    let fitting = |all: u64| match branch.counted {
        Some(counted) if counted > guess => scale(all, guess, counted),
        _ => all,
    };
    // Where instructions and tools take all of it, what a compaction keeps goes along nevertheless: a model that is told
    // nothing of what was said before is of no use, and a server that refuses so much says so.
    let budget = fitting(limits.usable).saturating_sub(beside).max(fitting(limits.keep));
    let is_over = !branch.is_whole || branch.tokens > budget;
    let start = context::newest(&branch, budget);
    context::shorten_results(&mut branch, start, budget);
    // Soon after a compaction another one would not help: then instructions and tools take the room.
    let is_full = is_over && branch.since_summary >= limits.keep / 2;
    let is_cut = start > 0 || !branch.is_whole;
    let tokens = beside + branch.items.iter().skip(start).map(|item| item.tokens).sum::<u64>();
    Ok(Window { messages: context::into_messages(branch, start), tokens, is_full, is_cut })
}

fn scale(value: u64, by: u64, of: u64) -> u64 {
    (u128::from(value) * u128::from(by) / u128::from(of.max(1))) as u64
}

fn summary_tokens(branch: &Branch) -> u64 {
    branch.summary.as_ref().map_or(0, |summary| estimate::of_bytes(summary.len()))
}

/// Replaces all but the newest messages by a summary; `instructions` say what matters in it. `None` when there is
/// nothing to replace. Fails with the model's error, and then nothing has changed.
pub fn compact(
    transcript: &Transcript,
    provider: &Provider,
    config: &Config,
    instructions: Option<&str>,
    cancel: &Cancel,
) -> Result<Option<Compacted>> {
    let limits = Limits::of(provider, config);
    if provider.api == Api::Builtin {
        // It cannot summarise, so the summary is an extract.
        return compact_with(transcript, &limits, instructions, &mut |ask| Ok(summary::extract(&ask)));
    }
    let asked = Provider { max_tokens: Some(answer_limit(provider, &limits)), ..provider.clone() };
    compact_with(transcript, &limits, instructions, &mut |ask| {
        let messages = [crate::json::json!({"role": "user", "content": [message::text(&ask.text())]})];
        let request = ChatRequest {
            system: summary::SYSTEM,
            messages: &messages,
            tools: &[],
            thinking: Thinking::Off,
            has_acted: false,
            wanted: None,
        };
        Ok(asked.stream(&request, cancel, &mut |_| {})?.text())
    })
}

/// A model that thinks before it answers needs more than the summary takes.
fn answer_limit(provider: &Provider, limits: &Limits) -> u64 {
    let limit = limits.summary * if provider.reasoning { 4 } else { 2 };
    provider.max_tokens.map_or(limit, |most| most.min(limit))
}

type Summarise<'a> = &'a mut dyn FnMut(summary::Ask) -> Result<String>;

fn compact_with(
    transcript: &Transcript,
    limits: &Limits,
    instructions: Option<&str>,
    summarise: Summarise,
) -> Result<Option<Compacted>> {
    let reach = Reach {
        tokens: limits.keep + limits.part * MAX_PARTS as u64,
        counted: 0,
        messages: usize::MAX,
        images: 0,
    };
    let branch = Branch::read(transcript, reach)?;
    let cut = cut_point(&branch, limits.keep);
    let Some((older, kept)) = branch.items.split_at_checked(cut).filter(|(older, _)| !older.is_empty())
    else {
        return Ok(None);
    };
    let Some(first_kept) = kept.first() else { return Ok(None) };
    let lines: Vec<String> = older.iter().map(|item| summary::to_text(&item.message)).collect();
    let mut text = in_parts(&lines, &branch, limits, instructions, summarise)?;
    text = context::cut_middle(text.trim(), bytes(limits.summary));
    if text.is_empty() {
        let what = "summarise the conversation: the model gave an empty answer; choose another one with /model, or begin anew with /new";
        return Err(Error::new(Kind::Model, what));
    }
    if !context::starts_turn(first_kept) {
        let question = older.iter().rev().find(|item| context::starts_turn(item));
        text.push_str(&question.map(|q| summary::present_request(&q.message)).unwrap_or_default());
    }
    let guess = branch.tokens + summary_tokens(&branch);
    let before = branch.counted.unwrap_or(guess);
    let mut entry = message::compaction(&text, &first_kept.id, before);
    if first_kept.id.is_empty() {
        // The first format had no ids; what stays is named by its line there.
        let line = transcript.count_lines()?.saturating_sub(first_kept.at);
        if let Some(members) = entry.as_object_mut() {
            members.put("firstKeptEntryIndex", line);
        }
    }
    transcript.append(&[entry])?;
    let kept = kept.iter().map(|item| item.tokens).sum::<u64>();
    let after = kept + estimate::of_bytes(text.len()) + before.saturating_sub(guess);
    Ok(Some(Compacted { tokens_before: before, tokens_after: after, summary: text }))
}

/// The first item that stays: at a turn where possible. A short conversation is halved, since compacting it was
/// asked for, by a person or by a server that takes less than is configured.
fn cut_point(branch: &Branch, keep: u64) -> usize {
    let cut = context::newest(branch, keep.min(branch.tokens / 2));
    if branch.items.get(cut).is_some_and(context::starts_turn) {
        return cut;
    }
    let turn = branch.items.iter().rposition(context::starts_turn).filter(|at| *at > 0);
    let fits = |at: &usize| branch.items.iter().skip(*at).map(|item| item.tokens).sum::<u64>() <= keep;
    turn.filter(fits).unwrap_or(cut)
}

/// The summary, part after part, each with the summary of what came before it.
fn in_parts(
    lines: &[String],
    branch: &Branch,
    limits: &Limits,
    instructions: Option<&str>,
    summarise: Summarise,
) -> Result<String> {
    let mut part = limits.part;
    loop {
        let mut parts = summary::parts(lines, bytes(part));
        let left_out = parts.len().saturating_sub(MAX_PARTS);
        parts.drain(..left_out);
        let mut previous = branch.summary.clone().unwrap_or_default();
        if left_out > 0 || !branch.is_whole {
            previous.push_str(summary::LEFT_OUT);
        }
        let mut refused = None;
        for conversation in parts {
            match summarise(summary::Ask { previous: &previous, conversation: &conversation, instructions }) {
                Ok(text) => previous = text,
                Err(e) if failure::is_context_overflow(&e) && part / 2 >= MIN_PART => {
                    refused = Some(e);
                    break;
                }
                Err(e) if e.kind == Kind::Aborted => return Err(e),
                Err(e) => return Err(e.context("summarise the conversation, which stays as it was")),
            }
        }
        match refused {
            // The model takes less than is configured.
            Some(_) => part /= 2,
            None => return Ok(previous),
        }
    }
}

fn bytes(tokens: u64) -> usize {
    usize::try_from(tokens.saturating_mul(estimate::BYTES_PER_TOKEN)).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
