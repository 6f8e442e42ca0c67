//! What instructions and tools leave of a model's window, for whoever chooses a model or looks after one.
//!
//! Runs on any thread that may read files: the prompt is put together as for a turn of the owner in the agent's main
//! session. How much of a conversation goes along beside it is for `compact`.
use super::compact;
use super::prompt::{self, Wanted};
use crate::agents::Agents;
use crate::config::Config;
use crate::env::Env;
use crate::models::provider::{Provider, Thinking, ToolSpec};
use crate::tools;

/// Bytes that are sent whatever the conversation is.
pub fn fixed_bytes(system: &str, tools: &[ToolSpec]) -> usize {
    let of_tool = |tool: &ToolSpec| tool.name.len() + tool.description.len() + tool.parameters.len();
    system.len() + tools.iter().map(of_tool).sum::<usize>()
}

/// What is said of a model in whose window the agent's instructions and tools leave little for a conversation.
pub fn crowded(config: &Config, env: &Env, agent: &str, provider: &Provider) -> Option<String> {
    let model = format!("{}/{}", provider.id, provider.model);
    let key = format!("agent:{agent}:main");
    let offered = match provider.tools {
        true => tools::offered(config, env, agent, &model, &key),
        false => Vec::new(),
    };
    let system = prompt::build(&Wanted {
        config,
        agents: &Agents::of(config, env),
        agent,
        session_key: &key,
        channel: None,
        model: &model,
        tools: &offered,
        thinking: Thinking::Off,
        extra: None,
    });
    compact::crowded(provider, fixed_bytes(&system, &tools::specs(&offered)), config)
}
