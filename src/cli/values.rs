//! `openclaw __values`: the words that completion offers where no closed list stands, a line each.
//!
//! For the scripts of `complete.rs` alone, so no help names it. It reads files of this machine and asks no gateway; what
//! cannot be read offers nothing.
use super::parse::Args;
use super::{Command, Context, Flag, Positional, schema};
use crate::agents::Agents;
use crate::channels;
use crate::config::{Config, keys};
use crate::env::Env;
use crate::error::Result;
use crate::methods;
use crate::models::catalogue;

const KINDS: &[&str] = &["agents", "channels", "keys", "methods", "models", "profiles", "schemas"];

pub const COMMAND: Command = Command {
    name: "__values",
    summary: "List what completion offers of a kind",
    about: "",
    positionals: &[Positional { name: "kind", required: true, choices: KINDS }],
    flags: &[],
    examples: &[("openclaw __values agents", "List the agents")],
    failure: "",
    run,
};

/// The kind of an option's values.
pub fn of_flag(flag: &Flag) -> Option<&'static str> {
    match flag.long {
        "agent" => Some("agents"),
        "channel" => Some("channels"),
        "model" => Some("models"),
        "profile" => Some("profiles"),
        _ => None,
    }
}

/// The kind of a command's argument.
pub fn of_argument(command: &Command) -> Option<&'static str> {
    let argument = |positional: &Positional| match (command.name, positional.name) {
        (_, "channel") => Some("channels"),
        (_, "method") => Some("methods"),
        (_, "model") => Some("models"),
        (_, "path") => Some("keys"),
        ("agents delete", _) => Some("agents"),
        ("protocol schema", _) => Some("schemas"),
        _ => None,
    };
    command.positionals.iter().find_map(argument)
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let mut env = context.env.clone();
    let config = Config::inspect(&mut env);
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_string).collect();
    let values: Vec<String> = match args.positional(0).unwrap_or_default() {
        "agents" => Agents::of(&config, &env).ids(),
        "channels" => owned(channels::here(&config).map(|channel| channel.id).collect()),
        "keys" => owned(keys::all().map(|key| key.path).filter(|path| !path.contains('*')).collect()),
        "methods" => owned(methods::names()),
        "models" => models(&config),
        "profiles" => profiles(&env),
        "schemas" => owned(methods::schemas().map(schema::name).collect()),
        _ => Vec::new(),
    };
    values.iter().for_each(|value| context.out.whole(value));
    Ok(())
}

fn models(config: &Config) -> Vec<String> {
    let aliases = catalogue::aliases(config).into_iter().map(|(alias, _)| alias.to_string());
    catalogue::all(config).iter().map(|listed| listed.reference()).chain(aliases).collect()
}

/// The profiles that have a state directory.
fn profiles(env: &Env) -> Vec<String> {
    let entries = std::fs::read_dir(&env.home).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    let names = dirs.filter_map(|dir| Some(dir.to_str()?.strip_prefix(".openclaw-")?.to_string()));
    let mut names: Vec<String> = names.collect();
    crate::order::sort(&mut names);
    names
}
