//! `openclaw clients`: who is connected to the gateway now, from where and how busily.
use super::link::rpc;
use super::parse::Args;
use super::print::age;
use super::{Command, Context, JSON};
use crate::error::Result;
use crate::json::json;
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "clients",
    summary: "Show who is connected to the gateway",
    about: "One line a connection, the newest first; this command's own is left out. Addresses of other hosts are shown,\n\
            bytes are those that came from the client and those that went to it.",
    positionals: &[],
    flags: &[&[JSON], rpc::FLAGS, rpc::TIMEOUT],
    examples: &[
        ("openclaw clients", "Show who is here, since when and from where"),
        ("openclaw clients --json", "Print all of it as JSON"),
    ],
    failure: "",
    run,
};

/// The same under a shorter name.
pub const WHO: Command = Command {
    name: "who",
    summary: "The same as clients",
    examples: &[("openclaw who", "Show who is here")],
    ..COMMAND
};

/// Of device ids where they only tell devices apart.
const SHORT_ID: usize = 12;

fn run(context: &Context, args: &Args) -> Result<()> {
    let told = rpc::call(context, args, "clients.list", &json!({}))?;
    if args.has("json") {
        context.out.json(&told);
        return Ok(());
    }
    let now = told.get("ts").and_then(Value::as_u64).unwrap_or_default();
    let all = told.get("clients").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let others = all.iter().filter(|client| client.get("isSelf") != Some(&Value::Bool(true)));
    let rows: Vec<Vec<String>> = others.map(|client| row(client, now)).collect();
    if rows.is_empty() {
        context.out.line("Nobody is connected.");
        return Ok(());
    }
    context
        .out
        .table(&["Name", "Device", "Role", "Platform", "Address", "Since", "Seen", "In", "Out"], &rows);
    Ok(())
}

fn row(client: &Value, now: u64) -> Vec<String> {
    let text = |name: &str| client.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| client.get(name).and_then(Value::as_u64).unwrap_or_default();
    let since = |name: &str| age(now.saturating_sub(number(name)));
    let name = if text("name").is_empty() { text("clientId") } else { text("name") };
    let address = if text("ip").is_empty() { "this host" } else { text("ip") };
    vec![
        name.to_string(),
        text("deviceId").chars().take(SHORT_ID).collect(),
        text("role").to_string(),
        text("platform").to_string(),
        address.to_string(),
        since("connectedAtMs"),
        since("lastSeenAtMs"),
        size(number("bytesIn")),
        size(number("bytesOut")),
    ]
}

/// `512`, `1.2k`, `3.4M`
fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => bytes.to_string(),
        1000..1_000_000 => format!("{:.1}k", bytes as f64 / 1e3),
        _ => format!("{:.1}M", bytes as f64 / 1e6),
    }
}
