//! Reasoning that a model writes into its text between tags, as many local servers leave it there.
//!
//! Pure. Takes text in pieces cut anywhere, also inside a tag, and holds back no more than what may be one. Knows
//! `<think>`, `<thinking>`, `<thought>` and their like in any spelling, blocks at the start, in a row and behind
//! text, templates that open the tag themselves, and `<final>` around the answer. In code a tag is text.

/// What became clear.
#[derive(Debug, PartialEq)]
pub enum Step {
    Text(String),
    Thought(String),
    /// The text since the last reasoning was reasoning itself: it ended in a closing tag that nothing had opened.
    Unsay,
    /// The last reasoning was text, and began with this.
    Resay(String),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Open,
    Close,
    Empty,
    FinalOpen,
    FinalClose,
}

#[derive(Default)]
pub struct Think {
    inside: bool,
    /// The tag that opened the present block, where it stands behind text.
    opened: String,
    /// Everything said was taken back, and nothing came since.
    took_back: bool,
    in_final: bool,
    /// Something other than white space was said.
    said: bool,
    /// White space is skipped until something else comes: the line ends around the tags are no text.
    skips_space: bool,
    /// White space at the start, which is no text if a tag follows.
    space: String,
    /// What may be the beginning of a tag.
    held: String,
    last: char,
    code: Code,
}

impl Think {
    /// Takes a piece of text and gives what is clear by now.
    pub fn push(&mut self, piece: &str) -> Vec<Step> {
        let text = std::mem::take(&mut self.held) + piece;
        let (mut steps, mut rest) = (Vec::new(), text.as_str());
        while let Some(c) = rest.chars().next() {
            if matches!(c, '<' | '[') && !self.is_in_code() {
                match tag(rest) {
                    Tag::Cut => {
                        self.held = rest.to_string();
                        return steps;
                    }
                    Tag::Whole(kind, written) if self.take(kind, written, &mut steps) => {
                        rest = rest.get(written.len()..).unwrap_or_default();
                        continue;
                    }
                    Tag::Whole(..) | Tag::None => {}
                }
            }
            self.say(c, &mut steps);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        steps
    }

    /// Gives what was held back: no tag came of it.
    pub fn flush(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for c in std::mem::take(&mut self.held).chars() {
            self.say(c, &mut steps);
        }
        steps
    }

    /// Nothing more comes; `is_cut` when the answer was cut at its length.
    pub fn end(&mut self, is_cut: bool) -> Vec<Step> {
        let mut steps = self.flush();
        let opened = std::mem::take(&mut self.opened);
        if std::mem::take(&mut self.took_back) || (self.inside && !opened.is_empty() && !is_cut) {
            self.inside = false;
            steps.push(Step::Resay(opened));
        }
        steps
    }

    fn is_in_code(&mut self) -> bool {
        // Reasoning quotes tags between backticks, and its code may never be closed.
        if self.inside { self.last == '`' } else { self.code.is_open() }
    }

    /// Whether a tag counts at this place.
    fn take(&mut self, kind: Kind, written: &str, steps: &mut Vec<Step>) -> bool {
        match (self.inside, kind) {
            (true, Kind::Close) => {
                self.inside = false;
                self.opened.clear();
            }
            (false, Kind::Open) => {
                self.inside = true;
                self.opened = if self.said { written.to_string() } else { String::new() };
                self.space.clear();
            }
            (false, Kind::Close) => {
                if self.said {
                    steps.push(Step::Unsay);
                    self.took_back = true;
                }
                (self.said, self.in_final) = (false, false);
                self.space.clear();
            }
            (false, Kind::FinalOpen) if !self.said => {
                self.in_final = true;
                self.space.clear();
            }
            (false, Kind::FinalClose) if self.in_final => self.in_final = false,
            (false, Kind::Empty) => {}
            _ => return false,
        }
        self.skips_space = true;
        self.code = Code::default();
        self.last = '>';
        true
    }

    fn say(&mut self, c: char, steps: &mut Vec<Step>) {
        if self.skips_space && c.is_whitespace() {
            return;
        }
        self.skips_space = false;
        self.last = c;
        if self.inside {
            match steps.last_mut() {
                Some(Step::Thought(text)) => text.push(c),
                _ => steps.push(Step::Thought(c.to_string())),
            }
            return;
        }
        self.code.see(c);
        if !self.said && c.is_whitespace() {
            self.space.push(c);
            return;
        }
        (self.said, self.took_back) = (true, false);
        let space = std::mem::take(&mut self.space);
        match steps.last_mut() {
            Some(Step::Text(text)) => text.push(c),
            _ => steps.push(Step::Text(space + c.encode_utf8(&mut [0; 4]))),
        }
    }
}

/// Whether the text is inside a block of code, between lines of backticks or within a line.
#[derive(Default)]
struct Code {
    fence: usize,
    inline: usize,
    /// Backticks in a row, and whether they began a line.
    run: usize,
    run_begins_line: bool,
    in_line: bool,
}

impl Code {
    fn see(&mut self, c: char) {
        if c == '`' {
            if self.run == 0 {
                self.run_begins_line = !self.in_line;
            }
            self.run += 1;
            self.in_line = true;
            return;
        }
        self.end_run();
        match c {
            '\n' => (self.inline, self.in_line) = (0, false),
            c => self.in_line |= !c.is_whitespace(),
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        match (run, self.fence, self.inline) {
            (0, ..) => {}
            (_, fence @ 1.., _) if self.run_begins_line && run >= fence => self.fence = 0,
            (_, 1.., _) => {}
            (3.., 0, _) if self.run_begins_line => self.fence = run,
            (_, 0, 0) => self.inline = run,
            (_, 0, open) if open == run => self.inline = 0,
            _ => {}
        }
    }

    fn is_open(&mut self) -> bool {
        self.end_run();
        self.fence + self.inline > 0
    }
}

enum Tag<'a> {
    Whole(Kind, &'a str),
    /// The text ends before it is clear.
    Cut,
    None,
}

const NAMES: [&str; 4] = ["think", "thinking", "thought", "antthinking"];
/// What some write before the name.
const PREFIXES: [&str; 4] = ["", "antml:", "mm:", "seed:"];
/// The longest tag that is looked for, in bytes.
const MAX_TAG: usize = 80;

/// The tag that a text begins with.
fn tag(text: &str) -> Tag<'_> {
    let is_square = text.starts_with('[');
    let (close, inner) = (if is_square { ']' } else { '>' }, text.get(1..).unwrap_or_default());
    match inner.find([close, '<', '[', '\n']) {
        Some(end) if inner.get(end..).is_some_and(|rest| rest.starts_with(close)) && end < MAX_TAG => {
            let kind = kind(inner.get(..end).unwrap_or_default(), is_square);
            let written = text.get(..end + 2).unwrap_or_default();
            kind.map_or(Tag::None, |kind| Tag::Whole(kind, written))
        }
        Some(_) => Tag::None,
        None if may_become_tag(inner, is_square) => Tag::Cut,
        None => Tag::None,
    }
}

fn kind(inner: &str, is_square: bool) -> Option<Kind> {
    if is_square {
        // As Mistral's models write it.
        return match inner {
            "THINK" => Some(Kind::Open),
            "/THINK" => Some(Kind::Close),
            _ => None,
        };
    }
    let inner = inner.trim().to_ascii_lowercase();
    let (closes, name) = inner.strip_prefix('/').map_or((false, inner.as_str()), |name| (true, name.trim()));
    let (name, is_empty) = name.strip_suffix('/').map_or((name, false), |name| (name, true));
    let name = name.split_whitespace().next().unwrap_or_default();
    let is_think = PREFIXES.iter().filter_map(|p| name.strip_prefix(p)).any(|name| NAMES.contains(&name));
    match (is_think, closes, is_empty) {
        (true, true, _) => Some(Kind::Close),
        (true, false, true) => Some(Kind::Empty),
        (true, false, false) => Some(Kind::Open),
        (false, true, _) if name == "final" => Some(Kind::FinalClose),
        (false, false, false) if name == "final" => Some(Kind::FinalOpen),
        _ => None,
    }
}

fn may_become_tag(inner: &str, is_square: bool) -> bool {
    if is_square {
        return "THINK".starts_with(inner) || "/THINK".starts_with(inner);
    }
    let inner = inner.trim_start().to_ascii_lowercase();
    let name = inner.strip_prefix('/').unwrap_or(&inner).trim_start();
    let fits = |whole: &str| {
        whole.starts_with(name)
            || name.strip_prefix(whole).is_some_and(|more| more.starts_with([' ', '\t', '/']))
    };
    let prefixed = |name: &str| PREFIXES.iter().any(|prefix| fits(&format!("{prefix}{name}")));
    inner.len() < MAX_TAG && (NAMES.iter().any(|name| prefixed(name)) || fits("final"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thought and text once all is done.
    fn split(pieces: &[&str]) -> (String, String) {
        let (mut think, mut steps) = (Think::default(), Vec::new());
        pieces.iter().for_each(|piece| steps.extend(think.push(piece)));
        steps.extend(think.end(false));
        let (mut thought, mut said, mut last) = (String::new(), String::new(), String::new());
        for step in steps {
            match step {
                Step::Text(t) => said += &t,
                Step::Thought(t) => {
                    last = t.clone();
                    thought += &t;
                }
                Step::Unsay => {
                    last = std::mem::take(&mut said);
                    thought += &last;
                }
                Step::Resay(tag) => said += &(tag + &last),
            }
        }
        (thought, said)
    }

    #[test]
    fn b_f14_every_cut_gives_the_same_split() {
        let check = |whole: &str, thought: &str, said: &str| {
            let cuts: Vec<usize> = (0..=whole.len()).filter(|n| whole.is_char_boundary(*n)).collect();
            assert_eq!(split(&[whole]), (thought.to_string(), said.to_string()), "{whole}");
            // The text is what counts; reasoning that was given back is in both.
            for first in &cuts {
                for second in cuts.iter().filter(|n| *n >= first) {
                    let pieces = [&whole[..*first], &whole[*first..*second], &whole[*second..]];
                    assert!(
                        split(&pieces).1.ends_with(said) && said.is_empty() == split(&pieces).1.is_empty(),
                        "{pieces:?}"
                    );
                }
            }
        };
        check("\n<think>\nhm </b> ü</think>\n\nYes.", "hm </b> ü", "Yes.");
        check("<think></think>No", "", "No");
        check("<think>only", "only", "");
        check("<think>cut</thi", "cut</thi", "");
        check(" a <think>b</think>", "b", " a ");
        check("<thin ice", "", "<thin ice");
        check("<thi", "", "<thi");
        check("Okay, let me see.\n</think>\n\nHello.", "Okay, let me see.\n", "Hello.");
        check("<thinking>hm</thinking>Hello.", "hm", "Hello.");
        check("<thought>hm</thought>Hello.", "hm", "Hello.");
        check("<THINK>hm</Think >Hello.", "hm", "Hello.");
        check("[THINK]hm[/THINK]Hello.", "hm", "Hello.");
        check("<mm:think>hm</mm:think>Hello.", "hm", "Hello.");
        check("<thinking a=\"b\">hm</thinking>Hello.", "hm", "Hello.");
        check("<think>a</think><think>b</think>Hello.", "ab", "Hello.");
        check("Hello. <think>a</think> You.", "a", "Hello. You.");
        check("<think>a</think><final>Hello.</final>", "a", "Hello.");
        check("<final>\nHello.</final>\n", "", "Hello.");
        check("</think>\nHello.", "", "Hello.");
        check("<think/>Hello.", "", "Hello.");
        // What a tag in code, or one that is only mentioned, stands beside is text.
        check("Use `<think>` and `</think>`.", "", "Use `<think>` and `</think>`.");
        check("A:\n```xml\n<think>x</think>\n```\nB", "", "A:\n```xml\n<think>x</think>\n```\nB");
        check(
            "a < b, [x], <b>, <thinker>, the <final> word",
            "",
            "a < b, [x], <b>, <thinker>, the <final> word",
        );
        check("<think>say `</think>` then</think>Hello.", "say `</think>` then", "Hello.");
    }

    #[test]
    fn b_f14_what_leads_to_no_answer_is_given_back() {
        assert_eq!(split(&["The <think> tag opens."]).1, "The <think>tag opens.");
        assert_eq!(split(&["Hello.</think>"]).1, "Hello.");
        assert_eq!(split(&["Hello.", "</think>", "\n"]).1, "Hello.");
        let mut think = Think::default();
        think.push("Hello. <think>cut");
        assert_eq!(think.end(true), []);
    }
}
