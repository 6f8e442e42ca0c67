//! What completion offers where the gateway is on another machine: its own word, asked for once and for no longer than a
//! finger rests. Whoever has never asked it anything is offered nothing, for a Tab is no reason to make it known to a gateway.
use super::{ids_of, names, nodes_in};
use crate::cli::Context;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::sessions::row::Row;
use crate::json::json;
use serde_json::Value;

/// How long a Tab may take, milliseconds.
const PATIENCE: u64 = 1500;

/// What the gateway has of a kind; nothing for kinds that are no gateway's own.
pub fn values(context: &Context, args: &Args, kind: &str) -> Option<Vec<String>> {
    let (method, params) = match kind {
        "agents" => ("agents.list", json!({})),
        "devices" | "requests" | "nodes" => ("device.pair.list", json!({})),
        "ids" | "named" | "sessions" => ("sessions.list", json!({"limit": super::MOST})),
        "jobs" => ("cron.list", json!({"includeDisabled": true})),
        "models" => ("models.list", json!({})),
        _ => return None,
    };
    if !context.env.state_dir.join("identity/device.json").is_file() {
        return Some(Vec::new());
    }
    let told = Talk::new(context, args).call_within(method, &params, PATIENCE).unwrap_or_default();
    let rows = || -> Vec<Row> {
        let all = told.get("sessions").and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Row::told).collect()
    };
    Some(match kind {
        "agents" => ids_of(&told, "agents", "id"),
        "devices" => ids_of(&told, "paired", "deviceId"),
        "requests" => ids_of(&told, "pending", "requestId"),
        "nodes" => nodes_in(&told),
        "ids" => rows().iter().map(|row| row.text("sessionId")).collect(),
        "named" => rows().iter().flat_map(names).collect(),
        "sessions" => rows().into_iter().map(|row| row.key).collect(),
        "jobs" => ids_of(&told, "jobs", "id"),
        _ => {
            let all = told.get("models").and_then(Value::as_array).into_iter().flatten();
            let name = |model: &Value| {
                let text = |name: &str| model.get(name).and_then(Value::as_str);
                Some(format!("{}/{}", text("provider")?, text("id")?))
            };
            all.filter_map(name).collect()
        }
    })
}
