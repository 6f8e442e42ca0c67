//! `openclaw conformance`: plays the transcripts of `tests/transcripts/` against any gateway and tells what differs.
//!
//! In development builds and with the feature `conformance` only: a router asks no such thing. What a transcript says is
//! `script.rs`'s, how it is played `play.rs`'s; this file chooses, prints and decides the exit status.
mod play;
mod script;

use super::link::target::{Target, given};
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::error::{Error, Result};
use crate::json::json;
use crate::parts::shortened;
use play::{Outcome, Player};
use serde_json::Value;
use std::time::Duration;

pub const COMMAND: Command = Command {
    name: "conformance",
    summary: "Compare a gateway with this one's protocol, conversation by conversation",
    about: "Plays written conversations in protocols 3 and 4 and says where an answer differs. The gateway should be one \
            that is there for this: its main session is reset, an agent is made and deleted, settings of the session \
            change, turns are taken. What needs a configuration of its own, or the state directory of a gateway that does \
            not name it, is left out. The exit status is 1 when something differs.",
    positionals: &[super::Positional::required("url")],
    flags: &[OWN],
    examples: &[
        ("openclaw conformance ws://127.0.0.1:18789 --token s3cret", "Play all of them in both protocols"),
        (
            "openclaw conformance ws://127.0.0.1:18789 --token s3cret --only chat_turn --protocol 4",
            "Play one of them in one protocol",
        ),
        ("openclaw conformance ws://127.0.0.1:18789 --token s3cret --json", "Let a script compare"),
    ],
    failure: "",
    run,
};

const OWN: &[Flag] = &[
    Flag::value("token", "<token>", "The gateway's shared token"),
    Flag::value("tls-fingerprint", "<sha256>", "Accept only this certificate of a wss:// gateway"),
    Flag::value("only", "<name>", "Play conversations with this in their names only, may be repeated"),
    Flag::choice("protocol", "<number>", &["3", "4"], "Speak this protocol only"),
    Flag::value("timeout", "<time>", "Wait this long for each answer, as 5s or 500 (ms); default 5s"),
    JSON,
];

const DEFAULT_TIMEOUT_MS: u64 = 5000;

/// Name and text of each file of `tests/transcripts/`.
const TRANSCRIPTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/transcripts.rs"));

/// One conversation in one protocol, and what came of it.
struct Played {
    name: &'static str,
    protocol: u64,
    outcome: Outcome,
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    args.required("token")?;
    let target = given(args.positional(0).unwrap_or_default(), args, env.display(&env.config_path), env)?;
    let only = args.all("only");
    let chosen = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part));
    if let Some(part) = only.iter().find(|part| !TRANSCRIPTS.iter().any(|(name, _)| name.contains(**part))) {
        let names: Vec<&str> = TRANSCRIPTS.iter().map(|(name, _)| *name).collect();
        return Err(Error::usage(format!("no conversation {part:?}; there are {}", names.join(", "))));
    }
    let limit = Duration::from_millis(args.millis("timeout", 1)?.unwrap_or(DEFAULT_TIMEOUT_MS).max(1));
    let protocols = [3, 4]
        .into_iter()
        .filter(|p: &u64| args.value("protocol").is_none_or(|asked| asked == p.to_string()));
    let tried: Vec<(u64, Option<Error>)> =
        protocols.map(|p| (p, Player::begin(&target, p, limit).err())).collect();
    // Whether there is a gateway that lets us in is one failure, not one of each conversation.
    if let Some(error) = tried.iter().all(|(_, error)| error.is_some()).then(|| tried.last()).flatten() {
        return Err(error.1.clone().unwrap_or_else(|| Error::unavailable("")));
    }
    let mut all = Vec::new();
    for (name, text) in TRANSCRIPTS.iter().filter(|(name, _)| chosen(name)) {
        let lines = script::instructions(text);
        let spoken = script::told(&lines, "protocols");
        let is_spoken = |p: u64| spoken.is_none_or(|all| all.split(' ').any(|one| one == p.to_string()));
        for (protocol, refusal) in tried.iter().filter(|(protocol, _)| is_spoken(*protocol)) {
            let outcome = match refusal {
                Some(error) => Outcome::LeftOut(error.to_string()),
                None => play_one(&target, text, *protocol, limit)?,
            };
            let played = Played { name, protocol: *protocol, outcome };
            if !args.has("json") {
                tell(context, &played);
            }
            all.push(played);
        }
    }
    conclude(context, args, &target, &all)
}

fn play_one(target: &Target, text: &str, protocol: u64, limit: Duration) -> Result<Outcome> {
    let lines = script::instructions(text);
    if script::told(&lines, "config").is_some() {
        return Ok(Outcome::LeftOut("it needs a configuration of its own".into()));
    }
    match Player::begin(target, protocol, limit) {
        Ok(mut player) => player.play(text),
        Err(error) => Ok(Outcome::LeftOut(error.to_string())),
    }
}

fn tell(context: &Context, played: &Played) {
    let (name, protocol) = (played.name, played.protocol);
    match &played.outcome {
        Outcome::Same => context.out.line(format!("same      {name} ({protocol})")),
        Outcome::LeftOut(why) => context.out.line(format!("left out  {name} ({protocol}): {why}")),
        Outcome::Differs(found) => {
            context.out.line(format!("DIFFERS   {name} ({protocol}), line {}", found.line));
            for (what, text) in [("sent", &found.sent), ("expected", &found.expected), ("got", &found.got)] {
                context.out.line(format!("          {what}: {}", shortened(text, 300)));
            }
            context.out.line(format!("          {}", shortened(&found.why, 300)));
        }
    }
}

fn conclude(context: &Context, args: &Args, target: &Target, all: &[Played]) -> Result<()> {
    let count = |is: fn(&Outcome) -> bool| all.iter().filter(|played| is(&played.outcome)).count();
    let same = count(|outcome| matches!(outcome, Outcome::Same));
    let differ = count(|outcome| matches!(outcome, Outcome::Differs(_)));
    let left_out = count(|outcome| matches!(outcome, Outcome::LeftOut(_)));
    if args.has("json") {
        let rows: Vec<Value> = all.iter().map(row).collect();
        context.out.json(&json!({
            "ok": (differ == 0), "url": (target.url.to_string()), "same": same, "differ": differ, "leftOut": left_out,
            "conversations": rows,
        }));
    } else {
        context.out.line(format!("{same} the same, {differ} differ, {left_out} left out"));
    }
    // All has been said.
    if differ > 0 { Err(Error::unavailable("")) } else { Ok(()) }
}

fn row(played: &Played) -> Value {
    let mut row = json!({"name": (played.name), "protocol": (played.protocol)});
    let Some(members) = row.as_object_mut() else { return row };
    let mut put = |key: &str, value: Value| members.insert(key.to_string(), value);
    match &played.outcome {
        Outcome::Same => {
            put("outcome", "same".into());
        }
        Outcome::LeftOut(why) => {
            put("outcome", "left out".into());
            put("why", why.as_str().into());
        }
        Outcome::Differs(found) => {
            put("outcome", "differs".into());
            put("why", found.why.as_str().into());
            put("line", found.line.into());
            put("sent", found.sent.as_str().into());
            put("expected", found.expected.as_str().into());
            put("got", found.got.as_str().into());
        }
    }
    row
}
