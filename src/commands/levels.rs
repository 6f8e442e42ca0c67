//! `/think`, `/verbose`, `/reasoning`: settings with a few values, and the words that stand for them. Values are
//! stored by the rules of `sessions.patch`. On the state thread.
use super::{At, Reply, entry, model, put, set_member, wrong};
use crate::config::Config;
use crate::error::Result;
use crate::models::provider::{Provider, Thinking};
use crate::sessions::Entry;
use crate::state::State;

const THINKING: &str = "off, minimal, low, medium, high, xhigh";
const VERBOSE: &str = "off, on, full";
const REASONING: &str = "off, on, stream";

/// The level of a word as people write it.
pub fn thinking_word(word: &str) -> Option<Thinking> {
    let word = word.to_ascii_lowercase();
    Some(match word.as_str() {
        "on" | "enable" | "enabled" | "think-hard" | "thinkhard" => Thinking::Low,
        "min" | "think" => Thinking::Minimal,
        "mid" | "med" | "harder" | "think-harder" | "thinkharder" => Thinking::Medium,
        "max" | "highest" | "ultra" | "ultrathink" => Thinking::High,
        "x-high" | "x_high" | "extra-high" | "extra_high" | "extrahigh" => Thinking::XHigh,
        word => Thinking::parse(word)?,
    })
}

pub fn verbose_word(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "off" | "false" | "no" | "0" => "off",
        "on" | "true" | "yes" | "1" | "minimal" => "on",
        "full" | "all" | "everything" => "full",
        _ => return None,
    })
}

pub fn reasoning_word(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "off" | "false" | "no" | "0" | "hide" | "hidden" => "off",
        "on" | "true" | "yes" | "1" | "show" | "visible" => "on",
        "stream" | "streaming" | "live" => "stream",
        _ => return None,
    })
}

/// The level in force: the session's, else the configuration's, else `low` for a model that reasons.
pub fn thinking(config: &Config, entry: &Entry, model_reasons: bool) -> Thinking {
    let configured = || config.str("agents.defaults.thinkingDefault").and_then(Thinking::parse);
    let usual = if model_reasons { Thinking::Low } else { Thinking::Off };
    entry.str("thinkingLevel").and_then(Thinking::parse).or_else(configured).unwrap_or(usual)
}

/// The verbosity in force.
pub fn verbosity(config: &Config, entry: &Entry) -> &'static str {
    let configured = || config.str("agents.defaults.verboseDefault").and_then(verbose_word);
    entry.str("verboseLevel").and_then(verbose_word).or_else(configured).unwrap_or("off")
}

/// How the model's reasoning is shown.
pub fn reasoning_shown(entry: &Entry) -> &'static str {
    entry.str("reasoningLevel").and_then(reasoning_word).unwrap_or("off")
}

pub fn think(state: &mut State, at: &At, args: &str) -> Result<Reply> {
    let model = model::current(state, at);
    let reasons =
        Provider::resolve(&state.shared.config(), &state.shared.env, &model).is_ok_and(|p| p.reasoning);
    let note = match reasons {
        true => String::new(),
        false => format!(" {model} is not marked as a model that reasons, so this counts with other models."),
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_values_in_any_case() {
        for (word, want) in [
            ("OFF", Some("off")),
            ("on", Some("low")),
            ("max", Some("high")),
            ("x-High", Some("xhigh")),
            ("medium", Some("medium")),
            ("big", None),
            ("", None),
            ("high low", None),
        ] {
            assert_eq!(thinking_word(word).map(Thinking::name), want, "{word:?}");
        }
        assert_eq!(
            (verbose_word("ALL"), verbose_word("1"), verbose_word("x")),
            (Some("full"), Some("on"), None)
        );
        assert_eq!((reasoning_word("Live"), reasoning_word("full")), (Some("stream"), None));
    }

    #[test]
    fn the_session_wins_over_the_configuration_and_that_over_the_model() {
        let (config, mut entry) = (Config::empty(), Entry::default());
        assert_eq!(thinking(&config, &entry, true), Thinking::Low);
        assert_eq!(thinking(&config, &entry, false), Thinking::Off);
        entry.set("thinkingLevel", "off");
        assert_eq!(thinking(&config, &entry, true), Thinking::Off);
        entry.set("verboseLevel", "full");
        assert_eq!((verbosity(&config, &entry), reasoning_shown(&entry)), ("full", "off"));
    }
}
