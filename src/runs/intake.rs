//! The only way in for turns, whoever asks: is it a repetition, may the session be answered, has its conversation
//! grown too old, is the message a command, what does it ask for itself; then `accepting`, which hands it to its lane.
//!
//! Part of `Runs`, on the state thread. What the ways in differ in says the row of the surface (`origin`).
use super::observers::Observers;
use super::origin::{Commands, Origin};
use super::run::NewRun;
use super::world::World;
use super::{Runs, Taken};
use crate::agent::brought::Brought;
use crate::calls::Call;
use crate::channels::ids::bare;
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::models::provider::Thinking;
use crate::sessions::attachments::Attachments;
use crate::sessions::{freshness, send_policy};
use crate::slash::{self, At, Directives, Invocation, queue};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Longer texts are no commands and hold no directives: looking for them would cost more than they are worth.
const MAX_COMMAND: usize = 16 << 10;
const DEFAULT_TIMEOUT_S: u64 = 600;

/// Somebody asks for a turn.
pub struct Ask {
    pub origin: Origin,
    /// The idempotency key: the run's id.
    pub id: String,
    /// Of all that was asked; a repetition has the same.
    pub hash: String,
    /// Canonical key.
    pub session: String,
    pub message: String,
    pub attachments: Attachments,
    pub wishes: Wishes,
    /// Who asks, and the way back.
    pub reply: Call,
    pub observers: Observers,
}

/// What a request may ask for beside its message.
#[derive(Default)]
pub struct Wishes {
    /// Milliseconds once it runs; 0 is without limit, `None` what the configuration says.
    pub timeout_ms: Option<u64>,
    pub extra_system: Option<String>,
    pub brought: Option<Arc<Brought>>,
    pub thinking: Option<Thinking>,
    pub queue: Option<queue::Change>,
    /// The id that a conversation gets which begins now.
    pub conversation: Option<String>,
    pub label: Option<String>,
    /// What the model reads before and behind the text, if that is no command.
    pub envelope: (String, String),
    /// Members that the session's entry gets.
    pub entry: Map<String, Value>,
    /// The session that gets the route among them, too.
    pub main: Option<String>,
    /// The message is text whatever it looks like.
    pub is_plain: bool,
    /// It was asked for before, and the gateway stopped: its message may stand in the transcript already.
    pub is_again: bool,
    /// The conversation may be too old by the rules of this channel; then a new one begins.
    pub ages_by: Option<String>,
}

/// What the message turned out to be.
struct Understood {
    command: Option<Invocation>,
    directives: Directives,
    text: String,
}

impl Runs {
    /// Who follows by a stream is told of a refusal there too.
    pub fn ask(&mut self, world: &mut dyn World, ask: Ask) -> Result<Taken> {
        let streams: Vec<_> = ask.observers.streams().cloned().collect();
        let taken = self.take_in(world, ask);
        if let Err(error) = &taken {
            streams.iter().for_each(|stream| stream.end(Err(error.clone())));
        }
        taken
    }

    fn take_in(&mut self, world: &mut dyn World, mut ask: Ask) -> Result<Taken> {
        let is_said_aloud = ask.origin.surface.commands == Commands::All;
        if is_said_aloud && ask.may_command() && slash::is_stop(&ask.message) {
            return Ok(Taken::Now(self.stop_for(world, &ask).into()));
        }
        if let Some(taken) = self.replay(world, &ask)? {
            return Ok(taken);
        }
        let mut understood = understand(world, &mut ask);
        let at = ask.at();
        match &understood.command {
            Some(invocation) => slash::check(&at, invocation)?,
            None => {
                may_say(world, &at, &understood.directives)?;
                check_send_policy(world, &ask)?;
                self.start_anew_if_stale(world, &ask)?;
            }
        }
        let Ask { origin, id, hash, session, attachments, mut wishes, reply, observers, .. } = ask;
        let (before, behind) = std::mem::take(&mut wishes.envelope);
        let around = (before.len(), behind.len() + attachments.texts.len());
        let text = if before.is_empty() { understood.text } else { before + &understood.text } + &behind;
        understood.directives.thinking = understood.directives.thinking.or(wishes.thinking);
        understood.directives.raised = slash::exec::usual(&world.settings().config(), &at, bare);
        understood.directives.queue = wishes.queue.take().or(understood.directives.queue);
        let new = NewRun {
            origin,
            id,
            key: session,
            message: text + &attachments.texts,
            handed_over: 0,
            around: Some(around),
            is_own: true,
            images: Arc::new(attachments.images),
            hash,
            is_again: wishes.is_again,
            timeout_ms: wishes.timeout_ms.unwrap_or_else(|| default_timeout_ms(world)),
            extra_system: wishes.extra_system.take(),
            brought: wishes.brought.take(),
            directives: understood.directives,
            command: understood.command.map(|invocation| Box::new((at, invocation))),
        };
        self.accept(world, reply, observers, new, &wishes)
    }

    /// The answer to a key that was used before: the first result, or a refusal for another request.
    fn replay(&mut self, world: &dyn World, ask: &Ask) -> Result<Option<Taken>> {
        let (surface, id) = (ask.origin.surface, ask.id.as_str());
        let Some(record) = self.requests.seen(surface, id, &ask.hash, world.now())? else {
            if self.is_live(id) {
                let text = format!("run id {id} is in use by another request");
                return Err(Error::new(Kind::Conflict, text));
            }
            return Ok(None);
        };
        if let Some(result) = &record.result {
            ask.reply.replay(&result.read());
            return Ok(Some(Taken::Later));
        }
        let answer = surface.repeated(id, record.ts);
        if surface.tells_outcome() {
            self.join_call(id, &ask.reply);
        }
        Ok(Some(answer.map_or(Taken::Later, |answer| Taken::Now(answer.into()))))
    }

    /// A message after the daily hour, or after a long silence, begins a new conversation (methods 7). The old
    /// transcript stays; what the user set for the session stays too.
    fn start_anew_if_stale(&self, world: &mut dyn World, ask: &Ask) -> Result<()> {
        let (key, now) = (ask.session.as_str(), world.now());
        let Some(channel) = ask.wishes.ages_by.as_deref().filter(|_| !self.is_busy(key)) else {
            return Ok(());
        };
        let Some(entry) = world.entry(key) else { return Ok(()) };
        if freshness::is_stale(&world.settings().config(), key, &entry, Some(channel), now) {
            world.put(key, &entry.reset(&ids::uuid()?, now))?;
            world.session_changed(key, "reset");
        }
        Ok(())
    }
}

impl Ask {
    /// What the gateway itself asks for, named like its call: the words are no command.
    pub fn unasked(origin: Origin, session: String, message: String, reply: Call) -> Ask {
        Ask {
            origin,
            id: reply.id.clone(),
            hash: String::new(),
            session,
            message,
            attachments: Attachments::default(),
            wishes: Wishes { is_plain: true, ..Wishes::default() },
            reply,
            observers: Observers::default(),
        }
    }

    /// Whether the message may be anything but text: on surfaces for people, from people.
    fn may_command(&self) -> bool {
        let fits = match self.origin.surface.commands {
            Commands::None => false,
            Commands::Slashed => self.message.starts_with('/'),
            Commands::All => true,
        };
        let is_person = self.origin.provenance.is_person() && self.reply.caller.run.is_none();
        fits && is_person && !self.wishes.is_plain && self.message.len() <= MAX_COMMAND
    }

    fn at(&self) -> At {
        At {
            key: self.session.clone(),
            scopes: self.reply.caller.scopes.clone(),
            sender: self.reply.caller.client_id.clone(),
            channel: self.origin.channel().to_string(),
        }
    }
}

/// How commands run is the owner's to say, for one message, too.
fn may_say(world: &dyn World, at: &At, directives: &Directives) -> Result<()> {
    let Some(mode) = directives.exec else { return Ok(()) };
    slash::check_one(at, if mode.elevated.is_some() { "elevated" } else { "exec" })?;
    match mode.is_elevated() {
        true => slash::exec::may_elevate(&world.settings().config(), at, bare),
        false => Ok(()),
    }
}

fn understand(world: &dyn World, ask: &mut Ask) -> Understood {
    let config = world.settings().config();
    let may_command = ask.may_command();
    let is_alone = ask.attachments == Attachments::default();
    let command = if may_command && is_alone { slash::parse(&config, &ask.message) } else { None };
    let (directives, text) = match may_command && command.is_none() {
        true => slash::directives(&config, &ask.message),
        false => (Directives::default(), std::mem::take(&mut ask.message)),
    };
    Understood { command, directives, text }
}

/// By where this message comes from, whoever was there before.
fn check_send_policy(world: &dyn World, ask: &Ask) -> Result<()> {
    let mut entry = world.entry(&ask.session).unwrap_or_default();
    ask.wishes.entry.iter().for_each(|(name, value)| entry.set(name, value.clone()));
    send_policy::check(&world.settings().config(), &ask.session, &entry)
}

/// How long a turn may take when the request does not say, milliseconds.
fn default_timeout_ms(world: &dyn World) -> u64 {
    let seconds = world.settings().config().u64("agents.defaults.timeoutSeconds");
    seconds.unwrap_or(DEFAULT_TIMEOUT_S).saturating_mul(1000)
}
