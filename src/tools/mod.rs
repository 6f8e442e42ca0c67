//! The agent's tools: one row in `TOOLS` and one file each.
//!
//! Called on a run's thread; each tool runs on a thread of its own, so that one which panics or never returns
//! costs its run an error result and nothing else (`running`). What an agent may use is decided in `policy`.
mod arguments;
pub mod commands;
mod compose;
mod devices;
mod files;
mod memories;
mod policy;
mod running;
mod surfaces;
mod talks;
#[cfg(test)]
pub mod testing;
mod web;

use commands::{exec, process};
pub use devices::media::kind as picture_kind;
use devices::{canvas, nodes};
pub use files::change;
use files::{apply_patch, edit, image, likeness, read, workspace, write};
use memories::{memory, memory_get, memory_search};
pub use policy::matches;
pub use running::{Outcome, Progress, Updates, run_all, run_while};
pub use surfaces::serves;
use talks::{
    agents_list, cron, gateway, message, reach, session_status, sessions_history, sessions_list,
    sessions_send, sessions_spawn,
};
pub use web::search::service as search_service;
use web::{browser, search, web_fetch};

use crate::approvals::mode::Mode;
use crate::calls::{Ask, Provenance};
use crate::cancel::Cancel;
use crate::channels::house::Place;
use crate::config::Config;
use crate::deliveries::Login;
use crate::env::Env;
use crate::error::Result;
use crate::json;
use crate::models::provider::ToolSpec;
use crate::settings::Settings;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// All tools, by name. A new one is a row here and a file.
pub static TOOLS: &[Tool] = &[
    agents_list::TOOL,
    apply_patch::TOOL,
    browser::TOOL,
    canvas::TOOL,
    cron::TOOL,
    edit::TOOL,
    exec::TOOL,
    gateway::TOOL,
    image::TOOL,
    memory_get::TOOL,
    memory_search::TOOL,
    message::TOOL,
    nodes::TOOL,
    process::TOOL,
    read::TOOL,
    session_status::TOOL,
    sessions_history::TOOL,
    sessions_list::TOOL,
    sessions_send::TOOL,
    sessions_spawn::TOOL,
    web_fetch::TOOL,
    search::TOOL,
    write::TOOL,
];

/// A tool as the model and the policy see it.
pub struct Tool {
    /// The model's name for it.
    pub name: &'static str,
    /// What the model reads about it.
    pub doc: &'static str,
    /// JSON Schema of the arguments, of the keywords that `protocol::schema` can explain.
    pub parameters: &'static str,
    /// Other names of arguments, as models of other programs know them, each with ours.
    pub aliases: &'static [(&'static str, &'static str)],
    /// Whether it changes files: such calls of one round run one after the other, in their order.
    pub changes: bool,
    /// On whose authority it works: what shows or reaches other conversations is not for strangers.
    pub serves: fn(Provenance) -> bool,
    /// How long a call with these arguments may take.
    pub time: fn(&Context, &Value) -> Duration,
    pub run: fn(&Context, &Value) -> Result<Output>,
}

/// For whom a tool works.
#[derive(Clone)]
pub struct Context {
    pub settings: Arc<Settings>,
    /// Calls a method of the gateway.
    pub ask: Arc<Ask>,
    /// The configuration of this turn.
    pub config: Config,
    pub agent: String,
    /// Canonical key of the session whose turn it is.
    pub session_key: String,
    pub run: String,
    /// Who asked for the turn.
    pub provenance: Provenance,
    /// What he says of commands for this session or message.
    pub exec: Mode,
    /// The chat in which he did, and the account that is there.
    pub place: Option<(Login, Place)>,
    pub workspace: PathBuf,
    pub cancel: Cancel,
    /// Where a call tells what it has so far, if anybody listens.
    pub updates: Option<Updates>,
}

impl Context {
    /// What a call has so far, for those who watch; a model gets the result only.
    pub fn tell(&self, partial: Value) {
        self.updates.iter().for_each(|updates| updates.tell(partial.clone()));
    }
}

/// What a tool says.
#[derive(Debug, Clone, Default)]
pub struct Output {
    pub text: String,
    /// A few words for people: the path, the address.
    pub meta: Option<String>,
    /// The same for programs, where a text says less.
    pub details: Option<Value>,
    /// Pictures for a model that sees, as blocks of a message.
    pub pictures: Vec<Value>,
}

impl Output {
    /// A result in JSON; compact, for indentation grows with the depth of what others wrote. At most as much of it is
    /// made as a model gets.
    pub fn json(value: &Value) -> Output {
        Output { text: json::bounded(value, running::MAX_TEXT).0, ..Output::default() }
    }

    pub fn text(text: impl Into<String>) -> Output {
        Output { text: text.into(), ..Output::default() }
    }

    /// The same with a few words for people.
    pub fn about(self, meta: impl Into<String>) -> Output {
        Output { meta: Some(meta.into()), ..self }
    }
}

/// The tools that this agent may use in this session with this model (`provider/model`), by name; `running` asks for whom
/// each works. It looks into the store of pairings, so not on the state thread.
pub fn offered(
    config: &Config,
    env: &Env,
    agent: &str,
    provider_ref: &str,
    session_key: &str,
) -> Vec<&'static Tool> {
    let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    let allowed = policy::allowed(config, agent, provider_ref, session_key, &names);
    let is_ready = |name: &str| match name {
        "web_search" => search::is_ready(config, env),
        "browser" => browser::is_ready(config),
        "image" => image::is_ready(config, env, provider_ref),
        "canvas" | "nodes" => devices::node::are_paired(env),
        _ => true,
    };
    TOOLS.iter().filter(|tool| allowed.contains(&tool.name) && is_ready(tool.name)).collect()
}

/// The tools as a model is told of them.
pub fn specs(tools: &[&Tool]) -> Vec<ToolSpec> {
    let spec = |tool: &&Tool| ToolSpec {
        name: tool.name.into(),
        description: tool.doc.into(),
        parameters: tool.parameters.into(),
    };
    tools.iter().map(spec).collect()
}

/// The time most tools get.
fn usual_time(_: &Context, _: &Value) -> Duration {
    Duration::from_secs(60)
}

/// A text argument that is there and not blank.
fn text<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    arguments.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// A count among the arguments, whatever its notation.
fn count(arguments: &Value, name: &str) -> Option<usize> {
    let number = arguments.get(name)?.as_f64().filter(|n| n.is_finite() && *n >= 0.0)?;
    Some(number.min(1e9) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::schema;

    fn check_keywords(schema: &Value) {
        for (keyword, value) in schema.as_object().unwrap() {
            assert!(schema::KEYWORDS.contains(&keyword.as_str()), "{keyword} in {schema}");
            if keyword == "properties" {
                value.as_object().unwrap().values().for_each(check_keywords);
            }
        }
    }

    /// Issue 13, sentence 6: what docs/tools.md says of surfaces and tools is what holds.
    #[test]
    fn i13_6_the_table_of_surfaces_and_tools_is_true() {
        let (context, _dir) = testing::context("{}");
        let text = include_str!("../../docs/tools.md");
        let table: Vec<Vec<&str>> = text
            .lines()
            .skip_while(|line| !line.starts_with("| turn of |"))
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
            .collect();
        let named = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
        let columns: Vec<Vec<String>> = table[0].iter().map(|cell| named(cell)).collect();
        let rows = [
            ("you", Provenance::Owner, "agent:main:main"),
            ("you", Provenance::Operator, "agent:main:main"),
            ("a guest", Provenance::Guest, "agent:main:telegram:direct:5"),
            ("a webhook", Provenance::Hook, "agent:main:hook:x"),
            ("the clock", Provenance::Cron, "agent:main:cron:x"),
            ("another agent", Provenance::Agent, "agent:main:main"),
            ("a subagent", Provenance::Agent, "agent:main:subagent:x"),
        ];
        let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
        for (start, provenance, key) in rows {
            let row = table.iter().find(|row| row[0].starts_with(start)).expect(start);
            let allowed = policy::allowed(&context.config, "main", "p/m", key, &names);
            // Tools that a switch turns on are not the table's matter.
            for tool in TOOLS.iter().filter(|tool| tool.name != "apply_patch") {
                let has = allowed.contains(&tool.name) && serves(&context.config, tool, provenance);
                let of = columns.iter().position(|names| names.iter().any(|name| name == tool.name));
                let cell = row[of.unwrap_or(columns.len() - 1)];
                let told = cell.starts_with("yes") && !named(cell).iter().any(|name| name == tool.name);
                assert_eq!(told, has, "{start} ({provenance:?}): {}", tool.name);
            }
        }
        assert_eq!(table.len(), 2 + 6, "a surface that is new has a row");
    }

    #[test]
    fn names_are_unique_and_sorted_and_rows_are_complete() {
        for pair in TOOLS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
        }
        for tool in TOOLS {
            let schema: Value = json::read(tool.parameters, 1000, 16).expect(tool.name);
            assert_eq!(schema["type"], "object", "{}", tool.name);
            check_keywords(&schema);
            assert!(tool.doc.ends_with('.') && tool.doc.len() < 500, "{}", tool.name);
            for (_, ours) in tool.aliases {
                assert!(schema["properties"].get(ours).is_some(), "{} {ours}", tool.name);
            }
        }
        assert_eq!(specs(&[&TOOLS[0]])[0].schema()["type"], "object");
    }
}
