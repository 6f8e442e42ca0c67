//! What an account remembers of its chats, in memory: what was said in groups since the last answer, what was edited after
//! it was answered, and what became of the latest messages. Lost with the process, but for nothing that is promised.
//!
//! Used by the account's threads; each look-up or change holds the lock for itself.
use super::message::Message;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Chats of which something is kept, and bytes of all of it.
const MOST_CHATS: usize = 1000;
const MOST_BYTES: usize = 1 << 20;
/// Messages whose fate is known.
const MOST_MESSAGES: usize = 1000;

/// A chat, and the topic within.
pub type Spot = (i64, Option<i64>);

#[derive(Default)]
pub struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    chats: HashMap<Spot, Pending>,
    latest: VecDeque<Known>,
    bytes: usize,
    clock: u64,
}

/// What the next turn of a chat is told first.
#[derive(Default)]
struct Pending {
    said: VecDeque<(i64, String)>,
    edited: Vec<(i64, String)>,
    touched: u64,
}

struct Known {
    chat: i64,
    id: i64,
    topic: Option<i64>,
    /// Of its text.
    hash: u64,
    fate: Fate,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The bot's own.
    Own,
    /// This run answers it.
    Asked(String),
    /// It meant somebody else, and waits in what was said.
    Said,
}

impl Memory {
    /// A message that means nobody here joins what was said.
    pub fn say(&self, message: &Message, line: String, limit: usize) {
        let mut kept = self.lock();
        kept.know(message, Fate::Said);
        let bytes = line.len();
        let pending = kept.pending(spot(message));
        pending.said.push_back((message.id, line));
        let mut gone = 0;
        while pending.said.len() > limit {
            gone += pending.said.pop_front().map_or(0, |(_, line)| line.len());
        }
        kept.bytes = (kept.bytes + bytes).saturating_sub(gone);
        kept.shrink();
    }

    /// A message that was answered says something else now.
    pub fn edit(&self, message: &Message, line: String) {
        let mut kept = self.lock();
        let bytes = line.len();
        let pending = kept.pending(spot(message));
        let gone: usize =
            pending.edited.iter().filter(|(id, _)| *id == message.id).map(|(_, line)| line.len()).sum();
        pending.edited.retain(|(id, _)| *id != message.id);
        pending.edited.push((message.id, line));
        kept.bytes = (kept.bytes + bytes).saturating_sub(gone);
        kept.shrink();
    }

    /// What waits says something else now; false where it does not wait.
    pub fn correct(&self, message: &Message, line: &str) -> bool {
        let mut kept = self.lock();
        let Some(pending) = kept.chats.get_mut(&spot(message)) else { return false };
        let Some(said) = pending.said.iter_mut().find(|(id, _)| *id == message.id) else { return false };
        let was = std::mem::replace(&mut said.1, line.to_string()).len();
        kept.bytes = (kept.bytes + line.len()).saturating_sub(was);
        kept.know(message, Fate::Said);
        true
    }

    /// What the next turn there is told first: it is read before the turn is asked for, and taken when it was accepted.
    pub fn context(&self, spot: Spot) -> String {
        let kept = self.lock();
        let Some(pending) = kept.chats.get(&spot) else { return String::new() };
        let mut text: String = pending.edited.iter().map(|(_, line)| format!("{line}\n")).collect();
        if !pending.said.is_empty() {
            text.push_str("[Chat messages since your last reply - for context]\n");
            pending.said.iter().for_each(|(_, line)| text.extend([line.as_str(), "\n"]));
            text.push_str("\n[Current message - respond to this]\n");
        }
        text
    }

    /// A turn there was accepted.
    pub fn taken(&self, spot: Spot) {
        self.lock().remove(spot);
    }

    /// The message has this fate from now on.
    pub fn know(&self, message: &Message, fate: Fate) {
        self.lock().know(message, fate);
    }

    /// The message is taken up as a new one.
    pub fn forget(&self, message: &Message) {
        let mut kept = self.lock();
        if let Some(pending) = kept.chats.get_mut(&spot(message)) {
            pending.said.retain(|(id, _)| *id != message.id);
        }
    }

    /// The bot has said something.
    pub fn sent(&self, spot: Spot, id: i64) {
        self.lock().push(Known { chat: spot.0, id, topic: spot.1, hash: 0, fate: Fate::Own });
    }

    /// What became of a message, and in which topic it stands.
    pub fn fate(&self, chat: i64, id: i64) -> Option<(Fate, Option<i64>)> {
        let kept = self.lock();
        kept.find(chat, id).map(|known| (known.fate.clone(), known.topic))
    }

    /// Whether it is known that a message says the same as before.
    pub fn says_the_same(&self, message: &Message) -> bool {
        self.lock().find(message.chat.id, message.id).is_some_and(|known| known.hash == hash(&message.text))
    }

    /// The group goes on under another id.
    pub fn migrate(&self, old: i64, new: i64) {
        let mut kept = self.lock();
        let spots: Vec<Spot> = kept.chats.keys().filter(|spot| spot.0 == old).copied().collect();
        for spot in spots {
            if let Some(pending) = kept.chats.remove(&spot) {
                kept.chats.insert((new, spot.1), pending);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn know(&mut self, message: &Message, fate: Fate) {
        let Message { id, topic, .. } = *message;
        let chat = message.chat.id;
        self.latest.retain(|known| known.chat != chat || known.id != id);
        self.push(Known { chat, id, topic, hash: hash(&message.text), fate });
    }

    fn push(&mut self, known: Known) {
        self.latest.push_back(known);
        if self.latest.len() > MOST_MESSAGES {
            self.latest.pop_front();
        }
    }

    fn find(&self, chat: i64, id: i64) -> Option<&Known> {
        self.latest.iter().rev().find(|known| known.chat == chat && known.id == id)
    }

    fn pending(&mut self, spot: Spot) -> &mut Pending {
        self.clock += 1;
        let clock = self.clock;
        let pending = self.chats.entry(spot).or_default();
        pending.touched = clock;
        pending
    }

    fn remove(&mut self, spot: Spot) {
        let bytes = self.chats.remove(&spot).map_or(0, |pending| pending.bytes());
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// The chats that were silent longest make room.
    fn shrink(&mut self) {
        while self.chats.len() > MOST_CHATS || (self.bytes > MOST_BYTES && self.chats.len() > 1) {
            let oldest = self.chats.iter().min_by_key(|(_, pending)| pending.touched).map(|(spot, _)| *spot);
            let Some(spot) = oldest else { return };
            self.remove(spot);
        }
    }
}

impl Pending {
    fn bytes(&self) -> usize {
        self.said.iter().chain(&self.edited).map(|(_, line)| line.len()).sum()
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

pub fn spot(message: &Message) -> Spot {
    (message.chat.id, message.topic)
}
