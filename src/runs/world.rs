//! What runs see of the gateway around them: a narrow view of the state, lent for one call. Runs know no clients, no
//! indexes and no disk, only this; the state implements it, and so does a test.
use super::observers::{After, Part};
use crate::agent::run::{Job as Turn, RunEvent};
use crate::calls;
use crate::cron::outcome::End;
use crate::deliveries::{Delivery, Line, Name, Record};
use crate::error::Result;
use crate::protocol::events::Event;
use crate::protocol::pieces::Pieces;
use crate::sessions::{Entry, Transcript};
use crate::settings::Settings;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub trait World {
    /// Epoch milliseconds: for what is written and sent.
    fn now(&self) -> u64;
    /// Milliseconds since the start: for what is waited for.
    fn mono(&self) -> u64;
    fn settings(&self) -> &Arc<Settings>;
    /// Refuses new turns while the gateway stops or is about to restart.
    fn takes_turns(&self) -> Result<()>;

    /// The agent that owns a session key.
    fn owner(&self, key: &str) -> Result<String>;
    /// Whether it is an agent's main session, where the owner's things go that name no place.
    fn is_main(&self, key: &str) -> bool;
    fn entry(&self, key: &str) -> Option<Entry>;
    /// The entry with a conversation, which begins now if there is none, under `id` where that is free.
    fn begin(&mut self, key: &str, id: Option<&str>) -> Result<Entry>;
    fn put(&mut self, key: &str, entry: &Entry) -> Result<()>;
    /// Changes an entry that exists.
    fn update(&mut self, key: &str, change: &mut dyn FnMut(&mut Entry));
    fn transcript(&self, key: &str, entry: &Entry) -> Result<Transcript>;
    /// What the session is told before its next message, with the times.
    fn take_notes(&mut self, key: &str) -> Vec<(u64, String)>;

    /// A session is to be told how a run went that was not its own; `mark` stands behind its name.
    fn report(&mut self, after: &After, mark: &str, text: &str);

    /// A run that is a part's work is over.
    fn part_ended(&mut self, part: Part, id: &str, end: End);

    /// A heartbeat of a session is over; this is told of it when what the run sent has arrived.
    fn beat_ended(&mut self, run: &str, key: &str, event: Value);

    /// Sends an event of a session to everybody it is for, and to nodes that hear of it.
    fn emit(&self, key: &str, event: &'static Event, frame: Pieces);
    /// Sends an event to one connection.
    fn send(&self, conn: u64, event: &'static Event, body: Arc<Pieces>);
    fn session_changed(&mut self, key: &str, reason: &'static str);
    /// The session's transcript has a message now, with this id.
    fn session_message(&mut self, key: &str, message: Value, id: String);

    /// Has the acceptance of a run written to disk; whether it was is told later.
    fn keep(&self, record: Record, images: Arc<Vec<Value>>) -> Result<()>;
    /// Has the end of a run written, and in one piece with it what follows from it; `false` when the disk is too slow.
    fn keep_end(&mut self, record: Record, lines: Vec<Line>) -> bool;
    /// Has messages of platforms written.
    fn note(&mut self, lines: Vec<Line>);

    /// Promises a message to a platform; gives the line for the journal unless it was promised before.
    fn promise(&mut self, delivery: Delivery) -> Option<Line>;
    /// A message of a platform is done with; gives the line for the journal unless it was before.
    fn handled(&mut self, inbound: &Name) -> Option<Line>;

    /// How a run tells what becomes of it.
    fn teller(&self, run: &str) -> Box<dyn Fn(RunEvent) + Send + Sync>;
    /// Whether anybody hears of the messages of sessions.
    fn are_heard(&self) -> Arc<AtomicBool>;
    /// How its tools call a method.
    fn asker(&self) -> Arc<calls::Ask>;
    /// Starts a thread of this name that takes the turn.
    fn start(&self, name: &str, turn: Turn) -> Result<()>;
}
