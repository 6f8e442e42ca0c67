//! Carries out what `onboard` and `configure` were told: config, key, workspace, model, service, and a look at
//! whether it works. The config is written once, when all of it fits.
use super::report;
use super::report::Outcome;
use super::{Mode, Plan};
use super::{channel, check, port, setup};
use crate::cli::link::target::Target;
use crate::cli::models::set::{self, Choice};
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::cli::{Context, applied};
use crate::config::edit::{self, Draft, Edit};
use crate::config::{Config, write};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::gateway::{Judge, Options};
use crate::models::catalogue;
use crate::settings::{Auth, AuthMode};
use crate::tls::Fingerprint;
use crate::{dotenv, files, service};
use std::path::PathBuf;

/// Does it all and tells what was done; fails at the first thing that does not work.
pub fn carry_out(context: &Context, plan: &Plan, as_json: bool) -> Result<()> {
    let env = &context.env;
    let mut seen = env.clone();
    let before = Config::load(&mut seen)?;
    let mut plan = plan.clone();
    if let Some(note) = port::choose(&seen, &before, &mut plan)? {
        context.out.warn(&note);
    }
    let plan = &plan;
    let ((workspace, kept), _) =
        applied::wait_for(context, || setup::or_nothing(&seen, || change(plan, &seen, &before)))?;
    let fresh = Env::from_process(env.profile.as_deref())?;
    let after = Config::load(&mut fresh.clone())?;
    let mut told: Vec<String> = kept.into_iter().collect();
    told.extend(report::changes(&before, &after));
    let is_remote = workspace.is_none();
    if !as_json {
        let file = env.display(&env.config_path);
        context.out.line(format!("{} {file}", if before.exists() { "Config:" } else { "Wrote" }));
        told.iter().for_each(|line| context.out.line(context.env.display_all(&format!("  {line}"))));
        if let Some(workspace) = &workspace {
            context.out.line(format!("Workspace OK: {}", env.display(workspace)));
            context.out.line(format!("Model: {}", catalogue::chosen(&after)));
            if let Some(bot) = &plan.bot {
                context.out.line(channel::told(env, bot));
            }
        }
    }
    let installed = plan.install && !is_remote;
    if plan.install && is_remote {
        let local = env.command("config set gateway.mode local");
        context.out.warn(&format!(
            "note: no service was installed, because the gateway runs elsewhere; to run it here: {local}"
        ));
    }
    let (serves, left) = if installed { install(&fresh, context, as_json)? } else { Default::default() };
    let now = Context { env: fresh, out: context.out, started: std::time::Instant::now() };
    let check = || check::check(&now, &after, serves);
    let checked = plan.check.then(check).transpose()?;
    report::finish(&now, &after, plan, &Outcome { told, installed, serves, left, checked }, as_json);
    Ok(())
}

/// The workspace, for a gateway that runs here, and what became of the key.
type Made = (Option<PathBuf>, Option<String>);

/// Everything but the service: tried on the config's text, then made, then written.
fn change(plan: &Plan, env: &Env, before: &Config) -> Result<(Made, bool)> {
    let model = plan.model.as_deref().map(|model| set::decide(env, before, model)).transpose()?;
    edit::change(&env.config_path, |draft| {
        let (config, place) = settle(plan, env, before, draft, model.as_ref())?;
        let is_remote = config.str("gateway.mode") == Some("remote");
        if !is_remote {
            setup::furnish(env, &config, &place)?;
        }
        let key = plan.key.as_ref().map(|(variable, key)| keep_key(env, variable, key)).transpose()?;
        Ok(((!is_remote).then_some(place), key.flatten()))
    })
}

/// Whether it would do so far, without the model. Writes nothing.
pub fn try_out(plan: &Plan, env: &Env) -> Result<()> {
    let mut seen = env.clone();
    let before = Config::load(&mut seen)?;
    let text = if before.exists() { files::read_text(&env.config_path) } else { Ok("{}".to_string()) };
    let text = text.map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => edit::not_text(&env.config_path),
        _ => Error::io(format_args!("read {}", env.config_path.display()), e),
    })?;
    settle(plan, &seen, &before, &mut Draft::of(&text), None).map(drop)
}

/// Makes the config's new text, and gives what it says and the agent's workspace.
fn settle(
    plan: &Plan,
    env: &Env,
    before: &Config,
    draft: &mut Draft,
    model: Option<&Choice>,
) -> Result<(Config, PathBuf)> {
    let judged = |draft: &Draft| write::judge(env, draft.text(), &env.config_path).0;
    put(draft, &edits(plan, env, before)?)?;
    put(draft, &lent_secret(plan, env, &judged(draft))?)?;
    let config = judged(draft);
    let place = setup::place(env, &config, None);
    let is_missing = plan.whole && !config.is_set("agents.defaults.workspace");
    if plan.workspace.is_some() || (is_missing && config.str("gateway.mode") != Some("remote")) {
        setup::check_alone(env, &config, &place)?;
    }
    if config.str("gateway.mode") != Some("remote") {
        put(draft, &setup::missing(env, &config, is_missing.then_some(&place))?)?;
    }
    if let Some(model) = model {
        model.put(draft)?;
    }
    if let Some(bot) = &plan.bot {
        channel::put(draft, before, env, bot)?;
    }
    let config = judged(draft);
    fits(plan, env, &config).map_err(|e| Error::usage(e.message()))?;
    Ok((config, place))
}

fn put(draft: &mut Draft, edits: &[Edit]) -> Result<()> {
    edits.iter().try_for_each(|edit| draft.set(&edit.path, edit.value.clone()))
}

/// Refuses what could only fail: a gateway that cannot start with it, or one elsewhere that cannot be called.
fn fits(plan: &Plan, env: &Env, config: &Config) -> Result<()> {
    if config.str("gateway.mode") == Some("remote") {
        return Target::resolve(env, config, &Args::default()).map(drop);
    }
    let is_touched = plan.port.is_some() || plan.bind.is_some() || plan.auth.is_some();
    if is_touched || plan.token.is_some() || plan.password.is_some() {
        let verdict = Judge::new(env.clone(), Options::default()).judge(config.clone(), env.clone())?;
        verdict.plan.check(verdict.port)?;
    }
    Ok(())
}

/// The edits of the config, without the model, which may need a provider beside it.
fn edits(plan: &Plan, env: &Env, before: &Config) -> Result<Vec<Edit<'static>>> {
    let mut edits = Vec::new();
    match &plan.mode {
        Some(Mode::Local) => edits.push(Edit::new("gateway.mode", "local")),
        Some(Mode::Remote { url, token, password, pin }) => {
            edits.push(Edit::new("gateway.mode", "remote"));
            edits.push(Edit::new("gateway.remote.url", url.as_str()));
            // Nothing that only fails later is written.
            pin.as_deref().map(|pin| Fingerprint::parse(pin, "--tls-fingerprint")).transpose()?;
            let own = [
                ("gateway.remote.token", token),
                ("gateway.remote.password", password),
                ("gateway.remote.tlsFingerprint", pin),
            ];
            let given = own.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
            edits.extend(given.map(|(key, value)| Edit::new(key, value)));
        }
        None => {}
    }
    edits.extend(plan.port.map(|port| Edit::new("gateway.port", port)));
    let mut text = |key, value: &Option<String>| edits.extend(value.as_deref().map(|v| Edit::new(key, v)));
    text("gateway.bind", &plan.bind);
    // A secret that is given alone is to be in force.
    let of_secret = match (&plan.token, &plan.password) {
        (Some(_), None) => Some("token"),
        (None, Some(_)) => Some("password"),
        _ => None,
    };
    let present = Auth::resolve(before, env, None, None, None)?.mode.name();
    let implied = of_secret.filter(|mode| *mode != present).map(str::to_string);
    text("gateway.auth.mode", &plan.auth.clone().or(implied));
    text("gateway.auth.token", &plan.token);
    text("gateway.auth.password", &plan.password);
    let workspace = plan.workspace.as_deref().map(|dir| {
        let dir = env.expand(dir);
        env.display(&std::path::absolute(&dir).unwrap_or(dir))
    });
    text("agents.defaults.workspace", &workspace);
    Ok(edits)
}

/// The secret of this shell's environment, when a service is to live by it: the service does not see the variable.
fn lent_secret(plan: &Plan, env: &Env, config: &Config) -> Result<Vec<Edit<'static>>> {
    let mut bare = Env::default();
    // A file that the config names may be named from there.
    bare.home.clone_from(&env.home);
    let own = Auth::resolve(config, &bare, None, None, None)?;
    let shell = Auth::resolve(config, env, None, None, None)?;
    let is_lent = plan.install && own.secret.is_none() && config.str("gateway.mode") != Some("remote");
    let key = if shell.mode == AuthMode::Token { "gateway.auth.token" } else { "gateway.auth.password" };
    let secret = shell.secret.filter(|_| is_lent);
    Ok(secret.map(|secret| Edit::new(key, secret.reveal())).into_iter().collect())
}

/// Puts the key into the state directory's `.env`; its other lines stay.
fn keep_key(env: &Env, variable: &str, key: &str) -> Result<Option<String>> {
    let path = env.state_dir.join(".env");
    let old = match files::read_text(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io(format_args!("read {}", path.display()), e)),
    };
    let value = dotenv::written(key).ok_or_else(|| Error::invalid("the key fits into no line of .env"))?;
    let Some((text, replaced)) = with_line(&old, variable, &value) else { return Ok(None) };
    files::write_atomic(&path, text.as_bytes())?;
    let verb = if replaced { "replaced" } else { "saved" };
    Ok(Some(format!("{verb} {variable} in {}", env.display(&path))))
}

/// `text` with `variable` set, and whether that replaced something; `None` when it says so already.
fn with_line(text: &str, variable: &str, value: &str) -> Option<(String, bool)> {
    let new = format!("{variable}={value}");
    let names = |line: &&str| dotenv::parse(line).iter().any(|(name, _)| name == variable);
    let mut lines: Vec<&str> = text.lines().collect();
    // Of several the last one counts.
    let old = lines.iter().rposition(names);
    match old.and_then(|place| lines.get_mut(place)) {
        Some(line) if *line == new => return None,
        Some(line) => *line = &new,
        None => lines.push(&new),
    }
    Some((lines.join("\n") + "\n", old.is_some()))
}

/// Whether the service runs now, and what is left to run by hand where its manager cannot be reached.
fn install(env: &Env, context: &Context, as_json: bool) -> Result<(bool, Vec<String>)> {
    let waiting = Waiting::begin(context.out, "waiting for the service manager");
    let told = service::act::install_here(env)?;
    drop(waiting);
    told.warnings.iter().for_each(|line| context.out.warn(&format!("Warning: {line}")));
    if !as_json {
        told.lines.iter().chain(&told.hints).for_each(|line| context.out.line(line));
    }
    let left = if told.result == "written" { told.hints } else { Vec::new() };
    Ok((told.service.running == Some(true), left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_replaces_its_own_line_only() {
        for (text, want) in [
            ("", Some(("K=v\n", false))),
            ("# note\nA=1", Some(("# note\nA=1\nK=v\n", false))),
            ("export K='old'\nA=1\n", Some(("K=v\nA=1\n", true))),
            ("K=v\n", None),
        ] {
            let got = with_line(text, "K", "v");
            assert_eq!(got.as_ref().map(|(text, replaced)| (text.as_str(), *replaced)), want, "{text:?}");
        }
    }
}
