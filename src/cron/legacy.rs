//! Jobs as people, models and earlier versions write them, brought into the one shape: wrapped ones unwrapped, words in
//! their case, kinds inferred, members in their places. Judges nothing. Pure.
use super::schedule::parse_at;
use crate::clock;
use crate::json::Put;
use serde_json::{Map, Value};

/// Members that belong into the payload, also when they stand beside it.
pub(super) const OF_PAYLOAD: [&str; 6] =
    ["message", "text", "model", "thinking", "timeoutSeconds", "allowUnsafeExternalContent"];
/// More of them, which say where the words go, which is `delivery`'s to say.
pub(super) const HINTS: [&str; 5] = ["deliver", "channel", "provider", "to", "bestEffortDeliver"];

/// A job or a patch of one.
pub fn normalise(given: Map<String, Value>) -> Map<String, Value> {
    let mut job = unwrapped(given);
    for name in ["name", "description", "agentId", "sessionTarget", "wakeMode"] {
        trim(&mut job, name, name == "sessionTarget" || name == "wakeMode");
    }
    if let Some(Value::Object(mut schedule)) = job.remove("schedule") {
        of_schedule(&mut schedule);
        job.put("schedule", schedule);
    }
    let mut payload = match job.remove("payload") {
        Some(Value::Object(payload)) => payload,
        Some(other) => {
            job.put("payload", other);
            return job;
        }
        None => Map::new(),
    };
    for name in OF_PAYLOAD.into_iter().chain(HINTS) {
        if let Some(value) = job.remove(name) {
            payload.entry(name).or_insert(value);
        }
    }
    of_payload(&mut payload);
    of_delivery(&mut job, &mut payload);
    if !payload.is_empty() {
        job.put("payload", payload);
    }
    job
}

fn unwrapped(mut given: Map<String, Value>) -> Map<String, Value> {
    for name in ["data", "job"] {
        match given.remove(name) {
            Some(Value::Object(inner)) => return inner,
            Some(other) => drop(given.insert(name.into(), other)),
            None => {}
        }
    }
    given
}

fn trim(map: &mut Map<String, Value>, name: &str, lowers: bool) {
    if let Some(Value::String(text)) = map.get_mut(name) {
        *text = if lowers { text.trim().to_lowercase() } else { text.trim().to_string() };
    }
}

fn of_schedule(schedule: &mut Map<String, Value>) {
    trim(schedule, "kind", true);
    trim(schedule, "expr", false);
    trim(schedule, "tz", false);
    if let Some(at) = schedule.remove("atMs") {
        let known =
            at.as_u64().or_else(|| at.as_f64().map(|at| at as u64)).or_else(|| parse_at(at.as_str()?));
        let at = known.map_or(at, |ms| clock::iso(ms).into());
        schedule.entry("at").or_insert(at);
    }
    let at = schedule.get("at").and_then(|at| at.as_u64().or_else(|| parse_at(at.as_str()?)));
    if let Some(at) = at {
        schedule.put("at", clock::iso(at));
    }
    let inferred = [("at", "at"), ("everyMs", "every"), ("expr", "cron")];
    let kind = inferred.iter().find(|(member, _)| schedule.contains_key(*member));
    if let Some((_, kind)) = kind.filter(|_| !schedule.contains_key("kind")) {
        schedule.put("kind", *kind);
    }
}

fn of_payload(payload: &mut Map<String, Value>) {
    let kind = payload.get("kind").and_then(Value::as_str).map(|kind| kind.trim().to_lowercase());
    let kind = match kind.as_deref() {
        Some("agentturn") => Some("agentTurn"),
        Some("systemevent") => Some("systemEvent"),
        Some(_) => None,
        None if payload.contains_key("message") => Some("agentTurn"),
        None if payload.contains_key("text") => Some("systemEvent"),
        None => None,
    };
    if let Some(kind) = kind {
        payload.put("kind", kind);
    }
}

/// A text, or a chat by its number.
fn place(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_string(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Where the words go, from where earlier versions said it.
fn of_delivery(job: &mut Map<String, Value>, payload: &mut Map<String, Value>) {
    let hints: Vec<Option<Value>> = HINTS.iter().map(|name| payload.remove(*name)).collect();
    let hint = |n: usize| hints.get(n).and_then(Option::as_ref);
    let (channel, to) = (place(hint(1)).or(place(hint(2))), place(hint(3)));
    let is_hinted = hints.iter().any(Option::is_some);
    let is_turn = payload.get("kind").is_none_or(|kind| kind != "systemEvent");
    if is_hinted && !job.contains_key("delivery") && is_turn {
        let delivers = hint(0).and_then(Value::as_bool).unwrap_or(channel.is_some() || to.is_some());
        let mut delivery = Map::new();
        delivery.put("mode", if delivers { "announce" } else { "none" });
        channel.into_iter().for_each(|channel| delivery.put("channel", channel));
        to.into_iter().for_each(|to| delivery.put("to", to));
        if let Some(best_effort) = hint(4).and_then(Value::as_bool) {
            delivery.put("bestEffort", best_effort);
        }
        job.put("delivery", delivery);
    }
    if let Some(Value::Object(delivery)) = job.get_mut("delivery") {
        trim(delivery, "mode", true);
        trim(delivery, "channel", true);
        if let Some(Value::Number(to)) = delivery.get("to") {
            let to = to.to_string();
            delivery.put("to", to);
        }
        trim(delivery, "to", false);
        if delivery.get("mode").is_some_and(|mode| mode == "deliver") {
            delivery.put("mode", "announce");
        }
    }
}
