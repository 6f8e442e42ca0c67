//! A call with files, as `multipart/form-data`: a part for each parameter, then one for each file. Read while it is sent,
//! so that no file is held in memory; a second try reads it anew.
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;

/// A file that goes with a call.
pub struct Upload {
    /// The part that a parameter names, as its own name or by `attach://`.
    pub part: String,
    pub file_name: String,
    pub content: Content,
}

pub enum Content {
    #[cfg_attr(not(test), expect(dead_code, reason = "what goes out is in files"))]
    Bytes(Vec<u8>),
    /// A file that is open, and its length.
    Open(File, u64),
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Open(_, length) => *length,
        }
    }

    fn reader(&self) -> Box<dyn Read + '_> {
        match self {
            Content::Bytes(bytes) => Box::new(Cursor::new(bytes)),
            // What is written to it meanwhile is not taken along.
            Content::Open(file, length) => Box::new(Whole { file, at: 0 }.take(*length)),
        }
    }
}

/// A file from its beginning, however often; what is cut off meanwhile is missed.
struct Whole<'a> {
    file: &'a File,
    at: u64,
}

impl Read for Whole<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        if n == 0 && !buf.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file became shorter meanwhile"));
        }
        self.at += n as u64;
        Ok(n)
    }
}

/// The whole body, to be read once.
pub struct Form<'a> {
    pub content_type: String,
    pub length: u64,
    pub body: Box<dyn Read + 'a>,
}

/// Telegram takes no more.
pub const MAX_UPLOAD: u64 = 50 << 20;

pub fn form<'a>(params: &Map<String, Value>, files: &'a [Upload]) -> Result<Form<'a>> {
    let mark = format!("openclaw-{}", crate::ids::uuid()?);
    let mut form = Form {
        content_type: format!("multipart/form-data; boundary={mark}"),
        length: 0,
        body: Box::new(io::empty()),
    };
    for (name, value) in params {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        form.add(format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{value}\r\n",
            quoted(name)
        ));
    }
    for file in files {
        let (part, name, length) = (quoted(&file.part), quoted(&file.file_name), file.content.length());
        if length > MAX_UPLOAD {
            let size = length >> 20;
            return Err(Error::invalid(format!(
                "{name} has {size} MB: Telegram takes 50 MB from a bot at most"
            )));
        }
        form.add(format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        ));
        form.chain(length, file.content.reader());
        form.add("\r\n".into());
    }
    form.add(format!("--{mark}--\r\n"));
    Ok(form)
}

impl<'a> Form<'a> {
    fn add(&mut self, text: String) {
        self.chain(text.len() as u64, Box::new(Cursor::new(text.into_bytes())));
    }

    fn chain(&mut self, length: u64, next: Box<dyn Read + 'a>) {
        self.length += length;
        let before = std::mem::replace(&mut self.body, Box::new(io::empty()));
        self.body = Box::new(before.chain(next));
    }
}

/// A name between quotes in a header.
fn quoted(name: &str) -> String {
    name.replace(['"', '\r', '\n', '\\'], "_")
}
