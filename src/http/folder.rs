//! A file of a folder as an answer: its type, whether the client has it already, the part it asks for. Runs on the
//! connection's own thread. Which file it is, and whether it may be shown, is the caller's matter.
use crate::door::head::Head;
use crate::error::{Error, Result};
use crate::http::responder::Responder;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Types by the end of a name; text is UTF-8.
const TYPES: [(&str, &str); 27] = [
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("map", "application/json; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("xml", "text/xml; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("ico", "image/x-icon"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("wasm", "application/wasm"),
    ("pdf", "application/pdf"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
];

pub fn content_type(name: &str) -> &'static str {
    let end = Path::new(name).extension().and_then(|end| end.to_str()).unwrap_or_default();
    let known = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(end));
    known.map_or("application/octet-stream", |(_, name)| name)
}

/// What changes when a file does.
pub fn tag(file: &File) -> Result<String> {
    let found = file.metadata().map_err(|e| Error::io("look at a file to be sent", e))?;
    Ok(format!("\"{:x}-{:x}-{:x}\"", found.mtime(), found.mtime_nsec(), found.len()))
}

/// Whether the client has what `tag` names.
pub fn is_known(head: &Head, tag: &str) -> bool {
    let known = |one: &str| one == "*" || one.trim_start_matches("W/") == tag;
    head.all("if-none-match").flat_map(|tags| tags.split(',')).any(|one| known(one.trim()))
}

/// Sends a file, or as much of it as is asked for and not there yet.
pub fn send(out: Responder, head: &Head, content_type: &str, file: File) -> Result<()> {
    let tag = tag(&file)?;
    let length = file.metadata().map_err(|e| Error::io("look at a file to be sent", e))?.len();
    let out = out.with("ETag", tag.clone()).with("Accept-Ranges", "bytes");
    if is_known(head, &tag) {
        return out.bytes(304, content_type, &[]);
    }
    let is_current = head.get("if-range").is_none_or(|asked| asked == tag);
    match head.get("range").filter(|_| is_current).and_then(|asked| Part::read(asked, length)) {
        None => out.file(content_type, file),
        Some(Part::Beyond) => {
            let text = format!("the file has {length} bytes\n");
            out.with("Content-Range", format!("bytes */{length}")).text(416, &text)
        }
        Some(Part::Bytes(first, last)) => {
            let told = format!("bytes {first}-{last}/{length}");
            out.with("Content-Range", told).part(content_type, file, first, last - first + 1)
        }
    }
}

/// The part of a file that a `Range` header names.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// The first and the last byte.
    Bytes(u64, u64),
    /// Behind its end.
    Beyond,
}

impl Part {
    /// `None` for what is passed over: several parts, other units, nonsense.
    fn read(asked: &str, length: u64) -> Option<Part> {
        let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (first, last) = match (first.trim(), last.trim()) {
            ("", last) => (length.saturating_sub(number(last)?), if number(last)? == 0 { 0 } else { length }),
            (first, "") => (number(first)?, length),
            (first, last) => (number(first)?, number(last)?.checked_add(1)?),
        };
        match last.min(length) {
            last if first < last => Some(Part::Bytes(first, last - 1)),
            // The last byte before the first one is nonsense, unless there is no such byte.
            last if last < length && first >= last && last > 0 => None,
            _ => Some(Part::Beyond),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i12_3_a_range_is_one_part_of_what_is_there() {
        for (asked, want) in [
            ("bytes=0-0", Some(Part::Bytes(0, 0))),
            ("bytes=2-4", Some(Part::Bytes(2, 4))),
            ("bytes=2-", Some(Part::Bytes(2, 9))),
            ("bytes=2-99", Some(Part::Bytes(2, 9))),
            ("bytes=-3", Some(Part::Bytes(7, 9))),
            ("bytes=-99", Some(Part::Bytes(0, 9))),
            ("bytes=10-", Some(Part::Beyond)),
            ("bytes=10-20", Some(Part::Beyond)),
            ("bytes=-0", Some(Part::Beyond)),
            ("bytes=4-2", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("lines=0-1", None),
            ("bytes=0-18446744073709551615", None),
        ] {
            assert_eq!(Part::read(asked, 10), want, "{asked}");
        }
        assert_eq!(Part::read("bytes=0-", 0), Some(Part::Beyond));
    }

    #[test]
    fn i12_3_types_go_by_the_end_of_a_name() {
        assert_eq!(content_type("a.b/X.HTML"), "text/html; charset=utf-8");
        assert_eq!(content_type("a2ui.bundle.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("noend"), "application/octet-stream");
    }
}
