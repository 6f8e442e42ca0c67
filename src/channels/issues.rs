//! What is wrong with an account, read from its row of `channels.status`: for the command line and `doctor`. Pure.
use serde_json::{Map, Value};

/// Each with what helps, where something does.
pub fn issues(row: &Map<String, Value>) -> Vec<(String, &'static str)> {
    let of = |name: &str, member: &str| row.get(name).and_then(|value| value.get(member));
    let mut found: Vec<(String, &str)> = Vec::new();
    let is_unmentioned = row.get("allowUnmentionedGroups") == Some(&Value::Bool(true));
    let reads_all = of("probe", "bot").and_then(|bot| bot.get("canReadAllGroupMessages")?.as_bool());
    if is_unmentioned && reads_all == Some(false) {
        let what = "Config allows unmentioned group messages (requireMention=false). Telegram Bot API privacy mode will \
                    block most group messages unless disabled.";
        let fix = "In BotFather run /setprivacy → Disable for this bot, then remove it from the group and add it again.";
        found.push((what.into(), fix));
    }
    let hook = of("probe", "webhook").and_then(|hook| hook.get("url")?.as_str()).unwrap_or_default();
    if !hook.is_empty() && row.get("mode").is_some_and(|mode| mode == "polling") {
        let what = "A webhook is set for this bot, so polling gets nothing.";
        found.push((
            what.into(),
            "Another program uses the bot: stop it there, or use a bot of its own here.",
        ));
    }
    if of("audit", "hasWildcardUnmentionedGroups") == Some(&Value::Bool(true)) {
        let what = "Telegram groups config uses \"*\" with requireMention=false; membership probing is not possible \
                    without explicit group IDs.";
        found.push((what.into(), "Name the groups by their numeric ids."));
    }
    if let Some(n) = of("audit", "unresolvedGroups").and_then(Value::as_u64).filter(|n| *n > 0) {
        let what = format!(
            "Some configured Telegram groups are not numeric IDs (unresolvedGroups={n}). Membership probe can only check \
             numeric group IDs."
        );
        found.push((what, "Use the ids that this command shows for messages passed over."));
    }
    for group in of("audit", "groups").and_then(Value::as_array).into_iter().flatten() {
        if group.get("ok") == Some(&Value::Bool(false)) {
            let what =
                format!("Group {} not reachable by bot: {}", text(group, "chatId"), text(group, "error"));
            found.push((what, "Invite the bot to the group."));
        }
    }
    let dropped = row.get("dropped").and_then(Value::as_array).into_iter().flatten();
    found.extend(dropped.map(|row| (passed_over(row), "")));
    if let Some(why) = of("probe", "error").and_then(Value::as_str) {
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

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
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
        let found = issues(row.as_object().unwrap());
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[4].0.contains("3 messages of -2 (T) passed over: no-mention, see k"), "{found:?}");
        assert!(issues(&Map::new()).is_empty());
    }
}
