//! Words for how much a model thinks, and how much of tools and reasoning is shown; the level that is in force. Pure.
use crate::config::Config;
use crate::models::provider::Thinking;
use crate::sessions::Entry;

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
