//! Whether messages for a screen (A2UI 0.8) can be shown: a page passes over what it does not know, and nobody would learn why
//! nothing is seen. So each line is checked before it goes to a node, and what is wrong is named by line and member. Pure.
use crate::error::{Error, Result};
use crate::json::{self, DEEPEST};
use serde_json::{Map, Value};

/// Bytes of what is pushed at once, and values of a line.
pub const MOST: usize = 512 << 10;
const MAX_VALUES: usize = 20_000;

/// What only 0.9 has; here it is told, not taken.
const NEWER: [&str; 3] = ["createSurface", "updateComponents", "updateDataModel"];

/// The components, and what each must have.
const COMPONENTS: [(&str, &[&str]); 18] = [
    ("AudioPlayer", &["url"]),
    ("Button", &["child", "action"]),
    ("Card", &["child"]),
    ("CheckBox", &["label", "value"]),
    ("Column", &["children"]),
    ("DateTimeInput", &["value"]),
    ("Divider", &[]),
    ("Icon", &["name"]),
    ("Image", &["url"]),
    ("List", &["children"]),
    ("Modal", &["entryPointChild", "contentChild"]),
    ("MultipleChoice", &["selections"]),
    ("Row", &["children"]),
    ("Slider", &["value"]),
    ("Tabs", &["tabItems"]),
    ("Text", &["text"]),
    ("TextField", &["label"]),
    ("Video", &["url"]),
];
/// Members that are a bound value: written there, or a place in the model.
const BOUND: [&str; 9] =
    ["text", "url", "label", "value", "name", "selections", "altText", "description", "minValue"];
const LITERALS: [&str; 4] = ["literalString", "literalNumber", "literalBoolean", "literalArray"];
const VALUES: [&str; 4] = ["valueString", "valueNumber", "valueBoolean", "valueMap"];

type Fault = std::result::Result<(), (String, String)>;

/// How many messages there are; an error names line and member.
pub fn check(jsonl: &str) -> Result<usize> {
    if jsonl.len() > MOST {
        return Err(Error::invalid(format!(
            "the messages have {} bytes, at most {MOST} go at once",
            jsonl.len()
        )));
    }
    let mut count = 0;
    for (n, line) in jsonl.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |at: &str, what: &str| {
            let at = if at.is_empty() { String::new() } else { format!("{at}: ") };
            Error::invalid(format!("A2UI line {}: {at}{what}", n + 1))
        };
        let message: Value =
            json::read(line.trim(), MAX_VALUES, DEEPEST).map_err(|e| wrong("", &format!("no JSON: {e}")))?;
        let object = message.as_object().ok_or_else(|| wrong("", "must be an object"))?;
        message_of(object).map_err(|(at, what)| wrong(&at, &what))?;
        count += 1;
    }
    match count {
        0 => Err(Error::invalid("there is no A2UI message: give one JSON object a line")),
        count => Ok(count),
    }
}

fn fault<T>(at: &str, what: impl Into<String>) -> std::result::Result<T, (String, String)> {
    Err((at.to_string(), what.into()))
}

fn message_of(object: &Map<String, Value>) -> Fault {
    let mut members = object.iter();
    let (Some((name, body)), None) = (members.next(), members.next()) else {
        return fault(
            "",
            "must have exactly one member: surfaceUpdate, dataModelUpdate, beginRendering or deleteSurface",
        );
    };
    if NEWER.contains(&name.as_str()) {
        return fault(
            name,
            "is of A2UI 0.9; screens here show 0.8: surfaceUpdate, dataModelUpdate, beginRendering, deleteSurface",
        );
    }
    let known: Option<fn(&Value) -> Fault> = match name.as_str() {
        "surfaceUpdate" => Some(components),
        "dataModelUpdate" => Some(|body| contents(body.get("contents"), "contents", 0)),
        "beginRendering" => Some(|body| word(body, "root", "")),
        "deleteSurface" => Some(|_| Ok(())),
        _ => None,
    };
    let Some(check) = known else {
        return fault(
            name,
            "is no message: surfaceUpdate, dataModelUpdate, beginRendering, deleteSurface are",
        );
    };
    let within =
        |(at, what): (String, String)| (format!("{name}.{at}").trim_end_matches('.').to_string(), what);
    if !body.is_object() {
        return fault(name, "must be an object");
    }
    word(body, "surfaceId", "").and_then(|()| check(body)).map_err(within)
}

/// A member that is a text and not blank.
fn word(body: &Value, name: &str, at: &str) -> Fault {
    let found = body.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    if found { Ok(()) } else { fault(&format!("{at}{name}"), "must be a text") }
}

fn components(body: &Value) -> Fault {
    let Some(list) = body.get("components").and_then(Value::as_array).filter(|list| !list.is_empty()) else {
        return fault("components", "must be a list with at least one component");
    };
    for (n, entry) in list.iter().enumerate() {
        let at = format!("components.{n}.");
        word(entry, "id", &at)?;
        let object = entry.get("component").and_then(Value::as_object);
        let mut members = object.into_iter().flatten();
        let (Some((kind, props)), None) = (members.next(), members.next()) else {
            return fault(&format!("{at}component"), "must have exactly one member, the name of a component");
        };
        component(kind, props, &format!("{at}component.{kind}"))?;
    }
    Ok(())
}

fn component(kind: &str, props: &Value, at: &str) -> Fault {
    let Some((_, required)) = COMPONENTS.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<&str> = COMPONENTS.iter().map(|(name, _)| *name).collect();
        return fault(at, format!("there is no such component; there are {}", names.join(", ")));
    };
    let Some(props) = props.as_object() else { return fault(at, "must be an object") };
    if let Some(missing) = required.iter().find(|name| !props.contains_key(**name)) {
        return fault(&format!("{at}.{missing}"), "is missing");
    }
    for (name, value) in props {
        let at = format!("{at}.{name}");
        match name.as_str() {
            "children" => children(value, &at)?,
            "child" | "entryPointChild" | "contentChild" if !value.is_string() => {
                return fault(&at, "must be the id of a component");
            }
            "tabItems" if !value.is_array() => return fault(&at, "must be a list of {title, child}"),
            "action" => word(value, "name", &format!("{at}."))?,
            name if BOUND.contains(&name) => bound(value, &at)?,
            _ => {}
        }
    }
    Ok(())
}

fn children(value: &Value, at: &str) -> Fault {
    let ids = value.get("explicitList").and_then(Value::as_array);
    if ids.is_some_and(|ids| ids.iter().all(Value::is_string)) {
        return Ok(());
    }
    match value.get("template") {
        Some(template) => {
            let at = format!("{at}.template.");
            word(template, "componentId", &at).and_then(|()| word(template, "dataBinding", &at))
        }
        None => fault(at, "must be {explicitList: [ids]} or {template: {componentId, dataBinding}}"),
    }
}

fn bound(value: &Value, at: &str) -> Fault {
    let literals = LITERALS.iter().filter(|name| value.get(**name).is_some()).count();
    let has_path = value.get("path").is_some_and(Value::is_string);
    match literals {
        0 if !has_path => fault(at, format!("must be {{path}} or one of {{{}}}", LITERALS.join("}, {"))),
        0 | 1 => Ok(()),
        _ => fault(at, "must have one literal at most"),
    }
}

fn contents(list: Option<&Value>, at: &str, depth: usize) -> Fault {
    let Some(list) = list.and_then(Value::as_array).filter(|_| depth < 32) else {
        return fault(at, "must be a list of {key, valueString | valueNumber | valueBoolean | valueMap}");
    };
    for (n, entry) in list.iter().enumerate() {
        let at = format!("{at}.{n}");
        if !entry.get("key").is_some_and(Value::is_string) {
            return fault(&format!("{at}.key"), "must be a text");
        }
        let held: Vec<&str> = VALUES.into_iter().filter(|name| entry.get(*name).is_some()).collect();
        let [name] = held.as_slice() else {
            return fault(&at, format!("must have exactly one of {}", VALUES.join(", ")));
        };
        let value = entry.get(*name).unwrap_or(&Value::Null);
        let (fits, kind) = match *name {
            "valueString" => (value.is_string(), "a text"),
            "valueNumber" => (value.is_number(), "a number"),
            "valueBoolean" => (value.is_boolean(), "true or false"),
            _ => {
                contents(Some(value), &format!("{at}.valueMap"), depth + 1)?;
                continue;
            }
        };
        if !fits {
            return fault(&format!("{at}.{name}"), format!("must be {kind}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"surfaceUpdate":{"surfaceId":"main","components":[{"id":"root","component":{"Column":{"children":{"explicitList":["t","b"]}}}},{"id":"t","component":{"Text":{"text":{"literalString":"hi"},"usageHint":"h1"}}},{"id":"b","component":{"Button":{"child":"t","action":{"name":"save"}}}}]}}

{"dataModelUpdate":{"surfaceId":"main","contents":[{"key":"a","valueString":"x"},{"key":"m","valueMap":[{"key":"n","valueNumber":1}]}]}}
{"beginRendering":{"surfaceId":"main","root":"root"}}
{"deleteSurface":{"surfaceId":"old"}}"#;

    #[test]
    fn i15_2_what_cannot_be_shown_is_named_by_line_and_member() {
        assert_eq!(check(GOOD).unwrap(), 4);
        let update = |component: &str| {
            format!(
                "{{\"surfaceUpdate\":{{\"surfaceId\":\"m\",\"components\":[{{\"id\":\"x\",\"component\":{component}}}]}}}}"
            )
        };
        for (text, want) in [
            ("", "no A2UI message"),
            ("not json", "A2UI line 1: no JSON"),
            ("[]", "line 1: must be an object"),
            ("\n\n{}", "line 3: must have exactly one member"),
            (r#"{"a":1,"b":2}"#, "exactly one member"),
            (r#"{"createSurface":{}}"#, "line 1: createSurface: is of A2UI 0.9"),
            (r#"{"redraw":{}}"#, "line 1: redraw: is no message"),
            (r#"{"deleteSurface":{}}"#, "line 1: deleteSurface.surfaceId: must be a text"),
            (r#"{"beginRendering":{"surfaceId":"m"}}"#, "beginRendering.root: must be a text"),
            (
                r#"{"surfaceUpdate":{"surfaceId":"m","components":[]}}"#,
                "surfaceUpdate.components: must be a list",
            ),
            (&update("{}"), "surfaceUpdate.components.0.component: must have exactly one member"),
            (&update(r#"{"Blink":{}}"#), "components.0.component.Blink: there is no such component"),
            (&update(r#"{"Text":{}}"#), "component.Text.text: is missing"),
            (&update(r#"{"Text":{"text":"hi"}}"#), "component.Text.text: must be {path} or one of"),
            (&update(r#"{"Card":{"child":1}}"#), "component.Card.child: must be the id"),
            (&update(r#"{"Row":{"children":["a"]}}"#), "component.Row.children: must be {explicitList"),
            (
                &update(r#"{"Button":{"child":"t","action":{}}}"#),
                "component.Button.action.name: must be a text",
            ),
            (
                r#"{"dataModelUpdate":{"surfaceId":"m","contents":[{"key":"a"}]}}"#,
                "dataModelUpdate.contents.0: must have exactly one of",
            ),
            (
                r#"{"dataModelUpdate":{"surfaceId":"m","contents":[{"key":"a","valueMap":[{"key":"b","valueNumber":"1"}]}]}}"#,
                "contents.0.valueMap.0.valueNumber: must be a number",
            ),
        ] {
            let said = check(text).unwrap_err().message().to_string();
            assert!(said.contains(want), "{text}: {said}");
        }
        let second = format!("{GOOD}\n{{\"deleteSurface\":5}}");
        assert!(check(&second).unwrap_err().message().contains("line 6: deleteSurface: must be an object"));
        assert!(check(&"x".repeat(MOST + 1)).is_err());
    }
}
