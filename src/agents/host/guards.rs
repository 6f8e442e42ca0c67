//! What only the host decides as a whole: taken away it means as much as changed. Pure, over the settings before and
//! after; texts in it that name files are judged by the walk.
use super::{AFAR, refused};
use crate::agents::Agents;
use crate::config::{Config, lookup};
use crate::env::Env;
use crate::error::Result;
use serde_json::Value;

/// Where the gateway is and how it is reached, whether the login shell is run, how programs are shut in.
const GUARDED: &[&[&str]] = &[
    &["gateway", "mode"],
    &["gateway", "remote", "password"],
    &["gateway", "remote", "sshIdentity"],
    &["gateway", "remote", "sshTarget"],
    &["gateway", "remote", "tlsFingerprint"],
    &["gateway", "remote", "token"],
    &["gateway", "remote", "transport"],
    &["gateway", "remote", "url"],
    &["gateway", "tools", "allow"],
    &["gateway", "tools", "deny"],
    &["env", "shellEnv"],
    &["agents", "defaults", "sandbox"],
    &["tools", "exec", "ask"],
    &["tools", "exec", "host"],
    &["tools", "exec", "node"],
    &["tools", "exec", "sandbox"],
    &["tools", "exec", "security"],
    &["tools", "surfaces"],
    &["hooks", "internal"],
    &["plugins", "load"],
];
/// The same in an agent's own entry.
const OF_AGENT: &[&[&str]] = &[
    &["sandbox"],
    &["tools", "exec", "ask"],
    &["tools", "exec", "host"],
    &["tools", "exec", "node"],
    &["tools", "exec", "sandbox"],
    &["tools", "exec", "security"],
];

pub fn check(new: &Config, old: &Config, env: &Env) -> Result<()> {
    for path in GUARDED {
        same(path, &path.join("."), Some(new.whole()), Some(old.whole()), env)?;
    }
    let (new, old) = (Agents::of(new, env), Agents::of(old, env));
    let ids = new.ids();
    ids.iter().enumerate().try_for_each(|(at, id)| {
        OF_AGENT.iter().try_for_each(|path| {
            let whole: Vec<&str> = ["agents", "list", "0"].into_iter().chain(path.iter().copied()).collect();
            let shown = format!("agents.list[{at}].{}", path.join("."));
            let value = |agents: &Agents| agents.entry(id).cloned().unwrap_or_default();
            let (new, old) = (value(&new), value(&old));
            let below = |entry: &Value| path.iter().try_fold(entry.clone(), |it, name| it.get(name).cloned());
            compare(&whole, &shown, below(&new), below(&old), env)
        })
    })
}

fn same(path: &[&str], shown: &str, new: Option<&Value>, old: Option<&Value>, env: &Env) -> Result<()> {
    let at = |value: Option<&Value>| path.iter().try_fold(value?, |value, name| value.get(name)).cloned();
    compare(path, shown, at(new), at(old), env)
}

fn compare(path: &[&str], shown: &str, new: Option<Value>, old: Option<Value>, env: &Env) -> Result<()> {
    let node = lookup::find(path.iter().copied());
    let plain = |value: Option<Value>| value.and_then(|value| without_defaults(value, node));
    let local = |value: Option<Value>| value.filter(|mode| path != ["gateway", "mode"] || mode != "local");
    match local(plain(new)) == local(plain(old)) {
        true => Ok(()),
        false => Err(refused(env, shown, &format!("is for the gateway's host to decide {AFAR}"))),
    }
}

/// A value that says no more than nothing would is nothing.
fn without_defaults(value: Value, node: Option<lookup::Node>) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let kept: serde_json::Map<String, Value> = map
                .into_iter()
                .filter_map(|(name, value)| {
                    let child = node.and_then(|node| node.child(&name));
                    Some((name, without_defaults(value, child)?))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Null => None,
        value => (node.and_then(|node| node.default()) != Some(&value)).then_some(value),
    }
}
