//! `openclaw help json [command]`: what commands print with `--json`, a JSON Schema each, as `schemas/cli/` holds them.
//! Members may be added, none is renamed or dropped. Pure: the schemas are part of the program.
use super::complete::shown;
use super::fold::fold;
use super::parse::exact;
use super::{Command, JSON};
use crate::protocol::schema;
use serde_json::{Map, Value};

/// Commands that print what another one prints.
const SAME: &[(&str, &str)] = &[
    ("agents", "agents list"),
    ("approvals allowlist add", "approvals set"),
    ("approvals allowlist remove", "approvals set"),
    ("browser click", "browser status"),
    ("browser close", "browser status"),
    ("browser console", "browser status"),
    ("browser cookies", "browser status"),
    ("browser dialog", "browser status"),
    ("browser download", "browser status"),
    ("browser drag", "browser status"),
    ("browser errors", "browser status"),
    ("browser evaluate", "browser status"),
    ("browser fill", "browser status"),
    ("browser focus", "browser status"),
    ("browser highlight", "browser status"),
    ("browser hover", "browser status"),
    ("browser navigate", "browser status"),
    ("browser open", "browser status"),
    ("browser pdf", "browser status"),
    ("browser press", "browser status"),
    ("browser profiles", "browser status"),
    ("browser requests", "browser status"),
    ("browser reset-profile", "browser status"),
    ("browser resize", "browser status"),
    ("browser screenshot", "browser status"),
    ("browser scrollintoview", "browser status"),
    ("browser select", "browser status"),
    ("browser snapshot", "browser status"),
    ("browser start", "browser status"),
    ("browser stop", "browser status"),
    ("browser tabs", "browser status"),
    ("browser type", "browser status"),
    ("browser upload", "browser status"),
    ("browser wait", "browser status"),
    ("channels", "channels list"),
    ("cron disable", "cron edit"),
    ("cron enable", "cron edit"),
    ("daemon install", "gateway install"),
    ("daemon restart", "gateway restart"),
    ("daemon start", "gateway start"),
    ("daemon status", "gateway status"),
    ("daemon stop", "gateway stop"),
    ("daemon uninstall", "gateway uninstall"),
    ("gateway health", "health"),
    ("models", "models status"),
    ("models aliases", "models aliases list"),
    ("models fallbacks", "models fallbacks list"),
    ("node install", "gateway install"),
    ("node restart", "gateway restart"),
    ("node start", "gateway start"),
    ("node stop", "gateway stop"),
    ("node uninstall", "gateway uninstall"),
    ("nodes camera clip", "nodes canvas snapshot"),
    ("nodes canvas a2ui push", "nodes invoke"),
    ("nodes canvas a2ui reset", "nodes invoke"),
    ("nodes canvas eval", "nodes invoke"),
    ("nodes canvas hide", "nodes invoke"),
    ("nodes canvas navigate", "nodes invoke"),
    ("nodes canvas present", "nodes invoke"),
    ("nodes location get", "nodes invoke"),
    ("nodes notify", "nodes invoke"),
    ("nodes reject", "nodes approve"),
    ("nodes run", "nodes invoke"),
    ("nodes screen record", "nodes canvas snapshot"),
    ("profiles", "profiles list"),
    ("sessions", "sessions list"),
    ("skills", "skills list"),
    ("who", "clients"),
];

/// The commands that print JSON.
fn all() -> impl Iterator<Item = &'static Command> {
    shown().filter(|command| command.all_flags().any(|flag| flag.long == JSON.long))
}

/// Whether this command prints JSON.
pub fn is_known(command: &str) -> bool {
    exact(command).is_some() && all().any(|known| known.name == command)
}

/// Where the schema of a command lies.
fn path(command: &str) -> String {
    let own = SAME.iter().find(|(name, _)| *name == command).map_or(command, |(_, same)| same);
    format!("schemas/cli/{}.json", own.replace(' ', "-"))
}

/// The schema of a command, or the commands that have one, for a terminal of that many columns.
pub fn text(command: &str, width: usize) -> String {
    if !command.is_empty() {
        return format!("{:#}\n", document(&path(command)));
    }
    let names: Vec<&str> = all().map(|command| command.name).collect();
    let about = "`openclaw help json <command>` prints the JSON Schema of what a command prints with --json:";
    fold(&format!("{about}\n\n{}", names.join(", ")), width).join("\n") + "\n"
}

/// A schema that stands alone: those that it refers to are in it, below `$defs`, and referred to there. Validators differ in
/// how they find other documents; what is in the same one they all find.
fn document(path: &str) -> Value {
    let (mut whole, mut others) = (read(path), Map::new());
    settle(&mut whole, path, path, &mut others);
    if let Some(members) = whole.as_object_mut().filter(|_| !others.is_empty()) {
        let own = members.entry("$defs").or_insert_with(|| Map::new().into());
        own.as_object_mut().into_iter().for_each(|own| own.append(&mut others));
    }
    whole
}

/// One as it lies in the program.
fn read(path: &str) -> Value {
    schema::documents([path].into_iter()).map(|(_, found)| found).next().unwrap_or_default()
}

/// Turns the references in `value`, a part of the schema at `path`, to places of the one at `root`, and puts what they mean
/// among the others.
fn settle(value: &mut Value, path: &str, root: &str, others: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                let (file, part) = reference.split_once('#').unwrap_or((reference, ""));
                let at = beside(path, file);
                let name = label(&at);
                let target = if at == root { format!("#{part}") } else { format!("#/$defs/{name}{part}") };
                *reference = target;
                if at != root && !others.contains_key(&name) {
                    // Known before it is looked through, as it may refer to itself.
                    others.insert(name.clone(), Value::Null);
                    let mut other = read(&at);
                    other.as_object_mut().into_iter().for_each(|other| drop(other.shift_remove("$schema")));
                    settle(&mut other, &at, root, others);
                    others.insert(name, other);
                }
            }
            members.values_mut().for_each(|value| settle(value, path, root, others));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| settle(value, path, root, others)),
        _ => {}
    }
}

/// The schema that `file` names in the one at `path`.
fn beside(path: &str, file: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    match file.strip_prefix("../") {
        _ if file.is_empty() => path.to_string(),
        Some(beside) => format!("schemas/{beside}"),
        None => format!("{folder}/{file}"),
    }
}

/// Its name below `$defs`, as `methods.health`.
fn label(path: &str) -> String {
    let name = path.strip_prefix("schemas/").unwrap_or(path);
    name.strip_suffix(".json").unwrap_or(name).replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_prints_json_has_a_schema() {
        for command in all() {
            let document = document(&path(command.name));
            let is_shape = ["type", "$ref", "anyOf", "oneOf"].iter().any(|name| document.get(name).is_some());
            assert!(is_shape, "{}: {}", command.name, path(command.name));
        }
        for (command, same) in SAME {
            assert!(is_known(command) && is_known(same), "{command}, {same}");
        }
    }
}
