//! `canvas`: pages and surfaces on the screen of a node, and a picture of what is there. Runs on a tool's thread. What is pushed is
//! checked first (`nodes/a2ui.rs`): a screen passes over what it does not know.
use super::media;
use super::node::{self, gives, taken};
use crate::calls::Provenance;
use crate::error::{Error, Result};
use crate::json::{self, Put};
use crate::nodes::a2ui;
use crate::tools::{Context, Output, Tool, text, usual_time, workspace};
use crate::untrusted;
use serde_json::{Map, Value};

pub const TOOL: Tool = Tool {
    name: "canvas",
    doc: "Show things on the screen of a user's device: present (target: a path of the canvas or an https:// address), hide, navigate, eval (JavaScript in the page), snapshot (a picture of what is there), a2ui_push (A2UI 0.8 messages, one JSON object a line: surfaceUpdate, dataModelUpdate, beginRendering), a2ui_reset.",
    parameters: r#"{"type": "object", "required": ["action"], "properties": {
        "action": {"type": "string", "enum": ["present", "hide", "navigate", "eval", "snapshot", "a2ui_push", "a2ui_reset"]},
        "node": {"type": "string", "description": "Id, name or address; may be left out where only one has a screen"},
        "target": {"type": "string", "description": "present: what to show"},
        "x": {"type": "number"},
        "y": {"type": "number"},
        "width": {"type": "number"},
        "height": {"type": "number"},
        "url": {"type": "string", "description": "navigate: where to"},
        "javaScript": {"type": "string"},
        "outputFormat": {"type": "string", "enum": ["png", "jpg", "jpeg"]},
        "maxWidth": {"type": "number"},
        "quality": {"type": "number"},
        "delayMs": {"type": "number"},
        "jsonl": {"type": "string"},
        "jsonlPath": {"type": "string", "description": "The same as a file of the workspace"}}}"#,
    aliases: &[("nodeId", "node"), ("script", "javaScript"), ("path", "jsonlPath")],
    changes: false,
    serves: Provenance::is_owners,
    time: usual_time,
    run,
};

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let action = text(arguments, "action").unwrap_or_default();
    // Before anybody is asked: what cannot be done is not tried.
    let (command, params) = asked(context, action, arguments)?;
    let has_screen = |node: &Value| {
        let list = |name: &str| node.get(name).and_then(Value::as_array).into_iter().flatten();
        list("commands").any(|offered| *offered == command)
    };
    let said = text(arguments, "node");
    let node = node::find(context, said, has_screen)?.id;
    let shown = said.unwrap_or(&node);
    let gave = gives(context, &node, command, params.map(Value::Object), None)
        .map_err(|e| e.context(format!("node={shown} action={action}")))?;
    let output = match action {
        "snapshot" => media::picture(context, &gave)?,
        "eval" => {
            let result = gave.get("result").unwrap_or(&gave);
            let said = result.as_str().map_or_else(|| json::bounded(result, 60 << 10).0, str::to_string);
            Output::text(untrusted::wrap("a page", &said)?)
        }
        _ => Output::text("{\"ok\":true}"),
    };
    Ok(output.about(format!("{action} {shown}")))
}

/// The command of the node, and what it takes.
fn asked(
    context: &Context,
    action: &str,
    arguments: &Value,
) -> Result<(&'static str, Option<Map<String, Value>>)> {
    let needs = |name: &str| text(arguments, name).ok_or_else(|| Error::invalid(format!("{name} required")));
    let mut params = Map::new();
    let command = match action {
        "present" => {
            // Models know it by the other name too.
            if let Some(target) = text(arguments, "target").or(text(arguments, "url")) {
                params.put("url", target);
            }
            let place = taken(arguments, &["x", "y", "width", "height"]);
            if !place.is_empty() {
                params.put("placement", place);
            }
            "canvas.present"
        }
        "hide" => return Ok(("canvas.hide", None)),
        "navigate" => {
            params.put("url", needs("url")?);
            "canvas.navigate"
        }
        "eval" => {
            params.put("javaScript", needs("javaScript")?);
            "canvas.eval"
        }
        "snapshot" => {
            params = taken(arguments, &["maxWidth", "quality"]);
            let format = text(arguments, "outputFormat").unwrap_or("png");
            params.put("format", if format == "png" { "png" } else { "jpeg" });
            "canvas.snapshot"
        }
        "a2ui_push" => {
            let jsonl = match (text(arguments, "jsonl"), text(arguments, "jsonlPath")) {
                (Some(jsonl), _) => jsonl.to_string(),
                (None, Some(path)) => from_file(context, path)?,
                (None, None) => return Err(Error::invalid("jsonl or jsonlPath required")),
            };
            a2ui::check(&jsonl)?;
            params.put("jsonl", jsonl);
            "canvas.a2ui.pushJSONL"
        }
        "a2ui_reset" => return Ok(("canvas.a2ui.reset", None)),
        _ => return Err(Error::invalid("unknown action")),
    };
    Ok((command, Some(params)))
}

fn from_file(context: &Context, path: &str) -> Result<String> {
    let way = workspace::relative(context, path)?;
    let bytes = workspace::read(context, &way, a2ui::MOST as u64 + 1)?;
    let bytes = bytes.ok_or_else(|| Error::not_found(format!("there is no file {path} in the workspace")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;
    use serde_json::json;

    #[test]
    fn i15_2_what_is_wrong_is_told_before_a_node_is_asked() {
        let (context, dir) = context("{}");
        std::fs::write(dir.path("ws/ui.jsonl"), "{\"deleteSurface\":{\"surfaceId\":\"x\"}}\nnope").unwrap();
        for (arguments, want) in [
            (json!({"action": "a2ui_push"}), "jsonl or jsonlPath required"),
            (json!({"action": "a2ui_push", "jsonlPath": "ui.jsonl"}), "A2UI line 2: no JSON"),
            (json!({"action": "a2ui_push", "jsonlPath": "../openclaw.json"}), "is not inside"),
            (json!({"action": "navigate"}), "url required"),
            (json!({"action": "eval"}), "javaScript required"),
        ] {
            let said = run(&context, &arguments).unwrap_err().message().to_string();
            assert!(said.contains(want), "{arguments}: {said}");
        }
        let place = json!({"action": "present", "target": "/", "x": 1, "width": 2});
        let (command, params) = asked(&context, "present", &place).unwrap();
        assert_eq!(
            (command, Value::Object(params.unwrap())),
            ("canvas.present", json!({"url": "/", "placement": {"x": 1, "width": 2}}))
        );
    }
}
