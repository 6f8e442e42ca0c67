//! The last messages of the account, in memory: who wrote which, for reactions, quotes and receipts.
use std::collections::VecDeque;
use wacore_binary::Jid;

const MOST: usize = 512;

#[derive(Debug, Clone)]
pub struct Message {
    pub id: String,
    pub chat: Jid,
    pub sender: Jid,
    pub is_own: bool,
    pub is_read: bool,
    pub text: String,
}

#[derive(Default)]
pub struct Recent(VecDeque<Message>);

impl Recent {
    pub fn push(&mut self, mut message: Message) {
        message.text = message.text.chars().take(400).collect();
        self.0.retain(|known| known.id != message.id);
        self.0.push_back(message);
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    pub fn find(&self, id: &str) -> Option<&Message> {
        self.0.iter().rev().find(|message| message.id == id)
    }

    /// Messages of others in a chat that are read now: sender and id of each.
    pub fn read(&mut self, chat: &Jid) -> Vec<(Jid, String)> {
        let is_new = |m: &&mut Message| !m.is_own && !m.is_read && m.chat == *chat;
        let read = |m: &mut Message| {
            m.is_read = true;
            (m.sender.clone(), m.id.clone())
        };
        self.0.iter_mut().filter(is_new).map(read).collect()
    }
}
