//! What is told of channels and their accounts: `channels.status`, `health`, `status` and the command line.
//!
//! Over the configuration and the board. Reads no file: where a token comes from is told, not whether it is good; `lines` asks
//! whether a program is there.
use super::accounts::{self, Account};
use super::board::Board;
use super::token::Source;
use super::{Channel, on};
use crate::config::Config;
use crate::deliveries::Login;
use crate::env::Env;
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// Everything that is told: of which configuration, with what the accounts say of themselves where they run.
#[derive(Clone, Copy)]
pub struct Teller<'a> {
    pub config: &'a Config,
    pub env: &'a Env,
    pub board: Option<&'a Board>,
    pub default_agent: &'a str,
}

impl<'a> Teller<'a> {
    /// The channels that are on, and those for which something waits.
    pub fn channels(&self) -> impl Iterator<Item = &'static Channel> + use<> {
        let mut all = on(self.config);
        for (login, _) in self.gone() {
            let channel = super::named(&login.platform).or_else(|| super::program::row(&login.platform));
            all.extend(channel.filter(|channel| !all.iter().any(|known| known.id == channel.id)));
        }
        all.into_iter()
    }

    fn gone(&self) -> Vec<(Login, &'static str)> {
        self.board.map(Board::gone).unwrap_or_default()
    }

    /// The accounts of a channel, with those for which something waits.
    pub fn ids(&self, channel: &Channel) -> Vec<String> {
        let mut all = accounts::ids(self.config, channel.id);
        let gone =
            self.gone().into_iter().map(|(login, _)| login).filter(|login| login.platform == channel.id);
        for login in gone {
            if !all.contains(&login.account) {
                all.push(login.account);
            }
        }
        all
    }

    pub fn default_account(&self, channel: &str) -> String {
        accounts::default_id(self.config, channel, self.default_agent)
    }

    pub fn accounts(&self, channel: &Channel) -> Vec<Map<String, Value>> {
        let ids = self.ids(channel).into_iter();
        ids.map(|id| self.account(&Account::of(self.config, channel.id, &id))).collect()
    }

    /// A row of `channelAccounts`.
    pub fn account(&self, account: &Account) -> Map<String, Value> {
        let login = Login { platform: account.channel.to_string(), account: account.id.clone() };
        let (source, is_enabled) = (account.source(self.env), account.is_enabled());
        let mut row = Map::new();
        row.put("accountId", account.id.as_str());
        if let Some(name) = account.str("name") {
            row.put("name", name);
        }
        row.put("enabled", is_enabled);
        row.put("configured", source != Source::None);
        row.put("tokenSource", source.name());
        if let Some(policy) = account.str("dmPolicy") {
            row.put("dmPolicy", policy);
        }
        row.put("allowUnmentionedGroups", !unmentioned(account).is_empty());
        row.extend(self.board.map(|board| board.row(&login).told()).unwrap_or_default());
        let waits = account.waits();
        if let Some(mistake) = waits.first() {
            let names = waits.iter().filter_map(|mistake| Some(mistake.cost.as_ref()?.name.as_str()));
            row.put("configProblem", self.config.told_with_place(mistake));
            row.put("configKept", names.collect::<Vec<_>>());
        }
        if row.get("running") != Some(&Value::Bool(true)) {
            let gone =
                self.gone().into_iter().find(|(gone, _)| *gone == login).map(|(_, why)| why.to_string());
            let why = gone.or_else(|| self.why_not(account, source));
            row.extend(why.map(|why| ("lastError".to_string(), why.into())));
        }
        if !is_enabled {
            row.remove("nextTryAt");
        }
        row
    }

    /// Why an account does not run, as far as the configuration says; without a gateway nobody runs, and only mistakes are
    /// told.
    fn why_not(&self, account: &Account, source: Source) -> Option<String> {
        let mistake = account.mistake().filter(|mistake| !mistake.is_kept());
        let mistake = mistake.map(|mistake| self.config.told_with_place(mistake));
        let state = match (account.is_enabled(), source) {
            (false, _) => Some("disabled"),
            (_, Source::None) => Some("not configured"),
            _ => None,
        };
        mistake.or_else(|| state.filter(|_| self.board.is_some()).map(str::to_string))
    }

    /// A channel by its default account, as `health` and `channels` of `channels.status` have it.
    pub fn summary(&self, channel: &Channel, rows: &[Map<String, Value>]) -> Map<String, Value> {
        let default = self.default_account(channel.id);
        let is_default = |row: &&Map<String, Value>| row.get("accountId") == Some(&Value::from(&*default));
        let mut row = rows.iter().find(is_default).or(rows.first()).cloned().unwrap_or_default();
        ["name", "enabled", "dropped", "allowUnmentionedGroups", "dmPolicy", "audit"]
            .into_iter()
            .for_each(|name| drop(row.shift_remove(name)));
        row
    }

    /// `channels`, `channelOrder` and `channelLabels` of the health snapshot.
    pub fn health(&self) -> [(&'static str, Value); 3] {
        let (mut all, mut labels) = (Map::new(), Map::new());
        for channel in self.channels() {
            let rows = self.accounts(channel);
            let mut row = self.summary(channel, &rows);
            let by_id = rows.iter().map(|row| {
                let id = row.get("accountId").and_then(Value::as_str).unwrap_or_default();
                (id.to_string(), Value::from(self.summary(channel, std::slice::from_ref(row))))
            });
            row.put("accounts", by_id.collect::<Map<String, Value>>());
            all.put(channel.id, row);
            labels.put(channel.id, channel.label);
        }
        let order: Value = all.keys().cloned().collect();
        [("channels", all.into()), ("channelOrder", order), ("channelLabels", labels.into())]
    }

    /// `linkChannel` of `health` and `status`: the channel that a phone is linked to, or is to be.
    pub fn link(&self) -> Option<Value> {
        self.channels().find_map(|channel| {
            let row = self.summary(channel, &self.accounts(channel));
            let linked = row.get("linked")?.as_bool()?;
            let age = auth_age(&row).filter(|_| linked);
            Some(json!({"id": (channel.id), "label": (channel.label), "linked": linked, "authAgeMs": age}))
        })
    }

    /// `channelSummary` of `status`: a line a channel and one an account.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for channel in self.channels() {
            // Without a board nothing runs that could say so.
            if self.board.is_none() && !super::is_spoken_for(self.config, self.env, channel.id) {
                lines.push(format!("{}: no program speaks for it here", channel.label));
                continue;
            }
            let rows = self.accounts(channel);
            let is = |row: &Map<String, Value>, name: &str| row.get(name) == Some(&Value::Bool(true));
            let is_configured = rows.iter().any(|row| is(row, "configured"));
            let state = if is_configured { "configured" } else { "not configured" };
            lines.push(format!("{}: {state}", channel.label));
            for row in &rows {
                let text = |name: &str| row.get(name).and_then(Value::as_str);
                let (id, source) = (text("accountId"), text("tokenSource"));
                let mut line =
                    format!("  - {} (token:{})", id.unwrap_or_default(), source.unwrap_or_default());
                if let Some(why) = text("lastError").filter(|_| !is(row, "connected")) {
                    line += &format!(" {}: {why}", if is(row, "running") { "failing" } else { "stopped" });
                }
                if let Some(why) = text("configProblem").filter(|_| self.board.is_none()) {
                    line += &format!(" as it was: {why}");
                }
                lines.push(line);
            }
        }
        lines
    }

    /// The answer of `channels.status`, without what only the platform or the ledger knows.
    pub fn status(&self, rows: &[(&'static Channel, Vec<Map<String, Value>>)], now: u64) -> Value {
        let each = |tell: &Tell| -> Value {
            let all = rows.iter().map(|(channel, rows)| (channel.id.to_string(), tell(channel, rows)));
            all.collect::<Map<String, Value>>().into()
        };
        let meta = |channel: &Channel| json!({"id": (channel.id), "label": (channel.label), "detailLabel": (channel.detail), "systemImage": (channel.image)});
        json!({
            "ts": now,
            "channelOrder": (rows.iter().map(|(channel, _)| channel.id).collect::<Vec<_>>()),
            "channelLabels": (each(&|channel, _| channel.label.into())),
            "channelDetailLabels": (each(&|channel, _| channel.detail.into())),
            "channelSystemImages": (each(&|channel, _| channel.image.into())),
            "channelMeta": (rows.iter().map(|(channel, _)| meta(channel)).collect::<Vec<_>>()),
            "channels": (each(&|channel, rows| self.summary(channel, rows).into())),
            "channelAccounts": (each(&|_, rows| rows.iter().cloned().map(Value::from).collect())),
            "channelDefaultAccountId": (each(&|channel, _| self.default_account(channel.id).into())),
        })
    }
}

/// What is told of a channel and its accounts' rows.
type Tell<'t> = dyn Fn(&Channel, &[Map<String, Value>]) -> Value + 't;

/// How long ago an account was linked, milliseconds, where its row says so.
pub fn auth_age(row: &Map<String, Value>) -> Option<u64> {
    Some(crate::clock::now_ms().saturating_sub(row.get("linkedAt")?.as_u64()?))
}

/// What of the configuration's channels stays as it was in a gateway that runs, as `channels` of its `health` says.
pub fn kept(channels: &Value) -> Vec<String> {
    let channels = channels.as_object().into_iter().flatten();
    let rows = channels.filter_map(|(_, channel)| channel.get("accounts")?.as_object()).flatten();
    let names = rows.filter_map(|(_, row)| row.get("configKept")?.as_array()).flatten();
    names.filter_map(|name| name.as_str().map(str::to_string)).collect()
}

/// The groups of an account in which it answers without being mentioned.
pub fn unmentioned(account: &Account) -> Vec<String> {
    let groups = account.get("groups").and_then(Value::as_object).into_iter().flatten();
    let needs_none = |group: &Value| group.get("requireMention") == Some(&Value::Bool(false));
    groups.filter(|(_, group)| needs_none(group)).map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn channels_are_told_from_the_config_and_the_board() {
        let dir = Dir::new();
        let config = dir.config(
            "{channels: {telegram: {botToken: '1:x', groups: {'-1': {requireMention: false}}, accounts: {default: {}, b: {enabled: false}}}}}",
        );
        let (board, env) = (Board::default(), dir.env(&[]));
        let login = Login { platform: "telegram".into(), account: "default".into() };
        board.started(&login);
        let teller = Teller { config: &config, env: &env, board: Some(&board), default_agent: "main" };
        let [(_, all), (_, order), (_, labels)] = teller.health();
        assert_eq!((&order[0], &labels["telegram"]), (&"telegram".into(), &"Telegram".into()));
        assert_eq!(all["telegram"]["running"], true);
        assert_eq!(all["telegram"]["accounts"]["b"]["lastError"], "disabled");
        assert_eq!(
            teller.lines(),
            ["Telegram: configured", "  - b (token:none) stopped: disabled", "  - default (token:config)"]
        );
        let rows: Vec<_> = teller.channels().map(|c| (c, teller.accounts(c))).collect();
        let status = teller.status(&rows, 5);
        assert_eq!(status["channelDefaultAccountId"]["telegram"], "default");
        assert_eq!(status["channelAccounts"]["telegram"][1]["allowUnmentionedGroups"], true);
        assert!(status["channels"]["telegram"].get("enabled").is_none());
    }
}
