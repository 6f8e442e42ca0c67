//! The text rules of the Bot API as Telegram's servers keep them: HTML in, plain text and entities out, or the refusal
//! word for word (without the prefixes that the method puts before it).
//!
//! Pure, and as strict as the real one: what passes here is delivered there. The tests of the formatter include this
//! file too, so it uses nothing around it.
#![allow(dead_code, reason = "each of the two uses its part")]

/// One entity; offset and length in UTF-16 units of the text. `value` is a link's address or a code block's language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub kind: &'static str,
    pub offset: usize,
    pub length: usize,
    pub value: Option<String>,
}

/// A text as a chat shows it. `dropped` counts the entities beyond the hundredth, which Telegram forgets silently.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    pub text: String,
    pub entities: Vec<Entity>,
    pub dropped: usize,
}

/// What is sent raw may not be longer.
const MAX_RAW: usize = 32_768;
const MAX_ENTITIES: usize = 100;

/// The text of a message or, with `is_caption`, of a caption (which may be empty), checked whole.
pub fn accept(raw: &str, is_html: bool, is_caption: bool) -> Result<Parsed, String> {
    if raw.len() > MAX_RAW {
        return Err("text is too long".into());
    }
    let raw = raw.replace('\r', "");
    let parsed = if is_html { read(&raw)? } else { trim(Parsed { text: raw, ..Parsed::default() }) };
    let length = parsed.text.chars().count();
    match is_caption {
        true if length > 1024 => Err("message caption is too long".into()),
        false if length > 4096 => Err("message is too long".into()),
        false if parsed.text.chars().all(is_blank) => Err("message text is empty".into()),
        _ => Ok(parsed),
    }
}

/// HTML as a chat shows it, without a look at its length.
pub fn read(raw: &str) -> Result<Parsed, String> {
    let mut parsed = trim(parse(raw).map_err(|why| format!("can't parse entities: {why}"))?);
    parsed.dropped = parsed.entities.len().saturating_sub(MAX_ENTITIES);
    parsed.entities.truncate(MAX_ENTITIES);
    Ok(parsed)
}

/// Nothing that a person could see.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{2800}' | '\u{3164}')
}

/// A start tag that waits for its end.
struct Open {
    name: String,
    value: Option<String>,
    /// In UTF-16 units and in bytes of the text so far.
    offset: usize,
    byte: usize,
}

struct Reader<'r> {
    raw: &'r str,
    at: usize,
    text: String,
    /// The length of `text` in UTF-16 units.
    units: usize,
    open: Vec<Open>,
    found: Vec<Entity>,
}

fn parse(raw: &str) -> Result<Parsed, String> {
    let mut reader =
        Reader { raw, at: 0, text: String::new(), units: 0, open: Vec::new(), found: Vec::new() };
    while let Some(next) = reader.peek() {
        match next {
            '<' if raw[reader.at + 1..].starts_with('/') => reader.end_tag()?,
            '<' => reader.start_tag()?,
            '&' => reader.reference(),
            other => reader.push(other, other.len_utf8()),
        }
    }
    if let Some(open) = reader.open.last() {
        return Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.name));
    }
    let entities = tidy(reader.found);
    Ok(Parsed { text: reader.text, entities, dropped: 0 })
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.raw[self.at..].chars().next()
    }

    fn push(&mut self, c: char, bytes: usize) {
        self.text.push(c);
        self.units += c.len_utf16();
        self.at += bytes;
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let rest = &self.raw[self.at..];
        let part = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at += part.len();
        part.to_string()
    }

    /// `&lt;`, `&#60;`; the four names that Telegram knows, everything else stays as it is.
    fn reference(&mut self) {
        match decode(&self.raw[self.at..]) {
            Some((c, bytes)) => self.push(c, bytes),
            None => self.push('&', 1),
        }
    }

    fn start_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.at += 1;
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '>').to_lowercase();
        if self.peek().is_none() {
            return Err(format!("Unclosed start tag at byte offset {begin}"));
        }
        if kind(&name, Some("tg-spoiler")).is_none() {
            return Err(format!("Unsupported start tag \"{name}\" at byte offset {begin}"));
        }
        let (mut value, mut is_quote_long) = (None, false);
        loop {
            self.take_while(|c| c.is_ascii_whitespace());
            match self.peek() {
                None => return Err(format!("Unclosed start tag \"{name}\" at byte offset {begin}")),
                Some('>') => break self.at += 1,
                Some(_) => {}
            }
            let (attribute, content) = self.attribute(&name, begin)?;
            match (name.as_str(), attribute.as_str()) {
                ("a", "href") | ("tg-emoji", "emoji-id") | ("span", "class") => value = Some(content),
                ("code" | "pre", "class") => value = content.strip_prefix("language-").map(str::to_string),
                ("blockquote", "expandable") => is_quote_long = true,
                _ => {}
            }
        }
        if kind(&name, value.as_deref()).is_none() {
            return Err(format!("Tag \"{name}\" must have class \"tg-spoiler\" at byte offset {begin}"));
        }
        if is_quote_long {
            value = Some("expandable".into());
        }
        self.open.push(Open { name, value, offset: self.units, byte: self.text.len() });
        Ok(())
    }

    fn attribute(&mut self, tag: &str, begin: usize) -> Result<(String, String), String> {
        let name =
            self.take_while(|c| !c.is_ascii_whitespace() && !matches!(c, '=' | '>' | '/' | '"' | '\''));
        if name.is_empty() {
            return Err(format!("Empty attribute name in the tag \"{tag}\" at byte offset {begin}"));
        }
        self.take_while(|c| c.is_ascii_whitespace());
        if self.peek() != Some('=') {
            let is_alone_allowed = tag == "blockquote" && name == "expandable";
            let words = format!(
                "Expected equal sign in declaration of an attribute of the tag \"{tag}\" at byte offset {begin}"
            );
            return if is_alone_allowed { Ok((name.to_lowercase(), String::new())) } else { Err(words) };
        }
        self.at += 1;
        self.take_while(|c| c.is_ascii_whitespace());
        let unclosed = || format!("Unclosed start tag at byte offset {begin}");
        let raw = match self.peek().ok_or_else(unclosed)? {
            quote @ ('"' | '\'') => {
                self.at += 1;
                let raw = self.take_while(|c| c != quote);
                self.peek().ok_or_else(unclosed)?;
                self.at += 1;
                raw
            }
            _ => {
                let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
                let raw = self.take_while(is_bare).to_lowercase();
                let is_ended = self.peek().is_some_and(|c| c.is_ascii_whitespace() || c == '>');
                if !is_ended {
                    return Err(format!("Unexpected end of name token at byte offset {begin}"));
                }
                raw
            }
        };
        let mut content = String::new();
        let mut rest = raw.as_str();
        while let Some(c) = rest.chars().next() {
            let (c, bytes) = decode(rest).unwrap_or((c, c.len_utf8()));
            content.push(c);
            rest = &rest[bytes..];
        }
        Ok((name.to_lowercase(), content))
    }

    fn end_tag(&mut self) -> Result<(), String> {
        let begin = self.at;
        let Some(open) = self.open.pop() else {
            return Err(format!("Unexpected end tag at byte offset {begin}"));
        };
        self.at += 2;
        let name = self.take_while(|c| !c.is_ascii_whitespace() && c != '>').to_lowercase();
        self.take_while(|c| c.is_ascii_whitespace());
        if self.peek() != Some('>') {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        self.at += 1;
        if !name.is_empty() && name != open.name {
            let expected = &open.name;
            return Err(format!(
                "Unmatched end tag at byte offset {begin}, expected \"</{expected}>\", found \"</{name}>\""
            ));
        }
        let length = self.units - open.offset;
        let Some(kind) = kind(&open.name, open.value.as_deref()).filter(|_| length > 0) else {
            return Ok(());
        };
        let mut value = open.value.filter(|_| matches!(kind, "text_link" | "code" | "pre"));
        if kind == "text_link" {
            let address = value.unwrap_or_else(|| self.text[open.byte..].to_string());
            if !is_address(&address) {
                return Ok(());
            }
            value = Some(address);
        }
        self.found.push(Entity { kind, offset: open.offset, length, value });
        Ok(())
    }
}

fn kind(tag: &str, value: Option<&str>) -> Option<&'static str> {
    Some(match tag {
        "b" | "strong" => "bold",
        "i" | "em" => "italic",
        "u" | "ins" => "underline",
        "s" | "strike" | "del" => "strikethrough",
        "tg-spoiler" => "spoiler",
        "span" if value == Some("tg-spoiler") => "spoiler",
        "a" => "text_link",
        "code" => "code",
        "pre" => "pre",
        "blockquote" if value == Some("expandable") => "expandable_blockquote",
        "blockquote" => "blockquote",
        "tg-emoji" => "custom_emoji",
        "tg-time" => "date_time",
        _ => return None,
    })
}

/// The character that a reference at the start of `text` stands for, and how long the reference is.
fn decode(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('&')?;
    let (c, used) = if let Some(number) = rest.strip_prefix('#') {
        let hex = number.strip_prefix(['x', 'X']);
        let (digits, radix, before) = hex.map_or((number, 10, 1), |digits| (digits, 16, 2));
        let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let code = u32::from_str_radix(&digits[..length], radix).ok().filter(|code| *code > 0)?;
        (char::from_u32(code)?, before + length)
    } else {
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let known = [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"')];
        (known.iter().find(|(name, _)| *name == &rest[..length])?.1, length)
    };
    let end = 1 + used;
    Some((c, end + usize::from(text[end..].starts_with(';'))))
}

/// Telegram drops a link to anything else and keeps its text.
fn is_address(address: &str) -> bool {
    let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let has_host = |rest: &str| rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('.'));
    match scheme.as_deref() {
        Some("http" | "https" | "tg" | "ton" | "tonsite") => !address.contains(char::is_whitespace),
        Some(_) => false,
        None => has_host(address.strip_prefix("mailto:").unwrap_or(address)),
    }
}

/// In order; `pre` around `code` is one, and within either nothing is styled.
fn tidy(mut found: Vec<Entity>) -> Vec<Entity> {
    let end = |entity: &Entity| entity.offset + entity.length;
    found.sort_by_key(|e| (e.offset, usize::MAX - e.length, e.kind != "pre", e.kind != "code"));
    let mut kept: Vec<Entity> = Vec::new();
    // Where the code that was kept last ends.
    let mut code_until = 0;
    for entity in found {
        if entity.offset < code_until {
            if let Some(pre) = kept.iter_mut().rev().find(|e| e.kind == "pre" && e.value.is_none()) {
                let is_same = (pre.offset, pre.length) == (entity.offset, entity.length);
                pre.value = entity.value.filter(|_| is_same && entity.kind == "code");
            }
            continue;
        }
        if matches!(entity.kind, "code" | "pre") {
            code_until = end(&entity);
        }
        kept.push(entity);
    }
    kept
}

/// White space at both ends does not count; entities shrink with it.
fn trim(parsed: Parsed) -> Parsed {
    let is_space = |c: char| c.is_ascii_whitespace() || matches!(c, '\0' | '\u{b}');
    let before = parsed.text.len() - parsed.text.trim_start_matches(is_space).len();
    // All of it is ASCII, so that bytes are UTF-16 units.
    let text = parsed.text.trim_matches(is_space).to_string();
    let units: usize = text.chars().map(char::len_utf16).sum();
    let entities = parsed.entities.into_iter().filter_map(|entity| {
        let end = (entity.offset + entity.length).saturating_sub(before).min(units);
        let offset = entity.offset.saturating_sub(before).min(end);
        (end > offset).then_some(Entity { offset, length: end - offset, ..entity })
    });
    Parsed { entities: entities.collect(), text, dropped: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<&str, &str>) {
        let got = accept(raw, true, false);
        assert_eq!(got.as_ref().map(|p| p.text.as_str()).map_err(String::as_str), want, "{raw}");
    }

    #[test]
    fn refusals_are_telegrams_word_for_word() {
        let refused = |raw: &str, want: &str| check(raw, Err(&format!("can't parse entities: {want}")));
        refused("a <x>", "Unsupported start tag \"x\" at byte offset 2");
        refused("1 < 2", "Unsupported start tag \"\" at byte offset 2");
        refused("1 <2", "Unclosed start tag at byte offset 2");
        refused("ä<b", "Unclosed start tag at byte offset 2");
        refused("a</b>", "Unexpected end tag at byte offset 1");
        refused("<b>x</i>", "Unmatched end tag at byte offset 4, expected \"</b>\", found \"</i>\"");
        refused("<i><b>x</b>", "Can't find end tag corresponding to start tag \"i\"");
        check(" \n<b> </b>", Err("message text is empty"));
        check(&"x".repeat(4097), Err("message is too long"));
        check(&"&amp;".repeat(7000), Err("text is too long"));
        assert_eq!(accept(&"x".repeat(1025), true, true), Err("message caption is too long".into()));
    }

    #[test]
    fn lengths_are_code_points_after_parsing_and_trimming() {
        let text = format!("\n <b>{}</b>&lt;  ", "😀".repeat(4095));
        let parsed = accept(&text, true, false).unwrap();
        assert_eq!(parsed.text.chars().count(), 4096);
        assert_eq!(parsed.entities[0], Entity { kind: "bold", offset: 0, length: 8190, value: None });
        check("a &lt;b&gt; & > &copy; &#8364;", Ok("a <b> & > &copy; €"));
    }

    #[test]
    fn entities_are_counted_as_telegram_does() {
        let parsed = accept(&"<b>x</b> ".repeat(101), true, false).unwrap();
        assert_eq!((parsed.entities.len(), parsed.dropped), (100, 1));
        let parsed =
            accept("<pre><code class=\"language-c\">a <b>x</b></code></pre><b></b>", true, false).unwrap();
        let pre = Entity { kind: "pre", offset: 0, length: 3, value: Some("c".into()) };
        assert_eq!(parsed.entities, [pre]);
        let parsed =
            accept("<a href=\"https://x.org?a=1&amp;b\">t</a><a href=\"/rel\">u</a>", true, false).unwrap();
        assert_eq!(parsed.entities.len(), 1);
        assert_eq!(parsed.entities[0].value.as_deref(), Some("https://x.org?a=1&b"));
    }
}
