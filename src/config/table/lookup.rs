//! Search in the table of keys: which row describes a concrete path, its default, its reload class, and the
//! key a mistyped one was meant to be.
//!
//! Pure; any thread. A `Node` is a place in the tree the rows span, held as a slice of the sorted table, so
//! nothing is built or kept except the parsed defaults.
use crate::config::keys::{self, KEYS, Key, LIMITS, Reload, Type};
use crate::error::Error;
use crate::json;
use crate::parts::Parts;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One place in the tree of keys: the rows at and below a path.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    rows: &'static [Key],
    /// How many segments of the rows' paths lead here.
    depth: usize,
    /// Where the next one begins in all of them.
    at: usize,
    /// Set below a `Like` row, where defaults do not hold: unset there means "as in the general section".
    via: Option<&'static Key>,
}

/// The whole configuration.
pub fn root() -> Node {
    Node { rows: KEYS, depth: 0, at: 0, via: None }
}

/// The place of a concrete path; `None` when the table has no such key.
pub fn find<'p>(path: impl IntoIterator<Item = &'p str>) -> Option<Node> {
    path.into_iter().try_fold(root(), |node, segment| node.child(segment))
}

/// Whether the table describes the path, be it as something it accepts unchecked.
pub fn is_covered(path: &[&str]) -> bool {
    let mut node = root();
    for segment in path {
        match node.child(segment) {
            Some(next) => node = next,
            None => return node.kind() == Type::Any,
        }
    }
    true
}

/// What a change of this path does: the class of the longest row that covers it.
pub fn reload<'p>(path: impl IntoIterator<Item = &'p str>) -> Reload {
    let mut class = Reload::Restart;
    let mut node = root();
    for segment in path {
        let Some(next) = node.child(segment) else {
            return if node.kind() == Type::Any { class } else { Reload::Unread };
        };
        node = next;
        class = node.key().map_or(class, |key| *key.reload);
    }
    class
}

/// The segment of a row's path that begins there; nothing where the path ends before.
fn segment(key: &Key, at: usize) -> &'static str {
    let rest = key.path.tail(at.min(key.path.len()));
    // Names are short: a search made for long texts takes longer to begin than this does.
    rest.bytes().position(|b| b == b'.').map_or(rest, |end| rest.head(end))
}

impl Node {
    /// The row of exactly this place.
    pub fn key(&self) -> Option<&'static Key> {
        self.rows.first().filter(|key| key.path.len() + 1 == self.at)
    }

    /// The type, seen through nothing: `Like` stays `Like`. A place without a row of its own is an object.
    pub fn kind(&self) -> Type {
        self.key().map_or(Type::Object, |key| *key.kind)
    }

    pub fn sensitive(&self) -> bool {
        self.key().is_some_and(|key| key.sensitive)
    }

    /// Whether it is the place `pattern`, with `*` where a row has it.
    pub fn is_at(&self, pattern: &str) -> bool {
        let names = self.rows.first().map(|key| key.path.split('.').take(self.depth));
        names.is_some_and(|names| names.eq(pattern.split('.')))
    }

    /// Whether it is the section of a channel by a program.
    pub fn is_program(&self) -> bool {
        let section = self.key().and_then(|key| key.path.strip_prefix("channels."));
        self.kind() == Type::Any && section.is_some_and(|name| !name.contains('.'))
    }

    /// Whether secrets belong right below it.
    pub fn has_secret_members(&self) -> bool {
        self.rows.iter().any(|key| key.sensitive && key.path.split('.').count() == self.depth + 1)
    }

    /// Whether a key of this name, which the table does not have here, was probably meant to be that of a secret.
    pub fn means_secret(&self, name: &str) -> bool {
        let is_secret = |known: &&str| self.child(known).is_some_and(|node| node.sensitive());
        self.names().iter().filter(|known| is_near(known, name)).any(is_secret)
    }

    /// Whether it is, or is below, something that exists only when a user names or lists it.
    pub fn is_optional(&self) -> bool {
        self.rows.first().is_some_and(|key| key.path.split('.').take(self.depth).any(|name| name == "*"))
    }

    /// The default value of exactly this place.
    pub fn default(&self) -> Option<&'static Value> {
        static DEFAULTS: LazyLock<HashMap<&'static str, Value>> = LazyLock::new(|| {
            // Our own texts, a few values each.
            let parse = |key: &Key| Some((key.path, json::read(key.default?, 100, 8).ok()?));
            keys::all().filter_map(parse).collect()
        });
        if self.via.is_some() { None } else { DEFAULTS.get(self.key()?.path) }
    }

    /// The place of a key or list item below this one.
    pub fn child(&self, name: &str) -> Option<Node> {
        let own = self.own_child(name).or_else(|| self.own_child("*"));
        if own.is_some() {
            return own;
        }
        self.model().and_then(|model| model.child(name)).filter(|node| !node.leads_back())
    }

    /// Names of the keys below this place, `*` for any; without those that `Like` adds.
    pub fn own_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let at = self.at;
        let mut last = "";
        self.rows().iter().filter_map(move |key| {
            let name = segment(key, at);
            let new = !name.is_empty() && name != last;
            last = name;
            new.then_some(name)
        })
    }

    /// Names of all keys below this place, those that `Like` adds included.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.own_names().collect();
        if let Some(model) = self.model() {
            names.extend(model.names().into_iter().filter(|name| self.child(name).is_some()));
        }
        crate::order::sort(&mut names);
        names.dedup();
        names
    }

    pub fn own_child(&self, name: &str) -> Option<Node> {
        let (at, rows) = (self.at, self.rows());
        let from = rows.partition_point(|key| segment(key, at) < name);
        let rest = rows.get(from..)?;
        let found = rest.get(..rest.partition_point(|key| segment(key, at) == name))?;
        let empty = found.is_empty() || name.is_empty();
        let (depth, at) = (self.depth + 1, at + name.len() + 1);
        (!empty).then_some(Node { rows: found, depth, at, via: self.via })
    }

    /// The rows below this place, with its own.
    fn rows(&self) -> &'static [Key] {
        let Some(own) = self.key().filter(|key| *key.kind == Type::Limits) else { return self.rows };
        let is_above = |key: &Key| !key.path.strip_prefix(own.path).is_some_and(|rest| rest.starts_with('.'));
        let from = LIMITS.partition_point(|key| key.path < own.path);
        let rest = LIMITS.tail(from);
        rest.head(rest.iter().position(is_above).unwrap_or(rest.len()))
    }

    /// The place a `Like` row points to.
    fn model(&self) -> Option<Node> {
        let key = self.key()?;
        let Type::Like(path) = *key.kind else { return None };
        let mut node = root();
        for name in path.split('.') {
            node = node.own_child(name)?;
        }
        Some(Node { via: Some(key), ..node })
    }

    /// Whether this place contains the `Like` row it was reached by: an account has no accounts.
    fn leads_back(&self) -> bool {
        let inside = |like: &&Key| self.rows.iter().any(|key| key.path == like.path);
        self.via.as_ref().is_some_and(inside)
    }
}

/// The path an unknown key was probably meant to have: a similar name at the same place, else the only key of
/// exactly this name anywhere.
pub fn nearest(parent: &str, node: Node, name: &str) -> Option<String> {
    let near = node
        .names()
        .into_iter()
        .filter(|known| is_near(known, name))
        .min_by_key(|known| distance(known, name));
    if let Some(known) = near {
        return Some(if parent.is_empty() { known.to_string() } else { format!("{parent}.{known}") });
    }
    let same = |key: &&Key| !key.path.contains('*') && key.path.rsplit('.').next() == Some(name);
    let mut rows = keys::all().filter(same);
    rows.next().filter(|_| rows.next().is_none()).map(|key| key.path.to_string())
}

/// The one of `names` that was probably meant.
pub fn closest<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    names.filter(|known| is_near(known, name)).min_by_key(|known| distance(known, name))
}

fn is_near(known: &str, name: &str) -> bool {
    known != "*" && distance(known, name) <= (name.chars().count() / 2).clamp(1, 3)
}

/// Whether `name` is `known` but for one letter, or for two that have changed places.
pub fn is_slip(known: &str, name: &str) -> bool {
    let letters = |text: &str| {
        let mut letters = text.as_bytes().to_vec();
        crate::order::sort(&mut letters);
        letters
    };
    match distance(known, name) {
        0 | 1 => true,
        2 => known.len() == name.len() && letters(known) == letters(name),
        _ => false,
    }
}

/// The error for a path, as it was `typed`, that nothing has.
pub fn unknown(typed: &str, path: &[&str]) -> Error {
    let hint = meant(path).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Error::not_found(format!("Config path not found: {typed}{hint}"))
}

/// The path that a user's path was probably meant to be: the first name of it that nothing has, corrected.
pub fn meant(path: &[&str]) -> Option<String> {
    let mut node = root();
    for (i, name) in path.iter().enumerate() {
        match node.child(name) {
            Some(next) => node = next,
            None => return nearest(&path.get(..i)?.join("."), node, name),
        }
    }
    None
}

/// Edit distance without regard to case, a swap of neighbours counting two.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, cb) in b.to_lowercase().chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (ca, above) in a.iter().zip(row.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(*ca != cb));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::action::Action;

    fn row(path: &str) -> Option<&'static str> {
        find(path.split('.')).map(|node| node.key().map_or("(object)", |key| key.path))
    }

    #[test]
    fn concrete_paths_find_their_rows() {
        for (path, want) in [
            ("gateway.port", Some("gateway.port")),
            ("gateway.auth", Some("(object)")),
            ("gateway.prot", None),
            ("models.providers.a.b", None),
            ("models.providers.a.models.0.maxTokens", Some("models.providers.*.models.*.maxTokens")),
            ("channels.telegram.accounts.work.botToken", Some("channels.telegram.botToken")),
            ("channels.telegram.accounts.work.accounts", None),
            ("channels.whatsapp.accounts.x.authDir", Some("channels.whatsapp.accounts.*.authDir")),
            ("agents.list.0.tools.exec.host", Some("tools.exec.host")),
            ("env.vars.X", Some("env.vars.*")),
            ("env.X", Some("env.*")),
            ("gateway.limits.drainMs", Some("gateway.limits.drainMs")),
            ("gateway.auth.rateLimit.windowMs", Some("gateway.auth.rateLimit.windowMs")),
            ("gateway.limits.rateLimit", None),
            ("gateway.limits.drainMs.x", None),
        ] {
            assert_eq!(row(path), want, "{path}");
        }
    }

    #[test]
    fn every_like_points_to_rows_and_every_star_has_a_map_or_list_above() {
        for key in keys::all() {
            if let Type::Like(path) = *key.kind {
                assert!(find(path.split('.')).is_some(), "{} points to {path}", key.path);
            }
            if let Some((parent, _)) = key.path.split_once(".*") {
                let kind = find(parent.split('.')).map(|node| node.kind());
                // Among the channels those that are programs have names of their own.
                assert!(
                    parent == "channels" || matches!(kind, Some(Type::Map | Type::List)),
                    "{parent} needs a row of type Map or List"
                );
            }
        }
    }

    #[test]
    fn n_25_every_limit_is_a_key() {
        let count = |path: &str| find(path.split('.')).unwrap().names().len();
        assert_eq!(count("gateway.limits") + count("gateway.auth.rateLimit"), LIMITS.len());
        assert!(LIMITS.is_sorted_by_key(|key| key.path), "the table of limits is sorted by key");
        let drain = find("gateway.limits.drainMs".split('.')).unwrap();
        assert_eq!(
            (drain.default(), drain.kind()),
            (Some(&30000.into()), Type::Int { min: 0, max: 3_600_000 })
        );
    }

    #[test]
    fn defaults_are_json_and_end_where_like_begins() {
        for key in keys::all() {
            let text = key.default.unwrap_or("null");
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{}: {text}", key.path);
        }
        let default = |path: &str| find(path.split('.')).unwrap().default();
        assert_eq!(default("channels.telegram.dmPolicy"), Some(&Value::from("pairing")));
        assert_eq!(default("channels.telegram.accounts.a.dmPolicy"), None);
    }

    #[test]
    fn the_longest_row_gives_the_reload_class() {
        for (path, want) in [
            ("gateway.port", Reload::Restart),
            ("gateway.reload.mode", Reload::None),
            ("meta.lastTouchedAt", Reload::Unread),
            ("agents.defaults.heartbeat.every", Reload::Hot(Action::Heartbeat)),
            ("agents.list", Reload::None),
            ("channels", Reload::Restart),
            ("channels.telegram.groups", Reload::Hot(Action::Channels)),
            ("nonsense", Reload::Unread),
            // N-15
            ("gateway.bnd", Reload::Unread),
            ("gateway.auth.tokn", Reload::Unread),
        ] {
            assert_eq!(reload(path.split('.')), want, "{path}");
        }
    }

    #[test]
    fn mistyped_keys_find_what_was_meant() {
        let check = |parent: &str, name: &str, want: Option<&str>| {
            let node = if parent.is_empty() { root() } else { find(parent.split('.')).unwrap() };
            assert_eq!(nearest(parent, node, name).as_deref(), want, "{parent} {name}");
        };
        check("gateway", "prot", Some("gateway.port"));
        check("", "gatway", Some("gateway"));
        check("agents.list.0.tools", "alow", Some("agents.list.0.tools.allow"));
        check("", "customBindHost", Some("gateway.customBindHost"));
        check("gateway.limits", "drainMS", Some("gateway.limits.drainMs"));
        check("", "zzzzzz", None);
    }
}
