//! Reasoning that a model writes in front of its answer between `<think>` and `</think>`.
//!
//! Pure. Many local servers leave these tags in the text. Only a tag at the very start counts; the pieces
//! of text may be cut anywhere, also inside a tag. Holds back no more than what may be one.
use super::draft::{Draft, Taken};

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Inside,
    After,
}

#[derive(Default)]
pub struct Think {
    place: Place,
    /// What may be the beginning of a tag.
    held: String,
    /// White space is skipped until something else comes: the line ends around the tags are no text.
    skips_space: bool,
}

impl Think {
    /// Takes a piece of text and hands on what is clear by now.
    pub fn push(&mut self, piece: &str, draft: &mut Draft) -> Taken {
        self.held.push_str(piece);
        if self.place == Place::Start {
            let text = self.held.trim_start();
            if let Some(rest) = text.strip_prefix(OPEN) {
                self.held = rest.to_string();
                (self.place, self.skips_space) = (Place::Inside, true);
            } else if OPEN.starts_with(text) {
                return Ok(());
            } else {
                self.place = Place::After;
            }
        }
        if self.place == Place::Inside {
            let Some((thought, rest)) = self.held.split_once(CLOSE) else {
                let rest = self.held.split_off(self.held.len() - tail(&self.held));
                let thought = std::mem::replace(&mut self.held, rest);
                return self.say(&thought, draft);
            };
            let (thought, rest) = (thought.to_string(), rest.to_string());
            self.held = rest;
            self.say(&thought, draft)?;
            (self.place, self.skips_space) = (Place::After, true);
        }
        self.flush(draft)
    }

    /// Hands on what was held back: no tag came of it.
    pub fn flush(&mut self, draft: &mut Draft) -> Taken {
        let rest = std::mem::take(&mut self.held);
        self.say(&rest, draft)
    }

    fn say(&mut self, text: &str, draft: &mut Draft) -> Taken {
        let text = if self.skips_space { text.trim_start() } else { text };
        self.skips_space &= text.is_empty();
        if self.place == Place::Inside { draft.thinking(text) } else { draft.text(text) }
    }
}

/// The length of the longest end of `text` that a closing tag may begin with.
fn tail(text: &str) -> usize {
    (1..CLOSE.len()).rev().find(|n| CLOSE.get(..*n).is_some_and(|start| text.ends_with(start))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::provider::Chunk;

    fn split(pieces: &[&str]) -> (String, String) {
        let (mut thought, mut said) = (String::new(), String::new());
        let mut on = |chunk| match chunk {
            Chunk::Reasoning(t) => thought += &t,
            Chunk::Text(t) => said += &t,
        };
        let (mut think, mut draft) = (Think::default(), Draft::new(&mut on));
        for piece in pieces {
            assert!(think.push(piece, &mut draft).is_ok());
        }
        assert!(think.flush(&mut draft).is_ok());
        (thought, said)
    }

    #[test]
    fn every_cut_gives_the_same_split() {
        let check = |whole: &str, thought: &str, said: &str| {
            let cuts: Vec<usize> = (0..=whole.len()).filter(|n| whole.is_char_boundary(*n)).collect();
            for first in &cuts {
                for second in cuts.iter().filter(|n| *n >= first) {
                    let pieces = [&whole[..*first], &whole[*first..*second], &whole[*second..]];
                    assert_eq!(split(&pieces), (thought.to_string(), said.to_string()), "{pieces:?}");
                }
            }
        };
        check("\n<think>\nhm </b> ü</think>\n\nYes.", "hm </b> ü", "Yes.");
        check("<think></think>No", "", "No");
        check("<think>only", "only", "");
        check("<think>cut</thi", "cut</thi", "");
        check(" a <think>b</think>", "", " a <think>b</think>");
        check("<thin ice", "", "<thin ice");
        check("<thi", "", "<thi");
    }
}
