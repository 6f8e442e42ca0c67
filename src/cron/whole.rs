//! Whether a job stands in the one shape already, as this program and the original write it: then `legacy` and
//! `shape::complete` would change nothing, and a file of thousands is read without a copy of each. Pure.
use super::job::{self, Members, text};
use super::legacy::{HINTS, OF_PAYLOAD};
use super::schedule::parse_at;
use crate::clock;
use crate::session_key;
use serde_json::Value;

/// In doubt it does not.
pub fn is_whole(job: &Members) -> bool {
    let payload = job.get("payload").and_then(Value::as_object);
    let schedule = job.get("schedule").and_then(Value::as_object);
    let (Some(payload), Some(schedule)) = (payload, schedule) else { return false };
    let strays = ["data", "job"].iter().chain(&OF_PAYLOAD).chain(&HINTS);
    ["enabled", "wakeMode", "sessionTarget"].iter().all(|name| job.contains_key(*name))
        && strays.into_iter().all(|name| !job.contains_key(*name))
        && text(job, "name").is_some_and(|name| !name.is_empty())
        && ["name", "description"].iter().all(|name| is_trimmed(job, name))
        && ["sessionTarget", "wakeMode"].iter().all(|name| is_low(job, name))
        && job
            .get("agentId")
            .is_none_or(|id| id.as_str().is_some_and(|id| session_key::agent_id(id).as_deref() == Some(id)))
        && is_schedule(job, schedule)
        && matches!(text(payload, "kind"), Some("agentTurn" | "systemEvent"))
        && HINTS.iter().all(|name| !payload.contains_key(*name))
        && is_delivery(job, payload)
}

fn is_schedule(job: &Members, schedule: &Members) -> bool {
    let is_of_kind = match text(schedule, "kind") {
        Some("at") => job.contains_key("deleteAfterRun"),
        Some("every") => schedule.contains_key("anchorMs"),
        kind => kind == Some("cron"),
    };
    is_of_kind
        && !schedule.contains_key("atMs")
        && ["expr", "tz"].iter().all(|name| is_trimmed(schedule, name))
        && schedule.get("at").is_none_or(|at| {
            at.as_str().is_some_and(|at| parse_at(at).map(clock::iso).as_deref() == Some(at))
        })
}

fn is_delivery(job: &Members, payload: &Members) -> bool {
    let Some(delivery) = job.get("delivery") else {
        return text(payload, "kind") != Some("agentTurn") || !job::is_isolated(job);
    };
    delivery.as_object().is_none_or(|delivery| {
        ["mode", "channel"].iter().all(|name| is_low(delivery, name))
            && text(delivery, "mode") != Some("deliver")
            && !delivery.get("to").is_some_and(Value::is_number)
            && is_trimmed(delivery, "to")
    })
}

fn is_trimmed(map: &Members, name: &str) -> bool {
    text(map, name).is_none_or(|text| text.trim() == text)
}

/// Without space around it, and in small letters.
fn is_low(map: &Members, name: &str) -> bool {
    is_trimmed(map, name)
        && text(map, name).is_none_or(|text| text.is_ascii() && !text.bytes().any(|b| b.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::super::{legacy, shape};
    use super::*;
    use crate::json::json;

    #[test]
    fn i13_what_is_whole_would_not_be_changed() {
        let whole = json!({"id": "a", "name": "n", "enabled": true, "createdAtMs": 1, "agentId": "main",
            "schedule": {"kind": "every", "everyMs": 5000, "anchorMs": 1}, "sessionTarget": "isolated",
            "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "m"},
            "delivery": {"mode": "announce", "channel": "telegram", "to": "1"}, "state": {}});
        let main = json!({"id": "b", "name": "n", "enabled": false, "schedule": {"kind": "at", "at": "2030-01-01T00:00:00.000Z"},
            "deleteAfterRun": true, "sessionTarget": "main", "wakeMode": "next-heartbeat",
            "payload": {"kind": "systemEvent", "text": "t"}});
        let cron = json!({"id": "c", "name": "n", "enabled": true, "schedule": {"kind": "cron", "expr": "0 9 * * *", "tz": "UTC"},
            "sessionTarget": "main", "wakeMode": "now", "payload": {"kind": "systemEvent", "text": "t"}});
        let shaped = |job: &Value| {
            let mut job = legacy::normalise(job.as_object().unwrap().clone());
            shape::complete(&mut job, 5);
            Value::Object(job)
        };
        for job in [&whole, &main, &cron] {
            assert!(is_whole(job.as_object().unwrap()), "{job}");
            assert_eq!(&shaped(job), job);
        }
        // Whatever is taken away or put in: what is called whole is not changed.
        let odd = [
            json!(null),
            json!(" X "),
            json!(7),
            json!("Telegram"),
            json!("deliver"),
            json!({}),
            json!("2030-01-01"),
        ];
        for job in [&whole, &main, &cron] {
            let outer = [
                "data",
                "name",
                "agentId",
                "enabled",
                "schedule",
                "sessionTarget",
                "wakeMode",
                "payload",
                "delivery",
                "deleteAfterRun",
                "message",
                "to",
                "description",
            ];
            let inner = [
                ("schedule", "kind"),
                ("schedule", "at"),
                ("schedule", "atMs"),
                ("schedule", "anchorMs"),
                ("schedule", "expr"),
                ("schedule", "tz"),
                ("payload", "kind"),
                ("payload", "channel"),
                ("payload", "deliver"),
                ("delivery", "mode"),
                ("delivery", "to"),
                ("delivery", "channel"),
            ];
            let places = outer.map(|name| (name, "")).into_iter().chain(inner);
            for (name, member) in places {
                for value in odd.iter().map(Some).chain([None]) {
                    let mut other = job.clone();
                    let map = match member {
                        "" => other.as_object_mut(),
                        _ => other.get_mut(name).and_then(Value::as_object_mut),
                    };
                    let (Some(map), key) = (map, if member.is_empty() { name } else { member }) else {
                        continue;
                    };
                    match value {
                        Some(value) => drop(map.insert(key.into(), value.clone())),
                        None => drop(map.remove(key)),
                    }
                    if is_whole(other.as_object().unwrap()) {
                        assert_eq!(shaped(&other), other);
                    }
                }
            }
        }
    }
}
