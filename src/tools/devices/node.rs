//! Which node a call means, and having it do something. Runs on a tool's thread.
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::ids;
use crate::json::{Put, json};
use crate::tools::Context;
use crate::tools::talks::reach::ask;
use serde_json::{Map, Value};

/// Letters of the beginning of an id that are enough.
const SHORTEST: usize = 6;

/// Whether any device is paired as a node: for nobody else the tools' words are worth a model's room.
pub fn are_paired(env: &Env) -> bool {
    let path = env.state_dir.join("devices").join("paired.json");
    files::read_bytes(&path, files::MAX_TEXT)
        .is_ok_and(|text| memchr::memmem::find(&text, b"\"node\"").is_some())
}

pub fn all(context: &Context) -> Result<Vec<Value>> {
    let told = ask(context, "node.list", json!({}))?;
    Ok(told.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn member<'v>(node: &'v Value, name: &str) -> &'v str {
    node.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Letters and digits of a name, in one case: `Anna's iPhone` is `annas-iphone` too.
fn plain(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A node, as far as it matters what it is.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: String,
    pub platform: String,
}

impl Found {
    fn of(node: &Value) -> Found {
        Found { id: member(node, "nodeId").to_string(), platform: member(node, "platform").to_string() }
    }
}

/// The node that is meant: by its id, its address, its name, the beginning of its id. Without a word the only one
/// that fits, if there is just one.
pub fn find(context: &Context, said: Option<&str>, fits: impl Fn(&Value) -> bool) -> Result<Found> {
    let nodes = all(context)?;
    let known = || {
        let names = nodes.iter().map(|node| match member(node, "displayName") {
            "" => member(node, "nodeId"),
            name => name,
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let Some(said) = said else {
        let mut here =
            nodes.iter().filter(|node| node.get("connected") == Some(&Value::Bool(true)) && fits(node));
        return match (here.next(), here.next()) {
            (Some(node), None) => Ok(Found::of(node)),
            _ => Err(Error::invalid(format!("node required (known: {})", known()))),
        };
    };
    let tests: [&dyn Fn(&Value) -> bool; 4] = [
        &|node| member(node, "nodeId") == said,
        &|node| member(node, "remoteIp") == said,
        &|node| !plain(said).is_empty() && plain(member(node, "displayName")) == plain(said),
        &|node| said.len() >= SHORTEST && member(node, "nodeId").starts_with(said),
    ];
    for test in tests {
        let found: Vec<&Value> = nodes.iter().filter(|node| test(node)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Found::of(one)),
            _ => {
                return Err(Error::invalid(format!("several nodes are called {said:?}: give the id of one")));
            }
        }
    }
    Err(Error::invalid(format!("unknown node: {said} (known: {})", known())))
}

/// Has a node do something; the whole answer.
pub fn invoke(
    context: &Context,
    node: &str,
    command: &str,
    params: Option<Value>,
    timeout_ms: Option<u64>,
) -> Result<Value> {
    let mut asked = Map::new();
    asked.put("nodeId", node);
    asked.put("command", command);
    asked.put("idempotencyKey", ids::uuid()?);
    if let Some(params) = params {
        asked.put("params", params);
    }
    if let Some(time) = timeout_ms {
        asked.put("timeoutMs", time);
    }
    ask(context, "node.invoke", asked.into())
}

/// The same; what it gave.
pub fn gives(
    context: &Context,
    node: &str,
    command: &str,
    params: Option<Value>,
    timeout_ms: Option<u64>,
) -> Result<Value> {
    let mut told = invoke(context, node, command, params, timeout_ms)?;
    Ok(told.get_mut("payload").map(Value::take).unwrap_or_default())
}

/// These of the arguments, under the same names.
pub fn taken(arguments: &Value, names: &[&str]) -> Map<String, Value> {
    let named = names.iter().filter_map(|name| Some((name.to_string(), arguments.get(*name)?.clone())));
    named.filter(|(_, value)| !value.is_null()).collect()
}
