//! Settings inside other text: `please /think high and look`. They are taken out and hold for that message only;
//! alone in a message they are commands, which change the session. Pure.
//!
//! A directive is taken only when a valid value follows its name, after white space or at the start of the text, and
//! not in code. Text without directives comes back as it was, byte for byte.
use super::{Command, exec, levels, names, queue, table};
use crate::approvals::mode::{self, Mode};
use crate::config::Config;
use crate::fences::Code;
use crate::models::provider::Thinking;
use crate::parts::Parts;
use std::ops::Range;

/// What a message asks for itself. The last of several wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directives {
    pub thinking: Option<Thinking>,
    /// `off`, `on` or `full`.
    pub verbose: Option<&'static str>,
    /// `off`, `on` or `stream`.
    pub reasoning: Option<&'static str>,
    /// `provider/model`, usable by the configuration.
    pub model: Option<String>,
    pub queue: Option<queue::Change>,
    /// How commands run for it, which is the owner's to say.
    pub exec: Option<Mode>,
    /// How far they are raised where neither this nor the session says so.
    pub raised: Option<&'static str>,
}

/// A directive at its place in the text.
pub(super) struct Found {
    pub command: &'static Command,
    /// From the slash to the end of the value.
    span: Range<usize>,
    /// The value.
    pub args: Range<usize>,
    value: Value,
}

enum Value {
    Thinking(Thinking),
    Verbose(&'static str),
    Reasoning(&'static str),
    Model(String),
    Queue(queue::Change),
    Exec(Mode),
}

pub(super) fn is_at_start(found: &Found) -> bool {
    found.span.start == 0
}

/// The directives of a message and the message without them.
pub fn directives(config: &Config, text: &str) -> (Directives, String) {
    let (found, rest) = found(config, text);
    let mut all = Directives::default();
    for directive in found {
        match directive.value {
            Value::Thinking(level) => all.thinking = Some(level),
            Value::Verbose(level) => all.verbose = Some(level),
            Value::Reasoning(level) => all.reasoning = Some(level),
            Value::Model(model) => all.model = Some(model),
            Value::Queue(change) => all.queue = Some(change),
            Value::Exec(mode) => all.exec = Some(mode.or(all.exec.unwrap_or_default())),
        }
    }
    (all, rest)
}

/// The same with their places.
pub(super) fn found(config: &Config, text: &str) -> (Vec<Found>, String) {
    let mut all: Vec<Found> = Vec::new();
    let (mut code, mut start) = (Code::default(), 0);
    for line in text.split_inclusive('\n') {
        if !code.sees(line.trim()) {
            find_in_line(config, text, start..start + line.len(), &mut all);
        }
        start += line.len();
    }
    let rest = without(text, &all);
    (all, rest)
}

fn find_in_line(config: &Config, text: &str, line: Range<usize>, all: &mut Vec<Found>) {
    let mut at = line.start;
    let mut before = '\n';
    // Where the next code span on this line ends, if one is open.
    let mut code_until = line.start;
    while let Some(c) = text.get(at..line.end).and_then(|rest| rest.chars().next()) {
        if c == '`' && at >= code_until {
            let closing = text.get(at + 1..line.end).and_then(|rest| rest.find('`'));
            code_until = closing.map_or(code_until, |end| at + 1 + end + 1);
        }
        if c == '/'
            && at >= code_until
            && before.is_whitespace()
            && let Some(directive) = read(config, text, at..line.end)
        {
            at = directive.span.end;
            before = 'x';
            all.push(directive);
            continue;
        }
        before = c;
        at += c.len_utf8();
    }
}

/// The directive that begins with the slash at `range.start`.
fn read(config: &Config, text: &str, range: Range<usize>) -> Option<Found> {
    let rest = text.get(range.clone())?;
    let name_len = rest.get(1..)?.find(|c: char| !c.is_ascii_alphabetic())?;
    let command = table::find(rest.get(1..1 + name_len)?).filter(|command| command.is_directive)?;
    let after = rest.get(1 + name_len..)?;
    if !after.starts_with(|c: char| c.is_whitespace() || c == ':') {
        return None;
    }
    let spaces = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let mut skip = spaces(after);
    if let Some(value) = after.get(skip..)?.strip_prefix(':') {
        skip += 1 + spaces(value);
    }
    let args = after.get(skip..)?;
    let (value, len) = read_value(config, command, args)?;
    let begin = range.start + 1 + name_len + skip;
    Some(Found { command, span: range.start..begin + len, args: begin..begin + len, value })
}

/// The value at the start of `args`, and its length.
fn read_value(config: &Config, command: &Command, args: &str) -> Option<(Value, usize)> {
    if command.name == "queue" {
        let (change, len) = queue::take(args.lines().next()?);
        return (len > 0).then_some((Value::Queue(change), len));
    }
    if command.name == "exec" {
        let (mode, len) = exec::take(args.lines().next()?);
        return (len > 0).then_some((Value::Exec(mode), len));
    }
    let word = args.split(char::is_whitespace).next()?;
    // A sentence may go on after the value: `/think high, then look`.
    let word = word.trim_end_matches([',', '.', ';', ':', '!', '?', ')']);
    let value = match command.name {
        "elevated" => Value::Exec(Mode::raised(mode::elevated(word)?)),
        "model" => Value::Model(names::named(config, word)?),
        "reasoning" => Value::Reasoning(levels::reasoning_word(word)?),
        "verbose" => Value::Verbose(levels::verbose_word(word)?),
        _ => Value::Thinking(levels::thinking_word(word)?),
    };
    Some((value, word.len()))
}

/// The text without the directives, each with the blanks before it, or those after it where it begins a line.
fn without(text: &str, all: &[Found]) -> String {
    if all.is_empty() {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for directive in all {
        out.push_str(text.part(from..directive.span.start));
        from = directive.span.end;
        out.truncate(out.trim_end_matches([' ', '\t']).len());
        if out.is_empty() || out.ends_with('\n') {
            let after = text.tail(from);
            from += after.len() - after.trim_start_matches([' ', '\t']).len();
            // Nothing else on its line: the line goes too.
            let after = text.tail(from);
            let end = if after.starts_with("\r\n") { 2 } else { usize::from(after.starts_with('\n')) };
            from += end;
        }
    }
    out.push_str(text.tail(from));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn config() -> Config {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{models: {providers: {test: {baseUrl: 'http://127.0.0.1:1/v1', models: [{id: 'm.1-x'}]}}},
            agents: {defaults: {models: {'test/m.1-x': {alias: 'tiny'}}}}}",
        );
        Config::load(&mut dir.env(&[])).unwrap()
    }

    #[test]
    fn directives_are_taken_out_of_other_text() {
        let config = config();
        let check = |text: &str, want: Directives, rest: &str| {
            assert_eq!(directives(&config, text), (want, rest.to_string()), "{text:?}");
        };
        let think = |level| Directives { thinking: Some(level), ..Directives::default() };
        check("/think high do x", think(Thinking::High), "do x");
        check("do x /t:low", think(Thinking::Low), "do x");
        check("do /thinking  max, then y", think(Thinking::High), "do, then y");
        check("a\n/think off\n  b", think(Thinking::Off), "a\n  b");
        check("a\r\n/think off\r\nb", think(Thinking::Off), "a\r\nb");
        check("/think low /think high x", think(Thinking::High), "x");
        check("grüße /T medium 🦞 ende", think(Thinking::Medium), "grüße 🦞 ende");
        check("/v on hi", Directives { verbose: Some("on"), ..Directives::default() }, "hi");
        check("hi /reason stream", Directives { reasoning: Some("stream"), ..Directives::default() }, "hi");
        let model = Directives { model: Some("test/m.1-x".into()), ..Directives::default() };
        check("with /model test/m.1-x.", model.clone(), "with.");
        check("/model Tiny say hi", model, "say hi");
        let queue = queue::take("interrupt cap:3").0;
        let want = Directives { queue: Some(queue), ..Directives::default() };
        check("now /queue interrupt cap:3 stop that", want, "now stop that");
        let mut mode = Mode::default();
        assert!(mode.takes("security=full") && mode.takes("ask=off"));
        let exec = Directives { exec: Some(mode), ..Directives::default() };
        check("/exec security=full ask=off look", exec, "look");
        let both =
            Directives { thinking: Some(Thinking::High), verbose: Some("full"), ..Directives::default() };
        check("`/think low` /think high /verbose full go", both, "`/think low` go");
    }

    #[test]
    fn what_is_no_directive_stays_byte_for_byte() {
        let config = config();
        for text in [
            "",
            " ",
            "/",
            "/think",
            "/think ",
            "/think\nhigh",
            "think high",
            "x/think high",
            "/tmp/think high",
            "/think/high",
            "see /think big",
            "/thinks high",
            "`/think high`",
            "use ` /think high ` here",
            "```\n/think high\n```",
            "~~~\nx /v on",
            "```sh\n/t off\n",
            "```\n``` x\n/t off\n",
            "/model x",
            "/model a/b c",
            "/queue",
            "/queue for bread",
            "/verbose mode is nice",
            "/elevated maybe now",
            "/exec now",
            "/exec security=some now",
            "/exec rm -r x",
            "http://a/think high",
            "\t two  spaces \r\n kept ",
            "/think high/low",
            "/model test/other/../m",
            "/t highéé",
        ] {
            let (found, rest) = directives(&config, text);
            assert_eq!((found, rest.as_str()), (Directives::default(), text), "{text:?}");
        }
    }

    /// Any text made of these pieces either has a directive taken out, or is unchanged; and what is left has none.
    #[test]
    fn random_text_is_unchanged_or_loses_directives_only() {
        let config = config();
        let pieces = [
            "/think",
            "/t",
            "/v",
            " ",
            "  ",
            "\n",
            "\r\n",
            "\t",
            "high",
            "on",
            ":",
            "`",
            "```",
            "~~~",
            "/",
            "é",
            "🦞",
            "/queue",
            "collect",
            "cap:",
            "/model",
            "tiny",
            "test/m.1-x",
            ".",
            ",",
            "/tmp/",
            "word",
            "\u{a0}",
        ];
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |n: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 33) as usize % n
        };
        for _ in 0..20_000 {
            let text: String = (0..next(14)).map(|_| pieces[next(pieces.len())]).collect();
            let (found, rest) = directives(&config, &text);
            match found == Directives::default() {
                true => assert_eq!(rest, text),
                false => {
                    assert!(rest.len() < text.len(), "{text:?}");
                    let solid = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).count();
                    assert!(solid(&rest) < solid(&text), "{text:?} {rest:?}");
                }
            }
        }
    }
}
