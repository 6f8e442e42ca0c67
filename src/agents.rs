//! The agents that the configuration describes: ids, names, workspaces, identities, models.
//!
//! Pure look-ups in the configuration; nothing is created or changed here.
use crate::config::Config;
use crate::env::Env;
use crate::files;
use crate::sessions::key::{KeyRules, normalise_agent_id};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

pub struct Agents<'a> {
    config: Config,
    env: &'a Env,
}

impl<'a> Agents<'a> {
    pub fn of(config: &Config, env: &'a Env) -> Agents<'a> {
        Agents { config: config.clone(), env }
    }

    fn listed(&self) -> impl Iterator<Item = &Value> {
        self.config.get("agents.list").and_then(Value::as_array).into_iter().flatten()
    }

    pub fn entry(&self, id: &str) -> Option<&Value> {
        self.listed().find(|a| id_of(a).as_deref() == Some(id))
    }

    fn text(&self, id: &str, member: &str) -> Option<&str> {
        self.entry(id)?.get(member)?.as_str().filter(|s| !s.trim().is_empty())
    }

    /// The first marked as default, else the first, else `main`.
    pub fn default_id(&self) -> String {
        let marked = self.listed().find(|a| a.get("default") == Some(&Value::Bool(true)));
        marked.or_else(|| self.listed().next()).and_then(id_of).unwrap_or_else(|| "main".to_string())
    }

    /// All agent ids: those listed, or the default one and every directory of the state directory.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.listed().filter_map(id_of).collect();
        if ids.is_empty() {
            ids.push(self.default_id());
            let dirs = std::fs::read_dir(self.env.state_dir.join("agents")).into_iter().flatten().flatten();
            let mut found: Vec<String> = dirs
                .filter(|d| d.path().is_dir())
                .map(|d| d.file_name().to_string_lossy().into_owned())
                .filter(|n| normalise_agent_id(n) == *n)
                .collect();
            found.sort();
            ids.extend(found);
        }
        let mut seen = Vec::new();
        ids.retain(|id| {
            let new = !seen.contains(id);
            seen.push(id.clone());
            new
        });
        ids
    }

    pub fn key_rules(&self) -> KeyRules {
        KeyRules {
            default_agent: self.default_id(),
            main_key: "main".to_string(),
            global: self.config.str("session.scope") == Some("global"),
        }
    }

    pub fn workspace(&self, id: &str) -> PathBuf {
        let own = self.text(id, "workspace");
        if let Some(path) = own {
            return self.env.expand(path);
        }
        let shared = self
            .config
            .str("agents.defaults.workspace")
            .map_or_else(|| self.env.default_workspace(), |p| self.env.expand(p));
        match id == self.default_id() {
            true => shared,
            false => shared
                .with_file_name(format!("{}-{id}", shared.file_name().unwrap_or_default().to_string_lossy())),
        }
    }

    /// The `provider/model` an agent runs with, if one is configured.
    pub fn model(&self, id: &str) -> Option<String> {
        let own = self.entry(id).and_then(|a| a.get("model"));
        let named = own.and_then(|m| m.as_str().or_else(|| m.get("primary").and_then(Value::as_str)));
        named.or_else(|| self.config.str("agents.defaults.model.primary")).map(str::to_string)
    }

    /// One row of `agents.list`.
    pub fn row(&self, id: &str) -> Value {
        let mut row = Map::new();
        row.insert("id".into(), id.into());
        if let Some(name) = self.text(id, "name") {
            row.insert("name".into(), name.into());
        }
        if let Some(identity) = self.entry(id).and_then(|a| a.get("identity")).filter(|i| i.is_object()) {
            row.insert("identity".into(), identity.clone());
        }
        Value::Object(row)
    }

    /// Name, avatar and emoji as `agent.identity.get` gives them.
    pub fn identity(&self, id: &str) -> Value {
        let configured = |member: &str| {
            let own = self
                .entry(id)
                .and_then(|a| a.get("identity"))
                .and_then(|i| i.get(member))
                .and_then(Value::as_str);
            own.map(str::trim).filter(|s| !s.is_empty())
        };
        let ui = |key: &str| self.config.str(key).map(str::trim).filter(|s| !s.is_empty());
        let file = self.identity_file(id);
        let of_file =
            |member: &str| file.iter().find(|(name, _)| name == member).map(|(_, value)| value.as_str());
        let name = ui("ui.assistant.name")
            .or_else(|| configured("name"))
            .or_else(|| of_file("name"))
            .unwrap_or("Assistant");
        let emoji =
            configured("emoji").or_else(|| of_file("emoji")).filter(|e| !e.is_ascii() && e.len() <= 16);
        let avatar = ui("ui.assistant.avatar")
            .or_else(|| configured("avatar"))
            .or_else(|| of_file("avatar"))
            .or(emoji)
            .unwrap_or("A");
        let short = |text: &str, max: usize| text.chars().take(max).collect::<String>();
        let mut identity = json!({"agentId": id, "name": short(name, 50), "avatar": short(avatar, 200)});
        if let (Some(map), Some(emoji)) = (identity.as_object_mut(), emoji) {
            map.insert("emoji".into(), emoji.into());
        }
        identity
    }

    /// `- Name: value` lines of the workspace's IDENTITY.md.
    fn identity_file(&self, id: &str) -> Vec<(String, String)> {
        const MAX: u64 = 16 << 10;
        let bytes = files::read_start(&self.workspace(id).join("IDENTITY.md"), MAX).unwrap_or_default();
        // A character cut in two at the end spoils its own line only.
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines();
        let pairs = lines.filter_map(|line| line.trim().strip_prefix('-')?.split_once(':'));
        let clean = |text: &str| text.trim().trim_matches('*').trim().to_string();
        pairs
            .map(|(name, value)| (clean(name).to_lowercase(), clean(value)))
            .filter(|(_, value)| !value.is_empty() && !value.starts_with('('))
            .collect()
    }
}

fn id_of(agent: &Value) -> Option<String> {
    agent.get("id").and_then(Value::as_str).map(normalise_agent_id)
}
