//! Values that are for the host to decide: files, directories, programs, variables, and where its secrets are sent. Who
//! changes the configuration over the wire need not be on the host, so there they may stay as they are and not become
//! others.
//!
//! Over the texts before and after, on the thread that writes. Rows of the table say it of themselves; keys the table
//! does not know, and all keys below a row of type `Any`, are judged by their `names`. Where keys of model servers go is
//! for `servers`, what may not be taken away either for `guards`, what is told to channels' programs for `programs`.
mod guards;
mod names;
mod programs;
mod servers;

use crate::agents::Agents;
use crate::config::keys::Type;
use crate::config::lookup;
use crate::config::lookup::Node;
use crate::config::write::judge;
use crate::config::{Config, join, parse, substitute};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::workspace;
use names::{
    is_address_name, is_host_name, is_host_variable, is_of_webhook, is_path, is_switch_name, refers,
};
use programs::Views;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;

/// Refuses the text `new` if something of the host in it is another than in `old` and in the text it was read from.
pub fn check(old_text: &str, new_text: Arc<str>, old: &Config, env: &Env) -> Result<()> {
    // What does not parse is refused for that.
    let Ok(mut new) = parse::json5(&new_text) else { return Ok(()) };
    let mut written = parse::json5(old_text).unwrap_or_default();
    let check = Check { env, named: Agents::of(old, env).workspaces() };
    let place = Place { node: Some(lookup::root()), is_env: false, of_host: None };
    check.walk(&new, &[&written, old.whole()], place, "")?;
    let channels = |text: &mut Value| text.get_mut("channels").map(Value::take);
    let (said, stood) = (channels(&mut new), channels(&mut written));
    // Both texts may be large.
    drop((new, written));
    // All that it includes and names is what the host's own text names, so it can be looked at.
    let (new, _) = judge(env, new_text, &env.config_path);
    check.kept(old.whole(), Some(new.whole()), place, "")?;
    guards::check(&new, old, env)?;
    let after = [said.as_ref(), new.whole().get("channels")];
    let before = [stood.as_ref(), old.whole().get("channels")];
    programs::check(Views { new: after, old: before }, env)?;
    servers::check(&new, old, env)
}

/// The refusal, with the command for the host; `why` leads to it.
fn refused(env: &Env, at: &str, why: &str) -> Error {
    let how = match at.ends_with("$include") {
        true => format!("edit {} there", env.display(&env.config_path)),
        false => env.command(&format!("config set {at} ...")),
    };
    Error::invalid(format!("config write refused: {at} {why}change it on the host: {how}"))
        .with("code", "HOST_ONLY")
        .with("path", at)
}

const AFAR: &str = "and is not changed from afar; ";

struct Check<'a> {
    env: &'a Env,
    /// The workspaces that the configuration has.
    named: Vec<PathBuf>,
}

/// What a key names that only the host decides.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    File,
    Address,
    Switch,
}

#[derive(Clone, Copy)]
struct Place {
    node: Option<Node>,
    /// A block of variables.
    is_env: bool,
    /// At or below a key that names something of the host.
    of_host: Option<Of>,
}

impl Place {
    fn member(&self, name: &str) -> Place {
        let node = self.node.and_then(|node| node.child(name));
        let is_named = match node {
            Some(node) => node.key().is_some_and(|key| key.host_only),
            None => is_host_name(name) || is_address_name(name) || is_switch_name(name),
        };
        let is_switch = match node {
            Some(node) => node.key().is_some_and(|key| matches!(key.kind, Type::Bool)),
            None => is_switch_name(name),
        };
        let is_env = name == "env" || (self.is_env && name == "vars");
        let steers = self.is_env && !is_env && is_host_variable(name);
        let of = match () {
            () if !is_named && !steers && name != "$include" => None,
            () if is_switch => Some(Of::Switch),
            () if is_address_name(name) && !is_host_name(name) => Some(Of::Address),
            () => Some(Of::File),
        };
        Place { node, is_env, of_host: of.or(self.of_host) }
    }

    fn item(&self) -> Place {
        Place { node: self.node.and_then(|node| node.child("0")), ..*self }
    }
}

impl Check<'_> {
    /// `old` is what stood at this place, in any item where it is in a list.
    fn walk(&self, new: &Value, old: &[&Value], place: Place, at: &str) -> Result<()> {
        match new {
            Value::Object(map) => {
                self.reference(map, new, old, at)?;
                map.iter().try_for_each(|(name, value)| {
                    let old: Vec<&Value> = old.iter().filter_map(|old| old.get(name)).collect();
                    self.walk(value, &old, place.member(name), &join(at, name))
                })
            }
            // A command means what all of its words mean together.
            Value::Array(_) if place.of_host.is_some() => match self.is_as_before(new, old, place) {
                true => Ok(()),
                false => Err(self.named(at, place.of_host.unwrap_or(Of::File))),
            },
            Value::Array(items) => {
                let old: Vec<&Value> = old.iter().filter_map(|old| old.as_array()).flatten().collect();
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(i, item)| self.walk(item, &old, place.item(), &join(at, &i.to_string())))
            }
            Value::String(text) => self.text(text, new, old, place, at),
            // Whether a program is shut in, and the port of an address; elsewhere they say nothing of the host.
            Value::Bool(_) | Value::Number(_) => match place.of_host {
                Some(of @ (Of::Switch | Of::Address)) if !old.contains(&new) => Err(self.named(at, of)),
                _ => Ok(()),
            },
            Value::Null => Ok(()),
        }
    }

    /// A list of the host's is not taken away: what counts without it may be more. What only exists because it is named,
    /// such as an agent, goes with all it has.
    fn kept(&self, old: &Value, new: Option<&Value>, place: Place, at: &str) -> Result<()> {
        let new = new.filter(|new| !new.is_null());
        match old {
            Value::Array(items) if new.is_none() && !items.is_empty() => match place.of_host {
                Some(of) => Err(self.named(at, of)),
                None => Ok(()),
            },
            Value::Object(_) if new.is_none() && place.node.is_none_or(|node| node.is_optional()) => Ok(()),
            Value::Object(map) => map.iter().try_for_each(|(name, old)| {
                let new = new.and_then(|new| new.get(name));
                self.kept(old, new, place.member(name), &join(at, name))
            }),
            _ => Ok(()),
        }
    }

    fn is_as_before(&self, new: &Value, old: &[&Value], place: Place) -> bool {
        let stood = |old: &&Value| old.as_array().is_some_and(|list| !list.is_empty());
        let is_none = new == &Value::Array(Vec::new()) && !old.iter().any(stood);
        let is_default = place.node.and_then(|node| node.default()) == Some(new);
        is_none || is_default || old.iter().any(|old| self.is_same(old, new))
    }

    fn is_same(&self, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Array(old), Value::Array(new)) => {
                old.len() == new.len() && old.iter().zip(new).all(|(old, new)| self.is_same(old, new))
            }
            (old, Value::String(text)) => old == new || self.is_same_path(old, text),
            _ => old == new,
        }
    }

    /// `{source: "env", id: ...}`: a secret that the host has elsewhere.
    fn reference(&self, map: &Map<String, Value>, new: &Value, old: &[&Value], at: &str) -> Result<()> {
        let source = map.get("source").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let is_one = ["env", "file", "exec"].iter().any(|kind| source.eq_ignore_ascii_case(kind));
        if !is_one || old.contains(&new) || at.ends_with(".match") {
            return Ok(());
        }
        Err(refused(self.env, at, &format!("names a secret of the gateway's host (source {source}) {AFAR}")))
    }

    fn text(&self, text: &str, new: &Value, old: &[&Value], place: Place, at: &str) -> Result<()> {
        let variable = substitute::names(text).next();
        let of = match (place.of_host, place.node) {
            _ if is_of_webhook(at) => None,
            (Some(of), _) if !text.is_empty() => Some(of),
            (_, None) if is_path(text, at) => Some(Of::File),
            _ => None,
        };
        let refers = refers(text);
        if variable.is_none() && of.is_none() && !refers {
            return Ok(());
        }
        let is_default = place.node.and_then(|node| node.default()) == Some(new);
        if is_default || old.contains(&new) || old.iter().any(|old| self.is_same_path(old, text)) {
            return Ok(());
        }
        if at.ends_with(".workspace") && workspace::allowed_from_afar(self.env, &self.named, text).is_ok() {
            return Ok(());
        }
        Err(match (variable, of) {
            (Some(name), _) => {
                refused(self.env, at, &format!("names ${{{name}}}, a variable of the gateway's host {AFAR}"))
            }
            (None, Some(of)) => self.named(at, of),
            (None, None) => refused(self.env, at, &format!("names a secret of the gateway's host {AFAR}")),
        })
    }

    fn named(&self, at: &str, of: Of) -> Error {
        let what = match of {
            Of::File => "names a file, directory or program of the gateway's host",
            Of::Address => "names where the gateway's host sends what it knows",
            Of::Switch => "names how far programs of the gateway's host are shut in",
        };
        refused(self.env, at, &format!("{what} {AFAR}"))
    }

    /// `~/x` and what it stands for.
    fn is_same_path(&self, old: &Value, text: &str) -> bool {
        let is_path = text.starts_with(['~', '/']) && !text.contains('$');
        is_path && old.as_str().is_some_and(|old| self.env.expand(old) == self.env.expand(text))
    }
}

#[cfg(test)]
mod tests;
