//! One run: what was asked for, how far it has come, what was told of it. Plain data of `Runs`, on the state thread.
use super::nesting::Nesting;
use super::observers::Observers;
use super::origin::Origin;
use super::telling::Told;
use super::{queueing, sharing};
use crate::agent::brought::Brought;
use crate::agent::mailbox::{Mailbox, Said};
use crate::agent::run::Words;
use crate::calls::Call;
use crate::cancel::{Cancel, Reason};
use crate::sessions::message;
use crate::sessions::tags::Tags;
use crate::slash::{self, Directives};
use serde_json::Value;
use std::sync::Arc;

/// A turn that somebody asks for, understood.
pub(super) struct NewRun {
    pub(super) origin: Origin,
    pub(super) id: String,
    /// Canonical session key.
    pub(super) key: String,
    /// Empty when the turn has it.
    pub(super) message: String,
    /// How long that was.
    pub(super) handed_over: usize,
    /// Bytes of it that stand before and behind the words themselves; `None` where they are not the sender's.
    pub(super) around: Option<(usize, usize)>,
    /// Somebody's words: not what a command makes of itself.
    pub(super) is_own: bool,
    /// Image blocks.
    pub(super) images: Arc<Vec<Value>>,
    pub(super) hash: String,
    /// Its message may stand in the transcript already.
    pub(super) is_again: bool,
    /// Milliseconds the turn may take once it runs; 0 is without limit.
    pub(super) timeout_ms: u64,
    pub(super) extra_system: Option<String>,
    pub(super) brought: Option<Arc<Brought>>,
    /// What the message asks for itself.
    pub(super) directives: Directives,
    /// The message is a command for the gateway itself.
    pub(super) command: Option<Box<(slash::At, slash::Invocation)>>,
}

impl NewRun {
    /// What a transcript must not miss. A command is done or not; only what follows `/new` is a message.
    pub(super) fn own_words(&self) -> Option<String> {
        match &self.command {
            // Without a message a tool's result is answered.
            None => Some(self.message.clone()).filter(|text| !text.is_empty() || self.brought.is_none()),
            Some(command) => command.1.message().map(str::to_string),
        }
    }

    /// About how much memory its message takes, bytes.
    pub(super) fn size(&self) -> usize {
        let image = |block: &Value| block.get("data").and_then(Value::as_str).map_or(0, str::len);
        let brought = self.brought.as_ref().map_or(0, |brought| brought.size);
        brought + self.message.len().max(self.handed_over) + self.images.iter().map(image).sum::<usize>()
    }
}

/// What a run does when its time comes.
pub(super) enum Doing {
    Answer,
    Compact(Option<String>),
    /// Outside the session's lane: answers at once, however busy the session is.
    Say(Option<Words>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The journal does not have it yet.
    Accepting,
    Waiting,
    Running,
    /// Its message is answered by this other run.
    Attached(String),
}

pub(super) struct Run {
    pub(super) new: NewRun,
    pub(super) doing: Doing,
    pub(super) phase: Phase,
    pub(super) agent: String,
    pub(super) session_id: String,
    pub(super) cancel: Cancel,
    pub(super) mailbox: Mailbox,
    /// Runs that end with this one.
    pub(super) attached: Vec<String>,
    /// The request that started it and its repetitions; `agent` requests get a second answer at the end.
    pub(super) calls: Vec<Call>,
    pub(super) nesting: Nesting,
    /// Who asked for it, as he is called.
    pub(super) asked_by: String,
    /// The client that asked for it has the admin scope.
    pub(super) is_administrators: bool,
    /// The waiting run whose place it has.
    pub(super) lent_by: Option<String>,
    /// Whose share of the queue it counts to.
    pub(super) sender: sharing::Sender,
    pub(super) observers: Observers,
    pub(super) accepted_at: u64,
    pub(super) started_at: Option<u64>,
    /// On the monotonic clock.
    pub(super) deadline: Option<u64>,
    /// It waits at least until then for more messages (monotonic clock).
    pub(super) not_before: u64,
    /// Too many wait: only its first words are given to the model.
    pub(super) is_shortened: bool,
    pub(super) seq: u64,
    /// What people see of the present message.
    pub(super) text: String,
    /// Takes out what is for the channel.
    pub(super) tags: Tags,
    /// What `agent` and `chat` events have told of the text so far.
    pub(super) agent_told: Told,
    pub(super) chat_told: Told,
    pub(super) verbose: Verbose,
    pub(super) shows_reasoning: bool,
    /// What the session wants to read below an answer (`/usage`).
    pub(super) footer: Footer,
    /// The next delta does not continue the last one, in `chat` and in `agent` events.
    pub(super) replaces: bool,
    pub(super) agent_replaces: bool,
    /// A heartbeat that has nothing to tell yet: it is no `chat`.
    pub(super) is_hushed: bool,
    /// Its `aborted` event was sent: nothing more of it is.
    pub(super) silenced: bool,
}

/// `/usage`: nothing, the tokens, or the tokens and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Footer {
    #[default]
    Off,
    Tokens,
    Full,
}

/// How much clients are told of tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Verbose {
    #[default]
    Off,
    /// Which tools, not what they gave.
    On,
    Full,
}

impl Verbose {
    pub(super) fn parse(level: &str) -> Verbose {
        match level {
            "on" => Verbose::On,
            "full" => Verbose::Full,
            _ => Verbose::Off,
        }
    }
}

impl Run {
    pub(super) fn of(new: NewRun, call: Call, mut observers: Observers, now: u64) -> Run {
        Run {
            is_hushed: observers.beat().is_some_and(|beat| beat.is_hushed()),
            doing: Doing::Answer,
            phase: Phase::Accepting,
            agent: String::new(),
            session_id: String::new(),
            cancel: Cancel::new(),
            mailbox: Mailbox::default(),
            attached: Vec::new(),
            nesting: Nesting::default(),
            asked_by: call.caller.client_id.clone(),
            is_administrators: false,
            lent_by: None,
            sender: sharing::Sender::default(),
            observers,
            accepted_at: now,
            started_at: None,
            deadline: None,
            not_before: 0,
            is_shortened: false,
            seq: 0,
            text: String::new(),
            tags: Tags::default(),
            agent_told: Told::default(),
            chat_told: Told::default(),
            verbose: Verbose::Off,
            shows_reasoning: false,
            footer: Footer::Off,
            replaces: false,
            agent_replaces: false,
            silenced: false,
            calls: vec![call],
            new,
        }
    }

    /// Its message, for a turn that may not take it.
    pub(super) fn said(&self) -> Said {
        self.said_as(match self.is_shortened {
            true => queueing::shortened(&self.new.message),
            false => self.new.message.clone(),
        })
    }

    /// Its message, which is the turn's from now on: it may be large.
    pub(super) fn hand_over(&mut self) -> Said {
        let message = std::mem::take(&mut self.new.message);
        self.new.handed_over = message.len();
        self.said_as(if self.is_shortened { queueing::shortened(&message) } else { message })
    }

    fn said_as(&self, text: String) -> Said {
        let names_message = self.new.origin.surface.names_message;
        let here = self.new.origin.address.as_deref().map(|address| (message::CHAT, address.chat()));
        let there = || self.destinations().first().map(|(_, to)| (message::ANSWERED_IN, to.chat()));
        Said {
            chat: here.or_else(there).map(Box::new),
            run: self.new.id.clone(),
            notes: Vec::new(),
            text,
            images: self.new.images.clone(),
            names_message,
            is_bare: self.new.brought.is_some(),
            asked_by: self.new.origin.surface.asked_by().or((!self.new.is_own).then_some("command")),
            is_again: self.new.is_again,
        }
    }

    /// Whether somebody ended it; what ran out of time has failed.
    pub(super) fn is_stopped(&self) -> bool {
        self.cancel.reason().is_some_and(|reason| reason != Reason::Timeout)
    }

    pub(super) fn is_aside(&self) -> bool {
        matches!(self.doing, Doing::Say(_))
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) at: u64,
    pub(super) started_at: u64,
    pub(super) error: Option<String>,
}
