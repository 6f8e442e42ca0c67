//! From a request that may be answered to a run in its lane. Part of `Runs`, on the state thread.
use super::observers::Observers;
use super::origin::Answers;
use super::run::{Doing, NewRun, Run};
use super::sharing::Sender;
use super::world::World;
use super::{Runs, Taken, Wishes};
use crate::calls::{Call, Provenance};
use crate::cancel::Reason;
use crate::error::Result;
use crate::processes::list;
use crate::protocol::frame::Payload;
use crate::slash::{At, Invocation, Reply};

/// The members of an entry that say where somebody was last.
const ROUTE: [&str; 5] = ["deliveryContext", "lastChannel", "lastTo", "lastAccountId", "lastThreadId"];

impl Runs {
    /// Takes a new run in. The answer follows when the acceptance is on disk.
    pub(super) fn accept(
        &mut self,
        world: &mut dyn World,
        call: Call,
        observers: Observers,
        new: NewRun,
        wishes: &Wishes,
    ) -> Result<Taken> {
        let sender = self.sender(&call);
        self.refuse_excess(world, &new, &sender)?;
        let nesting = match self.nest_end(world, &call) {
            Some(nesting) => nesting,
            None => self.nest(world, &call.caller, &new)?,
        };
        let agent = world.owner(&new.key)?;
        // Only now: what is refused leaves no session.
        set_wishes(world, &new.key, wishes, new.origin.provenance)?;
        let entry = world.begin(&new.key, None)?;
        let now = world.now();
        world.update(&new.key, &mut |entry| entry.set("updatedAt", now));
        self.requests.begin(world, &new, entry.session_id())?;
        let session_id = entry.session_id().unwrap_or_default().to_string();
        let id = new.id.clone();
        let is_administrators = call.caller.scopes.has("operator.admin");
        let run = Run {
            is_administrators,
            agent,
            session_id,
            nesting,
            sender,
            ..Run::of(new, call, observers, now)
        };
        self.map.insert(id, run);
        Ok(Taken::Later)
    }

    fn refuse_excess(&self, world: &dyn World, new: &NewRun, sender: &Sender) -> Result<()> {
        world.takes_turns()?;
        self.refuse_beyond_share(new, sender)?;
        self.refuse_full_queue(world, new)
    }

    /// The journal has the run, or could not take it. Gives the command that the message is: the caller has it done
    /// and says so to `commanded`.
    pub fn accepted(
        &mut self,
        world: &mut dyn World,
        id: &str,
        result: Result<()>,
    ) -> Option<Box<(At, Invocation)>> {
        if let Err(error) = result {
            let mut run = self.map.remove(id)?;
            self.requests.forget(&run.new);
            run.end_parts(world, &Err(error.clone()), None);
            run.end_beat(world, &Err(error.clone()), None);
            run.observers.streams().for_each(|stream| stream.end(Err(error.clone())));
            run.calls.iter().for_each(|call| call.answer(Err(error.clone())));
            return None;
        }
        let command = self.map.get_mut(id)?.new.command.take();
        if command.is_none() {
            self.answer_accepted(id, |runs| runs.place_run(world, id));
        }
        command
    }

    /// A command takes effect at once, however busy the session is; what it has to say is said by a run.
    pub fn commanded(&mut self, world: &mut dyn World, id: &str, reply: Result<Reply>) {
        self.answer_accepted(id, |runs| runs.go_on(world, id, reply));
    }

    /// Who is answered twice has the first answer before anything that could end the run; for who is answered once
    /// the message has its place when the answer comes.
    fn answer_accepted(&mut self, id: &str, place: impl FnOnce(&mut Runs)) {
        let Some(run) = self.map.get_mut(id) else { return };
        let surface = run.new.origin.surface;
        let answer = surface.accepted(id, run.accepted_at);
        let calls = if surface.tells_outcome() { run.calls.clone() } else { std::mem::take(&mut run.calls) };
        let tell = || {
            for (call, answer) in calls.iter().zip(answer.iter().cycle()) {
                call.answer(Ok(Payload::Value(answer.clone())));
            }
        };
        if surface.answers == Answers::Once {
            place(self);
            tell();
        } else {
            tell();
            place(self);
        }
    }

    fn go_on(&mut self, world: &mut dyn World, id: &str, reply: Result<Reply>) {
        let doing = match reply {
            Ok(Reply::Text(text)) => Doing::Say(Some(Box::new(move || Ok(text)))),
            Ok(Reply::Work(work)) => Doing::Say(Some(work)),
            Ok(Reply::Compact { instructions }) => Doing::Compact(instructions),
            Ok(Reply::Turn { message, is_own }) => {
                if let Some(run) = self.map.get_mut(id) {
                    (run.new.message, run.new.around, run.new.is_own) = (message, None, is_own);
                }
                Doing::Answer
            }
            Ok(Reply::Stop) => {
                let key = self.session_of(id).unwrap_or_default();
                list::hush(key);
                let others: Vec<String> = self.of_session(key).into_iter().filter(|r| r != id).collect();
                let children = self.children_of(world, key);
                others.iter().chain(&children).for_each(|run| self.abort(world, run, Reason::Stop));
                let text = match (others.len() + children.len(), children.len()) {
                    (0, _) => "Nothing is running.".to_string(),
                    (_, 0) => "⚙️ Stopped.".to_string(),
                    (_, n) => format!("⚙️ Stopped, and {n} of its subagents."),
                };
                Doing::Say(Some(Box::new(move || Ok(text))))
            }
            Err(error) => return self.end_run(world, id, Err(error), None),
        };
        if let Some(run) = self.map.get_mut(id) {
            run.doing = doing;
        }
        self.place_run(world, id);
    }
}

/// What the session is to know from now on. Where the owner is does not change by what others write in his main session.
fn set_wishes(world: &mut dyn World, session: &str, wishes: &Wishes, whose: Provenance) -> Result<()> {
    let has_members = !wishes.entry.is_empty() && (whose.is_own() || !world.is_main(session));
    if wishes.conversation.is_some() || wishes.label.is_some() || has_members {
        world.begin(session, wishes.conversation.as_deref())?;
    }
    if wishes.label.is_some() || has_members {
        world.update(session, &mut |entry| {
            if let Some(label) = &wishes.label {
                entry.set("label", label.as_str());
            }
            let members = wishes.entry.iter().filter(|_| has_members);
            members.for_each(|(name, value)| entry.set(name, value.clone()));
        });
    }
    let Some(main) = wishes.main.as_ref().filter(|_| whose.is_own()) else { return Ok(()) };
    world.begin(main, None)?;
    world.update(main, &mut |entry| {
        for name in ROUTE {
            match wishes.entry.get(name) {
                Some(value) => entry.set(name, value.clone()),
                None => drop(entry.remove(name)),
            }
        }
    });
    Ok(())
}
