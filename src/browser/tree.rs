//! Snapshots in the form `aria`: the accessibility tree as the browser has it, in its order. On the thread of who asks.
//!
//! The browser tells much more of each node than is shown, of which only that is made into values.
use super::ask::{Ctx, done};
use super::cdp::none;
use super::page;
use super::snapshot::MAX_WEIGHT;
use super::tabs;
use crate::error::{Error, Result};
use crate::json::{self, Put, json};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Values in the browser's answer: some hundred for each element.
const MAX_VALUES: usize = 4_000_000;
const MAX_DEPTH: usize = 20;

#[derive(Deserialize)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    node_id: String,
    role: Option<Said>,
    name: Option<Said>,
    value: Option<Said>,
    description: Option<Said>,
    #[serde(rename = "backendDOMNodeId")]
    backend: Option<u64>,
    #[serde(default)]
    child_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Said {
    value: Option<Value>,
}

fn words(said: &Option<Said>) -> String {
    match said.as_ref().and_then(|said| said.value.as_ref()) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

pub fn aria(ctx: &Ctx) -> Result<Value> {
    let most = ctx.number("limit").map_or(500, |limit| limit.clamp(1.0, 2000.0) as usize);
    let (browser, target, session) = ctx.page()?;
    let wait = ctx.within(20_000, 60_000);
    let main = page::main(&target, &session);
    let weight = page::value(&browser, &main, "oc.weight()", &wait)?.as_f64().unwrap_or_default();
    if weight > MAX_WEIGHT / 10.0 {
        return Err(Error::invalid("the page is too large for format=aria: use format=ai"));
    }
    let told = browser.cdp.call_raw(&session, "Accessibility.getFullAXTree", none(), &wait)?;
    let tree: Tree = json::read_as(&told, MAX_VALUES, MAX_DEPTH)
        .map_err(|e| Error::unavailable(format!("the browser's answer cannot be read: {e}")))?;
    let nodes = shown(&tree, most);
    let url = tabs::facts(&browser, &target, &wait.at_most(Duration::from_secs(3))).url;
    Ok(done(&target, json!({"format": "aria", "url": url, "nodes": nodes})))
}

/// The first of them, from the root on, each with how deep it lies.
fn shown(tree: &Tree, most: usize) -> Vec<Value> {
    let by_id: BTreeMap<&str, &Node> = tree.nodes.iter().map(|node| (node.node_id.as_str(), node)).collect();
    let mut waiting: Vec<(&Node, u64)> = tree.nodes.first().map(|root| (root, 0)).into_iter().collect();
    let mut nodes = Vec::new();
    while let Some((node, depth)) = waiting.pop() {
        if nodes.len() >= most {
            break;
        }
        let mut shown = Map::new();
        shown.put("ref", format!("ax{}", nodes.len() + 1));
        shown.put("role", words(&node.role));
        shown.put("name", words(&node.name));
        for (member, said) in [("value", &node.value), ("description", &node.description)] {
            Some(words(said)).filter(|it| !it.is_empty()).into_iter().for_each(|it| shown.put(member, it));
        }
        node.backend.into_iter().for_each(|id| shown.put("backendDOMNodeId", id));
        shown.put("depth", depth);
        nodes.push(Value::Object(shown));
        let kids = node.child_ids.iter().rev().filter_map(|id| by_id.get(id.as_str()).copied());
        waiting.extend(kids.map(|kid| (kid, depth + 1)));
    }
    nodes
}
