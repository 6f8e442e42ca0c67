//! What a message does while a turn goes on in its session: the words for it, and the settings in force: the
//! message's own, else the session's, else the configuration's. Pure.
use crate::config::Config;
use crate::sessions::Entry;
use serde_json::Value;

/// What a directive asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// `collect`, `followup`, `steer`, `steer-backlog` or `interrupt`.
    pub mode: Option<&'static str>,
    pub debounce_ms: Option<u64>,
    pub cap: Option<u64>,
    /// `old`, `new` or `summarize`.
    pub drop: Option<&'static str>,
    /// Back to the configuration's settings.
    pub resets: bool,
}

/// What holds for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub mode: &'static str,
    pub debounce_ms: u64,
    pub cap: u64,
    pub drop: &'static str,
}

/// The settings in force for a session that is spoken to by `channel`.
pub fn settings(config: &Config, entry: &Entry, channel: &str, own: Option<&Change>) -> Settings {
    let own = own.cloned().unwrap_or_default();
    let of_channel = |map: &'static str| config.get_in(&["messages", "queue", map])?.get(channel);
    let number = |name: &str| entry.get(name).and_then(Value::as_u64);
    let mode = || entry.str("queueMode").and_then(mode_word);
    let channel_mode = || of_channel("byChannel").and_then(Value::as_str).and_then(mode_word);
    let usual_mode = || config.str("messages.queue.mode").and_then(mode_word);
    let drop = || entry.str("queueDrop").and_then(drop_word);
    let usual_drop = || config.str("messages.queue.drop").and_then(drop_word);
    let debounce = own.debounce_ms.or_else(|| number("queueDebounceMs"));
    let channel_debounce = || of_channel("debounceMsByChannel").and_then(Value::as_u64);
    let usual_debounce = || config.u64("messages.queue.debounceMs");
    let cap = own.cap.or_else(|| number("queueCap")).or_else(|| config.u64("messages.queue.cap"));
    Settings {
        mode: own.mode.or_else(mode).or_else(channel_mode).or_else(usual_mode).unwrap_or("collect"),
        debounce_ms: debounce.or_else(channel_debounce).or_else(usual_debounce).unwrap_or(1000),
        cap: cap.unwrap_or(20).max(1),
        drop: own.drop.or_else(drop).or_else(usual_drop).unwrap_or("summarize"),
    }
}

/// The settings at the start of `text`, and how many bytes of it they are: up to the first word that is none.
pub fn take(text: &str) -> (Change, usize) {
    let mut change = Change::default();
    let (mut len, mut at) = (0, 0);
    while let Some(rest) = text.get(at..) {
        let word_at = at + rest.len() - rest.trim_start().len();
        let Some(word) = text.get(word_at..).and_then(|t| t.split_whitespace().next()) else { break };
        if !read(&mut change, &word.to_ascii_lowercase()) {
            break;
        }
        at = word_at + word.len();
        len = at;
    }
    (change, len)
}

fn read(change: &mut Change, word: &str) -> bool {
    let value = |name: &str| word.strip_prefix(name)?.strip_prefix([':', '=']);
    if matches!(word, "default" | "reset" | "clear") {
        *change = Change { resets: true, ..Change::default() };
    } else if let Some(text) = value("debounce") {
        let ms = duration_ms(text);
        change.debounce_ms = ms.or(change.debounce_ms);
        return ms.is_some();
    } else if let Some(text) = value("cap") {
        let cap = text.parse::<u64>().ok().filter(|n| *n > 0);
        change.cap = cap.or(change.cap);
        return cap.is_some();
    } else if let Some(text) = value("drop") {
        let drop = drop_word(text);
        change.drop = drop.or(change.drop);
        return drop.is_some();
    } else {
        let mode = mode_word(word);
        change.mode = mode.or(change.mode);
        return mode.is_some();
    }
    true
}

fn mode_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "collect" | "coalesce" => "collect",
        "followup" | "followups" | "follow-up" => "followup",
        "steer" | "steering" | "queue" | "queued" => "steer",
        "steer-backlog" | "steer+backlog" | "steer_backlog" => "steer-backlog",
        "interrupt" | "interrupts" | "abort" => "interrupt",
        _ => return None,
    })
}

fn drop_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "old" | "oldest" => "old",
        "new" | "newest" => "new",
        "summarize" | "summary" => "summarize",
        _ => return None,
    })
}

/// Milliseconds of `500`, `500ms`, `2s`, `1.5s`, `1m`; at most an hour.
fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit {
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    let ms = number.parse::<f64>().ok()? * factor;
    (0.0..=3_600_000.0).contains(&ms).then_some(ms as u64)
}

/// The settings in force in one line.
pub fn shown(config: &Config, entry: &Entry, channel: &str) -> String {
    let Settings { mode, debounce_ms, cap, drop } = settings(config, entry, channel, None);
    format!("Queue: {mode}, debounce {debounce_ms} ms, cap {cap}, drop {drop}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_up_to_the_first_that_is_none() {
        let check = |text: &str, want: Change, rest: &str| {
            let (change, len) = take(text);
            assert_eq!((change, &text[len..]), (want, rest), "{text:?}");
        };
        let none = Change::default();
        check("", none.clone(), "");
        check("for bread", none.clone(), "for bread");
        check("collect", Change { mode: Some("collect"), ..none.clone() }, "");
        let all = Change {
            mode: Some("steer-backlog"),
            debounce_ms: Some(2000),
            cap: Some(25),
            drop: Some("old"),
            resets: false,
        };
        check("Steer+Backlog debounce:2s  cap=25 drop:oldest and go", all, " and go");
        check("default x", Change { resets: true, ..none.clone() }, " x");
        check("cap:0", none.clone(), "cap:0");
        check("debounce:2h", none.clone(), "debounce:2h");
        check("drop:", none.clone(), "drop:");
        check("é collect", none, "é collect");
    }

    #[test]
    fn durations_have_units() {
        for (text, want) in [
            ("500", Some(500)),
            ("1.5s", Some(1500)),
            ("1m", Some(60_000)),
            ("2h", None),
            ("s", None),
            ("9999m", None),
        ] {
            assert_eq!(duration_ms(text), want, "{text}");
        }
    }

    #[test]
    fn the_message_wins_over_the_session_and_that_over_the_defaults() {
        let mut entry = Entry::default();
        let mode = |entry: &Entry, own: Option<&Change>| settings(&Config::empty(), entry, "webchat", own);
        let usual = Settings { mode: "collect", debounce_ms: 1000, cap: 20, drop: "summarize" };
        assert_eq!(mode(&entry, None), usual);
        entry.set("queueMode", "steer");
        entry.set("queueCap", 5);
        let own = take("interrupt").0;
        assert_eq!((mode(&entry, None).mode, mode(&entry, Some(&own)).mode), ("steer", "interrupt"));
        assert_eq!(mode(&entry, Some(&own)).cap, 5);
    }
}
