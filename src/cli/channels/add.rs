//! `openclaw channels add`: writes an account and its token into the configuration, after the platform was asked whether
//! the token is good. Comments and everything else in the file stay.
use super::{WHICH, account, channel, here};
use crate::channels::accounts::{Account, DEFAULT, ids};
use crate::channels::pairing::{Login, Pairing};
use crate::channels::token::{Source, Token, from_file, twins};
use crate::channels::{CHANNELS, Channel};
use crate::cli::config::edit::terms;
use crate::cli::onboard::ask::Asker;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Command, Context, Flag, JSON, applied, typed};
use crate::config::write::{Change, write};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use crate::settings::Secret;
use serde_json::{Map, Value};
use std::path::Path;
use std::time::Duration;

/// How long the platform may take to say whether a token is good.
const TRYING: Duration = Duration::from_secs(8);

pub const ADD: Command = Command {
    name: "channels add",
    summary: "Add a bot, or give one another token",
    about: "Asks for what is not given, when there is a terminal; the token is not shown while it is typed.\n\
            A token on the command line can be seen by other users of the machine: --token - reads it from\n\
            standard input, --token-file names a file that the gateway reads at each start.\n\
            The token is tried before it is written, where the platform can be reached.",
    positionals: super::NAMED,
    flags: &[
        WHICH,
        &[
            Flag::value("token", "<token>", "Use this token, as the platform gave it; - reads it"),
            Flag::value("token-file", "<path>", "Read the token from this file at each start"),
            Flag::switch("use-env", "Use the channel's variable, for the default account"),
            Flag::value("name", "<name>", "Show the account by this name"),
            Flag::switch("no-probe", "Write the token without trying it"),
            JSON,
        ],
    ],
    examples: &[
        ("openclaw channels add", "Answer a question, and have a bot"),
        ("openclaw channels add --token -", "Read the token from standard input"),
        ("openclaw channels add --account work --token-file ~/work.token", "Add a second bot"),
    ],
    run: add,
    ..super::COMMAND
};

/// Where the token comes from.
#[derive(Clone)]
pub enum Given {
    Token(Secret),
    File(String),
    Variable,
}

/// A token that was tried: with the bot's name, where the platform could be asked.
#[derive(Clone)]
pub struct Tried {
    pub given: Given,
    pub bot: Option<String>,
}

fn add(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = here(context, args)?;
    let channel = channel(args, &config, CHANNELS.iter().collect())?;
    if channel.variable.is_none() {
        return Err(Error::usage(format!("Channel {} takes no token here. {}.", channel.id, channel.how)));
    }
    let account = account(args, &config, &env, channel)?;
    let tried = match given(args)? {
        Some(given) if args.has("no-probe") => {
            if let Given::Token(secret) = &given {
                (channel.check)(secret).map_err(|e| Error::usage(e.message()))?;
            }
            Tried { given, bot: None }
        }
        Some(given) => try_it(context, &env, &account, channel, given)?,
        None => {
            let mut asker = Asker::terminal(context.out, "give the token by --token - or --token-file")?;
            ask(&mut asker, context, &env, &account, channel)?
        }
    };
    let patch = patch(&account, &tried.given, args.filled("name")?)?.to_string();
    let is_new = account.check_known().is_err() || account.source(&env) == Source::None;
    applied::wait_for(context, || write(&env, Change::Merge(&patch), terms(false)))?;
    if args.has("json") {
        let id = account.id.as_str();
        context.out.json(&json!({"ok": true, "channel": (channel.id), "accountId": id, "bot": (tried.bot)}));
        return Ok(());
    }
    let done = if is_new { "Added" } else { "Updated" };
    context.out.line(format!("{done} {} account \"{}\".", channel.label, account.id));
    let bot = tried.bot.as_deref();
    let is_anybody_in = account.get("allowFrom").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let is_pairing = account.get("dmPolicy").is_none_or(|policy| policy == "pairing");
    let login = Login { platform: channel.id.to_string(), account: account.id.clone() };
    let before = Pairing::new(&env.state_dir).allowed(&login).unwrap_or_default();
    let told = match (is_pairing && !is_anybody_in, before.as_slice()) {
        (true, []) => next(&env, channel.id, bot),
        (true, before) => {
            let bot = named(bot);
            format!(
                "Now {bot} answers who was let in before ({}), and others with a code.",
                before.join(", ")
            )
        }
        (false, _) => {
            format!("Now write to {}: it answers whom {} lets in.", named(bot), account.place("allowFrom"))
        }
    };
    context.out.line(told);
    Ok(())
}

/// What is to be done so that somebody is answered.
pub fn next(env: &Env, channel: &str, bot: Option<&str>) -> String {
    let bot = named(bot);
    let approve = env.command(&format!("pairing approve {channel} <code>"));
    format!(
        "Now write to {bot}: it answers with a code, and `{approve}` lets you in. Who is let in first is its owner."
    )
}

fn named(bot: Option<&str>) -> String {
    bot.map_or_else(|| "the bot".to_string(), |name| format!("@{name}"))
}

fn given(args: &Args) -> Result<Option<Given>> {
    let is_env = args.has("use-env");
    let given = given_by(args, "token", "token-file")?;
    if is_env && given.is_some() {
        return Err(Error::usage("give one of --token, --token-file and --use-env"));
    }
    Ok(given.or(is_env.then_some(Given::Variable)))
}

/// The token that one of these options names: itself, by standard input (`-`), or by its file.
pub fn given_by(args: &Args, by_token: &str, by_file: &str) -> Result<Option<Given>> {
    let (token, file) = (args.filled(by_token)?, args.filled(by_file)?);
    if token.is_some() && file.is_some() {
        return Err(Error::usage(format!("give one of --{by_token} and --{by_file}")));
    }
    Ok(match (token, file) {
        (Some("-"), _) => {
            typed::text(by_token, Some("-"))?.map(|text| Given::Token(Secret::new(text.trim())))
        }
        (Some(token), _) => Some(Given::Token(Secret::new(token.trim()))),
        (None, Some(path)) if path.starts_with('~') => Some(Given::File(path.to_string())),
        (None, Some(path)) => {
            let path = std::path::absolute(Path::new(path));
            let path = path.map_err(|e| Error::io(format_args!("read --{by_file}"), e))?;
            Some(Given::File(path.to_string_lossy().into_owned()))
        }
        (None, None) => None,
    })
}

/// Asks until the platform takes the token, or cannot be asked.
pub fn ask(
    asker: &mut Asker,
    context: &Context,
    env: &Env,
    account: &Account,
    channel: &'static Channel,
) -> Result<Tried> {
    context.out.line(channel.how);
    asker.again("the bot's token", |asker| {
        let text = asker.secret(&format!("Token of the {} bot (not shown)", channel.label))?;
        try_it(context, env, account, channel, Given::Token(Secret::new(text.trim())))
    })
}

/// Has the platform look at the token. Only a token that is no good is an error: nobody may be able to say now.
pub fn try_it(
    context: &Context,
    env: &Env,
    account: &Account,
    channel: &'static Channel,
    given: Given,
) -> Result<Tried> {
    let token = match &given {
        Given::Token(secret) => Token { secret: Some(secret.clone()), source: Source::Config, problem: None },
        Given::File(path) => from_file(env, path, "--token-file"),
        Given::Variable => account.token(env),
    };
    if let Some(problem) = token.problem {
        return Err(Error::usage(problem));
    }
    let Some(secret) = token.secret.clone() else {
        let variable = channel.variable.unwrap_or_default();
        return Err(Error::usage(format!("{variable} is not set, or the account has no use for it")));
    };
    let others = ids(account.config, account.channel).into_iter().filter(|id| *id != account.id);
    let others = others.map(|id| (id.clone(), Account::of(account.config, account.channel, &id).token(env)));
    let all: Vec<(String, Token)> = others.chain([(account.id.clone(), token)]).collect();
    if let Some((_, first)) = twins(&all).into_iter().find(|(second, _)| *second == account.id) {
        let text = format!("account {first} has this token already: each account needs a bot of its own");
        return Err(Error::usage(text));
    }
    let waiting = Waiting::begin(context.out, &format!("asking {}", channel.label));
    let answer = (channel.sign_in)(account, &secret, TRYING);
    drop(waiting);
    match answer {
        Ok(name) => {
            context.out.progress(&format!("{} knows the bot: @{name}", channel.label));
            Ok(Tried { given, bot: Some(name) })
        }
        Err(e) if e.kind == Kind::Unavailable => {
            context.out.warn(&format!("note: the token could not be tried: {}", e.message()));
            Ok(Tried { given, bot: None })
        }
        Err(e) => Err(Error::usage(e.message())),
    }
}

/// What is merged into the configuration.
pub fn patch(account: &Account, given: &Given, name: Option<&str>) -> Result<Value> {
    if matches!(given, Given::Variable) && account.id != DEFAULT {
        return Err(Error::usage("--use-env is for the account default"));
    }
    let mut own = Map::new();
    own.put("enabled", true);
    match given {
        Given::Token(secret) => own.put("botToken", secret.reveal()),
        Given::File(path) => own.put("tokenFile", path.as_str()),
        Given::Variable => {}
    }
    // Only one of them counts, and it is not to be the old one.
    for other in ["botToken", "tokenFile"] {
        if !own.contains_key(other) && account.has_own(other) {
            own.put(other, Value::Null);
        }
    }
    if let Some(name) = name {
        own.put("name", name.trim());
    }
    let key = account.key();
    let mut section = Map::new();
    if key.is_some() {
        section.put("enabled", true);
    }
    match key {
        None => section = own,
        Some(key) => {
            let mut all = Map::new();
            let default = Account::of(account.config, account.channel, DEFAULT);
            // The account that was there without being listed would be gone as soon as there is a list.
            if account.is_first_listed() && default.token_path().is_some() && key != DEFAULT {
                all.put(DEFAULT, json!({}));
            }
            all.put(&key, own);
            section.put("accounts", all);
        }
    }
    let mut channels = Map::new();
    channels.put(account.channel, section);
    Ok(json!({"channels": channels}))
}
