//! An account in one line, as `channels list` and `channels status` show it, in the order that scripts know. Pure.
use crate::cli::print::age;
use crate::clock;
use serde_json::{Map, Value};

/// `- Telegram default: enabled, configured, ...`, in the order that scripts know.
pub fn line(label: &str, row: &Map<String, Value>) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let is = |name: &str| row.get(name).and_then(Value::as_bool);
    let either = |name: &str, yes: &str, no: &str| is(name).map(|is| (if is { yes } else { no }).to_string());
    let last = |name: &str, shown: &str| {
        let ms = clock::now_ms().saturating_sub(row.get(name)?.as_u64()?);
        Some(if ms < 60_000 { format!("{shown}:just now") } else { format!("{shown}:{} ago", age(ms)) })
    };
    let counted = |name: &str, what: &str| {
        row.get(name).and_then(Value::as_u64).filter(|n| *n > 0).map(|n| format!("{n} {what}"))
    };
    let how_long = |name: &str| Some(age(clock::now_ms().saturating_sub(row.get(name)?.as_u64()?)));
    let waiting = counted("deliveriesWaiting", "waiting").map(|text| match how_long("deliveriesOldestAt") {
        Some(age) => format!("{text} for {age}"),
        None => text,
    });
    let next = row.get("nextTryAt").and_then(Value::as_u64).map(|at| at.saturating_sub(clock::now_ms()));
    let failing = text("lastError").filter(|_| is("connected") != Some(true));
    let since = how_long("failingSince").map(|age| format!(" (for {age})")).unwrap_or_default();
    let probe = |name: &str| row.get("probe")?.get(name);
    let bot = probe("bot").and_then(|bot| bot.get("username")?.as_str());
    let works = probe("ok").and_then(Value::as_bool);
    let audit = row.get("audit").and_then(|audit| audit.get("ok")?.as_bool());
    let is_running = is("running") == Some(true);
    let pieces = [
        either("enabled", "enabled", "disabled"),
        either("configured", "configured", "not configured"),
        either("linked", "linked", "not linked"),
        either("running", "running", "stopped"),
        is("connected").filter(|is| is_running && !is).map(|_| "not connected".to_string()),
        last("lastInboundAt", "in"),
        last("lastOutboundAt", "out"),
        text("mode").map(|mode| format!("mode:{mode}")),
        bot.map(|bot| format!("bot:@{bot}")),
        text("dmPolicy").filter(|policy| *policy != "pairing").map(|policy| format!("dm:{policy}")),
        text("tokenSource").map(|source| format!("token:{source}")),
        is("allowUnmentionedGroups").filter(|is| *is).map(|_| "groups:unmentioned".to_string()),
        waiting,
        counted("deliveriesUncertain", "uncertain"),
        text("lastSendError").map(|why| format!("not sent: {why}")),
        works.map(|works| (if works { "works" } else { "probe failed" }).to_string()),
        audit.map(|is_fine| (if is_fine { "audit ok" } else { "audit failed" }).to_string()),
        failing.map(|why| format!("error:{why}{since}")),
        next.map(|ms| format!("next try in {}", age(ms))),
    ];
    let pieces: Vec<String> = pieces.into_iter().flatten().collect();
    let name = text("name").map(|name| format!(" ({name})")).unwrap_or_default();
    format!("- {label} {}{name}: {}", text("accountId").unwrap_or_default(), pieces.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn an_account_in_one_line() {
        let row = json!({"accountId": "default", "enabled": true, "configured": true, "running": true, "connected": true,
            "mode": "polling", "tokenSource": "config", "dmPolicy": "pairing", "allowUnmentionedGroups": true,
            "probe": {"ok": true, "error": null, "bot": {"username": "b"}}, "audit": {"ok": false}});
        assert_eq!(
            line("Telegram", row.as_object().unwrap()),
            "- Telegram default: enabled, configured, running, mode:polling, bot:@b, token:config, groups:unmentioned, works, \
             audit failed"
        );
    }
}
