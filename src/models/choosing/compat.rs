//! What a server of chat completions takes and wants, beyond what all do: told by the configuration's `compat`, else
//! known of the usual ones.
//!
//! Pure. Made by `resolve`, used by `openai_body` and `messages`.
use crate::models::provider::{Api, Provider};
use serde_json::Value;

/// How a server is told to reason or not to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThinkingFormat {
    /// `reasoning_effort`
    #[default]
    Effort,
    /// `thinking: {type}`
    Switch,
    /// `enable_thinking`
    Enable,
    /// `chat_template_kwargs: {enable_thinking}`
    Template,
    /// `reasoning: {effort}`
    Nested,
}

/// Why the server of a model that reasons is not told how much, or is told less than that.
pub fn untold(provider: &Provider) -> Option<String> {
    let model = format!("{}/{}", provider.id, provider.model);
    match provider.compat.thinking {
        _ if provider.api != Api::OpenAiCompletions || provider.effort => None,
        ThinkingFormat::Nested => None,
        ThinkingFormat::Effort => Some(format!(
            "The server of {model} is not told: if it takes reasoning_effort, set compat.supportsReasoningEffort of the model to true."
        )),
        _ => Some(format!("The server of {model} is told on or off only.")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compat {
    /// Takes `stream_options`, to count tokens in a stream.
    pub counts_in_stream: bool,
    /// Is told not to store the conversation.
    pub store: bool,
    /// Has the role `developer` in the place of `system`, for models that reason.
    pub developer: bool,
    /// Wants the tool's name beside its result.
    pub result_name: bool,
    /// Wants an answer between a tool's result and what the user says next.
    pub answer_after_result: bool,
    /// Takes reasoning as text of the answer only.
    pub thinking_as_text: bool,
    /// Takes ids of calls of nine letters and digits only.
    pub short_ids: bool,
    /// Wants reasoning with every call of a tool, if only an empty one.
    pub reasoning_with_calls: bool,
    /// Wants a signature with the first call of an answer, a special one where another model called.
    pub signed_calls: bool,
    pub thinking: ThinkingFormat,
}

impl Default for Compat {
    fn default() -> Compat {
        Compat {
            counts_in_stream: true,
            store: false,
            developer: false,
            result_name: false,
            answer_after_result: false,
            thinking_as_text: false,
            short_ids: false,
            reasoning_with_calls: false,
            signed_calls: false,
            thinking: ThinkingFormat::Effort,
        }
    }
}

/// Parts of the names of Mistral's models, which other servers carry too.
const MISTRAL: [&str; 8] =
    ["mistral", "mixtral", "ministral", "devstral", "codestral", "magistral", "pixtral", "voxtral"];

impl Compat {
    /// By the member `compat` of a model's entry; `id` is the provider's.
    pub fn of(compat: &Value, id: &str, host: &str, model: &str) -> Compat {
        let (id, model) = (id.to_ascii_lowercase(), model.to_ascii_lowercase());
        let flag = |name: &str| compat.get(name).and_then(Value::as_bool);
        let is_at = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        let is_mistral =
            is_at("mistral.ai") || MISTRAL.iter().any(|name| id == *name || model.contains(name));
        let keeps_reasoning =
            ["deepseek.com", "moonshot.ai", "moonshot.cn", "kimi.com"].iter().any(|d| is_at(d));
        let is_google = id.starts_with("google") || is_at("googleapis.com");
        let thinking = match compat.get("thinkingFormat").and_then(Value::as_str) {
            Some("zai" | "deepseek") => ThinkingFormat::Switch,
            Some("qwen") => ThinkingFormat::Enable,
            Some("qwen-chat-template" | "chat-template") => ThinkingFormat::Template,
            Some("openrouter") => ThinkingFormat::Nested,
            None if is_at("z.ai") || is_at("bigmodel.cn") => ThinkingFormat::Switch,
            None if is_at("openrouter.ai") => ThinkingFormat::Nested,
            _ => ThinkingFormat::Effort,
        };
        Compat {
            counts_in_stream: flag("supportsUsageInStreaming").unwrap_or(true),
            store: flag("supportsStore").unwrap_or(false),
            developer: flag("supportsDeveloperRole").unwrap_or(false),
            result_name: flag("requiresToolResultName").unwrap_or(is_mistral),
            answer_after_result: flag("requiresAssistantAfterToolResult").unwrap_or(is_mistral),
            thinking_as_text: flag("requiresThinkingAsText").unwrap_or(false),
            short_ids: flag("requiresMistralToolIds").unwrap_or(is_mistral),
            reasoning_with_calls: flag("requiresReasoningContentOnAssistantMessages").unwrap_or(
                keeps_reasoning || id == "deepseek" || id.starts_with("moonshot") || id.starts_with("kimi"),
            ),
            signed_calls: is_google && model.contains("gemini"),
            thinking,
        }
    }
}
