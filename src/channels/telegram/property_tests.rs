//! R-37a over random documents: Telegram refuses no part, and the parts say what the document says. R-35 over random
//! messages: what they say arrives as it was typed.
//! A few hundred by default; `OPENCLAW_TORTURE` is the number of hundreds, `OPENCLAW_TORTURE_SEED` the first that is tried.
use super::entities;
use super::message;
use super::split::Limits;
use super::strict;
use super::tests::split;
use crate::channels::graphemes::is_boundary;
use crate::channels::markdown::{Style, Tables, parse};
use serde_json::json;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

const PIECES: &[&str] = &[
    "word",
    "words of a line",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "*",
    "**",
    "***",
    "_",
    "__",
    "~~",
    "||",
    "`",
    "``",
    "```\n",
    "~~~\n",
    "# ",
    "> ",
    "- ",
    "  - ",
    "    ",
    "1. ",
    "12) ",
    "[",
    "](",
    ")",
    "](https://x.org/?a=1&b=\"2\")",
    "![",
    "https://x.org/a_b",
    "www.foo.com",
    "a@b.co",
    "<https://y>",
    "<b>",
    "</b>",
    "<",
    ">",
    "&",
    "&lt;",
    "&amp;lt;",
    "&#8364;",
    "\"",
    "\\",
    "\\*",
    "|",
    "| a | b |\n|---|---|\n| **c** | d |\n",
    "---\n",
    "😀",
    "👨‍👩‍👧‍👦",
    "🇩🇪",
    "👍🏽",
    "e\u{301}",
    "日本語",
    "。",
    "क्षि",
    "\u{200b}",
    "\u{a0}",
    "\u{202e}",
    "\0",
    "\u{7}",
    "\r\n",
    "\u{1f}",
    "\u{feff}",
    "[^1]",
    "[r]: https://x\n",
    "[r]",
    "**bold** ",
    "`code` ",
    "[t](https://x) ",
];

/// Some pieces again and again, so that long runs of one kind come up too.
fn document(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(60) {
        let piece = PIECES[random.below(PIECES.len())];
        let times = match random.below(12) {
            0 => random.below(40),
            1 if random.below(8) == 0 => random.below(3000),
            _ => 1,
        };
        text.push_str(&piece.repeat(times));
    }
    text
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_whitespace() && *c != '\0' && *c != '\u{b}').collect()
}

fn holds(markdown: &str, limits: Limits) {
    let whole = parse(markdown, Tables::Code);
    let (mut shown, mut at) = (String::new(), 0);
    for chunk in split(markdown, limits) {
        let seen =
            strict::accept(&chunk.html, true, false).unwrap_or_else(|why| panic!("{why}: {}", chunk.html));
        assert_eq!(seen.dropped, 0);
        assert_eq!(without_space(&seen.text), without_space(&chunk.plain));
        assert!(seen.text.chars().count() <= limits.length);
        assert!(strict::accept(&chunk.plain, false, false).is_ok());
        // Where it was taken from: behind the last one, with nothing but white space or invisible characters between.
        let found = whole.plain[at..].find(chunk.plain.as_str()).expect("a part of the text") + at;
        let end = found + chunk.plain.len();
        if limits.length >= 1000 && end < whole.plain.len() {
            let is_place = |at: usize| is_boundary(&whole.plain[..at], &whole.plain[at..]);
            // A character longer than a message is cut all the same.
            let is_one = || chunk.plain.char_indices().skip(1).all(|(offset, _)| !is_place(found + offset));
            assert!(is_place(end) || is_one(), "cut in a character at {end}");
            let is_cut = |span: &crate::channels::markdown::Span| {
                matches!(span.style, Style::Link(_))
                    && span.start < end
                    && end < span.end
                    && span.start > found
                    // A link longer than a message is cut all the same.
                    && whole.plain[span.start..span.end].chars().count() <= limits.length
                    // White space at its end is dropped as any other.
                    && !whole.plain[end..span.end].trim().is_empty()
            };
            assert!(!whole.spans.iter().any(is_cut), "cut in a link at {end}");
        }
        at = end;
        shown.push_str(&chunk.plain);
    }
    let is_seen = |c: &char| !c.is_whitespace() && !crate::clean::is_unfit(*c);
    let (shown, want): (String, String) =
        (shown.chars().filter(is_seen).collect(), whole.plain.chars().filter(is_seen).collect());
    assert_eq!(shown, want);
}

/// Texts of every kind with entities of every kind: only links and code are marked, at their places.
#[test]
fn r_35_messages_arrive_code_point_for_code_point() {
    let letters: Vec<char> =
        "a Z\n\t*_[]()<>&\\~|é日😀\u{301}\u{200d}\u{feff}\u{10ffff}\u{e000}\u{0}#>-".chars().collect();
    for seed in 1..500u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut text, mut want, mut units) = (String::new(), String::new(), 0);
        let mut entities = Vec::new();
        for _ in 0..random.below(30) {
            let piece: String =
                (0..1 + random.below(9)).map(|_| letters[random.below(letters.len())]).collect();
            let kinds = ["", "bold", "text_link", "code", "spoiler", "mention", "custom_emoji", "blockquote"];
            let kind = kinds[random.below(kinds.len())];
            let length = piece.encode_utf16().count();
            entities.push(json!({"type": kind, "offset": units, "length": length, "url": "https://x.org"}));
            units += length;
            text.push_str(&piece);
            want.push_str(&match kind {
                "text_link" => format!("[{piece}](https://x.org)"),
                "code" => format!("`{piece}`"),
                _ => piece,
            });
        }
        assert_eq!(
            entities::markdown(&text, &message::entities(Some(&json!(entities)))),
            want,
            "seed {seed}"
        );
        assert_eq!(entities::markdown(&text, &[]), text, "seed {seed}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test's own settings, not the program's")]
fn r_37a_no_random_document_is_refused_or_loses_a_word() {
    let hundreds: u64 = std::env::var("OPENCLAW_TORTURE").ok().and_then(|v| v.parse().ok()).unwrap_or(5);
    let first = std::env::var("OPENCLAW_TORTURE_SEED").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    for seed in first..=hundreds * 100 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text = document(&mut random);
        let length = [4096, 4000, 1000, 40, 7][random.below(5)];
        let limits = Limits { length, is_by_paragraph: random.below(4) == 0 };
        let result = std::panic::catch_unwind(|| holds(&text, limits));
        assert!(result.is_ok(), "seed {seed}, {limits:?}: {text:?}");
    }
}
