//! How a model says that its answer ended, under the many names that servers have for it.
//!
//! Pure; used by the readers of all wire formats.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Stop,
    Length,
    /// The server has worked on it with tools of its own for long enough; sent back as it is, it goes on.
    Paused,
    /// It would not answer, or not go on.
    Refused,
    /// The server gave up in the middle.
    Broken,
}

/// Parts of reasons that mean that somebody, or something, broke the answer off.
const FAILURES: [&str; 23] = [
    "error",
    "malformed",
    "abort",
    "cancel",
    "fail",
    "timeout",
    "timed_out",
    "deadline",
    "interrupt",
    "overload",
    "rate_limit",
    "ratelimit",
    "quota",
    "disconnect",
    "closed",
    "userstop",
    "user_stop",
    "preempt",
    "evict",
    "exception",
    "unavailable",
    "crash",
    "shutdown",
];

/// The end that a reason names; nothing where it names none.
pub fn of(reason: &str) -> Option<End> {
    let reason = reason.trim().to_ascii_lowercase();
    let says = |list: &[&str]| list.iter().any(|part| reason.contains(part));
    match reason.as_str() {
        "" | "null" | "none" | "unspecified" | "finish_reason_unspecified" => None,
        "insufficient_system_resource" => Some(End::Broken),
        "pause_turn" => Some(End::Paused),
        _ if says(&FAILURES) => Some(End::Broken),
        "sensitive" | "recitation" | "spii" | "language" => Some(End::Refused),
        _ if says(&["content_filter", "safety", "refus", "prohibited", "blocklist", "guardrail"]) => {
            Some(End::Refused)
        }
        _ if says(&["length", "max_tokens", "max_output", "max_new", "token_limit", "context_window"]) => {
            Some(End::Length)
        }
        _ => Some(End::Stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_f17_ends_are_known_by_every_name() {
        for (end, names) in [
            (None, &["", "null", " none"][..]),
            (Some(End::Stop), &["stop", "end_turn", "eos", "tool_calls", "function_call", "STOP"]),
            (Some(End::Length), &["length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length"]),
            (Some(End::Length), &["model_context_window_exceeded"]),
            (Some(End::Paused), &["pause_turn"]),
            (
                Some(End::Refused),
                &["content_filter", "refusal", "SAFETY", "IMAGE_SAFETY", "content_filtered"],
            ),
            (Some(End::Refused), &["guardrail_intervened", "PROHIBITED_CONTENT", "sensitive"]),
            (Some(End::Broken), &["error", "network_error", "MALFORMED_FUNCTION_CALL", "aborted"]),
            // T2b-6
            (
                Some(End::Broken),
                &["failed", "timeout", "interrupted", "overloaded", "rate_limit", "disconnect"],
            ),
            (Some(End::Broken), &["userStopped", "preempted", "exception", "canceled", "cancelled"]),
        ] {
            names.iter().for_each(|name| assert_eq!(of(name), end, "{name}"));
        }
    }
}
