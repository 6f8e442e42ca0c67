//! What a program is told to do: a delivery as the line that it gets, or why it gets none. On the account's own thread.
//!
//! Files of this machine go to it from below the media root only, and none where a guest asked (SEC-13). Addresses are the
//! program's to fetch: those that are plainly not public it does not get (SEC-30), what a name leads to is for it to judge.
use super::run::Line;
use crate::agents::own;
use crate::channels::markdown::{self, Tables};
use crate::channels::outgoing::{Act, Outgoing};
use crate::channels::said::{Reply, Said};
use crate::deliveries::Delivery;
use crate::error::{Error, Result};
use crate::fetch::guard::Guard;
use crate::json::Put;
use crate::workspace::beneath;
use serde_json::{Map, Value};
use std::time::Instant;

/// What the program is told to do; else why it cannot.
pub fn told(line: &Line, delivery: &Delivery) -> std::result::Result<Value, String> {
    let nothing = Value::Null;
    let message = delivery.message.as_ref().unwrap_or(&nothing);
    let out = Outgoing::of(message);
    let action = match out.act() {
        Some(Act::Send) => "send",
        Some(Act::Edit) => "edit",
        Some(Act::Delete) => "delete",
        Some(Act::React) => "react",
        Some(Act::Poll) => "poll",
        Some(Act::Sticker) => return Err("programs send no stickers".into()),
        None => return Err("this gateway does not know such an action".into()),
    };
    if action != "send" && !line.can(action) {
        return Err(format!(
            "the program of {} cannot do that: {action} is not among its capabilities",
            line.channel
        ));
    }
    let mut told = message.as_object().cloned().unwrap_or_default();
    ["error", "isBegun"].iter().for_each(|own| drop(told.remove(*own)));
    told.put("action", action);
    let said = said(&out);
    files(line, &out, &said.media, &mut told)?;
    match said.reply {
        Reply::To(id) => told.put("replyTo", id),
        Reply::None | Reply::Current => {}
    }
    if said.is_voice {
        told.put("isVoice", true);
    }
    let has_text = out.error().is_some() || told.contains_key("text");
    let mut text = said.text;
    let has_files = told.contains_key("media");
    if text.trim().is_empty() && !has_files && !said.media.is_empty() {
        text = "\u{26a0}\u{fe0f} Media failed.".into();
    }
    if has_text {
        let is_plain = line.can("plain") && !out.is_plain();
        told.put("text", if is_plain { markdown::parse(&text, Tables::Code).plain } else { text });
    }
    if action == "send" && told.get("text").is_none_or(|text| text == "") && !has_files {
        return Err("there is nothing in it to send".into());
    }
    Ok(told.into())
}

/// A model's words taken apart; what somebody else asked for as it is.
fn said(out: &Outgoing) -> Said {
    let plain = |text: String| Said { text, ..Said::default() };
    match out.error() {
        Some(error) => {
            let text = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let what = if out.is_begun() { "The answer broke off: " } else { "" };
            plain(format!("\u{26a0}\u{fe0f} {what}{text}"))
        }
        None if out.session().is_some() => Said::read(out.text()),
        None => plain(out.text().to_string()),
    }
}

/// The files that it gets. Who asked for one is told why it does not go; an answer goes without it.
fn files(
    line: &Line,
    out: &Outgoing,
    said: &[String],
    told: &mut Map<String, Value>,
) -> std::result::Result<(), String> {
    let mut all = Vec::new();
    for name in out.media().map(str::to_string).chain(said.iter().cloned()) {
        match open(line, out, &name) {
            Ok(path) => all.push(path),
            Err(e) if out.session().is_none() => {
                return Err(format!("the file is not sent: {}", e.message()));
            }
            Err(e) => {
                log::warn!(target: "channels", "{}: a file is not sent: {e}", line.house.login());
            }
        }
    }
    told.remove("media");
    if !all.is_empty() {
        told.put("media", all);
    }
    Ok(())
}

/// Where the program finds it.
fn open(line: &Line, out: &Outgoing, name: &str) -> Result<String> {
    if !line.can("media") {
        let text =
            format!("the program of {} sends no files: media is not among its capabilities", line.channel);
        return Err(Error::invalid(text));
    }
    let settings = line.house.settings();
    if name.starts_with("https://") || name.starts_with("http://") {
        let config = settings.config();
        let allowed = config.strings("tools.web.fetch.allowHosts").into_iter();
        let guard = Guard { allow_hosts: allowed.map(str::to_string).collect(), deadline: Instant::now() };
        return guard.check_url(name).map(|_| name.to_string());
    }
    if !out.may_name_files() {
        return Err(Error::invalid("no file of this machine is sent where a guest asked"));
    }
    let root = settings.env.state_dir.join("media");
    let relative = beneath::relative(&root, name)?;
    let file = own::open(&settings.config(), &settings.env, &root, &relative)?;
    file.map(|_| root.join(&relative).to_string_lossy().into_owned())
        .ok_or_else(|| Error::not_found("there is no such file"))
}
