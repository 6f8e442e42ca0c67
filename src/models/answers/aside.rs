//! Tags that are only spoken of: "between <think> and </think> stands the reasoning".
//!
//! Pure; used by `think`. Nobody reasons in the middle of a sentence and goes on with it in the same line: what stands
//! there between tags is text, tags and all. So is what has a space on either side of both tags, and what stands
//! between the marks of a list. Longer pieces are reasoning.

/// What a tag behind text is.
#[derive(PartialEq)]
pub enum Stray {
    /// The end of reasoning that stands before it.
    End,
    /// Nothing that anybody wants to see.
    Noise,
    /// A tag that is only spoken of.
    Mention,
    /// It depends on what follows.
    Unclear,
}

/// The longest piece of text between tags that are spoken of, in bytes.
const MOST: usize = 400;

/// The content of a block as far as it has come, whose tags may only be spoken of.
pub struct Aside {
    /// The opening tag stands in the middle of a sentence.
    pub is_midway: bool,
    content: String,
}

impl Aside {
    pub fn new(is_midway: bool) -> Aside {
        Aside { is_midway, content: String::new() }
    }

    /// Takes a character; `false` when there are too many.
    pub fn push(&mut self, c: char) -> bool {
        self.content.push(c);
        self.content.len() <= MOST
    }

    /// What the tag is that closes this block; `None` for the end of reasoning.
    pub fn is_spoken_of(&self, opened: &str, after: &str, is_end: bool) -> Option<Stray> {
        let is_text = match self.content.rsplit_once('\n') {
            // Only the mark of a list, or of a quotation, is before it.
            Some((_, line)) => {
                self.is_midway && !line.trim().is_empty() && !line.contains(char::is_alphabetic)
            }
            None if self.is_midway => true,
            None => opened.ends_with(' ') && self.content.ends_with(' ') && !after.starts_with('\n'),
        };
        match after.trim_start().is_empty() {
            _ if !is_text => None,
            // At the end of all text it was reasoning.
            true => (!is_end).then_some(Stray::Unclear),
            false => Some(Stray::Mention),
        }
    }
}

/// Whether a tag stands between quotation marks.
pub fn is_quoted(before: char, after: &str) -> bool {
    ['"', '\'', '“', '‘', '(', '«', '„'].contains(&before)
        && after.starts_with(['"', '\'', '”', '’', ')', '»', '“'])
}

/// Whether a tag behind these characters, the last one and the last visible one, goes on with a sentence.
pub fn is_midway(last: char, visible: char) -> bool {
    (last.is_whitespace() && !matches!(visible, '.' | '!' | '?' | '…' | '。' | '！' | '？'))
        || "(\"'“‘«„\\*_|/".contains(last)
}
