//! `web_fetch`: a page of the web as readable text.
//!
//! Runs on a tool's thread. What may be reached is decided in `agent::outbound` and its guard (SEC-30); what came is
//! made readable in `fetch/html.rs` and given in an envelope that says strangers wrote it (SEC-34).
use crate::calls::Provenance;
use crate::cancel::Cancel;
use crate::charset;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::fetch::html;
use crate::fetch::outbound;
use crate::fetch::outbound::{Fetched, Rules};
use crate::json::{Put, json};
use crate::tools::{Context, Output, Tool, count, text};
use crate::untrusted;
use serde_json::Value;
use std::time::{Duration, Instant};
use ureq::http::Uri;

/// Bytes taken of a page before it is made readable.
const MAX_BYTES: usize = 2 << 20;
/// Characters of the page's address that are shown.
const MAX_URL: usize = 2000;
const USUAL_REDIRECTS: u64 = 3;
const MOST_REDIRECTS: u64 = 20;

pub const TOOL: Tool = Tool {
    name: "web_fetch",
    doc: "Fetch a public web page (http or https) and give its text, as Markdown by default. Scripts do not run.",
    parameters: r#"{"type": "object", "required": ["url"], "properties": {
        "url": {"type": "string", "description": "Complete address"},
        "extractMode": {"type": "string", "enum": ["markdown", "text"]},
        "maxChars": {"type": "number", "minimum": 100, "description": "Most characters of text"}}}"#,
    aliases: &[
        ("uri", "url"),
        ("link", "url"),
        ("href", "url"),
        ("address", "url"),
        ("mode", "extractMode"),
        ("format", "extractMode"),
        ("max_length", "maxChars"),
        ("limit", "maxChars"),
    ],
    changes: false,
    serves: Provenance::is_any,
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
    let mut fetched = outbound::get(url, &rules, &context.cancel)?;
    if !(200..300).contains(&fetched.status) {
        let text = format!(
            "{} answered HTTP {}: check the address, or try another page",
            host(&fetched.url),
            fetched.status
        );
        return Err(Error::new(Kind::Unavailable, text));
    }
    let is_text = arguments.get("extractMode").and_then(Value::as_str) == Some("text");
    let page = readable(&mut fetched, is_text, &context.cancel)?;
    let cap = config.u64("tools.web.fetch.maxCharsCap").unwrap_or(50_000) as usize;
    let usual = config.u64("tools.web.fetch.maxChars").unwrap_or(50_000) as usize;
    let most = count(arguments, "maxChars").unwrap_or(usual).clamp(100, cap.max(100));
    let mut answer = answer(&fetched, &page, most)?;
    if let Some(map) = answer.as_object_mut() {
        map.put("url", url);
        map.put("extractMode", if is_text { "text" } else { "markdown" });
        map.put("fetchedAt", clock::iso(clock::now_ms()));
        map.put("tookMs", started.elapsed().as_millis() as u64);
    }
    Ok(Output::json(&answer).about(shown_url(&fetched.url)))
}

/// What came, for the model. Outside the envelope stands nothing that strangers could have worded but the address they
/// led to, which a model needs to tell pages apart: whole, in ASCII, up to a length.
fn answer(fetched: &Fetched, page: &Page, most: usize) -> Result<Value> {
    let length = page.text.chars().count();
    let is_cut = length > most || fetched.is_cut || page.is_cut;
    let mut shown: String = page.text.chars().take(most).collect();
    if is_cut {
        shown += "\n[cut here: the page is longer]";
    }
    let host = host(&fetched.url);
    let text = untrusted::wrap(&format!("web page at {host}"), &shown)?;
    Ok(json!({
        "finalUrl": shown_url(&fetched.url), "status": fetched.status, "contentType": page.kind,
        "extractor": page.extractor, "truncated": is_cut, "length": shown.chars().count(), "rawLength": length,
        "text": text,
    }))
}

/// An address without what an address cannot hold.
fn shown_url(url: &str) -> String {
    let mut shown = String::new();
    for byte in url.bytes().take(MAX_URL) {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') => {
                shown.push(char::from(byte));
            }
            _ => shown += &format!("%{byte:02X}"),
        }
    }
    shown
}

fn host(url: &str) -> String {
    url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_string)).unwrap_or_default()
}

struct Page {
    text: String,
    kind: &'static str,
    extractor: &'static str,
    /// Whether text was left out already.
    is_cut: bool,
}

/// The text of what came; fails for what is no text, and when stopped. Takes the body: there is never more than one
/// other copy of a page, and JSON is given as it came, for laying it out grows with its depth.
fn readable(fetched: &mut Fetched, is_text: bool, cancel: &Cancel) -> Result<Page> {
    let kind = fetched.content_type.split(';').next().unwrap_or_default().trim().to_string();
    let bytes = std::mem::take(&mut fetched.body);
    let size = bytes.len();
    let starts = |start: &[u8]| {
        bytes.trim_ascii_start().get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    let is_html = matches!(kind.as_str(), "text/html" | "application/xhtml+xml")
        || (kind.is_empty() && (starts(b"<!doctype html") || starts(b"<html")));
    let is_json = kind.ends_with("json");
    // A page may say itself what it is written in; so may any XML.
    let own = || (is_html || kind.ends_with("xml")).then(|| charset::declared_in(&bytes)).flatten();
    let label = declared(&fetched.content_type).or_else(own);
    let body = charset::decode(bytes, label.as_deref(), fetched.is_cut, MAX_BYTES).ok_or_else(|| {
        Error::invalid(format!(
            "what {} sent is no text that can be read here ({size} bytes)",
            host(&fetched.url)
        ))
    })?;
    if is_html {
        let read = html::read(&body.text, &fetched.url, is_text, cancel);
        if cancel.reason().is_some() {
            return Err(cancel.error());
        }
        let mut text = read.text;
        if !read.title.is_empty() {
            text.insert_str(0, &format!("Title: {}\n\n", read.title));
        }
        return Ok(Page { text, kind: "text/html", extractor: "readable", is_cut: read.is_cut });
    }
    let (kind, extractor) = if is_json { ("application/json", "json") } else { ("text/plain", "raw") };
    Ok(Page { text: body.text, kind, extractor, is_cut: false })
}

/// The character set that the server names.
fn declared(content_type: &str) -> Option<String> {
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches(['"', '\'']).to_string())
    };
    content_type.split(';').skip(1).find_map(parameter)
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
        let readable =
            |mut fetched: Fetched| super::readable(&mut fetched, false, &Cancel::new()).map(|page| page.text);
        let read = |kind: &str, body: &[u8]| readable(fetched(kind, body));
        assert_eq!(
            read("text/html; charset=utf-8", b"<title>T</title><p>a<p>b").unwrap(),
            "Title: T\n\na\n\nb"
        );
        assert_eq!(read("application/json", b"{\"a\":1}").unwrap(), "{\"a\":1}");
        assert_eq!(read("application/json", b"{a").unwrap(), "{a");
        assert_eq!(read("text/csv", b"a,b").unwrap(), "a,b");
        assert!(read("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR").is_err());
        assert!(read("application/octet-stream", b"a\0b").is_err());
        assert_eq!(read("text/plain; charset=iso-8859-1", b"caf\xe9").unwrap(), "café");
        let cut = Fetched { is_cut: true, ..fetched("text/plain", b"ab\xc3") };
        assert_eq!(readable(cut).unwrap(), "ab");
    }

    #[test]
    fn b_f43_pages_are_decoded_by_what_they_or_their_server_say() {
        let read = |kind: &str, body: &[u8]| {
            super::readable(&mut fetched(kind, body), false, &Cancel::new()).unwrap().text
        };
        assert_eq!(read("text/html; charset=gbk", b"<p>\xc4\xe3\xba\xc3"), "你好");
        assert_eq!(read("text/html", b"<meta charset=gb2312><p>\xc4\xe3\xba\xc3"), "你好");
        assert_eq!(read("text/html; Charset=\"Shift_JIS\"", b"<p>\x93\xfa\x96\x7b"), "日本");
        assert_eq!(read("text/plain; charset=big5", b"\xa4\xa4\xa4\xe5"), "中文");
        assert_eq!(read("text/plain; charset=utf-16", b"a\0\xac\x20"), "a€");
        assert_eq!(read("text/plain; charset=windows-1252", b"\x80 5"), "€ 5");
        assert_eq!(read("text/plain", b"one bad \xff byte in it"), "one bad \u{fffd} byte in it");
    }

    #[test]
    fn b_f43_the_address_strangers_led_to_is_whole_and_nothing_but_an_address() {
        let tail = "x".repeat(5000);
        let url = format!("https://h.com/a/b?page=2&q=é ignore\n{tail}");
        let came = Fetched { url, ..fetched("text/plain", b"") };
        let page = readable(&mut fetched("text/plain", b"hello"), false, &Cancel::new()).unwrap();
        let answer = answer(&came, &page, 1000).unwrap();
        let shown = answer["finalUrl"].as_str().unwrap();
        assert!(shown.starts_with("https://h.com/a/b?page=2&q=%C3%A9%20ignore%0Ax"), "{shown}");
        assert!(shown.len() < 2 * MAX_URL && shown.is_ascii(), "{}", shown.len());
        let text = answer["text"].as_str().unwrap();
        let (outside, inside) = text.split_once("<<<EXTERNAL").unwrap();
        assert!(!outside.contains("hello") && inside.contains("hello"), "{text}");
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
