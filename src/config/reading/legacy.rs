//! Keys of earlier versions: where each one went.
//!
//! Pure data and one search. Old keys are not read and not moved here; they are warned about by name.
use crate::config::check::UNREAD;
use crate::config::{Issue, join};
use serde_json::Value;

/// Old path (the segments below it included), and what to write instead.
const MOVED: &[(&str, &str)] = &[
    ("agent", "agents.defaults"),
    ("agent.allowedModels", "agents.defaults.models"),
    ("agent.imageModel", "agents.defaults.imageModel.primary"),
    ("agent.imageModelFallbacks", "agents.defaults.imageModel.fallbacks"),
    ("agent.model", "agents.defaults.model.primary"),
    ("agent.modelAliases", "agents.defaults.models.*.alias"),
    ("agent.modelFallbacks", "agents.defaults.model.fallbacks"),
    ("bridge", "gateway"),
    ("discord", "channels.discord"),
    ("gateway.token", "gateway.auth.token"),
    ("identity", "agents.list.*.identity"),
    ("imessage", "channels.imessage"),
    ("messages.tts.enabled", "messages.tts.auto"),
    ("msteams", "channels.msteams"),
    ("routing.agentToAgent", "tools.agentToAgent"),
    ("routing.agents", "agents.list"),
    ("routing.allowFrom", "channels.whatsapp.allowFrom"),
    ("routing.bindings", "bindings"),
    ("routing.defaultAgentId", "agents.list.*.default"),
    ("routing.groupChat.mentionPatterns", "messages.groupChat.mentionPatterns"),
    ("routing.groupChat.requireMention", "channels.*.groups.*.requireMention"),
    ("routing.queue", "messages.queue"),
    ("routing.transcribeAudio", "audio"),
    ("session.heartbeatIdleMinutes", "session.reset.idleMinutes"),
    ("signal", "channels.signal"),
    ("slack", "channels.slack"),
    ("telegram", "channels.telegram"),
    ("telegram.requireMention", "channels.telegram.groups.*.requireMention"),
    ("tools.bash", "tools.exec"),
    ("whatsapp", "channels.whatsapp"),
];

/// What is to be written instead of a key of an earlier version.
pub fn place(path: &str) -> Option<&'static str> {
    MOVED.iter().find(|(old, _)| *old == path).map(|(_, new)| *new)
}

/// Warnings for an unknown key that is, or holds, keys of earlier versions; empty when it is none.
pub fn explain(path: &str, value: &Value) -> Vec<Issue> {
    let moved = place(path);
    let below = format!("{path}.");
    let inner = value.as_object().filter(|_| MOVED.iter().any(|(old, _)| old.starts_with(&below)));
    let found: Vec<Issue> =
        inner.into_iter().flatten().flat_map(|(key, value)| explain(&join(path, key), value)).collect();
    match moved {
        Some(new) if found.is_empty() => {
            let message = format!("key of an earlier version{UNREAD}move its value to {new}");
            vec![Issue::new(path, message)]
        }
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn old_keys_name_their_new_place() {
        let check = |path: &str, value: Value, want: &[(&str, &str)]| {
            let got = explain(path, &value);
            assert_eq!(got.len(), want.len(), "{got:?}");
            for (issue, (at, new)) in got.iter().zip(want) {
                assert_eq!(issue.path, *at);
                assert!(issue.message.ends_with(&format!("to {new}")), "{}", issue.message);
            }
        };
        check("telegram", json!({"botToken": "x"}), &[("telegram", "channels.telegram")]);
        check("gateway.token", json!("x"), &[("gateway.token", "gateway.auth.token")]);
        check(
            "routing",
            json!({"queue": {"mode": "x"}, "groupChat": {"requireMention": true}}),
            &[
                ("routing.queue", "messages.queue"),
                ("routing.groupChat.requireMention", "channels.*.groups.*.requireMention"),
            ],
        );
        check(
            "agent",
            json!({"model": "x", "workspace": "y"}),
            &[("agent.model", "agents.defaults.model.primary")],
        );
        check("nonsense", json!(1), &[]);
    }
}
