//! `openclaw onboard`: from nothing to a gateway that works, by questions or by options.
//!
//! This file turns options into a `Plan`; `ask.rs` does it by questions, `apply.rs` carries it out.
//! What exists stays unless an answer or an option says otherwise, and each replacement is told.
pub mod apply;
pub mod ask;
pub mod channel;
pub mod check;
pub mod configure;
pub mod port;
pub mod questions;
pub mod report;
pub mod setup;
use super::onboard::ask::Asker;
use super::parse::Args;
use super::{Command, Context, Flag, JSON};
use crate::channels::SETUP;
use crate::config::Config;
use crate::dotenv;
use crate::error::{Error, Result};
use crate::models::provider::key_variable;

pub const COMMAND: Command = Command {
    name: "onboard",
    summary: "Set everything up: gateway, model, workspace, service",
    about: "Asks on a terminal; with --non-interactive it takes the options and never asks.\n\
            A token is made when there is none, on loopback too. What exists stays unless you say otherwise.\n\
            Afterwards it starts the gateway once to see that it works, or asks the one that runs.",
    positionals: &[],
    flags: &[FLAGS],
    examples: &[
        ("openclaw onboard", "Answer a few questions"),
        ("openclaw onboard --non-interactive --install-daemon", "Take the defaults and install the service"),
        ("openclaw onboard --non-interactive --telegram-token-file token.txt", "Connect a bot, too"),
        ("openclaw onboard --mode remote --remote-url ws://127.0.0.1:18789", "Use a gateway elsewhere"),
    ],
    failure: "",
    run,
};

pub const FLAGS: &[Flag] = &[
    Flag::switch("non-interactive", "Take the options and ask nothing"),
    Flag::switch("accept-risk", "Do not ask whether an agent may act here"),
    Flag::choice("mode", "<mode>", &["local", "remote"], "Run the gateway here, or use one elsewhere"),
    Flag::choice(
        "flow",
        "<flow>",
        &["quickstart", "manual", "advanced"],
        "Ask for little, or for everything",
    ),
    Flag::value("workspace", "<dir>", "Use this directory as the agent's workspace"),
    Flag::value("model", "<provider/model>", "Let this model answer"),
    Flag::value("api-key", "<key>", "Keep this key for the model's provider in the state directory's .env"),
    Flag::value("openai-api-key", "<key>", "Keep this key for openai"),
    Flag::value("anthropic-api-key", "<key>", "Keep this key for anthropic"),
    Flag::value("openrouter-api-key", "<key>", "Keep this key for openrouter"),
    Flag::value("gateway-port", "<port>", "Write gateway.port"),
    Flag::choice(
        "gateway-bind",
        "<mode>",
        &["loopback", "lan", "tailnet", "auto", "custom"],
        "Write gateway.bind",
    ),
    Flag::choice("gateway-auth", "<mode>", &["token", "password"], "Write gateway.auth.mode"),
    Flag::value("gateway-token", "<token>", "Write gateway.auth.token"),
    Flag::value("gateway-password", "<password>", "Write gateway.auth.password"),
    Flag::value("remote-url", "<url>", "Write gateway.remote.url"),
    Flag::value("remote-token", "<token>", "Write gateway.remote.token"),
    Flag::value("remote-password", "<password>", "Write gateway.remote.password"),
    Flag::value("tls-fingerprint", "<sha256>", "Write gateway.remote.tlsFingerprint"),
    Flag::switch("install-daemon", "Install the service that keeps the gateway running"),
    Flag::switch("no-install-daemon", "Do not install it"),
    Flag::switch("skip-health", "Do not check that the gateway works"),
    Flag::value(SETUP.token.0, "<token>", SETUP.token.1),
    Flag::value(SETUP.file.0, "<path>", SETUP.file.1),
    Flag::value(SETUP.owner.0, "<id>", SETUP.owner.1),
    Flag::switch("skip-channels", "Ask nothing about a bot"),
    Flag::switch("skip-skills", "Accepted without effect").quiet(),
    Flag::switch("skip-ui", "Accepted without effect").quiet(),
    JSON,
];

/// What is to be done; what is `None` stays as it is.
#[derive(Clone, Default)]
pub struct Plan {
    /// Whether `gateway.mode` becomes `local`, or `remote` with `url`.
    pub mode: Option<Mode>,
    pub workspace: Option<String>,
    pub model: Option<String>,
    /// The variable and the key that it is to hold.
    pub key: Option<(String, String)>,
    pub port: Option<u16>,
    pub bind: Option<String>,
    pub auth: Option<String>,
    pub token: Option<String>,
    pub password: Option<String>,
    pub bot: Option<channel::Bot>,
    pub install: bool,
    pub check: bool,
    /// Whether what is missing is written down, not only what a gateway needs.
    pub whole: bool,
}

#[derive(Clone)]
pub enum Mode {
    Local,
    Remote { url: String, token: Option<String>, password: Option<String>, pin: Option<String> },
}

pub fn run(context: &Context, args: &Args) -> Result<()> {
    let env = &context.env;
    // A config that cannot be used is not to be built upon; the error says what to do.
    let config = Config::load(&mut env.clone())?;
    let given = Plan { bot: channel::given(context, &config, args)?, ..from_options(args)? };
    let plan = if args.has("non-interactive") {
        given
    } else {
        let mut asker = Asker::terminal(context.out, "add --non-interactive to go by the options alone")?;
        questions::everything(&mut asker, context, &config, args, given)?
    };
    apply::carry_out(context, &plan, args.has("json"))
}

/// Options about a gateway elsewhere.
const REMOTE: [&str; 4] = ["remote-url", "remote-token", "remote-password", "tls-fingerprint"];

/// The plan that the options alone describe.
pub fn from_options(args: &Args) -> Result<Plan> {
    for flag in FLAGS.iter().filter(|flag| !flag.value.is_empty()) {
        args.filled(flag.long)?;
    }
    let remote_only = REMOTE.into_iter().find(|long| args.has(long));
    if let Some(long) = remote_only.filter(|_| args.value("mode") != Some("remote")) {
        return Err(Error::usage(format!("--{long} needs --mode remote")));
    }
    let text = |long: &str| args.value(long).map(|value| value.trim().to_string());
    let mode = match (args.value("mode"), text("remote-url")) {
        (Some("remote"), None) if args.has("non-interactive") => {
            return Err(Error::usage("Missing --remote-url for remote mode."));
        }
        (Some("remote"), url) => url.map(|url| Mode::Remote {
            url,
            token: text("remote-token"),
            password: text("remote-password"),
            pin: text("tls-fingerprint"),
        }),
        (Some(_), _) => Some(Mode::Local),
        (None, _) => None,
    };
    let auth = text("gateway-auth");
    if auth.as_deref() == Some("password")
        && text("gateway-password").is_none()
        && args.has("non-interactive")
    {
        return Err(Error::usage("--gateway-auth password needs --gateway-password."));
    }
    let model = text("model");
    if model.as_ref().is_some_and(|model| !model.contains('/')) {
        return Err(Error::usage("--model needs provider/model, as `openclaw models scan` lists them"));
    }
    let bad_port = || Error::usage("Invalid --gateway-port (use a number from 1 to 65535)");
    Ok(Plan {
        mode,
        workspace: text("workspace"),
        key: key(args, model.as_deref())?,
        model,
        port: text("gateway-port").map(|port| number(&port).ok_or_else(bad_port)).transpose()?,
        bind: text("gateway-bind"),
        auth,
        token: text("gateway-token"),
        password: text("gateway-password"),
        bot: None,
        install: args.has("install-daemon") && !args.has("no-install-daemon"),
        check: !args.has("skip-health"),
        whole: true,
    })
}

/// The one key that was given.
fn key(args: &Args, model: Option<&str>) -> Result<Option<(String, String)>> {
    let of_model = model.and_then(|model| model.split_once('/')).map_or("", |(provider, _)| provider);
    let rows = [
        ("api-key", of_model),
        ("openai-api-key", "openai"),
        ("anthropic-api-key", "anthropic"),
        ("openrouter-api-key", "openrouter"),
    ];
    let mut given = rows.iter().filter_map(|(flag, provider)| Some((flag, provider, args.value(flag)?)));
    let Some((flag, provider, value)) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Error::usage("give one API key; add others to the .env file of the state directory"));
    }
    if provider.is_empty() {
        return Err(Error::usage(format!("--{flag} needs --model: it says which provider the key is for")));
    }
    Ok(Some((key_variable(provider), checked_key(value)?)))
}

/// A key as a line of `.env` can hold it.
pub fn checked_key(key: &str) -> Result<String> {
    let key = key.trim();
    if key.is_empty() || key.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Error::usage("an API key has no spaces or line breaks"));
    }
    if dotenv::written(key).is_none() {
        return Err(Error::usage(
            "the key holds both kinds of quotes: put it into the config, as the provider's apiKey",
        ));
    }
    Ok(key.to_string())
}

/// A port.
pub fn number(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}
