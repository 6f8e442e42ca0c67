//! Answers in another wire format than the server was asked in: which one it is, and the setting that fits.
//!
//! Pure; used by `reply` before the first word. Such an answer is not read by what it looks like: the next request
//! would go out wrong all the same, and what is kept of the answer would not fit it.
use crate::config::apis;
use crate::models::format::{list, text};
use crate::models::provider::Provider;
use serde_json::Value;

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Format(&'static str),
    /// A format that is not spoken here, by a server that also speaks chat completions below this path.
    Other(&'static str, &'static str),
}

/// What to say of a piece of an answer that is not in the format `asked`; `None` where it may be.
pub fn advice(p: &Provider, asked: &str, json: &Value) -> Option<String> {
    let key = format!("models.providers.{}", p.id);
    match look(json, asked)? {
        Look::Format(name) if name == asked => None,
        Look::Format(name) => {
            Some(format!("answers in the format {name} but was asked in {asked}: set {key}.api to {name:?}"))
        }
        Look::Other(name, path) => Some(format!(
            "answers in {name}, which is not spoken here: set {key}.baseUrl to its address that ends in {path}, and {key}.api to \"openai-completions\""
        )),
    }
}

fn look(json: &Value, asked: &str) -> Option<Look> {
    let kind = text(json, "type");
    let has = |name: &str| json.get(name).is_some_and(|it| !it.is_null());
    let is_list = |name: &str| json.get(name).is_some_and(Value::is_array);
    let is_chat =
        list(json, "choices").next().is_some() || text(json, "object").starts_with("chat.completion");
    let is_response =
        kind.starts_with("response.") || (text(json, "object") == "response" && is_list("output"));
    let is_message = ["message_start", "content_block_start", "content_block_delta", "message_delta"]
        .contains(&kind)
        || (kind == "message" && is_list("content"));
    let formats =
        [(is_chat, apis::COMPLETIONS), (is_response, apis::RESPONSES), (is_message, apis::MESSAGES)];
    let mut fitting = formats.into_iter().filter(|(fits, _)| *fits).map(|(_, name)| name);
    if let Some(first) = fitting.clone().next() {
        return Some(Look::Format(fitting.find(|name| *name == asked).unwrap_or(first)));
    }
    let is_ollama = json.get("done").is_some_and(Value::is_boolean) && (has("message") || has("response"));
    match () {
        () if is_ollama => Some(Look::Other("Ollama's own format", "/v1")),
        () if list(json, "candidates").any(|it| it.get("content").is_some()) => {
            Some(Look::Other("Google's own format", "/v1beta/openai"))
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::models::provider::Api;
    use crate::models::reply::testing::{read, read_whole};
    use serde_json::json;

    #[test]
    fn b_f17_an_answer_in_another_format_names_the_setting_that_fits() {
        let answers = [
            ("openai-completions", json!({"choices": [{"delta": {"content": "Hi"}, "finish_reason": null}]})),
            (
                "openai-completions",
                json!({"object": "chat.completion", "choices": [{"message": {"content": "Hi"}}]}),
            ),
            (
                "anthropic-messages",
                json!({"type": "message_start", "message": {"content": [], "role": "assistant"}}),
            ),
            ("anthropic-messages", json!({"type": "message", "content": [{"type": "text", "text": "Hi"}]})),
            ("openai-responses", json!({"type": "response.created", "response": {"status": "in_progress"}})),
            ("openai-responses", json!({"object": "response", "status": "completed", "output": []})),
            ("/v1,", json!({"model": "m", "message": {"role": "assistant", "content": "Hi"}, "done": false})),
            ("/v1,", json!({"model": "m", "response": "Hi", "done": false})),
            ("/v1beta/openai", json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]})),
        ];
        for (fits, answer) in &answers {
            for asked in Api::names().into_iter().filter(|asked| asked != fits) {
                let format = Api::parse(asked).unwrap().format().unwrap();
                let stream = format!("data: {answer}\n\n");
                for error in [read(format, &[stream.as_bytes()]).0, read_whole(format, answer).0] {
                    let error = error.unwrap_err();
                    let said = error.message();
                    assert!(said.contains("models.providers.openclaw.api to"), "{asked} {answer}: {said}");
                    assert!(said.contains(fits), "{asked} {answer}: {said}");
                }
            }
        }
    }
}
