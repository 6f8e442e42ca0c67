//! Carries out what `onboard` and `configure` were told: config, key, workspace, model, service, and a look at
//! whether it works. Every value that is replaced is told; secrets are named, never shown.
use super::onboard::{Mode, Plan};
use super::{Context, models_set, onboard_check, setup};
use crate::agent::catalogue;
use crate::config::Config;
use crate::config::edit::{self, Edit};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::json::json;
use crate::service;
use serde_json::Value;

/// The keys this can change, and whether their value may be shown.
const KEYS: [(&str, bool); 10] = [
    ("gateway.mode", true),
    ("gateway.port", true),
    ("gateway.bind", true),
    ("gateway.auth.mode", true),
    ("gateway.auth.token", false),
    ("gateway.auth.password", false),
    ("gateway.remote.url", true),
    ("gateway.remote.token", false),
    ("agents.defaults.workspace", true),
    ("agents.defaults.model", true),
];

/// Does it all and tells what was done; fails at the first thing that does not work.
pub fn carry_out(context: &Context, plan: &Plan, as_json: bool) -> Result<()> {
    let env = &context.env;
    let before = Config::load(&mut env.clone())?;
    let mut told = Vec::new();
    // The key first: a model that needs it is not written without it.
    if let Some((variable, key)) = &plan.key {
        told.extend(keep_key(env, variable, key)?);
    }
    let mut edits = edits(plan, env);
    edits.extend(lent_token(plan, env, &before));
    edit::write(&env.config_path, &edits)?;
    let fresh = Env::from_process(env.profile.as_deref())?;
    let config = Config::load(&mut fresh.clone())?;
    let is_remote = config.str("gateway.mode") == Some("remote");
    let made = if is_remote { None } else { Some(setup::prepare(&fresh, &config, None)?) };
    if let Some(model) = &plan.model {
        models_set::choose(&fresh, &config, model)?;
    }
    let after = Config::load(&mut fresh.clone())?;
    told.extend(changes(&before, &after));
    if !as_json {
        let file = env.display(&env.config_path);
        context.out.line(format!("{} {file}", if before.exists() { "Config:" } else { "Wrote" }));
        told.iter().for_each(|line| context.out.line(format!("  {line}")));
        if let Some(made) = &made {
            context.out.line(format!("Workspace OK: {}", env.display(&made.workspace)));
        }
        context.out.line(format!("Model: {}", catalogue::chosen(&after)));
    }
    let runs = plan.install && !is_remote && install(&fresh, context, as_json)?;
    let now = Context { env: fresh, out: context.out, started: std::time::Instant::now() };
    let checked = if plan.check { Some(onboard_check::check(&now, &after, runs)?) } else { None };
    finish(&now, &after, plan, &told, runs, checked, as_json);
    Ok(())
}

/// The edits of the config, without the model, which may need a provider beside it.
fn edits(plan: &Plan, env: &Env) -> Vec<Edit<'static>> {
    let mut edits = Vec::new();
    match &plan.mode {
        Some(Mode::Local) => edits.push(Edit::new("gateway.mode", "local")),
        Some(Mode::Remote { url, token }) => {
            edits.push(Edit::new("gateway.mode", "remote"));
            edits.push(Edit::new("gateway.remote.url", url.as_str()));
            edits.extend(token.as_deref().map(|token| Edit::new("gateway.remote.token", token)));
        }
        None => {}
    }
    edits.extend(plan.port.map(|port| Edit::new("gateway.port", port)));
    let mut text = |key, value: &Option<String>| edits.extend(value.as_deref().map(|v| Edit::new(key, v)));
    text("gateway.bind", &plan.bind);
    text("gateway.auth.mode", &plan.auth);
    text("gateway.auth.token", &plan.token);
    text("gateway.auth.password", &plan.password);
    let workspace = plan.workspace.as_deref().map(|dir| {
        let dir = env.expand(dir);
        std::path::absolute(&dir).unwrap_or(dir).to_string_lossy().into_owned()
    });
    text("agents.defaults.workspace", &workspace);
    edits
}

/// The token of this shell's environment, when a service is to live by it: the service does not see the variable.
fn lent_token(plan: &Plan, env: &Env, config: &Config) -> Option<Edit<'static>> {
    let has_own = plan.token.is_some()
        || plan.password.is_some()
        || ["gateway.auth.token", "gateway.auth.password"].iter().any(|key| config.is_set(key));
    let token = env.var_or_legacy("OPENCLAW_GATEWAY_TOKEN").filter(|_| plan.install && !has_own)?;
    Some(Edit::new("gateway.auth.token", token.trim()))
}

/// What is different, a sentence a key.
fn changes(before: &Config, after: &Config) -> Vec<String> {
    let value = |config: &Config, key: &str| config.get(key).filter(|_| config.is_set(key)).cloned();
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let mut told = Vec::new();
    for (key, may_show) in KEYS {
        told.extend(match (value(before, key), value(after, key)) {
            (old, new) if old == new => None,
            (None, Some(new)) if may_show => Some(format!("set {key}: {}", shown(&new))),
            (None, Some(_)) => Some(format!("set {key}")),
            (Some(old), Some(new)) if may_show => {
                Some(format!("replaced {key}: {} (was {})", shown(&new), shown(&old)))
            }
            (Some(_), Some(_)) => Some(format!("replaced {key}")),
            (_, None) => Some(format!("removed {key}")),
        });
    }
    told
}

/// Puts the key into the state directory's `.env`; its other lines stay.
fn keep_key(env: &Env, variable: &str, key: &str) -> Result<Option<String>> {
    let path = env.state_dir.join(".env");
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io(format_args!("read {}", path.display()), e)),
    };
    let Some((text, replaced)) = with_line(&old, variable, key) else { return Ok(None) };
    files::write_atomic(&path, text.as_bytes())?;
    let verb = if replaced { "replaced" } else { "saved" };
    Ok(Some(format!("{verb} {variable} in {}", env.display(&path))))
}

/// `text` with `variable` set, and whether that replaced something; `None` when it says so already.
fn with_line(text: &str, variable: &str, value: &str) -> Option<(String, bool)> {
    let new = format!("{variable}={value}");
    let names = |line: &str| {
        let line = line.trim().trim_start_matches("export ").trim();
        line.split_once('=').is_some_and(|(name, _)| name.trim() == variable)
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let old = lines.iter().position(|line| names(line));
    match old.and_then(|place| lines.get_mut(place)) {
        Some(line) if *line == new => return None,
        Some(line) => *line = &new,
        None => lines.push(&new),
    }
    Some((lines.join("\n") + "\n", old.is_some()))
}

/// Says whether the service runs now; without a bus it may only have been written.
fn install(env: &Env, context: &Context, as_json: bool) -> Result<bool> {
    let told = service::act::install_here(env)?;
    told.warnings.iter().for_each(|line| context.out.warn(&format!("Warning: {line}")));
    if !as_json {
        told.lines.iter().chain(&told.hints).for_each(|line| context.out.line(line));
    }
    Ok(told.service.running == Some(true))
}

/// The last words: what was found, and what to do next.
fn finish(
    context: &Context,
    config: &Config,
    plan: &Plan,
    told: &[String],
    serves: bool,
    checked: Option<&'static str>,
    as_json: bool,
) {
    let env = &context.env;
    let is_remote = config.str("gateway.mode") == Some("remote");
    let runs = is_remote || serves || checked == Some(onboard_check::RUNNING);
    let next = env.command(match (runs, plan.install) {
        (true, _) => "agent --message \"hello\"",
        (false, true) => "gateway start",
        (false, false) => "gateway",
    });
    if as_json {
        let text = |key: &str| config.str(key).unwrap_or_default();
        let mut answer = json!({
            "ok": true, "mode": text("gateway.mode"), "config": config.path(), "changes": told,
            "installDaemon": plan.install, "skipHealth": !plan.check, "health": checked, "next": next,
        });
        let more = if is_remote {
            json!({"remoteUrl": text("gateway.remote.url")})
        } else {
            json!({
                "workspace": setup::place(env, config, None), "model": catalogue::chosen(config),
                "gateway": {
                    "port": crate::ports::configured(env, config),
                    "bind": config.str("gateway.bind").unwrap_or("loopback"),
                    "authMode": config.str("gateway.auth.mode").unwrap_or("token"), "tailscaleMode": "off",
                },
            })
        };
        if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
            answer.extend(more);
        }
        context.out.json(&answer);
        return;
    }
    if let Some(checked) = checked {
        context.out.line(format!("Gateway: {checked}"));
    }
    context.out.line(format!("Next: {next}"));
    if runs {
        context.out.line(format!("Or in a browser: {}", env.command("dashboard")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

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

    #[test]
    fn replacements_are_told_and_secrets_are_not() {
        let config = |text: &str| {
            let dir = Dir::new();
            dir.write("openclaw.json", text);
            Config::load(&mut dir.env(&[])).unwrap()
        };
        let before = config("{gateway: {port: 1, auth: {token: 'canary-1'}}}");
        let after = config("{gateway: {mode: 'local', port: 2, auth: {token: 'canary-2'}}}");
        assert_eq!(
            changes(&before, &after),
            ["set gateway.mode: local", "replaced gateway.port: 2 (was 1)", "replaced gateway.auth.token"]
        );
        assert!(changes(&after, &after).is_empty());
    }
}
