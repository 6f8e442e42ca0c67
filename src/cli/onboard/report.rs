//! What `onboard`, `configure` and `setup` say of what they did. Every value that is replaced is told; secrets are
//! named, never shown.
use super::Plan;
use super::{check, setup};
use crate::cli::Context;
use crate::config::Config;
use crate::config::address::Url;
use crate::config::ports;
use crate::json::json;
use crate::models::catalogue;
use crate::settings::Auth;
use serde_json::Value;

/// The keys this can change, and whether their value may be shown.
const KEYS: [(&str, bool); 12] = [
    ("gateway.mode", true),
    ("gateway.port", true),
    ("gateway.bind", true),
    ("gateway.auth.mode", true),
    ("gateway.auth.token", false),
    ("gateway.auth.password", false),
    ("gateway.remote.url", true),
    ("gateway.remote.token", false),
    ("gateway.remote.password", false),
    ("gateway.remote.tlsFingerprint", true),
    ("agents.defaults.workspace", true),
    ("agents.defaults.model", true),
];

/// What was done.
pub struct Outcome {
    pub told: Vec<String>,
    /// Whether a service was to be installed.
    pub installed: bool,
    /// Whether it runs.
    pub serves: bool,
    /// What is left to run by hand for it.
    pub left: Vec<String>,
    /// What the check found.
    pub checked: Option<&'static str>,
}

/// What is different, a sentence a key.
pub fn changes(before: &Config, after: &Config) -> Vec<String> {
    let value = |config: &Config, key: &str| config.get(key).filter(|_| config.is_set(key)).cloned();
    let shown =
        |value: &Value| value.as_str().map_or_else(|| value.to_string(), |text| Url::new(text).to_string());
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

/// The last words: what was found, and what to do next.
pub fn finish(context: &Context, config: &Config, plan: &Plan, outcome: &Outcome, as_json: bool) {
    let env = &context.env;
    let is_remote = config.str("gateway.mode") == Some("remote");
    let Outcome { told, installed, serves, left, checked } = outcome;
    let runs = is_remote || *serves || *checked == Some(check::RUNNING);
    let next = match () {
        () if runs => env.command("agent --message \"hello\""),
        () if !left.is_empty() => left.join(" && "),
        () if *installed => env.command("gateway start"),
        () => setup::next(env, config),
    };
    if !as_json {
        if let Some(checked) = checked {
            context.out.line(format!("Gateway: {checked}"));
        }
        context.out.line(format!("Next: {next}"));
        return;
    }
    let text = |key: &str| config.str(key).unwrap_or_default();
    let mut answer = json!({
        "ok": true, "mode": text("gateway.mode"), "config": config.path(), "changes": told,
        "installDaemon": installed, "leftToDo": left, "skipHealth": !plan.check, "health": checked, "next": next,
    });
    let more = if is_remote {
        json!({"remoteUrl": Url::new(text("gateway.remote.url")).to_string()})
    } else {
        let auth = Auth::resolve(config, env, None, None, None);
        json!({
            "workspace": setup::place(env, config, None), "model": catalogue::chosen(config),
            "gateway": {
                "port": ports::configured(env, config),
                "bind": config.str("gateway.bind").unwrap_or("loopback"),
                "authMode": auth.map_or("token", |auth| auth.mode.name()), "tailscaleMode": "off",
            },
        })
    };
    if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
        answer.extend(more);
    }
    context.out.json(&answer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn replacements_are_told_and_secrets_are_not() {
        let config = |text: &str| {
            let dir = Dir::new();
            dir.config(text)
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
