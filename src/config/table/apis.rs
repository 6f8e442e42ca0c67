//! The names of the protocols of model servers, as `models.providers.*.api` says them.

pub const COMPLETIONS: &str = "openai-completions";
pub const RESPONSES: &str = "openai-responses";
pub const MESSAGES: &str = "anthropic-messages";

/// All that a file may say; those that are not spoken here are told when a model is asked.
pub const ALL: &[&str] = &[
    COMPLETIONS,
    RESPONSES,
    MESSAGES,
    "google-generative-ai",
    "github-copilot",
    "bedrock-converse-stream",
    "ollama",
];
