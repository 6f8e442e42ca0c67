//! What each search service is asked, and what of its answer is told. Pure.
use super::services::{Found, Fresh, Query, Request, Service};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::fetch::html;
use crate::json::{Put, json};
use crate::parts::shortened;
use crate::percent;
use serde_json::Value;

/// Characters told of a result's title and text, and of an answer in sentences.
const MAX_TITLE: usize = 300;
const MAX_TEXT: usize = 1_000;
const MAX_CONTENT: usize = 20_000;
const MAX_URL: usize = 2_000;

pub fn brave(service: &Service, query: &Query) -> Result<Request> {
    let fresh = match &query.fresh {
        Some(Fresh::Past(code, _)) => Some(*code),
        Some(Fresh::Between(days)) => Some(days.as_str()),
        None => None,
    };
    let count = query.count.to_string();
    let parts = [
        ("q", Some(query.text)),
        ("count", Some(&count)),
        ("country", query.country),
        ("search_lang", query.language),
        ("ui_lang", query.words),
        ("freshness", fresh),
    ];
    let key = service.key.clone().unwrap_or_default();
    Ok(Request {
        url: address(&service.url, &parts),
        headers: vec![("x-subscription-token".to_string(), key)],
        body: None,
    })
}

pub fn searxng(service: &Service, query: &Query) -> Result<Request> {
    let fresh = query.fresh.as_ref().map(|fresh| fresh.word("SearXNG")).transpose()?;
    let parts = [
        ("q", Some(query.text)),
        ("format", Some("json")),
        ("language", query.language),
        ("time_range", fresh),
    ];
    Ok(Request { url: address(&format!("{}/search", service.url), &parts), headers: Vec::new(), body: None })
}

pub fn perplexity(service: &Service, query: &Query) -> Result<Request> {
    let model = match service.url.contains("openrouter") {
        true => service.model.as_str(),
        false => service.model.strip_prefix("perplexity/").unwrap_or(&service.model),
    };
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": query.text}]});
    if let (Some(fresh), Some(map)) = (&query.fresh, body.as_object_mut()) {
        map.put("search_recency_filter", fresh.word("Perplexity")?);
    }
    let url = format!("{}/chat/completions", service.url);
    Ok(Request { url, headers: service.bearer(), body: Some(body.to_string().into_bytes()) })
}

/// A list of pages, each with its address.
pub fn listed(results: &Value, text: &str, most: usize) -> Option<Found> {
    let results = results.as_array()?.iter().take(most);
    let mut lines = Vec::new();
    for (at, result) in results.enumerate() {
        let member = |name: &str, most| {
            shortened(&plain(result.get(name).and_then(Value::as_str).unwrap_or_default()), most)
        };
        let age = [member("age", 80), member("publishedDate", 80)].into_iter().find(|age| !age.is_empty());
        let age = age.map_or_else(String::new, |age| format!(" ({age})"));
        let url = shortened(result.get("url").and_then(Value::as_str).unwrap_or_default(), MAX_URL);
        lines.push(format!(
            "{}. {}\n{url}{age}\n{}",
            at + 1,
            member("title", MAX_TITLE),
            member(text, MAX_TEXT)
        ));
    }
    Some(Found { count: lines.len(), text: lines.join("\n\n") })
}

/// An answer in sentences with its sources.
pub fn told(answer: &Value, _: usize) -> Option<Found> {
    let content = answer.get("choices")?.get(0)?.get("message")?.get("content")?.as_str()?;
    let sources =
        answer.get("citations").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut text = shortened(content, MAX_CONTENT);
    let mut count = 0;
    for (at, source) in sources.take(20).enumerate() {
        count = at + 1;
        text += &format!("{}[{count}] {}", if at == 0 { "\n\n" } else { "\n" }, shortened(source, MAX_URL));
    }
    Some(Found { count, text })
}

/// A text in which services mark the words that were looked for.
fn plain(text: &str) -> String {
    html::read(text, "", true, &Cancel::new()).text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn address(base: &str, parts: &[(&str, Option<&str>)]) -> String {
    let mut url = base.to_string();
    let mut mark = if base.contains('?') { '&' } else { '?' };
    for (name, value) in parts.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
        url.push(mark);
        url += name;
        url.push('=');
        url += &percent::escaped(value, b"");
        mark = '&';
    }
    url
}
