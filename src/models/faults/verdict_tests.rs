//! Statuses and words of servers, and what they are taken for.
use super::*;
use crate::models::failure::{is_context_overflow, reason};
use serde_json::json;

#[test]
fn statuses_and_words_give_a_reason() {
    let p = Provider::builtin();
    let check = |status: u16, words: &str, want: &str| {
        let body = json!({"error": {"message": words}}).to_string();
        let failure = from_status(&p, status, body.as_bytes(), None);
        assert_eq!(reason(&failure.error), want, "{status} {words}");
        assert_eq!(is_context_overflow(&failure.error), want == "context_length");
        let details = failure.error.details().unwrap();
        assert_eq!((&details["httpStatus"], &details["provider"]), (&json!(status), &json!("openclaw")));
        assert_eq!(details["model"], "builtin");
    };
    check(400, "messages.0: bad", "format");
    check(400, "prompt is too long: 220000 tokens > 200000 maximum", "context_length");
    check(400, "This model's maximum context length is 8192 tokens", "context_length");
    check(400, "the request exceeds the available context size, try increasing it", "context_length");
    check(500, "the request exceeds the available context size", "context_length");
    check(400, "Your credit balance is too low", "billing");
    check(400, "string too long: tool_calls[0].id", "format");
    check(401, "no", "auth");
    check(402, "", "billing");
    check(403, "", "auth");
    check(404, "", "model_not_found");
    check(408, "", "timeout");
    check(413, "", "context_length");
    check(429, "slow down", "rate_limit");
    check(429, "insufficient_quota", "billing");
    check(500, "", "overloaded");
    check(503, "", "overloaded");
    check(504, "", "timeout");
    check(529, "Overloaded", "overloaded");
    check(302, "", "unknown");
    check(418, "", "unknown");
}

#[test]
fn errors_inside_an_answer_are_known_by_code_or_name() {
    let p = Provider::builtin();
    let check = |json: Value, want: &str, again: bool| {
        let failure = from_report(&p, &json);
        assert_eq!((reason(&failure.error), failure.again), (want, again), "{json}");
        assert!(!failure.error.message().ends_with('.'), "{}", failure.error);
    };
    check(
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        "overloaded",
        true,
    );
    check(json!({"error": {"code": 401, "message": "x"}}), "auth", false);
    check(json!({"error": {"code": "429", "message": "x"}}), "rate_limit", true);
    check(json!({"error": {"code": "rate_limit_exceeded", "message": "x"}}), "rate_limit", true);
    check(json!({"type": "error", "code": "server_error", "message": "x"}), "overloaded", true);
    check(json!({"error": "out of memory"}), "unknown", false);
    check(json!({"error": {"code": "context_length_exceeded", "message": "x"}}), "context_length", false);
}
