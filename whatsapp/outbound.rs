//! What the gateway says: each delivery has ids that follow from its own, so that asked again it is the same message
//! (R-53a), and what WhatsApp has confirmed is not sent twice.
use crate::account::Account;
use crate::lines::{Became, Line, log, tell};
use crate::media::{self, Wish};
use crate::recent::Message as Known;
use crate::store::{Change, table};
use crate::{http, words};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wacore::proto_helpers::{MessageBuilderExt, build_quote_context, build_reaction_message};
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use whatsapp_rust::Client;
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::futures::future::{Either, select};
use whatsapp_rust::{RevokeType, SendOptions};

/// How long a connection is waited for, and the acknowledgement of a message (R-53b, R-53c).
const CONNECTED: Duration = Duration::from_secs(10);
const ACKED: Duration = Duration::from_secs(30);
/// After what got lost with its connection.
const AGAIN_MS: u64 = 2000;
/// Deliveries that are remembered.
const MEMORY: usize = 2000;
/// "is writing" lapses on phones unless it is said again.
const WRITING: Duration = Duration::from_secs(10);
const MOST_WRITING: u32 = 30;

/// The place that the gateway names.
fn place(to: &str) -> Result<Jid, String> {
    let to = to.trim().trim_start_matches("whatsapp:");
    if to.contains('@') {
        let known = ["@g.us", "@s.whatsapp.net", "@lid"].iter().any(|end| to.ends_with(end));
        return to
            .parse::<Jid>()
            .ok()
            .filter(|_| known)
            .ok_or_else(|| format!("{to} is no place of WhatsApp"));
    }
    let digits: String = to.chars().filter(char::is_ascii_digit).collect();
    match (7..=15).contains(&digits.len()) {
        true => Ok(Jid::pn(digits.as_str())),
        false => Err(format!(
            "{to} is no number: give it in international form (+15551234567), or a group (...@g.us)"
        )),
    }
}

/// The id of the nth message of a delivery.
fn message_id(delivery: &str, n: usize) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{delivery}\0{n}").as_bytes());
    let hex: String = digest.as_ref().iter().take(9).map(|byte| format!("{byte:02X}")).collect();
    format!("3EB0{hex}")
}

pub async fn send(account: Arc<Account>, line: Line) {
    let became = deliver(&account, &line).await.unwrap_or_else(|became| became);
    tell(line.text("id"), &became);
}

async fn deliver(account: &Arc<Account>, line: &Line) -> Result<Became, Became> {
    let to = place(line.text("to")).map_err(Became::Refused)?;
    let is_linked = account.lock().is_linked;
    let client = account.connected(CONNECTED).await;
    let client = client.map_err(|why| if is_linked { Became::NotNow(why) } else { Became::Refused(why) })?;
    account.lock().writing.remove(&to);
    let delivery = line.text("id");
    match line.text("action") {
        "edit" => {
            let text = words::marked(line.text("text"));
            let done = client.edit_message(to, line.text("messageId"), wa::Message::text(text)).await;
            done.map(|_| Became::Confirmed(line.text("messageId").into()))
                .map_err(|e| Became::Refused(e.to_string()))
        }
        "delete" => {
            let done = client.revoke_message(to, line.text("messageId"), RevokeType::Sender).await;
            done.map(|()| Became::Confirmed(line.text("messageId").into()))
                .map_err(|e| Became::Refused(e.to_string()))
        }
        "react" => {
            let message = reaction(account, &to, line);
            one(account, &client, (&to, delivery, 0), message).await.map(Became::Confirmed)
        }
        "poll" if line.is("again") => Err(Became::Unknown),
        "poll" => poll(&client, to, line).await,
        _ => text(account, &client, &to, line).await,
    }
}

/// A text in pieces, and files, of which the first has the first piece below it.
async fn text(account: &Arc<Account>, client: &Arc<Client>, to: &Jid, line: &Line) -> Result<Became, Became> {
    let most =
        account.setting("textChunkLimit").and_then(Value::as_u64).map_or(words::MOST, |most| most as usize);
    let mut pieces = words::pieces(&words::marked(line.text("text")), most);
    let files: Vec<&str> = line
        .0
        .get("media")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (mut n, mut last, mut failed) = (0, String::new(), Vec::new());
    let web = http::Http::new();
    for (at, address) in files.iter().enumerate() {
        let can_have = at == 0 && !line.is("isVoice") && !pieces.is_empty();
        let caption = can_have.then(|| pieces.first().cloned()).flatten();
        if let Some(known) = confirmed(account, line.text("id"), n) {
            last = known;
        } else {
            let wish = Wish {
                caption,
                is_voice: line.is("isVoice") || files.len() == 1,
                is_gif: line.is("gifPlayback"),
                address,
            };
            match media::message(client, &web, wish).await {
                Ok(message) => last = one(account, client, (to, line.text("id"), n), message).await?,
                Err(why) => {
                    log("warn", &format!("a file is not sent: {why}"));
                    failed.push(format!("\u{26a0}\u{fe0f} Media failed: {why}"));
                    n += 1;
                    continue;
                }
            }
        }
        if can_have {
            pieces.remove(0);
        }
        n += 1;
    }
    pieces.extend(failed);
    for (at, piece) in pieces.into_iter().enumerate() {
        let quoted = (at == 0 && files.is_empty()).then(|| quote(account, line.text("replyTo"))).flatten();
        let message = match quoted {
            Some(context) => wa::Message::text_with_context(piece.as_str(), context),
            None => wa::Message::text(piece.as_str()),
        };
        last = one(account, client, (to, line.text("id"), n), message).await?;
        n += 1;
    }
    Ok(Became::Confirmed(last))
}

/// The message that is answered, where it is still known.
fn quote(account: &Account, id: &str) -> Option<wa::ContextInfo> {
    let known = account.lock().recent.find(id).cloned()?;
    Some(build_quote_context(known.id, known.sender.to_string(), &wa::Message::text(known.text)))
}

fn reaction(account: &Account, chat: &Jid, line: &Line) -> wa::Message {
    let id = line.text("messageId");
    let known = account.lock().recent.find(id).cloned();
    let is_ours = || account.store.lock().has(table::DELIVERED, format!("m:{id}").as_bytes());
    let is_own = known.as_ref().map_or_else(is_ours, |known| known.is_own);
    let key = wa::MessageKey {
        remote_jid: Some(chat.to_string()),
        from_me: Some(is_own),
        id: Some(id.to_string()),
        participant: known
            .filter(|_| chat.to_string().ends_with("@g.us"))
            .map(|known| known.sender.to_string()),
    };
    build_reaction_message(key, line.text("emoji"), wacore::time::now_millis())
}

async fn poll(client: &Client, to: Jid, line: &Line) -> Result<Became, Became> {
    let poll = line.0.get("poll");
    let question = poll.and_then(|poll| poll.get("question")?.as_str()).unwrap_or_default();
    let options = poll.and_then(|poll| poll.get("options")?.as_array()).into_iter().flatten();
    let options: Vec<String> = options.filter_map(Value::as_str).map(str::to_string).collect();
    let most = poll.and_then(|poll| poll.get("maxSelections")?.as_u64()).unwrap_or(1);
    if !(2..=12).contains(&options.len()) || most as usize > options.len() {
        return Err(Became::Refused("a poll has 2 to 12 options, and no more selections than that".into()));
    }
    let done = client.polls().create(to, question, &options, most as u32).await;
    done.map(|(sent, _)| Became::Confirmed(sent.message_id)).map_err(|e| Became::Refused(e.to_string()))
}

/// The id of the nth message of a delivery, where WhatsApp has it.
fn confirmed(account: &Account, delivery: &str, n: usize) -> Option<String> {
    let known = account.store.get(table::DELIVERED, format!("d:{delivery}\0{n}"));
    known.ok().flatten().and_then(|value| String::from_utf8(value.get(8..)?.to_vec()).ok())
}

/// Sends one message and waits until WhatsApp has it.
async fn one(
    account: &Arc<Account>,
    client: &Arc<Client>,
    (to, delivery, n): (&Jid, &str, usize),
    message: wa::Message,
) -> Result<String, Became> {
    if let Some(known) = confirmed(account, delivery, n) {
        return Ok(known);
    }
    let id = message_id(delivery, n);
    // Known as ours before its first byte, so that its echo is known too.
    note(account, &[(format!("m:{id}"), String::new())]);
    let (told, wait) = oneshot::channel();
    account.lock().sent.insert(id.clone(), told);
    let text = message.conversation.clone().unwrap_or_default();
    let options = SendOptions::default().with_message_id(id.as_str());
    if let Err(e) = client.send_message_with_options(to.clone(), message, options).await {
        account.lock().sent.remove(&id);
        return Err(failed(account, &e.to_string()));
    }
    let acked = select(wait, account.exec.sleep(ACKED)).await;
    account.lock().sent.remove(&id);
    match acked {
        Either::Left((Ok(None), _)) => {}
        Either::Left((Ok(Some(code)), _)) => {
            return Err(Became::Refused(format!("WhatsApp does not take the message ({code})")));
        }
        // The connection ended, or nothing was heard: handed over again, it is the same message.
        _ => return Err(Became::NotTaken(AGAIN_MS)),
    }
    note(account, &[(format!("d:{delivery}\0{n}"), id.clone())]);
    let (chat, own) = (to.to_non_ad(), client.pn().unwrap_or_default().to_non_ad());
    let known = Known { id: id.clone(), chat, sender: own, is_own: true, is_read: true, text };
    account.lock().recent.push(known);
    Ok(id)
}

/// What failed with the connection may be tried again; what WhatsApp cannot take may not.
fn failed(account: &Account, why: &str) -> Became {
    match account.lock().is_connected {
        true => Became::Refused(why.to_string()),
        false => Became::NotTaken(AGAIN_MS),
    }
}

fn note(account: &Account, all: &[(String, String)]) {
    let at = wacore::time::now_millis().to_be_bytes();
    let put = |(key, value): &(String, String)| {
        Change::put(table::DELIVERED, key.as_str(), [&at[..], value.as_bytes()].concat())
    };
    let mut changes: Vec<Change> = all.iter().map(put).collect();
    changes.extend(surplus(account));
    if let Err(e) = account.store.apply(&changes) {
        log("error", &format!("what was sent cannot be written down: {e}"));
    }
}

/// The oldest ones, where there are too many.
fn surplus(account: &Account) -> Vec<Change> {
    let keys = account.store.keys(table::DELIVERED, b"");
    if keys.len() <= MEMORY * 2 {
        return Vec::new();
    }
    let at = |key: &Vec<u8>| {
        account.store.get(table::DELIVERED, key).ok().flatten().and_then(|v| v.first_chunk::<8>().copied())
    };
    let mut aged: Vec<_> = keys.into_iter().map(|key| (at(&key), key)).collect();
    aged.sort();
    aged.into_iter().take(MEMORY / 2).map(|(_, key)| Change::gone(table::DELIVERED, key)).collect()
}

/// An answer is being written: what was asked is read, and the chat shows it until the answer comes.
pub async fn typing(account: Arc<Account>, line: Line) {
    let (Ok(chat), Some(client)) = (place(line.text("to")), account.client()) else { return };
    read(&account, &client, &chat).await;
    if !account.lock().writing.insert(chat.clone()) {
        return;
    }
    for _ in 0..MOST_WRITING {
        let is_over = !account.lock().writing.contains(&chat);
        if is_over || client.chatstate().send_composing(&chat).await.is_err() {
            break;
        }
        account.exec.sleep(WRITING).await;
    }
    account.lock().writing.remove(&chat);
}

async fn read(account: &Account, client: &Arc<Client>, chat: &Jid) {
    let is_off = account.setting("sendReadReceipts") == Some(&Value::Bool(false));
    let is_self = client.pn().is_some_and(|own| own.is_same_chat_as(chat));
    let mut chats = vec![chat.clone()];
    // Who writes by his hidden id is answered by his number.
    if let Ok(Some(entry)) = client.get_lid_pn_entry(chat).await {
        chats.push(Jid::lid(&*entry.lid));
    }
    let group = chat.to_string().ends_with("@g.us");
    for chat in chats {
        let all = account.lock().recent.read(&chat);
        for (sender, id) in all {
            if !is_off && !is_self {
                let sender = group.then_some(&sender);
                let _ = client.mark_as_read(&chat, sender, &[id.as_str()]).await;
            }
        }
    }
}
