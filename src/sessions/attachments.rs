//! What clients attach to a message: pictures for the model, text files as text.
//!
//! Runs on the connection's thread over params that are in memory already: one pass over the base64, whose length
//! is judged before anything is decoded (SEC-23). What can be neither shown nor read is refused, never left out.
use crate::charset;
use crate::device::encoding::from_base64;
use crate::error::{Error, Result};
use crate::sessions::message;
use serde_json::Value;

/// Decoded bytes of one attachment, as clients know the limit.
pub const MAX_BYTES: usize = 5_000_000;
pub const MAX_COUNT: usize = 16;
/// Decoded bytes of all attachments of a message.
pub const MAX_TOTAL: usize = 20_000_000;
/// A longer text file would fill the model's window by itself.
pub const MAX_TEXT: usize = 200_000;
/// No character set takes more than two bytes where UTF-8 takes one, so what is longer need not be read to its end.
const MAX_READ: usize = 2 * MAX_TEXT;

/// The attachments of one message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attachments {
    /// Image blocks in the transcript's shape.
    pub images: Vec<Value>,
    /// Text files, ready to stand below the message.
    pub texts: String,
}

impl Attachments {
    /// Judges and reads the `attachments` of a request; items without `content` do not count.
    pub fn read(list: &[Value]) -> Result<Attachments> {
        let items: Vec<&Value> =
            list.iter().filter(|a| a.get("content").is_some_and(|c| !c.is_null())).collect();
        if items.len() > MAX_COUNT {
            return Err(Error::invalid(format!(
                "{} attachments are too many: send at most {MAX_COUNT} at a time",
                items.len()
            )));
        }
        let (mut all, mut total) = (Attachments::default(), 0);
        for (n, item) in items.into_iter().enumerate() {
            let text =
                |name: &str| item.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
            let label = text("fileName").or(text("type")).map_or(format!("attachment-{}", n + 1), shown);
            let said = |what: String| Error::invalid(format!("attachment {label}: {what}"));
            let content = item
                .get("content")
                .and_then(Value::as_str)
                .ok_or_else(|| said("content must be base64 string".into()))?;
            let (declared, base64) = split_data_url(content);
            let size = base64.len() / 4 * 3;
            if size > MAX_BYTES + 3 {
                return Err(said(format!("exceeds size limit ({size} > {MAX_BYTES} bytes)")));
            }
            total += size;
            if total > MAX_TOTAL {
                return Err(said(format!(
                    "all attachments together exceed {MAX_TOTAL} bytes; send fewer at a time"
                )));
            }
            let bytes = decode(base64).ok_or_else(|| said("invalid base64 content".into()))?;
            let what = text("mimeType").or(declared).map_or("unknown".to_string(), shown);
            all.add(&label, &what, bytes).map_err(said)?;
        }
        Ok(all)
    }

    /// One more, whose content stands in memory: a picture, or text; else why it is neither.
    pub fn add(&mut self, label: &str, mime: &str, mut bytes: Vec<u8>) -> std::result::Result<(), String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("exceeds size limit ({} > {MAX_BYTES} bytes)", bytes.len()));
        }
        if let Some(mime) = image_type(&bytes) {
            self.images.push(message::image(&crate::device::encoding::base64(&bytes), mime));
            return Ok(());
        }
        let length = bytes.len();
        bytes.truncate(MAX_READ);
        let body = as_text(bytes, mime, length > MAX_READ).ok_or_else(|| {
            format!("{mime} is neither a picture (PNG, JPEG, GIF, WebP) nor text; send it as one of these")
        })?;
        if body.len() > MAX_TEXT || length > MAX_READ {
            let length = length.max(body.len());
            return Err(format!("exceeds size limit ({length} > {MAX_TEXT} bytes of text)"));
        }
        self.texts += &format!("\n\n[file: {label}]\n{}\n[end of file]", body.trim_end());
        Ok(())
    }
}

/// A name a client gave, fit for one line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// `data:<type>;base64,<content>`, or the content alone.
fn split_data_url(content: &str) -> (Option<&str>, &str) {
    let content = content.trim();
    match content.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((mime, base64)) => (Some(mime).filter(|m| !m.is_empty()), base64.trim()),
        None => (None, content),
    }
}

/// Base64 that may be broken into lines; empty content is none.
fn decode(base64: &str) -> Option<Vec<u8>> {
    let bytes = if base64.bytes().any(|b| b.is_ascii_whitespace()) {
        from_base64(&base64.split_ascii_whitespace().collect::<String>())?
    } else {
        from_base64(base64)?
    };
    Some(bytes).filter(|b| !b.is_empty())
}

/// The picture that the bytes begin like, whatever was declared.
pub fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// Text in any usual character set, which `mime` may name.
fn as_text(bytes: Vec<u8>, mime: &str, is_cut: bool) -> Option<String> {
    let label = mime.split(';').find_map(|part| part.trim().strip_prefix("charset="));
    Some(charset::decode(bytes, label.map(|label| label.trim_matches('"')), is_cut, 3 * MAX_BYTES)?.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::encoding::base64;
    use serde_json::json;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    fn read(item: Value) -> std::result::Result<Attachments, String> {
        Attachments::read(&[item]).map_err(|e| e.message().to_string())
    }

    #[test]
    fn pictures_are_known_by_their_bytes_and_files_by_their_text() {
        let png = base64(PNG);
        for content in [
            png.clone(),
            format!("data:image/gif;base64,{png}"),
            png.chars().flat_map(|c| [c, '\n']).collect(),
        ] {
            let read = read(json!({"content": content, "mimeType": "text/plain"})).unwrap();
            assert_eq!(read.images, [json!({"type": "image", "data": png, "mimeType": "image/png"})]);
        }
        let text = read(json!({"content": base64("a: 1\n".as_bytes()), "fileName": "x.yml\n"})).unwrap();
        assert_eq!((text.images.len(), text.texts.as_str()), (0, "\n\n[file: x.yml]\na: 1\n[end of file]"));
        // B-F41
        for (bytes, mime, want) in [
            (&b"caf\xe9"[..], "text/plain", "café"),
            (b"\xff\xfeh\0i\0", "text/plain", "hi"),
            (b"\xef\xbb\xbfhi", "text/plain", "hi"),
            (b"\xc4\xe3", "text/plain; charset=gbk", "你"),
            (b"one \xff bad byte", "text/x-log", "one \u{fffd} bad byte"),
        ] {
            let read = read(json!({"content": base64(bytes), "mimeType": mime, "fileName": "a"})).unwrap();
            assert_eq!(read.texts, format!("\n\n[file: a]\n{want}\n[end of file]"));
        }
        assert_eq!(read(json!({"fileName": "no content"})), Ok(Attachments::default()));
    }

    #[test]
    fn sec_23_what_cannot_be_taken_is_refused_before_it_is_decoded() {
        let large = "A".repeat(MAX_BYTES / 3 * 4 + 8);
        for (item, want) in [
            (json!({"content": 5, "fileName": "a.png"}), "attachment a.png: content must be base64 string"),
            (json!({"content": "@@@@", "fileName": "a.png"}), "attachment a.png: invalid base64 content"),
            (json!({"content": "", "type": "image"}), "attachment image: invalid base64 content"),
            (
                json!({"content": large}),
                "attachment attachment-1: exceeds size limit (5000004 > 5000000 bytes)",
            ),
            (
                json!({"content": base64(b"PK\x03\x04\x00\xff"), "mimeType": "application/zip"}),
                "attachment attachment-1: application/zip is neither a picture (PNG, JPEG, GIF, WebP) nor text; send it as one of these",
            ),
        ] {
            assert_eq!(read(item).unwrap_err(), want);
        }
        let many: Vec<Value> = (0..17).map(|_| json!({"content": base64(PNG)})).collect();
        assert!(Attachments::read(&many).is_err());
    }
}
