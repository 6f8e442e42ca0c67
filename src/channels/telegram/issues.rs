//! What is wrong with a bot, read from its row of `channels.status`: privacy mode, webhooks, groups. Pure.
use crate::channels::issues::{Told, text};
use serde_json::{Map, Value};

pub fn issues(row: &Map<String, Value>) -> Vec<Told> {
    let of = |name: &str, member: &str| row.get(name).and_then(|value| value.get(member));
    let mut found: Vec<Told> = Vec::new();
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
    found
}
