//! Who else works in a directory: another agent, or an agent of another profile of this home.
//!
//! For the making and removing of agents and for `doctor`, on their own threads. Reads the other profiles'
//! configurations; only looks. A profile whose config is missing or broken has the workspaces of an empty one.
use super::Agents;
use crate::config::Config;
use crate::config::ports;
use crate::env::Env;
use std::path::{Path, PathBuf};

/// Who else than the agent `id` works where `dir` is, in it or around it, in words: `agent "ops"`, `profile work`.
pub fn user(env: &Env, agents: &Agents, id: &str, dir: &Path) -> Option<String> {
    let own = real(dir.to_path_buf());
    let fits = |other: &PathBuf| other.starts_with(&own) || own.starts_with(other);
    let others = agents.ids().into_iter().filter(|other| other != id);
    let mut others = others.filter(|other| fits(&real(agents.workspace(other))));
    let profile = || {
        let mut homes = ports::homes(env).into_iter();
        homes
            .find(|(_, other)| workspaces(other).iter().any(&fits))
            .map(|(name, _)| format!("profile {name}"))
    };
    others.next().map(|other| format!("agent \"{other}\"")).or_else(profile)
}

/// Where the agents of another profile work.
fn workspaces(env: &Env) -> Vec<PathBuf> {
    let mut env = env.clone();
    let config = Config::inspect(&mut env);
    let agents = Agents::of(&config, &env);
    agents.ids().into_iter().map(|id| real(agents.workspace(&id))).collect()
}

/// The first agent of `config` that works where an agent of another profile does, in words.
pub fn shared(env: &Env, config: &Config) -> Option<String> {
    let agents = Agents::of(config, env);
    agents.ids().into_iter().find_map(|id| {
        let dir = agents.workspace(&id);
        let user = user(env, &agents, &id, &dir)?;
        Some(format!("workspace {} is that of {user}, or one lies in the other", env.display(&dir)))
    })
}

/// A directory without links on the way, as far as it is there.
pub fn real(path: PathBuf) -> PathBuf {
    let there = |dir: &Path| Some((std::fs::canonicalize(dir).ok()?, path.strip_prefix(dir).ok()?));
    match path.ancestors().find_map(there) {
        Some((dir, rest)) => dir.join(rest).components().collect(),
        None => path,
    }
}
