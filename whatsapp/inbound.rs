//! What people write: from WhatsApp's message to the gateway's line. A message is acknowledged to WhatsApp when the gateway
//! has it on disk (R-54a), so it comes again after a crash of either side.
use crate::account::Account;
use crate::lines::{log, say};
use crate::recent::Message as Known;
use crate::store::table;
use serde_json::{Value, json};
use std::sync::{Arc, Weak};
use std::time::Duration;
use wacore::proto_helpers::MessageExt;
use wacore::types::message::MessageInfo;
use wacore_binary::{Jid, JidExt};
use waproto::whatsapp as wa;
use whatsapp_rust::Client;
use whatsapp_rust::anyhow::{Result, anyhow};
use whatsapp_rust::async_trait;
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::futures::future::{Either, select};
use whatsapp_rust::types::durability_hook::{InboundDurabilityHook, InboundMessage};

/// Messages on their way at a time; the gateway allows 64.
const WINDOW: usize = 48;
/// How long the gateway may take, which has its own reasons to wait.
const ACK: Duration = Duration::from_secs(300);

pub struct Hook(pub Weak<Account>);

#[async_trait]
impl InboundDurabilityHook for Hook {
    async fn on_messages(&self, client: Arc<Client>, batch: &[InboundMessage]) -> Result<()> {
        let account = self.0.upgrade().ok_or_else(|| anyhow!("the account has ended"))?;
        let mut waits = Vec::new();
        for one in batch {
            let Some(line) = line(&account, &client, &one.info, &one.message).await else { continue };
            while account.lock().brought.len() >= WINDOW {
                account.exec.sleep(Duration::from_millis(20)).await;
            }
            let (told, wait) = oneshot::channel();
            let id = line.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
            account.lock().brought.insert(id.clone(), told);
            say(&line);
            waits.push((id, wait));
        }
        for (id, wait) in waits {
            if !matches!(select(wait, account.exec.sleep(ACK)).await, Either::Left((Ok(()), _))) {
                account.lock().brought.remove(&id);
                return Err(anyhow!("the gateway has not taken a message"));
            }
        }
        Ok(())
    }
}

/// The number of a person where it is known, else his hidden id: what lists of the configuration name (R-54c).
pub async fn person(client: &Client, jid: &Jid, other: Option<&Jid>) -> String {
    let number = |jid: &Jid| format!("+{}", jid.user_base());
    if jid.is_pn() {
        return number(jid);
    }
    if let Some(other) = other.filter(|other| other.is_pn()) {
        return number(other);
    }
    match client.get_lid_pn_entry(jid).await {
        Ok(Some(entry)) => format!("+{}", entry.phone_number),
        _ => jid.to_non_ad_string(),
    }
}

/// Whether it is the account itself, by either of its names.
fn is_own(client: &Client, jid: &Jid) -> bool {
    let is = |own: Option<Jid>| own.is_some_and(|own| own.is_same_chat_as(jid));
    is(client.pn()) || is(client.lid())
}

/// The line for the gateway; none for what is nobody's words to the bot.
async fn line(
    account: &Arc<Account>,
    client: &Arc<Client>,
    info: &MessageInfo,
    message: &wa::Message,
) -> Option<Value> {
    let source = &info.source;
    let (chat, sender) = (&source.chat, &source.sender);
    if chat.is_status_broadcast() || chat.is_newsletter() || chat.server == wacore_binary::Server::Broadcast {
        return None;
    }
    let is_group = chat.is_group();
    if source.is_from_me && (is_group || !is_own(client, chat) || is_ours(account, &info.id)) {
        return None;
    }
    let from = person(client, sender, source.sender_alt.as_ref()).await;
    let chat_id = if is_group { chat.to_non_ad_string().to_lowercase() } else { from.clone() };
    let base = message.get_base_message();
    let mut line = json!({"type": "inbound", "id": (id(chat, sender, &info.id)), "messageId": (info.id.as_str()),
        "from": {"id": from, "name": (info.push_name.as_str())}, "time": (info.timestamp.timestamp_millis()),
        "chat": {"id": chat_id, "kind": (if is_group { "group" } else { "direct" })}});
    let map = line.as_object_mut()?;
    let mut put = |name: &str, value: Value| drop(map.insert(name.to_string(), value));
    if is_group {
        let title = title(account, client, chat);
        put("chat", json!({"id": chat_id, "kind": "group", "title": title}));
    }
    if let Some(reaction) = base.reaction_message.as_option() {
        put("messageId", reaction.key.as_option()?.id.clone()?.into());
        put("reaction", reaction.text.clone().unwrap_or_default().into());
        return Some(line);
    }
    let mut told = base;
    if let Some(protocol) = base.protocol_message.as_option() {
        told = protocol.edited_message.as_option()?;
        put("messageId", protocol.key.as_option()?.id.clone()?.into());
        put("edit", true.into());
    }
    let text = text(told)?;
    if let Some(context) = context(told) {
        let mentioned = context.mentioned_jid.iter().filter_map(|jid| jid.parse::<Jid>().ok());
        let quoted = context.participant.as_deref().and_then(|jid| jid.parse::<Jid>().ok());
        let is_meant = mentioned.chain(quoted.clone()).any(|jid| is_own(client, &jid));
        put("mentioned", is_meant.into());
        if let Some(by) = quoted.filter(|_| context.stanza_id.is_some()) {
            let who = if is_own(client, &by) { "you".to_string() } else { person(client, &by, None).await };
            let words =
                context.quoted_message.as_option().and_then(|quoted| self::text(quoted.get_base_message()));
            put("replyTo", json!({"from": who, "text": words}));
        }
    }
    account.lock().recent.push(Known {
        id: info.id.to_string(),
        chat: chat.to_non_ad(),
        sender: sender.to_non_ad(),
        is_own: source.is_from_me,
        is_read: false,
        text: text.clone(),
    });
    let (text, files) = crate::media::fetch(account, client, told, &info.id, text).await;
    put("text", text.into());
    put("files", files.into());
    Some(line)
}

/// One of a kind: WhatsApp's ids are only so for a chat and a sender.
fn id(chat: &Jid, sender: &Jid, id: &str) -> String {
    format!("{}/{}/{id}", chat.to_non_ad_string(), sender.to_non_ad_string())
}

/// Written by this program: told by its id, not by its words (R-54e).
fn is_ours(account: &Account, id: &str) -> bool {
    account.store.lock().has(table::DELIVERED, format!("m:{id}").as_bytes())
}

/// A group's name, which is looked up for the next message where it is not known.
fn title(account: &Arc<Account>, client: &Arc<Client>, group: &Jid) -> String {
    let known = account.lock().titles.get(group).cloned();
    if known.is_none() {
        let (account, client, group) = (account.clone(), client.clone(), group.clone());
        account.clone().exec.spawn(async move {
            match client.groups().get_metadata(&group).await {
                Ok(data) => drop(account.lock().titles.insert(group, data.subject.to_string())),
                Err(e) => log("debug", &format!("the name of a group is not known: {e}")),
            }
        });
    }
    known.unwrap_or_default()
}

/// Its words, or a word for what it is; none where nothing is said.
fn text(message: &wa::Message) -> Option<String> {
    if let Some(text) = message.text_content().or(message.get_caption()) {
        return Some(text.to_string());
    }
    if let Some(kind) = crate::media::kind(message) {
        return Some(format!("<media:{kind}>"));
    }
    if let Some(contact) = message.contact_message.as_option() {
        return Some(format!("<contact: {}>", contact.display_name.as_deref().unwrap_or("somebody")));
    }
    if let Some(all) = message.contacts_array_message.as_option() {
        let names: Vec<&str> =
            all.contacts.iter().filter_map(|contact| contact.display_name.as_deref()).collect();
        return Some(format!("<contacts: {}>", names.join(", ")));
    }
    if let Some(place) = message.location_message.as_option() {
        let (at, name) =
            ((place.degrees_latitude?, place.degrees_longitude?), place.name.as_deref().unwrap_or_default());
        return Some(format!("<location: {:.6}, {:.6} {name}>", at.0, at.1).replace(" >", ">"));
    }
    None
}

/// What a message says beside its words: whom it mentions, what it answers.
fn context(message: &wa::Message) -> Option<&wa::ContextInfo> {
    let of = [
        message.extended_text_message.as_option().and_then(|m| m.context_info.as_option()),
        message.image_message.as_option().and_then(|m| m.context_info.as_option()),
        message.video_message.as_option().and_then(|m| m.context_info.as_option()),
        message.audio_message.as_option().and_then(|m| m.context_info.as_option()),
        message.document_message.as_option().and_then(|m| m.context_info.as_option()),
        message.sticker_message.as_option().and_then(|m| m.context_info.as_option()),
        message.contact_message.as_option().and_then(|m| m.context_info.as_option()),
        message.location_message.as_option().and_then(|m| m.context_info.as_option()),
    ];
    of.into_iter().flatten().next()
}
