//! The agents that the configuration describes: ids, names, workspaces, identities, models.
//!
//! Look-ups in the configuration; nothing is created or changed here, that is `edit`. Who they are towards people
//! is in `identity`.
pub mod bindings;
pub mod edit;
mod entry;
pub mod fit;
pub mod host;
mod identity;
pub mod inside;
pub mod own;
pub mod profile_book;
pub mod profiles;
pub mod routing;
pub mod sharing;
mod trash;

pub use identity::read_identity;

use crate::config::Config;
use crate::env::Env;
use crate::models::provider::{BUILTIN, Provider, Thinking};
use crate::session_key::{KeyRules, id_of, normalise_agent_id};
use crate::sessions::sessions_dir;
use serde_json::Value;
use std::path::PathBuf;

pub struct Agents<'a> {
    config: Config,
    env: &'a Env,
}

impl<'a> Agents<'a> {
    pub fn of(config: &Config, env: &'a Env) -> Agents<'a> {
        Agents { config: config.clone(), env }
    }

    pub fn env(&self) -> &'a Env {
        self.env
    }

    pub fn config(&self) -> &Config {
        &self.config
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
            crate::order::sort(&mut found);
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

    /// The file of an agent's session index: `session.store` with `{agentId}` in it, or its place below the state
    /// directory. A path without `{agentId}` is the default agent's alone: two agents cannot share an index here.
    pub fn session_store(&self, id: &str) -> PathBuf {
        let own = self.config.str("session.store").map(str::trim).filter(|path| !path.is_empty());
        match own.filter(|path| path.contains("{agentId}") || id == self.default_id()) {
            Some(path) => {
                let path = self.env.expand(&path.replace("{agentId}", &normalise_agent_id(id)));
                // A bare name has no directory to be made, or synced.
                std::path::absolute(&path).unwrap_or(path)
            }
            None => sessions_dir(&self.env.state_dir, id).join("sessions.json"),
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

    /// Those of all agents, and the one that new ones begin with.
    pub fn workspaces(&self) -> Vec<PathBuf> {
        let general = self.config.str("agents.defaults.workspace").map(|dir| self.env.expand(dir));
        self.ids().iter().map(|id| self.workspace(id)).chain(general).collect()
    }

    /// The `provider/model` an agent runs with, if one is configured.
    pub fn model(&self, id: &str) -> Option<String> {
        let own = self.entry(id).and_then(|a| a.get("model"));
        let named = own.and_then(|m| m.as_str().or_else(|| m.get("primary").and_then(Value::as_str)));
        named.or_else(|| self.config.str("agents.defaults.model.primary")).map(str::to_string)
    }

    /// The model that answers for an agent: what is configured, else the one that is built in.
    pub fn answering(&self, id: &str) -> String {
        self.model(id).unwrap_or_else(|| BUILTIN.to_string())
    }

    /// The tokens that a prompt of the agent may have; `None` where its model cannot be used.
    pub fn window(&self, id: &str) -> Option<u64> {
        let own =
            || Some(Provider::resolve(&self.config, self.env, &self.answering(id)).ok()?.context_window);
        self.config.u64("agents.defaults.contextTokens").or_else(own)
    }

    /// The models tried after `model`, in their order: the agent's own when it lists any or none on purpose, else
    /// those of all agents.
    pub fn fallbacks(&self, id: &str) -> Vec<String> {
        let own = self.entry(id).and_then(|a| a.get("model")?.get("fallbacks"));
        let list =
            own.or_else(|| self.config.get("agents.defaults.model.fallbacks")).and_then(Value::as_array);
        names(list.into_iter().flatten())
    }

    /// What is said of subagents of this agent: its own word before that of all.
    pub fn subagents(&self, id: &str) -> impl Iterator<Item = &Value> {
        let own = self.entry(id).and_then(|entry| entry.get("subagents"));
        let general = ["agents.defaults.subagents", "tools.subagents"].map(|key| self.config.get(key));
        std::iter::once(own).chain(general).flatten()
    }

    /// The models tried after a subagent's; `None` where those of the agent are.
    pub fn subagent_fallbacks(&self, id: &str) -> Option<Vec<String>> {
        let list = self.subagents(id).find_map(|set| set.get("model")?.get("fallbacks")?.as_array());
        list.map(|list| names(list.iter()))
    }

    /// How much the agent reasons when neither request nor session says; `None` leaves it to the model.
    pub fn thinking_default(&self, _id: &str) -> Option<Thinking> {
        self.config.str("agents.defaults.thinkingDefault").and_then(Thinking::parse)
    }

    /// What a new session of the agent shows of its tools: `off`, `on` or `full`.
    pub fn verbose_default(&self, _id: &str) -> Option<String> {
        self.config.str("agents.defaults.verboseDefault").map(str::to_string)
    }

    /// Where the agent keeps what is its own: `agentDir`, else below the state directory.
    pub fn agent_dir(&self, id: &str) -> PathBuf {
        let own = self.text(id, "agentDir").map(|path| self.env.expand(path));
        own.unwrap_or_else(|| self.env.state_dir.join("agents").join(normalise_agent_id(id)).join("agent"))
    }
}

/// The names of models in a list.
fn names<'a>(list: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let models = list.filter_map(Value::as_str).map(str::trim);
    models.filter(|model| !model.is_empty()).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn b2_7_a_store_without_a_directory_lies_in_the_present_one() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{session: {store: '{agentId}.json'}}");
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let store = Agents::of(&config, &env).session_store("main");
        assert_eq!(store, std::env::current_dir().unwrap().join("main.json"));
        crate::files::quirks::sync_dir(std::path::Path::new("")).unwrap();
    }

    #[test]
    fn models_fall_back_to_the_agent_s_own_else_to_everybody_s() {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{agents: {defaults: {model: {primary: 'p/m', fallbacks: ['p/n', ' ']}, thinkingDefault: 'high'},\
             list: [{id: 'a'}, {id: 'b', model: 'q/x'}, {id: 'c', model: {primary: 'q/y', fallbacks: ['q/z']}},\
             {id: 'e', model: {fallbacks: []}}]}}",
        );
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let agents = Agents::of(&config, &env);
        for (id, model, fallbacks) in [
            ("a", "p/m", vec!["p/n"]),
            ("b", "q/x", vec!["p/n"]),
            ("c", "q/y", vec!["q/z"]),
            ("d", "p/m", vec!["p/n"]),
            ("e", "p/m", vec![]),
        ] {
            assert_eq!(agents.model(id).as_deref(), Some(model), "{id}");
            assert_eq!(agents.fallbacks(id), fallbacks, "{id}");
        }
        assert_eq!(agents.thinking_default("a"), Some(Thinking::High));
        assert_eq!(agents.verbose_default("a").as_deref(), Some("off"));
        assert_eq!(agents.agent_dir("a"), env.state_dir.join("agents/a/agent"));
    }
}
