//! Block streaming: an answer that is sent in several messages while it is written (`blockStreaming`). Where it is cut: at
//! paragraphs first, never within fenced code unless one block cannot hold it; then the fence is closed and opened again.
//!
//! Pure; the run that says the words keeps one [`Blocks`] a place, on the state thread.
use super::accounts::Account;
use super::graphemes;
use super::said::may_be_silent;
use crate::fences::Fence;
use crate::parts::Parts;
use serde_json::Value;

/// How long a block may be when nothing is configured, characters.
const SHORTEST: u64 = 800;
const LONGEST: u64 = 1200;
const IDLE_MS: u64 = 1000;

/// What the configuration says of the blocks of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `blockStreamingChunk`, characters.
    min: usize,
    max: usize,
    /// `blockStreamingCoalesce`: blocks that come quickly are one message as far as they fit, and what is shorter waits.
    join_min: usize,
    join_max: usize,
    idle_ms: u64,
    prefers: Break,
    /// `blockStreamingBreak: "message_end"`: nothing goes out before the message is whole.
    waits: bool,
}

/// Where a text is cut, the best place last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Break {
    Anywhere,
    LineOfCode,
    Word,
    Sentence,
    Line,
    Paragraph,
}

impl Rules {
    /// `None` where answers are sent whole. The channel's switch goes before the agents' default.
    pub fn of(account: &Account) -> Option<Rules> {
        let usual = |key: &str| account.config.get(&format!("agents.defaults.{key}"));
        let is_on = match account.get("blockStreaming").and_then(Value::as_bool) {
            Some(is_on) => is_on,
            None => usual("blockStreamingDefault").and_then(Value::as_str) == Some("on"),
        };
        if !is_on {
            return None;
        }
        let chunk = |key: &str| usual(&format!("blockStreamingChunk.{key}"));
        let join = |key: &str| {
            let own = account.part("blockStreamingCoalesce", key);
            own.or_else(|| usual(&format!("blockStreamingCoalesce.{key}"))).and_then(Value::as_u64)
        };
        let most = account.get("textChunkLimit").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let number = |key: &str| chunk(key).and_then(Value::as_u64);
        let max = number("maxChars").unwrap_or(LONGEST).min(most).max(1);
        let min = number("minChars").unwrap_or(SHORTEST).clamp(1, max);
        let join_max = join("maxChars").unwrap_or(max).min(most).max(1);
        Some(Rules {
            min: min as usize,
            max: max as usize,
            join_min: join("minChars").unwrap_or(1).min(join_max) as usize,
            join_max: join_max as usize,
            idle_ms: join("idleMs").unwrap_or(IDLE_MS),
            prefers: match chunk("breakPreference").and_then(Value::as_str) {
                Some("newline") => Break::Line,
                Some("sentence") => Break::Sentence,
                _ => Break::Paragraph,
            },
            waits: usual("blockStreamingBreak").and_then(Value::as_str) == Some("message_end"),
        })
    }
}

/// How far a message has been said. Places are bytes of its text so far.
#[derive(Debug)]
pub struct Blocks {
    rules: Rules,
    sent: At,
    /// Cut, and waiting for what it may be joined with.
    ready: At,
    /// Since when, on the monotonic clock.
    since: u64,
    /// Too short to go alone: it waits for more, not for a time.
    is_short: bool,
}

/// A place in the text, and the fence that is open there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct At {
    byte: usize,
    fence: Option<String>,
}

impl Blocks {
    pub fn new(rules: Rules) -> Blocks {
        Blocks { rules, sent: At::default(), ready: At::default(), since: 0, is_short: false }
    }

    /// The next message begins.
    pub fn restart(&mut self) {
        (self.sent, self.ready) = (At::default(), At::default());
    }

    /// When what waits is to be said though nothing more has come, on the monotonic clock.
    pub fn due(&self) -> Option<u64> {
        (self.ready.byte > self.sent.byte && !self.is_short).then_some(self.since + self.rules.idle_ms)
    }

    /// What is to be said now of a message that is still being written.
    pub fn more(&mut self, text: &str, mono: u64) -> Vec<String> {
        let mut said = Vec::new();
        if self.rules.waits || may_be_silent(text.trim()) {
            return said;
        }
        while let Some(next) = self.cut(text) {
            if self.length(text, next.byte) > self.rules.join_max {
                said.extend(self.say(text));
            }
            (self.ready, self.since, self.is_short) = (next, mono, false);
            if self.length(text, self.ready.byte) >= self.rules.join_max {
                said.extend(self.say(text));
            }
        }
        if self.due().is_some_and(|at| mono >= at) {
            match self.length(text, self.ready.byte) >= self.rules.join_min {
                true => said.extend(self.say(text)),
                false => self.is_short = true,
            }
        }
        said
    }

    /// All that is left of a message that is whole; the next one begins.
    pub fn rest(&mut self, text: &str) -> Vec<String> {
        let mut said = Vec::new();
        if self.length(text, text.len()) > self.rules.join_max {
            said.extend(self.say(text));
        } else {
            self.ready = self.sent.clone();
        }
        while self.length(text, text.len()) > self.rules.max.max(self.rules.join_max) {
            let Some(next) = self.cut(text) else { break };
            self.ready = next;
            said.extend(self.say(text));
        }
        let fence = fences(self.sent.fence.clone(), text.tail(self.sent.byte));
        self.ready = At { byte: text.len(), fence };
        said.extend(self.say(text));
        self.restart();
        said
    }

    /// Characters from what was said to there.
    fn length(&self, text: &str, to: usize) -> usize {
        text.part(self.sent.byte..to).chars().count()
    }

    /// What is ready, as a message of its own; `None` where it has no words.
    fn say(&mut self, text: &str) -> Option<String> {
        let from = std::mem::replace(&mut self.sent, self.ready.clone());
        let part = text.part(from.byte..self.sent.byte).trim_end().trim_start_matches('\n');
        if part.is_empty() {
            return None;
        }
        let open = from.fence.map(|fence| fence + "\n").unwrap_or_default();
        let close = self.sent.fence.as_deref().and_then(Fence::read);
        let close = close.map(|fence| format!("\n{}", fence.end())).unwrap_or_default();
        Some(open + part + &close)
    }

    /// The end of the next block behind what is ready: where it is best once it is full, before that where it is preferred.
    fn cut(&self, text: &str) -> Option<At> {
        let Rules { min, max, prefers, .. } = self.rules;
        let rest = Some(text.tail(self.ready.byte)).filter(|rest| rest.len() >= min)?;
        let (mut fence, mut line) = (self.ready.fence.clone(), 0);
        let mut best: Option<(Break, usize)> = None;
        for (n, (at, c)) in rest.char_indices().enumerate() {
            let (before, after) = rest.split_at_checked(at + c.len_utf8())?;
            if c == '\n' {
                fence = fences(fence, before.tail(line));
                line = before.len();
            }
            if n + 1 < min {
                continue;
            }
            let (present, is_code) = (before.tail(line), fence.is_some());
            let kind = kind(before, present, is_code);
            let is_whole = is_code || !is_file(present);
            let is_place = is_whole && (kind > Break::Anywhere || graphemes::is_boundary(before, after));
            if is_place && best.is_none_or(|(known, _)| kind >= known) {
                best = Some((kind, before.len()));
            }
            let Some((_, end)) = best.filter(|(kind, _)| n + 1 >= max || *kind >= prefers) else { continue };
            let fence = fences(self.ready.fence.clone(), rest.head(end));
            return Some(At { byte: self.ready.byte + end, fence });
        }
        None
    }
}

/// How good a place is to cut behind `before`, whose last line is `line`.
fn kind(before: &str, line: &str, is_code: bool) -> Break {
    let Some(last) = before.chars().next_back() else { return Break::Anywhere };
    let is_whole_line = last == '\n';
    match () {
        () if is_code => {
            if is_whole_line {
                Break::LineOfCode
            } else {
                Break::Anywhere
            }
        }
        () if is_whole_line => {
            let former = before.strip_suffix('\n').unwrap_or_default().trim_end_matches([' ', '\t']);
            if former.ends_with('\n') { Break::Paragraph } else { Break::Line }
        }
        () if Fence::read(line.trim()).is_some() => Break::Anywhere,
        () if last.is_whitespace() && before.trim_end().ends_with(['.', '!', '?', '…']) => Break::Sentence,
        () if last.is_whitespace() => Break::Word,
        () if matches!(last, '。' | '！' | '？') => Break::Sentence,
        () => Break::Anywhere,
    }
}

/// A line that names a file stays whole.
fn is_file(line: &str) -> bool {
    let start = line.trim_start();
    start.starts_with("MEDIA:") || (!start.is_empty() && "MEDIA:".starts_with(start))
}

/// The fence that is open behind a piece of text: the line that opened it.
fn fences(mut open: Option<String>, text: &str) -> Option<String> {
    for line in text.split('\n').map(str::trim) {
        match open.as_deref().and_then(Fence::read) {
            Some(fence) if fence.is_closed_by(line) => open = None,
            Some(_) => {}
            None => open = Fence::read(line).map(|_| line.to_string()),
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn blocks(text: &str) -> Blocks {
        let dir = Dir::new();
        let config =
            dir.config(&format!("{{agents: {{defaults: {{blockStreamingDefault: 'on', {text}}}}}}}"));
        Blocks::new(Rules::of(&Account::of(&config, "telegram", "default")).unwrap())
    }

    /// What is said of a text that comes in pieces of three characters, a millisecond each.
    fn said(blocks: &mut Blocks, text: &str) -> Vec<String> {
        let (mut so_far, mut said) = (String::new(), Vec::new());
        for (n, c) in text.chars().enumerate() {
            so_far.push(c);
            if n % 3 == 2 {
                said.extend(blocks.more(&so_far, n as u64));
            }
        }
        said.extend(blocks.rest(&so_far));
        said
    }

    #[test]
    fn i11_1_who_streams_blocks_says_the_channel_then_the_default() {
        let dir = Dir::new();
        for (default, own, want) in [
            ("off", "", false),
            ("on", "", true),
            ("on", "blockStreaming: false", false),
            ("off", "blockStreaming: true", true),
        ] {
            let config = dir.config(&format!(
                "{{agents: {{defaults: {{blockStreamingDefault: '{default}'}}}}, channels: {{telegram: {{{own}}}}}}}"
            ));
            assert_eq!(
                Rules::of(&Account::of(&config, "telegram", "default")).is_some(),
                want,
                "{default} {own}"
            );
        }
    }

    #[test]
    fn i11_1_code_within_a_line_opens_no_fence() {
        let small = "blockStreamingChunk: {minChars: 10, maxChars: 80}, \
            blockStreamingCoalesce: {idleMs: 0, minChars: 10, maxChars: 60}";
        let text = "```ls -la``` lists files in long form.\n\nA second paragraph stands here.\n\nA third one ends it all.";
        let said = said(&mut blocks(small), text);
        assert_eq!(said.concat().matches("ls -la").count(), 1, "{said:?}");
    }

    #[test]
    fn i11_1_what_is_too_short_waits_for_words_and_for_no_time() {
        let mut blocks =
            blocks("blockStreamingCoalesce: {idleMs: 0, minChars: 50}, blockStreamingChunk: {minChars: 10}");
        let text = "A first paragraph here.\n\nAnd";
        assert!(blocks.more(text, 5).is_empty());
        assert_eq!(blocks.due(), None);
        assert!(blocks.rest(text).concat().contains("And"));
    }

    #[test]
    fn i11_1_blocks_end_at_the_best_place() {
        let small = "blockStreamingChunk: {minChars: 10, maxChars: 30}, blockStreamingCoalesce: {idleMs: 0}";
        let check = |text: &str, want: &[&str]| assert_eq!(said(&mut blocks(small), text), want, "{text:?}");
        check("short", &["short"]);
        check(
            "one two three\n\nfour\nfive six seven eight",
            &["one two three", "four\nfive six seven eight"],
        );
        check("one two. three four five six\nseven eight", &["one two. three four five six", "seven eight"]);
        check("one two three. four five six seven eight", &["one two three.", "four five six seven eight"]);
        check("one two three four five six seven eight", &["one two three four five six", "seven eight"]);
        check(&"x".repeat(65), &[&"x".repeat(30), &"x".repeat(30), "xxxxx"]);
        check("NO_REPLY", &["NO_REPLY"]);
        check(
            "a line\nMEDIA: /a b c d e f g h i j.png\nend",
            &["a line\nMEDIA: /a b c d e f g h i j.png", "end"],
        );
    }

    #[test]
    fn i11_1_fences_are_closed_and_opened_again() {
        let small = "blockStreamingChunk: {minChars: 10, maxChars: 40}, blockStreamingCoalesce: {idleMs: 0}";
        let text =
            "see here:\n\n~~~rust x\nlet a = 1;\nlet b = 2;\nlet c = 3;\nlet d = 4;\n~~~\nand so on it goes";
        assert_eq!(
            said(&mut blocks(small), text),
            [
                "see here:",
                "~~~rust x\nlet a = 1;\nlet b = 2;\n~~~",
                "~~~rust x\nlet c = 3;\nlet d = 4;\n~~~",
                "and so on it goes"
            ]
        );
    }

    #[test]
    fn i11_1_blocks_that_come_quickly_are_one_message_and_silence_sends_what_waits() {
        let rules = "blockStreamingChunk: {minChars: 4, maxChars: 10}, blockStreamingCoalesce: {minChars: 9, maxChars: 20, idleMs: 500}";
        let mut all = blocks(rules);
        assert!(all.more("aaaa\n\n", 0).is_empty());
        assert_eq!(all.due(), Some(500));
        // Too short to go alone: it waits for words, not for a time.
        assert!(all.more("aaaa\n\n", 500).is_empty() && all.due().is_none());
        assert!(all.more("aaaa\n\nbbbb\n\n", 900).is_empty());
        assert_eq!(all.more("aaaa\n\nbbbb\n\n", 1400), ["aaaa\n\nbbbb"]);
        assert!(all.sent.byte > 0 && all.due().is_none());
        assert_eq!(all.rest("aaaa\n\nbbbb\n\ncccc"), ["cccc"]);
        assert!(all.sent.byte == 0);
        assert_eq!(
            said(&mut blocks(rules), "aaaa\n\nbbbb\n\ncccc\n\ndddd"),
            ["aaaa\n\nbbbb\n\ncccc", "dddd"]
        );
        let waits = format!("blockStreamingBreak: 'message_end', {rules}");
        let mut all = blocks(&waits);
        assert!(all.more(&"a b ".repeat(50), 0).is_empty());
        assert!(all.rest(&"a b ".repeat(50)).len() > 9);
    }

    #[test]
    fn i11_1_nothing_is_lost_or_said_twice() {
        let parts = ["word ", "```\n", "x", ". ", "\n", "\n\n", "~~~ a\n", "é", "👨‍👩‍👧", "longerword"];
        let mut seed = 11_u64;
        let mut pick = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % most
        };
        for _ in 0..2000 {
            let text: String = (0..pick(80)).map(|_| parts[pick(parts.len())]).collect();
            let rules = "blockStreamingChunk: {minChars: 8, maxChars: 25}, blockStreamingCoalesce: {maxChars: 30, idleMs: 5}";
            let all = said(&mut blocks(rules), &text);
            let words = |text: &str| text.replace(['\n', ' ', '`', '~'], "").replace('a', "");
            assert_eq!(words(&all.concat()), words(&text), "{all:?}");
        }
    }
}
