//! Telegram's texts, outward and inward, in tables.
use super::buttons::keyboard;
use super::entities::markdown;
use super::split::{Chunk, Limits, caption, chunks};
use super::{message, reactions, strict};
use crate::channels::markdown::{Tables, parse};
use serde_json::{Value, json};

const LIMITS: Limits = Limits { length: 4000, is_by_paragraph: false };

pub fn split(text: &str, limits: Limits) -> Vec<Chunk> {
    chunks(&parse(text, Tables::Code), limits)
}

fn check(markdown: &str, want: &str) {
    let chunks = split(markdown, LIMITS);
    let html: Vec<&str> = chunks.iter().map(|chunk| chunk.html.as_str()).collect();
    assert_eq!(html, [want], "{markdown:?}");
    let seen = strict::accept(want, true, false).unwrap();
    assert_eq!(seen.text, chunks[0].plain.trim(), "{markdown:?}");
}

/// The forms that people are used to; what was broken in them (D11) is mended.
#[test]
fn markdown_becomes_telegrams_html() {
    check("**b** __b__ *i* _i_ ***x***", "<b>b</b> <b>b</b> <i>i</i> <i>i</i> <b><i>x</i></b>");
    check("~~s~~ ||x|| `c`", "<s>s</s> <tg-spoiler>x</tg-spoiler> <code>c</code>");
    check("```rust\na\n```\nx", "<pre><code>a\n</code></pre>\nx");
    check("~~~\na\n~~~\nx", "<pre><code>a\n</code></pre>\nx");
    check("    a\n\nx", "<pre><code>a\n</code></pre>\nx");
    check("# T\nx", "T\n\nx");
    check("> q\n\nx", "q\n\n\nx");
    check("a\n\n---\n\nb", "a\n\nb");
    check("- a\n1. b\n\n1) c\n\nx", "• a\n1. b\n1. c\nx");
    check("- [ ] x", "• [ ] x");
    check("- two\n  - nested\n\n  para", "• two\n  • nested\n  para");
    check("[t](https://x?a=1&b=2 \"title\")", "<a href=\"https://x?a=1&amp;b=2\">t</a>");
    check(
        "www.foo.com a@b.co",
        "<a href=\"http://www.foo.com\">www.foo.com</a> <a href=\"mailto:a@b.co\">a@b.co</a>",
    );
    check(
        "https://x.org <https://x>",
        "<a href=\"https://x.org\">https://x.org</a> <a href=\"https://x\">https://x</a>",
    );
    check("![alt](u)", "alt");
    check("[a](javascript:x) [b](/rel)", "[a](javascript:x) <a href=\"/rel\">b</a>");
    check("x[^1]\n\n[^1]: note", "x[^1]\n\n[^1]: note");
    check("<b>x</b> &lt; \"q\"", "&lt;b&gt;x&lt;/b&gt; &lt; &quot;q&quot;");
    check("| A | **B** |\n|---|---|\n| 1 | 2 |", "<pre><code>| A | B |\n| - | - |\n| 1 | 2 |\n</code></pre>");
    check("a\nb  \nc\n\n\n\nd", "a\nb\nc\n\nd");
    check("2*3*4 snake_case", "2<i>3</i>4 snake_case");
    check("**open `and", "**open `and");
    check(r"a\nb", r"a\nb");
}

#[test]
fn r_37a_texts_are_cut_where_it_shows_least() {
    let at = |length| Limits { length, is_by_paragraph: false };
    let plain = |text: &str, length| split(text, at(length)).into_iter().map(|c| c.plain).collect::<Vec<_>>();
    assert_eq!(plain("one two three", 8), ["one two", "three"]);
    assert_eq!(plain("one two\nthree four", 12), ["one two", "three four"]);
    assert_eq!(plain("abcdefgh", 3), ["abc", "def", "gh"]);
    assert_eq!(plain("x\nlong words of a line", 12), ["x\nlong words", "of a line"]);
    // Surrogate pairs, clusters, links.
    assert_eq!(plain(&format!("x{}", "😀".repeat(5)), 4), ["x😀😀😀", "😀😀"]);
    assert_eq!(plain("ab👨‍👩‍👧cd", 5), ["ab", "👨‍👩‍👧", "cd"]);
    assert_eq!(plain("see [the long words](https://x.org) now", 12), ["see", "the long", "words now"]);
    // Code is closed and opened again.
    let code = split("```\naaaa\nbbbb\ncccc\n```", at(10));
    let html: Vec<&str> = code.iter().map(|c| c.html.as_str()).collect();
    assert_eq!(html, ["<pre><code>aaaa\nbbbb</code></pre>", "<pre><code>cccc\n</code></pre>"]);
    // A block that fits in one message is not cut, and white space alone is no message.
    assert_eq!(plain("some words before\n```\naa\nbb\n```", 22), ["some words before", "aa\nbb"]);
    assert!(split(" \n\u{200b}\n\n&#8203;", LIMITS).is_empty());
}

#[test]
fn r_37a_limits_are_telegrams() {
    for (text, least) in [
        ("&".repeat(9000), 3),
        ("**b** ".repeat(250), 3),
        (format!("[t](https://x.org/{}) ", "a".repeat(1900)).repeat(90), 5),
        ("*a* `b` [c](https://d.e) ||f|| ".repeat(3000), 10),
        ("\"<>&".repeat(8000), 8),
        ("x".repeat(4097), 2),
    ] {
        let chunks = split(&text, Limits { length: 9999, is_by_paragraph: false });
        assert!(chunks.len() >= least, "{}", chunks.len());
        for chunk in chunks {
            assert_eq!(strict::accept(&chunk.html, true, false).unwrap().dropped, 0);
        }
    }
}

#[test]
fn r_37b_the_plain_fallback_shows_no_tags() {
    let chunks = split("**b** `c` [t](https://x) a < b & c\n```\nx\n```", LIMITS);
    assert_eq!(chunks[0].plain, "b c t a < b & c\n\nx");
}

#[test]
fn paragraphs_are_messages_on_request() {
    let limits = Limits { length: 4000, is_by_paragraph: true };
    let plain: Vec<String> = split("# T\n\na\nb\n\n```\nc\n\nd\n```\ne\n\n- f\n- g", limits)
        .into_iter()
        .map(|c| c.plain)
        .collect();
    assert_eq!(plain, ["T", "a\nb", "c\n\nd", "e", "• f\n• g"]);
}

#[test]
fn r_49b_a_caption_counts_after_rendering() {
    let text = |n: usize| parse(&format!("**{}**", "&".repeat(n)), Tables::Code);
    assert_eq!(caption(&text(1024)).unwrap().plain.len(), 1024);
    assert_eq!(caption(&text(1025)), None);
    assert_eq!(caption(&parse(&"**a** ".repeat(101), Tables::Code)), None);
    assert_eq!(caption(&parse(" \n", Tables::Code)), None);
}

fn received(text: &str, entities: Value, want: &str) {
    assert_eq!(markdown(text, &message::entities(Some(&entities))), want, "{text:?}");
}

#[test]
fn r_35_links_and_code_of_a_message_are_markdown() {
    let link = |offset: i64, length: i64, url: &str| json!({"type": "text_link", "offset": offset, "length": length, "url": url});
    let code = |offset: i64, length: i64| json!({"type": "code", "offset": offset, "length": length});
    received(
        "😀 see this, x",
        json!([link(7, 4, "https://x"), code(13, 1)]),
        "😀 see [this](https://x), `x`",
    );
    received("a(b", json!([link(0, 1, "https://x/(y")]), "[a](<https://x/(y>)(b");
    received("https://x", json!([link(0, 9, "https://x")]), "https://x");
    received("a`b``", json!([code(0, 5)]), "``` a`b`` ```");
    let pre = |offset: i64, length: i64| json!({"type": "pre", "offset": offset, "length": length, "language": "rust"});
    received("so: fn a() {} yes", json!([pre(4, 9)]), "so: \n```rust\nfn a() {}\n```\n yes");
    received("```\n", json!([pre(0, 4)]), "````rust\n```\n````");
    received(
        "**a** _b_\n\n\tc  d",
        json!([{"type": "bold", "offset": 0, "length": 5}]),
        "**a** _b_\n\n\tc  d",
    );
}

#[test]
fn r_35_entities_that_fit_nothing_change_nothing() {
    let wrong = json!([
        {"type": "code", "offset": 1, "length": 1}, {"type": "code", "offset": 0, "length": 99},
        {"type": "code", "offset": -1, "length": 2}, {"type": "code", "offset": 2, "length": 0},
        {"type": "code", "offset": 18446744073709551615u64, "length": 1}, {"type": "code"}, 7, {"type": "text_link", "offset": 2, "length": 1}
    ]);
    received("😀ab", wrong, "😀ab");
    received("😀ab", json!({}), "😀ab");
    received(
        "ab",
        json!([{"type": "code", "offset": 0, "length": 2}, {"type": "code", "offset": 1, "length": 1}]),
        "`ab`",
    );
}

#[test]
fn buttons_say_which_one_is_wrong() {
    let row = json!([[{"text": "Yes", "callback_data": "y", "more": 1}], []]);
    assert_eq!(
        keyboard(&row).unwrap(),
        json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]})
    );
    for (buttons, want) in [
        (json!({}), "buttons must be an array of button rows"),
        (json!([{}]), "buttons must be an array of button rows"),
        (
            json!([[{"text": "a", "callback_data": "b"}], [{"text": "x"}]]),
            "buttons[1][0] requires text and callback_data",
        ),
        (
            json!([[{"text": "x", "callback_data": "ü".repeat(33)}]]),
            "buttons[0][0] callback_data too long (max 64 chars)",
        ),
    ] {
        assert_eq!(keyboard(&buttons).unwrap_err().to_string(), want);
    }
}

#[test]
fn reactions_are_spelled_as_telegram_does() {
    for (emoji, want) in
        [("❤️", "❤"), (" 👍🏽", "👍"), ("❤️‍🔥", "❤\u{200d}🔥"), ("🤷‍♀️", "🤷\u{200d}♀"), ("☃️", "☃")]
    {
        assert_eq!(reactions::known(emoji), Some(want));
    }
    assert_eq!(reactions::known("🦀"), None);
    assert_eq!(reactions::known(""), None);
}
