//! `mentionPatterns`: the forms of regular expressions that people write to name a bot, in any case. Pure.
//!
//! Letters, `.`, classes, groups, `|`, `^`, `$`, `?`, `*`, `+`, `{n,m}` and `\b \d \s \w` with their opposites. Whatever
//! else stands in a pattern makes it one that fits nothing, and is told. Trying is bounded, however it is nested.
mod reader;

use crate::agents::Agents;
use crate::config::Config;
use crate::parts::Parts;
use reader::Reader;
use serde_json::Value;

/// Steps that one text may cost; what is not found by then does not fit.
const MOST_STEPS: usize = 200_000;
const MOST_DEPTH: usize = 20;
/// Repetitions and groups that are tried within each other at a time: each takes of the stack.
const MOST_TRIED: usize = 64;

enum Part {
    One(Set),
    Start,
    End,
    /// Between a letter and none; or not so.
    Edge(bool),
    Any(Vec<Vec<Part>>),
    Repeat(Box<Part>, usize, usize),
}

/// Characters: ranges, and whether all others are meant.
struct Set(Vec<(char, char)>, bool);

pub struct Pattern(Vec<Vec<Part>>);

impl Pattern {
    /// `None` for one that is not supported.
    pub fn read(text: &str) -> Option<Pattern> {
        let text = text.trim().strip_prefix("(?i)").unwrap_or(text.trim()).to_lowercase_kept();
        let mut reader = Reader { text: &text, at: 0 };
        let all = reader.choices(0)?;
        (reader.at == text.len()).then_some(Pattern(all))
    }

    /// Whether it fits some part of the text.
    pub fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let mut steps = MOST_STEPS;
        (0..=text.len()).any(|at| {
            let mut tried = Try { text: &text, steps: &mut steps, depth: 0 };
            self.0.iter().any(|parts| tried.all(parts, at, &mut |_, _| true))
        })
    }
}

/// The patterns that hold for an agent, by its entry in the configuration, or for all without one.
pub fn of<'a>(config: &'a Config, agent: Option<&'a Value>) -> Vec<&'a str> {
    let own = agent.and_then(|agent| agent.get("groupChat")?.get("mentionPatterns"));
    let list = own.or_else(|| config.get("messages.groupChat.mentionPatterns"));
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Those of the whole configuration that cannot be used.
pub fn misfits<'a>(config: &'a Config, agents: &'a Agents) -> Vec<&'a str> {
    let mut all = of(config, None);
    for id in agents.ids() {
        all.extend(of(config, agents.entry(&id)));
    }
    crate::order::sort(&mut all);
    all.dedup();
    all.retain(|pattern| Pattern::read(pattern).is_none());
    all
}

trait Lower {
    fn to_lowercase_kept(&self) -> Vec<char>;
}

impl Lower for str {
    /// In lower case but for what follows a backslash, where the case means something.
    fn to_lowercase_kept(&self) -> Vec<char> {
        let mut out = Vec::new();
        let mut is_escaped = false;
        for c in self.chars() {
            if is_escaped {
                out.push(c)
            } else {
                out.extend(c.to_lowercase())
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        out
    }
}

impl Set {
    fn has(&self, c: char) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&c)) != self.1
    }
}

struct Try<'a> {
    text: &'a [char],
    steps: &'a mut usize,
    depth: usize,
}

/// What is to fit behind.
type Then<'a, 't> = &'a mut dyn FnMut(&mut Try<'t>, usize) -> bool;

impl<'t> Try<'t> {
    fn all(&mut self, parts: &[Part], mut at: usize, then: Then<'_, 't>) -> bool {
        let mut left = parts;
        while let Some((part, rest)) = left.split_first() {
            at = match part {
                Part::Any(all) => {
                    return self.deeper(|tried| {
                        all.iter()
                            .any(|parts| tried.all(parts, at, &mut |tried, at| tried.all(rest, at, then)))
                    });
                }
                Part::Repeat(part, least, most) => {
                    let then = &mut |tried: &mut Try<'t>, at: usize| tried.all(rest, at, then);
                    return self.deeper(|tried| tried.repeat(part, *least, *most, at, then));
                }
                simple => match self.simple(simple, at) {
                    Some(next) => next,
                    None => return false,
                },
            };
            left = rest;
        }
        then(self, at)
    }

    fn deeper(&mut self, work: impl FnOnce(&mut Try<'t>) -> bool) -> bool {
        *self.steps = self.steps.saturating_sub(1);
        if *self.steps == 0 || self.depth >= MOST_TRIED {
            return false;
        }
        self.depth += 1;
        let fits = work(self);
        self.depth -= 1;
        fits
    }

    /// Where a part ends that can only end in one place.
    fn simple(&self, part: &Part, at: usize) -> Option<usize> {
        let is_word = |at: Option<usize>| {
            at.and_then(|at| self.text.get(at)).is_some_and(|c| c.is_alphanumeric() || *c == '_')
        };
        let (fits, next) = match part {
            Part::One(set) => (self.text.get(at).is_some_and(|c| set.has(*c)), at + 1),
            Part::Start => (at == 0, at),
            Part::End => (at == self.text.len(), at),
            Part::Edge(wanted) => ((is_word(at.checked_sub(1)) != is_word(Some(at))) == *wanted, at),
            Part::Any(_) | Part::Repeat(..) => (false, at),
        };
        fits.then_some(next)
    }

    fn repeat(&mut self, part: &Part, least: usize, most: usize, at: usize, then: Then<'_, 't>) -> bool {
        // A single character is repeated without nesting: texts are long.
        if let Part::One(set) = part {
            let run = self.text.tail(at).iter().take(most).take_while(|c| set.has(**c)).count();
            *self.steps = self.steps.saturating_sub(run);
            return (least..=run).rev().any(|n| *self.steps > 0 && then(self, at + n));
        }
        let once = std::slice::from_ref(part);
        let goes_on = most > 0
            && self.deeper(|tried| {
                tried.all(once, at, &mut |tried, next| {
                    next > at && tried.repeat(part, least.saturating_sub(1), most - 1, next, then)
                })
            });
        goes_on || (least == 0 && then(self, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_people_write() {
        for (pattern, text, want) in [
            ("clawd", "hey CLAWD!", true),
            (r"\bclawd\b", "clawdia", false),
            (r"\b@?clawd\b", "ask @Clawd now", true),
            (r"(?i)^(hey|hi),?\s+bot", "Hi, Bot", true),
            (r"^(?:hey|hi)\s+bot", "oh hi bot", false),
            ("jarvis[!?.]*$", "so, Jarvis?!", true),
            ("b[o0]+t", "b0oot", true),
            (r"\+?\d{3,5}", "call 12", false),
            (r"\+?\d{3,5}", "call +123", true),
            ("colou?r", "COLOR", true),
            ("a.c", "a\nc", false),
            ("[^a-c]x", "dx", true),
            ("[^a-c]x", "bx", false),
            ("(ab)+c", "ababc", true),
            (r"\Bot", "bot", true),
            ("🦞", "a🦞b", true),
            ("ÄRA", "ära", true),
            ("a|", "x", true),
        ] {
            assert_eq!(Pattern::read(pattern).unwrap().fits(text), want, "{pattern} in {text:?}");
        }
    }

    #[test]
    fn what_is_not_supported_is_told() {
        let all = ["ok", "(?=x)", r"\p{L}", "(a", "a)", "[a", "*a", "a{2", r"(a)\1", "a{5,2}", r"[\W]"];
        let misfits: Vec<&str> = all.into_iter().filter(|one| Pattern::read(one).is_none()).collect();
        assert_eq!(misfits, all[1..]);
        assert!(Pattern::read(&"(".repeat(500)).is_none());
    }

    #[test]
    fn trying_is_bounded() {
        let text = "a".repeat(4000);
        for pattern in ["(a*)*b", "(a|a)*b", "a*a*a*a*b", "(.*)+x"] {
            Pattern::read(pattern).unwrap().fits(&text);
        }
    }
}
