//! What becomes of a chat itself: a group goes on as a supergroup with another id (R-49c), the bot is let in or put out.
use super::line::Line;
use super::message::{Chat, ChatKind};
use super::update::Member;
use crate::channels::ids::bare;
use crate::config::Config;
use crate::config::edit::{Draft, change};
use crate::error::Result;
use crate::logging::quoted;
use serde_json::Value;

/// All that names the old id names the new one from now on: the configuration, the sessions, what is remembered.
pub fn migrate(line: &Line, chat: &Chat, old: i64, new: i64) -> Result<()> {
    let (name, title) = (line.name(), quoted(&chat.name()));
    log::info!(target: "channels/telegram", "[{name}] Group migrated: {title} {old} → {new}");
    line.memory.migrate(old, new);
    let (old, new) = (old.to_string(), new.to_string());
    line.moved(&old, &new);
    line.house.move_group(&old, &new)?;
    let config = line.config();
    if line.account(&config).get("configWrites") == Some(&Value::Bool(false)) {
        log::warn!(target: "channels/telegram", "[{name}] the configuration is not changed (configWrites is false): name the group {new} there, where it names {old}");
        return Ok(());
    }
    match rename(line, &config, &old, &new) {
        Ok(0) => {
            log::info!(target: "channels/telegram", "[{name}] No config found for old group ID {old}, migration logged only")
        }
        Ok(_) => {
            log::info!(target: "channels/telegram", "[{name}] Group config migrated and saved successfully")
        }
        Err(e) => {
            log::error!(target: "channels/telegram", "[{name}] {e}: name the group {new} there, where it names {old}")
        }
    }
    Ok(())
}

/// Writes the new id in place of the old one, wherever the file has it; how often.
fn rename(line: &Line, config: &Config, old: &str, new: &str) -> Result<usize> {
    // Most groups are named nowhere; then the file is not touched.
    let places = |config: &Value| (groups(config, old, new), bindings(config, old), lists(config, old));
    if matches!(places(config.whole()), (groups, bindings, lists) if groups.is_empty() && bindings.is_empty() && lists.is_empty())
    {
        return Ok(0);
    }
    let work = |draft: &mut Draft| {
        let (groups, bindings, lists) = places(&draft.value()?);
        // First of all, for they stand below the old names.
        for path in &lists {
            draft.set(&path.iter().map(String::as_str).collect::<Vec<_>>(), new)?;
        }
        for path in &groups {
            draft.rename(&path.iter().map(String::as_str).collect::<Vec<_>>(), new)?;
        }
        for at in &bindings {
            draft.set(&["bindings", &at.to_string(), "match", "peer", "id"], new)?;
        }
        Ok(groups.len() + bindings.len() + lists.len())
    };
    change(&line.house.settings().env.config_path, work).map(|(times, _)| times)
}

/// Where groups are listed by the old id, and not by the new one yet.
fn groups(config: &Value, old: &str, new: &str) -> Vec<Vec<String>> {
    let Some(telegram) = config.get("channels").and_then(|all| all.get("telegram")) else {
        return Vec::new();
    };
    let accounts = telegram.get("accounts").and_then(Value::as_object);
    let accounts =
        accounts.into_iter().flatten().map(|(id, account)| (vec!["accounts", id.as_str()], account));
    let is_old = |section: &Value| {
        section.get("groups").is_some_and(|groups| groups.get(old).is_some() && groups.get(new).is_none())
    };
    let all = std::iter::once((Vec::new(), telegram)).chain(accounts).filter(|(_, section)| is_old(section));
    all.map(|(path, _)| {
        ["channels", "telegram"].into_iter().chain(path).chain(["groups", old]).map(str::to_string).collect()
    })
    .collect()
}

/// Where lists of senders let in who writes in its name.
fn lists(config: &Value, old: &str) -> Vec<Vec<String>> {
    let Some(telegram) = config.get("channels").and_then(|all| all.get("telegram")) else {
        return Vec::new();
    };
    let (mut found, start) = (Vec::new(), ["channels", "telegram"].map(str::to_string).to_vec());
    let mut waiting = vec![(start, telegram)];
    while let Some((path, section)) = waiting.pop() {
        for (name, value) in section.as_object().into_iter().flatten() {
            let path: Vec<String> = path.iter().chain([name]).cloned().collect();
            match value {
                Value::Array(list) if matches!(name.as_str(), "allowFrom" | "groupAllowFrom") => {
                    let is_old = |entry: &Value| match entry {
                        Value::String(text) => bare("telegram", text) == old,
                        other => other.as_i64() == old.parse().ok(),
                    };
                    let at = list
                        .iter()
                        .enumerate()
                        .filter(|(_, entry)| is_old(entry))
                        .map(|(at, _)| at.to_string());
                    found.extend(at.map(|at| path.iter().cloned().chain([at]).collect()));
                }
                Value::Object(_) => waiting.push((path, value)),
                _ => {}
            }
        }
    }
    found
}

/// The bindings that name it.
fn bindings(config: &Value, old: &str) -> Vec<usize> {
    let all = config.get("bindings").and_then(Value::as_array).into_iter().flatten();
    let is_old = |binding: &Value| {
        let wanted = binding.get("match");
        let channel = wanted.and_then(|wanted| wanted.get("channel")?.as_str());
        let peer = wanted.and_then(|wanted| wanted.get("peer")?.get("id")?.as_str());
        channel.is_some_and(|name| name.eq_ignore_ascii_case("telegram")) && peer == Some(old)
    };
    all.enumerate().filter(|(_, binding)| is_old(binding)).map(|(at, _)| at).collect()
}

/// Tells that the bot was let in, put out or blocked.
pub fn joined(line: &Line, member: &Member) {
    let (name, id) = (line.name(), member.chat.id);
    let title = quoted(&member.chat.name());
    let is_direct = member.chat.kind == ChatKind::Private;
    match (member.new.as_str(), is_direct) {
        ("kicked", true) => log::info!(target: "channels/telegram", "[{name}] blocked by {title} ({id})"),
        ("left" | "kicked", false) => {
            log::info!(target: "channels/telegram", "[{name}] removed from {title} ({id})")
        }
        (now, _) => log::info!(target: "channels/telegram", "[{name}] is {} in {title} ({id})", quoted(now)),
    }
}
