//! What is said of subagents: to the subagent itself, to whoever asked for it when it ends, and to people who ask. Pure.
use super::{Child, is_over, name, number, outcome, text};
use crate::error::Result;
use crate::parts::within;
use crate::untrusted;

/// Characters of its last words that are told.
pub const MAX_FINDINGS: usize = 16_000;
/// What stopped it when the gateway did.
pub const CUT_OFF: &str = "the gateway stopped in the middle of it: it is not known how much was done, and it is not done again by itself";

/// The run that tells of its end; one that failed is followed by another.
pub fn announcement_id(child: &Child) -> String {
    let run = text(child, "runId");
    match number(child, "announceRetryCount") {
        None => format!("announce:{run}"),
        Some(n) => format!("announce:{run}:{n}"),
    }
}

/// What the subagent is told besides its task.
pub fn briefing(child: &Child) -> String {
    let label = match text(child, "label") {
        "" => String::new(),
        label => format!(" ({})", crate::clean::one_line(label)),
    };
    format!(
        "You are a subagent{label}: another session, {}, has given you one task, which is the first message, and nobody else talks \
         to you. Do that task and nothing beyond it. You cannot ask questions or start subagents. Your \
         last message is your report and all that is heard of you: say in it what you found or did, complete and short, and \
         what you could not do. If there is nothing to report, let it be ANNOUNCE_SKIP. Your own session is {}.",
        text(child, "requesterSessionKey"),
        text(child, "childSessionKey")
    )
}

/// Whether its last words say that there is nothing to tell.
pub fn is_silent(findings: &str) -> bool {
    matches!(findings.trim(), "ANNOUNCE_SKIP" | "NO_REPLY")
}

/// What the session that asked for it is told at its end; `tokens` is what it cost.
pub fn announcement(child: &Child, tokens: Option<u64>) -> Result<String> {
    let ended = match outcome(child) {
        ("ok", _) => "is done".to_string(),
        ("timeout", _) => "ran out of time and was stopped".to_string(),
        ("error", why) => format!("failed: {}", why.unwrap_or("no reason is known")),
        (_, why) => format!("ended, and it is not known how: {}", why.unwrap_or(CUT_OFF)),
    };
    let findings = match text(child, "findings") {
        "" => "It said nothing.".to_string(),
        said => untrusted::wrap("the report of a subagent", said)?,
    };
    let spent = tokens.filter(|n| *n > 0).map_or(String::new(), |n| format!(", {n} tokens"));
    Ok(format!(
        "[The subagent \"{}\" {ended}]\n\n{findings}\n\n[It took {}{spent}; session {}.] Tell the user the result in a few plain words, \
         as part of your conversation and without these particulars. If he need not hear of it, answer NO_REPLY.",
        name(child),
        duration(child, 0),
        text(child, "childSessionKey"),
    ))
}

/// One line of the list that people get.
pub fn line(place: usize, child: &Child, is_running: bool, now: u64) -> String {
    format!(
        "{place}) {} · {} · {} · run {} · {}",
        state(child, is_running),
        name(child),
        duration(child, now),
        within(text(child, "runId"), 8),
        text(child, "childSessionKey")
    )
}

/// How far it has come, in a word.
pub fn state(child: &Child, is_running: bool) -> &'static str {
    match outcome(child) {
        _ if !is_over(child) => {
            if is_running {
                "running"
            } else {
                "waiting"
            }
        }
        ("ok", _) => "done",
        ("timeout", _) => "timeout",
        ("error", Some("killed")) => "stopped",
        ("error", _) => "failed",
        _ => "unknown",
    }
}

/// How long it took, or has taken until `now`.
pub fn duration(child: &Child, now: u64) -> String {
    let begun = number(child, "startedAt").or(number(child, "createdAt")).unwrap_or(now);
    let seconds = number(child, "endedAt").unwrap_or(now).saturating_sub(begun) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    fn child(more: serde_json::Value) -> Child {
        let mut child = json!({"runId": "0123456789", "childSessionKey": "agent:main:subagent:x", "requesterSessionKey": "agent:main:main",
            "task": "look\nat it", "createdAt": 1000, "startedAt": 1000, "endedAt": 66_000});
        child.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        child.as_object().unwrap().clone()
    }

    #[test]
    fn i13_3_each_end_is_told_as_what_it_was() {
        for (outcome, want) in [
            (json!({"status": "ok"}), "\"look at it\" is done]"),
            (json!({"status": "timeout"}), "ran out of time"),
            (json!({"status": "error", "error": "no key"}), "failed: no key]"),
            (json!({"status": "unknown"}), "the gateway stopped in the middle"),
        ] {
            let told = announcement(&child(json!({"outcome": outcome})), Some(7)).unwrap();
            assert!(told.contains(want) && told.contains("It took 1m05s, 7 tokens"), "{told}");
        }
        let told =
            announcement(&child(json!({"outcome": {"status": "ok"}, "findings": "42"})), None).unwrap();
        assert!(
            told.contains("comes from outside (the report of a subagent)") && told.contains("\n42\n"),
            "{told}"
        );
        assert!(is_silent(" ANNOUNCE_SKIP\n") && !is_silent("42"));
        assert_eq!(announcement_id(&child(json!({"announceRetryCount": 2}))), "announce:0123456789:2");
    }

    #[test]
    fn i13_3_a_line_is_as_people_know_it() {
        let line = |more, now| line(1, &child(more), true, now);
        assert_eq!(
            line(json!({"label": "L", "outcome": {"status": "ok"}}), 0),
            "1) done · L · 1m05s · run 01234567 · agent:main:subagent:x"
        );
        assert!(line(json!({"endedAt": null}), 3000).starts_with("1) running · look at it · 2s · run "));
        assert!(
            line(json!({"outcome": {"status": "error", "error": "killed"}}), 0).starts_with("1) stopped")
        );
    }
}
