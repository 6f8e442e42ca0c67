//! Checks of service files: this profile's and those that look like a gateway. Reads files; the manager was asked
//! before, if at all. Values of variables are looked at and never told.
use super::{Ctx, Finding, Fix};
use crate::env::Env;
use crate::service::{self, Other, Place, inspect};
use std::path::PathBuf;

/// Parts of names of variables that hold secrets.
const SECRET_NAMES: [&str; 3] = ["TOKEN", "PASSWORD", "API_KEY"];

/// Service files that are there.
#[derive(Default)]
pub struct Services {
    own: Option<(PathBuf, String)>,
    others: Vec<Other>,
}

/// Reads the files; `deep` also those of the machine.
pub fn read(env: &Env, deep: bool) -> Services {
    let own =
        Place::find(env, None).ok().and_then(|place| Some((place.path.clone(), inspect::read(&place.path)?)));
    Services { own, others: service::others(env, deep) }
}

pub fn drift(ctx: &Ctx) -> Vec<Finding> {
    let Some(seen) = ctx.service.as_ref().filter(|seen| seen.installed) else { return Vec::new() };
    let remedy = ctx.env.command("gateway install --force");
    let finding =
        |text: &String| Finding::new(format!("{}: {text}", seen.name)).at(&seen.unit_path).remedy(&remedy);
    let mut found: Vec<Finding> = seen.drift.iter().map(finding).collect();
    // Written anew once, whatever the number of differences.
    if let Some(first) = found.first_mut() {
        first.fix = Some(Fix::Service { unit: seen.unit_path.clone(), is_foreign: seen.is_node });
    }
    found
}

pub fn secret(ctx: &Ctx) -> Vec<Finding> {
    let secrets = ctx.config.secrets();
    let renew = ctx.env.command("gateway install --force");
    let own = ctx.services.own.iter().map(|(path, text)| (path.clone(), text.clone(), renew.clone()));
    let others = ctx.services.others.iter();
    let others =
        others.filter_map(|other| Some((other.path.clone(), inspect::read(&other.path)?, other.removal())));
    let files: Vec<(PathBuf, String, String)> = own.chain(others).collect();
    let holds = |text: &str| names_a_secret(text) || secrets.iter().any(|s| s.len() >= 8 && text.contains(s));
    let finding = |(path, _, remedy): &(PathBuf, String, String)| {
        Finding::new(format!(
            "{} holds a secret, which every user of this machine can read",
            ctx.env.display(path)
        ))
        .at(path)
        .remedy(format!("{remedy}, and set a new secret"))
    };
    files.iter().filter(|(_, text, _)| holds(text)).map(finding).collect()
}

/// Whether a variable with a secret's name has a value.
fn names_a_secret(text: &str) -> bool {
    let value_of = |line: &str, name: &str| {
        let (_, after) = line.split_once(name)?;
        let after = after.strip_prefix('=').or_else(|| after.strip_prefix("</key>"))?;
        after.trim_start_matches(['"', '\'', ' ']).chars().next()
    };
    let has_value = |line: &str| SECRET_NAMES.iter().any(|name| value_of(line, name).is_some());
    // A property list has the value on the line after the name.
    text.lines().any(has_value) || SECRET_NAMES.iter().any(|name| text.contains(&format!("{name}</key>")))
}

fn told(ctx: &Ctx, legacy: bool) -> Vec<Finding> {
    // Only a manager that answers can take a service out; the newest old name may be of a gateway in use.
    let can = |other: &Other| {
        let answers = ctx.service.as_ref().is_some_and(|seen| seen.trouble.is_none());
        answers && other.legacy && other.scope == "user" && !other.name.starts_with("ai.openclaw.")
    };
    let finding = |other: &Other| {
        let fix = can(other).then(|| Fix::Retire(other.clone()));
        Finding { fix, ..Finding::new(other.to_string()).at(&other.path).remedy(other.removal()) }
    };
    ctx.services.others.iter().filter(|other| other.legacy == legacy).map(finding).collect()
}

pub fn legacy(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, true)
}

pub fn others(ctx: &Ctx) -> Vec<Finding> {
    told(ctx, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_22a_a_secret_in_a_service_file_is_seen_and_an_empty_name_is_none() {
        for (text, want) in [
            ("Environment=OPENCLAW_GATEWAY_TOKEN=", false),
            ("Environment=OPENCLAW_GATEWAY_TOKEN=x", true),
            ("Environment=\"OPENCLAW_GATEWAY_PASSWORD=x y\"", true),
            ("ExecStart=/usr/bin/openclaw gateway --password-file /x", false),
            ("<key>OPENAI_API_KEY</key>\n<string>x</string>", true),
            ("export OPENCLAW_GATEWAY_TOKEN='x'", true),
        ] {
            assert_eq!(names_a_secret(text), want, "{text}");
        }
    }

    #[test]
    fn services_of_earlier_names_are_told_with_what_removes_them() {
        let home = std::env::temp_dir().join(format!("doctor-services-{}", std::process::id()));
        let units = home.join(".config/systemd/user");
        std::fs::create_dir_all(&units).unwrap();
        let text =
            "[Service]\nExecStart=/usr/bin/clawdbot gateway\nEnvironment=CLAWDBOT_GATEWAY_TOKEN=canary\n";
        std::fs::write(units.join("clawdbot-gateway.service"), text).unwrap();
        let vars = [("HOME", home.to_str().unwrap()), ("OPENCLAW_SERVICE_ROOT", "/nowhere")];
        let env = Env::from_vars(vars.map(|(k, v)| (k.to_string(), v.to_string())), None).unwrap();
        let ctx = Ctx::look(&env, false);
        assert_eq!(legacy(&ctx).len(), 1);
        assert!(legacy(&ctx)[0].remedy.as_ref().unwrap().contains("disable --now clawdbot-gateway.service"));
        assert!(legacy(&ctx)[0].fix.is_none(), "the manager was not asked");
        let secret = secret(&ctx);
        assert!(secret.len() == 1 && !secret[0].detail.contains("canary"));
        // Installing this profile's service would not touch that unit.
        let remedy = secret[0].remedy.as_ref().unwrap();
        assert!(
            remedy.contains("disable --now clawdbot-gateway.service") && !remedy.contains("install"),
            "{remedy}"
        );
        std::fs::remove_dir_all(home).unwrap();
    }
}
