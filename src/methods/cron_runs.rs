//! What a scheduled job does when it is due: a note or a turn in the main session, or a turn in a session of its own, whose
//! last words are delivered. One turn of a model, at most one message. On the state thread, by `Shared::job`.
//!
//! It is the owner's work, but nobody is there who could be asked: `Provenance::Cron`.
use super::asking::{Own, thinking, time_line};
use super::destination::{Named, address};
use super::local;
use crate::agent::brought::Brought;
use crate::calls::Provenance;
use crate::cron::job::{self, Members};
use crate::cron::outcome::End;
use crate::error::{Error, Result};
use crate::ids;
use crate::logging::quoted;
use crate::runs::origin::{Address, CRON};
use crate::runs::{After, Observer, Observers, Part, Wishes};
use crate::state::State;
use std::sync::Arc;

/// How long a turn may take that does not say, seconds.
const USUAL_S: u64 = 600;
const REMINDER: &str = "What follows was set for this moment. If it is a reminder, remind the user of it in a few friendly words; \
                        if it is a task, do it and tell the user how it went.\n\n";
const DELIVERED: &str = "Nobody is there who could answer questions. Your last message is delivered to the user as it is: make it \
                         the result, complete and in plain words, and send it by no tool. If there is nothing to tell, answer \
                         NO_REPLY.";

/// Begins the run of a job; its end is told to `State::job_ended`.
pub fn begin(state: &mut State, id: &str) {
    let number = state.cron.book.number(id);
    let Some(job) = number.and_then(|number| state.cron.book.members(number)) else {
        return state.job_ended(id, End::failed(Error::not_found("the job was removed")));
    };
    if let Err(e) = agent_of(state, &job).and_then(|agent| begin_one(state, id, &job, &agent)) {
        state.job_ended(id, End::failed(e));
    }
}

fn agent_of(state: &State, job: &Members) -> Result<String> {
    let agent = job::text(job, "agentId").unwrap_or(&state.sessions.rules().default_agent).to_string();
    match state.sessions.index(&agent) {
        Some(_) => Ok(agent),
        None => Err(Error::not_found(format!(
            "agent {} is gone: give the job another one (--agent)",
            quoted(&agent)
        ))),
    }
}

fn begin_one(state: &mut State, id: &str, job: &Members, agent: &str) -> Result<()> {
    let main = state.sessions.rules().main_of(agent);
    let words = job::words(job).to_string();
    if !job::is_isolated(job) && job::text(job, "wakeMode") != Some("now") {
        state.add_call(Some(main), words.clone(), Provenance::Cron);
        state.job_ended(id, End { result: Ok(()), said: Some(words), has_begun: true });
        return Ok(());
    }
    let mut observers = Observers::readers();
    observers.add(Observer::Part(Part::Job, id.to_string()));
    let message = format!("[cron:{id} {}] {words}\n{}", job::name(job), time_line(state));
    let (session, message, wishes) = match job::is_isolated(job) {
        true => {
            let session = state.sessions.rules().canonical(&format!("agent:{agent}:cron:{id}"))?;
            let wishes = own_session(state, id, job, &session, &main, &mut observers)?;
            (session, message, wishes)
        }
        false => {
            let wishes = in_main(state, id, job, &main, &mut observers);
            (main, format!("{REMINDER}{message}"), wishes)
        }
    };
    let (whose, run) = (Provenance::Cron, state.cron.run_of(id));
    let caller = local::inside("cron", whose);
    let own = Own { surface: &CRON, whose, caller, method: "cron", id: run, session: &session, message };
    own.ask(state, wishes, observers)
}

fn in_main(state: &mut State, id: &str, job: &Members, main: &str, observers: &mut Observers) -> Wishes {
    let to = place(state, job);
    let known = state.sessions.get(main).and_then(|entry| entry.session_id().map(str::to_string));
    state.cron.is_under_way(id, main, known.as_deref().unwrap_or_default(), to.clone(), "");
    observers.deliver(to);
    Wishes { timeout_ms: Some(USUAL_S * 1000), ..Wishes::default() }
}

/// A conversation of its own for each run, and who is told of its end.
fn own_session(
    state: &mut State,
    id: &str,
    job: &Members,
    session: &str,
    main: &str,
    observers: &mut Observers,
) -> Result<Wishes> {
    let conversation = ids::uuid()?;
    if let Some(entry) = state.sessions.get(session) {
        state.sessions.put(session, &entry.reset(&conversation, state.now), state.mono)?;
    }
    let (to, delivery) = announced(state, job, main)?;
    state.cron.is_under_way(id, session, &conversation, to.clone(), delivery);
    let name = job::name(job);
    if job::announces(job) {
        // The main session knows what was said in its name; nothing is answered there.
        let (name, key) = (format!("Cron {name}"), main.to_string());
        let after = After { name, called: String::new(), key, wakes: false };
        observers.add(Observer::After(Box::new(after)));
    }
    let is_delivered = to.is_some();
    observers.deliver(to);
    Ok(Wishes {
        extra_system: is_delivered.then(|| DELIVERED.to_string()),
        conversation: Some(conversation),
        label: Some(format!("Cron: {name}")),
        ..wishes(job, is_delivered)?
    })
}

/// Where the words of a job go that has a session of its own, and what becomes of them unless something comes between.
fn announced(state: &State, job: &Members, main: &str) -> Result<(Option<Address>, &'static str)> {
    if !job::announces(job) {
        return Ok((None, "not-requested"));
    }
    let is_place =
        |member: &&str| job::inner_text(job, "delivery", member).is_some_and(|word| word != "last");
    match address(state, wanted(job), main) {
        Ok(to) => Ok((Some(to), "delivered")),
        // What cannot be told would be done for nobody: no model is asked.
        Err(e) if ["to", "channel"].iter().any(is_place) && !job::is_best_effort(job) => {
            Err(e.context("where its words are to go"))
        }
        Err(_) => Ok((None, "not-delivered")),
    }
}

/// What the job asks of the turn itself.
fn wishes(job: &Members, is_delivered: bool) -> Result<Wishes> {
    let text = |member: &str| job::inner_text(job, "payload", member).map(str::to_string);
    let seconds = job::inner(job, "payload", "timeoutSeconds").and_then(|v| v.as_u64()).unwrap_or(USUAL_S);
    let brought = Brought {
        model: text("model"),
        withheld: if is_delivered { &["message"] } else { &[] },
        ..Brought::default()
    };
    Ok(Wishes {
        timeout_ms: Some(seconds.saturating_mul(1000)),
        thinking: thinking(text("thinking").as_deref(), "payload.thinking")?,
        brought: Some(Arc::new(brought)),
        ..Wishes::default()
    })
}

/// The place that the job names.
fn wanted(job: &Members) -> Named {
    let text = |member: &str| job::inner_text(job, "delivery", member).map(str::to_string);
    Named { channel: text("channel"), to: text("to"), ..Named::default() }
}

/// Where a job's words go, if there is such a place now.
pub fn place(state: &State, job: &Members) -> Option<Address> {
    if job::is_isolated(job) && !job::announces(job) {
        return None;
    }
    let main = state.sessions.rules().main_of(&agent_of(state, job).ok()?);
    address(state, wanted(job), &main).ok()
}
