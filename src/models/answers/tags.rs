//! The marks that models write around their reasoning: what one is, and whether a text may still become one.
//!
//! Pure; used by `think`. Knows tags in angle and square brackets, Kimi's triangles, Cohere's and Gemma's marks, and the
//! channels that gpt-oss writes where its server leaves them in the text.
use crate::parts::Parts;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Open,
    Close,
    Empty,
    FinalOpen,
    FinalClose,
    /// The head of a message in a channel: reasoning, or the answer.
    Channel {
        is_thought: bool,
    },
    /// The end of a message in a channel.
    MessageEnd,
}

pub enum Tag<'a> {
    Whole(Kind, &'a str),
    /// The text ends before it is clear.
    Cut,
    None,
}

const NAMES: [&str; 5] = ["think", "thinking", "thought", "reasoning", "antthinking"];
/// What some write before the name.
const PREFIXES: [&str; 4] = ["", "antml:", "mm:", "seed:"];
/// The longest tag that is looked for, in bytes.
const MAX_TAG: usize = 80;
/// The longest head of a message, in bytes.
const MAX_HEAD: usize = 200;
/// What a head begins with, and what ends it.
const HEADS: [&str; 2] = ["<|channel|>", "<|start|>"];
const BODY: &str = "<|message|>";
const ENDS: [&str; 3] = ["<|end|>", "<|return|>", "<|call|>"];
/// Marks with bars that stand for tags, as Cohere's models and Gemma write them.
const BARRED: [(&str, Kind); 5] = [
    ("<|START_THINKING|>", Kind::Open),
    ("<|END_THINKING|>", Kind::Close),
    ("<|START_RESPONSE|>", Kind::FinalOpen),
    ("<|END_RESPONSE|>", Kind::FinalClose),
    ("<|channel>thought", Kind::Open),
];
/// How Gemma ends what it opened.
const CHANNEL_END: &str = "channel|";

/// Whether a tag may begin with this.
pub fn begins(c: char) -> bool {
    matches!(c, '<' | '[' | '◁')
}

/// The tag that a text begins with.
pub fn tag(text: &str) -> Tag<'_> {
    if text.starts_with("<|") {
        return mark(text);
    }
    let (open, close) = match text.chars().next() {
        Some('[') => ('[', ']'),
        Some('◁') => ('◁', '▷'),
        _ => ('<', '>'),
    };
    let inner = text.tail(open.len_utf8());
    // A line may end in a tag only right before its own end.
    let is_one_line = |inner: &str| !inner.trim_end().contains('\n');
    match inner.find([close, '<', '[']) {
        Some(end) if inner.tail(end).starts_with(close) && end < MAX_TAG && is_one_line(inner.head(end)) => {
            let kind = kind(inner.head(end), open);
            let written = text.head(open.len_utf8() + end + close.len_utf8());
            kind.map_or(Tag::None, |kind| Tag::Whole(kind, written))
        }
        Some(_) => Tag::None,
        None if may_become_tag(inner, open) && is_one_line(inner) => Tag::Cut,
        None => Tag::None,
    }
}

fn kind(inner: &str, open: char) -> Option<Kind> {
    if open != '<' {
        // As Mistral's models write it, and Kimi's.
        let name = if open == '[' { "THINK" } else { "think" };
        let (closes, rest) = inner.strip_prefix('/').map_or((false, inner), |rest| (true, rest));
        return (rest == name).then_some(if closes { Kind::Close } else { Kind::Open });
    }
    let inner = inner.trim().to_ascii_lowercase();
    let (closes, name) = inner.strip_prefix('/').map_or((false, inner.as_str()), |name| (true, name.trim()));
    let (name, is_empty) = name.strip_suffix('/').map_or((name, false), |name| (name, true));
    let name = name.split_whitespace().next().unwrap_or_default();
    let is_think = PREFIXES.iter().filter_map(|p| name.strip_prefix(p)).any(|name| NAMES.contains(&name));
    match (is_think || name == CHANNEL_END, closes || name == CHANNEL_END, is_empty) {
        (true, true, _) => Some(Kind::Close),
        (true, false, true) => Some(Kind::Empty),
        (true, false, false) => Some(Kind::Open),
        (false, true, _) if name == "final" => Some(Kind::FinalClose),
        (false, false, false) if name == "final" => Some(Kind::FinalOpen),
        _ => None,
    }
}

fn may_become_tag(inner: &str, open: char) -> bool {
    if open != '<' {
        return ["THINK", "/THINK", "think", "/think"].iter().any(|name| name.starts_with(inner));
    }
    let inner = inner.trim_start().to_ascii_lowercase();
    let name = inner.strip_prefix('/').unwrap_or(&inner).trim_start();
    let fits = |whole: &str| {
        whole.starts_with(name)
            || name.strip_prefix(whole).is_some_and(|more| more.starts_with([' ', '\t', '/', '\r', '\n']))
    };
    let prefixed = |name: &str| PREFIXES.iter().any(|prefix| fits(&format!("{prefix}{name}")));
    inner.len() < MAX_TAG
        && (NAMES.iter().any(|name| prefixed(name))
            || fits("final")
            || fits(CHANNEL_END)
            || "|".starts_with(&inner))
}

/// A mark of a message in a channel: its head, from the first mark to the body, or its end.
fn mark(text: &str) -> Tag<'_> {
    if let Some(end) = ENDS.iter().find(|end| text.starts_with(**end)) {
        return Tag::Whole(Kind::MessageEnd, text.head(end.len()));
    }
    if let Some((written, kind)) = BARRED.into_iter().find(|(written, _)| text.starts_with(written)) {
        return Tag::Whole(kind, written);
    }
    if HEADS.iter().chain(&ENDS).chain(BARRED.iter().map(|(mark, _)| mark)).any(|mark| mark.starts_with(text))
    {
        return Tag::Cut;
    }
    if !HEADS.iter().any(|head| text.starts_with(head)) {
        return Tag::None;
    }
    match text.find(BODY) {
        Some(at) if at < MAX_HEAD => {
            let head = text.head(at);
            // Calls of tools in their channel are no words for people either.
            let channel = head.rsplit("<|channel|>").next().unwrap_or_default().trim_start();
            let is_thought = channel.starts_with("analysis") || head.contains(" to=");
            Tag::Whole(Kind::Channel { is_thought }, text.head(at + BODY.len()))
        }
        None if text.len() < MAX_HEAD && !text.contains('\n') => Tag::Cut,
        _ => Tag::None,
    }
}
