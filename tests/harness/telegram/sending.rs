//! Methods that put something into a chat or change what is there.
use super::super::{Value, json};
use super::params::{Params, Upload};
use super::wire::{Answer, bad, refuse};
use super::world::World;
use super::{place, text};

pub fn send_message(world: &mut World, bot: &Value, params: &Params) -> Answer {
    let (chat, thread) = place::open(world, params, "text messages")?;
    let (plain, entities) = text::read(params, "text", 4096)?;
    if plain.is_empty() {
        return Err(bad("message text is empty"));
    }
    let mut message = json!({});
    text::put(&mut message, "text", plain, entities);
    post(world, bot, params, (chat, thread), message)
}

/// Adds what all messages have, and shows the message as it stands.
fn post(
    world: &mut World,
    bot: &Value,
    params: &Params,
    (chat, thread): (i64, Option<i64>),
    mut message: Value,
) -> Answer {
    if let Some(reply) = place::reply(world, params, chat)? {
        message["reply_to_message"] = reply;
    }
    if let Some(markup) = text::markup(params)? {
        message["reply_markup"] = markup;
    }
    if let Some(thread) = thread {
        message["message_thread_id"] = thread.into();
        message["is_topic_message"] = true.into();
    }
    let id = world.add_message(chat, bot.clone(), message);
    Ok(world.message(chat, id).cloned().unwrap_or_default())
}

/// `sendPhoto` and its relatives; `kind` is the parameter that holds the file.
pub fn send_file(world: &mut World, bot: &Value, params: &Params, kind: &str) -> Answer {
    let what = if kind == "photo" { "photos" } else { "documents" };
    let (chat, thread) = place::open(world, params, what)?;
    if kind == "voice" && world.chats.get(&chat).is_some_and(|chat| chat.refuses_voice) {
        return Err(bad("VOICE_MESSAGES_FORBIDDEN"));
    }
    let mut message = json!({});
    if kind != "video_note" {
        let (caption, entities) = text::read(params, "caption", 1024)?;
        if !caption.is_empty() {
            text::put(&mut message, "caption", caption, entities);
        }
    }
    message[kind] = media(world, params, kind, &params.text(kind), kind)?;
    post(world, bot, params, (chat, thread), message)
}

/// A file that is uploaded with the call, named by its id, or by an address.
fn media(world: &mut World, params: &Params, kind: &str, name: &str, part: &str) -> Answer {
    let part = name.strip_prefix("attach://").unwrap_or(part);
    let uploaded: Option<&Upload> = params.files.iter().find(|file| file.part == part);
    let (id, size) = match uploaded {
        Some(file) if file.bytes.is_empty() => return Err(bad("file must be non-empty")),
        Some(file) if kind == "photo" && file.bytes.len() > 10 << 20 => {
            return Err(bad("PHOTO_INVALID_DIMENSIONS"));
        }
        Some(file) => (world.add_file(&file.file_name, &file.bytes), file.bytes.len()),
        None if name.starts_with("http://") || name.starts_with("https://") => {
            return Err(bad("failed to get HTTP URL content"));
        }
        None => match world.files.get(name) {
            Some(file) => (name.to_string(), file.bytes.len()),
            None if name.is_empty() => return Err(bad(format!("there is no {kind} in the request"))),
            None => return Err(bad("wrong file identifier/HTTP URL specified")),
        },
    };
    let shown = json!({"file_id": id, "file_unique_id": format!("U{id}"), "file_size": size});
    Ok(if kind == "photo" { json!([shown]) } else { shown })
}

pub fn send_media_group(world: &mut World, bot: &Value, params: &Params) -> Answer {
    let (chat, thread) = place::open(world, params, "documents")?;
    let items = params.nested("media")?.as_array().cloned().unwrap_or_default();
    if !(2..=10).contains(&items.len()) {
        return Err(bad("the album must have from 2 to 10 items"));
    }
    let kinds: Vec<String> = items.iter().map(|i| i["type"].as_str().unwrap_or_default().into()).collect();
    let is_own = |kind: &String| kind == "document" || kind == "audio";
    if kinds.iter().any(is_own) && kinds.iter().any(|kind| Some(kind) != kinds.first()) {
        return Err(bad("documents and audio can't be mixed with other media types"));
    }
    // All or nothing: everything is looked at before anything is sent.
    let mut messages = Vec::new();
    for (item, kind) in items.iter().zip(&kinds) {
        let mut message = json!({"media_group_id": format!("{}", world.last_message + 1)});
        let mut caption = Params::default();
        for name in ["caption", "parse_mode", "caption_entities"] {
            caption.values.insert(name.into(), item[name].clone());
        }
        let (plain, entities) = text::read(&caption, "caption", 1024)?;
        if !plain.is_empty() {
            text::put(&mut message, "caption", plain, entities);
        }
        message[kind] = media(world, params, kind, item["media"].as_str().unwrap_or_default(), "")?;
        messages.push(message);
    }
    let shown: Answer<Vec<Value>> =
        messages.into_iter().map(|message| post(world, bot, params, (chat, thread), message)).collect();
    Ok(json!(shown?))
}

pub fn send_poll(world: &mut World, bot: &Value, params: &Params) -> Answer {
    let place = place::open(world, params, "polls")?;
    let question = params.text("question");
    let options = params.nested("options")?.as_array().cloned().unwrap_or_default();
    let text = |option: &Value| option["text"].as_str().or(option.as_str()).unwrap_or_default().to_string();
    let texts: Vec<String> = options.iter().map(text).collect();
    if !(1..=300).contains(&question.chars().count()) {
        return Err(bad("poll question must be non-empty and at most 300 characters"));
    }
    if !(1..=12).contains(&texts.len()) {
        return Err(bad("poll must have at least 1 and at most 12 options"));
    }
    if texts.iter().any(|text| !(1..=100).contains(&text.chars().count())) {
        return Err(bad("poll options length must not exceed 100"));
    }
    if params.number("open_period").is_some_and(|n| !(5..=2_628_000).contains(&n)) {
        return Err(bad("invalid open_period"));
    }
    let id = format!("{}", world.last_message + 1);
    let options: Vec<Value> = texts.iter().map(|text| json!({"text": text, "voter_count": 0})).collect();
    let is_anonymous = !params.has("is_anonymous") || params.flag("is_anonymous");
    let poll = json!({"id": id, "question": question, "options": options, "is_anonymous": is_anonymous,
        "allows_multiple_answers": params.flag("allows_multiple_answers")});
    post(world, bot, params, place, json!({"poll": poll}))
}

pub fn edit_text(world: &mut World, bot: &Value, params: &Params) -> Answer {
    let (chat, _) = place::open(world, params, "text messages")?;
    let id = params.number("message_id").unwrap_or(0);
    let old = world.message(chat, id).cloned().ok_or_else(|| bad("message to edit not found"))?;
    if old["from"]["id"] != bot["id"] || old["text"].is_null() {
        return Err(bad("message can't be edited"));
    }
    let (plain, entities) = text::read(params, "text", 4096)?;
    if plain.is_empty() {
        return Err(bad("message text is empty"));
    }
    let mut new = old.clone();
    // Leaving the buttons out removes them.
    for name in ["reply_markup", "entities", "edit_date"] {
        new.as_object_mut().map(|members| members.remove(name));
    }
    text::put(&mut new, "text", plain, entities);
    if let Some(markup) = text::markup(params)? {
        new["reply_markup"] = markup;
    }
    if ["text", "entities", "reply_markup"].iter().all(|name| new.get(name) == old.get(name)) {
        return Err(bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
        ));
    }
    new["edit_date"] = super::world::now().into();
    if let Some(chat) = world.chats.get_mut(&chat) {
        chat.messages.insert(id, new.clone());
    }
    Ok(new)
}

pub fn delete_message(world: &mut World, bot: &Value, params: &Params) -> Answer {
    let id = place::chat(world, params)?;
    let message = params.number("message_id").unwrap_or(0);
    let chat = world.chats.get_mut(&id).ok_or_else(|| bad("chat not found"))?;
    if chat.is_shut {
        return Err(refuse(403, "bot is not a member of the chat"));
    }
    let found = chat.messages.get(&message).ok_or_else(|| bad("message to delete not found"))?;
    if found["from"]["id"] != bot["id"] && chat.kind != "private" && !chat.is_admin {
        return Err(bad("message can't be deleted"));
    }
    chat.messages.remove(&message);
    Ok(true.into())
}
