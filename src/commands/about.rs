//! `/help`, `/commands`, `/status`, `/whoami`: what the gateway says of itself. On the state thread.
use super::{At, Reply, entry, model};
use crate::error::Result;
use crate::models::provider::Provider;
use crate::sessions::Entry;
use crate::slash::{Act, COMMANDS, Command, levels, queue};
use crate::state::State;
use serde_json::Value;

/// What `/help` shows, in this order.
const USED_MOST: [&str; 8] = ["new", "stop", "compact", "status", "model", "think", "verbose", "usage"];

pub fn help(_: &mut State, _: &At, _: &str) -> Result<Reply> {
    let rows = USED_MOST.iter().filter_map(|name| COMMANDS.iter().find(|c| c.name == *name)).map(line);
    let rows: String = rows.collect();
    let hint = "In other text, /think, /verbose, /reasoning, /model and /queue hold for that message only.";
    Ok(Reply::Text(format!("Commands:{rows}\n{hint} /commands lists all.")))
}

pub fn commands(_: &mut State, _: &At, _: &str) -> Result<Reply> {
    let rows: String = COMMANDS.iter().filter(|c| matches!(c.act, Act::Run(_))).map(line).collect();
    Ok(Reply::Text(format!("Commands:{rows}")))
}

fn line(command: &Command) -> String {
    let space = if command.args.is_empty() { "" } else { " " };
    let aliases: String = command.aliases.iter().map(|alias| format!(", /{alias}")).collect();
    format!("\n/{}{space}{}{aliases}: {}", command.name, command.args, command.doc)
}

pub fn whoami(_: &mut State, at: &At, _: &str) -> Result<Reply> {
    let scopes = at.scopes.as_slice().join(", ");
    Ok(Reply::Text(format!("Channel: {}\nSender: {}\nScopes: {scopes}", at.channel, at.sender)))
}

pub fn status(state: &mut State, at: &At, _: &str) -> Result<Reply> {
    let (config, entry, now) = (state.shared.config(), entry(state, at), model::current(state, at));
    let provider = Provider::resolve(&config, &state.shared.env, &now);
    let usable = match &provider {
        Ok(_) if entry.chosen_model().is_some() => ", chosen for this session".to_string(),
        Ok(_) => String::new(),
        Err(e) => format!(", which cannot be used: {e}"),
    };
    let reasons = provider.as_ref().is_ok_and(|p| p.reasoning);
    let window =
        config.u64("agents.defaults.contextTokens").or(provider.as_ref().ok().map(|p| p.context_window));
    let lines = [
        format!("OpenClaw {}, up {}", crate::version::VERSION, span(state.mono)),
        format!("Model: {now}{usable}"),
        format!("Session: {}", at.key),
        context_line(&entry, window),
        format!(
            "Thinking: {}, verbose: {}, reasoning: {}, usage line: {}",
            levels::thinking(&config, &entry, reasons).name(),
            levels::verbosity(&config, &entry),
            levels::reasoning_shown(&entry),
            entry.str("responseUsage").unwrap_or("off"),
        ),
        queue::shown(&config, &entry, &at.channel),
        format!(
            "Runs: {} going on, {} waiting; of this session: {}",
            state.runs.active(),
            state.runs.queued(),
            state.runs.of_session(&at.key).len(),
        ),
    ];
    Ok(Reply::Text(lines.join("\n")))
}

/// How full the context is, as far as the last turn told.
pub(super) fn context_line(entry: &Entry, window: Option<u64>) -> String {
    let number = |name: &str| entry.get(name).and_then(Value::as_u64);
    let window = number("contextTokens").or(window).unwrap_or(0);
    let mut line = match number("totalTokens") {
        Some(used) => {
            let percent = used.saturating_mul(100).checked_div(window).unwrap_or(0);
            format!("Context: {} of {} tokens ({percent}%)", short(used), short(window))
        }
        None => format!("Context: not known yet, of {} tokens", short(window)),
    };
    if let (Some(input), Some(output)) = (number("inputTokens"), number("outputTokens")) {
        line += &format!(", last turn {} in, {} out", short(input), short(output));
    }
    if let Some(n) = number("compactionCount").filter(|n| *n > 0) {
        let times = if n == 1 { "once".to_string() } else { format!("{n} times") };
        line += &format!(", compacted {times}");
    }
    line
}

/// A number of tokens as people read it.
pub(super) fn short(n: u64) -> String {
    match n {
        0..1000 => n.to_string(),
        1000..10_000 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        10_000..1_000_000 => format!("{}k", n / 1000),
        _ => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
    }
}

/// A time span in the two largest units.
fn span(ms: u64) -> String {
    let (s, min, h) = (ms / 1000, ms / 60_000, ms / 3_600_000);
    match (h / 24, h, min) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{min} min {} s", s % 60),
        (0, _, _) => format!("{h} h {} min", min % 60),
        (days, _, _) => format!("{days} d {} h", h % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_short() {
        for (n, want) in [(0, "0"), (999, "999"), (1234, "1.2k"), (200_000, "200k"), (1_050_000, "1.0M")] {
            assert_eq!(short(n), want);
        }
        for (ms, want) in
            [(900, "0 s"), (61_000, "1 min 1 s"), (3_660_000, "1 h 1 min"), (90_000_000, "1 d 1 h")]
        {
            assert_eq!(span(ms), want);
        }
    }

    #[test]
    fn the_context_is_told_as_far_as_it_is_known() {
        let mut entry = Entry::default();
        assert_eq!(context_line(&entry, Some(8000)), "Context: not known yet, of 8.0k tokens");
        entry.set("contextTokens", 200_000);
        entry.set("totalTokens", 50_000);
        entry.set("inputTokens", 900);
        entry.set("outputTokens", 12);
        let want = "Context: 50k of 200k tokens (25%), last turn 900 in, 12 out";
        assert_eq!(context_line(&entry, None), want);
    }

    #[test]
    fn help_names_commands_that_exist() {
        for name in USED_MOST {
            assert!(COMMANDS.iter().any(|c| c.name == name), "{name}");
        }
    }
}
