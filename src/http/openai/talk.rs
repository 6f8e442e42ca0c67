//! A conversation as OpenAI's API writes it, taken apart: what the system says, what was said before, and what is to be
//! answered, in the transcript's shape. Both endpoints' readers put their items in one after the other.
//!
//! Runs on the connection's own thread, since pictures may have to be fetched.
use super::files::{Files, Source};
use super::{Judged, wrong};
use crate::clock;
use crate::http::Exchange;
use crate::json::{self, json};
use crate::sessions::attachments::Attachments;
use crate::sessions::message;
use serde_json::Value;
use std::collections::HashSet;

/// Most values of the arguments of a call.
const MAX_VALUES: usize = 10_000;

pub struct Talk {
    system: Vec<String>,
    steps: Vec<Step>,
    files: Files,
}

enum Step {
    User {
        text: String,
        attached: Attachments,
    },
    /// Text and calls of one answer.
    Assistant(Vec<Value>),
    Result {
        call: String,
        text: String,
        /// Where the request names the call.
        param: String,
    },
}

/// What becomes of it.
pub struct Heard {
    pub system: Option<String>,
    /// Entries of what was said before.
    pub history: Vec<Value>,
    /// Entries of the results that came since the last answer.
    pub results: Vec<Value>,
    /// The calls that these are results of, and of those before the ones without a call.
    pub answered: Vec<Answered>,
    pub message: String,
    pub attached: Attachments,
}

/// A call of which a result was sent.
pub struct Answered {
    pub call: String,
    /// Where the request names it.
    pub param: String,
    /// The request has the call itself before it.
    pub is_sent: bool,
    /// An answer came after the result.
    pub is_past: bool,
    /// Of the result.
    pub digest: u64,
}

impl Talk {
    pub fn new(exchange: &Exchange, section: &'static str) -> Talk {
        let files = Files::new(exchange.shared.config(), section);
        Talk { system: Vec::new(), steps: Vec::new(), files }
    }

    pub fn system(&mut self, text: String) {
        if !text.trim().is_empty() {
            self.system.push(text);
        }
    }

    /// A message of this role, whose content stands at `param`.
    pub fn message(&mut self, role: &str, content: Value, param: &str) -> Judged<()> {
        match role {
            "system" | "developer" => {
                let (text, _) = self.content(content, param)?;
                self.system(text);
            }
            "user" => {
                let (text, attached) = self.content(content, param)?;
                self.steps.push(Step::User { text, attached });
            }
            "assistant" => {
                let (text, _) = self.content(content, param)?;
                if !text.is_empty() {
                    self.answer(message::text(&text));
                }
            }
            other => {
                let text = format!("{:?} is no role", crate::parts::within(other, 40));
                return Err(wrong(text, param.trim_end_matches(".content")));
            }
        }
        Ok(())
    }

    /// A call that the assistant made; `arguments` is JSON text.
    pub fn call(&mut self, id: &str, name: &str, arguments: &str) {
        let read = json::read(arguments, MAX_VALUES, json::DEEPEST).ok();
        let arguments = read.filter(Value::is_object).unwrap_or_else(|| arguments.into());
        self.answer(json!({"type": "toolCall", "id": id, "name": name, "arguments": arguments}));
    }

    /// The result of a call. `content` and the call's id stand in these members of what stands at `at`.
    pub fn result(&mut self, call: &str, content: Value, at: &str, members: [&str; 2]) -> Judged<()> {
        let [content_of, call_of] = members;
        let (text, _) = self.content(content, &format!("{at}.{content_of}"))?;
        self.steps.push(Step::Result { call: call.to_string(), text, param: format!("{at}.{call_of}") });
        Ok(())
    }

    /// One more block of the answer under way.
    fn answer(&mut self, block: Value) {
        match self.steps.last_mut() {
            Some(Step::Assistant(blocks)) => blocks.push(block),
            _ => self.steps.push(Step::Assistant(vec![block])),
        }
    }

    /// Text and files of a message's content.
    fn content(&mut self, content: Value, param: &str) -> Judged<(String, Attachments)> {
        let mut attached = Attachments::default();
        let parts = match content {
            Value::Null => return Ok((String::new(), attached)),
            Value::String(text) => return Ok((text, attached)),
            Value::Array(parts) => parts,
            _ => return Err(wrong(format!("`{param}` must be a string or an array of parts."), param)),
        };
        let mut texts = Vec::new();
        for (n, mut part) in parts.into_iter().enumerate() {
            let param = format!("{param}[{n}]");
            let words = match member(&part, "type") {
                "text" | "input_text" | "output_text" => Some("text"),
                "refusal" => Some("refusal"),
                _ => None,
            };
            if let Some(name) = words {
                let text = taken(&mut part, name);
                texts.push(if let Value::String(text) = text { text } else { String::new() });
                continue;
            }
            let part = &part;
            let kind = member(part, "type");
            match kind {
                "image_url" | "input_image" => {
                    self.files.picture(&source(part, "image_url", &param)?, &param, &mut attached)?;
                }
                "file" | "input_file" => {
                    let file = part.get("file").unwrap_or(part);
                    let name = file.get("filename").or_else(|| file.pointer("/source/filename"));
                    let name = name.and_then(Value::as_str).unwrap_or_default();
                    self.files.file(name, &source(file, "file_url", &param)?, &param, &mut attached)?;
                }
                _ => {
                    let kind = crate::parts::within(kind, 40);
                    return Err(wrong(
                        format!("parts of the type {kind:?} are not taken"),
                        &format!("{param}.type"),
                    ));
                }
            }
        }
        Ok((joined(texts, "\n"), attached))
    }

    /// What is to be answered, or `None` when the assistant had the last word.
    pub fn finish(&mut self) -> Option<Heard> {
        let now = clock::now_ms();
        let mut steps = std::mem::take(&mut self.steps);
        let system = Some(joined(std::mem::take(&mut self.system), "\n\n")).filter(|text| !text.is_empty());
        let answered =
            steps.iter().rposition(|step| matches!(step, Step::Assistant(_))).map_or(0, |at| at + 1);
        let results_of = results(&steps, answered);
        let names = names(&steps);
        let name =
            |call: &str| names.iter().find(|(id, _)| id == call).map_or("tool", |(_, name)| name).to_string();
        let entry = |step: Step| match step {
            Step::User { text, attached } => {
                let words = Some(text + &attached.texts).filter(|text| !text.is_empty());
                message::user(words.iter().map(|w| message::text(w)).chain(attached.images).collect(), now)
            }
            Step::Assistant(content) => said(content, now),
            Step::Result { call, text, .. } => message::tool_result(&call, &name(&call), &text, false, now),
        };
        let last = steps.split_off(answered);
        // What has no answer yet is one message, however many it came in.
        let (mut texts, mut attached, mut results) = (Vec::new(), Attachments::default(), Vec::new());
        for step in last {
            match step {
                Step::User { text, attached: more } => {
                    texts.push(text);
                    attached.images.extend(more.images);
                    attached.texts += &more.texts;
                }
                step => results.push(entry(step)),
            }
        }
        let history = steps.into_iter().map(entry).collect();
        texts.retain(|text: &String| !text.is_empty());
        let message = joined(texts, "\n\n");
        let is_empty = message.trim().is_empty() && attached == Attachments::default() && results.is_empty();
        (!is_empty).then_some(Heard { system, history, results, answered: results_of, message, attached })
    }
}

/// The results that must be those of calls: all since the last answer, and of those before the ones whose call does not
/// stand before them.
fn results(steps: &[Step], last: usize) -> Vec<Answered> {
    let (mut made, mut found) = (HashSet::new(), Vec::new());
    for (n, step) in steps.iter().enumerate() {
        made.extend(calls(step).map(|block| member(block, "id")));
        let Step::Result { call, param, text } = step else { continue };
        let (is_sent, is_past) = (made.contains(call.as_str()), n < last);
        if !(is_sent && is_past) {
            let (call, param, digest) = (call.clone(), param.clone(), message::digest(text));
            found.push(Answered { call, param, is_sent, is_past, digest });
        }
    }
    found
}

fn calls(step: &Step) -> impl Iterator<Item = &Value> {
    let blocks = match step {
        Step::Assistant(blocks) => blocks.as_slice(),
        _ => &[],
    };
    blocks.iter().filter(|block| member(block, "type") == "toolCall")
}

/// Ids and names of all calls.
fn names(steps: &[Step]) -> Vec<(String, String)> {
    let calls = steps.iter().flat_map(calls);
    calls.map(|block| (member(block, "id").to_string(), member(block, "name").to_string())).collect()
}

/// An answer that another program remembers.
fn said(content: Vec<Value>, now: u64) -> Value {
    let calls = content.iter().any(|block| member(block, "type") == "toolCall");
    let stop_reason = if calls { "toolUse" } else { "stop" };
    let answer = message::Assistant {
        content,
        api: "openai-completions",
        provider: "openclaw",
        model: message::BROUGHT,
        stop_reason,
        ..message::Assistant::default()
    };
    message::assistant(answer, now)
}

/// Where a picture or file is: `{url}`, a text, or `source`; `file_data` is a data URL or base64.
fn source<'a>(part: &'a Value, name: &str, param: &str) -> Judged<Source<'a>> {
    let url = part.get(name).and_then(|at| at.get("url").unwrap_or(at).as_str());
    if let Some(url) = url {
        return Ok(Source::Url(url));
    }
    if let Some(data) = part.get("file_data").and_then(Value::as_str) {
        let is_url = data.starts_with("data:");
        return Ok(if is_url { Source::Url(data) } else { Source::Base64 { mime: "", data } });
    }
    match part.get("source") {
        Some(source) if member(source, "type") == "base64" => {
            Ok(Source::Base64 { mime: member(source, "media_type"), data: member(source, "data") })
        }
        Some(source) if source.get("url").is_some() => Ok(Source::Url(member(source, "url"))),
        _ => Err(wrong("files are taken as a data URL or by an address; none are kept here by an id", param)),
    }
}

/// A member, taken out.
pub fn taken(value: &mut Value, name: &str) -> Value {
    value.get_mut(name).map(Value::take).unwrap_or_default()
}

/// Texts in one; one alone is not copied.
fn joined(mut texts: Vec<String>, between: &str) -> String {
    match (texts.len(), texts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            texts.extend(last);
            texts.join(between)
        }
    }
}

pub fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
