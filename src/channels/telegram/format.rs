//! Text with spans -> the HTML that Telegram's Bot API takes (`parse_mode: "HTML"`).
use crate::channels::markdown::{Part, Style, Text};
use std::ops::Range;

/// The part `range` of the text; spans that it cuts are closed and, in the next part, opened again.
pub fn html(text: &Text, range: Range<usize>) -> String {
    let mut html = String::with_capacity(range.len() * 5 / 4);
    text.walk(range, |part| match part {
        Part::Text(text) => escape(text, &mut html),
        Part::Open(Style::Link(address)) => {
            html.push_str("<a href=\"");
            escape(address, &mut html);
            html.push_str("\">");
        }
        Part::Open(style) => html.push_str(tags(style).0),
        Part::Close(style) => html.push_str(tags(style).1),
    });
    html
}

fn tags(style: &Style) -> (&'static str, &'static str) {
    match style {
        Style::Bold => ("<b>", "</b>"),
        Style::Italic => ("<i>", "</i>"),
        Style::Strike => ("<s>", "</s>"),
        Style::Spoiler => ("<tg-spoiler>", "</tg-spoiler>"),
        Style::Code => ("<code>", "</code>"),
        Style::Block => ("<pre><code>", "</code></pre>"),
        Style::Link(_) => ("<a href=\"\">", "</a>"),
    }
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match escaped(c) {
            Some(escaped) => html.push_str(escaped),
            None => html.push(c),
        }
    }
}

fn escaped(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        _ => None,
    }
}

/// How many bytes a character, or the tags of a style, take as HTML.
pub fn cost_of(c: char) -> usize {
    escaped(c).map_or(c.len_utf8(), str::len)
}

pub fn cost_of_tags(style: &Style) -> usize {
    let (open, close) = tags(style);
    let address = if let Style::Link(address) = style { address.chars().map(cost_of).sum() } else { 0 };
    open.len() + address + close.len()
}
