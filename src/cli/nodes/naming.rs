//! Which node a command means, by its id, name or address or a part of one.
use super::rows::{items, name, text};
use crate::cli::link::talk::Talk;
use crate::cli::pick::{Choice, Kind, pick};
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;

const NODE: Kind = Kind { name: "node", list: "nodes status" };

/// The id of the node that `--node` names.
pub(super) fn node(talk: &mut Talk) -> Result<String> {
    let named = talk.args.filled("node")?.map_or_else(|| talk.args.required("node"), Ok)?;
    find(talk, named).map(|(id, _)| id)
}

/// Its id and its platform.
pub(super) fn find(talk: &mut Talk, named: &str) -> Result<(String, String)> {
    let all = talk.call("node.list", &json!({}))?;
    let all: Vec<&Value> = items(&all, "nodes").collect();
    let is_here = |node: &Value| node.get("connected") == Some(&Value::Bool(true));
    let choice = |node: &&Value| Choice {
        id: text(node, "/nodeId").to_string(),
        names: [name(node), text(node, "/remoteIp")].map(str::to_string).into(),
        about: format!(
            "{}  {}{}",
            name(node),
            text(node, "/platform"),
            if is_here(node) { "" } else { "  away" }
        ),
    };
    let place = pick(talk.context, talk.args, &NODE, named, &all.iter().map(choice).collect::<Vec<_>>())?;
    let node = all.get(place).ok_or_else(|| Error::not_found("there is no such node"))?;
    Ok((text(node, "/nodeId").to_string(), text(node, "/platform").to_string()))
}
