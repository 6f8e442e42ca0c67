//! What comes with messages, for the model: pictures as such, texts inline, other files by their path; what cannot be
//! fetched is told, and what was said with it is not lost.
//!
//! Files are fetched on threads of their own, one for the files of a message and at most [`MOST`] at a time; each has a
//! deadline. They lie in `<state>/media/inbound`, which `upkeep::litter` keeps bounded.
use super::api::Bot;
use super::files::{Fetched, MAX_DOWNLOAD};
use super::joining::Joined;
use super::line::Line;
use super::media::{File, FileKind, Media};
use super::outcome::Outcome;
use super::refusal::Why;
use crate::error::Result;
use crate::json::{Put, json};
use crate::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

const MOST: usize = 4;
const STACK: usize = 256 << 10;
/// Bytes of pictures that one turn is given.
const MAX_SHOWN: u64 = 20_000_000;
/// What is larger is not looked into.
const MAX_READ: u64 = 5_000_000;

/// The threads that fetch.
pub struct Fetchers {
    bot: Bot,
    pub fetched: Receiver<Joined>,
    done: Sender<Joined>,
    waiting: VecDeque<Joined>,
    threads: Vec<JoinHandle<()>>,
    running: usize,
}

impl Fetchers {
    pub fn new(bot: &Bot) -> Result<Fetchers> {
        let (done, fetched) = bounded(MOST);
        let (waiting, threads) = Default::default();
        Ok(Fetchers { bot: bot.another()?, fetched, done, waiting, threads, running: 0 })
    }

    /// Fetches the files of a message, which comes back then.
    pub fn fetch(&mut self, line: &Arc<Line>, joined: Joined) {
        self.waiting.push_back(joined);
        self.start(line);
    }

    /// One came back: a thread is free.
    pub fn go_on(&mut self, line: &Arc<Line>) {
        self.running = self.running.saturating_sub(1);
        self.threads.retain(|thread| !thread.is_finished());
        self.start(line);
    }

    fn start(&mut self, line: &Arc<Line>) {
        while self.running < MOST
            && let Some(mut joined) = self.waiting.pop_front()
        {
            let (own, died, done) = (line.clone(), line.clone(), self.done.clone());
            let bot = self.bot.another();
            let run = move || {
                match bot {
                    Ok(mut bot) => fetch_all(&own, &mut bot, &mut joined),
                    Err(e) => joined.miss(&e.to_string()),
                }
                joined.is_fetched = true;
                // Nobody takes it when the account ends.
                let _ = done.send(joined);
            };
            self.running += 1;
            let name = "gw-tg-file";
            match threads::spawn(name, STACK, run, move |_| died.house.end()) {
                Ok(thread) => self.threads.push(thread),
                Err(e) => {
                    // It stands in the journal, for the account's next life.
                    log::error!(target: "channels/telegram", "[{}] {e}", line.name());
                    line.house.end();
                    return;
                }
            }
        }
    }

    /// Waits for the threads, which the account's end ends.
    pub fn end(self) {
        drop(self.fetched);
        for thread in self.threads {
            // Its panic ended the account.
            let _ = thread.join();
        }
    }
}

fn fetch_all(line: &Line, bot: &mut Bot, joined: &mut Joined) {
    let (most, shown) = limit(line);
    let dir = line.house.settings().env.state_dir.join("media").join("inbound");
    let files: Vec<File> = joined.files().cloned().collect();
    let (mut is_too_big, mut bytes) = (false, 0);
    for file in files {
        match bot.fetch(&file, most, &dir, line.house.cancel()) {
            Outcome::Done(fetched) => joined.add(&file, fetched, &mut bytes),
            Outcome::Refused(refusal) if refusal.why == Why::FileTooBig => {
                is_too_big = true;
                joined.miss(&format!("larger than {shown}MB"));
            }
            Outcome::Refused(refusal) => joined.miss(&refusal.text),
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) if trouble.is_cancelled => return,
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => {
                log::warn!(target: "channels/telegram", "[{}] {}", line.name(), trouble.text);
                joined.miss(&trouble.text);
            }
        }
    }
    if is_too_big && let Err(e) = tell_limit(line, joined, &shown) {
        log::warn!(target: "channels/telegram", "[{}] {e}", line.name());
    }
}

/// `mediaMaxMb` in bytes, and as it is told.
fn limit(line: &Line) -> (u64, String) {
    let config = line.config();
    let megabytes =
        line.account(&config).get("mediaMaxMb").and_then(serde_json::Value::as_f64).unwrap_or(5.0);
    let most = ((megabytes * 1024.0 * 1024.0) as u64).min(MAX_DOWNLOAD);
    let shown = if most == MAX_DOWNLOAD { MAX_DOWNLOAD as f64 / 1024.0 / 1024.0 } else { megabytes };
    (most, shown.to_string())
}

/// One answer, however many are too large.
fn tell_limit(line: &Line, joined: &Joined, shown: &str) -> Result<()> {
    let message = &joined.message;
    let mut said = json!({"text": format!("⚠️ File too large. Maximum size is {shown}MB."), "isPlain": true});
    if let Some(said) = said.as_object_mut() {
        said.put("replyTo", message.id.to_string());
        if let Some(topic) = message.topic {
            said.put("thread", topic.to_string());
        }
    }
    line.house.promise(&format!("{}/size", joined.run()), &message.chat.id.to_string(), said)
}

impl Joined {
    /// What is to be fetched before it can be told: not the stickers that move, which nobody can look at.
    fn files(&self) -> impl Iterator<Item = &File> {
        self.message.media.iter().filter_map(|media| match media {
            Media::File(file) if !file.is_moving => Some(file),
            _ => None,
        })
    }

    pub fn wants_files(&self) -> bool {
        !self.is_fetched && self.files().next().is_some()
    }

    /// Nothing was said, and nothing of what came with it could be had, which was told.
    pub fn is_void(&self) -> bool {
        self.is_fetched && self.is_unsaid && self.notes.iter().all(|line| line.contains(TOO_LARGE))
    }

    fn miss(&mut self, why: &str) {
        let why: String = why.chars().filter(|c| !c.is_control() && !"[]".contains(*c)).collect();
        self.notes.push(format!("[media not available: {why}]"));
    }

    /// A file that is there: shown as far as it can be.
    fn add(&mut self, file: &File, fetched: Fetched, sum: &mut u64) {
        let length = fetched.length;
        let path = fetched.keep();
        let name = label(&path);
        let mime = file.mime.as_deref().filter(|mime| is_mime(mime)).unwrap_or(file.kind.mime());
        self.notes.push(format!("[media attached: {} ({mime})]", path.display()));
        *sum += length;
        if length > MAX_READ || *sum > MAX_SHOWN || !file.kind.may_be_shown() {
            return;
        }
        match crate::files::read_bytes(&path, MAX_READ) {
            // What is neither picture nor text has its path.
            Ok(bytes) => drop(self.attachments.add(&name, mime, bytes)),
            Err(e) => log::warn!(target: "channels/telegram", "{}: {e}", path.display()),
        }
    }

    /// Where nothing was said, what came is named instead.
    pub fn name_what_came(&mut self) {
        if self.message.text.is_empty() {
            self.message.text = named(&self.message.media);
            self.is_unsaid = true;
        }
    }
}

const TOO_LARGE: &str = "[media not available: larger than ";

/// The name in front of ours, with its end.
fn label(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, rest) = name.split_once("---").unwrap_or((&name, ""));
    rest.rsplit_once('.').map_or(stem.to_string(), |(_, end)| format!("{stem}.{end}"))
}

/// A stranger says it: nothing but a type goes into the line.
fn is_mime(mime: &str) -> bool {
    mime.len() < 100 && mime.chars().all(|c| c.is_ascii_alphanumeric() || "/+.-_".contains(c))
}

impl FileKind {
    /// What Telegram makes of such files, where nothing is said.
    fn mime(self) -> &'static str {
        match self {
            FileKind::Photo => "image/jpeg",
            FileKind::Video | FileKind::VideoNote | FileKind::Animation => "video/mp4",
            FileKind::Audio => "audio/mpeg",
            FileKind::Voice => "audio/ogg",
            FileKind::Sticker => "image/webp",
            FileKind::Document => "application/octet-stream",
        }
    }

    fn may_be_shown(self) -> bool {
        matches!(self, FileKind::Photo | FileKind::Document | FileKind::Sticker)
    }

    fn placeholder(self) -> &'static str {
        match self {
            FileKind::Photo => "<media:image>",
            FileKind::Video | FileKind::VideoNote | FileKind::Animation => "<media:video>",
            FileKind::Audio | FileKind::Voice => "<media:audio>",
            FileKind::Document => "<media:document>",
            FileKind::Sticker => "<media:sticker>",
        }
    }
}

/// What came, in words: each kind once.
pub fn named(media: &[Media]) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in media.iter().map(one).filter(|word| !word.is_empty()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join("\n")
}

fn one(media: &Media) -> String {
    match media {
        Media::File(file) => match (&file.emoji, &file.set) {
            (Some(emoji), Some(set)) => format!("[Sticker {} from \"{}\"]", plain(emoji), plain(set)),
            (Some(emoji), None) => format!("[Sticker {}]", plain(emoji)),
            _ => file.kind.placeholder().to_string(),
        },
        Media::Place { latitude, longitude, accuracy, is_live, name, address } => {
            let at = format!("{latitude:.6}, {longitude:.6}");
            let about = accuracy.map(|metres| format!(" ±{metres:.0}m")).unwrap_or_default();
            match (name, address) {
                _ if *is_live => format!("🛰 Live location: {at}{about}"),
                (Some(name), Some(address)) => format!("📍 {} — {} ({at})", plain(name), plain(address)),
                (Some(name), None) => format!("📍 {} ({at})", plain(name)),
                _ => format!("📍 {at}{about}"),
            }
        }
        Media::Contact { name, phone } => format!("[Contact {}: {}]", plain(name), plain(phone)),
        Media::Other(kind) => format!("[{kind}]"),
    }
}

/// In one line, and without what could be taken for ours.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !"[]".contains(*c)).take(100).collect()
}
