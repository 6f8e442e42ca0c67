//! Whose session a request of OpenAI's API is for, and the turn that is asked for there. Runs on the connection's own
//! thread; what only the state knows is asked of it.
use super::asked::Asked;
use super::following::Following;
use super::standing::{check_results, transcript};
use super::{Api, Judged, refusal, wrong};
use crate::agent::brought::Brought;
use crate::calls::stream::Stream;
use crate::calls::{Call, Reply};
use crate::error::{Error, Kind};
use crate::http::{Exchange, Refusal};
use crate::ids;
use crate::models::catalogue;
use crate::models::provider::Provider;
use crate::parts::{Parts, within};
use crate::runs::origin::{OPENAI, Origin};
use crate::runs::{Ask, Observer, Observers, Wishes};
use crate::session_key::{agent_id, agent_of};
use crate::state::carrying::Carry;
use crate::state::event::Event;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// Bytes of a stream's words that its client has not taken yet.
const AHEAD: usize = 256 << 10;
/// The header that names a session, and what begins keys that are the gateway's own.
const SESSION: &str = "x-openclaw-session-key";
const RESERVED: [&str; 5] = ["acp", "cron", "heartbeat", "hook", "subagent"];

/// Finds the agent and the session, and names the answer.
pub fn place(exchange: &Exchange, asked: &mut Asked, api: &Api) -> Judged<()> {
    let rules = exchange.shared.agents().key_rules();
    let header = |name: &str| exchange.head.get(name).map(str::trim).filter(|text| !text.is_empty());
    let by_header = header("x-openclaw-agent-id").or_else(|| header("x-openclaw-agent"));
    let named = match by_header {
        Some(id) => Some(id),
        None => of_model(&asked.model)?,
    };
    let known = exchange.shared.published.agents();
    let agent = named.map_or_else(|| rules.default_agent.clone(), |id| agent_id(id).unwrap_or_default());
    if !known.contains(&agent) {
        if let Some(why) = exchange.shared.published.unread().remove(&agent) {
            return Err(Refusal::from(why));
        }
        return Err(unknown(&asked.model, &agent));
    }
    let uuid = || ids::uuid().map_err(Refusal::from);
    let mut answer = uuid()?;
    let canonical = |key: &str, param: &str| rules.canonical(key).map_err(|e| wrong(e.message(), param));
    asked.session = if let Some(key) = header(SESSION) {
        let key = key.to_lowercase();
        let is_whole = key.starts_with("agent:") || matches!(&*key, "global" | "unknown");
        let key = canonical(&if is_whole { key } else { format!("agent:{agent}:{key}") }, SESSION)?;
        check_named(&key, rules.owner(&key), named.is_some().then_some(&*agent), &known)?;
        key
    } else if let Some(user) = &asked.user {
        asked.ages = true;
        canonical(&format!("agent:{agent}:{}-user:{}", api.family, user.trim()), "user")?
    } else if let Some(previous) = &asked.previous {
        let (id, key) = of_answer(previous, &agent, api.family).ok_or_else(|| lost(previous))?;
        if transcript(exchange, &key)?.is_none() {
            return Err(lost(previous));
        }
        answer = id;
        key
    } else {
        format!("agent:{agent}:{}:{answer}", api.family)
    };
    asked.answer = answer;
    Ok(())
}

/// The agent that a model's name means; `None` is the usual one.
fn of_model(model: &str) -> Judged<Option<&str>> {
    let own = ["openclaw:", "openclaw/", "agent:"].into_iter().find_map(|start| model.strip_prefix(start));
    match (model, own) {
        ("" | "openclaw", _) | (_, Some("default")) => Ok(None),
        (_, Some(id)) if !id.trim().is_empty() => Ok(Some(id)),
        _ => Err(unknown(model, "")),
    }
}

/// No such model, which is an agent.
pub fn unknown(model: &str, agent: &str) -> Refusal {
    let message = match agent {
        "" => {
            format!("The model {:?} does not exist: use openclaw or openclaw/<agentId>.", within(model, 100))
        }
        agent => format!("Unknown agent '{}': GET /v1/models lists those there are.", within(agent, 100)),
    };
    refusal(404, message).about("model").coded("model_not_found")
}

/// A session that a header names is none of the gateway's own, and belongs to an agent there is.
fn check_named(key: &str, owner: &str, named: Option<&str>, known: &[String]) -> Judged<()> {
    let rest = key.strip_prefix("agent:").and_then(|rest| rest.split_once(':')).map_or("", |(_, rest)| rest);
    let first = rest.split(':').next().unwrap_or_default();
    if RESERVED.contains(&first) {
        return Err(wrong(format!("`{SESSION}` cannot use reserved internal session namespaces."), SESSION));
    }
    if !known.iter().any(|id| id == owner) {
        return Err(unknown("", owner).about(SESSION));
    }
    match named.filter(|agent| *agent != owner && key != "global") {
        Some(agent) => {
            Err(wrong(format!("`{SESSION}` is of the agent {}, not of {agent}.", agent_of(key)), SESSION))
        }
        None => Ok(()),
    }
}

/// Names an answer so that the session of its own is found again: the UUID in the key, and something random.
pub fn name_of_answer(uuid: &str) -> crate::error::Result<String> {
    Ok(format!("resp_{}{}", uuid.replace('-', ""), ids::hex(8)?))
}

/// The UUID and the key of the session that an answer is from.
fn of_answer(name: &str, agent: &str, family: &str) -> Option<(String, String)> {
    let hex = name.strip_prefix("resp_").filter(|hex| hex.len() == 48)?;
    if !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let part = |from: usize, to: usize| hex.part(from..to);
    let id = format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
    let key = format!("agent:{agent}:{family}:{id}");
    Some((id, key))
}

fn lost(previous: &str) -> Refusal {
    let message = format!("Previous response with id '{}' not found.", within(previous, 100));
    wrong(message, "previous_response_id").coded("previous_response_not_found")
}

/// The model for this turn alone, if a header names one: one of those that sessions may choose.
fn model(exchange: &Exchange, session: &str) -> Judged<Option<String>> {
    const HEADER: &str = "x-openclaw-model";
    let Some(model) = exchange.head.get(HEADER).map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let (config, agents) = (exchange.shared.config(), exchange.shared.agents());
    let own = agents.model(agents.key_rules().owner(session)).unwrap_or_default();
    match catalogue::permits(&config, model, &own) {
        true => match Provider::resolve(&config, &exchange.shared.env, model) {
            Ok(_) => Ok(Some(model.to_string())),
            Err(e) => Err(wrong(e.message().to_string(), HEADER)),
        },
        false => {
            let shown = within(model, 100);
            Err(wrong(format!("{shown} is not among those that agents.defaults.models permits"), HEADER))
        }
    }
}

/// Asks for the turn.
#[inline(never)]
pub fn ask(exchange: &Exchange, asked: &mut Asked, api: &Api) -> Judged<Following> {
    let Some(caller) = exchange.caller.clone() else {
        return Err(Refusal::from(Error::new(Kind::Unauthorized, "Unauthorized")));
    };
    let heard = asked.talk.finish();
    let heard = heard.ok_or_else(|| wrong(format!("Missing user message in `{}`.", api.input), api.input))?;
    check_results(exchange, &asked.session, &heard.answered)?;
    let wishes = Wishes {
        extra_system: heard.system,
        thinking: asked.thinking,
        brought: Some(Arc::new(brought(exchange, asked, heard.history, heard.results)?)),
        is_plain: true,
        ages_by: OPENAI.channel.filter(|_| asked.ages).map(str::to_string),
        ..Wishes::default()
    };
    let stream = Stream::bounded(if asked.streams { AHEAD } else { 0 });
    let mut observers = Observers::of(&caller);
    observers.add(Observer::Stream(stream.clone()));
    let run = ids::uuid().map_err(Refusal::from)?;
    let reply = Call { caller: caller.clone(), id: run.clone(), method: "openai", reply: Reply::Nobody };
    let origin = Origin::client(&OPENAI, caller.provenance);
    let ask = Ask::unasked(origin, asked.session.clone(), heard.message, reply);
    let ask = Ask { attachments: heard.attached, wishes, observers, ..ask };
    let gone = |_| Refusal::from(Error::unavailable("the gateway is shutting down")).of_api();
    exchange.shared.state.send(Event::Carry(Box::new(Carry::Ask(Box::new(ask))))).map_err(gone)?;
    Ok(Following::of(exchange.shared.clone(), caller, asked.session.clone(), run, stream))
}

/// What the program brings along.
fn brought(
    exchange: &Exchange,
    asked: &mut Asked,
    history: Vec<Value>,
    results: Vec<Value>,
) -> Judged<Brought> {
    let tools = std::mem::take(&mut asked.tools);
    asked.must = tools.must;
    Ok(Brought {
        history: Mutex::new(history),
        results: Mutex::new(results),
        must_call: asked.must.is_some(),
        tools: tools.specs,
        wanted: std::mem::take(&mut asked.wanted),
        max_tokens: asked.max_tokens,
        model: model(exchange, &asked.session)?,
        size: asked.size,
        ..Brought::default()
    })
}
