//! What a server refuses to take although most take it: left out or called otherwise, and asked again.
//!
//! Told by the server's words about a request it did not accept; used by `ask`, at most once for each. What a server
//! did not take for a model is remembered as long as the process lives, so that no later request costs a second one.
use super::compat::ThinkingFormat;
use super::provider::Provider;
use crate::parts::Parts;
use std::sync::{Mutex, PoisonError};

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Tools,
    StreamOptions,
    Effort,
    MaxTokens,
    Store,
    Developer,
    /// Whatever tells the model to reason.
    Thinking,
}

/// A refusal: provider, address and model in one text, and the part.
type Known = (String, Part);

/// The refusals that are remembered, and how many at most.
static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
const MOST_KNOWN: usize = 256;

/// How servers say that a model calls no tools, in lower case.
const NO_TOOLS: [&str; 12] = [
    "not support tool",
    "not support function",
    "that support tool use",
    "tool use is not supported",
    "tool calling is not supported",
    "tool calls are not supported",
    "tools is not supported",
    "tools are not supported",
    "function calling is not enabled",
    "function calling is not supported",
    "tool-call-parser",
    "tools param requires --jinja",
];

/// How servers say that they do not take a part at all, whatever is in it, in lower case.
const NOT_TAKEN: [&str; 18] = [
    "not support",
    "n't support",
    "unsupported",
    "not permitted",
    "not allowed",
    "not accept",
    "not available",
    "not enabled",
    "not implemented",
    "unrecognized",
    "unrecognised",
    "unknown",
    "unexpected",
    "forbidden",
    "extra field",
    "no such",
    "cannot use",
    "不支持",
];
/// What is left out when a server does not take what has this name.
const NAMED: [(&str, Part); 10] = [
    ("tools", Part::Tools),
    ("tool_choice", Part::Tools),
    ("functions", Part::Tools),
    ("store", Part::Store),
    ("max_tokens", Part::MaxTokens),
    ("enable_thinking", Part::Thinking),
    ("chat_template_kwargs", Part::Thinking),
    ("thinking", Part::Thinking),
    ("reasoning", Part::Thinking),
    ("reasoning.effort", Part::Thinking),
];

/// Whether a text without quotation marks names a member of the request itself, and nothing within it.
fn names(text: &str, part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.match_indices(part).any(|(at, _)| {
        let before = text.head(at).chars().next_back();
        let mut after = text.tail(at + part.len()).chars();
        let is_within = match after.next() {
            Some('.' | ',') => after.next().is_some_and(|c| c.is_ascii_alphanumeric()),
            Some(c) => c == '[' || is_word(c),
            None => false,
        };
        // Behind a place in the body it is a member of something else.
        !before.is_some_and(is_word) && !is_within
    })
}

/// The part that a refusal is about.
pub fn refused(status: u16, words: &str) -> Option<Part> {
    let words = words.to_lowercase();
    let says = |part: &str| words.contains(part);
    let plain = words.replace(['`', '\'', '"'], "");
    if matches!(status, 400 | 404 | 422 | 500 | 501) && NO_TOOLS.iter().any(|part| plain.contains(part)) {
        return Some(Part::Tools);
    }
    let is_not_taken = NOT_TAKEN.iter().any(|part| says(part));
    let is_refused = is_not_taken || ["support", "permitted", "invalid"].iter().any(|part| says(part));
    if !matches!(status, 400 | 422) || !is_refused {
        return None;
    }
    let rows = [
        ("stream_options", Part::StreamOptions),
        ("reasoning_effort", Part::Effort),
        ("max_completion_tokens", Part::MaxTokens),
        ("'max_tokens'", Part::MaxTokens),
        ("\"max_tokens\"", Part::MaxTokens),
        ("'store'", Part::Store),
        ("\"store\"", Part::Store),
        ("developer", Part::Developer),
    ];
    let by_name = || NAMED.into_iter().find(|(part, _)| is_not_taken && names(&plain, part));
    rows.into_iter().find(|(part, _)| says(part)).or_else(by_name).map(|(_, part)| part)
}

/// Whom a habit is of.
pub fn name(p: &Provider) -> String {
    format!("{} {} {}", p.id, p.base_url, p.model)
}

/// Remembers that the server took a request without this part only.
pub fn remember(p: &Provider, part: Part) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let refusal = (name(p), part);
    if !known.contains(&refusal) {
        if known.len() >= MOST_KNOWN {
            known.remove(0);
        }
        known.push(refusal);
    }
}

/// The provider without what its server is known to refuse; `None` where that is nothing.
#[inline(never)]
pub fn as_known(p: &Provider) -> Option<Box<Provider>> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let name = name(p);
    let mut adapted: Option<Box<Provider>> = None;
    for (_, part) in known.iter().filter(|(whose, _)| *whose == name) {
        if let Some(other) = without(adapted.as_deref().unwrap_or(p), *part) {
            adapted = Some(Box::new(other));
        }
    }
    adapted
}

/// The provider as it takes requests; `None` when that changes nothing.
pub fn without(p: &Provider, part: Part) -> Option<Provider> {
    let mut other = p.clone();
    match part {
        Part::Tools => other.tools = false,
        Part::StreamOptions => other.compat.counts_in_stream = false,
        Part::Effort => {
            other.effort = false;
            if other.compat.thinking == ThinkingFormat::Nested {
                other.compat.thinking = ThinkingFormat::Effort;
            }
        }
        Part::MaxTokens => {
            let is_usual = p.max_tokens_field == "max_tokens";
            other.max_tokens_field = if is_usual { "max_completion_tokens" } else { "max_tokens" };
        }
        Part::Store => other.compat.store = false,
        Part::Developer => other.compat.developer = false,
        Part::Thinking => (other.reasoning, other.effort) = (false, false),
    }
    let is_changed = other.tools != p.tools
        || other.reasoning != p.reasoning
        || other.compat != p.compat
        || other.effort != p.effort
        || (other.max_tokens.is_some() && other.max_tokens_field != p.max_tokens_field);
    is_changed.then_some(other)
}

/// The setting that spares the second request.
pub fn setting(p: &Provider, part: Part) -> String {
    let whose = format!("of the model {} in models.providers.{}", p.model, p.id);
    let (key, value) = match part {
        Part::Tools => ("supportsTools", "false"),
        Part::StreamOptions => ("supportsUsageInStreaming", "false"),
        Part::Effort => ("supportsReasoningEffort", "false"),
        Part::MaxTokens if p.max_tokens_field == "max_tokens" => ("maxTokensField", "max_completion_tokens"),
        Part::MaxTokens => ("maxTokensField", "max_tokens"),
        Part::Store => ("supportsStore", "false"),
        Part::Developer => ("supportsDeveloperRole", "false"),
        Part::Thinking => return format!("reasoning: false {whose}"),
    };
    format!("compat.{key}: {value} {whose}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_f24_refusals_name_what_is_left_out() {
        let none = "registry.ollama.ai/library/gemma3 does not support tools";
        assert_eq!(refused(400, none), Some(Part::Tools));
        assert_eq!(refused(404, "No endpoints found that support tool use."), Some(Part::Tools));
        assert_eq!(refused(400, "`tools` is not supported by this model"), Some(Part::Tools));
        assert_eq!(refused(401, none), None);
        let pydantic =
            r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#;
        assert_eq!(refused(422, pydantic), Some(Part::StreamOptions));
        let length = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        assert_eq!(refused(400, length), Some(Part::MaxTokens));
        assert_eq!(refused(400, "messages.0: bad"), None);
        for (words, part) in [
            ("Unrecognized request argument supplied: tools", Part::Tools),
            (
                r#"{"error":{"message":"Unrecognized request arguments supplied: tool_choice, tools"}}"#,
                Part::Tools,
            ),
            ("json: unknown field \"tool_choice\"", Part::Tools),
            ("Extra inputs are not permitted: tools", Part::Tools),
            ("tools: Extra inputs are not permitted", Part::Tools),
            (r#"{"detail":[{"loc":["body","tools"],"msg":"Extra inputs are not permitted"}]}"#, Part::Tools),
            ("This model does not accept tools.", Part::Tools),
            ("该模型不支持tools参数", Part::Tools),
            ("Unrecognized request argument supplied: stream_options", Part::StreamOptions),
            ("Additional properties are not allowed ('stream_options' was unexpected)", Part::StreamOptions),
            ("Unrecognized request argument supplied: max_tokens", Part::MaxTokens),
            ("Unrecognized request argument supplied: store", Part::Store),
            ("json: unknown field \"enable_thinking\"", Part::Thinking),
            ("thinking: Extra inputs are not permitted", Part::Thinking),
        ] {
            assert_eq!(refused(400, words), Some(part), "{words}");
        }
        // What is wrong within a part is no reason to do without it.
        for words in [
            "Unknown parameter: 'tools[0].function.strict'",
            r#"{"detail":[{"loc":["body","tools",0,"function","x"],"msg":"Extra inputs are not permitted"}]}"#,
            "tools.0.custom.x: Extra inputs are not permitted",
            "this model supports at most 128 tools",
            "max_tokens is too large: this model supports at most 4096",
            "an unknown error while rendering my_tools",
        ] {
            assert_eq!(refused(400, words), None, "{words}");
        }
        let p = Provider::builtin();
        assert!(without(&p, Part::Tools).is_none() && without(&p, Part::MaxTokens).is_none());
        assert!(without(&p, Part::StreamOptions).is_some_and(|p| !p.compat.counts_in_stream));
    }
}
