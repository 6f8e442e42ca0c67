//! What a scheduled job does when it is due: a note or a turn in the main session, or a turn in a session of its own, whose
//! last words are delivered. One turn of a model, at most one message. On the state thread, by `Shared::job`.
//!
//! It is the owner's work, but nobody is there who could be asked: `Provenance::Cron`.
use super::agent::Params;
use super::destination::destination;
use super::local;
use crate::agent::brought::Brought;
use crate::calls::{Call, Provenance, Reply};
use crate::clock;
use crate::cron::job::{self, Members};
use crate::cron::outcome::End;
use crate::error::{Error, Result};
use crate::ids;
use crate::logging::quoted;
use crate::models::provider::Thinking;
use crate::runs::origin::{Address, CRON, Origin};
use crate::runs::{After, Ask, Observer, Observers, Part, Wishes};
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
    let name = job::name(job);
    let now = clock::show(&clock::zoned_as_known(state.now), "%A, %e %B %Y, %H:%M (%Z)");
    let message = format!("[cron:{id} {name}] {words}\nCurrent time: {now}");
    let mut observers = Observers::default();
    observers.add(Observer::Readers);
    observers.add(Observer::Part(Part::Job, id.to_string()));
    let (session, message, wishes) = match job::is_isolated(job) {
        true => {
            let session = state.sessions.rules().canonical(&format!("agent:{agent}:cron:{id}"))?;
            let wishes = own_session(state, id, job, &session, &main, &mut observers)?;
            (session, message, wishes)
        }
        false => {
            let to = place(state, job);
            let known = state.sessions.get(&main).and_then(|entry| entry.session_id().map(str::to_string));
            state.cron.is_under_way(id, &main, known.as_deref().unwrap_or_default(), to.clone(), "");
            observers.deliver(to);
            let wishes = Wishes { timeout_ms: Some(USUAL_S * 1000), ..Wishes::default() };
            (main, format!("{REMINDER}{message}"), wishes)
        }
    };
    ask(state, id, session, message, Wishes { is_plain: true, ..wishes }, observers)
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
    let announces = job::announces(job);
    let to = if announces {
        destination(state, &wanted(job), main).and_then(|to| to.ok_or_else(nowhere))
    } else {
        Err(nowhere())
    };
    let is_named = ["to", "channel"]
        .iter()
        .any(|member| job::inner_text(job, "delivery", member).is_some_and(|word| word != "last"));
    let delivery = match &to {
        _ if !announces => "not-requested",
        Ok(_) => "delivered",
        // What cannot be told would be done for nobody: no model is asked.
        Err(e) if is_named && !job::is_best_effort(job) => {
            return Err(e.clone().context("where its words are to go"));
        }
        Err(_) => "not-delivered",
    };
    let to = to.ok();
    state.cron.is_under_way(id, session, &conversation, to.clone(), delivery);
    let name = job::name(job);
    if announces {
        // The main session knows what was said in its name; nothing is answered there.
        let after = After {
            name: format!("Cron {name}"),
            called: String::new(),
            key: main.to_string(),
            wakes: false,
        };
        observers.add(Observer::After(Box::new(after)));
    }
    observers.deliver(to.clone());
    Ok(Wishes {
        extra_system: to.is_some().then(|| DELIVERED.to_string()),
        conversation: Some(conversation),
        label: Some(format!("Cron: {name}")),
        ..wishes(job, to.is_some())?
    })
}

/// What the job asks of the turn itself.
fn wishes(job: &Members, is_delivered: bool) -> Result<Wishes> {
    let text = |member: &str| job::inner_text(job, "payload", member).map(str::to_string);
    let seconds = job::inner(job, "payload", "timeoutSeconds").and_then(|v| v.as_u64()).unwrap_or(USUAL_S);
    let thinking = text("thinking").map(|level| Thinking::named(&level)).transpose();
    let thinking = thinking.map_err(|why| Error::invalid(format!("payload.thinking {why}")))?;
    let brought = Brought {
        model: text("model"),
        withheld: if is_delivered { &["message"] } else { &[] },
        ..Brought::default()
    };
    Ok(Wishes {
        timeout_ms: Some(seconds.saturating_mul(1000)),
        thinking,
        brought: Some(Arc::new(brought)),
        ..Wishes::default()
    })
}

fn nowhere() -> Error {
    Error::invalid("nowhere to deliver to")
}

/// The place that the job names.
fn wanted(job: &Members) -> Params {
    let text = |member: &str| job::inner_text(job, "delivery", member).map(str::to_string);
    Params { deliver: true, channel: text("channel"), to: text("to"), ..Params::default() }
}

/// Where a job's words go, if there is such a place now.
pub fn place(state: &State, job: &Members) -> Option<Address> {
    if job::is_isolated(job) && !job::announces(job) {
        return None;
    }
    let main = state.sessions.rules().main_of(&agent_of(state, job).ok()?);
    destination(state, &wanted(job), &main).ok().flatten()
}

fn ask(
    state: &mut State,
    id: &str,
    session: String,
    message: String,
    wishes: Wishes,
    observers: Observers,
) -> Result<()> {
    let run = state.cron.run_of(id);
    let caller = Arc::new(local::inside("cron", Provenance::Cron));
    let reply = Call { caller, id: run, method: "cron", reply: Reply::Nobody };
    let origin = Origin::client(&CRON, Provenance::Cron);
    let ask = Ask { wishes, observers, ..Ask::unasked(origin, session, message, reply) };
    state.with_runs(|runs, world| runs.ask(world, ask)).map(drop)
}
