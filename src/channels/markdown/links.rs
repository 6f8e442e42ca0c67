//! Addresses in Markdown: behind a text, in angle brackets, bare, or told apart from the text.
//!
//! Looks ahead a bounded way only, so that unfinished links cost no time.
use crate::fetch::html::decode as decode_entities;

const MAX_ADDRESS: usize = 2048;
const MAX_LABEL: usize = 256;
const MAX_TITLE: usize = 512;
/// Brackets within each other in an address.
const MAX_NESTING: usize = 32;

/// The address as a link may have it: none that runs something, and nothing that ends an attribute or a line.
fn checked(address: &str) -> Option<String> {
    let address = decode_entities(&unescape(address)).trim().replace(' ', "%20");
    let scheme = address.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_safe = !matches!(scheme.as_str(), "javascript" | "vbscript" | "file" | "data");
    (is_safe && address.len() <= MAX_ADDRESS && !address.contains(char::is_control)).then_some(address)
}

/// Without the backslashes before punctuation.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.next_if(|next| c == '\\' && next.is_ascii_punctuation()) {
            Some(next) => plain.push(next),
            None => plain.push(c),
        }
    }
    plain
}

/// `https://...` with or without angle brackets, up to a space or what ends it; the address and the rest.
fn destination(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('<') {
        let end = rest.char_indices().take(MAX_ADDRESS).find(|(_, c)| matches!(c, '<' | '>' | '\n'))?.0;
        return Some((rest.get(..end)?, rest.get(end..)?.strip_prefix('>')?));
    }
    let (mut depth, mut is_escaped) = (0usize, false);
    let end = text.char_indices().take(MAX_ADDRESS).find(|(_, c)| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '(' if depth == MAX_NESTING => return true,
            '(' => depth += 1,
            ')' if depth == 0 => return true,
            ')' => depth -= 1,
            _ => {}
        }
        c.is_ascii_whitespace()
    });
    let end = end.map_or(text.len(), |(end, _)| end);
    // A bracket stops it only when it is one too many.
    text.split_at_checked(end)
        .filter(|(address, rest)| address.len() <= MAX_ADDRESS && !rest.starts_with('('))
}

/// The rest behind a title in quotes, if there is one.
fn after_title(text: &str) -> Option<&str> {
    let close = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        Some('(') => ')',
        _ => return Some(text),
    };
    let mut chars = text.char_indices().skip(1).take(MAX_TITLE);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == close {
            return text.get(at + 1..);
        }
    }
    None
}

/// What stands behind a link's text: `(address "title")`; the address and the length.
pub fn inline(text: &str) -> Option<(String, usize)> {
    let rest = text.strip_prefix('(')?.trim_start();
    let (address, rest) = destination(rest)?;
    let rest = after_title(rest.trim_start())?.trim_start().strip_prefix(')')?;
    Some((checked(address)?, text.len() - rest.len()))
}

/// `[name]` at the start of the text: the name as references are looked up, and the length.
pub fn label(text: &str) -> Option<(String, usize)> {
    let rest = text.strip_prefix('[')?;
    let end = rest.char_indices().take(MAX_LABEL).find(|(_, c)| matches!(c, '[' | ']' | '\n'))?.0;
    let name = rest.get(..end).filter(|_| rest.get(end..).is_some_and(|rest| rest.starts_with(']')))?;
    Some((normal(name), end + 2))
}

pub fn normal(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// `[name]: address`. Notes (`[^1]: text`) are text.
pub fn definition(line: &str) -> Option<(String, String)> {
    let text = line.trim();
    let (name, length) = label(text)?;
    let rest = text.get(length..)?.strip_prefix(':')?.trim_start();
    if name.is_empty() || name.starts_with('^') || rest.is_empty() {
        return None;
    }
    let (address, rest) = destination(rest)?;
    after_title(rest.trim_start()).filter(|rest| rest.is_empty())?;
    Some((name, checked(address)?))
}

/// `<https://...>` or `<a@b.co>`: the text within, its address, the length.
pub fn in_angles(text: &str) -> Option<(&str, String, usize)> {
    let rest = text.strip_prefix('<')?;
    let end = rest.char_indices().take(MAX_ADDRESS).find(|(_, c)| matches!(c, '<' | '>' | ' ' | '\n'))?.0;
    let shown = rest.get(..end).filter(|_| rest.get(end..).is_some_and(|rest| rest.starts_with('>')))?;
    let scheme = shown.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    let is_scheme = (2..=32).contains(&scheme.len())
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
    let address = match email(shown).filter(|length| *length == shown.len()) {
        Some(_) => format!("mailto:{shown}"),
        None => checked(shown).filter(|_| is_scheme)?,
    };
    Some((shown, address, end + 2))
}

/// A bare address that the text begins with: its length, and where it leads, nowhere if it is too long for a link.
pub fn bare(text: &str) -> Option<(usize, Option<String>)> {
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let before = ["https://", "http://", "www."].into_iter().find(|before| begins(before));
    let Some(before) = before else {
        let length = email(text)?;
        return Some((length, Some(format!("mailto:{}", text.get(..length)?))));
    };
    let host = text.get(before.len()..)?;
    if !host.starts_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let within = || text.char_indices().take(MAX_ADDRESS + 1);
    let end = within().find(|(_, c)| ends_bare(*c)).or_else(|| within().nth(MAX_ADDRESS));
    let end = end.map_or(text.len(), |(end, _)| end);
    let shown = trimmed(text.get(..end)?);
    if before == "www." && !shown.get(before.len()..)?.contains('.') {
        return None;
    }
    let address = if before == "www." { format!("http://{shown}") } else { shown.to_string() };
    Some((shown.len(), checked(&address)))
}

fn ends_bare(c: char) -> bool {
    match c {
        '<' | '>' | '[' | ']' | '"' | '`' | '|' | '\\' => true,
        '、'
        | '。'
        | '，'
        | '；'
        | '：'
        | '！'
        | '？'
        | '「'..='』'
        | '（'
        | '）'
        | '【'
        | '】'
        | '《'
        | '》' => true,
        _ => c.is_whitespace() || c.is_control(),
    }
}

/// Without the punctuation that ends the sentence and not the address.
fn trimmed(mut shown: &str) -> &str {
    let count = |c: char| shown.matches(c).count();
    let mut unopened = count(')').saturating_sub(count('('));
    while let Some(last) = shown.chars().next_back() {
        match last {
            ')' if unopened > 0 => unopened -= 1,
            '.' | ',' | ':' | ';' | '!' | '?' | '\'' | '*' | '_' | '~' | ']' => {}
            _ => break,
        }
        shown = shown.strip_suffix(last).unwrap_or_default();
    }
    shown
}

/// The length of the e-mail address that the text begins with.
fn email(text: &str) -> Option<usize> {
    let is_local = |b: &u8| b.is_ascii_alphanumeric() || b".+_-".contains(b);
    let local = text.bytes().take(65).take_while(is_local).count();
    let domain = text.get(local..)?.strip_prefix('@').filter(|_| (1..=64).contains(&local))?;
    let length =
        domain.bytes().take(255).take_while(|b| b.is_ascii_alphanumeric() || b".-".contains(b)).count();
    let domain = domain.get(..length)?.trim_end_matches(['.', '-']);
    let (name, top) = domain.rsplit_once('.')?;
    let is_top = top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
    (is_top && name.starts_with(|c: char| c.is_ascii_alphanumeric())).then_some(local + 1 + domain.len())
}
