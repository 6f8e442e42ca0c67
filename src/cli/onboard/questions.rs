//! The questions of `onboard` and `configure`, a function a section; each puts its answers into the plan.
//!
//! What an option already said is not asked. Defaults are what is configured now, so that empty answers change
//! nothing.
use super::ask::Asker;
use super::{Mode, Plan, apply, channel, checked_key, number, port};
use crate::cli::Context;
use crate::cli::gateway::status::stranger;
use crate::cli::models::scan;
use crate::cli::parse::Args;
use crate::config::Config;
use crate::config::address;
use crate::config::ports;
use crate::error::{Error, Kind, Result};
use crate::models::catalogue::chosen;
use crate::models::provider::{BUILTIN, key_variable};
use crate::settings::{Auth, AuthMode};

const BINDS: [&str; 3] = ["loopback", "lan", "tailnet"];
/// Models of one server that are listed.
const LISTED: usize = 20;

/// All questions of `onboard`.
pub fn everything(
    asker: &mut Asker,
    context: &Context,
    config: &Config,
    args: &Args,
    mut plan: Plan,
) -> Result<Plan> {
    let env = &context.env;
    warn(asker, context, args)?;
    if config.exists() {
        let file = env.display(&env.config_path);
        context.out.line(format!("{file} exists; what is in it stays unless you answer otherwise."));
    }
    let wants_all = match args.value("flow") {
        Some(flow) => flow != "quickstart",
        None => asker.yes("Use the usual settings for network and credentials?", true).map(|usual| !usual)?,
    };
    let was_remote = config.str("gateway.mode") == Some("remote");
    if plan.mode.is_none() && (wants_all || was_remote || args.value("mode") == Some("remote")) {
        plan = fitting(asker, context, plan, |asker, plan| mode(asker, config, args, plan))?;
    }
    if matches!(plan.mode, Some(Mode::Remote { .. })) {
        return Ok(plan);
    }
    port::check_named(env, config, &plan)?;
    if plan.workspace.is_none() {
        workspace(asker, context, config, &mut plan)?;
    }
    if plan.model.is_none() {
        model(asker, context, config, &mut plan)?;
    }
    if wants_all {
        plan = fitting(asker, context, plan, |asker, plan| gateway(asker, context, config, plan))?;
    } else if plan.port.is_none()
        && config.is_set("gateway.port")
        && let Some(who) = port::taken(env, config)
    {
        context.out.line(who);
        port_of(asker, context, config, &mut plan)?;
    }
    if !args.has("skip-channels") && plan.bot.is_none() {
        channel::ask(asker, context, config, &mut plan)?;
    }
    let is_decided = args.has("install-daemon") || args.has("no-install-daemon");
    if !is_decided {
        plan.install = asker.yes("Install the service, so that the gateway always runs?", true)?;
    }
    Ok(plan)
}

fn warn(asker: &mut Asker, context: &Context, args: &Args) -> Result<()> {
    context.out.line(
        "An agent reads, writes and acts on this machine with your rights, and whoever has the gateway's token \
         can tell it to. Keep the token to yourself.",
    );
    match args.has("accept-risk") || asker.yes("Go on?", false)? {
        true => Ok(()),
        false => Err(Error::new(Kind::Aborted, "nothing was changed")),
    }
}

/// Asks a part until its answers fit together and the rest.
pub fn fitting(
    asker: &mut Asker,
    context: &Context,
    plan: Plan,
    ask: impl Fn(&mut Asker, &mut Plan) -> Result<()>,
) -> Result<Plan> {
    asker.again("these questions", |asker| {
        let mut plan = plan.clone();
        ask(asker, &mut plan)?;
        apply::try_out(&plan, &context.env)?;
        Ok(plan)
    })
}

fn mode(asker: &mut Asker, config: &Config, args: &Args, plan: &mut Plan) -> Result<()> {
    let is_remote = args.value("mode") == Some("remote") || config.str("gateway.mode") == Some("remote");
    let options = ["on this machine".to_string(), "on another one".to_string()];
    if asker.choice("Where does the gateway run?", &options, usize::from(is_remote))? == 0 {
        plan.mode = Some(Mode::Local);
        return Ok(());
    }
    let old = config.str("gateway.remote.url").unwrap_or("ws://127.0.0.1:18789");
    let url = asker.valid("Its address", args.value("remote-url").unwrap_or(old), |url| {
        address::split(url).map(|_| url.to_string())
    })?;
    let given = |long: &str| args.value(long).map(|value| value.trim().to_string());
    let (password, pin) = (given("remote-password"), given("tls-fingerprint"));
    let token = match given("remote-token") {
        None if password.is_none() => Some(asker.secret("Its token (not shown; empty: leave as it is)")?)
            .filter(|token| !token.is_empty()),
        token => token,
    };
    plan.mode = Some(Mode::Remote { url, token, password, pin });
    Ok(())
}

/// The agent's directory.
pub fn workspace(asker: &mut Asker, context: &Context, config: &Config, plan: &mut Plan) -> Result<()> {
    let env = &context.env;
    let now = config.str("agents.defaults.workspace").map(str::to_string);
    let default = now.clone().unwrap_or_else(|| env.display(&env.default_workspace()));
    let answer = asker.valid("Workspace of the agent", &default, |answer| match env.expand(answer) {
        path if path.exists() && !path.is_dir() => Err(Error::usage("that is no directory")),
        _ => Ok(answer.to_string()),
    })?;
    plan.workspace = Some(answer).filter(|answer| *answer != default || now.is_none());
    Ok(())
}

/// The model: those of servers on this machine, the present one, the built-in one, or any by name.
pub fn model(asker: &mut Asker, context: &Context, config: &Config, plan: &mut Plan) -> Result<()> {
    context.out.line("Looking for model servers on this machine ...");
    let now = chosen(config).to_string();
    let mut options = vec![now.clone()];
    for server in scan::servers() {
        let models = server.models.iter().take(LISTED).map(|model| format!("{}/{model}", server.provider_id));
        options.extend(models.filter(|model| *model != now));
    }
    if now != BUILTIN {
        options.push(BUILTIN.to_string());
    }
    let is_new = !config.is_set("agents.defaults.model");
    // Someone who starts a model server wants it to answer.
    let default = usize::from(is_new && now == BUILTIN && options.len() > 1);
    options.push("another one".to_string());
    let place = asker.choice("Which model answers?", &options, default)?;
    let reference = match options.get(place) {
        Some(option) if place + 1 < options.len() => option.clone(),
        _ => asker.valid("Its name, as provider/model", "", |name| match name.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => Ok(name.to_string()),
            _ => Err(Error::usage("as in openai/gpt-5.2")),
        })?,
    };
    if reference == now && !is_new {
        return Ok(());
    }
    let provider = reference.split_once('/').map_or("", |(provider, _)| provider).to_string();
    let is_named = place + 1 == options.len();
    let variable = key_variable(&provider);
    if is_named && context.env.var(&variable).is_none() {
        let key = asker.valid_secret(&format!("{variable} (not shown; empty: none)"), |key| match key {
            "" => Ok(None),
            key => checked_key(key).map(Some),
        })?;
        plan.key = key.map(|key| (variable, key)).or(plan.key.take());
    }
    plan.model = (reference != now || reference != BUILTIN).then_some(reference);
    Ok(())
}

fn port_of(asker: &mut Asker, context: &Context, config: &Config, plan: &mut Plan) -> Result<()> {
    let env = &context.env;
    let now = ports::configured(env, config);
    // One that somebody else has is no proposal.
    let proposed = if port::taken(env, config).is_some() { port::free(env, config) } else { now };
    let answer = asker.valid("Port of the gateway", &proposed.to_string(), |text| {
        let port = number(text).ok_or_else(|| Error::usage("a port is a number from 1 to 65535"))?;
        let refused = |who| Err(Error::usage(format!("{who}; {} is free", port::free(env, config))));
        stranger(env, port).map_or(Ok(port), refused)
    })?;
    plan.port = (answer != now).then_some(answer);
    Ok(())
}

/// Port, address and credentials.
pub fn gateway(asker: &mut Asker, context: &Context, config: &Config, plan: &mut Plan) -> Result<()> {
    if plan.port.is_none() {
        port_of(asker, context, config, plan)?;
    }
    let bind = config.str("gateway.bind").unwrap_or("loopback").to_string();
    let mut options = BINDS.map(str::to_string).to_vec();
    if !options.contains(&bind) {
        options.push(bind.clone());
    }
    let place = options.iter().position(|option| *option == bind).unwrap_or(0);
    let answer =
        asker.choice("Who may reach it: this machine, the local network, the tailnet?", &options, place)?;
    plan.bind = plan.bind.take().or(options.get(answer).filter(|answer| **answer != bind).cloned());
    let auth = Auth::resolve(config, &context.env, None, None, None)?;
    let options = ["token".to_string(), "password".to_string()];
    let place = usize::from(auth.mode == AuthMode::Password);
    let answer = asker.choice("How do clients prove themselves?", &options, place)?;
    plan.auth = plan.auth.take().or(options.get(answer).filter(|_| answer != place).cloned());
    let is_there = match answer {
        _ if answer == place => auth.secret.is_some(),
        0 => config.is_set("gateway.auth.token") || config.is_set("gateway.auth.tokenFile"),
        _ => config.is_set("gateway.auth.password") || config.is_set("gateway.auth.passwordFile"),
    };
    let (key, empty) = match answer {
        0 if is_there => ("token", "leave as it is"),
        0 => ("token", "make one"),
        _ if is_there => ("password", "leave as it is"),
        _ => ("password", ""),
    };
    let hint = if empty.is_empty() { String::new() } else { format!("; empty: {empty}") };
    let secret = asker.valid_secret(&format!("The {key} (not shown{hint})"), |secret| {
        match secret.is_empty() && empty.is_empty() {
            true => Err(Error::usage("a gateway does not start without a password")),
            false => Ok(secret.to_string()),
        }
    })?;
    match (key, Some(secret).filter(|secret| !secret.is_empty())) {
        ("token", secret) => plan.token = plan.token.take().or(secret),
        (_, secret) => plan.password = plan.password.take().or(secret),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::ask::tests::answering;
    use super::*;
    use crate::cli::print::Printer;
    use crate::config::testing::Dir;
    use std::time::Instant;

    fn asked(
        config: &str,
        answers: &'static str,
        ask: fn(&mut Asker, &Context, &Config, &mut Plan) -> Result<()>,
    ) -> Plan {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let context = Context { env, out: Printer::new(None, true), started: Instant::now() };
        let mut plan = Plan::default();
        ask(&mut answering(answers), &context, &config, &mut plan).unwrap();
        plan
    }

    #[test]
    fn empty_answers_change_nothing() {
        let config = "{gateway: {port: 20000, bind: 'lan', auth: {token: 't'}}, agents: {defaults: {workspace: '/w'}}}";
        let plan = asked(config, "\n\n\n\n", gateway);
        assert!(plan.port.is_none() && plan.bind.is_none() && plan.auth.is_none() && plan.token.is_none());
        assert!(asked(config, "\n", workspace).workspace.is_none());
    }

    #[test]
    fn answers_become_the_plan() {
        let plan = asked("{gateway: {bind: 'custom'}}", "\n1\n\n\n", gateway);
        assert_eq!(plan.bind.as_deref(), Some("loopback"), "not what is there");
        assert!(asked("{gateway: {bind: 'auto'}}", "\n\n\n\n", gateway).bind.is_none());
        let by_password = "{gateway: {auth: {password: 'p'}}}";
        let plan = asked(by_password, "\n\n\n\n", gateway);
        assert!(plan.auth.is_none() && plan.token.is_none() && plan.password.is_none(), "the mode in force");
        let plan = asked(by_password, "\n\ntoken\nsesame\n", gateway);
        assert_eq!((plan.auth.as_deref(), plan.token.as_deref()), (Some("token"), Some("sesame")));
        let plan = asked("{}", "x\n20001\nlan\n2\nsesame\n", gateway);
        assert_eq!(
            (plan.port, plan.bind.as_deref(), plan.auth.as_deref()),
            (Some(20001), Some("lan"), Some("password"))
        );
        assert_eq!((plan.password.as_deref(), plan.token), (Some("sesame"), None));
        assert_eq!(asked("{}", "~/w\n", workspace).workspace.as_deref(), Some("~/w"));
        assert!(asked("{}", "\n", workspace).workspace.is_some(), "the default is written down once");
        let config = "{agents: {defaults: {model: {primary: 'openai/a'}}}}";
        assert!(asked(config, "1\n", model).model.is_none(), "the present one");
        assert_eq!(asked(config, "openclaw/builtin\n", model).model.as_deref(), Some(BUILTIN));
        let plan = asked(config, "another one\nnonsense\nmistral/large\nk-1\n", model);
        assert_eq!(plan.model.as_deref(), Some("mistral/large"));
        assert_eq!(plan.key, Some(("MISTRAL_API_KEY".to_string(), "k-1".to_string())));
    }
}
