//! `cron.list` and `cron.status`: which jobs there are and whether they run. On the state thread; reads no file.
use super::cron::usable;
use crate::calls::Call;
use crate::error::Result;
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::parts::{Parts, first};
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::cron::is_on;
use crate::state::event::Answer;
use serde_json::Value;

params! {
    struct List {
        include_disabled: bool,
        enabled: Option<String>,
        limit: Option<u64>,
        offset: u64,
    }
}

pub fn list(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let List { include_disabled, enabled, limit, offset } = read(params)?;
    usable(state)?;
    let (shows_enabled, shows_disabled) = match enabled.as_deref() {
        Some("all") => (true, true),
        Some("disabled") => (false, true),
        Some(_) => (true, false),
        None => (true, include_disabled),
    };
    let all = state.cron.book.sorted(|kept| if kept.is_enabled { shows_enabled } else { shows_disabled });
    let total = all.len();
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(total);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(total.max(1));
    let shown = first(all.tail(from), limit);
    let texts: Vec<String> = shown.iter().map(|kept| kept.text.text()).collect();
    let next = from + shown.len();
    let about = json!({
        "snapshotRevision": (state.cron.revision.to_string()), "total": total, "offset": from, "limit": limit,
        "hasMore": (next < total), "nextOffset": ((next < total).then_some(next)),
    });
    let text = crate::json::with(&about.to_string(), "jobs", &format!("[{}]", texts.join(",")));
    Ok(Answer::Now(Payload::Text(text.into())))
}

pub fn status(state: &mut State, _call: Call, _params: Value) -> Result<Answer> {
    let cron = &state.cron;
    let path = cron.place.as_ref().map(|place| place.jobs.display().to_string());
    let schedule = |id: &str| cron.book.broken(cron.book.number(id)?)?.remove("schedule");
    let wrong =
        cron.book.wrong().map(|(id, why)| json!({"id": id, "error": why, "schedule": (schedule(id))}));
    let mut told = json!({
        "enabled": (is_on(&state.shared)), "storePath": path, "jobs": (cron.book.len()),
        "nextWakeAtMs": (cron.book.first().map(|(due, _)| due)),
    });
    let wrong: Vec<Value> = wrong.collect();
    if let Some(map) = told.as_object_mut() {
        if !wrong.is_empty() {
            map.put("wrong", wrong);
        }
        cron.book.broken.as_deref().into_iter().for_each(|why| map.put("error", why));
    }
    Ok(Answer::Now(told.into()))
}
