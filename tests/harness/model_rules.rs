//! What real servers refuse of a conversation, for the model server to be as strict as they are.
//!
//! Pure: a request in, the refusal out, in the words of the server it is of.
use super::Value;

pub type Rule = fn(&Value) -> Option<(u16, String)>;

fn messages(request: &Value) -> &[Value] {
    request["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn calls(message: &Value) -> &[Value] {
    message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn refuse(status: u16, words: &str) -> Option<(u16, String)> {
    Some((status, format!("{{\"error\":{{\"message\":{words:?}}}}}")))
}

/// Mistral: ids of nine letters and digits, the same for call and result, and no user behind a tool.
pub fn mistral(request: &Value) -> Option<(u16, String)> {
    let is_short = |id: &Value| {
        id.as_str().is_some_and(|id| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let mut open: Vec<&Value> = Vec::new();
    let mut last = "";
    for message in messages(request) {
        let role = message["role"].as_str().unwrap_or_default();
        if (last, role) == ("tool", "user") {
            return refuse(400, "Unexpected role 'user' after role 'tool'");
        }
        last = role;
        for call in calls(message) {
            if !is_short(&call["id"]) || open.contains(&&call["id"]) {
                return refuse(400, "Tool call id was wrong but must be a-z, A-Z, 0-9, with a length of 9.");
            }
            open.push(&call["id"]);
        }
        if role == "tool" && !open.contains(&&message["tool_call_id"]) {
            return refuse(400, "Unexpected tool call id in tool results");
        }
    }
    None
}

/// Gemini: the first call of each answer carries a signature.
pub fn gemini(request: &Value) -> Option<(u16, String)> {
    let first_calls = messages(request).iter().filter_map(|message| calls(message).first());
    let mut signatures = first_calls.map(|call| &call["extra_content"]["google"]["thought_signature"]);
    match signatures.all(Value::is_string) {
        true => None,
        false => refuse(400, "Function call is missing a thought_signature in functionCall parts."),
    }
}

/// DeepSeek and Kimi: each message that calls tools carries its reasoning.
pub fn deepseek(request: &Value) -> Option<(u16, String)> {
    let lacks = |m: &Value| !calls(m).is_empty() && !m["reasoning_content"].is_string();
    let place = messages(request).iter().position(lacks)?;
    let words = format!("reasoning_content is missing in assistant tool call message at index {place}");
    refuse(400, &words)
}

/// Templates of Gemma and others in llama.cpp: users and answers take turns, and a user begins.
pub fn template(request: &Value) -> Option<(u16, String)> {
    let roles = messages(request).iter().filter_map(|m| m["role"].as_str());
    let roles: Vec<&str> = roles.filter(|role| matches!(*role, "user" | "assistant")).collect();
    let is_fine = roles.first() == Some(&"user") && roles.windows(2).all(|pair| pair != ["user", "user"]);
    match is_fine {
        true => None,
        false => refuse(500, "Conversation roles must alternate user/assistant/user/assistant/..."),
    }
}

/// Strict readers of a request: no `stream_options`.
pub fn without_stream_options(request: &Value) -> Option<(u16, String)> {
    request.get("stream_options")?;
    let detail = r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#;
    Some((422, detail.to_string()))
}

/// Ollama with a model that calls no tools.
pub fn without_tools(request: &Value) -> Option<(u16, String)> {
    request.get("tools")?;
    refuse(400, "registry.ollama.ai/library/gemma3:4b does not support tools")
}
