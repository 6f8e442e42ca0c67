//! The menu of commands that Telegram's clients show: told once the account takes messages, and only when it is
//! another one than Telegram took last. Whatever becomes of it, messages come and go.
use super::api::{Bot, CALL};
use super::line::Line;
use super::outcome::Outcome;
use crate::channels::accounts::Account;
use crate::config::Config;
use crate::deliveries::dedupe::params_hash;
use crate::error::Result;
use crate::files;
use crate::json::json;
use crate::slash::COMMANDS;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

const MOST: usize = 100;
/// Characters of all names and descriptions.
const MOST_TEXT: usize = 5700;
const MAX_NAME: usize = 32;
const MAX_DESCRIPTION: usize = 256;
/// After these it is tried again.
const PAUSES: [u64; 3] = [10, 60, 600];

pub fn put(line: &Line, bot: &mut Bot) -> Result<()> {
    let config = line.config();
    let (commands, notes) = entries(&config, &line.account(&config));
    let mark = params_hash(&json!({"bot": line.id, "commands": commands.clone()}));
    let path = place(line);
    if files::read_text(&path).is_ok_and(|known| known.trim() == mark) {
        return Ok(());
    }
    notes.iter().for_each(|note| log::warn!(target: "channels/telegram", "[{}] {note}", line.name()));
    let method = if commands.is_empty() { "deleteMyCommands" } else { "setMyCommands" };
    let params = json!({"commands": commands});
    for pause in PAUSES {
        let text = match bot.call(method, &params, CALL, line.house.cancel()) {
            Outcome::Done(_) => {
                if let Err(e) = files::write_atomic(&path, format!("{mark}\n").as_bytes()) {
                    log::warn!(target: "channels/telegram", "[{}] {e}", line.name());
                }
                return Ok(());
            }
            Outcome::Refused(refusal) => refusal.text,
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => trouble.text,
        };
        log::info!(target: "channels/telegram", "[{}] the menu of commands is not set: {text}", line.name());
        if !line.house.sleep(Duration::from_secs(pause))? {
            break;
        }
    }
    Ok(())
}

fn place(line: &Line) -> PathBuf {
    let name: String = line.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    line.house.settings().env.state_dir.join("telegram").join(format!("menu-{name}"))
}

/// What the menu holds, and what was left out of it, in sentences.
fn entries(config: &Config, account: &Account) -> (Vec<Value>, Vec<String>) {
    let own = account.get("commands").and_then(|commands| commands.get("native"));
    if own.or_else(|| config.get("commands.native")) == Some(&Value::Bool(false)) {
        return (Vec::new(), Vec::new());
    }
    let (mut found, mut notes): (Vec<(String, String)>, Vec<String>) = Default::default();
    found.extend(
        COMMANDS.iter().filter(|c| !c.doc.is_empty()).map(|c| (c.name.to_string(), c.doc.to_string())),
    );
    let customs = account.get("customCommands").and_then(Value::as_array).into_iter().flatten();
    for custom in customs {
        let text =
            |name: &str| custom.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_string();
        let (written, about) = (text("command"), text("description"));
        let name = written.trim_start_matches('/').to_lowercase().replace('-', "_");
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) || about.is_empty() {
            notes.push(format!("custom command \"{written}\" is left out of the menu: write a-z, 0-9 and _, at most {MAX_NAME}, and a description"));
        } else if crate::slash::find(&name).is_some() {
            notes.push(format!("custom command \"/{name}\" conflicts with a native command."));
        } else if !found.iter().any(|(known, _)| *known == name) {
            found.push((name, about));
        }
    }
    let (all, mut sum) = (found.len(), 0);
    let fits = found.into_iter().take(MOST).map(|(name, about)| {
        let about: String = about.chars().take(MAX_DESCRIPTION).collect();
        (name, about)
    });
    let commands: Vec<Value> = fits
        .take_while(|(name, about)| {
            sum += name.len() + about.chars().count();
            sum <= MOST_TEXT
        })
        .map(|(name, about)| json!({"command": name, "description": about}))
        .collect();
    if commands.len() < all {
        notes.push(format!("the menu of commands holds {} of {all}: Telegram takes no more", commands.len()));
    }
    (commands, notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn menu(text: &str) -> (Vec<Value>, Vec<String>) {
        let config = Dir::new().config(text);
        entries(&config, &Account::of(&config, "telegram", "default"))
    }

    #[test]
    fn r_40_the_menu_is_bounded_and_says_what_is_left_out() {
        let (plain, notes) = menu("{}");
        assert!(plain.iter().any(|c| c["command"] == "status") && notes.is_empty());
        assert!(plain.iter().all(|c| c["command"] != "bash"), "what is not there is not offered");
        let (with, notes) = menu(
            "{channels: {telegram: {customCommands: [{command: '/Backup', description: 'Save'}, {command: 'status', \
             description: 'x'}, {command: 'a b', description: 'x'}, {command: 'x'}]}}}",
        );
        assert_eq!(with.last(), Some(&json!({"command": "backup", "description": "Save"})));
        assert_eq!((with.len(), notes.len()), (plain.len() + 1, 3), "{notes:?}");
        let many: Vec<Value> =
            (0..200).map(|n| json!({"command": format!("c{n}"), "description": "d".repeat(300)})).collect();
        let (cut, notes) = menu(&json!({"channels": {"telegram": {"customCommands": many}}}).to_string());
        let length = |c: &Value, name: &str| c[name].as_str().unwrap().chars().count();
        assert!(
            cut.iter().map(|c| length(c, "command") + length(c, "description")).sum::<usize>() <= MOST_TEXT
        );
        assert!(cut.len() < MOST && notes.len() == 1, "{notes:?}");
        assert!(menu("{commands: {native: false}}").0.is_empty());
        let own = "{commands: {native: false}, channels: {telegram: {commands: {native: true}}}}";
        assert!(!menu(own).0.is_empty());
    }
}
