//! The configuration file's text with every secret replaced at its place, all else byte for byte.
//!
//! Pure; any thread. A text that does not parse has no certain structure, so there everything quoted or
//! spelled out is hidden except names of known keys; it still shows its owner where the mistake is.
use super::keys::KEYS;
use super::redact::{self, HIDDEN, Place};
use super::tokens::{Token, tokens};
use serde_json::{Map, Value};
use std::ops::Range;

/// The text without its secrets. `parses` says whether the text is JSON5; `secrets` are values known to be
/// secret wherever they stand.
pub fn redact(text: &str, parses: bool, secrets: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let hidden = if parses { by_place(text, secrets) } else { by_caution(text) };
    for (span, with) in hidden {
        out.push_str(text.get(done..span.start).unwrap_or_default());
        out.push_str(&with);
        done = span.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

fn quoted() -> String {
    format!("\"{HIDDEN}\"")
}

/// What to replace in a text that parses.
fn by_place(text: &str, secrets: &[String]) -> Vec<(Range<usize>, String)> {
    let mut hidden = Vec::new();
    // Open objects and lists: the place, whether a list, and the member or item whose value comes next.
    let mut open: Vec<(Place, bool, Option<Place>)> = Vec::new();
    for (token, span) in tokens(text) {
        let here = match open.last() {
            None => Some(Place::root()),
            Some((place, true, next)) => Some(next.unwrap_or(place.item())),
            Some((_, false, member)) => *member,
        };
        match (token, here) {
            (Token::Comment, _) => hidden.extend(comment(text, span, secrets)),
            (Token::Punct(c @ ('{' | '[')), place) => {
                if let Some((_, true, next)) = open.last_mut() {
                    *next = None;
                }
                open.push((place.unwrap_or(Place::root()), c == '[', None))
            }
            (Token::Punct('}' | ']'), _) => {
                open.pop();
            }
            (Token::Punct(','), _) => {
                if let Some((_, false, member)) = open.last_mut() {
                    *member = None;
                }
            }
            (Token::Punct(_), _) => {}
            (Token::Text | Token::Word, None) => {
                let name = decode_name(text.get(span).unwrap_or_default());
                if let Some((place, _, member)) = open.last_mut() {
                    *member = Some(place.member(&name));
                }
            }
            (token, Some(place)) => {
                let source = text.get(span.clone()).unwrap_or_default();
                if hides(token, source, place, secrets) {
                    hidden.push((span, quoted()));
                }
                if let Some((list, true, next)) = open.last_mut() {
                    *next = Some(list.item_after(&decode(source)));
                }
            }
        }
    }
    hidden
}

fn hides(token: Token, source: &str, place: Place, secrets: &[String]) -> bool {
    match token {
        Token::Text => {
            let text = decode(source);
            !text.is_empty() && (place.hides_text(&text) || redact::carries_secret(&text, secrets))
        }
        _ => place.hides_number() && !matches!(source, "true" | "false" | "null"),
    }
}

fn decode(source: &str) -> String {
    json5::from_str(source).unwrap_or_else(|_| source.to_string())
}

fn decode_name(source: &str) -> String {
    let map: Option<Map<String, Value>> = json5::from_str(&format!("{{{source}:0}}")).ok();
    map.and_then(|map| map.into_iter().next()).map_or_else(|| source.to_string(), |(name, _)| name)
}

/// A comment is hidden whole when it holds a known secret or something like `token: ...`.
fn comment(text: &str, span: Range<usize>, secrets: &[String]) -> Option<(Range<usize>, String)> {
    let body = text.get(span.clone())?;
    let mut parts = body.split([':', '=']).peekable();
    let mut assigned = false;
    while let Some(part) = parts.next() {
        let name = part.rsplit([',', '{', '\n']).next().unwrap_or(part);
        assigned |= parts.peek().is_some() && redact::is_secret_name(name);
    }
    let hide = assigned || body.split_whitespace().any(|word| redact::carries_secret(word, secrets));
    hide.then(|| (span, hidden_comment(body)))
}

fn hidden_comment(body: &str) -> String {
    if body.starts_with("//") { format!("// {HIDDEN}") } else { format!("/* {HIDDEN} */") }
}

/// What to replace in a text that does not parse: all but punctuation, numbers, literals and known names.
fn by_caution(text: &str) -> Vec<(Range<usize>, String)> {
    let mut hidden = Vec::new();
    let mut all = tokens(text).peekable();
    let mut after_colon = false;
    while let Some((token, span)) = all.next() {
        let source = text.get(span.clone()).unwrap_or_default();
        let before_colon = matches!(all.peek(), Some((Token::Punct(':'), _)));
        let name = source.trim_matches(['"', '\'']);
        let known = before_colon
            && !after_colon
            && KEYS.iter().any(|key| key.path.split('.').any(|part| part == name));
        match token {
            Token::Punct(_) => {}
            Token::Comment => hidden.push((span, hidden_comment(source))),
            _ if known || matches!(source, "true" | "false" | "null") => {}
            _ => hidden.push((span, quoted())),
        }
        after_colon = token == Token::Punct(':');
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_at_their_place_only() {
        let check = |text: &str, want: &str| {
            let want = want.replace('#', &quoted());
            assert_eq!(redact(text, true, &["canary-1".to_string()]), want);
        };
        // A one-letter secret does not spoil the rest.
        check(
            "{models:{providers:{x:{apiKey:'x',models:[{contextWindow:1,maxTokens:4096}]}}}}",
            "{models:{providers:{x:{apiKey:#,models:[{contextWindow:1,maxTokens:4096}]}}}}",
        );
        check(
            "{gateway:{auth:{\"tok\\u0065n\":'a',mode:'token'}}}",
            "{gateway:{auth:{\"tok\\u0065n\":#,mode:'token'}}}",
        );
        check(
            "{gateway:{auth:{token:123}},b:[{secretKey:['a',{c:'d'}]}]}",
            "{gateway:{auth:{token:#}},b:[{secretKey:[#,{c:#}]}]}",
        );
        check(
            "{x:{args:['-v','--token','a',{b:'c'},'--pat',5],env:{K:1},slack:{u:'https://h',c:'d'}}}",
            "{x:{args:['-v','--token',#,{b:'c'},'--pat',#],env:{K:#},slack:{u:#,c:'d'}}}",
        );
        check("{ui:{assistant:{name:'canary-1!'}}, // plain\n}", "{ui:{assistant:{name:#}}, // plain\n}");
    }

    #[test]
    fn comments_with_secrets_are_hidden() {
        let check = |text: &str, shown: bool| {
            let got = redact(&format!("{{ // {text}\n}}"), true, &["canary-1".to_string()]);
            assert_eq!(got.contains(text), shown, "{got}");
        };
        check("botToken: '123:abc',", false);
        check("old one: canary-1", false);
        check("the token stands in .env", true);
        check("port: 18789", true);
    }

    #[test]
    fn a_broken_text_shows_names_and_structure_only() {
        let text = "{gateway: {auth: {token: \"canary-1, port: 1}}\n// canary-1\n canary-1: canary-1}";
        let got = redact(text, false, &[]);
        assert!(!got.contains("canary-1"), "{got}");
        assert!(got.starts_with("{gateway: {auth: {token: "), "{got}");
    }
}
