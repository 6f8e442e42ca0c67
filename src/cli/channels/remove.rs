//! `openclaw channels remove` and `logout`: an account is switched off, forgotten or signed out. Only its own
//! place in the configuration changes.
use super::{WHICH, channel, here, known, set_up};
use crate::channels::Channel;
use crate::channels::accounts::{Account, DEFAULT, ids};
use crate::channels::pairing::{Login, Pairing};
use crate::channels::token::Source;
use crate::cli::config::edit::terms;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON, applied};
use crate::config::Config;
use crate::config::write::{Change, write};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};

pub const REMOVE: Command = Command {
    name: "channels remove",
    summary: "Switch an account off, or forget it",
    about: "Without --delete the account is switched off, and everything else of it stays.",
    positionals: super::NAMED,
    flags: &[
        WHICH,
        &[
            Flag::switch("delete", "Take the account out of the configuration, and forget whom it let in"),
            JSON,
        ],
    ],
    examples: &[
        ("openclaw channels remove --account work", "Switch a bot off"),
        ("openclaw channels remove --account work --delete", "Forget it"),
    ],
    run: remove,
    ..super::COMMAND
};

pub const LOGOUT: Command = Command {
    name: "channels logout",
    summary: "Take an account's token out of the configuration",
    about: "Only this account ends. A token in a file or a variable stays there. The program of a channel that runs is\n\
            asked to forget its link.",
    positionals: super::NAMED,
    flags: &[WHICH, &[JSON]],
    examples: &[("openclaw channels logout --account work", "Sign a bot out")],
    run: logout,
    ..super::COMMAND
};

fn remove(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = here(context, args)?;
    let channel = channel(args, &config, set_up(&config, &env))?;
    let account = known(args, &config, &env, channel)?;
    let own = account.path();
    let is_deleted = args.has("delete");
    let is_listed = own.len() > 2;
    if is_deleted && account.id == DEFAULT {
        let others: Vec<String> = ids(&config, channel.id).into_iter().filter(|id| *id != DEFAULT).collect();
        Pairing::new(&env.state_dir).hand_down(channel.id, &others)?;
    }
    match is_deleted {
        true if channel.is_program() || (is_listed && account.id != DEFAULT) => {
            change(context, &env, Change::Remove(&own))?;
        }
        true => {
            // The channel's own token is nobody else's.
            let mut section = Map::new();
            ["botToken", "tokenFile"].into_iter().for_each(|name| section.put(name, Value::Null));
            match own.last().filter(|_| is_listed) {
                Some(key) => section.put("accounts", Map::from_iter([(key.to_string(), Value::Null)])),
                None => section.put("enabled", false),
            }
            let mut channels = Map::new();
            channels.put(channel.id, section);
            change(context, &env, Change::Merge(&json!({"channels": channels}).to_string()))?;
        }
        false => {
            let path: Vec<&str> = own.into_iter().chain(["enabled"]).collect();
            change(context, &env, Change::Set(&path, &Value::Bool(false)))?;
        }
    }
    if is_deleted {
        forget(&config, &env, channel, &account)?;
    }
    tell(context, args, channel, &account, if is_deleted { "Deleted" } else { "Disabled" });
    Ok(())
}

/// A bot that gets this id later lets in nobody whom this one did, and has no owner by it. What `default` has counted for all
/// accounts: it goes with the last of them too.
fn forget(config: &Config, env: &Env, channel: &Channel, account: &Account) -> Result<()> {
    let is_last = ids(config, channel.id).iter().all(|id| *id == account.id);
    let forget = |account: &str| {
        let login = Login { platform: channel.id.to_string(), account: account.to_string() };
        Pairing::new(&env.state_dir).forget(&login)
    };
    forget(&account.id)?;
    if is_last { forget(DEFAULT) } else { Ok(()) }
}

fn logout(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = here(context, args)?;
    let channel = channel(args, &config, set_up(&config, &env))?;
    let account = known(args, &config, &env, channel)?;
    if channel.is_program() {
        // Its link is kept by its program, which is asked to forget it.
        let which = json!({"channel": (channel.id), "accountId": (account.id.as_str())});
        rpc::call(context, args, "channels.logout", &which)?;
        tell(context, args, channel, &account, "Logged out");
        return Ok(());
    }
    let Some(path) = account.token_path() else {
        let variable = channel.variable.unwrap_or_default();
        let whence: &str = match account.source(&env) {
            Source::TokenFile => "its token is in a file (tokenFile): remove that, or use `channels remove`",
            Source::Env => &format!("its token is in {variable}: take it out of the gateway's environment"),
            _ => "it has no token",
        };
        return Err(Error::invalid(format!("{} account {}: {whence}", channel.label, account.id)));
    };
    change(context, &env, Change::Remove(&path))?;
    tell(context, args, channel, &account, "Logged out");
    Ok(())
}

fn change(context: &Context, env: &Env, change: Change) -> Result<()> {
    applied::wait_for(context, || write(env, change, terms(true))).map(drop)
}

fn tell(context: &Context, args: &Args, channel: &Channel, account: &Account, done: &str) {
    if args.has("json") {
        let id = account.id.as_str();
        let word = done.to_lowercase();
        return context
            .out
            .json(&json!({"ok": true, "channel": (channel.id), "accountId": id, "done": word}));
    }
    context.out.line(format!("{done} {} account \"{}\".", channel.label, account.id));
}
