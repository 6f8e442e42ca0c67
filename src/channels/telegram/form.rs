//! A call with files, as `multipart/form-data`: a part for each parameter, then one for each file. Read while it is sent.
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{Cursor, Read};

/// A file that goes with a call.
pub struct Upload {
    /// The part that a parameter names, as its own name or by `attach://`.
    pub part: String,
    pub file_name: String,
    pub content: Content,
}

pub enum Content {
    Bytes(Vec<u8>),
    /// A file that is open, and its length.
    Open(File, u64),
}

/// The whole body, to be read once.
pub struct Form {
    pub content_type: String,
    pub length: u64,
    pub body: Box<dyn Read>,
}

/// Telegram takes no more.
pub const MAX_UPLOAD: u64 = 50 << 20;

pub fn form(params: &Map<String, Value>, files: Vec<Upload>) -> Result<Form> {
    let mark = format!("openclaw-{}", crate::ids::uuid()?);
    let mut form = Form {
        content_type: format!("multipart/form-data; boundary={mark}"),
        length: 0,
        body: Box::new(std::io::empty()),
    };
    for (name, value) in params {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        form.add(format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{value}\r\n",
            quoted(name)
        ));
    }
    for file in files {
        let (part, name) = (quoted(&file.part), quoted(&file.file_name));
        form.add(format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        ));
        let (length, content): (u64, Box<dyn Read>) = match file.content {
            Content::Bytes(bytes) => (bytes.len() as u64, Box::new(Cursor::new(bytes))),
            // What is written to it meanwhile is not taken along.
            Content::Open(open, length) => (length, Box::new(open.take(length))),
        };
        if length > MAX_UPLOAD {
            let size = length >> 20;
            return Err(Error::invalid(format!(
                "{name} has {size} MB: Telegram takes 50 MB from a bot at most"
            )));
        }
        form.chain(length, content);
        form.add("\r\n".into());
    }
    form.add(format!("--{mark}--\r\n"));
    Ok(form)
}

impl Form {
    fn add(&mut self, text: String) {
        self.chain(text.len() as u64, Box::new(Cursor::new(text.into_bytes())));
    }

    fn chain(&mut self, length: u64, next: Box<dyn Read>) {
        self.length += length;
        let before = std::mem::replace(&mut self.body, Box::new(std::io::empty()));
        self.body = Box::new(before.chain(next));
    }
}

/// A name between quotes in a header.
fn quoted(name: &str) -> String {
    name.replace(['"', '\r', '\n', '\\'], "_")
}
