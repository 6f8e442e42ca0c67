//! Files that go with a message: read, judged by the gateway's limits, and put as its methods take them.
//!
//! What a file is the gateway decides again; here whoever sends learns at once, and before anything is sent, that it does
//! not fit.
use crate::device::encoding::base64;
use crate::error::{Error, Result};
use crate::files;
use crate::json::json;
use crate::sessions::attachments::{MAX_BYTES, MAX_COUNT, MAX_TEXT, MAX_TOTAL, image_type};
use serde_json::Value;
use std::path::Path;

/// A file, as a method takes it.
pub struct Attachment {
    size: usize,
    value: Value,
}

/// Reads the file at `path`, which `from` names.
pub fn read(path: &Path, from: &str) -> Result<Attachment> {
    let shown = path.display();
    let bytes = files::read_bytes(path, MAX_TOTAL as u64)
        .map_err(|e| Error::io(format_args!("read {shown} of {from}"), e))?;
    let mime = image_type(&bytes);
    let most = if mime.is_some() { MAX_BYTES } else { MAX_TEXT };
    if bytes.is_empty() {
        return Err(Error::usage(format!("{shown} is empty")));
    }
    if bytes.len() > MAX_BYTES || (mime.is_none() && bytes.contains(&0) && !is_utf16(&bytes)) {
        let why = if bytes.len() > MAX_BYTES { "is too large" } else { "is neither a picture nor text" };
        return Err(Error::usage(format!(
            "{shown} {why}: a picture (PNG, JPEG, GIF, WebP) may have {MAX_BYTES} bytes, a text {MAX_TEXT}"
        )));
    }
    // Other character sets than UTF-8 may take twice as much.
    if mime.is_none() && bytes.len() > 2 * most {
        return Err(Error::usage(format!("{shown} is too long: a text may have {MAX_TEXT} bytes")));
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mime = mime.unwrap_or("text/plain");
    let value = json!({"fileName": name, "mimeType": mime, "content": base64(&bytes)});
    Ok(Attachment { size: bytes.len(), value })
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// What goes into a request; together they have a limit too.
pub fn all(list: Vec<Attachment>) -> Result<Value> {
    let total: usize = list.iter().map(|one| one.size).sum();
    if list.len() > MAX_COUNT || total > MAX_TOTAL {
        return Err(Error::usage(format!(
            "{} files of {total} bytes are too much for one message: at most {MAX_COUNT} of {MAX_TOTAL} bytes together",
            list.len()
        )));
    }
    Ok(list.into_iter().map(|one| one.value).collect())
}
