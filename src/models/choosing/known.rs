//! What is known of the usual providers without configuration: address, key variable, wire format; and which models
//! reason.
//!
//! Pure data. A provider that is not here needs a `baseUrl` and nothing else.
use crate::models::provider::{Api, Provider};
use crate::parts::Parts;
use serde_json::Value;

struct Known {
    id: &'static str,
    base_url: &'static str,
    /// The environment variable that holds its key.
    variable: &'static str,
    api: Api,
}

const fn row(id: &'static str, base_url: &'static str, variable: &'static str) -> Known {
    Known { id, base_url, variable, api: Api::OpenAiCompletions }
}

const fn messages(id: &'static str, base_url: &'static str, variable: &'static str) -> Known {
    Known { id, base_url, variable, api: Api::AnthropicMessages }
}

const KNOWN: &[Known] = &[
    messages("anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    row("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    row("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    row("google", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
    row("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    row("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN"),
    messages("kimi-coding", "https://api.kimi.com/coding", "KIMI_API_KEY"),
    row("lmstudio", "http://127.0.0.1:1234/v1", "LMSTUDIO_API_KEY"),
    messages("minimax", "https://api.minimax.io/anthropic", "MINIMAX_API_KEY"),
    row("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    row("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    row("ollama", "http://127.0.0.1:11434/v1", "OLLAMA_API_KEY"),
    row("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    row("opencode", "https://opencode.ai/zen/v1", "OPENCODE_API_KEY"),
    row("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    row("qianfan", "https://qianfan.baidubce.com/v2", "QIANFAN_API_KEY"),
    messages("synthetic", "https://api.synthetic.new/anthropic", "SYNTHETIC_API_KEY"),
    row("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    row("venice", "https://api.venice.ai/api/v1", "VENICE_API_KEY"),
    row("vercel-ai-gateway", "https://ai-gateway.vercel.sh/v1", "AI_GATEWAY_API_KEY"),
    row("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    messages("xiaomi", "https://api.xiaomimimo.com/anthropic", "XIAOMI_API_KEY"),
    row("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
];

/// Parts of the names of models that reason whatever the configuration says of them, in lower case.
const REASONING: [&str; 12] = [
    "deepseek-r",
    "qwq",
    "qwen3",
    "think",
    "reason",
    "magistral",
    "gpt-oss",
    "glm-4.5",
    "glm-4.6",
    "glm-z1",
    "minimax-m",
    "nemotron",
];

/// Whether a model is known to reason, so that its server may leave reasoning in its text.
pub fn reasons(p: &Provider) -> bool {
    let name = p.model.to_ascii_lowercase();
    p.reasoning || (REASONING.iter().any(|part| name.contains(part)) && !name.contains("instruct"))
}

/// Parts of the names of models whose templates open the tag of reasoning, so that their answers only close it.
const OPENED: [&str; 4] = ["deepseek-r1", "qwq", "-thinking-2507", "a3b-thinking"];

/// Whether a model is known to begin its answers within reasoning, where its server does not take that out.
pub fn begins_inside(p: &Provider) -> bool {
    let name = p.model.to_ascii_lowercase();
    OPENED.iter().any(|part| name.contains(part))
}

/// Whether a message of the conversation shows that the model reasons.
pub fn has_reasoned(p: &Provider, message: &Value) -> bool {
    let content = message.get("content").and_then(Value::as_array).into_iter().flatten();
    message.get("model").and_then(Value::as_str) == Some(&p.model)
        && content.into_iter().any(|block| block.get("type").is_some_and(|kind| kind == "thinking"))
}

/// Other names of providers, as the original takes them.
const ALIASES: [(&str, &str); 5] = [
    ("kimi-code", "kimi-coding"),
    ("opencode-zen", "opencode"),
    ("qwen", "qwen-portal"),
    ("z-ai", "zai"),
    ("z.ai", "zai"),
];

/// The usual provider of this name, in whatever case it is written; else the name.
pub fn named(id: &str) -> &str {
    let id = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(id)).map_or(id, |(_, name)| name);
    KNOWN.iter().map(|known| known.id).find(|known| known.eq_ignore_ascii_case(id)).unwrap_or(id)
}

fn find(id: &str) -> Option<&'static Known> {
    let id = named(id);
    KNOWN.iter().find(|known| known.id == id)
}

/// The address of a provider that needs no `baseUrl`.
pub fn base_url(id: &str) -> Option<&'static str> {
    find(id).map(|known| known.base_url)
}

/// The wire format where the configuration names none.
pub fn api(id: &str) -> Api {
    find(id).map_or(Api::OpenAiCompletions, |known| known.api)
}

/// The environment variable that holds a provider's key when the configuration has none.
pub fn key_variable(id: &str) -> String {
    let usual = || id.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_") + "_API_KEY";
    find(id).map_or_else(usual, |known| known.variable.to_string())
}

/// Whether a configured key is the name of the provider's variable, as the original writes it down.
pub fn is_key_variable(text: &str, id: &str) -> bool {
    text == key_variable(id)
}

/// Calls that stand at the end of an address copied from a manual.
const CALLS: [&str; 5] = ["/chat/completions", "/completions", "/responses", "/messages", "/models"];
/// The same of Ollama's own format.
const NATIVE: [&str; 6] = ["/api/chat", "/api/generate", "/api/show", "/api/tags", "/api/ps", "/api"];

/// The address below which a configured one is asked: without the call at its end, which is put there anyway; and where it
/// was written for Ollama's own format, below the `/v1` of its server.
pub fn address(base_url: &str, id: &str, api: Option<&str>) -> String {
    let (base, query) =
        base_url.find('?').map_or((base_url, ""), |at| (base_url.head(at), base_url.tail(at)));
    let without = |base: &str, calls: &[&str]| {
        let calls = calls.iter().filter(|call| base.len() > call.len());
        let mut short = calls.filter_map(|call| {
            let (short, end) = base.split_at_checked(base.len() - call.len())?;
            end.eq_ignore_ascii_case(call).then(|| short.trim_end_matches('/').to_string())
        });
        short.next()
    };
    let plain = base.trim_end_matches('/');
    let called = without(plain, &CALLS);
    let base = called.as_deref().unwrap_or(plain);
    if api != Some("ollama") && id != "ollama" {
        return called.map_or(base_url.to_string(), |base| base + query);
    }
    let path = base.split_once("://").and_then(|(_, rest)| Some(rest.split_once('/')?.1));
    let is_version =
        |name: &str| name.strip_prefix('v').is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    // Behind a proxy its server stands below a path; where the format is named, the path may be any.
    let is_bare =
        path.is_none_or(|path| api.is_none_or(|api| api == "ollama") && !path.split('/').any(is_version));
    match without(base, &NATIVE) {
        Some(short) => format!("{short}/v1{query}"),
        None if is_bare => format!("{base}/v1{query}"),
        None => format!("{base}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_f28_ollama_is_asked_where_it_speaks_this_format() {
        for (written, api, want) in [
            ("http://h:11434", Some("ollama"), "http://h:11434/v1"),
            ("http://h:11434/", None, "http://h:11434/v1"),
            ("http://h:11434/api/", Some("ollama"), "http://h:11434/v1"),
            ("http://h:11434/v1", Some("ollama"), "http://h:11434/v1"),
            ("http://h/proxy/v1", Some("openai-completions"), "http://h/proxy/v1"),
            ("http://h:11434/api/chat", Some("ollama"), "http://h:11434/v1"),
            ("http://h:11434/api/Chat//", None, "http://h:11434/v1"),
            ("http://h:11434/api/generate", None, "http://h:11434/v1"),
            ("http://h:11434/v1/chat/completions", None, "http://h:11434/v1"),
            ("http://h:11434/v1/chat/completions/", Some("ollama"), "http://h:11434/v1"),
            ("http://h:11434/v1/messages", Some("ollama"), "http://h:11434/v1"),
            ("http://h:11434/api?k=1", Some("ollama"), "http://h:11434/v1?k=1"),
            ("http://h/proxy/api/chat", None, "http://h/proxy/v1"),
            // T2b-10
            ("http://h/ollama", Some("ollama"), "http://h/ollama/v1"),
            ("http://h/ollama/?k=1", None, "http://h/ollama/v1?k=1"),
            ("http://h/ollama/v1", Some("ollama"), "http://h/ollama/v1"),
            ("http://h/own", Some("openai-completions"), "http://h/own"),
        ] {
            assert_eq!(address(written, "ollama", api), want);
        }
        assert_eq!(address("http://h:1", "box", Some("ollama")), "http://h:1/v1");
        assert_eq!(address("http://h:1", "box", None), "http://h:1");
        assert_eq!(address("http://h/api/", "box", None), "http://h/api/");
        assert_eq!(address("http://h/v1/Chat/Completions", "box", None), "http://h/v1");
        assert_eq!(address("http://h/d/chat/completions?v=1", "box", None), "http://h/d?v=1");
        assert_eq!(address("https://h/v1/messages/", "box", Some("anthropic-messages")), "https://h/v1");
    }

    #[test]
    fn rows_are_sorted_and_name_servers() {
        assert!(KNOWN.is_sorted_by_key(|known| known.id));
        for known in KNOWN {
            let local = known.base_url.starts_with("http://127.0.0.1:");
            assert!(known.base_url.starts_with("https://") || local, "{}", known.id);
            assert!(!known.base_url.ends_with('/') && !known.variable.is_empty(), "{}", known.id);
        }
        assert_eq!(key_variable("my-box"), "MY_BOX_API_KEY");
        assert_eq!((api("anthropic"), api("openai")), (Api::AnthropicMessages, Api::OpenAiCompletions));
    }
}
