//! `openclaw models list`, and the words by which the models commands take a model.
//!
//! Works on the config alone, with the gateway up or down; a gateway elsewhere is asked.
pub mod aliases;
mod elsewhere;
pub mod fallbacks;
pub mod keys;
mod named;
pub mod scan;
pub mod set;
pub mod status;
pub mod test;
mod told;
use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, far};
use crate::agents::profiles;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::models::catalogue;
use crate::models::catalogue::Listed;
use crate::models::provider::Provider;
use crate::slash::names::alias;
use serde_json::Value;

pub const LIST: Command = Command {
    name: "models list",
    summary: "List the models that can be chosen",
    about: "The model that answers comes first, then its fallbacks in their order, then the others.\n\
            Auth says whether there is a key, or none is needed; a server is not asked.",
    positionals: &[],
    flags: &[
        &[
            Flag::switch("all", "Add the built-in model where others are configured"),
            Flag::switch("local", "List only models on this machine or network"),
            Flag::value("provider", "<id>", "List only this provider's models"),
            Flag::switch("plain", "Print one provider/model a line and nothing else"),
            JSON,
        ],
        rpc::FLAGS,
    ],
    examples: &[
        ("openclaw models list", "List the configured models and what they are used for"),
        ("openclaw models list --local --json", "Print those that need no internet as JSON"),
    ],
    failure: "",
    run: list,
};

/// The config, and the environment with the config's own variables.
pub fn load(context: &Context) -> Result<(Config, Env)> {
    let mut env = context.env.clone();
    let config = Config::load(&mut env)?;
    profiles::look(&config, &env);
    match far::or_here(context, &env, &config, &Args::default()) {
        Some(address) => {
            Err(far::refusal(&env, &address, "its models are configured there", Some("models.list")))
        }
        None => Ok((config, env)),
    }
}

/// The model that `word` names, as an alias, `provider/model`, or a name that one provider alone lists.
pub fn resolve(config: &Config, env: &Env, word: &str) -> Result<(String, Provider)> {
    let word = word.trim();
    let reference = alias(config, word).unwrap_or_else(|| word.to_string());
    let provider = Provider::resolve(config, env, &reference)?;
    Ok((format!("{}/{}", provider.id, provider.model), provider))
}

/// One model as listed.
struct Row<'a> {
    listed: Listed<'a>,
    tags: Vec<String>,
    /// What it takes to use it; nothing when the configuration does not say enough.
    provider: Option<Provider>,
}

impl<'a> Row<'a> {
    fn of(config: &Config, env: &Env, listed: Listed<'a>) -> Row<'a> {
        let provider = Provider::resolve(config, env, &listed.reference()).ok();
        Row { tags: catalogue::tags(config, &listed), provider, listed }
    }

    fn is_local(&self) -> bool {
        self.provider.as_ref().is_some_and(catalogue::is_local)
    }

    fn is_available(&self) -> bool {
        self.provider.as_ref().is_some_and(|provider| !catalogue::lacks_key(provider))
    }

    /// With a question mark where nobody said it.
    fn window(&self) -> String {
        let is_assumed = self.listed.own_window().is_none() && !self.listed.is_builtin();
        format!("{}k{}", self.listed.context_window() / 1000, if is_assumed { "?" } else { "" })
    }

    fn to_json(&self) -> Value {
        json!({
            "key": self.listed.reference(), "name": self.listed.name(),
            "input": self.listed.input().join("+"), "contextWindow": self.listed.context_window(),
            "local": self.is_local(), "available": self.is_available(), "tags": self.tags,
            "missing": self.provider.is_none(),
        })
    }

    fn cells(&self) -> Vec<String> {
        let yes_no = |is: bool| if is { "yes" } else { "no" }.to_string();
        let mut tags = self.tags.clone();
        if self.provider.is_none() {
            tags.push("missing".to_string());
        }
        vec![
            self.listed.reference(),
            self.listed.input().join("+"),
            self.window(),
            yes_no(self.is_local()),
            yes_no(self.is_available()),
            tags.join(","),
        ]
    }
}

fn list(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = far::load(context, args)?;
    if let Some(address) = far::or_here(context, &env, &config, args) {
        return elsewhere::list(context, args, &address);
    }
    profiles::look(&config, &env);
    let mut models = catalogue::all(&config);
    if args.has("all") && !models.iter().any(Listed::is_builtin) {
        models.extend(catalogue::builtin());
    }
    let mut rows: Vec<Row> = models.into_iter().map(|listed| Row::of(&config, &env, listed)).collect();
    rows.retain(|row| {
        let of_provider =
            args.value("provider").is_none_or(|id| id.eq_ignore_ascii_case(row.listed.provider));
        of_provider && (!args.has("local") || row.is_local())
    });
    if args.has("json") {
        let models: Vec<Value> = rows.iter().map(Row::to_json).collect();
        context.out.json(&json!({"count": models.len(), "models": models}));
    } else if args.has("plain") {
        rows.iter().for_each(|row| context.out.whole(row.listed.reference()));
    } else if rows.is_empty() {
        context.out.line("No models fit.");
    } else {
        let head = ["Model", "Input", "Ctx", "Local", "Auth", "Tags"];
        context.out.table(&head, &rows.iter().map(Row::cells).collect::<Vec<_>>());
        if rows.iter().all(|row| row.listed.is_builtin()) {
            let scan = context.env.command("models scan");
            context.out.progress(&format!("Find model servers on this machine: {scan}"));
        }
    }
    Ok(())
}

/// The error for a scan that was asked to choose among nothing.
pub fn nothing_found() -> Error {
    Error::not_found(
        "no model server answers on this machine; start one (for example `ollama serve`) and scan again",
    )
}
