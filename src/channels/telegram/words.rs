//! What a delivery says in the end: a model's words without its tags and with the prefix, errors in words for who reads
//! them there, notices instead of what waited too long (R-10c). On a sender's thread.
use super::line::Line;
use crate::channels::accounts::Account;
use crate::channels::markdown::{self, Tables, Text};
use crate::channels::outgoing::Outgoing;
use crate::channels::said::{Reply, Said};
use crate::config::Config;
use crate::deliveries::Delivery;
use crate::error::Result;
use serde_json::Value;

/// What is to be shown.
#[derive(Default)]
pub struct Words {
    pub text: Text,
    pub media: Vec<String>,
    /// The message that it answers.
    pub reply: Option<i64>,
    pub is_voice: bool,
}

/// Takes a delivery's words apart; the sentence says why there is nothing to show.
pub fn of(
    line: &Line,
    config: &Config,
    account: &Account,
    delivery: &Delivery,
    out: &Outgoing,
) -> Result<std::result::Result<Words, String>> {
    if let Some(error) = out.error() {
        let text = failure(account, delivery, out, error);
        let words = text.map(|text| Words { text: plain(text), ..Words::default() });
        return Ok(words.ok_or_else(|| "errors are not told there (channels.telegram.errors)".to_string()));
    }
    let said = match out.session() {
        Some(_) => Said::read(out.text()),
        None => Said { text: out.text().to_string(), ..Said::default() },
    };
    let reply = match &said.reply {
        // What a turn answers is quoted where its words ask for it.
        Reply::None => out.reply_to().filter(|_| out.session().is_none()),
        Reply::Current => out.reply_to(),
        Reply::To(id) => Some(id.as_str()),
    };
    let reply = reply.filter(|_| account.str("replyToMode") != Some("off") || out.session().is_none());
    let reply = reply.and_then(|id| id.parse().ok());
    let mut text = said.text;
    let media: Vec<String> = out.media().map(str::to_string).chain(said.media).collect();
    if out.session().is_some() && !out.is_plain() && !text.trim().is_empty() {
        let prefix = prefix(line, config, account, out)?;
        if !prefix.is_empty() {
            text = format!("{prefix} {text}");
        }
    }
    let tables = account.part("markdown", "tables").and_then(Value::as_str);
    let tables = Tables::named(tables.unwrap_or_default());
    let mut text = if out.is_plain() { plain(text) } else { markdown::parse(&text, tables) };
    if text.plain.trim().is_empty() && media.is_empty() && out.session().is_some() {
        text = plain("No response generated. Please try again.".into());
    }
    Ok(Ok(Words { text, media, reply, is_voice: said.is_voice || out.is_voice() }))
}

pub fn plain(text: String) -> Text {
    Text::plain(text.replace('\r', ""))
}

/// How a failed run is told (`errors`): the owner by himself reads the class of its cause and where the log has the rest,
/// others that something failed, and nobody what a server said.
fn failure(account: &Account, delivery: &Delivery, out: &Outgoing, error: &Value) -> Option<String> {
    let policy = account.str("errors").unwrap_or("owner");
    let is_his = out.is_owner() && !delivery.to.starts_with(['-', '@']);
    match policy {
        "none" => None,
        "all" => Some(()),
        _ if is_his => Some(()),
        _ if out.is_begun() => {
            return Some("⚠️ Something went wrong and the answer broke off. Please try again.".to_string());
        }
        _ => return Some("⚠️ Something went wrong and there is no answer. Please try again.".to_string()),
    }?;
    let details = error.get("details");
    let detail = |name: &str| details?.get(name)?.as_str().filter(|class| is_class(class));
    let class = detail("failoverReason").filter(|class| *class != "unknown").or_else(|| detail("code"));
    let run = delivery.id.rsplit_once('/').map_or(delivery.id.as_str(), |(run, _)| run);
    let class = class.unwrap_or("UNAVAILABLE").to_lowercase();
    let what = if out.is_begun() { "The answer broke off" } else { "There is no answer" };
    Some(format!("⚠️ {what}: {class}. The log has more: openclaw logs, run {run}"))
}

/// A word of ours, not a sentence of somebody else's.
fn is_class(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `responsePrefix` with what it names; what it does not know stays.
fn prefix(line: &Line, config: &Config, account: &Account, out: &Outgoing) -> Result<String> {
    let set = account.str("responsePrefix").or_else(|| config.str("messages.responsePrefix"));
    let template = match set.unwrap_or_default() {
        "auto" => "[{identity.name}]",
        template => template,
    };
    if !template.contains('{') {
        return Ok(template.to_string());
    }
    let (key, agents) = (out.session().unwrap_or_default(), line.agents(config));
    let agent = key.strip_prefix("agent:").and_then(|rest| rest.split(':').next()).unwrap_or("main");
    let entry = line.house.session(key)?.unwrap_or_default();
    let of_entry = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_string);
    let usual = agents.model(agent).unwrap_or_default();
    let (provider, model) = usual.split_once('/').unwrap_or(("", &usual));
    let model = of_entry("model").unwrap_or_else(|| model.to_string());
    let provider = of_entry("modelProvider").unwrap_or_else(|| provider.to_string());
    let value = |name: &str| match name.to_ascii_lowercase().as_str() {
        "model" => Some(model.rsplit('/').next().unwrap_or_default().to_string()),
        "modelfull" => Some(format!("{provider}/{model}")),
        "provider" => Some(provider.clone()),
        "thinkinglevel" | "think" => Some(of_entry("thinkingLevel").unwrap_or_else(|| "off".into())),
        "identity.name" | "identityname" => Some(agents.identity(agent).get("name")?.as_str()?.to_string()),
        _ => None,
    };
    Ok(fill(template, value))
}

fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = after.split_once('}').and_then(|(name, after)| Some((value(name.trim())?, after)));
        match found {
            Some((value, after)) => {
                filled.push_str(&value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_filled_with_what_is_known() {
        let value = |name: &str| (name == "model").then(|| "m".to_string());
        assert_eq!(fill("[{model}] {who} {", value), "[m] {who} {");
        assert_eq!(fill("{ model }{{model}}", value), "m{m}");
    }

    #[test]
    fn r_47_a_class_is_a_word() {
        assert!(is_class("rate_limit") && is_class("MODEL_FAILED"));
        assert!(!is_class("") && !is_class("500 boom") && !is_class(&"a".repeat(41)));
    }
}
