//! HTML as text that people and models can read: title, headings, links, lists, paragraphs, code.
//!
//! Pure and forgiving: one pass over the tags, no tree, nothing runs. Scripts, styles and the like are dropped. It
//! promises nothing about layout. Its time grows with the page's length only, whatever the page, and it ends early when
//! the call is stopped.
mod entities;
mod tags;
use crate::cancel::Cancel;
use crate::fetch::outbound;
use crate::parts::Parts;
pub use entities::decode;
use tags::{attribute, collapse, piece, split_tag, until_end};
use ureq::http::Uri;

/// A page made readable.
pub struct Readable {
    pub title: String,
    pub text: String,
    /// Whether the page held more than is given.
    pub is_cut: bool,
}

/// Bytes of text after which the rest of a page is left out: addresses of links can be longer than what names them.
const MAX_TEXT: usize = 1 << 20;
/// Bytes of an address, the page's own included, beyond which links are shown as text.
const MAX_URL: usize = 2000;
/// Tags between two looks at the stop flag.
const TAGS: usize = 256;
/// Elements whose content is not for readers.
const DROPPED: &[&str] = &["script", "style", "template", "noscript", "svg", "iframe", "object", "select"];
/// Elements that stand apart from what is around them.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "main",
    "nav",
    "ol",
    "p",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "ul",
];

/// Reads a page that came from `url`; with `is_text` without Markdown's marks. A part of it when stopped meanwhile.
pub fn read(html: &str, url: &str, is_text: bool, cancel: &Cancel) -> Readable {
    let mut page = Page {
        out: String::new(),
        link: None,
        base: url.parse().ok().filter(|_| url.len() <= MAX_URL),
        is_text,
        pre: 0,
        gap: 0,
    };
    let title = page.walk(html, cancel);
    let is_cut = page.is_full();
    let mut text = page.out;
    text.truncate(text.trim_end().len());
    text.drain(..text.len() - text.trim_start().len());
    Readable { title, text, is_cut }
}

struct Page {
    out: String,
    /// The open link: where its text began, and its `href`. Links do not nest.
    link: Option<(usize, String)>,
    base: Option<Uri>,
    is_text: bool,
    /// Depth of `pre`.
    pre: usize,
    /// Line breaks owed before the next text.
    gap: usize,
}

impl Page {
    /// Goes through the page; the answer is its title.
    fn walk(&mut self, html: &str, cancel: &Cancel) -> String {
        let mut title = String::new();
        let mut rest = html;
        let mut seen: usize = 0;
        while let Some((before, after)) = rest.split_once('<') {
            self.text(before);
            seen += 1;
            if self.is_full() || (seen.is_multiple_of(TAGS) && cancel.reason().is_some()) {
                return title;
            }
            if let Some(comment) = after.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
                continue;
            }
            if !after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
                self.text("<");
                rest = after;
                continue;
            }
            let (tag, after) = split_tag(after);
            let name: String = tag
                .trim_start_matches('/')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .collect();
            rest = after;
            if tag.starts_with('/') {
                self.close(&name);
            } else if name == "title" {
                let (content, after) = until_end(rest, "title");
                if title.is_empty() {
                    title = collapse(&decode(piece(content).0)).trim().chars().take(300).collect();
                }
                rest = after;
            } else if name == "head" {
                // Only its title is for readers, and many heads are never closed.
                continue;
            } else if DROPPED.contains(&name.as_str()) && !tag.ends_with('/') {
                rest = until_end(rest, &name).1;
            } else {
                self.open(&name, tag);
            }
        }
        self.text(rest);
        title
    }

    fn open(&mut self, name: &str, tag: &str) {
        match name {
            "br" => self.gap(1),
            "hr" => self.block("---"),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = name.as_bytes().get(1).map_or(1, |digit| usize::from(digit - b'0'));
                self.block(&format!("{} ", "#".repeat(level)));
            }
            "li" => {
                self.gap(1);
                self.mark("- ");
            }
            "tr" => self.gap(1),
            "td" | "th" if !self.out.ends_with('\n') && self.gap == 0 && !self.out.is_empty() => {
                self.push(" | ")
            }
            "pre" => {
                self.block("```\n");
                self.pre += 1;
            }
            "a" => {
                self.close_link();
                self.settle();
                self.link = Some((self.out.len(), attribute(tag, "href").unwrap_or_default()));
            }
            "img" => {
                let alt = attribute(tag, "alt").unwrap_or_default();
                self.text(&format!(" {} ", alt.replace('<', " ")));
            }
            _ if BLOCKS.contains(&name) => self.gap(2),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.gap(2),
            "li" | "tr" => self.gap(1),
            "pre" if self.pre > 0 => {
                self.pre -= 1;
                if !self.is_text {
                    let end = if self.out.ends_with('\n') { "```" } else { "\n```" };
                    self.out += end;
                }
                self.gap(2);
            }
            "a" => self.close_link(),
            _ if BLOCKS.contains(&name) => self.gap(2),
            _ => {}
        }
    }

    /// Only text with a target elsewhere becomes a link.
    fn close_link(&mut self) {
        let Some((start, href)) = self.link.take() else { return };
        let shown = self.out.tail(start).trim().to_string();
        if self.is_text || shown.is_empty() || shown.contains('\n') {
            return;
        }
        let target = self.resolve(&href);
        if target.is_empty() || shown == target {
            return;
        }
        let space = if self.out.get(start..).is_some_and(|text| text.starts_with(' ')) { " " } else { "" };
        self.out.truncate(start);
        self.out += &format!("{space}[{shown}]({target})");
    }

    fn resolve(&self, href: &str) -> String {
        let href = href.trim();
        let is_web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        let absolute = match &self.base {
            Some(base) if !href.starts_with('#') && !href.is_empty() => outbound::join(base, href),
            _ => return String::new(),
        };
        if is_web(&absolute) && absolute.len() <= MAX_URL && !absolute.contains([' ', '(', ')', '\n']) {
            absolute
        } else {
            String::new()
        }
    }

    /// Owes line breaks before the next text.
    fn gap(&mut self, lines: usize) {
        self.gap = self.gap.max(lines);
    }

    /// Begins a block with a mark of Markdown.
    fn block(&mut self, mark: &str) {
        self.gap(2);
        self.mark(mark);
    }

    fn mark(&mut self, mark: &str) {
        self.settle();
        if !self.is_text || mark == "- " {
            self.out += mark;
        }
    }

    fn settle(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        if gap > 0 {
            let kept = self.out.trim_end_matches(' ').len();
            self.out.truncate(kept);
            let has = self.out.bytes().rev().take(gap).take_while(|b| *b == b'\n').count();
            if !self.out.is_empty() {
                self.out.extend(std::iter::repeat_n('\n', gap.saturating_sub(has)));
            }
        }
    }

    fn push(&mut self, text: &str) {
        self.settle();
        self.out += text;
    }

    fn is_full(&self) -> bool {
        self.out.len() > MAX_TEXT
    }

    fn text(&mut self, mut raw: &str) {
        while !raw.is_empty() && !self.is_full() {
            let (now, later) = piece(raw);
            self.text_piece(now);
            raw = later;
        }
    }

    fn text_piece(&mut self, raw: &str) {
        let text = decode(raw);
        if self.pre > 0 {
            return self.push(&text);
        }
        let text = collapse(&text);
        let at_start = self.gap > 0 || self.out.is_empty() || self.out.ends_with([' ', '\n']);
        let text = if at_start { text.trim_start() } else { text.as_str() };
        if !text.is_empty() {
            self.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Reason;
    use std::time::Instant;

    fn read(html: &str, url: &str, is_text: bool) -> Readable {
        super::read(html, url, is_text, &Cancel::new())
    }

    fn check(html: &str, want: &str) {
        assert_eq!(read(html, "https://h.com/a/b", false).text, want, "{html}");
    }

    #[test]
    fn blocks_headings_lists_and_links() {
        check("<h1>Big</h1><p>one\n two</p><p>three<br>four", "# Big\n\none two\n\nthree\nfour");
        check("<ul><li>a</li><li><b>b</b> c</ul>", "- a\n- b c");
        check("see <a href='/x?a=1&amp;b=2'>the page</a>.", "see [the page](https://h.com/x?a=1&b=2).");
        check(
            "<a href=\"c\">x</a> <a href=#t>y</a> <a href='javascript:z'>z</a><a href=q></a>",
            "[x](https://h.com/a/c) y z",
        );
        check("<table><tr><th>A<th>B</tr><tr><td>1</td><td>2</td></tr></table>", "A | B\n1 | 2");
        check("<pre>a\n  b</pre>c", "```\na\n  b\n```\n\nc");
        check("a <img alt='a cat' src=x> b", "a a cat b");
        check("x<i>y</i>z", "xyz");
        check("<a href=/b>b<a href=/c>c</a> d</a>", "[b](https://h.com/b)[c](https://h.com/c) d");
    }

    #[test]
    fn what_is_not_for_readers_is_dropped() {
        check("a<script>if (a < b) { '</p>' }</SCRIPT>b<style>x{}</style><!-- <p>c --> d", "ab d");
        check("<head><meta charset=x><title>T</title><style>s</style></head><body>b", "b");
        check("a<script>never closed", "a");
        check("<p title='a > b'>c", "c");
        check("1 < 2 & 3 &lt; 4 &#169; &#x41; &nope; &", "1 < 2 & 3 < 4 © A &nope; &");
        check("a < b", "a < b");
        check("", "");
    }

    #[test]
    fn titles_are_read_and_text_mode_has_no_marks() {
        let page = read("<title> A &amp;\n B </title><h2>H</h2><a href=/x>y</a>", "https://h.com/", true);
        assert_eq!((page.title.as_str(), page.text.as_str()), ("A & B", "H\n\ny"));
    }

    #[test]
    fn pages_of_any_shape_take_time_by_their_length_only() {
        let url = format!("https://h.com/{}/", "p".repeat(1500));
        let lines = format!("<pre>{}", "\n".repeat(1 << 19));
        for (start, piece, end) in [
            ("", "<a href=x>y", "</a>"),
            ("", "<a href=x>y</a>", ""),
            ("", "<h1><h2>x", "</h2></h1>"),
            ("", "<ul><li>x", "</li></ul>"),
            ("", "<div><p>x", "</p></div>"),
            ("", "<pre>\nx", "</pre>"),
            ("", "<table><tr><td>x", "</table>"),
            ("", "<b \"", ""),
            ("", "<!--", "-->"),
            ("", "<title>x</title>", ""),
            ("", "&shy;&", ""),
            (&lines, "<br>&shy;", ""),
            (&lines, "</p><a>", ""),
        ] {
            let times = ((1 << 20) - start.len()) / (piece.len() + end.len());
            let html = format!("{start}{}{}", piece.repeat(times), end.repeat(times));
            let at = Instant::now();
            let text = read(&html, &url, false).text;
            assert!(at.elapsed().as_secs() < 2, "{piece}: {:?}", at.elapsed());
            assert!(text.len() < 2 * MAX_TEXT, "{piece}: {}", text.len());
        }
    }

    #[test]
    fn a_stopped_call_reads_no_further() {
        let cancel = Cancel::new();
        cancel.cancel(Reason::Stop);
        assert!(super::read(&"<p>x".repeat(10_000), "https://h.com/", true, &cancel).text.len() < 1000);
    }

    #[test]
    fn any_bytes_are_survived() {
        let pieces = [
            "<", ">", "a", "/", "\"", "'", "=", " ", "é", "<a href=", "</a>", "<pre>", "</pre>", "&#", ";",
            "<!--", "-->", "<script", "<td>",
        ];
        let mut seed: u64 = 7;
        for _ in 0..2000 {
            let mut html = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                html += pieces[(seed >> 33) as usize % pieces.len()];
            }
            assert!(read(&html, "https://h.com/", false).text.len() < 2000, "{html}");
        }
    }
}
