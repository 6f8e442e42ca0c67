//! What is wrong with an account, read from its row of `channels.status`: for the command line and `doctor`. What only its
//! channel knows of is in the channel's folder. Pure.
use super::Channel;
use serde_json::{Map, Value};

/// What is wrong, and what helps, where something does.
pub type Told = (String, &'static str);

/// Of an account of this channel, where the channel is built in.
pub fn issues(channel: Option<&Channel>, row: &Map<String, Value>) -> Vec<Told> {
    let mut found = channel.map(|channel| (channel.issues)(row)).unwrap_or_default();
    let dropped = row.get("dropped").and_then(Value::as_array).into_iter().flatten();
    found.extend(dropped.map(|row| (passed_over(row), "")));
    if let Some(why) = row.get("configProblem").and_then(Value::as_str) {
        found.push((format!("A change of it is not in force: {why}"), ""));
    }
    if let Some(why) = row.get("pairingProblem").and_then(Value::as_str) {
        found.push((why.to_string(), ""));
    }
    if let Some(why) = row.get("probe").and_then(|probe| probe.get("error")?.as_str()) {
        found.push((format!("The probe failed: {why}"), ""));
    }
    found
}

fn passed_over(row: &Value) -> String {
    let count = row.get("count").and_then(Value::as_u64).unwrap_or_default();
    let (chat, title) = (text(row, "chatId"), text(row, "title"));
    let (why, key) = (text(row, "reason"), text(row, "key"));
    if count == 0 {
        return format!("What is said in {chat} may not reach the bot: {why}, see {key}");
    }
    let messages = if count == 1 { "message" } else { "messages" };
    format!("{count} {messages} of {chat} ({title}) passed over: {why}, see {key}")
}

/// A text of what is told.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn r_42_what_is_wrong_with_an_account_is_told_with_what_helps() {
        let row = json!({"mode": "polling", "allowUnmentionedGroups": true,
            "probe": {"ok": true, "error": null, "bot": {"canReadAllGroupMessages": false}, "webhook": {"url": "https://x"}},
            "audit": {"ok": false, "unresolvedGroups": 1, "groups": [{"chatId": "-1", "ok": false, "error": "bot not in group"}]},
            "dropped": [{"chatId": "-2", "title": "T", "reason": "no-mention", "key": "k", "count": 3}]});
        let telegram = crate::channels::named("telegram");
        let found = issues(telegram, row.as_object().unwrap());
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[4].0.contains("3 messages of -2 (T) passed over: no-mention, see k"), "{found:?}");
        assert!(issues(telegram, &Map::new()).is_empty());
        assert_eq!(issues(None, row.as_object().unwrap()).len(), 1, "what all channels have");
    }
}
