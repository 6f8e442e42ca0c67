//! `session_status`: time, model and use of tokens of a session, in a few lines. Runs on a tool's thread.
use crate::agents::Agents;
use crate::calls::Provenance;
use crate::clock;
use crate::error::Result;
use crate::json::json;
use crate::tools::{Context, Output, Tool, reach, text, usual_time};
use serde_json::Value;

pub const TOOL: Tool = Tool {
    name: "session_status",
    doc: "Show a session's status: date and time, model, tokens used. Yours when no sessionKey is given. Use it when asked about model, use or time.",
    parameters: r#"{"type": "object", "properties": {
        "sessionKey": {"type": "string", "description": "Key or id from sessions_list"}}}"#,
    aliases: &[
        ("key", "sessionKey"),
        ("session", "sessionKey"),
        ("session_id", "sessionKey"),
        ("id", "sessionKey"),
    ],
    changes: false,
    serves: Provenance::is_any,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let key = match text(arguments, "sessionKey") {
        Some(raw) => reach::session(context, raw)?,
        None => context.session_key.clone(),
    };
    let list = reach::ask(
        context,
        "sessions.list",
        json!({"search": key, "includeGlobal": true, "includeUnknown": true}),
    )?;
    let rows = list.get("sessions").and_then(Value::as_array).into_iter().flatten();
    let row = rows.into_iter().find(|row| row.get("key").and_then(Value::as_str) == Some(key.as_str()));
    let mut card = card(context, &key, row, list.get("defaults"));
    if text(arguments, "model").is_some() {
        card += "\nThe model was not changed: the user does that with /model.";
    }
    Ok(Output::text(card).about(key))
}

fn card(context: &Context, key: &str, row: Option<&Value>, defaults: Option<&Value>) -> String {
    let now = clock::now_ms();
    let zone = context.config.str("agents.defaults.userTimezone");
    let member = |name: &str| {
        row.and_then(|row| row.get(name)).or_else(|| defaults?.get(name)).filter(|v| !v.is_null())
    };
    let word = |name: &str| member(name).and_then(Value::as_str);
    let owner = reach::owner(context, key);
    let number = |name: &str| member(name).and_then(Value::as_u64);
    let mut lines = vec![
        format!("OpenClaw {}", crate::version::VERSION),
        format!("Time: {}", clock::show(&clock::zoned(now, zone), "%A, %e %B %Y, %H:%M %Z")),
        format!("Session: {key} (agent {owner})"),
    ];
    // Before the first turn has ended nobody has written which it is.
    let is_new = row.and_then(|row| row.get("model")?.as_str()).is_none();
    match is_new.then(|| Agents::of(&context.config, &context.settings.env).model(owner)).flatten() {
        Some(model) => lines.push(format!("Model: {model}")),
        None => lines.extend(
            word("model").map(|model| format!("Model: {}/{model}", word("modelProvider").unwrap_or("?"))),
        ),
    }
    if let Some(total) = number("totalTokens") {
        let window = number("contextTokens").filter(|n| *n > 0);
        let share =
            window.map(|n| format!(" of {n} ({} %)", total.saturating_mul(100) / n)).unwrap_or_default();
        lines.push(format!("Context: {total} tokens{share}"));
    }
    if let (Some(input), Some(output)) = (number("inputTokens"), number("outputTokens")) {
        lines.push(format!("Tokens: {input} in, {output} out"));
    }
    for (title, name) in [("Thinking", "thinkingLevel"), ("Verbose", "verboseLevel"), ("Channel", "channel")]
    {
        lines.extend(word(name).map(|value| format!("{title}: {value}")));
    }
    if let Some(at) = number("updatedAt") {
        lines.push(format!("Last active: {} min ago", now.saturating_sub(at) / 60_000));
    }
    if row.is_none() {
        lines.push("This session has no turn yet.".to_string());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn a_card_tells_model_tokens_and_time() {
        let (context, _dir) = context("{agents: {defaults: {userTimezone: 'Europe/Vienna'}}}");
        let row = json!({"key": "agent:main:main", "model": "m", "modelProvider": "p", "totalTokens": 50, "contextTokens": 200,
            "inputTokens": 40, "outputTokens": 10, "updatedAt": clock::now_ms() - 120_000});
        let card = card(&context, "agent:main:main", Some(&row), None);
        for want in [
            "Session: agent:main:main (agent main)",
            "Model: p/m",
            "Context: 50 tokens of 200 (25 %)",
            "Tokens: 40 in, 10 out",
            "Last active: 2 min ago",
            "CE",
        ] {
            assert!(card.contains(want), "{want} in {card}");
        }
        let empty =
            super::card(&context, "global", None, Some(&json!({"model": "d", "modelProvider": null})));
        assert!(empty.contains("Model: ?/d") && empty.contains("no turn yet"), "{empty}");
    }
}
