//! What was said in the groups of a program since the last answer there: context of the next turn. In memory only, bounded,
//! and lost with the account's life. Of the account's intake thread.
use std::collections::{HashMap, VecDeque};

/// Places of which something is kept, and bytes of one message.
const MOST_PLACES: usize = 200;
const LONGEST: usize = 2000;

#[derive(Default)]
pub struct Past(HashMap<String, VecDeque<String>>);

impl Past {
    /// A message that means nobody here.
    pub fn say(&mut self, place: &str, mut line: String, most: usize) {
        if most == 0 || (self.0.len() >= MOST_PLACES && !self.0.contains_key(place)) {
            return;
        }
        let end = crate::parts::within(&line, LONGEST).len();
        line.truncate(end);
        let said = self.0.entry(place.to_string()).or_default();
        while said.len() >= most {
            said.pop_front();
        }
        said.push_back(line);
    }

    /// What the next turn there is told first.
    pub fn context(&self, place: &str) -> String {
        let Some(said) = self.0.get(place) else { return String::new() };
        let lines: String = said.iter().map(|line| format!("{line}\n")).collect();
        format!(
            "[Chat messages since your last reply - for context]\n{lines}\n[Current message - respond to this]\n"
        )
    }

    /// A turn there was accepted.
    pub fn taken(&mut self, place: &str) {
        self.0.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_6_what_was_said_is_bounded_and_told_once() {
        let mut past = Past::default();
        (0..5).for_each(|n| past.say("g", format!("line {n}"), 2));
        past.say("g", "é".repeat(LONGEST), 0);
        let told = past.context("g");
        assert!(told.contains("]\nline 3\nline 4\n\n[Current") && !told.contains("line 2"), "{told}");
        (0..2 * MOST_PLACES).for_each(|n| past.say(&n.to_string(), "é".repeat(LONGEST), 1));
        assert!(past.0.len() == MOST_PLACES && past.context("1").len() < LONGEST + 200);
        past.taken("g");
        assert_eq!(past.context("g"), "");
    }
}
