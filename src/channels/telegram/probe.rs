//! Asks Telegram about an account: is its token good, is a webhook set, is it in its groups (A.3). On the asking
//! client's thread, with a bot of its own; nothing here touches the account at work.
use super::api::{Bot, ROOT};
use super::outcome::Outcome;
use super::token::BotToken;
use crate::cancel::Cancel;
use crate::channels::accounts::Account;
use crate::channels::told::unmentioned;
use crate::env::Env;
use crate::error::Error;
use crate::json::{Put, json};
use crate::settings::Secret;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// Groups that are asked about.
const MOST_GROUPS: usize = 20;

/// One asking: its bot, and when it must be over.
struct Probe {
    bot: Bot,
    cancel: Cancel,
    end: Instant,
}

/// `probe`, and `audit` where there are groups to look at.
pub fn probe(account: &Account, env: &Env, time: Duration) -> Map<String, Value> {
    let (start, mut row) = (Instant::now(), Map::new());
    let mut told = Map::new();
    match Probe::open(account, env, start + time).and_then(|mut probe| Ok((probe.ask()?, probe))) {
        Ok((found, mut probe)) => {
            let id = found.get("bot").and_then(|bot| bot.get("id")?.as_i64()).unwrap_or_default();
            told = found;
            row.extend(probe.audit(account, id).map(|audit| ("audit".to_string(), audit)));
        }
        Err((status, error)) => {
            told.put("ok", false);
            told.put("status", status);
            told.put("error", error);
        }
    }
    told.put("elapsedMs", start.elapsed().as_millis() as u64);
    row.put("probe", told);
    row
}

/// The name of the bot with this token.
pub fn sign_in(account: &Account, secret: &Secret, time: Duration) -> Result<String, Error> {
    let token = BotToken::read(secret)?;
    let bot = Bot::new(token, account.str("apiRoot").unwrap_or(ROOT), account.str("proxy"))?;
    let end = Instant::now() + time;
    let mut probe = Probe { bot, cancel: Cancel::with_deadline(end), end };
    match probe.call("getMe", &json!({})) {
        Ok(me) => Ok(me.get("username").and_then(Value::as_str).unwrap_or_default().to_string()),
        Err((Some(401 | 404), _)) => Err(Error::invalid(
            "Telegram does not know this bot token: copy it again from @BotFather, or write /token to it for a new one",
        )),
        Err((_, text)) => Err(Error::unavailable(text)),
    }
}

/// A status of the Bot API, where it answered, and a sentence.
type Failure = (Option<i64>, String);

impl Probe {
    fn open(account: &Account, env: &Env, end: Instant) -> Result<Probe, Failure> {
        let local = |e: Error| (None, e.message().to_string());
        let token = account.token(env);
        let secret = token.secret.ok_or_else(|| (None, token.problem.unwrap_or("no bot token".into())))?;
        let token = BotToken::read(&secret).map_err(local)?;
        let root = account.str("apiRoot").unwrap_or(ROOT);
        let bot = Bot::new(token, root, account.str("proxy")).map_err(local)?;
        Ok(Probe { bot, cancel: Cancel::with_deadline(end), end })
    }

    fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        let time = self.end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match self.bot.call(method, params, time, &self.cancel) {
            Outcome::Done(value) => Ok(value),
            Outcome::Refused(refusal) => Err((Some(refusal.code), refusal.text)),
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => Err((None, trouble.text)),
        }
    }

    fn ask(&mut self) -> Result<Map<String, Value>, Failure> {
        let me = self.call("getMe", &json!({}))?;
        let hook = self.call("getWebhookInfo", &json!({}))?;
        let is = |name: &str| me.get(name) == Some(&Value::Bool(true));
        let mut found = Map::new();
        found.put("ok", true);
        found.put("status", Value::Null);
        found.put("error", Value::Null);
        found.put(
            "bot",
            json!({
                "id": (me.get("id").cloned().unwrap_or_default()),
                "username": (me.get("username").cloned().unwrap_or_default()),
                "canJoinGroups": (is("can_join_groups")),
                "canReadAllGroupMessages": (is("can_read_all_group_messages")),
                "supportsInlineQueries": (is("supports_inline_queries")),
            }),
        );
        let own = hook.get("has_custom_certificate") == Some(&Value::Bool(true));
        let url = hook.get("url").cloned().unwrap_or_default();
        found.put("webhook", json!({"url": url, "hasCustomCert": own}));
        Ok(found)
    }

    /// Whether the bot is in the groups where it is to answer unasked.
    fn audit(&mut self, account: &Account, bot: i64) -> Option<Value> {
        let (start, groups) = (Instant::now(), unmentioned(account));
        if groups.is_empty() {
            return None;
        }
        let numeric: Vec<&String> = groups.iter().filter(|id| id.parse::<i64>().is_ok()).collect();
        let has_all = groups.iter().any(|id| id == "*");
        let rows: Vec<Value> = numeric.iter().take(MOST_GROUPS).map(|id| self.member(id, bot)).collect();
        let unresolved = groups.len() - numeric.len() - usize::from(has_all);
        let is_fine =
            unresolved == 0 && !has_all && rows.iter().all(|row| row.get("ok") == Some(&Value::Bool(true)));
        Some(json!({
            "ok": is_fine, "checkedGroups": (rows.len()), "unresolvedGroups": unresolved,
            "hasWildcardUnmentionedGroups": has_all, "groups": rows,
            "elapsedMs": (start.elapsed().as_millis() as u64),
        }))
    }

    fn member(&mut self, group: &str, bot: i64) -> Value {
        let found = self.call("getChatMember", &json!({"chat_id": group, "user_id": bot}));
        let (status, error) = match &found {
            Ok(member) => {
                let status = member.get("status").and_then(Value::as_str).unwrap_or_default();
                let is_in = ["creator", "administrator", "member"].contains(&status)
                    || member.get("is_member") == Some(&Value::Bool(true));
                (Some(status.to_string()), (!is_in).then(|| "bot not in group".to_string()))
            }
            Err((_, error)) => (None, Some(error.clone())),
        };
        json!({"chatId": group, "ok": (error.is_none()), "status": status, "error": error,
            "matchKey": group, "matchSource": "id"})
    }
}
