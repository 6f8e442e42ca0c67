//! Whether a session's messages are taken and answered: what `sessions.patch` set on it, else the first rule of
//! `session.sendPolicy` that fits, else its default.
//!
//! Pure; the state thread asks before it accepts a message.
use super::Entry;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::session_key::{agent_of, kind_of};
use serde_json::Value;

const RULES: &str = "session.sendPolicy";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

/// Refuses a message that is not taken, and names the mistake if it is one that shuts the session.
pub fn check(config: &Config, key: &str, entry: &Entry) -> Result<()> {
    if decide(config, key, entry) == Decision::Allow {
        return Ok(());
    }
    let is_own = entry.get("sendPolicy").and_then(read).is_some();
    let mistake = config.mistake(RULES).filter(|_| !is_own);
    const BLOCKED: &str = "send blocked by session policy";
    Err(match mistake {
        Some(issue) => Error::config(format!("{BLOCKED}: {}", config.told_with_place(issue))),
        None => Error::invalid(BLOCKED),
    })
}

/// `key` is canonical. While the rules are disabled by a mistake, only main sessions are open: what they would
/// forbid is not known.
fn decide(config: &Config, key: &str, entry: &Entry) -> Decision {
    if let Some(own) = entry.get("sendPolicy").and_then(read) {
        return own;
    }
    if config.mistake(RULES).is_some() {
        let is_main = key == "global" || name_of(key) == "main";
        return if is_main { Decision::Allow } else { Decision::Deny };
    }
    let rules = config.get("session.sendPolicy.rules").and_then(Value::as_array);
    let rule = rules.into_iter().flatten().find(|rule| fits(rule.get("match"), key, entry));
    let of_rule = rule.map(|rule| rule.get("action").and_then(read).unwrap_or(Decision::Allow));
    let default = || config.get("session.sendPolicy.default").and_then(read);
    of_rule.or_else(default).unwrap_or(Decision::Allow)
}

fn read(value: &Value) -> Option<Decision> {
    match value.as_str()?.trim().to_lowercase().as_str() {
        "allow" => Some(Decision::Allow),
        "deny" => Some(Decision::Deny),
        _ => None,
    }
}

/// A rule without conditions fits all.
fn fits(wanted: Option<&Value>, key: &str, entry: &Entry) -> bool {
    let text = |name: &str| {
        let value = wanted.and_then(|wanted| wanted.get(name)).and_then(Value::as_str).unwrap_or_default();
        value.trim().to_lowercase()
    };
    let (channel, kind, prefix) = (text("channel"), text("chatType"), text("keyPrefix"));
    let kind = if kind == "dm" { "direct".to_string() } else { kind };
    (channel.is_empty() || channel_of(key, entry).is_some_and(|c| c.eq_ignore_ascii_case(&channel)))
        && (kind.is_empty() || chat_type(key, entry) == kind)
        && (key.starts_with(&prefix) || name_of(key).starts_with(&prefix))
}

/// A key without `agent:<id>:`, as rules and people write it.
fn name_of(key: &str) -> &str {
    key.strip_prefix("agent:")
        .and_then(|rest| rest.strip_prefix(agent_of(key))?.strip_prefix(':'))
        .unwrap_or(key)
}

fn channel_of<'a>(key: &'a str, entry: &'a Entry) -> Option<&'a str> {
    let of_key = || {
        let (channel, rest) = name_of(key).split_once(':')?;
        [":group:", ":channel:", ":direct:"]
            .iter()
            .any(|mark| format!(":{rest}").contains(mark))
            .then_some(channel)
    };
    entry.str("channel").or_else(|| entry.str("lastChannel")).or_else(of_key)
}

fn chat_type<'a>(key: &'a str, entry: &'a Entry) -> &'a str {
    match entry.str("chatType") {
        Some("dm") => "direct",
        Some(kind) => kind,
        None if key.contains(":channel:") => "channel",
        None => kind_of(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn decided(config: &str, key: &str, members: &[(&str, &str)]) -> Decision {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let mut entry = Entry::new("s", 1);
        for (name, value) in members {
            entry.set(name, *value);
        }
        decide(&Config::inspect(&mut dir.env(&[])), key, &entry)
    }

    const POLICY: &str = r#"{session: {sendPolicy: {default: "deny", rules: [
        {action: "allow", match: {keyPrefix: "agent:main:special"}},
        {action: "deny", match: {channel: "Discord", chatType: "group"}},
        {action: "deny", match: {keyPrefix: "cron:"}},
        {action: "allow", match: {channel: "discord"}},
        {action: "allow", match: {chatType: "dm"}},
    ]}}}"#;

    #[test]
    fn the_first_rule_that_fits_decides() {
        use Decision::{Allow, Deny};
        let check = |key: &str, members: &[(&str, &str)], want| {
            assert_eq!(decided(POLICY, key, members), want, "{key} {members:?}");
        };
        check("agent:main:special:1", &[("channel", "discord"), ("chatType", "group")], Allow);
        check("agent:main:discord:group:1", &[], Deny);
        check("agent:main:discord:channel:1", &[], Allow);
        check("agent:main:x", &[("lastChannel", "discord"), ("chatType", "group")], Deny);
        check("agent:main:cron:j", &[], Deny);
        check("agent:work:main", &[], Allow);
        check("agent:work:discord:direct:5", &[], Allow);
        check("agent:main:x", &[("chatType", "channel")], Deny);
        check("agent:main:slack:group:cron:", &[], Deny);
    }

    #[test]
    fn the_session_itself_comes_first_and_nothing_said_is_yes() {
        use Decision::{Allow, Deny};
        assert_eq!(decided(POLICY, "agent:main:cron:j", &[("sendPolicy", "allow")]), Allow);
        assert_eq!(decided("{}", "agent:main:main", &[("sendPolicy", "deny")]), Deny);
        assert_eq!(decided("{}", "agent:main:x:group:1", &[]), Allow);
        assert_eq!(decided("{session: {sendPolicy: {rules: [{action: 'deny'}]}}}", "global", &[]), Deny);
        assert_eq!(decided("{session: {sendPolicy: {default: 'deny'}}}", "agent:main:main", &[]), Deny);
    }

    #[test]
    fn a_mistake_in_the_section_opens_nothing_but_main_sessions() {
        let broken = "{session: {sendPolicy: {rules: 5}}}";
        assert_eq!(decided(broken, "agent:main:telegram:group:1", &[]), Decision::Deny);
        assert_eq!(decided(broken, "agent:main:main", &[]), Decision::Allow);
        // B2-1: another key of the section shuts nothing, and the refusal names the one that does.
        assert_eq!(decided("{session: {dmScope: 'x'}}", "agent:main:telegram:group:1", &[]), Decision::Allow);
        let dir = Dir::new();
        dir.write("openclaw.json", broken);
        let config = Config::inspect(&mut dir.env(&[]));
        let refused =
            |entry: &Entry| check(&config, "agent:main:quiet", entry).unwrap_err().message().to_string();
        let mut entry = Entry::new("s", 1);
        let told = refused(&entry);
        assert!(
            told.contains("policy: session.sendPolicy.rules: ") && told.contains("openclaw.json:1:"),
            "{told}"
        );
        entry.set("sendPolicy", "deny");
        assert_eq!(refused(&entry), "send blocked by session policy");
    }
}
