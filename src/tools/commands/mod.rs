//! Tools for commands on the gateway's machine: `exec` starts them, `process` looks after those that go on.
//!
//! `wish` reads what a call asks for, `surroundings` is what a command finds around itself, `skilled` what
//! skills give it, `asking` is the wait for the
//! owner's word, `afar` has a node run it, `forwarding` who is told of it, `shown` how he sees a command. Whether a command may run is judged in the room `approvals`, how it runs in `processes`.
mod afar;
mod asking;
pub(in crate::tools) mod exec;
mod forwarding;
pub(in crate::tools) mod process;
mod shown;
mod skilled;
mod surroundings;
mod wish;

pub use surroundings::check;
pub use wish::variables;

use super::Context;
use crate::approvals::Rules;
use crate::config::Config;
use crate::files;
use crate::session_key::id_of;
use serde_json::Value;

/// A setting below `tools.exec`: the agent's own, else the general one.
fn setting<'c>(context: &'c Context, name: &str) -> Option<&'c Value> {
    setting_of(&context.config, &context.agent, name)
}

/// The same by an agent's id.
pub fn setting_of<'c>(config: &'c Config, agent: &str, name: &str) -> Option<&'c Value> {
    let pointer = format!("/tools/exec/{}", name.replace('.', "/"));
    let listed = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    let is_own = |entry: &&Value| id_of(entry).as_deref() == Some(agent);
    let own = listed.filter(is_own).find_map(|entry| entry.pointer(&pointer));
    own.or_else(|| config.get(&format!("tools.exec.{name}")))
}

/// What holds for an agent's commands by the configuration and the file of approvals; a call may ask for more strictness.
pub fn rules(config: &Config, agent: &str, book: &Value) -> Rules {
    let of = |name: &str| setting_of(config, agent, name);
    Rules::of(book, agent, &[(of("security"), of("ask"))])
}

fn number(context: &Context, name: &str, otherwise: u64) -> u64 {
    setting(context, name).and_then(Value::as_u64).unwrap_or(otherwise)
}

fn texts(context: &Context, name: &str) -> Vec<String> {
    let list = setting(context, name).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_string).collect()
}

fn workspace(context: &Context) -> std::path::PathBuf {
    // Links on the way are followed once, so that what is judged is where it runs.
    files::real(&context.workspace)
}
