//! Parameters of a call, however they came: query, form, JSON or multipart; texts may be JSON, JSON may be texts.
use super::super::{Value, json};
use super::wire::{Answer, Request, bad, refuse};
use serde_json::Map;

/// All parameters together but for files.
const MAX_PARAMS: usize = 1 << 20;
const MAX_UPLOAD: usize = 50 << 20;

#[derive(Debug, Clone, Default)]
pub struct Params {
    pub values: Map<String, Value>,
    pub files: Vec<Upload>,
}

/// A part of a multipart body that has a file name.
#[derive(Debug, Clone)]
pub struct Upload {
    pub part: String,
    pub file_name: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Params {
    pub fn read(request: &Request) -> Answer<Params> {
        let mut params = Params::default();
        if let Some((_, query)) = request.target.split_once('?') {
            params.form(query.as_bytes())?;
        }
        let kind = request.content_type.to_ascii_lowercase();
        if kind.starts_with("application/json") {
            params.json(&request.body)?;
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            params.form(&request.body)?;
        } else if kind.starts_with("multipart/form-data") {
            params.multipart(&request.content_type, &request.body)?;
        }
        let size: usize = params.values.iter().map(|(name, value)| name.len() + text_of(value).len()).sum();
        let uploaded: usize = params.files.iter().map(|file| file.bytes.len()).sum();
        if size > MAX_PARAMS || uploaded > MAX_UPLOAD {
            return Err(refuse(413, "Request Entity Too Large"));
        }
        Ok(params)
    }

    fn json(&mut self, body: &[u8]) -> Answer<()> {
        let text = std::str::from_utf8(body).map_err(|_| not_utf8())?;
        match serde_json::from_str(text) {
            Ok(Value::Object(members)) => self.values.extend(members),
            Ok(_) => return Err(bad("expected an object")),
            Err(e) if e.to_string().contains("surrogate") => return Err(not_utf8()),
            Err(e) if e.to_string().contains("end of hex escape") => return Err(not_utf8()),
            Err(_) => return Err(bad("can't parse JSON object")),
        }
        Ok(())
    }

    fn form(&mut self, body: &[u8]) -> Answer<()> {
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let value = decoded(pair.get(at + 1..).unwrap_or_default())?;
            self.values.insert(decoded(&pair[..at])?, value.into());
        }
        Ok(())
    }

    fn multipart(&mut self, content_type: &str, body: &[u8]) -> Answer<()> {
        let mark = content_type.split("boundary=").nth(1).ok_or_else(|| bad("no boundary"))?;
        let mark = format!("--{}", mark.trim_matches('"'));
        for part in split(body, mark.as_bytes()).into_iter().skip(1) {
            if part.starts_with(b"--") {
                return Ok(());
            }
            let at = find(part, b"\r\n\r\n").ok_or_else(|| bad("can't parse multipart body"))?;
            let head = String::from_utf8_lossy(&part[..at]).into_owned();
            let bytes =
                part[at + 4..].strip_suffix(b"\r\n").ok_or_else(|| bad("can't parse multipart body"))?;
            let quoted = |name: &str| {
                let rest = head.split(&format!(" {name}=\"")).nth(1)?;
                Some(rest.split('"').next().unwrap_or_default().to_string())
            };
            let name = quoted("name").ok_or_else(|| bad("a part has no name"))?;
            match quoted("filename") {
                Some(file_name) => {
                    let kind = head.lines().filter_map(|line| line.split_once(':'));
                    let kind = kind.filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
                    let content_type = kind.map(|(_, v)| v.trim().to_string()).next().unwrap_or_default();
                    self.files.push(Upload { part: name, file_name, content_type, bytes: bytes.to_vec() });
                }
                None => {
                    let text = String::from_utf8(bytes.to_vec()).map_err(|_| not_utf8())?;
                    self.values.insert(name, text.into());
                }
            }
        }
        Err(bad("the multipart body has no end"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null() && *value != "")
    }

    /// Any value as the text it is or would be.
    pub fn text(&self, name: &str) -> String {
        self.values.get(name).map(text_of).unwrap_or_default()
    }

    /// A nested value, which may have come as its JSON text.
    pub fn nested(&self, name: &str) -> Answer<Value> {
        match self.values.get(name) {
            Some(Value::String(text)) if text.is_empty() => Ok(Value::Null),
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|_| bad(format!("can't parse {name} JSON object")))
            }
            other => Ok(other.cloned().unwrap_or(Value::Null)),
        }
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).trim().parse().ok()
    }

    pub fn flag(&self, name: &str) -> bool {
        ["true", "True", "1"].contains(&self.text(name).as_str())
    }

    /// What is recorded of a call: the values, and of each file its part, name, type and size.
    pub fn record(&self) -> Value {
        let mut all = Value::Object(self.values.clone());
        for file in &self.files {
            all[format!("file:{}", file.part)] =
                json!({"name": file.file_name, "type": file.content_type, "size": file.bytes.len()});
        }
        all
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn not_utf8() -> super::wire::Refusal {
    bad("strings must be encoded in UTF-8")
}

fn decoded(text: &[u8]) -> Answer<String> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (text[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).map_err(|_| not_utf8())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

/// The parts between marks; the end of line after a mark belongs to it.
fn split<'a>(mut text: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(text, mark) {
        parts.push(&text[..at]);
        text = &text[at + mark.len()..];
        text = text.strip_prefix(b"\r\n").unwrap_or(text);
    }
    parts.push(text);
    parts
}
