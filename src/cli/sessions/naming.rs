//! Which session a command means, and where its conversation is.
use super::row::Row;
use super::stores::{here, remote};
use crate::agents::Agents;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::pick::{Choice, Kind, pick};
use crate::cli::print::age;
use crate::cli::{Context, far};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key;
use crate::sessions::{Entry, Transcript, history};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const KIND: Kind = Kind { name: "session", list: "sessions" };
/// What a gateway gives of a conversation at once.
const MOST_TOLD: usize = 1000;

/// A session that was named.
pub struct Found {
    pub row: Row,
    /// The directory of its transcript; `None` at a gateway elsewhere.
    dir: Option<PathBuf>,
}

/// The session that the first argument names, by its key, its label or a part of them.
pub fn find(context: &Context, args: &Args) -> Result<Found> {
    let (config, env) = far::load(context, args)?;
    let named = args.positional(0).unwrap_or_default();
    let agents = Agents::of(&config, &env);
    let mut unread = Vec::new();
    let mut rows = match far::or_here(context, &env, &config, args) {
        Some(address) => remote(context, args, &address)?.into_iter().map(|row| (row, None)).collect(),
        None => {
            let home = |row: Row| {
                let store = agents.session_store(agents.key_rules().owner(&row.key));
                (row, store.parent().map(Path::to_path_buf))
            };
            let found = here(&env, &config, args)?;
            unread = found.unread;
            found.rows.into_iter().map(home).collect::<Vec<_>>()
        }
    };
    let agent = args.filled("agent")?.map(session_key::normalise_agent_id);
    let rules = agents.key_rules();
    let whole = match &agent {
        Some(agent) if !named.starts_with("agent:") => rules.canonical(&format!("agent:{agent}:{named}")),
        _ => rules.canonical(named),
    };
    let exact = whole.ok().and_then(|key| rows.iter().position(|(row, _)| row.key == key));
    let place = match exact {
        Some(place) => place,
        None => {
            let choices = rows.iter().map(|(row, _)| choice(row)).collect::<Vec<_>>();
            // It may be one of those that cannot be read.
            pick(context, args, &KIND, named, &choices).map_err(|error| unread.pop().unwrap_or(error))?
        }
    };
    let (row, dir) = rows.swap_remove(place);
    Ok(Found { row, dir })
}

fn choice(row: &Row) -> Choice {
    let rest = row.key.splitn(3, ':').nth(2).unwrap_or_default().to_string();
    let (label, name) = (row.text("label"), row.text("displayName"));
    let age = age(clock::now_ms().saturating_sub(row.updated_at));
    let shown = if label.is_empty() { name.clone() } else { label.clone() };
    let about = format!("{age} ago  {shown}").trim_end().to_string();
    let names = [rest, label, name, row.text("sessionId")];
    Choice { id: row.key.clone(), names: names.into_iter().filter(|name| !name.is_empty()).collect(), about }
}

impl Found {
    /// Its messages as people see them, the last one first, until `each` breaks; whether there may be more than were told.
    pub fn back(
        &self,
        context: &Context,
        args: &Args,
        limit: Option<usize>,
        mut each: impl FnMut(Value) -> ControlFlow<()>,
    ) -> Result<bool> {
        if let Some(dir) = &self.dir {
            let entry = Entry::from_map(self.row.entry.clone());
            // A session that has not begun has said nothing.
            if entry.session_id().is_some() {
                history::back(&Transcript::of(dir, &entry)?, each)?;
            }
            return Ok(false);
        }
        let most = limit.unwrap_or(MOST_TOLD).clamp(1, MOST_TOLD);
        let params = json!({"sessionKey": self.row.key, "limit": most});
        let mut told = rpc::call(context, args, "chat.history", &params)?;
        let messages = told.get_mut("messages").map(Value::take);
        let Some(Value::Array(messages)) = messages else {
            return Err(Error::unavailable("the gateway told no messages"));
        };
        let is_cut = limit.is_none() && messages.len() >= MOST_TOLD;
        // Nothing is left to do where `each` breaks.
        let _ = messages.into_iter().rev().try_for_each(&mut each);
        Ok(is_cut)
    }
}
