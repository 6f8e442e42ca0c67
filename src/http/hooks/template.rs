//! `{{...}}` in the texts of a mapping: `path`, `now`, `headers.x`, `query.x`, `payload.a.b[0]`, or a bare path into the
//! payload. Pure. What is not there is empty; a structure is its JSON. What was filled in is not looked at again.
use crate::clock;
use crate::door::head::Head;
use crate::http::path::decoded;
use serde_json::Value;

/// What templates may speak of.
pub struct Source<'a> {
    pub path: &'a str,
    pub head: &'a Head,
    pub payload: &'a Value,
    pub now: u64,
}

/// Most bytes that a template may become.
const MAX: usize = 1_000_000;

/// `None` when it would become too long.
pub fn render(template: &str, source: &Source) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, (inner, after))) =
        rest.split_once("{{").and_then(|(before, behind)| Some((before, behind.split_once("}}")?)))
    {
        text += before;
        text += &source.value(inner.trim());
        rest = after;
        if text.len() > MAX {
            return None;
        }
    }
    text += rest;
    (text.len() <= MAX).then_some(text)
}

/// Whether a request may decide about any of it.
pub fn is_filled_in(template: &str) -> bool {
    template.contains("{{")
}

impl Source<'_> {
    fn value(&self, name: &str) -> String {
        let below = |prefix: &str| name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        match name {
            "" => return String::new(),
            "path" => return self.path.to_string(),
            "now" => return clock::iso(self.now),
            "payload" => return shown(Some(self.payload)),
            _ => {}
        }
        if let Some(header) = below("headers.") {
            let name = header.to_ascii_lowercase();
            // No model needs to know the token.
            let is_secret =
                matches!(&*name, "authorization" | "proxy-authorization" | "cookie" | "x-openclaw-token");
            return self.head.get(&name).filter(|_| !is_secret).unwrap_or_default().to_string();
        }
        if let Some(key) = below("query.") {
            return query(&self.head.target, key).unwrap_or_default();
        }
        shown(within(self.payload, below("payload.").unwrap_or(name)))
    }
}

/// The value at `a.b[0]`.
fn within<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let steps = path.split(['.', '[']).map(|step| step.strip_suffix(']').unwrap_or(step));
    steps.filter(|step| !step.is_empty()).try_fold(value, |value, step| match value {
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        Value::Object(map) => map.get(step),
        _ => None,
    })
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The value of a key in a target's query.
fn query(target: &str, key: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let found = pairs.find(|(name, _)| decoded(name).as_deref() == Some(key));
    found.and_then(|(_, value)| decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::head;
    use crate::json::json;

    #[test]
    fn i12_2_templates_say_what_they_are_given_and_nothing_else() {
        let bytes = b"POST /hooks/gh?a=1&b=x%20y+z&a=2 HTTP/1.1\r\nHost: h\r\nX-Foo: bar\r\n\r\n".to_vec();
        let end = bytes.len();
        let head = head::parse(bytes, end).unwrap();
        let payload = json!({"user": "ann", "n": 3, "ok": true, "none": null, "commits": [{"id": "c1"}, {"id": "{{n}}"}], "path": "p"});
        let source = Source { path: "gh", head: &head, payload: &payload, now: 0 };
        for (template, want) in [
            ("", ""),
            ("plain } { }} text", "plain } { }} text"),
            ("{{user}} {{ payload.user }} {{n}}{{ok}}{{none}}{{missing}}", "ann ann 3true"),
            ("{{commits[0].id}} {{payload.commits[0].id}} {{commits.0.id}}", "c1 c1 c1"),
            ("{{commits[7].id}}{{commits[-1]}}{{commits.x}}{{user.x}}|", "|"),
            // What came in is text, not a template.
            ("{{commits[1].id}}", "{{n}}"),
            ("{{commits}}", r#"[{"id":"c1"},{"id":"{{n}}"}]"#),
            ("{{path}} {{payload.path}} {{now}}", "gh p 1970-01-01T00:00:00.000Z"),
            ("{{headers.x-foo}} {{headers.X-Foo}} {{headers.no}}.", "bar bar ."),
            ("{{query.a}} {{query.b}} {{query.c}}.", "1 x y z ."),
            ("{{unclosed", "{{unclosed"),
            ("{{}}{{ }}|", "|"),
        ] {
            assert_eq!(render(template, &source).as_deref(), Some(want), "{template}");
        }
        let large = json!({"x": "y".repeat(600_000)});
        let source = Source { payload: &large, ..source };
        assert!(render("{{x}}", &source).is_some() && render("{{x}}{{x}}", &source).is_none());
    }
}
