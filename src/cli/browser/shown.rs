//! What `openclaw browser` prints of an answer. Main thread.
use crate::cli::Context;
use serde_json::Value;

/// For people: what there is to read of an answer, else that it is done; and what the page has asked meanwhile.
pub(super) fn show(context: &Context, path: &str, told: &Value) {
    answer(context, told);
    if path != super::KIND {
        return;
    }
    for dialog in told.get("dialogs").and_then(Value::as_array).into_iter().flatten().rev() {
        let part = |name: &str| dialog.get(name).map(word).unwrap_or_default();
        let answer =
            if dialog.get("accepted") == Some(&Value::Bool(true)) { "accepted" } else { "dismissed" };
        context.out.line(format!("the page asked ({}), {answer}: {}", part("type"), part("message")));
    }
}

fn answer(context: &Context, told: &Value) {
    let text = |name: &str| told.get(name).and_then(Value::as_str);
    if let Some(page) = text("snapshot") {
        return context.out.text(&format!("{page}\n"));
    }
    let rows = ["tabs", "profiles", "messages", "errors", "requests", "cookies", "nodes"];
    if let Some(rows) = rows.iter().find_map(|name| told.get(*name)?.as_array()) {
        if rows.is_empty() {
            return context.out.line("none");
        }
        return rows.iter().for_each(|row| context.out.line(line(row)));
    }
    if let Some(path) = text("path").or_else(|| told.pointer("/download/path")?.as_str()) {
        return context.out.line(context.env.display(std::path::Path::new(path)));
    }
    if let Some(result) = told.get("result") {
        return context.out.line(result.as_str().map_or_else(|| result.to_string(), str::to_string));
    }
    match told.as_object().filter(|all| all.contains_key("running") && !all.contains_key("ok")) {
        Some(all) => {
            all.iter().for_each(|(name, value)| context.out.line(format!("{name}: {}", word(value))))
        }
        None if told.get("closed").is_some() => context.out.line("ok: the tab has closed"),
        None => context
            .out
            .line(done(text("url").unwrap_or_default(), told.get("loading") == Some(&Value::Bool(true)))),
    }
}

/// A page that is still loading, or on its way to another, is where it is not for long.
fn done(url: &str, is_loading: bool) -> String {
    let how = if is_loading { "ok, still loading" } else { "ok" };
    if url.is_empty() { how.to_string() } else { format!("{how}: {url}") }
}

/// The members of a row, one behind the other.
fn line(row: &Value) -> String {
    let members =
        row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null() && !value.is_object());
    members.map(|(_, value)| word(value)).collect::<Vec<_>>().join("  ")
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_string(),
        other => other.to_string(),
    }
}
