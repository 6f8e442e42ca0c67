//! What a delivery asks for, as the next call to Telegram: one part of a message, an edit, a reaction, a poll. What the
//! channel cannot do is refused here, in words for whoever asked. On a sender's thread.
mod wordless;

use super::buttons;
use super::form::Upload;
use super::late;
use super::line::Line;
use super::media_out::{self, Media};
use super::split::{self, Chunk, Limits, chunks};
use super::words::{self, Words};
use crate::channels::accounts::Account;
use crate::channels::gate::buttons_of;
use crate::channels::outgoing::{Act, Outgoing};
use crate::config::Config;
use crate::deliveries::Delivery;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// What is next.
pub enum Next {
    Call(Box<Call>),
    /// This part of so many cannot be sent; those that follow can.
    Skip(usize),
}

pub struct Call {
    pub method: &'static str,
    pub params: Map<String, Value>,
    /// The text or caption without marks.
    pub plain: Option<String>,
    pub files: Vec<Upload>,
    /// What is said where the file itself is not taken.
    pub instead: Option<Chunk>,
    /// How many parts the message has, and how long one may be.
    pub parts: usize,
    pub limit: usize,
    /// What it is known by afterwards, where Telegram gives it no new name.
    pub id: Option<String>,
}

/// The next part of a delivery. An error is final: its sentence is what whoever asked is told.
pub fn next(line: &Line, delivery: &Delivery, out: &Outgoing, late: Option<u64>) -> Result<Next> {
    let config = line.config();
    let account = line.account(&config);
    let act = out.act().ok_or_else(|| Error::invalid("Telegram has no such action"))?;
    let mut params = Map::new();
    match line.now_at(&delivery.to) {
        Some(new) => params.put("chat_id", new),
        None => params.put("chat_id", delivery.to.as_str()),
    }
    let call = |method, params| Call {
        method,
        params,
        plain: None,
        files: Vec::new(),
        instead: None,
        parts: 1,
        limit: 0,
        id: None,
    };
    allowed(&account, act, out)?;
    if act == Act::Send {
        return send(line, &config, &account, delivery, out, late, call("sendMessage", params));
    }
    if act == Act::Poll {
        place(&mut params, out);
        wordless::poll(&mut params, out)?;
        return Ok(Next::Call(Box::new(call("sendPoll", params))));
    }
    if act == Act::Sticker {
        place(&mut params, out);
        wordless::sticker(&mut params, out)?;
        return Ok(Next::Call(Box::new(call("sendSticker", params))));
    }
    let id: i64 = out.message_id().parse().map_err(|_| Error::invalid("messageId must be a number"))?;
    params.put("message_id", id);
    let mut call = call("deleteMessage", params);
    call.id = Some(id.to_string());
    match act {
        Act::Edit => edit(line, &config, &account, (delivery, out), &mut call)?,
        Act::React => {
            call.method = "setMessageReaction";
            call.params.put("reaction", wordless::reaction(out.emoji())?);
        }
        _ => {}
    }
    Ok(Next::Call(Box::new(call)))
}

/// What `actions` and `capabilities` switch off. The answers of turns name no action.
fn allowed(account: &Account, act: Act, out: &Outgoing) -> Result<()> {
    let is_off = |name: &str| account.part("actions", name) == Some(&Value::Bool(false));
    let is_named = out.session().is_none();
    let text = match act {
        Act::React if is_off("reactions") => "Telegram reactions are disabled via actions.reactions.",
        Act::Delete if is_off("deleteMessage") => "Telegram deleteMessage is disabled.",
        Act::Sticker if account.part("actions", "sticker") != Some(&Value::Bool(true)) => {
            "Telegram sticker actions are disabled. Set channels.telegram.actions.sticker to true."
        }
        Act::Send | Act::Edit | Act::Poll if is_named && is_off("sendMessage") => {
            "Telegram sendMessage is disabled."
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(text))
}

/// Topic and silence. The General topic of a forum has no thread of its own on sends.
fn place(params: &mut Map<String, Value>, out: &Outgoing) {
    if let Some(thread) = out.thread().filter(|id| *id != "1").and_then(|id| id.parse::<i64>().ok()) {
        params.put("message_thread_id", thread);
    }
    if out.is_silent() {
        params.put("disable_notification", true);
    }
}

fn send(
    line: &Line,
    config: &Config,
    account: &Account,
    delivery: &Delivery,
    out: &Outgoing,
    late: Option<u64>,
    mut call: Call,
) -> Result<Next> {
    let words = match late {
        Some(waited) => Words { text: late::notice(waited), ..Words::default() },
        None => words::of(line, config, account, delivery, out)?.map_err(Error::invalid)?,
    };
    let files = words.media.len();
    let caption = if files > 0 { split::caption(&words.text) } else { None };
    let limits = limits(account, out);
    call.limit = limits.length;
    let texts = if caption.is_some() { Vec::new() } else { chunks(&words.text, limits) };
    call.parts = files + texts.len();
    let at = out.done();
    place(&mut call.params, out);
    reply(&mut call.params, &words, account, at);
    // They stand below the first message, or below the text that follows a file.
    let with_buttons = if caption.is_some() || files == 0 { 0 } else { files };
    if let Some(rows) = out.buttons().filter(|_| at == with_buttons.min(call.parts.saturating_sub(1))) {
        add_buttons(&mut call.params, account, &delivery.to, rows)?;
    }
    if let Some(chunk) = at.checked_sub(files).and_then(|at| texts.get(at)) {
        text(&mut call, account, chunk);
        return Ok(Next::Call(Box::new(call)));
    }
    let name = words.media.get(at).ok_or_else(missing)?;
    let caption = caption.filter(|_| at == 0);
    match media_out::open(line, config, account, out, name, words.is_voice) {
        Ok(media) => file(&mut call, media, caption),
        // Who asked for this file is told; an answer comes without it.
        Err(e) if out.session().is_none() => return Err(e.context("the file is not sent")),
        Err(e) => {
            log::warn!(target: "channels/telegram", "[{}] a file of {} is not sent: {e}", line.name(), delivery.id);
            let failed = words::plain("⚠️ Media failed.".into());
            match caption.or_else(|| split::caption(&failed).filter(|_| call.parts == 1)) {
                Some(chunk) => text(&mut call, account, &chunk),
                None => return Ok(Next::Skip(call.parts)),
            }
        }
    }
    Ok(Next::Call(Box::new(call)))
}

/// How long a message may be, and where a longer one is parted.
fn limits(account: &Account, out: &Outgoing) -> Limits {
    let own = || account.get("textChunkLimit").and_then(Value::as_u64).map_or(4000, |n| n as usize);
    // The gateway's own words and the buttons below them stay together.
    let own = || if out.is_plain() { 4000 } else { own() };
    Limits {
        length: out.limit().unwrap_or_else(own),
        is_by_paragraph: account.str("chunkMode") == Some("newline"),
    }
}

/// Makes the call one that sends a file.
fn file(call: &mut Call, media: Media, caption: Option<Chunk>) {
    call.method = media.method;
    call.params.put(media.kind, format!("attach://{}", media_out::PART));
    call.files.push(media.upload);
    if let Some(chunk) = &caption {
        call.params.put("caption", chunk.html.as_str());
        call.params.put("parse_mode", "HTML");
        call.plain = Some(chunk.plain.clone());
    }
    call.instead = caption;
}

fn missing() -> Error {
    Error::invalid("Message must be non-empty for Telegram sends")
}

/// Makes the call one that says a text.
pub fn text(call: &mut Call, account: &Account, chunk: &Chunk) {
    for (_, kind, ..) in
        super::send::OTHER_KINDS.iter().chain([&("", "document", "", ""), &("", "audio", "", "")])
    {
        call.params.remove(*kind);
    }
    call.params.remove("caption");
    call.files.clear();
    if call.method != "editMessageText" {
        call.method = "sendMessage";
    }
    call.params.put("text", chunk.html.as_str());
    call.params.put("parse_mode", "HTML");
    if account.get("linkPreview") == Some(&Value::Bool(false)) {
        call.params.put("link_preview_options", json!({"is_disabled": true}));
    }
    call.plain = Some(chunk.plain.clone());
}

fn reply(params: &mut Map<String, Value>, words: &Words, account: &Account, at: usize) {
    let is_its = at == 0 || account.str("replyToMode") == Some("all");
    if let Some(id) = words.reply.filter(|_| is_its) {
        params.put("reply_parameters", json!({"message_id": id, "allow_sending_without_reply": true}));
    }
}

/// The gateway's own are left out where there may be none.
fn add_buttons(params: &mut Map<String, Value>, account: &Account, chat: &str, rows: &Value) -> Result<()> {
    let is_group = chat.starts_with(['-', '@']);
    match buttons_of(account) {
        "off" => {}
        "dm" if is_group => {}
        "group" if !is_group => {}
        _ => {
            params.put("reply_markup", buttons::keyboard(rows)?);
            return Ok(());
        }
    }
    if buttons::are_own(rows) {
        return Ok(());
    }
    Err(Error::invalid(
        "Telegram inline buttons are disabled. Set channels.telegram.capabilities.inlineButtons to \"dm\", \"group\", \"all\", or \"allowlist\".",
    ))
}

fn edit(
    line: &Line,
    config: &Config,
    account: &Account,
    (delivery, out): (&Delivery, &Outgoing),
    call: &mut Call,
) -> Result<()> {
    let words = words::of(line, config, account, delivery, out)?.map_err(Error::invalid)?;
    let all = chunks(&words.text, Limits { length: split::MAX_MESSAGE, is_by_paragraph: false });
    let [chunk] = all.as_slice() else {
        return Err(Error::invalid(match all.is_empty() {
            true => "Message must be non-empty for Telegram sends",
            false => {
                "an edited message holds 4096 characters at most: shorten the text, or send a new message"
            }
        }));
    };
    call.method = "editMessageText";
    text(call, account, chunk);
    if let Some(rows) = out.buttons() {
        add_buttons(&mut call.params, account, &delivery.to, rows)?;
    }
    Ok(())
}
