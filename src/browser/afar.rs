//! A browser on a node: which node that is, what it is asked by `browser.proxy`, and its answer, whose files are kept here. On the
//! thread of who asks, who gives the way to the node.
use super::ask::Asked;
use crate::config::Config;
use crate::device::encoding::from_base64;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::ids;
use crate::json::json;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a node with a browser offers.
pub const COMMAND: &str = "browser.proxy";
/// Letters of the beginning of an id that are enough.
const SHORTEST: usize = 6;
/// Bytes of a file in base64, and how many files one answer may bring.
const MAX_FILE: usize = 14 << 20;
const MAX_FILES: usize = 4;
/// Where an answer names files.
const PLACES: &[&str] = &["/path", "/imagePath", "/download/path"];
/// How much longer than the node itself is waited.
const BESIDE: Duration = Duration::from_secs(5);

/// The node whose browser is meant, of those that are here and have one (id, name): the one that the configuration names, else
/// the only one there is; none where it is this machine's browser.
pub fn chosen(config: &Config, here: &[(String, String)]) -> Result<Option<String>> {
    let mode = config.str("gateway.nodes.browser.mode").unwrap_or("auto");
    let named = config.str("gateway.nodes.browser.node").map(str::trim).filter(|name| !name.is_empty());
    let is_meant = |(id, name): &&(String, String), wanted: &str| {
        id == wanted
            || name.eq_ignore_ascii_case(wanted)
            || (wanted.len() >= SHORTEST && id.starts_with(wanted))
    };
    match (mode, named, here) {
        ("off", ..) => Ok(None),
        (_, Some(wanted), _) => match here.iter().find(|node| is_meant(node, wanted)) {
            Some((id, _)) => Ok(Some(id.clone())),
            None => Err(Error::unavailable(format!("Configured browser node not connected: {wanted}"))
                .advising("openclaw nodes status")),
        },
        ("auto", None, [(id, _)]) => Ok(Some(id.clone())),
        _ => Ok(None),
    }
}

/// Has the node do it. `invoke` calls `node.invoke`.
pub fn ask(env: &Env, node: &str, asked: &Asked, invoke: &dyn Fn(Value) -> Result<Value>) -> Result<Value> {
    let is_code = asked.body.get("kind").is_some_and(|kind| kind == "evaluate");
    if !asked.may_evaluate && (is_code || asked.body.get("fn").is_some()) {
        return Err(Error::new(Kind::Forbidden, "code is run in pages for the owner alone"));
    }
    let left = asked.until.saturating_duration_since(Instant::now());
    let profile = asked.query.get("profile").or_else(|| asked.body.get("profile"));
    let params = json!({
        "method": (asked.method), "path": (asked.path), "query": (asked.query), "body": (asked.body), "profile": profile,
        "timeoutMs": (left.as_millis() as u64),
    });
    let mut told = invoke(json!({
        "nodeId": node, "command": COMMAND, "params": params, "idempotencyKey": (ids::uuid()?),
        "timeoutMs": ((left + BESIDE).as_millis() as u64),
    }))
    .map_err(plain)?;
    let mut payload = told.get_mut("payload").map(Value::take).unwrap_or_default();
    let files = payload.get_mut("files").map(Value::take).unwrap_or_default();
    let Some(mut result) = payload.get_mut("result").map(Value::take).filter(Value::is_object) else {
        return Err(Error::unavailable("the node's browser gave no answer that can be read"));
    };
    let files = files.as_array().map(Vec::as_slice).unwrap_or_default();
    for file in files.iter().take(MAX_FILES) {
        keep(env, file, &mut result)?;
    }
    Ok(result)
}

/// What the service of the node said, without the marks of the way.
fn plain(error: Error) -> Error {
    let words = error.message().strip_prefix("Error: ").unwrap_or(error.message());
    let words = words.strip_prefix("INVALID_REQUEST: ").unwrap_or(words).to_string();
    let said = error.details().and_then(|details| details.get("nodeError")?.get("code")?.as_str());
    let kind = if said == Some("INVALID_REQUEST") { Kind::Invalid } else { error.kind };
    Error::new(kind, words)
}

/// Keeps a file that the answer names, and has it name the place here.
fn keep(env: &Env, file: &Value, result: &mut Value) -> Result<()> {
    let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default();
    let (theirs, data) = (text("path"), text("base64"));
    let bytes = Some(data).filter(|data| data.len() <= MAX_FILE).and_then(from_base64);
    let bytes =
        bytes.ok_or_else(|| Error::unavailable("the node's browser gave a file that cannot be read"))?;
    let ending = Path::new(theirs).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_plain =
        !ending.is_empty() && ending.len() <= 8 && ending.bytes().all(|c| c.is_ascii_alphanumeric());
    let dir = super::media_dir(env);
    files::private_dir(&dir)?;
    let place = dir.join(format!("node-{}.{}", ids::uuid()?, if is_plain { ending } else { "bin" }));
    files::write_atomic(&place, &bytes)?;
    for at in PLACES {
        if let Some(named) = result.pointer_mut(at).filter(|named| named.as_str() == Some(theirs)) {
            *named = place.to_string_lossy().into_owned().into();
        }
    }
    Ok(())
}

/// Nodes of `node.list` that are here and have a browser.
pub fn able(nodes: &[Value]) -> Vec<(String, String)> {
    let text =
        |node: &Value, name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let offers = |node: &&Value| {
        let mut all = node.get("commands").and_then(Value::as_array).into_iter().flatten();
        node.get("connected") == Some(&Value::Bool(true)) && all.any(|offered| offered == COMMAND)
    };
    nodes.iter().filter(offers).map(|node| (text(node, "nodeId"), text(node, "displayName"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn i15_4_the_only_node_with_a_browser_is_meant_or_the_one_that_is_named() {
        let node = |id: &str, name: &str| (id.to_string(), name.to_string());
        let (one, two) =
            (vec![node("abcdef123", "Desk")], vec![node("abcdef123", "Desk"), node("ffffff", "Den")]);
        for (text, here, want) in [
            ("{}", &one, Ok(Some("abcdef123"))),
            ("{}", &two, Ok(None)),
            ("{}", &vec![], Ok(None)),
            ("{gateway: {nodes: {browser: {mode: 'off', node: 'Desk'}}}}", &one, Ok(None)),
            ("{gateway: {nodes: {browser: {mode: 'manual'}}}}", &one, Ok(None)),
            ("{gateway: {nodes: {browser: {mode: 'manual', node: 'den'}}}}", &two, Ok(Some("ffffff"))),
            ("{gateway: {nodes: {browser: {node: 'abcdef'}}}}", &two, Ok(Some("abcdef123"))),
            ("{gateway: {nodes: {browser: {node: 'Attic'}}}}", &two, Err("not connected: Attic")),
        ] {
            match (chosen(&Dir::new().config(text), here), want) {
                (Ok(found), Ok(want)) => assert_eq!(found.as_deref(), want, "{text}"),
                (Err(error), Err(want)) => assert!(error.message().contains(want), "{error}"),
                (found, want) => panic!("{text}: {found:?}, wanted {want:?}"),
            }
        }
    }
}
