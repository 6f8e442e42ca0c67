//! What tests let users do: chats, messages, presses, reactions, and what becomes of chats.
use super::super::{Value, json};
use super::Telegram;
use super::world::{Chat, now};
use std::time::Instant;

impl Telegram {
    /// A user with a private chat of the same id.
    pub fn user(&self, id: i64, first_name: &str, username: &str) -> Value {
        let user = json!({"id": id, "is_bot": false, "first_name": first_name, "username": username});
        self.world().users.insert(id, user.clone());
        let (title, username) = (first_name.to_string(), username.to_string());
        self.chat(Chat { id, kind: "private".into(), title, username, ..Chat::default() });
        user
    }

    /// A group; a supergroup where the id begins with -100.
    pub fn group(&self, id: i64, title: &str) {
        let kind = if id.to_string().starts_with("-100") { "supergroup" } else { "group" };
        self.chat(Chat { id, kind: kind.into(), title: title.into(), ..Chat::default() });
    }

    /// A supergroup with topics: the General one and these.
    pub fn forum(&self, id: i64, title: &str, topics: &[i64]) {
        let topics = topics.iter().chain([&1]).map(|topic| (*topic, false)).collect();
        let (kind, title) = ("supergroup".to_string(), title.to_string());
        self.chat(Chat { id, kind, title, topics, is_forum: true, ..Chat::default() });
    }

    pub fn chat(&self, chat: Chat) {
        self.world().chats.insert(chat.id, chat);
    }

    /// Changes what is known of a chat.
    pub fn change(&self, chat: i64, change: impl FnOnce(&mut Chat)) {
        change(self.world().chats.get_mut(&chat).unwrap());
    }

    /// A user writes; the message's id.
    pub fn says(&self, user: i64, chat: i64, text: &str) -> i64 {
        self.sends(user, chat, json!({"text": text}))
    }

    /// A user sends a message with these members.
    pub fn sends(&self, user: i64, chat: i64, message: Value) -> i64 {
        let mut world = self.world();
        let from = world
            .users
            .get(&user)
            .cloned()
            .unwrap_or(json!({"id": user, "first_name": "U", "is_bot": false}));
        let id = world.add_message(chat, from, message);
        let message = world.message(chat, id).cloned().unwrap();
        world.update("message", &message);
        drop(world);
        self.shared.changed.notify_all();
        id
    }

    /// The user changes the text of a message.
    pub fn edits(&self, chat: i64, id: i64, text: &str) {
        let mut world = self.world();
        let message = world.chats.get_mut(&chat).and_then(|chat| chat.messages.get_mut(&id)).unwrap();
        message["text"] = text.into();
        message["edit_date"] = now().into();
        let message = message.clone();
        world.update("edited_message", &message);
        drop(world);
        self.shared.changed.notify_all();
    }

    /// A button below a message is pressed; the query's id.
    pub fn presses(&self, user: i64, chat: i64, id: i64, data: &str) -> String {
        let mut world = self.world();
        let query = format!("query-{}", world.queries.len() + 1);
        world.queries.insert(query.clone(), Instant::now());
        let press = json!({"id": query, "from": world.users.get(&user), "data": data,
            "message": world.message(chat, id), "chat_instance": "1"});
        world.update("callback_query", &press);
        drop(world);
        self.shared.changed.notify_all();
        query
    }

    pub fn reacts(&self, user: i64, chat: i64, id: i64, emoji: &str) {
        let mut world = self.world();
        let reaction = json!({"chat": world.chats.get(&chat).map(Chat::shown), "message_id": id, "date": now(),
            "user": world.users.get(&user), "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": emoji}]});
        world.update("message_reaction", &reaction);
        drop(world);
        self.shared.changed.notify_all();
    }

    /// Any update.
    pub fn update(&self, kind: &str, value: Value) -> i64 {
        let id = self.world().update(kind, &value);
        self.shared.changed.notify_all();
        id
    }

    /// The group becomes a supergroup, and says so in both.
    pub fn migrate(&self, old: i64, new: i64) {
        let title = self.world().chats.get(&old).map(|chat| chat.title.clone()).unwrap_or_default();
        self.group(new, &title);
        self.sends(0, old, json!({"migrate_to_chat_id": new}));
        self.sends(0, new, json!({"migrate_from_chat_id": old}));
        self.change(old, |chat| chat.migrated_to = Some(new));
    }

    /// What stands in a chat, oldest first.
    pub fn shown(&self, chat: i64) -> Vec<Value> {
        self.world()
            .chats
            .get(&chat)
            .map(|chat| chat.messages.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The texts and captions that bots wrote there.
    pub fn texts(&self, chat: i64) -> Vec<String> {
        let shown = self.shown(chat).into_iter().filter(|message| message["from"]["is_bot"] == true);
        shown.filter_map(|m| m["text"].as_str().or(m["caption"].as_str()).map(str::to_string)).collect()
    }

    /// How many updates of a bot were not confirmed.
    pub fn pending(&self, token: &str) -> usize {
        self.world().bots.get(token).map_or(0, |bot| bot.queue.len())
    }
}
