//! `usage.cost`: tokens and costs by day, over all agents' sessions; on demand by model and surface. Transcripts are read on
//! the connection's thread.
use super::usage::{Agent, agents, counted};
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::sessions::Kept;
use crate::sessions::usage::{Span, Totals};
use crate::sessions::usage_report::{Summary, named};
use crate::sessions::usage_scan::{File, transcripts};
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

params! {
    struct Costs {
        start_date: Option<String>,
        end_date: Option<String>,
        days: Value,
        breakdown: bool,
    }
}

/// Of all agents.
pub fn cost(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Costs { start_date, end_date, days, breakdown } = read(params)?;
    let now = state.now;
    let span = Span::of(start_date.as_deref(), end_date.as_deref(), read_days(&days)?, now)?;
    let agents = agents(state);
    Ok(counted(state, move |counting, budget| {
        let mut all = Summary::default();
        let mut surfaces: BTreeMap<String, Totals> = BTreeMap::new();
        let of_agent = |agent: &Agent| {
            let names = if breakdown { surfaces_of(agent) } else { HashMap::new() };
            let surface =
                move |file: &File| names.get(&file.name).cloned().unwrap_or_else(|| ENDED.to_string());
            transcripts(&agent.dir).into_iter().map(|file| (surface(&file), file)).collect::<Vec<_>>()
        };
        let mut files: Vec<(String, File)> = agents.iter().flat_map(of_agent).collect();
        files.retain(|(_, file)| file.modified >= span.start());
        // The newest first, should the budget not do for all.
        crate::order::by_key(&mut files, |(_, file)| std::cmp::Reverse(file.modified));
        for (surface, file) in files {
            let Some(own) = counting.sums(&file, &span, budget) else { continue };
            all.merge(&own);
            if own.totals != Totals::default() {
                surfaces.entry(surface).or_default().merge(&own.totals);
            }
        }
        let (daily, totals) = (all.daily_totals(), all.totals.to_value());
        let mut report = json!({"updatedAt": now, "days": span.days(), "daily": daily, "totals": totals});
        if let (Some(report), true) = (report.as_object_mut(), breakdown) {
            report.put("byModel", all.by_model());
            report.put("bySurface", named("surface", &surfaces));
        }
        Ok(report)
    }))
}

/// Transcripts that no session goes on in.
const ENDED: &str = "ended";

/// The surfaces of an agent's transcripts, by their files: the channel that the session was begun or last used on, else
/// what its key tells. Turns of one session that came by several ways count for one.
fn surfaces_of(agent: &Agent) -> HashMap<String, String> {
    let surface = |kept: &Kept| {
        let entry = kept.open_only(&["channel", "origin", "lastChannel"]);
        let origin = entry.get("origin").and_then(|origin| origin.get("provider")?.as_str());
        let channel = entry.str("channel").or(origin).or_else(|| entry.str("lastChannel"));
        let of_key = kept.key().split(':').nth(2).filter(|part| KEYED.contains(part));
        // As the log calls it: every chat that is on no platform, of browsers and of terminals.
        let name = |channel| if channel == "webchat" { "chat" } else { channel };
        of_key.or(channel.map(name)).unwrap_or("agent").to_string()
    };
    let all = agent.sessions.iter();
    all.filter_map(|kept| Some((kept.file_name(&agent.dir)?, surface(kept)))).collect()
}

/// Kinds of sessions that are a surface of their own.
const KEYED: [&str; 4] = ["cron", "hook", "openai", "subagent"];

/// A number, or one written as text.
fn read_days(days: &Value) -> Result<Option<u64>> {
    let number = match days {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let number = number.filter(|days| days.is_finite());
    number
        .map(|days| Some(days.max(1.0) as u64))
        .ok_or_else(|| Error::invalid("days must be a number such as 30"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_numbers_in_either_form() {
        let check =
            |days: Value, want: Option<Option<u64>>| assert_eq!(read_days(&days).ok(), want, "{days}");
        check(Value::Null, Some(None));
        check(json!(7), Some(Some(7)));
        check(json!(2.9), Some(Some(2)));
        check(json!("14"), Some(Some(14)));
        check(json!(-3), Some(Some(1)));
        check(json!("x"), None);
        check(json!("inf"), None);
        check(json!([1]), None);
    }
}
