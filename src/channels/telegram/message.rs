//! A message as Telegram sends it: where, from whom, what it says, what it answers, what goes with it. Pure.
mod about;
use super::media::{Media, media};
use super::update::text;
pub use about::{Forward, Reply, Service};
use about::{forward, reply, service};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub id: i64,
    /// Seconds since 1970, by Telegram's clock.
    pub date: i64,
    pub edit_date: Option<i64>,
    pub chat: Chat,
    pub sender: Sender,
    /// The topic of a forum or of a private chat with topics; the General one is 1. Threads of replies are none.
    pub topic: Option<i64>,
    /// The text, or the caption of what goes with it, as it was written.
    pub text: String,
    pub is_caption: bool,
    pub entities: Vec<Entity>,
    /// Parts of an album share it.
    pub album: Option<String>,
    pub reply: Option<Reply>,
    pub forward: Option<Forward>,
    pub media: Vec<Media>,
    /// Not written by anybody: somebody joined, a topic was made.
    pub service: Option<Service>,
    /// From a business account that is connected: never a message to the bot.
    pub is_business: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    pub id: i64,
    pub kind: ChatKind,
    pub title: Option<String>,
    pub username: Option<String>,
    pub is_forum: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatKind {
    Private,
    Group,
    Supergroup,
    Channel,
}

/// Who is responsible for something. Anonymous admins and channels share one user each, so the chat counts there.
#[derive(Debug, Clone, PartialEq)]
pub enum Sender {
    Person(Person),
    /// A group's anonymous admin, a channel that writes in a group, a channel's own post.
    Chat(Chat),
    Nobody,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub id: i64,
    pub is_bot: bool,
    pub first_name: String,
    pub last_name: Option<String>,
    pub username: Option<String>,
    pub language: Option<String>,
}

/// A part of the text that means something; counted in UTF-16 units of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub kind: String,
    pub offset: usize,
    pub length: usize,
    pub url: Option<String>,
    pub language: Option<String>,
    pub user: Option<i64>,
}

impl Message {
    /// Somebody's words that are no message of their own, such as a button's.
    pub fn of(chat: Chat, sender: Sender, topic: Option<i64>, text: String, date: i64) -> Message {
        Message {
            id: 0,
            date,
            edit_date: None,
            chat,
            sender,
            topic,
            text,
            is_caption: false,
            entities: Vec::new(),
            album: None,
            reply: None,
            forward: None,
            media: Vec::new(),
            service: None,
            is_business: false,
        }
    }

    /// `None` without an id or a chat.
    pub fn read(value: &Value) -> Option<Message> {
        let chat = Chat::read(value.get("chat")?)?;
        let number = |name: &str| value.get(name).and_then(Value::as_i64);
        let (text, entities, is_caption) = words(value);
        Some(Message {
            id: number("message_id")?,
            date: number("date").unwrap_or(0),
            edit_date: number("edit_date"),
            sender: Sender::read(value.get("sender_chat"), value.get("from")),
            topic: topic(value, &chat),
            text,
            is_caption,
            entities,
            album: self::text(value, "media_group_id"),
            reply: reply(value),
            forward: value.get("forward_origin").map(forward),
            media: media(value),
            service: service(value),
            is_business: value.get("business_connection_id").is_some(),
            chat,
        })
    }
}

/// Text and entities, or those of the caption.
fn words(value: &Value) -> (String, Vec<Entity>, bool) {
    match text(value, "text") {
        Some(words) => (words, entities(value.get("entities")), false),
        None => {
            let words = text(value, "caption");
            let is_caption = words.is_some();
            (words.unwrap_or_default(), entities(value.get("caption_entities")), is_caption)
        }
    }
}

pub(super) fn entities(list: Option<&Value>) -> Vec<Entity> {
    let count = |entity: &Value, name: &str| usize::try_from(entity.get(name)?.as_u64()?).ok();
    let read = |entity: &Value| {
        Some(Entity {
            kind: text(entity, "type")?,
            offset: count(entity, "offset")?,
            length: count(entity, "length")?,
            url: text(entity, "url"),
            language: text(entity, "language"),
            user: entity.get("user").and_then(|user| user.get("id")?.as_i64()),
        })
    };
    list.and_then(Value::as_array).into_iter().flatten().filter_map(read).collect()
}

fn topic(value: &Value, chat: &Chat) -> Option<i64> {
    let thread = value.get("message_thread_id").and_then(Value::as_i64);
    let is_topic = value.get("is_topic_message").and_then(Value::as_bool) == Some(true);
    match chat.kind {
        ChatKind::Private => thread,
        _ if is_topic => thread,
        // A forum's message outside of topics stands in the General one, in whatever thread of replies.
        _ if chat.is_forum => Some(1),
        _ => None,
    }
}

impl Chat {
    pub fn read(value: &Value) -> Option<Chat> {
        let kind = match value.get("type").and_then(Value::as_str)? {
            "private" => ChatKind::Private,
            "group" => ChatKind::Group,
            "supergroup" => ChatKind::Supergroup,
            "channel" => ChatKind::Channel,
            _ => return None,
        };
        Some(Chat {
            id: value.get("id")?.as_i64()?,
            kind,
            title: text(value, "title").or_else(|| text(value, "first_name")),
            username: text(value, "username"),
            is_forum: value.get("is_forum").and_then(Value::as_bool) == Some(true),
        })
    }
}

impl Sender {
    /// Where a chat speaks, the user that stands for it means nobody.
    pub fn read(chat: Option<&Value>, user: Option<&Value>) -> Sender {
        match (chat.and_then(Chat::read), user.and_then(Person::read)) {
            (Some(chat), _) => Sender::Chat(chat),
            (None, Some(person)) => Sender::Person(person),
            (None, None) => Sender::Nobody,
        }
    }

    /// What an allow list holds of it.
    pub fn id(&self) -> Option<i64> {
        match self {
            Sender::Person(person) => Some(person.id),
            Sender::Chat(chat) => Some(chat.id),
            Sender::Nobody => None,
        }
    }
}

impl Person {
    fn read(value: &Value) -> Option<Person> {
        Some(Person {
            id: value.get("id")?.as_i64()?,
            is_bot: value.get("is_bot").and_then(Value::as_bool) == Some(true),
            first_name: text(value, "first_name").unwrap_or_default(),
            last_name: text(value, "last_name"),
            username: text(value, "username"),
            language: text(value, "language_code"),
        })
    }
}
