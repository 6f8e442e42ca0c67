//! The configuration file's text with every secret replaced at its place, all else byte for byte.
//!
//! Pure; any thread. A text that does not parse has no certain structure, so there everything quoted or
//! spelled out is hidden except names of known keys; it still shows its owner where the mistake is.
use crate::config::keys;
use crate::config::redact::{self, HIDDEN, Place};
use crate::config::tokens::{Token, tokens};
use crate::parts::Parts;
use serde_json::{Map, Value};
use std::ops::Range;

/// The text without its secrets. `parses` says whether the text is JSON5; `secrets` are values known to be
/// secret wherever they stand.
pub fn redact(text: &str, parses: bool, secrets: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let hidden = if parses { by_place(text, Place::root(), secrets) } else { by_caution(text) };
    for (span, with) in hidden {
        out.push_str(text.part(done..span.start));
        out.push_str(&with);
        done = span.end;
    }
    out.push_str(text.tail(done));
    out
}

/// In a text that does not parse nothing is shown farther before the mistake than this, in bytes, and this many of its
/// secrets are looked for at other places.
const NEAR: usize = 2048;
const MOST_OWN: usize = 1000;

/// What is replaced by what in a text that is the value at `root`, of which the parser understood what comes before
/// `known`; all of it when that is `None`.
pub fn hidden(
    text: &str,
    root: Place,
    known: Option<usize>,
    secrets: &[String],
) -> Vec<(Range<usize>, String)> {
    let mut certain = by_place(text, root, secrets);
    // The name of a variable is no secret.
    certain.retain(|(span, _)| !is_reference(text.part(span.clone())));
    let Some(known) = known else { return certain };
    // What is a secret at one place is one at every other.
    let secret = |(span, _): &(Range<usize>, String)| Some(decode(text.get(span.clone())?));
    let own: Vec<String> = certain.iter().filter_map(secret).take(MOST_OWN).collect();
    let is_hidden = |span: &Range<usize>| certain.binary_search_by_key(&span.start, |(s, _)| s.start).is_ok();
    let is_shown = |span: &Range<usize>| {
        let source = text.part(span.clone());
        let is_secret = || is_hidden(span) || redact::carries_secret(source, &own);
        // A word holds no more than itself, so the one where the parser stopped is known too.
        let is_word = !source.starts_with(['"', '\'', '/']);
        let is_known = span.end <= known || is_word && span.start <= known;
        let is_near = span.end + NEAR > known && span.start < known + NEAR;
        is_near && (is_known && is_plain(source) || is_usual(source) || is_reference(source)) && !is_secret()
    };
    by_caution(text).into_iter().filter(|(span, _)| !is_shown(span)).collect()
}

/// Whether a name, a value or a comment is surely one alone: a text from which a quote is missing swallows punctuation.
fn is_plain(source: &str) -> bool {
    let inner = match source.chars().next() {
        Some(quote @ ('"' | '\'')) => source.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)),
        Some('/') => return true,
        _ => Some(source),
    };
    inner.is_some_and(|inner| {
        !inner.contains([',', '{', '}', '[', ']', '"', '\'', '\\', '\n']) && !names(inner)
    })
}

/// Whether a text holds what may be the name of the next member.
fn names(inner: &str) -> bool {
    inner.split(':').skip(1).any(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Whether a text is the name of a variable alone: `"${NAME}"`.
fn is_reference(source: &str) -> bool {
    let inner = |quote: char| source.strip_prefix(quote)?.strip_suffix(quote);
    let text = inner('"').or_else(|| inner('\''));
    let name = text.and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.is_some_and(|name| !name.is_empty() && name.chars().all(fits))
}

/// A short number, or a word that the table of keys offers as a choice: no secret, whatever stands around it.
fn is_usual(source: &str) -> bool {
    let word = source.trim_matches(['"', '\'']);
    let is_choice = |kind: &keys::Type| matches!(kind, keys::Type::Enum(choices) if choices.contains(&word));
    (word.len() < 6 && word.parse::<u32>().is_ok()) || keys::all().any(|key| is_choice(key.kind))
}

fn quoted() -> String {
    format!("\"{HIDDEN}\"")
}

/// What to replace in a text that parses.
fn by_place(text: &str, root: Place, secrets: &[String]) -> Vec<(Range<usize>, String)> {
    let mut hidden = Vec::new();
    // Open objects and lists: the place, whether a list, and the member or item whose value comes next.
    let mut open: Vec<(Place, bool, Option<Place>)> = Vec::new();
    for (token, span) in tokens(text) {
        let here = match open.last() {
            None => Some(root),
            Some((place, true, next)) => Some(next.unwrap_or(place.item())),
            Some((_, false, member)) => *member,
        };
        match (token, here) {
            (Token::Comment, _) => hidden.extend(comment(text, span, secrets)),
            (Token::Punct(c @ ('{' | '[')), place) => {
                if let Some((_, true, next)) = open.last_mut() {
                    *next = None;
                }
                open.push((place.unwrap_or(root), c == '[', None))
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
                let name = decode_name(text.part(span));
                if let Some((place, _, member)) = open.last_mut() {
                    *member = Some(place.member(&name));
                }
            }
            (token, Some(place)) => {
                let source = text.part(span.clone());
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
        _ if matches!(source, "true" | "false" | "null") => false,
        _ if source.parse::<f64>().is_ok() || source.starts_with("0x") => place.hides_number(),
        // A text without quotes, in a file that does not parse.
        _ => place.hides_text(source) || place.hides_number() || redact::carries_secret(source, secrets),
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

/// Whether the quote is missing that ends a text.
fn is_open(source: &str) -> bool {
    let quote = source.chars().next().filter(|c| matches!(c, '"' | '\''));
    quote.is_some_and(|quote| source.len() < 2 || !source.ends_with(quote))
}

/// What to replace in a text that does not parse: all but punctuation, numbers, literals and known names.
fn by_caution(text: &str) -> Vec<(Range<usize>, String)> {
    let mut hidden = Vec::new();
    let mut all = tokens(text).peekable();
    let mut after_colon = false;
    while let Some((token, span)) = all.next() {
        let source = text.part(span.clone());
        let before_colon = matches!(all.peek(), Some((Token::Punct(':'), _)));
        let name = source.trim_matches(['"', '\'']);
        let known = before_colon
            && !after_colon
            && keys::all().any(|key| key.path.split('.').any(|part| part == name));
        match token {
            Token::Punct(_) => {}
            Token::Comment => hidden.push((span, hidden_comment(source))),
            _ if known || matches!(source, "true" | "false" | "null") => {}
            // That its end is missing may be the mistake.
            _ if is_open(source) => hidden.push((span, format!("\"{HIDDEN}"))),
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
    fn n_11_what_was_understood_before_a_mistake_is_shown_without_secrets() {
        let shown = |text: &str| {
            let known = crate::config::parse::json5(text).unwrap_err().known;
            let (mut out, mut done) = (String::new(), 0);
            for (span, with) in hidden(text, Place::root(), Some(known), &[]) {
                out += &text[done..span.start];
                out += &with.replace(HIDDEN, "#");
                done = span.end;
            }
            out + &text[done..]
        };
        for (text, want) in [
            ("{gateway: {port: 1 bind: 'lan'}}", "{gateway: {port: 1 bind: 'lan'}}"),
            (
                "{ui: {assistant: {name: 'My Ada' avatar: 'x'}}}",
                "{ui: {assistant: {name: 'My Ada' avatar: \"#\"}}}",
            ),
            ("{a: 'http://h:1/v1', // mine\n b: ]", "{a: 'http://h:1/v1', // mine\n b: ]"),
            ("{a: 'http://u:canary@h', // token: canary\n b: ]", "{a: \"#\", // #\n b: ]"),
            ("{gateway: {port: 1x, mode: 'local'}}", "{gateway: {port: 1x, mode: 'local'}}"),
            ("{gateway: {bind: lan}}", "{gateway: {bind: lan}}"),
            ("{gateway: {auth: {token: 12canary}}}", "{gateway: {auth: {token: \"#\"}}}"),
            ("{mine: {myTokenIs: 12canary}}", "{mine: {myTokenIs: \"#\"}}"),
            ("{mine: {myTokenIs: canary}}", "{mine: {myTokenIs: \"#\"}}"),
            ("{gateway: {auth: {token: 'canary' canary}}}", "{gateway: {auth: {token: \"#\" \"#\"}}}"),
            (
                "{mystery: {a: 'b/c'}, gateway: {auth: {token: 'canary'}} ui: 1}",
                "{mystery: {a: 'b/c'}, gateway: {auth: {token: \"#\"}} ui: 1}",
            ),
            ("{a: {key: 'canary 2'}, // canary 2\n b: ]", "{a: {key: \"#\"}, // #\n b: ]"),
            (
                "{gateway: {auth: {token: 'canary'}}, a: canary}",
                "{gateway: {auth: {token: \"#\"}}, a: \"#\"}",
            ),
            (
                "{gateway: {auth: {token: 'canary'}}, a: 'canary' b: 1}",
                "{gateway: {auth: {token: \"#\"}}, a: \"#\" b: 1}",
            ),
            ("{gateway: {auth: {'token: \"canary\", mode: ' token'}}}", "{gateway: {auth: {\"#\" \"#\"#\""),
        ] {
            let got = shown(text);
            assert!(!got.contains("canary"), "{got}");
            if want.ends_with('}') || want.ends_with(']') {
                assert_eq!(got, want);
            }
        }
    }

    #[test]
    fn a_broken_text_shows_names_and_structure_only() {
        let text = "{gateway: {auth: {token: \"canary-1, port: 1}}\n// canary-1\n canary-1: canary-1}";
        let got = redact(text, false, &[]);
        assert!(!got.contains("canary-1"), "{got}");
        assert!(got.starts_with("{gateway: {auth: {token: "), "{got}");
    }
}
