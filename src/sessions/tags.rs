//! Tags in a model's words that are for the channel and for nobody's eyes: what is answered (`[[reply_to_current]]`,
//! `[[reply_to:<id>]]`), a voice (`[[audio_as_voice]]`). Taken out of a text that is whole or comes piece by piece, with the
//! same result. So are the lines of a whole text that name files (`MEDIA:`). Pure; fenced code is left as it is.
use crate::fences::{Code, Fence};
use crate::parts::Parts;
use serde_json::Value;

/// No tag is longer, bytes.
const LONGEST: usize = 80;
const NAMES: [&str; 3] = ["reply_to_current", "audio_as_voice", ID];
const ID: &str = "reply_to:";
const MEDIA: &str = "MEDIA:";

/// Takes the tags out of one message.
#[derive(Debug, Default)]
pub struct Tags {
    /// What was found, without brackets and spaces.
    pub found: Vec<String>,
    /// What may become a tag yet.
    held: String,
    code: Code,
    line: Line,
}

/// The present line.
#[derive(Debug, Default)]
struct Line {
    /// White space that it begins with; it goes with a line that holds nothing but tags.
    blank: String,
    /// Its words as far as they may be a fence; where they cannot, how they begin.
    start: String,
    has_tag: bool,
    /// One space goes with a tag that parted two words.
    eats: bool,
}

enum Look {
    /// This many bytes are a tag.
    Tag(usize, String),
    Text,
    MayBe,
}

impl Tags {
    /// More of the message; what is to be shown of it is put to `out`.
    pub fn push(&mut self, more: &str, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return self.read(more, out);
        }
        self.read(&(held + more), out);
    }

    /// The message is whole.
    pub fn finish(&mut self, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        self.pass(&held, out);
        let line = std::mem::take(&mut self.line);
        if !line.has_tag {
            out.push_str(&line.blank);
        }
    }

    fn read(&mut self, text: &str, out: &mut String) {
        let mut rest = text;
        while let Some((before, mark, after)) = split(rest) {
            self.pass(before, out);
            if mark == '\n' {
                self.end_line(out);
                rest = after;
                continue;
            }
            let from = rest.tail(before.len());
            match if self.is_code() { Look::Text } else { look(from) } {
                Look::MayBe => return self.held.push_str(from),
                Look::Text => {
                    self.pass("[", out);
                    rest = after;
                }
                Look::Tag(length, name) => {
                    self.found.push(name);
                    self.line.has_tag = true;
                    self.line.eats = self.line.start.is_empty() || out.ends_with(' ');
                    rest = from.tail(length);
                }
            }
        }
        self.pass(rest, out);
    }

    /// Words of the present line.
    fn pass(&mut self, words: &str, out: &mut String) {
        if words.is_empty() {
            return;
        }
        let eats = std::mem::take(&mut self.line.eats);
        let words = words.strip_prefix(' ').filter(|_| eats).unwrap_or(words);
        let line = &mut self.line;
        let mut seen = words;
        if line.start.is_empty() {
            seen = words.trim_start();
            line.blank.push_str(words.head(words.len() - seen.len()));
            if seen.is_empty() {
                return;
            }
            out.push_str(&std::mem::take(&mut line.blank));
        }
        if line.start.is_empty() || line.start.starts_with(['`', '~']) {
            line.start.push_str(seen);
        }
        out.push_str(seen);
    }

    fn end_line(&mut self, out: &mut String) {
        let line = std::mem::take(&mut self.line);
        self.code.sees(&line.start);
        if !(line.has_tag && line.start.is_empty()) {
            out.push_str(&line.blank);
            out.push('\n');
        }
    }

    fn is_code(&self) -> bool {
        self.code.is_open() || Fence::read(&self.line.start).is_some()
    }
}

/// Up to the next end of a line or bracket, which it is, and what follows it.
fn split(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['\n', '['])?;
    let (before, from) = text.split_at_checked(at)?;
    let mut chars = from.chars();
    Some((before, chars.next()?, chars.as_str()))
}

fn look(text: &str) -> Look {
    let Some(inner) = text.strip_prefix("[[") else {
        return if text == "[" { Look::MayBe } else { Look::Text };
    };
    if let Some((name, _)) = inner.split_once("]]").filter(|(name, _)| name.len() <= LONGEST) {
        return known(name).map_or(Look::Text, |known| Look::Tag(name.len() + 4, known));
    }
    let name = inner.trim_start();
    let so_far = name.trim_end_matches([']', ' ']);
    let may_be = |known: &&str| known.starts_with(so_far) || (**known == *ID && name.starts_with(ID));
    let is_short = inner.len() <= LONGEST + 1 && !inner.contains(['\n', '[']);
    if is_short && NAMES.iter().any(may_be) { Look::MayBe } else { Look::Text }
}

fn known(name: &str) -> Option<String> {
    if name.contains(['\n', '[']) {
        return None;
    }
    let name = name.trim();
    if let Some(id) = name.strip_prefix(ID) {
        let id = id.trim();
        return (!id.is_empty()).then(|| format!("{ID}{id}"));
    }
    NAMES.contains(&name).then(|| name.to_string())
}

/// A whole text without its tags, and those that it had.
pub fn cut(text: &str) -> (String, Vec<String>) {
    if !text.contains("[[") {
        return (text.to_string(), Vec::new());
    }
    let (mut tags, mut shown) = (Tags::default(), String::with_capacity(text.len()));
    tags.push(text, &mut shown);
    tags.finish(&mut shown);
    (shown, tags.found)
}

/// A whole text without the lines that name files (`MEDIA:`), and those files.
pub fn files(text: String) -> (String, Vec<String>) {
    if !text.contains(MEDIA) {
        return (text, Vec::new());
    }
    let (mut code, mut lines, mut files) = (Code::default(), Vec::new(), Vec::new());
    for line in text.split('\n') {
        let trimmed = line.trim();
        match (!code.sees(trimmed)).then(|| trimmed.strip_prefix(MEDIA).and_then(file)).flatten() {
            Some(file) => files.push(file.to_string()),
            None => lines.push(line),
        }
    }
    (lines.join("\n"), files)
}

/// The path or address behind `MEDIA:`, without marks around it.
fn file(text: &str) -> Option<&str> {
    let text = text.trim().trim_matches(['`', '"', '\'', '<', '>']).trim();
    let text = text.strip_prefix("file://").unwrap_or(text);
    (text.contains(['.', '/']) && text.len() <= 4096 && !text.contains('\0')).then_some(text)
}

/// A model's words as people see them.
pub fn shown(text: String) -> String {
    if text.contains("[[") { cut(&text).0 } else { text }
}

/// The same in place, for a member of a message or block that is a text.
pub fn show_member(value: &mut Value, name: &str) {
    if let Some(Value::String(text)) = value.get_mut(name) {
        *text = shown(std::mem::take(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_2_tags_are_taken_out_and_code_stays() {
        let check = |text: &str, want: &str, tags: &[&str]| {
            assert_eq!(
                cut(text),
                (want.to_string(), tags.iter().map(|t| t.to_string()).collect()),
                "{text:?}"
            );
        };
        check("a [[b]] c [d", "a [[b]] c [d", &[]);
        check("[[reply_to_current]] hello", "hello", &["reply_to_current"]);
        check("hello [[ reply_to: 42 ]] you", "hello you", &["reply_to:42"]);
        check("  [[reply_to_current]]  \n  hello\n", "  hello\n", &["reply_to_current"]);
        check("a\n[[audio_as_voice]][[reply_to:7]]", "a\n", &["audio_as_voice", "reply_to:7"]);
        check("[[x [[reply_to_current]] y", "[[x y", &["reply_to_current"]);
        check("[[reply_to_current", "[[reply_to_current", &[]);
        check("[[reply_to:]] [[reply_to:a[b]]", "[[reply_to:]] [[reply_to:a[b]]", &[]);
        for code in
            ["```\n[[reply_to_current]]\n``` [[reply_to_current]]", "~~~x\n```\n[[reply_to:1]]\n~~~\n "]
        {
            check(code, code, &[]);
        }
        let inline = "```ls -la``` lists files\nand so on";
        check(&format!("{inline} [[reply_to:1]]"), &format!("{inline} "), &["reply_to:1"]);
        check("```a``` [[reply_to:1]] b", "```a``` b", &["reply_to:1"]);
        check("~~~\n~~~ x\n[[reply_to:1]]", "~~~\n~~~ x\n[[reply_to:1]]", &[]);
        check("``\n[[reply_to:1]]x", "``\nx", &["reply_to:1"]);
    }

    #[test]
    fn i11_2_pieces_give_what_the_whole_gives() {
        let parts = [
            "[",
            "[[",
            "reply_to",
            "_current",
            "]",
            "]]",
            "reply_to:",
            "4",
            " ",
            "\n",
            "a",
            "```",
            "~~~",
            "é",
            "  b",
        ];
        let mut seed = 7_u64;
        let mut pick = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % most
        };
        for _ in 0..20_000 {
            let pieces: Vec<&str> = (0..pick(14)).map(|_| parts[pick(parts.len())]).collect();
            let (mut tags, mut out, whole) = (Tags::default(), String::new(), pieces.concat());
            for piece in &pieces {
                let before = out.len();
                tags.push(piece, &mut out);
                assert!(out.len() >= before);
            }
            tags.finish(&mut out);
            assert_eq!((out, tags.found), cut_slowly(&whole), "{whole:?}");
        }
    }

    /// Without the short way for texts that hold no tag.
    fn cut_slowly(text: &str) -> (String, Vec<String>) {
        let (mut tags, mut shown) = (Tags::default(), String::new());
        tags.push(text, &mut shown);
        tags.finish(&mut shown);
        (shown, tags.found)
    }
}
