//! `web_fetch`: a page of the web as readable text.
//!
//! Runs on a tool's thread. What may be reached is decided in `agent::outbound` and its guard (SEC-30); what came is
//! made readable in `html` and given in an envelope that says strangers wrote it (SEC-34).
use super::{Context, Output, Tool, count, html, text, untrusted};
use crate::agent::cancel::Cancel;
use crate::agent::outbound::{self, Fetched, Rules};
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use serde_json::Value;
use std::time::{Duration, Instant};
use ureq::http::Uri;

/// Bytes taken of a page before it is made readable.
const MAX_BYTES: usize = 2 << 20;
/// Characters of the page's address that are shown.
const MAX_URL: usize = 500;
const USUAL_REDIRECTS: u64 = 3;
const MOST_REDIRECTS: u64 = 20;

pub const TOOL: Tool = Tool {
    name: "web_fetch",
    doc: "Fetch a public web page (http or https) and give its text, as Markdown by default. Scripts do not run.",
    parameters: r#"{"type": "object", "required": ["url"], "properties": {
        "url": {"type": "string", "description": "Complete address"},
        "extractMode": {"type": "string", "enum": ["markdown", "text"]},
        "maxChars": {"type": "number", "minimum": 100, "description": "Most characters of text"}}}"#,
    aliases: &[],
    changes: false,
    time: |context, _| time(context) + Duration::from_secs(5),
    run,
};

fn time(context: &Context) -> Duration {
    let seconds =
        context.config.get("tools.web.fetch.timeoutSeconds").and_then(Value::as_f64).unwrap_or(30.0);
    Duration::from_secs_f64(seconds.clamp(1.0, 600.0))
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let config = &context.config;
    let url = text(arguments, "url").unwrap_or_default();
    let redirects = config.u64("tools.web.fetch.maxRedirects").unwrap_or(USUAL_REDIRECTS).min(MOST_REDIRECTS);
    let rules = Rules {
        allow_hosts: config.strings("tools.web.fetch.allowHosts").into_iter().map(str::to_string).collect(),
        max_redirects: redirects as usize,
        max_bytes: MAX_BYTES,
        time: time(context),
        user_agent: config
            .str("tools.web.fetch.userAgent")
            .filter(|name| name.bytes().all(|b| (32..127).contains(&b))),
    };
    let started = Instant::now();
    let fetched = outbound::get(url, &rules, &context.cancel)?;
    if !(200..300).contains(&fetched.status) {
        let text = format!(
            "{} answered HTTP {}: check the address, or try another page",
            host(&fetched.url),
            fetched.status
        );
        return Err(Error::new(Kind::Unavailable, text));
    }
    let is_text = arguments.get("extractMode").and_then(Value::as_str) == Some("text");
    let page = readable(&fetched, is_text, &context.cancel)?;
    let cap = config.u64("tools.web.fetch.maxCharsCap").unwrap_or(50_000) as usize;
    let usual = config.u64("tools.web.fetch.maxChars").unwrap_or(50_000) as usize;
    let most = count(arguments, "maxChars").unwrap_or(usual).clamp(100, cap.max(100));
    let mut answer = answer(&fetched, &page, most);
    if let Some(map) = answer.as_object_mut() {
        map.put("url", url);
        map.put("extractMode", if is_text { "text" } else { "markdown" });
        map.put("fetchedAt", clock::iso(clock::now_ms()));
        map.put("tookMs", started.elapsed().as_millis() as u64);
    }
    Ok(Output::json(&answer).about(shown_url(&fetched.url)))
}

/// What came, for the model. Outside the envelope stands nothing that strangers could have worded: of the address
/// they led to no more than scheme and host.
fn answer(fetched: &Fetched, page: &Page, most: usize) -> Value {
    let length = page.text.chars().count();
    let is_cut = length > most || fetched.is_cut;
    let mut shown: String = page.text.chars().take(most).collect();
    if is_cut {
        shown += "\n[cut here: the page is longer]";
    }
    let uri = fetched.url.parse::<Uri>().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str).unwrap_or("https");
    let host = host(&fetched.url);
    let content = format!("Address: {}\n\n{shown}", shown_url(&fetched.url));
    json!({
        "finalUrl": format!("{scheme}://{host}"), "status": fetched.status, "contentType": page.kind,
        "extractor": page.extractor, "truncated": is_cut, "length": shown.chars().count(), "rawLength": length,
        "text": untrusted::wrap(&format!("web page at {host}"), &content),
    })
}

fn shown_url(url: &str) -> String {
    url.chars().take(MAX_URL).collect()
}

fn host(url: &str) -> String {
    url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_string)).unwrap_or_default()
}

struct Page {
    text: String,
    kind: &'static str,
    extractor: &'static str,
}

/// The text of what came; fails for what is no text, and when stopped.
fn readable(fetched: &Fetched, is_text: bool, cancel: &Cancel) -> Result<Page> {
    let kind = fetched.content_type.split(';').next().unwrap_or_default().trim();
    let body = decode(fetched).ok_or_else(|| {
        Error::invalid(format!(
            "what {} sent is no text that can be read here ({} bytes)",
            host(&fetched.url),
            fetched.body.len()
        ))
    })?;
    let start = body.trim_start().get(..15).unwrap_or_default().to_ascii_lowercase();
    let is_html = kind == "text/html"
        || kind == "application/xhtml+xml"
        || (kind.is_empty() && start.starts_with("<!doctype html"));
    if is_html {
        let read = html::read(&body, &fetched.url, is_text, cancel);
        if cancel.reason().is_some() {
            return Err(cancel.error());
        }
        let text =
            if read.title.is_empty() { read.text } else { format!("Title: {}\n\n{}", read.title, read.text) };
        return Ok(Page { text, kind: "text/html", extractor: "readable" });
    }
    if kind.ends_with("json")
        && let Ok(value) = serde_json::from_str::<Value>(&body)
    {
        return Ok(Page { text: format!("{value:#}"), kind: "application/json", extractor: "json" });
    }
    Ok(Page { text: body, kind: "text/plain", extractor: "raw" })
}

/// The body as text: UTF-8, or Latin-1 where the server says so. A character cut in two at the end is left out.
fn decode(fetched: &Fetched) -> Option<String> {
    let latin = ["charset=iso-8859-1", "charset=windows-1252", "charset=\"iso-8859-1\""];
    match std::str::from_utf8(&fetched.body) {
        Ok(text) if !text.contains('\0') => Some(text.to_string()),
        Err(e) if fetched.is_cut && e.error_len().is_none() => {
            let whole = fetched.body.get(..e.valid_up_to())?;
            std::str::from_utf8(whole).ok().map(str::to_string)
        }
        Err(_) if latin.iter().any(|name| fetched.content_type.contains(name)) => {
            Some(fetched.body.iter().map(|byte| char::from(*byte)).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    fn fetched(content_type: &str, body: &[u8]) -> Fetched {
        Fetched {
            status: 200,
            url: "https://h.com/a".into(),
            content_type: content_type.into(),
            body: body.to_vec(),
            is_cut: false,
        }
    }

    #[test]
    fn pages_are_made_readable_by_kind() {
        let readable = |fetched: &Fetched| super::readable(fetched, false, &Cancel::new());
        let read = |kind: &str, body: &str| readable(&fetched(kind, body.as_bytes())).map(|page| page.text);
        assert_eq!(
            read("text/html; charset=utf-8", "<title>T</title><p>a<p>b").unwrap(),
            "Title: T\n\na\n\nb"
        );
        assert_eq!(read("application/json", "{\"a\":1}").unwrap(), "{\n  \"a\": 1\n}");
        assert_eq!(read("application/json", "{a").unwrap(), "{a");
        assert_eq!(read("text/csv", "a,b").unwrap(), "a,b");
        assert!(readable(&fetched("image/png", b"\x89PNG\xff")).is_err());
        assert!(readable(&fetched("application/octet-stream", b"a\0b")).is_err());
        assert_eq!(readable(&fetched("text/plain; charset=iso-8859-1", b"caf\xe9")).unwrap().text, "café");
        let cut = Fetched { is_cut: true, ..fetched("text/plain", b"ab\xc3") };
        assert_eq!(decode(&cut).as_deref(), Some("ab"));
    }

    #[test]
    fn sec_34_the_address_strangers_led_to_stands_inside_the_envelope() {
        let url = format!("https://h.com/obey-me/{}", "x".repeat(5000));
        let came = Fetched { url, ..fetched("text/plain", b"hello") };
        let page = readable(&came, false, &Cancel::new()).unwrap();
        let mut answer = answer(&came, &page, 1000);
        let text = answer["text"].take();
        let text = text.as_str().unwrap();
        assert_eq!(answer["finalUrl"], "https://h.com");
        assert!(!answer.to_string().contains("obey-me"), "{answer}");
        let (outside, inside) = text.split_once("<<<EXTERNAL").unwrap();
        assert!(!outside.contains("obey-me") && inside.contains("https://h.com/obey-me/x"), "{text}");
        assert!(inside.contains("hello") && text.len() < 1000, "{}", text.len());
    }

    #[test]
    fn sec_30_what_is_not_public_is_not_fetched() {
        let (context, _dir) = context("{}");
        for url in [
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://[::1]/",
            "http://0x7f.1/",
            "file:///etc/passwd",
            "http://u:p@h.com/",
        ] {
            assert!(run(&context, &json!({"url": url})).is_err(), "{url}");
        }
    }
}
