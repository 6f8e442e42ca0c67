//! Bindings: which agent answers which channel or account, as the config lists them and `agents add --bind` adds them.
//!
//! For the command line. How a message finds its agent by them is `sessions::routing`.
use crate::config::Config;
use crate::config::edit::change;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::session_key::normalise_agent_id;
use serde_json::{Map, Value};

/// What became of the bindings asked for, each described in words.
#[derive(Debug, Default)]
pub struct Bound {
    pub added: Vec<String>,
    /// There already.
    pub skipped: Vec<String>,
    /// They belong to another agent and stay there.
    pub conflicts: Vec<String>,
}

/// Reads `channel` or `channel:account` as the `match` of a binding.
pub fn parse(text: &str) -> Result<Value> {
    let (channel, account) =
        text.trim().split_once(':').map_or((text.trim(), None), |(c, a)| (c, Some(a.trim())));
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let is_account =
        |name: &str| !name.is_empty() && name.len() <= 128 && !name.chars().any(char::is_control);
    if !is_name(channel) || account.is_some_and(|account| !is_account(account)) {
        return Err(Error::usage(format!(
            "--bind takes <channel> or <channel>:<account>, not {}",
            crate::logging::quoted(text)
        )));
    }
    let mut wanted = Map::from_iter([("channel".to_string(), channel.to_ascii_lowercase().into())]);
    if let Some(account) = account {
        wanted.put("accountId", account);
    }
    Ok(wanted.into())
}

/// Adds bindings for the agent to the config's file.
pub fn add(env: &Env, id: &str, wanted: &[Value]) -> Result<Bound> {
    let add = |draft: &mut crate::config::edit::Draft| {
        let mut bound = Bound::default();
        for wanted in wanted {
            let value = draft.value()?;
            let there = value.get("bindings").and_then(Value::as_array).into_iter().flatten();
            let same = there.into_iter().find(|binding| binding.get("match") == Some(wanted));
            match same.map(agent_of) {
                Some(owner) if owner == id => bound.skipped.push(describe(wanted)),
                Some(owner) => bound.conflicts.push(format!("{} (agent={owner})", describe(wanted))),
                None => {
                    draft.append(&["bindings"], &json!({"agentId": id, "match": wanted}))?;
                    bound.added.push(describe(wanted));
                }
            }
        }
        Ok(bound)
    };
    change(&env.config_path, add).map(|(bound, _)| bound)
}

/// The bindings of an agent, described in words.
pub fn of(config: &Config, id: &str) -> Vec<String> {
    let all = config.get("bindings").and_then(Value::as_array).into_iter().flatten();
    let own = all.filter(|binding| agent_of(binding) == id);
    own.map(|binding| describe(binding.get("match").unwrap_or(&Value::Null))).collect()
}

fn agent_of(binding: &Value) -> String {
    normalise_agent_id(binding.get("agentId").and_then(Value::as_str).unwrap_or_default())
}

/// `telegram accountId=work peer=group:-5`
fn describe(wanted: &Value) -> String {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_string);
    let mut words = vec![text(wanted, "channel").unwrap_or_else(|| "any channel".into())];
    for name in ["accountId", "guildId", "teamId"] {
        words.extend(text(wanted, name).map(|value| format!("{name}={value}")));
    }
    if let Some(peer) = wanted.get("peer") {
        let part = |name: &str| text(peer, name).unwrap_or_default();
        words.push(format!("peer={}:{}", part("kind"), part("id")));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn bindings_are_added_once_and_taken_from_nobody() {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{\n  // who answers\n  bindings: [{agentId: 'a', match: {channel: 'telegram'}}],\n}\n",
        );
        let mut env = dir.env(&[]);
        let wanted = |texts: &[&str]| texts.iter().map(|text| parse(text).unwrap()).collect::<Vec<_>>();
        let bound = add(&env, "b", &wanted(&["telegram", "Telegram:work", "telegram:work"])).unwrap();
        assert_eq!(bound.added, ["telegram accountId=work"]);
        assert_eq!(bound.skipped, ["telegram accountId=work"]);
        assert_eq!(bound.conflicts, ["telegram (agent=a)"]);
        assert!(std::fs::read_to_string(dir.path("openclaw.json")).unwrap().contains("// who answers"));
        let config = Config::load(&mut env).unwrap();
        assert_eq!(of(&config, "b"), ["telegram accountId=work"]);
        for text in ["", ":x", "tele gram", "telegram:"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
