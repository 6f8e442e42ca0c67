//! Messages that are one: the parts of an album, a long text that was sent in pieces, what somebody says in quick
//! succession (`messages.inbound`). They become one turn, whose end says of all of them that they are answered.
//!
//! Pure but for the thread that owns it, the account's intake. What belongs together follows from the messages and the
//! times at which they came alone, which stand in the journal: after a crash the same ones are joined again.
use super::line::Line;
use super::message::Message;
use crate::channels::patience;
use crate::deliveries::Inbound;
use crate::error::Result;
use crate::sessions::attachments::Attachments;

/// How long the next part of an album may take, in milliseconds.
const ALBUM: u64 = 500;
/// How long the next piece of a long text may take.
const PIECE: u64 = 1500;
/// A text of so many UTF-16 units may go on in the next message.
const LONG: usize = 4000;
/// What one turn is told at most.
const MOST_UNITS: usize = 50_000;
const MOST_PIECES: usize = 12;
const MOST_PARTS: usize = 50;
/// Chats and senders for whom more is awaited at a time.
const MOST_OPEN: usize = 256;

/// One message or several, as they are given to the model.
pub struct Joined {
    /// All that it is made of. The first names the turn: it is the last that came.
    pub inbound: Vec<Inbound>,
    /// What they say and bring together.
    pub message: Message,
    pub attachments: Attachments,
    /// Lines about what came with it, for the model.
    pub notes: Vec<String>,
    pub is_again: bool,
    /// Its files were fetched, or could not be.
    pub is_fetched: bool,
    /// It waits until something is mended, and its sender was told.
    pub is_kept: bool,
    /// Its text names what came with it.
    pub is_unsaid: bool,
    /// The button's press that says it.
    pub press: Option<String>,
    /// The button was made by the gateway itself, and says what its owner chose; others say what whoever made them chose.
    pub is_sealed: bool,
    /// By their ids in an album, else as they came.
    parts: Vec<Message>,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Alone,
    Album,
    Pieces,
    Succession,
}

impl How {
    fn between(self) -> &'static str {
        if self == How::Succession { "\n" } else { "" }
    }
}

impl Joined {
    pub fn alone(inbound: Inbound, message: Message, is_again: bool) -> Joined {
        Joined {
            inbound: vec![inbound],
            parts: vec![message.clone()],
            message,
            attachments: Attachments::default(),
            notes: Vec::new(),
            is_again,
            is_fetched: false,
            is_kept: false,
            is_unsaid: false,
            press: None,
            is_sealed: false,
            how: How::Alone,
        }
    }

    /// The id of the run that answers it.
    pub fn run(&self) -> String {
        self.inbound.first().map(Inbound::run).unwrap_or_default()
    }

    /// No turn answers it.
    pub fn pass_over(&self, line: &Line) -> Result<()> {
        self.inbound.iter().try_for_each(|inbound| line.house.pass_over(inbound))
    }

    /// One of its messages reads otherwise now. False when it is none of them.
    pub fn edit(&mut self, inbound: &Inbound, edited: &Message) -> bool {
        let is_it = |part: &&mut Message| part.id == edited.id && part.chat.id == edited.chat.id;
        let Some(part) = self.parts.iter_mut().find(is_it) else { return false };
        (part.text, part.entities) = (edited.text.clone(), edited.entities.clone());
        self.inbound.push(inbound.clone());
        self.join();
        true
    }

    fn absorb(&mut self, mut other: Joined, how: How) {
        self.how = how;
        other.inbound.append(&mut self.inbound);
        self.inbound = other.inbound;
        self.parts.append(&mut other.parts);
        self.is_again |= other.is_again;
        self.join();
    }

    /// Makes one message of the parts.
    fn join(&mut self) {
        if self.how == How::Album {
            crate::order::by_key(&mut self.parts, |part| part.id);
        }
        let mut parts = self.parts.iter();
        let Some(first) = parts.next() else { return };
        let mut whole = first.clone();
        for part in parts {
            // An album has the caption of the first part that has one.
            if self.how != How::Album || whole.text.is_empty() {
                if !whole.text.is_empty() {
                    whole.text += self.how.between();
                }
                let before = units(&whole.text);
                whole.text += &part.text;
                whole.is_caption |= part.is_caption;
                let moved = part.entities.iter().cloned().map(|mut entity| {
                    entity.offset += before;
                    entity
                });
                whole.entities.extend(moved);
            }
            whole.media.extend(part.media.iter().cloned());
            whole.reply = whole.reply.or_else(|| part.reply.clone());
            whole.forward = whole.forward.or_else(|| part.forward.clone());
            (whole.id, whole.date) = (part.id, part.date);
        }
        self.message = whole;
    }

    fn is_of(&self, other: &Message) -> bool {
        let own = &self.message;
        (own.chat.id, own.topic, own.sender.id()) == (other.chat.id, other.topic, other.sender.id())
    }

    pub fn is_command(&self) -> bool {
        self.message.text.starts_with('/')
    }
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// What waits for more.
#[derive(Default)]
pub struct Joining {
    open: Vec<Open>,
}

struct Open {
    joined: Joined,
    how: How,
    /// By the clock that the journal has, in milliseconds.
    until: u64,
}

impl Joining {
    /// One more; `patience` is for what is said in quick succession, in milliseconds. Gives what is whole now, in order.
    pub fn add(&mut self, new: Joined, patience: u64) -> Vec<Joined> {
        let came = new.inbound.first().map_or(0, |inbound| inbound.ts);
        let mut ready = self.take(|open| open.until < came && open.joined.is_of(&new.message));
        let at = self.open.iter().position(|open| open.joined.is_of(&new.message));
        if let Some(open) = at.and_then(|at| self.open.get_mut(at))
            && open.takes(&new, patience)
        {
            open.until = came + open.how.patience(patience);
            open.joined.absorb(new, open.how);
            return ready;
        }
        // What does not belong to it comes behind it.
        ready.extend(at.map(|at| self.open.remove(at).joined));
        match opens(&new, patience) {
            Some(how) => {
                if self.open.len() >= MOST_OPEN {
                    ready.push(self.open.remove(0).joined);
                }
                self.open.push(Open { joined: new, how, until: came + how.patience(patience) });
            }
            None => ready.push(new),
        }
        ready
    }

    /// What has waited long enough.
    pub fn due(&mut self, now: u64) -> Vec<Joined> {
        self.take(|open| patience::left(open.until, now) == 0)
    }

    /// In how many milliseconds something will have.
    pub fn left(&self, now: u64) -> Option<u64> {
        self.open.iter().map(|open| patience::left(open.until, now)).min()
    }

    pub fn edit(&mut self, inbound: &Inbound, edited: &Message) -> bool {
        self.open.iter_mut().any(|open| open.joined.edit(inbound, edited))
    }

    fn take(&mut self, mut is_wanted: impl FnMut(&Open) -> bool) -> Vec<Joined> {
        let open = std::mem::take(&mut self.open);
        let (taken, left): (Vec<Open>, Vec<Open>) = open.into_iter().partition(|open| is_wanted(open));
        self.open = left;
        taken.into_iter().map(|open| open.joined).collect()
    }
}

impl How {
    fn patience(self, patience: u64) -> u64 {
        match self {
            How::Album => ALBUM,
            How::Pieces => PIECE,
            How::Succession | How::Alone => patience,
        }
    }
}

/// How more may follow a message, if it may.
fn opens(new: &Joined, patience: u64) -> Option<How> {
    let message = &new.message;
    if message.album.is_some() {
        return Some(How::Album);
    }
    if !message.media.is_empty() || message.text.is_empty() || new.is_command() {
        return None;
    }
    if units(&message.text) >= LONG {
        return Some(How::Pieces);
    }
    (patience > 0).then_some(How::Succession)
}

impl Open {
    fn takes(&self, new: &Joined, patience: u64) -> bool {
        let (own, other) = (&self.joined, &new.message);
        let fits =
            own.parts.len() < MOST_PARTS && units(&own.message.text) + units(&other.text) <= MOST_UNITS;
        let is_text = other.media.is_empty() && !other.text.is_empty() && !new.is_command();
        fits && match self.how {
            How::Album => own.message.album == other.album,
            How::Pieces => is_text && other.id == own.message.id + 1 && own.parts.len() < MOST_PIECES,
            How::Succession => is_text && patience > 0,
            How::Alone => false,
        }
    }
}

#[cfg(test)]
#[path = "joining_tests.rs"]
mod joining_tests;
