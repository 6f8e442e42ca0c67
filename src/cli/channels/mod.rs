//! `openclaw channels ...`: the bots and logins by which people reach the gateway.
//!
//! Listing, adding and removing work on the configuration of this machine; `status` asks the gateway, and so does who wants
//! to know how a program is linked, or to end its link.
pub mod add;
pub mod login;
pub mod logs;
pub mod remove;
mod row;
pub mod status;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::agents::Agents;
use crate::channels::accounts::{self, Account};
use crate::channels::told::Teller;
use crate::channels::{self, CHANNELS, Channel};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::{Map, Value};

/// Which account is meant.
pub const WHICH: &[Flag] = &[
    Flag::value("channel", "<channel>", "Name the channel; with one only it is meant"),
    Flag::value("account", "<id>", "Name the account; else the default one is meant"),
];

/// The channel may be named without its flag.
const NAMED: &[Positional] = &[Positional { name: "channel", required: false, choices: &[] }];

pub const COMMAND: Command = Command {
    name: "channels",
    summary: "List the channels and their accounts",
    about: "",
    positionals: &[],
    flags: &[&[Flag::switch("no-usage", "Accepted without effect").quiet(), JSON]],
    examples: &[("openclaw channels", "Show the bots that are set up")],
    failure: "",
    run: list,
};

pub const LIST: Command = Command {
    name: "channels list",
    examples: &[
        ("openclaw channels list", "Show the bots that are set up"),
        ("openclaw channels list --json", "Print their ids for a script"),
    ],
    ..COMMAND
};

/// The configuration of this machine, which a gateway elsewhere does not use.
fn here(context: &Context, args: &Args) -> Result<(Config, Env)> {
    let (config, env) = far::load(context, args)?;
    let why = "its channels are set up there";
    match far::address(&env, &config, args) {
        Some(address) => Err(far::refusal(&env, &address, why, Some("channels.status"))),
        None => Ok((config, env)),
    }
}

fn list(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = here(context, args)?;
    let default = Agents::of(&config, &env).default_id();
    let teller = Teller { config: &config, env: &env, board: None, default_agent: &default };
    let set_up = set_up(&config, &env);
    if args.has("json") {
        let ids = set_up.iter().map(|c| (c.id.to_string(), accounts::ids(&config, c.id).into()));
        context.out.json(&json!({"chat": (ids.collect::<Map<String, Value>>()), "auth": []}));
        return Ok(());
    }
    context.out.line("Chat channels:");
    for channel in &set_up {
        let rows = teller.accounts(channel);
        rows.iter().for_each(|row| context.out.line(row::line(channel.label, row)));
    }
    if set_up.is_empty() {
        context.out.line("- none");
        context.out.progress(&format!("Add one with: {}", env.command("channels add")));
    }
    Ok(())
}

/// The channels that are in the configuration and that somebody speaks for.
fn set_up(config: &Config, env: &Env) -> Vec<&'static Channel> {
    let written = config.whole().get("channels");
    let is_set_up = |channel: &&Channel| {
        written.is_some_and(|all| all.get(channel.id).is_some())
            && channels::is_spoken_for(config, env, channel.id)
    };
    channels::here(config).filter(is_set_up).collect()
}

/// The channel that is named, or the only one that may be meant; where none may, the only one that is built in.
fn channel(args: &Args, config: &Config, may: Vec<&'static Channel>) -> Result<&'static Channel> {
    let named = args.filled("channel")?;
    if named.is_some() && args.positional(0).is_some() {
        return Err(Error::usage("name the channel once, with --channel or without"));
    }
    let Some(name) = named.or(args.positional(0)) else {
        return match (&may[..], CHANNELS) {
            ([only], _) => Ok(only),
            ([], [only]) => Ok(only),
            _ => Err(Error::usage("Channel is required. Use --channel <name>.")),
        };
    };
    let name = name.trim().to_lowercase();
    channels::of(config, &name).ok_or_else(|| {
        let known: Vec<&str> = channels::here(config).map(|channel| channel.id).collect();
        let near = super::parse::nearest(&name, known.iter().copied());
        let there_is = || format!("there is {}", known.join(", "));
        let hint = near.map_or_else(there_is, |near| format!("did you mean {near}?"));
        let is_others = channels::names().any(|other| other == name);
        let what = if is_others { "Unsupported" } else { "Unknown" };
        Error::usage(format!("{what} channel: {}; {hint}", crate::logging::quoted(&name)))
    })
}

/// The account that is named, else the default one. It need not be there yet.
pub fn account<'a>(
    args: &Args,
    config: &'a Config,
    env: &Env,
    channel: &'static Channel,
) -> Result<Account<'a>> {
    let id = match args.filled("account")? {
        Some(id) => id.to_string(),
        None => accounts::default_id(config, channel.id, &Agents::of(config, env).default_id()),
    };
    Ok(Account::of(config, channel.id, &id))
}

/// The same for one that must be there.
fn known<'a>(args: &Args, config: &'a Config, env: &Env, channel: &'static Channel) -> Result<Account<'a>> {
    let account = account(args, config, env, channel)?;
    account.check_known().map_err(|e| Error::not_found(e.message()))?;
    Ok(account)
}
