//! What is told to the program of a channel: its server and what proves us there stand side by side under names that only
//! the program knows, so none of it is changed from afar. What the gateway itself reads there is judged by name. Pure, over
//! the settings before and after.
use super::{AFAR, refused};
use crate::config::{Config, OF_PROGRAMS, SHARED_WITH_PROGRAMS, join, lookup};
use crate::env::Env;
use crate::error::Result;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub fn check(new: &Config, old: &Config, env: &Env) -> Result<()> {
    let sections = |config: &Config| config.whole().get("channels").and_then(Value::as_object).cloned();
    let (new, old) = (sections(new).unwrap_or_default(), sections(old).unwrap_or_default());
    new.iter().try_for_each(|(id, new)| {
        let node = lookup::find(["channels", id.as_str()]);
        // A program of the table is one whose rows name a command.
        let Some(node) = node.filter(|node| node.is_program() || node.own_child("command").is_some()) else {
            return Ok(());
        };
        let (at, old) = (join("channels", id), old.get(id));
        same(new, old, node, &at, env)?;
        let of = |section: Option<&Value>, id: &str| section?.get("accounts")?.get(id).cloned();
        let accounts = new.get("accounts").and_then(Value::as_object);
        accounts.into_iter().flatten().try_for_each(|(id, account)| {
            same(account, of(old, id).as_ref(), node, &join(&join(&at, "accounts"), id), env)
        })
    })
}

/// A section or an account, against what it was.
fn same(new: &Value, old: Option<&Value>, node: lookup::Node, at: &str, env: &Env) -> Result<()> {
    let none = Map::new();
    let new = new.as_object().unwrap_or(&none);
    let old = old.and_then(Value::as_object).unwrap_or(&none);
    let is_read = |name: &str| OF_PROGRAMS.contains(&name) || SHARED_WITH_PROGRAMS.contains(&name);
    let is_row =
        |name: &str| node.own_child(name).is_some_and(|child| child.key().is_none_or(|key| !key.host_only));
    let names: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    let is_hosts = |name: &str| name == "command" || !(is_read(name) || is_row(name));
    let Some(name) = names.into_iter().find(|name| is_hosts(name) && new.get(*name) != old.get(*name)) else {
        return Ok(());
    };
    let what = if name == "command" { "names" } else { "is told to" };
    Err(refused(env, &join(at, name), &format!("{what} a program of the gateway's host {AFAR}")))
}
