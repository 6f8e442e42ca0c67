//! What goes with a message: files by their ids, and the few things that are none. Pure.
use super::update::text;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum Media {
    File(File),
    Place {
        latitude: f64,
        longitude: f64,
        accuracy: Option<f64>,
        is_live: bool,
        name: Option<String>,
        address: Option<String>,
    },
    Contact {
        name: String,
        phone: String,
    },
    /// A poll, a die: named, not read.
    Other(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub kind: FileKind,
    pub id: String,
    /// The same for every bot and message.
    pub unique_id: String,
    /// Not always said.
    pub size: Option<u64>,
    pub name: Option<String>,
    pub mime: Option<String>,
    pub seconds: Option<u64>,
    pub width: Option<u64>,
    pub height: Option<u64>,
    /// Of a sticker.
    pub emoji: Option<String>,
    pub set: Option<String>,
    pub is_moving: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Photo,
    Video,
    VideoNote,
    Animation,
    Audio,
    Voice,
    Document,
    Sticker,
}

#[cfg(test)]
impl File {
    pub fn named(kind: FileKind, id: &str, size: Option<u64>) -> File {
        let value = crate::json::json!({"file_id": id, "file_size": size});
        file(&value, kind).unwrap()
    }
}

const KINDS: &[(&str, FileKind)] = &[
    ("video", FileKind::Video),
    ("video_note", FileKind::VideoNote),
    ("animation", FileKind::Animation),
    ("audio", FileKind::Audio),
    ("voice", FileKind::Voice),
    ("document", FileKind::Document),
    ("sticker", FileKind::Sticker),
];
const OTHERS: &[&str] = &["poll", "dice", "game", "invoice", "story", "checklist", "paid_media"];

pub fn media(message: &Value) -> Vec<Media> {
    let mut all = Vec::new();
    // Sizes ascend: the last that has an id is the picture itself.
    let sizes = message.get("photo").and_then(Value::as_array).into_iter().flatten();
    all.extend(sizes.rev().find_map(|size| file(size, FileKind::Photo)));
    for (name, kind) in KINDS {
        // An animation comes as a document a second time.
        let is_twin = *kind == FileKind::Document && message.get("animation").is_some();
        all.extend(message.get(*name).filter(|_| !is_twin).and_then(|value| file(value, *kind)));
    }
    let mut all: Vec<Media> = all.into_iter().map(Media::File).collect();
    all.extend(place(message));
    all.extend(message.get("contact").map(contact));
    all.extend(OTHERS.iter().filter(|name| message.get(**name).is_some()).map(|name| Media::Other(name)));
    all
}

fn file(value: &Value, kind: FileKind) -> Option<File> {
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let is = |name: &str| value.get(name).and_then(Value::as_bool) == Some(true);
    Some(File {
        kind,
        id: text(value, "file_id")?,
        unique_id: text(value, "file_unique_id").unwrap_or_default(),
        size: number("file_size"),
        name: text(value, "file_name"),
        mime: text(value, "mime_type"),
        seconds: number("duration"),
        width: number("width").or_else(|| number("length")),
        height: number("height").or_else(|| number("length")),
        emoji: text(value, "emoji"),
        set: text(value, "set_name"),
        is_moving: is("is_animated") || is("is_video"),
    })
}

fn place(message: &Value) -> Option<Media> {
    let venue = message.get("venue");
    let at = venue.and_then(|venue| venue.get("location")).or_else(|| message.get("location"))?;
    let number = |name: &str| at.get(name).and_then(Value::as_f64);
    Some(Media::Place {
        latitude: number("latitude")?,
        longitude: number("longitude")?,
        accuracy: number("horizontal_accuracy"),
        is_live: at.get("live_period").is_some(),
        name: venue.and_then(|venue| text(venue, "title")),
        address: venue.and_then(|venue| text(venue, "address")),
    })
}

fn contact(value: &Value) -> Media {
    let part = |name: &str| text(value, name).unwrap_or_default();
    let name = format!("{} {}", part("first_name"), part("last_name")).trim().to_string();
    Media::Contact { name, phone: part("phone_number") }
}
