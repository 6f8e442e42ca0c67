//! What is told to the program of a channel: its server and what proves us there stand side by side under names that only
//! the program knows, so none of it is changed from afar. What the gateway itself reads there is judged by name. Pure, over
//! the settings before and after, as they are written and as they count: a section with a mistake counts without it.
use super::{AFAR, refused};
use crate::config::{OF_PROGRAMS, SHARED_WITH_PROGRAMS, join, lookup};
use crate::env::Env;
use crate::error::Result;
use serde_json::Value;
use std::collections::BTreeSet;

/// A place in what is written and in what counts, afterwards and before.
#[derive(Clone, Copy)]
pub struct Views<'v> {
    pub new: [Option<&'v Value>; 2],
    pub old: [Option<&'v Value>; 2],
}

impl<'v> Views<'v> {
    fn child(self, name: &str) -> Views<'v> {
        let below = |at: [Option<&'v Value>; 2]| at.map(|at| at.and_then(|at| at.get(name)));
        Views { new: below(self.new), old: below(self.old) }
    }

    /// The names of members, of some of the four.
    fn names(of: impl Iterator<Item = Option<&'v Value>>) -> BTreeSet<&'v str> {
        of.flatten().filter_map(Value::as_object).flat_map(|map| map.keys().map(String::as_str)).collect()
    }

    fn is_kept(self) -> bool {
        let mut old = self.old.into_iter().flatten();
        match self.new.into_iter().flatten().next() {
            Some(new) => old.any(|old| old == new),
            None => old.next().is_none(),
        }
    }
}

pub fn check(channels: Views, env: &Env) -> Result<()> {
    Views::names(channels.new.into_iter()).into_iter().try_for_each(|id| {
        let node = lookup::find(["channels", id]);
        // A program of the table is one whose rows name a command.
        let Some(node) = node.filter(|node| node.is_program() || node.own_child("command").is_some()) else {
            return Ok(());
        };
        let (at, section) = (join("channels", id), channels.child(id));
        kept(section, node, &at, env)?;
        let (at, accounts) = (join(&at, "accounts"), section.child("accounts"));
        Views::names(accounts.new.into_iter())
            .into_iter()
            .try_for_each(|id| kept(accounts.child(id), node, &join(&at, id), env))
    })
}

/// A section or an account.
fn kept(section: Views, node: lookup::Node, at: &str, env: &Env) -> Result<()> {
    let is_read = |name: &str| OF_PROGRAMS.contains(&name) || SHARED_WITH_PROGRAMS.contains(&name);
    let has_row =
        |name: &str| node.own_child(name).is_some_and(|child| child.key().is_none_or(|key| !key.host_only));
    let is_hosts = |name: &str| name == "command" || !(is_read(name) || has_row(name));
    let names = Views::names(section.new.into_iter().chain(section.old));
    let Some(name) = names.into_iter().find(|name| is_hosts(name) && !section.child(name).is_kept()) else {
        return Ok(());
    };
    let what = if name == "command" { "names" } else { "is told to" };
    Err(refused(env, &join(at, name), &format!("{what} a program of the gateway's host {AFAR}")))
}
