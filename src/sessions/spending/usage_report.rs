//! Sums of usage: over a transcript, and over many for the aggregates. Figures go in message by message; what
//! is kept grows with days, models and tools, not with messages.
mod merging;

use super::latency::Latency;
use crate::config::Config;
use crate::error::Result;
use crate::json::{Put, json};
use crate::sessions::usage::{Span, Tokens, Totals, day_name, day_of};
use crate::sessions::usage_scan::{Budget, Message, Role, scan};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// An answer that comes later than this after the question belongs to no question, milliseconds.
const MAX_LATENCY: u64 = 12 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub struct Summary {
    pub totals: Totals,
    counts: Counts,
    days: BTreeMap<u64, Day>,
    models: Models,
    tools: BTreeMap<String, u64>,
    latency: Latency,
    /// First and last activity, epoch milliseconds.
    active: Option<(u64, u64)>,
}

/// By provider and model.
type Models = BTreeMap<Model, Counted>;
type Model = (Option<String>, Option<String>);
/// Answers and their sums.
type Counted = (u64, Totals);

#[derive(Debug, Default)]
struct Day {
    totals: Totals,
    answers: u64,
    counts: Counts,
    models: Models,
    latency: Latency,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    user: u64,
    assistant: u64,
    tool_calls: u64,
    tool_results: u64,
    errors: u64,
}

/// Adds the messages of one transcript that lie in `span` to each of `sums`. Messages without a time count
/// too, but for no day.
pub fn add_transcript(
    path: &Path,
    config: &Config,
    span: &Span,
    budget: &mut Budget,
    sums: &mut [&mut Summary],
) -> Result<()> {
    let mut asked: Option<u64> = None;
    scan(path, config, budget, &mut |message| {
        if message.at.is_some_and(|at| !span.contains(at)) {
            return;
        }
        let latency = match message.role {
            Role::Assistant => message.at.and_then(|at| message.took.or(Some(at.saturating_sub(asked?)))),
            _ => None,
        };
        if message.role == Role::User {
            asked = message.at.or(asked);
        }
        let latency = latency.filter(|ms| *ms <= MAX_LATENCY);
        sums.iter_mut().for_each(|sum| sum.add(&message, latency));
    })
}

impl Summary {
    fn add(&mut self, message: &Message, latency: Option<u64>) {
        self.counts.add(message);
        for name in &message.tools {
            *self.tools.entry(name.to_string()).or_default() += 1;
        }
        if let Some(ms) = latency {
            self.latency.add(ms);
        }
        let mut day = None;
        if let Some(at) = message.at {
            let (first, last) = self.active.unwrap_or((at, at));
            self.active = Some((first.min(at), last.max(at)));
            let of_day = self.days.entry(day_of(at)).or_default();
            of_day.counts.add(message);
            latency.into_iter().for_each(|ms| of_day.latency.add(ms));
            day = Some(of_day);
        }
        let Some((tokens, cost)) = &message.usage else { return };
        self.totals.add(tokens, cost.as_ref());
        let model = (message.provider.map(str::to_string), message.model.map(str::to_string));
        let is_named = model.0.is_some() || model.1.is_some();
        let count = |models: &mut Models| {
            let (count, totals) = models.entry(model.clone()).or_default();
            *count += 1;
            totals.add(tokens, cost.as_ref());
        };
        if let Some(day) = day {
            day.answers += 1;
            day.totals.add(tokens, cost.as_ref());
            if is_named {
                count(&mut day.models);
            }
        }
        if is_named {
            count(&mut self.models);
        }
    }

    /// `usage` of one session, without its id and file.
    pub fn to_value(&self) -> Map<String, Value> {
        let mut map = Map::new();
        if let Some((first, last)) = self.active {
            map.put("firstActivity", first);
            map.put("lastActivity", last);
            map.put("durationMs", last - first);
        }
        map.put("activityDates", self.days.keys().map(|day| day_name(*day)).collect::<Value>());
        let used = self.days.iter().filter(|(_, day)| day.answers > 0);
        let used = used.map(|(day, sums)| {
            json!({"date": day_name(*day), "tokens": parts(&sums.totals), "cost": sums.totals.cost.total})
        });
        map.put("dailyBreakdown", used.collect::<Value>());
        let counts = self.days.iter().map(|(day, sums)| dated(*day, sums.counts.to_value()));
        map.put("dailyMessageCounts", counts.collect::<Value>());
        map.put("dailyLatency", self.daily_latency());
        map.put("dailyModelUsage", self.daily_models());
        map.put("messageCounts", self.counts.to_value());
        if !self.tools.is_empty() {
            map.put("toolUsage", self.tools());
        }
        if !self.models.is_empty() {
            map.put("modelUsage", by_cost(&self.models));
        }
        if let Some(latency) = self.latency.to_value() {
            map.put("latency", latency);
        }
        self.totals.put_into(&mut map);
        map
    }

    /// `aggregates` of many sessions; totals by agent and by channel are the caller's.
    pub fn aggregates(
        &self,
        agents: &BTreeMap<String, Totals>,
        channels: &BTreeMap<String, Totals>,
    ) -> Value {
        let mut providers = Models::new();
        for ((provider, _), (count, totals)) in &self.models {
            let sum = providers.entry((provider.clone(), None)).or_default();
            sum.0 += count;
            sum.1.merge(totals);
        }
        let daily = self.days.iter().map(|(day, sums)| {
            json!({
                "date": day_name(*day), "tokens": parts(&sums.totals), "cost": sums.totals.cost.total,
                "messages": sums.counts.messages(), "toolCalls": sums.counts.tool_calls, "errors": sums.counts.errors,
            })
        });
        let mut map = json!({
            "messages": self.counts.to_value(), "tools": self.tools(),
            "byModel": by_cost(&self.models), "byProvider": by_cost(&providers),
            "byAgent": named("agentId", agents), "byChannel": named("channel", channels),
            "dailyLatency": self.daily_latency(), "modelDaily": self.daily_models(),
            "daily": daily.collect::<Vec<Value>>(),
        });
        if let (Some(map), Some(latency)) = (map.as_object_mut(), self.latency.to_value()) {
            map.put("latency", latency);
        }
        map
    }

    /// `daily` of `usage.cost`: the days with answers.
    pub fn daily_totals(&self) -> Vec<Value> {
        let used = self.days.iter().filter(|(_, day)| day.answers > 0);
        used.map(|(day, sums)| dated(*day, sums.totals.to_value())).collect()
    }

    /// What each model used, the dearest first.
    pub fn by_model(&self) -> Value {
        by_cost(&self.models)
    }

    fn daily_latency(&self) -> Value {
        let days = self.days.iter();
        days.filter_map(|(day, sums)| Some(dated(*day, sums.latency.to_value()?))).collect()
    }

    fn daily_models(&self) -> Value {
        let mut rows = Vec::new();
        for (day, sums) in &self.days {
            for (model, (count, totals)) in sorted(&sums.models) {
                let mut row = model_row(model);
                row.put("date", day_name(*day));
                row.put("tokens", parts(totals));
                row.put("cost", totals.cost.total);
                row.put("count", *count);
                rows.push(Value::Object(row));
            }
        }
        Value::Array(rows)
    }

    fn tools(&self) -> Value {
        let mut tools: Vec<(&String, &u64)> = self.tools.iter().collect();
        crate::order::by_key(&mut tools, |(_, count)| std::cmp::Reverse(**count));
        let sum: u64 = self.tools.values().sum();
        let rows = tools.iter().map(|(name, count)| json!({"name": name, "count": count}));
        json!({"totalCalls": sum, "uniqueTools": tools.len(), "tools": rows.collect::<Vec<Value>>()})
    }
}

fn dated(day: u64, mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.put("date", day_name(day));
    }
    value
}

/// The tokens of a day: its parts, whatever the servers' own totals say.
fn parts(totals: &Totals) -> u64 {
    let Tokens { input, output, cache_read, cache_write, .. } = totals.tokens;
    input.saturating_add(output).saturating_add(cache_read).saturating_add(cache_write)
}

fn sorted(models: &Models) -> Vec<(&Model, &Counted)> {
    let mut rows: Vec<_> = models.iter().collect();
    let size = |totals: &Totals| (totals.cost.total, totals.tokens.total);
    crate::order::by(&mut rows, |(_, (_, a)), (_, (_, b))| {
        let ((cost, tokens), (other_cost, other_tokens)) = (size(a), size(b));
        other_cost.total_cmp(&cost).then(other_tokens.cmp(&tokens))
    });
    rows
}

fn by_cost(models: &Models) -> Value {
    let row = |(model, (count, totals)): (&Model, &Counted)| {
        let mut row = model_row(model);
        row.put("count", *count);
        row.put("totals", totals.to_value());
        Value::Object(row)
    };
    sorted(models).into_iter().map(row).collect()
}

fn model_row((provider, model): &Model) -> Map<String, Value> {
    let members = [("provider", provider), ("model", model)];
    members.iter().filter_map(|(name, value)| Some((name.to_string(), value.as_deref()?.into()))).collect()
}

/// Sums under their names, the dearest first.
pub fn named(member: &str, totals: &BTreeMap<String, Totals>) -> Value {
    let mut rows: Vec<_> = totals.iter().collect();
    crate::order::by(&mut rows, |(_, a), (_, b)| b.cost.total.total_cmp(&a.cost.total));
    rows.into_iter().map(|(name, totals)| json!({member: name, "totals": totals.to_value()})).collect()
}

impl Counts {
    fn add(&mut self, message: &Message) {
        self.user += u64::from(message.role == Role::User);
        self.assistant += u64::from(message.role == Role::Assistant);
        self.tool_calls += message.tools.len() as u64;
        self.tool_results += message.tool_results;
        self.errors += message.errors;
    }

    fn messages(&self) -> u64 {
        self.user + self.assistant
    }

    fn to_value(self) -> Value {
        json!({
            "total": self.messages(), "user": self.user, "assistant": self.assistant,
            "toolCalls": self.tool_calls, "toolResults": self.tool_results, "errors": self.errors,
        })
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
