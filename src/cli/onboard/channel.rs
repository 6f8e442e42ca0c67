//! The questions about a bot of the first channel, in the words of its row, and what their answers write. The token is tried before anything is written.
use super::Plan;
use super::ask::Asker;
use crate::agents::Agents;
use crate::channels::accounts::{self, Account};
use crate::channels::ids::{Senders, Who, user};
use crate::channels::token::Source;
use crate::channels::{self, CHANNELS, Channel, SETUP};
use crate::cli::Context;
use crate::cli::channels::add::{self, Tried};
use crate::cli::parse::Args;
use crate::config::Config;
use crate::config::edit::Draft;
use crate::env::Env;
use crate::error::{Error, Result};
use serde_json::Value;

/// A bot that is to be connected.
#[derive(Clone)]
pub struct Bot {
    tried: Tried,
    /// Who is let in from the beginning.
    owner: Option<u64>,
}

const CHANNEL: Option<&Channel> = CHANNELS.first();

fn account<'a>(config: &'a Config, env: &Env, channel: &Channel) -> Account<'a> {
    let id = accounts::default_id(config, channel.id, &Agents::of(config, env).default_id());
    Account::of(config, channel.id, &id)
}

/// The bot that options name. Other users of the machine see what stands on a command line; `-` and a file they do not.
pub fn given(context: &Context, config: &Config, args: &Args) -> Result<Option<Bot>> {
    let ((token, _), (file, _), (for_owner, _)) = (SETUP.token, SETUP.file, SETUP.owner);
    let owner = match args.filled(for_owner)? {
        None => None,
        Some(id) => Some(
            user(id.trim())
                .ok_or_else(|| Error::usage(format!("--{for_owner} must be {}", SETUP.owner_is)))?,
        ),
    };
    let (Some(channel), env) = (CHANNEL, &context.env) else { return Ok(None) };
    let Some(given) = add::given_by(args, token, file)? else {
        let needs = format!("--{for_owner} needs --{token} or --{file}");
        return if owner.is_some() { Err(Error::usage(needs)) } else { Ok(None) };
    };
    if args.value("mode") == Some("remote") {
        let why = format!("--{token} needs --mode local: the bot is the gateway's, where that runs");
        return Err(Error::usage(why));
    }
    let tried = add::try_it(context, env, &account(config, env, channel), channel, given)?;
    Ok(Some(Bot { tried, owner }))
}

/// Asks whether there is a bot, for its token and its owner.
pub fn ask(asker: &mut Asker, context: &Context, config: &Config, plan: &mut Plan) -> Result<()> {
    let (Some(channel), env) = (CHANNEL, &context.env) else { return Ok(()) };
    let account = account(config, env, channel);
    let is_there = channels::is_on(config, channel.id) && account.source(env) != Source::None;
    let question = match is_there {
        true => format!("Give the {} bot another token?", channel.label),
        false => format!("Connect a {} bot?", channel.label),
    };
    if !asker.yes(&question, false)? {
        return Ok(());
    }
    let tried = add::ask(asker, context, env, &account, channel)?;
    context.out.line("Whoever writes to the bot first gets a code, by which you let him in on this machine.");
    let numeric = if channel.ids.are_numbers { "numeric " } else { "" };
    let question = format!("Your {numeric}{} id, to be let in without (empty: by a code)", channel.label);
    let owner = asker.valid(&question, "", |answer| match user(answer.trim()) {
        Some(id) => Ok(Some(id)),
        None if answer.trim().is_empty() => Ok(None),
        None => Err(Error::usage(format!("an id is {}", SETUP.owner_is))),
    })?;
    plan.bot = Some(Bot { tried, owner });
    Ok(())
}

/// Writes the answers into the draft.
pub fn put(draft: &mut Draft, config: &Config, env: &Env, bot: &Bot) -> Result<()> {
    let Some(channel) = CHANNEL else { return Ok(()) };
    let account = account(config, env, channel);
    let patch = add::patch(&account, &bot.tried.given, None)?;
    merge(draft, &mut Vec::new(), &patch)?;
    let listed = account.get("allowFrom").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(id) = bot.owner.filter(|id| !Senders::of(channel.id, listed).names(Some(Who::Number(*id)))) {
        let path: Vec<&str> = account.path().into_iter().chain(["allowFrom"]).collect();
        draft.append(&path, &id.to_string().into())?;
    }
    Ok(())
}

fn merge<'a>(draft: &mut Draft, path: &mut Vec<&'a str>, patch: &'a Value) -> Result<()> {
    match patch {
        Value::Object(members) if !members.is_empty() => members.iter().try_for_each(|(name, value)| {
            path.push(name);
            let done = merge(draft, path, value);
            path.pop();
            done
        }),
        Value::Null => draft.remove(path),
        value => draft.set(path, value.clone()),
    }
}

/// What is said at the end.
pub fn told(env: &Env, bot: &Bot) -> String {
    let name = bot.tried.bot.as_deref();
    match bot.owner {
        Some(_) => format!(
            "Write to {}: it knows you.",
            name.map_or("the bot".to_string(), |name| format!("@{name}"))
        ),
        None => add::next(env, CHANNEL.map_or("", |channel| channel.id), name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::channels::add::Given;
    use crate::config::testing::Dir;
    use crate::settings::Secret;

    #[test]
    fn the_answers_are_written_where_the_account_stands() {
        let dir = Dir::new();
        for (text, want) in [
            ("{} // mine", r#""telegram""#),
            ("{channels: {telegram: {accounts: {work: {botToken: '1:x'}}}}} // mine", r#"work"#),
        ] {
            let config = dir.config(text);
            let mut draft = Draft::of(text);
            let tried = Tried { given: Given::Token(Secret::new("2:y")), bot: None };
            put(&mut draft, &config, &dir.env(&[]), &Bot { tried, owner: Some(1001) }).unwrap();
            let after = dir.config(draft.text());
            let account = account(&after, &dir.env(&[]), CHANNEL.unwrap());
            assert!(draft.text().contains("// mine") && draft.text().contains(want), "{}", draft.text());
            assert_eq!(account.get("allowFrom").unwrap().to_string(), r#"["1001"]"#);
            assert_eq!(account.get("botToken").unwrap(), "2:y");
        }
    }
}
