//! Files of messages: to a file in the program's folder with their size judged first, and from the gateway's files and
//! addresses to WhatsApp.
use crate::account::Account;
use crate::lines::log;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wacore::download::{Downloadable, MediaType};
use waproto::whatsapp as wa;
use whatsapp_rust::Client;
use whatsapp_rust::media::{
    AudioOptions, DocumentOptions, ImageOptions, VideoOptions, audio_message, document_message,
    image_message, video_message,
};
use whatsapp_rust::upload::UploadOptions;

/// Of a file that comes in, where the configuration says nothing else.
const MOST_MB: u64 = 50;

/// A word for what a message brings besides words.
pub fn kind(message: &wa::Message) -> Option<&'static str> {
    let all = [
        ("image", message.image_message.is_set()),
        ("video", message.video_message.is_set()),
        ("audio", message.audio_message.is_set()),
        ("document", message.document_message.is_set()),
        ("sticker", message.sticker_message.is_set()),
    ];
    all.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
}

/// What is to be fetched, its type, its name and its size.
fn part(message: &wa::Message) -> Option<(&dyn Downloadable, String, String, u64)> {
    let of = |mime: &Option<String>| {
        mime.clone().unwrap_or_default().split(';').next().unwrap_or_default().to_string()
    };
    if let Some(m) = message.image_message.as_option() {
        return Some((m, of(&m.mimetype), String::new(), m.file_length.unwrap_or(0)));
    }
    if let Some(m) = message.video_message.as_option() {
        return Some((m, of(&m.mimetype), String::new(), m.file_length.unwrap_or(0)));
    }
    if let Some(m) = message.audio_message.as_option() {
        return Some((m, of(&m.mimetype), String::new(), m.file_length.unwrap_or(0)));
    }
    if let Some(m) = message.sticker_message.as_option() {
        return Some((m, of(&m.mimetype), String::new(), m.file_length.unwrap_or(0)));
    }
    let m = message.document_message.as_option()?;
    Some((m, of(&m.mimetype), m.file_name.clone().unwrap_or_default(), m.file_length.unwrap_or(0)))
}

/// Brings the file of a message; the words for it, where it is too large or cannot be had, say so (R-55a).
pub async fn fetch(
    account: &Account,
    client: &Arc<Client>,
    message: &wa::Message,
    id: &str,
    text: String,
) -> (String, Vec<Value>) {
    let Some((what, mime, name, size)) = part(message) else { return (text, Vec::new()) };
    let most = account
        .setting("mediaMaxMb")
        .and_then(Value::as_f64)
        .map_or(MOST_MB << 20, |mb| (mb * 1_048_576.0) as u64);
    let mb = |bytes: u64| bytes as f64 / 1_048_576.0;
    if size > most {
        let note = format!(
            "the file is {:.1} MB, over the limit of {:.0} MB (channels.whatsapp.mediaMaxMb)",
            mb(size),
            mb(most)
        );
        return (format!("{text}\n[{note}]"), Vec::new());
    }
    let own: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let file = format!("in-{own}");
    let path = account.dir.join(&file);
    let done = match private(&path) {
        Ok(to) => client.download_to_writer(what, to).await.map(drop),
        Err(e) => Err(e.into()),
    };
    let got = std::fs::metadata(&path).map_or(0, |data| data.len());
    let why = match done {
        Ok(()) if got > 0 && (size == 0 || got == size) => {
            return (text, vec![json!({"file": file, "name": name, "mimeType": mime})]);
        }
        Ok(()) => format!("{got} of {size} bytes came"),
        Err(e) => e.to_string(),
    };
    let _ = std::fs::remove_file(&path);
    log("warn", &format!("the file of a message cannot be had: {why}"));
    (format!("{text}\n[the file cannot be had: {why}]"), Vec::new())
}

fn private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// What a file is sent as, and the most that WhatsApp takes of it, bytes.
fn sort(mime: &str) -> (MediaType, u64) {
    match mime.split('/').next().unwrap_or_default() {
        "image" if mime != "image/svg+xml" => (MediaType::Image, 16 << 20),
        "audio" => (MediaType::Audio, 16 << 20),
        "video" => (MediaType::Video, 64 << 20),
        _ => (MediaType::Document, 100 << 20),
    }
}

/// By its first bytes, then by its name.
fn mime_of(bytes: &[u8], name: &str) -> &'static str {
    let begins = |head: &[u8]| bytes.starts_with(head);
    let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    match () {
        () if begins(b"\xff\xd8\xff") => "image/jpeg",
        () if begins(b"\x89PNG") => "image/png",
        () if begins(b"GIF8") => "image/gif",
        () if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => "image/webp",
        () if begins(b"OggS") => "audio/ogg",
        () if begins(b"ID3") || begins(b"\xff\xfb") || begins(b"\xff\xf3") => "audio/mpeg",
        () if begins(b"RIFF") && bytes.get(8..12) == Some(b"WAVE") => "audio/wav",
        () if bytes.get(4..8) == Some(b"ftyp") && ending == "m4a" => "audio/mp4",
        () if bytes.get(4..8) == Some(b"ftyp") => "video/mp4",
        () if begins(b"%PDF") => "application/pdf",
        () => match ending.as_str() {
            "txt" | "md" | "log" => "text/plain",
            "csv" => "text/csv",
            "json" => "application/json",
            "zip" => "application/zip",
            _ => "application/octet-stream",
        },
    }
}

/// What is to be sent beside the file itself.
pub struct Wish<'a> {
    pub caption: Option<String>,
    pub is_voice: bool,
    pub is_gif: bool,
    pub address: &'a str,
}

/// A message of the file at an address or path, uploaded; else why not.
pub async fn message(
    client: &Arc<Client>,
    http: &crate::http::Http,
    wish: Wish<'_>,
) -> Result<wa::Message, String> {
    let name = wish
        .address
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_string();
    let bytes = read(http, wish.address).await.map_err(|e| format!("{name}: {e}"))?;
    if bytes.is_empty() {
        return Err(format!("{name} is empty"));
    }
    let mime = mime_of(&bytes, &name);
    let (sort, most) = sort(mime);
    if bytes.len() as u64 > most {
        return Err(format!(
            "Media exceeds {}MB limit (got {:.2}MB)",
            most >> 20,
            bytes.len() as f64 / 1_048_576.0
        ));
    }
    // Only Opus plays as a voice note (R-55c).
    let is_opus = mime == "audio/ogg" && bytes.windows(8).take(4096).any(|part| part == b"OpusHead");
    let upload = client
        .upload(bytes, sort, UploadOptions::new())
        .await
        .map_err(|e| format!("{name} cannot be uploaded: {e}"))?;
    let (caption, mimetype) = (wish.caption, Some(mime.to_string()));
    Ok(match sort {
        MediaType::Image => image_message(upload, ImageOptions { caption, mimetype, ..Default::default() }),
        MediaType::Video => {
            let gif_playback = wish.is_gif.then_some(true);
            video_message(upload, VideoOptions { caption, mimetype, gif_playback, ..Default::default() })
        }
        MediaType::Audio => {
            let mimetype = if is_opus { Some("audio/ogg; codecs=opus".to_string()) } else { mimetype };
            audio_message(
                upload,
                AudioOptions { mimetype, ptt: Some(is_opus && wish.is_voice), ..Default::default() },
            )
        }
        _ => document_message(
            upload,
            DocumentOptions { caption, mimetype, file_name: Some(name), ..Default::default() },
        ),
    })
}

async fn read(http: &crate::http::Http, address: &str) -> Result<Vec<u8>, String> {
    use wacore::net::{HttpClient, HttpRequest};
    if !address.starts_with("http") {
        return std::fs::read(PathBuf::from(address)).map_err(|e| e.to_string());
    }
    let told = http.execute(HttpRequest::get(address)).await.map_err(|e| e.to_string())?;
    match told.status_code {
        200 => Ok(told.body),
        status => Err(format!("its server answers {status}")),
    }
}
