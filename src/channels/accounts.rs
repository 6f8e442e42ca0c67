//! The accounts of a channel: which there are, and what the configuration says of one. Pure; its `token` stands
//! beside it.
use crate::agents::routing::account_name;
use crate::config::{Config, Issue};
use crate::error::{Error, Result};
use crate::session_key::normalise_agent_id;
use serde_json::Value;

pub const DEFAULT: &str = "default";
/// One login of a channel.
pub struct Account<'a> {
    pub config: &'a Config,
    pub channel: &'a str,
    pub id: String,
    /// Its key in `accounts`, where it has one.
    pub(super) written: Option<&'a str>,
}

/// The ids of a channel's accounts, sorted: those of `accounts` and those that bindings name, else `default`.
pub fn ids(config: &Config, channel: &str) -> Vec<String> {
    let bound = bindings(config, channel).map(|(_, account)| account);
    let mut ids: Vec<String> = keys(config, channel).chain(bound).map(account_name).collect();
    crate::order::sort(&mut ids);
    ids.dedup();
    if ids.is_empty() { vec![DEFAULT.to_string()] } else { ids }
}

/// The account that is meant where none is named: the default agent's, else `default`, else the first.
pub fn default_id(config: &Config, channel: &str, default_agent: &str) -> String {
    let own = bindings(config, channel).find(|(agent, _)| normalise_agent_id(agent) == default_agent);
    if let Some((_, account)) = own {
        return account_name(account);
    }
    let ids = ids(config, channel);
    let first = ids.first().cloned().filter(|_| !ids.iter().any(|id| id == DEFAULT));
    first.unwrap_or_else(|| DEFAULT.to_string())
}

impl<'a> Account<'a> {
    pub fn of(config: &'a Config, channel: &'a str, id: &str) -> Account<'a> {
        let id = account_name(id);
        let is_exact = |key: &&str| *key == id;
        let exact = keys(config, channel).find(is_exact);
        let written = exact.or_else(|| keys(config, channel).find(|key| account_name(key) == id));
        Account { config, channel, id, written }
    }

    /// What is in force for it: its own, whole as it is, else the channel's, else the default.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.set(key)
            .map(|(value, _)| value)
            .or_else(|| self.config.default_in(&["channels", self.channel, key]))
    }

    pub fn str(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// A member of what is written for a key of several.
    pub fn part(&self, key: &str, member: &str) -> Option<&'a Value> {
        self.set(key)?.0.get(member)
    }

    /// What is written for it or the channel, and where.
    pub fn set(&self, key: &str) -> Option<(&'a Value, String)> {
        let own = || Some((self.own()?.get(key)?, self.own_place(key)));
        own().or_else(|| Some((self.top()?.get(key)?, self.top_place(key))))
    }

    /// Where a key is written, or would be.
    pub fn place(&self, key: &str) -> String {
        self.set(key).map_or_else(|| self.own_place(key), |(_, place)| place)
    }

    /// Both its own switch and the channel's, and nothing is wrong with it.
    pub fn is_enabled(&self) -> bool {
        let is_on = |at: Option<&Value>| at.and_then(|at| at.get("enabled")) != Some(&Value::Bool(false));
        is_on(self.top()) && is_on(self.own()) && self.mistake().is_none()
    }

    /// The mistake for which nothing of it, or of the channel's section, is in force.
    pub fn mistake(&self) -> Option<&'a Issue> {
        self.config
            .mistake(&self.own_place(""))
            .or_else(|| self.config.mistake(&format!("channels.{}", self.channel)))
    }

    /// The mistakes for which something of it, or of the channel's own, stays as it was while the gateway runs.
    pub fn waits(&self) -> Vec<&'a Issue> {
        let top = format!("channels.{}", self.channel);
        let (accounts, place) = (format!("{top}.accounts"), self.own_place(""));
        let own = self.written.into_iter().flat_map(|_| self.config.kept(&place, None));
        own.chain(self.config.kept(&top, Some(&accounts))).collect()
    }

    /// An account that the configuration does not have is a slip of the pen.
    pub fn check_known(&self) -> Result<()> {
        let ids = ids(self.config, self.channel);
        if ids.contains(&self.id) {
            return Ok(());
        }
        let id = crate::logging::quoted(&self.id);
        Err(Error::invalid(format!("{} has no account {id}; it has {}", self.channel, ids.join(", "))))
    }

    /// Its key in `accounts`, be it there yet or not; `None` where the channel's own keys are its.
    pub fn key(&self) -> Option<String> {
        let is_alone = self.id == DEFAULT && self.is_first_listed();
        self.written.map(str::to_string).or_else(|| (!is_alone).then(|| self.id.clone()))
    }

    /// Whether no account of the channel is listed yet.
    pub fn is_first_listed(&self) -> bool {
        keys(self.config, self.channel).next().is_none()
    }

    /// Where its keys stand.
    pub fn path(&self) -> Vec<&str> {
        match self.written {
            Some(written) => vec!["channels", self.channel, "accounts", written],
            None if self.key().is_none() => vec!["channels", self.channel],
            None => vec!["channels", self.channel, "accounts", &self.id],
        }
    }

    /// Whether the key is written where its own keys stand.
    pub fn has_own(&self, key: &str) -> bool {
        let at = if self.key().is_some() { self.own() } else { self.top() };
        at.is_some_and(|at| at.get(key).is_some())
    }

    pub(super) fn top(&self) -> Option<&'a Value> {
        self.config.whole().get("channels")?.get(self.channel)
    }

    pub(super) fn own(&self) -> Option<&'a Value> {
        self.top()?.get("accounts")?.get(self.written?)
    }

    pub(super) fn own_place(&self, key: &str) -> String {
        let key = if key.is_empty() { String::new() } else { format!(".{key}") };
        match self.written {
            Some(written) => format!("channels.{}.accounts.{written}{key}", self.channel),
            None if self.id == DEFAULT => format!("channels.{}{key}", self.channel),
            None => format!("channels.{}.accounts.{}{key}", self.channel, self.id),
        }
    }

    pub(super) fn top_place(&self, key: &str) -> String {
        format!("channels.{}.{key}", self.channel)
    }
}

fn keys<'a>(config: &'a Config, channel: &str) -> impl Iterator<Item = &'a str> {
    let accounts =
        config.whole().get("channels").and_then(|all| all.get(channel)?.get("accounts")?.as_object());
    accounts.into_iter().flat_map(|accounts| accounts.keys().map(String::as_str))
}

/// Agent and account of the bindings that name an account of this channel.
fn bindings<'a>(config: &'a Config, channel: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let all = config.whole().get("bindings").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(move |binding| {
        let wanted = binding.get("match")?;
        let is_ours = wanted.get("channel")?.as_str()?.trim().eq_ignore_ascii_case(channel);
        let account = wanted.get("accountId")?.as_str()?.trim();
        let agent = binding.get("agentId")?.as_str()?;
        (is_ours && !account.is_empty() && account != "*").then_some((agent, account))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn accounts_are_those_of_the_config_and_of_bindings() {
        let dir = Dir::new();
        for (text, want, default) in [
            ("{}", &["default"][..], "default"),
            ("{channels: {telegram: {botToken: 'x'}}}", &["default"], "default"),
            ("{channels: {telegram: {accounts: {'Work Bot': {}, b: {}}}}}", &["b", "work-bot"], "b"),
            ("{channels: {telegram: {accounts: {default: {}, b: {}}}}}", &["b", "default"], "default"),
            (
                "{channels: {telegram: {accounts: {b: {}}}}, bindings: [{agentId: 'x', match: {channel: 'telegram', \
                 accountId: 'c'}}, {agentId: 'Main', match: {channel: 'telegram', accountId: 'd'}}, {agentId: 'main', \
                 match: {channel: 'telegram', accountId: '*'}}, {agentId: 'main', match: {channel: 'slack', accountId: 'e'}}]}",
                &["b", "c", "d"],
                "d",
            ),
        ] {
            let config = dir.config(text);
            assert_eq!(ids(&config, "telegram"), want, "{text}");
            assert_eq!(default_id(&config, "telegram", "main"), default, "{text}");
        }
    }

    #[test]
    fn an_account_has_its_own_over_the_channels() {
        let dir = Dir::new();
        let text = "{channels: {telegram: {name: 'top', historyLimit: 7, groups: {'-1': {}}, retry: {attempts: 9}, \
                    accounts: {'Work Bot': {groups: {'-2': {}}, retry: {jitter: 0}}, off: {enabled: false}}}}}";
        let config = dir.config(text);
        let account = Account::of(&config, "telegram", "work-bot");
        assert_eq!(account.get("historyLimit"), Some(&Value::from(7)));
        assert!(
            account.get("groups").unwrap().get("-1").is_none()
                && account.get("retry").unwrap().get("attempts").is_none()
        );
        assert_eq!(account.place("groups"), "channels.telegram.accounts.Work Bot.groups");
        assert_eq!(account.place("historyLimit"), "channels.telegram.historyLimit");
        assert_eq!(account.str("dmPolicy"), Some("pairing"));
        assert!(account.is_enabled() && !Account::of(&config, "telegram", "off").is_enabled());
        assert_eq!(Account::of(&config, "telegram", "new").place("name"), "channels.telegram.name");
        assert_eq!(
            Account::of(&config, "telegram", "new").place("proxy"),
            "channels.telegram.accounts.new.proxy"
        );
    }
}
