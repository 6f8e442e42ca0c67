//! The agents that `openclaw status` shows, with their sessions: as the files of this host have them, or as a gateway
//! tells them whose files are not here. One shape, whoever tells.
use super::RECENT;
use super::asking::Gateway;
use crate::agents::Agents;
use crate::cli::print::age;
use crate::cli::sessions::{Row, read};
use crate::clock;
use crate::env::Env;
use crate::json::json;
use serde_json::Value;
use std::path::PathBuf;

/// One agent and its sessions.
pub struct Agent {
    pub id: String,
    name: Option<String>,
    /// Where it works; a gateway does not tell.
    workspace: Option<PathBuf>,
    pub store: Option<PathBuf>,
    /// How many sessions it has, which may be more than are known here.
    pub count: u64,
    /// The newest first.
    pub sessions: Vec<Row>,
    /// Why they cannot be read.
    pub unread: Option<String>,
}

/// The agents of this host.
pub fn here(agents: &Agents) -> Vec<Agent> {
    let each = agents.ids().into_iter().map(|id| {
        let (workspace, store) = (agents.workspace(&id), agents.session_store(&id));
        let (sessions, unread) = match read(&store) {
            Ok(sessions) => (sessions, None),
            Err(error) => (Vec::new(), Some(error.message().to_string())),
        };
        let name = agents.row(&id).get("name").and_then(Value::as_str).map(str::to_string);
        let count = sessions.len() as u64;
        Agent { id, name, workspace: Some(workspace), store: Some(store), count, sessions, unread }
    });
    each.collect()
}

/// The agents that a gateway tells of.
pub fn told(gateway: &Gateway) -> Vec<Agent> {
    let named = gateway.snapshot.get("agents").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let list = gateway.told.as_ref().and_then(|told| told.pointer("/sessions/byAgent")?.as_array());
    let each = list.into_iter().flatten().filter_map(|agent| {
        let id = agent.get("agentId")?.as_str()?.to_string();
        let name = named.iter().find(|named| named.get("agentId").is_some_and(|it| *it == *id));
        let rows = agent.get("recent").and_then(Value::as_array).into_iter().flatten();
        Some(Agent {
            name: name.and_then(|named| named.get("name")?.as_str()).map(str::to_string),
            workspace: None,
            store: agent
                .get("path")
                .and_then(Value::as_str)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            count: agent.get("count").and_then(Value::as_u64).unwrap_or_default(),
            sessions: rows.filter_map(Row::told).collect(),
            unread: agent.get("error").and_then(Value::as_str).map(str::to_string),
            id,
        })
    });
    each.collect()
}

/// The sessions of all `agents`, newest first.
pub fn newest(agents: &[Agent]) -> Vec<&Row> {
    let mut rows: Vec<&Row> = agents.iter().flat_map(|agent| &agent.sessions).collect();
    crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at));
    rows
}

impl Agent {
    fn updated_at(&self) -> Option<u64> {
        self.sessions.first().map(|row| row.updated_at)
    }

    /// A row of the table of `--all`.
    pub fn cells(&self, env: &Env) -> Vec<String> {
        let active = self.updated_at().map(|at| age(clock::now_ms().saturating_sub(at)));
        let active = active.map_or("never".to_string(), |age| format!("{age} ago"));
        let store = self.store.as_ref().map(|store| env.display(store)).unwrap_or_default();
        vec![self.id.clone(), self.count.to_string(), active, store]
    }

    /// As scripts get it.
    pub fn to_json(&self, now: u64) -> Value {
        let last = self.updated_at();
        json!({
            "id": self.id, "name": self.name, "workspaceDir": self.workspace, "sessionsPath": self.store,
            "sessionsCount": self.count, "lastUpdatedAt": last,
            "lastActiveAgeMs": last.map(|at| now.saturating_sub(at)),
        })
    }

    /// Its sessions as scripts get them.
    pub fn sessions_json(&self, now: u64) -> Value {
        let recent: Vec<Value> = self.sessions.iter().take(RECENT).map(|row| row.to_json(now)).collect();
        json!({"agentId": self.id, "path": self.store, "count": self.count, "recent": recent})
    }
}
