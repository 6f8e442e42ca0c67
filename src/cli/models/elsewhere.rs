//! `openclaw models list` where the gateway is on another machine: what it tells of its models.
//!
//! It tells no keys and no addresses, so that there is no telling here which models are local or can be used.
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Context, far};
use crate::error::Result;
use crate::json::json;
use serde_json::Value;

pub fn list(context: &Context, args: &Args, address: &str) -> Result<()> {
    if args.has("local") {
        let why = "it does not tell which of its models are local";
        return Err(far::refusal(&context.env, address, why, None));
    }
    let told = rpc::call(context, args, "models.list", &json!({}))?;
    let of_provider =
        |row: &&Value| args.value("provider").is_none_or(|id| id.eq_ignore_ascii_case(text(row, "provider")));
    let rows = told.get("models").and_then(Value::as_array).into_iter().flatten().filter(of_provider);
    let rows: Vec<&Value> = rows.collect();
    if args.has("json") {
        let models: Vec<Value> = rows.iter().map(|row| as_json(row)).collect();
        context.out.json(&json!({"count": models.len(), "models": models}));
    } else if args.has("plain") {
        rows.iter().for_each(|row| context.out.whole(reference(row)));
    } else if rows.is_empty() {
        context.out.line("No models fit.");
    } else {
        context.out.line(format!("Gateway: {address}"));
        context.out.table(&["Model", "Input", "Ctx"], &rows.iter().map(|row| cells(row)).collect::<Vec<_>>());
    }
    Ok(())
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn reference(row: &Value) -> String {
    format!("{}/{}", text(row, "provider"), text(row, "id"))
}

fn input(row: &Value) -> String {
    let kinds = row.get("input").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    kinds.collect::<Vec<_>>().join("+")
}

fn as_json(row: &Value) -> Value {
    json!({
        "key": reference(row), "name": row.get("name"), "input": input(row),
        "contextWindow": row.get("contextWindow"),
    })
}

fn cells(row: &Value) -> Vec<String> {
    let window = row.get("contextWindow").and_then(Value::as_u64);
    vec![reference(row), input(row), window.map_or("?".to_string(), |tokens| format!("{}k", tokens / 1000))]
}
