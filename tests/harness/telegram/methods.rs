//! The table of methods, and those that put nothing into a chat.
use super::super::{Value, json};
use super::params::Params;
use super::wire::{Answer, bad, refuse};
use super::world::World;
use super::{Shared, place, sending, updates};
use std::time::Duration;

/// The emoji that a bot may react with.
const EMOJI: &str = "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 😡 ❤‍🔥 👨‍💻 🤷‍♂ 🤷 🤷‍♀";
const ACTIONS: &str = "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker find_location record_video_note upload_video_note";
/// What all texts of a menu may take together.
const MENU: usize = 5700;
const MAX_GET: u64 = 20 << 20;

/// Carries a call out; the method's name may be written in any case.
pub fn call(shared: &Shared, token: &str, method: &str, params: &Params) -> Answer {
    match method.to_ascii_lowercase().as_str() {
        "getupdates" => return updates::get_updates(shared, token, params),
        "setwebhook" => return updates::set_webhook(shared, token, params),
        "deletewebhook" => return updates::delete_webhook(shared, token, params),
        "getwebhookinfo" => return updates::webhook_info(shared, token),
        _ => {}
    }
    let world = &mut *shared.lock();
    let bot = me(world, token)?;
    match method.to_ascii_lowercase().as_str() {
        "getme" => Ok(bot),
        "sendmessage" => sending::send_message(world, &bot, params),
        "editmessagetext" => sending::edit_text(world, &bot, params),
        "deletemessage" => sending::delete_message(world, &bot, params),
        "sendphoto" => sending::send_file(world, &bot, params, "photo"),
        "senddocument" => sending::send_file(world, &bot, params, "document"),
        "sendvoice" => sending::send_file(world, &bot, params, "voice"),
        "sendaudio" => sending::send_file(world, &bot, params, "audio"),
        "sendvideo" => sending::send_file(world, &bot, params, "video"),
        "sendvideonote" => sending::send_file(world, &bot, params, "video_note"),
        "sendanimation" => sending::send_file(world, &bot, params, "animation"),
        "sendsticker" => sending::send_file(world, &bot, params, "sticker"),
        "sendmediagroup" => sending::send_media_group(world, &bot, params),
        "sendpoll" => sending::send_poll(world, &bot, params),
        "sendchataction" => chat_action(world, params),
        "sendmessagedraft" => draft(world, params),
        "setmessagereaction" => reaction(world, params),
        "answercallbackquery" => answer_query(world, params),
        "setmycommands" => set_commands(world, token, params),
        "deletemycommands" => {
            let key = format!("{}{}", params.text("scope"), params.text("language_code"));
            world.bots.get_mut(token).map(|bot| bot.commands.remove(&key));
            Ok(true.into())
        }
        "getfile" => get_file(world, params),
        "getchat" => {
            let id = place::chat(world, params)?;
            Ok(world.chats.get(&id).map(|chat| chat.shown()).unwrap_or_default())
        }
        "getchatmember" => member(world, &bot, params),
        _ => Err(refuse(404, "Not Found")),
    }
}

fn me(world: &World, token: &str) -> Answer {
    let bot =
        world.bots.get(token).filter(|bot| !bot.is_revoked).ok_or_else(|| refuse(401, "Unauthorized"))?;
    Ok(json!({"id": bot.id, "is_bot": true, "first_name": "Test Bot", "username": bot.username,
        "can_join_groups": true, "can_read_all_group_messages": bot.can_read_all,
        "supports_inline_queries": false, "has_topics_enabled": bot.has_topics}))
}

fn chat_action(world: &mut World, params: &Params) -> Answer {
    let id = place::chat(world, params)?;
    let action = params.text("action");
    if !ACTIONS.split(' ').any(|known| known == action) {
        return Err(bad("wrong parameter action in request"));
    }
    let chat = world.chats.get_mut(&id).ok_or_else(|| bad("chat not found"))?;
    if chat.is_shut {
        return Err(refuse(403, "bot was blocked by the user"));
    }
    // Here the General topic is named.
    let thread = params.number("message_thread_id");
    if thread.is_some_and(|thread| !chat.topics.contains_key(&thread)) {
        return Err(bad("message thread not found"));
    }
    chat.actions.push((action, thread));
    Ok(true.into())
}

/// A draft is shown in private chats only, and vanishes.
fn draft(world: &mut World, params: &Params) -> Answer {
    let (id, _) = place::open(world, params, "drafts")?;
    if world.chats.get(&id).is_none_or(|chat| chat.kind != "private") {
        return Err(bad("TEXTDRAFT_PEER_INVALID"));
    }
    if params.number("draft_id").is_none_or(|id| id == 0) {
        return Err(bad("invalid draft_id specified"));
    }
    if params.text("text").chars().count() > 4096 {
        return Err(bad("message is too long"));
    }
    Ok(true.into())
}

fn reaction(world: &mut World, params: &Params) -> Answer {
    let id = place::chat(world, params)?;
    let message = params.number("message_id").unwrap_or(0);
    let given = params.nested("reaction")?;
    if world.message(id, message).is_none() {
        return Err(bad("message to react not found"));
    }
    let all = given.as_array().cloned().unwrap_or_default();
    let is_known = |emoji: &Value| {
        emoji["emoji"].as_str().is_some_and(|text| EMOJI.split(' ').any(|known| known == text))
    };
    if all.len() > 1 || !all.iter().all(is_known) {
        return Err(bad("REACTION_INVALID"));
    }
    if let Some(chat) = world.chats.get_mut(&id) {
        chat.reactions.insert(message, given);
    }
    Ok(true.into())
}

fn answer_query(world: &mut World, params: &Params) -> Answer {
    let id = params.text("callback_query_id");
    let is_fresh = world.queries.get(&id).is_some_and(|at| at.elapsed() < Duration::from_secs(15));
    if !is_fresh {
        return Err(bad("query is too old and response timeout expired or query ID is invalid"));
    }
    if params.text("text").chars().count() > 200 {
        return Err(bad("MESSAGE_TOO_LONG"));
    }
    world.answered.insert(id);
    Ok(true.into())
}

fn set_commands(world: &mut World, token: &str, params: &Params) -> Answer {
    let given = params.nested("commands")?;
    let all = given.as_array().cloned().ok_or_else(|| bad("can't parse commands"))?;
    let length = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().chars().count();
    for item in &all {
        let name = item["command"].as_str().unwrap_or_default();
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_name || !(1..=32).contains(&name.len()) {
            return Err(bad("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&length(item, "description")) {
            return Err(bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    let total: usize = all.iter().map(|item| length(item, "command") + length(item, "description")).sum();
    if all.len() > 100 || total > MENU {
        return Err(bad("BOT_COMMANDS_TOO_MUCH"));
    }
    let key = format!("{}{}", params.text("scope"), params.text("language_code"));
    world.bots.get_mut(token).map(|bot| bot.commands.insert(key, given));
    Ok(true.into())
}

fn get_file(world: &World, params: &Params) -> Answer {
    let id = params.text("file_id");
    let file =
        world.files.get(&id).ok_or_else(|| bad("wrong file_id or the file is temporarily unavailable"))?;
    let size = file.claimed.unwrap_or(file.bytes.len() as u64);
    if size > MAX_GET {
        return Err(bad("file is too big"));
    }
    Ok(json!({"file_id": id, "file_unique_id": format!("U{id}"), "file_size": size, "file_path": file.path}))
}

fn member(world: &World, bot: &Value, params: &Params) -> Answer {
    let chat = place::chat(world, params)?;
    let chat = world.chats.get(&chat).ok_or_else(|| bad("chat not found"))?;
    let user = params.number("user_id").unwrap_or(0);
    if bot["id"] == user {
        let status = match (chat.is_shut, chat.is_admin) {
            (true, _) => "kicked",
            (false, true) => "administrator",
            (false, false) => "member",
        };
        return Ok(json!({"user": bot, "status": status}));
    }
    let user = world.users.get(&user).ok_or_else(|| bad("user not found"))?;
    Ok(json!({"user": user, "status": "member"}))
}
