//! `openclaw sessions search`: which messages hold some words.
use super::stores::here;
use super::{AGENT, ALL_AGENTS, whole};
use crate::agents::Agents;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, Positional, far};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::sessions::preview::Eyes;
use crate::sessions::search::{Hit, Place, Search};
use crate::sessions::{Entry, Transcript};
use serde_json::Value;

pub const COMMAND: Command = Command {
    name: "sessions search",
    summary: "Find messages by their words",
    about: "Finds messages that hold all the words, in capitals or not, the newest first; a text in quotes is looked for as it is.",
    positionals: &[Positional::required("words")],
    flags: &[
        &[
            AGENT,
            ALL_AGENTS,
            Flag::value("limit", "<n>", "Show at most so many; default 20, at most 100"),
            JSON,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw sessions search \"dentist tuesday\"", "Find messages with both words"),
        ("openclaw sessions search invoice --agent work --json", "Search one agent's sessions, for a script"),
    ],
    failure: "",
    run,
};

const DEFAULT: u64 = 20;
const MOST: u64 = 100;

fn run(context: &Context, args: &Args) -> Result<()> {
    let query = args.positional(0).unwrap_or_default();
    if query.trim().is_empty() {
        return Err(Error::usage("name the words to look for"));
    }
    let limit = args.positive("limit")?.unwrap_or(DEFAULT).min(MOST);
    let (config, env) = far::load(context, args)?;
    let mut unread = Vec::new();
    let told = match far::or_here(context, &env, &config, args) {
        Some(_) => {
            let mut params = json!({"query": query, "limit": limit});
            if let (Some(map), Some(agent)) = (params.as_object_mut(), args.filled("agent")?) {
                map.put("agentId", agent);
            }
            rpc::call(context, args, "sessions.search", &params)?
        }
        None => {
            let agents = Agents::of(&config, &env);
            let rules = agents.key_rules();
            let found = here(&env, &config, args)?;
            unread = found.unread;
            let rows = found.rows.into_iter();
            let place = |row: super::Row| {
                let store = agents.session_store(rules.owner(&row.key));
                let transcript = Transcript::of(store.parent()?, &Entry::from_map(row.entry)).ok()?;
                Some(Place { key: row.key, updated_at: row.updated_at, transcript })
            };
            let mut search = Search::new(query, limit as usize, Eyes::People);
            search.look_in(rows.filter_map(place));
            let is_cut = search.is_cut;
            let results: Vec<Value> = search.into_hits().iter().map(Hit::to_value).collect();
            json!({"results": results, "truncated": is_cut})
        }
    };
    if args.has("json") {
        context.out.json(&told);
    } else {
        show(context, &told);
    }
    whole(unread)
}

fn show(context: &Context, told: &Value) {
    let hits = told.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for hit in hits {
        let text = |name: &str| hit.get(name).and_then(Value::as_str).unwrap_or_default();
        let at = hit.get("timestamp").and_then(Value::as_u64).unwrap_or_default();
        let time = clock::show(&clock::zoned(at, None), "%Y-%m-%d %H:%M");
        let who = if text("role") == "user" { "you" } else { "agent" };
        context.out.painted(36, &format!("{time}  {who}  {}", text("sessionKey")));
        context.out.line(format!("  {}", text("snippet")));
    }
    if hits.is_empty() {
        context.out.line("No message holds these words.");
    }
    if told.get("truncated") == Some(&Value::Bool(true)) {
        context.out.warn("note: there is more than one search reads; older messages were not looked at");
    }
}
