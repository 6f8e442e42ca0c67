//! A message that no window of the model holds, told before it is sent: some servers cut such a request silently, and
//! the model answers to the rest of it.
//!
//! Pure; the run's thread asks before each call. Only what cannot fit is told here: where it may fit after all, the
//! server is asked, and its own words count.
use super::compact;
use crate::config::Config;
use crate::error::Error;
use crate::models::failure::Failure;
use crate::models::provider::{Api, Provider};
use crate::sessions::{estimate, message};
use serde_json::Value;

/// The estimate is cautious; a text takes at least this share of it.
const LEAST: (u64, u64) = (3, 5);

/// Why the newest message of a user does not fit, if it surely does not.
pub fn why(messages: &[Value], provider: &Provider, config: &Config) -> Option<Error> {
    let newest = messages.iter().rev().find(|message| message::role(message) == "user")?;
    let tokens = estimate::of_message(newest);
    let window = compact::tokens(provider, config);
    if provider.api == Api::Builtin || tokens / LEAST.1 * LEAST.0 <= window {
        return None;
    }
    let what = format!(
        "is not asked: the message takes about {tokens} tokens, and its model {} is known to take {window}: send a shorter one, choose a model with a larger window, or raise {}",
        provider.model,
        compact::setting(provider, config)
    );
    Some(Failure::lasting(provider, &what).because("context_length").error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn a_message_that_may_fit_is_left_to_the_server() {
        let provider = Provider { api: Api::OpenAiCompletions, context_window: 1000, ..Provider::builtin() };
        let told = |provider: &Provider, size: usize| {
            let messages =
                [json!({"role": "user", "content": "x".repeat(size)}), json!({"role": "toolResult"})];
            why(&messages, provider, &Config::empty()).map(|error| error.message().to_string())
        };
        assert_eq!(told(&provider, 4900), None);
        assert_eq!(told(&Provider::builtin(), 5_000_000), None);
        let said = told(&provider, 9000).unwrap();
        assert!(said.contains("about 3004 tokens") && said.contains("take 1000: send"), "{said}");
        assert!(
            said.ends_with("raise contextWindow of the model in models.providers.openclaw.models"),
            "{said}"
        );
    }
}
