//! Help texts, made from the command and flag rows: the program's, a group's, a command's.
use super::fold::{fold, hanging};
use super::parse::{below, exact};
use super::shapes;
use super::topics::{self, TOPICS};
use super::{ALIASES, Command, Flag, GLOBALS, GROUPS, TASKS, VERSION};
use std::fmt::Write;

/// The help on `topic`: a command, a group of commands, something of all of them, or nothing for the program. For a
/// terminal of that many columns.
pub fn text(topic: &str, width: usize) -> String {
    if let Some(command) = topic.strip_prefix(topics::JSON) {
        return shapes::text(command.trim_start(), width);
    }
    match (exact(topic), topics::find(topic)) {
        (Some(command), _) => of_command(command, width),
        (None, Some(topic)) if topic.text.is_empty() => of_all(width),
        (None, Some(topic)) => {
            topic.text.lines().flat_map(|line| hanging(line, width, 4)).collect::<Vec<_>>().join("\n") + "\n"
        }
        (None, None) if topic.is_empty() => of_program(width),
        (None, None) => of_group(topic, width),
    }
}

/// A word and what it says; `...` where more words follow it.
fn row(word: &str) -> (String, &'static str) {
    let is_more = below(word).any(|command| command.name != word);
    let of_group = || GROUPS.iter().find(|(name, _)| *name == word).map(|(_, summary)| *summary);
    let summary = exact(word).map(|command| command.summary).or_else(of_group);
    (format!("{word}{}", if is_more { " ..." } else { "" }), summary.unwrap_or_default())
}

/// One page of a terminal: what one begins with, the other words by task, and where more is told.
fn of_program(width: usize) -> String {
    let mut text = format!("OpenClaw {VERSION}\nUsage: openclaw [options] <command>\n");
    let mut tasks = TASKS.iter();
    if let Some((task, words)) = tasks.next() {
        let rows: Vec<_> = words.iter().map(|word| (word.to_string(), row(word).1)).collect();
        let _infallible = write!(text, "\n{task}:\n{}\n", columns_from(WORD, &rows, width));
    }
    let own = |words: &[&'static str]| {
        words.iter().filter(|word| !ALIASES.contains(word)).copied().collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<_> = tasks.map(|(task, words)| (task.to_string(), own(words))).collect();
    let options: Vec<String> = GLOBALS.iter().map(|flag| format!("--{} {}", flag.long, flag.value)).collect();
    let options = options.iter().map(|option| option.trim_end()).collect::<Vec<_>>().join(", ");
    let all: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
    let (commands, topics) = ("what it takes, with examples".to_string(), all.join(", "));
    let more = [("<command> -h".to_string(), commands), ("help <topic>".to_string(), topics)];
    text + &columns_from(WORD, &rows, width)
        + &columns_from(WORD, &[("Options".to_string(), options)], width)
        + "\n"
        + &columns_from(WORD, &more, width)
}

/// Every word with what it says.
fn of_all(width: usize) -> String {
    let mut text = String::new();
    for (task, words) in TASKS {
        let rows: Vec<_> = words.iter().map(|word| row(word)).collect();
        let _infallible = write!(text, "{task}:\n{}\n", columns_from(WORD, &rows, width));
    }
    let rows: Vec<_> = TOPICS.iter().map(|topic| (topic.name.to_string(), topic.summary)).collect();
    let _infallible = write!(text, "Topics of help:\n{}", columns_from(WORD, &rows, width));
    let _infallible = write!(text, "\nOptions:\n{}", columns(&flag_rows(GLOBALS.iter()), width));
    text + "\n" + &paragraph(END, width)
}

const END: &str = "`gateway ...` begins more commands: `openclaw gateway --help` lists them.";

fn of_group(group: &str, width: usize) -> String {
    let summary = GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, summary)| summary);
    let rows: Vec<(String, &str)> = below(group).map(|c| (c.name.to_string(), c.summary)).collect();
    let first: Vec<_> = below(group).filter_map(|c| c.examples.first().copied()).collect();
    let head = paragraph(&format!("Usage: openclaw {group} <command>\n\n{summary}"), width);
    format!("{head}\nCommands:\n{}", columns(&rows, width)) + &examples(&first, width)
}

fn of_command(command: &Command, width: usize) -> String {
    let mut text = paragraph(&format!("Usage: {}\n\n{}.", usage(command), command.summary), width);
    if !command.about.is_empty() {
        let _infallible = write!(text, "\n{}", paragraph(&flowing(command.about), width));
    }
    let shown = command.all_flags().chain(GLOBALS).filter(|flag| !flag.is_quiet);
    let _infallible = write!(text, "\nOptions:\n{}", columns(&flag_rows(shown), width));
    let inner: Vec<(String, &str)> = below(command.name)
        .filter(|c| c.name != command.name)
        .map(|c| (c.name.to_string(), c.summary))
        .collect();
    if !inner.is_empty() {
        let _infallible = write!(text, "\nCommands:\n{}", columns(&inner, width));
    }
    text + &examples(command.examples, width)
}

/// The text with a line for each that ends with a sentence; one that ends within it goes on.
fn flowing(text: &str) -> String {
    let mut flow = String::new();
    for line in text.trim().lines() {
        match flow.chars().last() {
            None => {}
            Some('.' | ':' | '\n') => flow.push('\n'),
            Some(_) if line.is_empty() => flow.push('\n'),
            Some(_) => flow.push(' '),
        }
        flow += line;
    }
    flow
}

/// `openclaw gateway call [options] <method>`
pub fn usage(command: &Command) -> String {
    let mut usage = format!("openclaw {} [options]", command.name);
    for positional in command.positionals {
        let (open, close) = if positional.required { ('<', '>') } else { ('[', ']') };
        let _infallible = write!(usage, " {open}{}{close}", positional.name);
    }
    usage
}

fn examples(examples: &[(&str, &str)], width: usize) -> String {
    let each = examples.iter().flat_map(|(line, what)| {
        [hanging(&format!("  {line}"), width, 4), hanging(&format!("      {what}"), width, 6)]
    });
    format!("\nExamples:\n{}\n", each.flatten().collect::<Vec<_>>().join("\n"))
}

fn paragraph(text: &str, width: usize) -> String {
    fold(text, width).join("\n") + "\n"
}

fn flag_rows<'a>(flags: impl Iterator<Item = &'a Flag>) -> Vec<(String, String)> {
    let name = |flag: &Flag| {
        let short = flag.short.map_or("    ".to_string(), |short| format!("-{short}, "));
        let value = if flag.value.is_empty() { String::new() } else { format!(" {}", flag.value) };
        format!("{short}--{}{value}", flag.long)
    };
    flags.map(|flag| (name(flag), doc(flag))).collect()
}

/// What a flag does, and its values where the sentence does not name them.
pub fn doc(flag: &Flag) -> String {
    if flag.choices.iter().all(|choice| flag.doc.contains(choice)) {
        return flag.doc.to_string();
    }
    format!("{}: {}", flag.doc, flag.choices.join(", "))
}

/// Names and what they are in two columns; a name that is too long for its column has a line of its own.
fn columns(rows: &[(String, impl AsRef<str>)], width: usize) -> String {
    // A longer name would leave no room for what it does.
    let longest = width * 3 / 8;
    let lengths = rows.iter().map(|(name, _)| name.chars().count());
    columns_from(lengths.filter(|length| *length <= longest).max().unwrap_or(WORD), rows, width)
}

fn columns_from(left: usize, rows: &[(String, impl AsRef<str>)], width: usize) -> String {
    let mut text = String::new();
    for (name, doc) in rows {
        let mut lines = fold(doc.as_ref(), width.saturating_sub(left + 4));
        if name.chars().count() > left {
            text += &(hanging(&format!("  {name}"), width, 8).join("\n") + "\n");
        } else if let Some(first) = lines.first() {
            let _infallible = writeln!(text, "  {name:left$}  {first}");
            lines.remove(0);
        }
        lines.iter().for_each(|line| text += &format!("  {:left$}  {line}\n", ""));
    }
    text
}

/// Columns for the words of the program's own page.
const WORD: usize = 13;

#[cfg(test)]
mod tests {
    use super::super::COMMANDS;
    use super::super::parse::{Request, parse};
    use super::super::print::NARROW;
    use super::*;

    fn check_sentence(text: &str, of: &str) {
        assert!(text.is_ascii(), "{of}: {text}");
        assert!(text.starts_with(|c: char| c.is_ascii_uppercase()), "{of}: starts with a capital: {text}");
        assert!(!text.ends_with('.'), "{of}: no full stop: {text}");
    }

    #[test]
    fn rows_follow_the_rules() {
        let names: Vec<&str> = COMMANDS.iter().map(|c| c.name).collect();
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(names, sorted, "commands are sorted and unique");
        for command in COMMANDS {
            check_sentence(command.summary, command.name);
            assert!((1..=4).contains(&command.examples.len()), "{}: one to four examples", command.name);
            let mut longs: Vec<&str> = command.all_flags().chain(GLOBALS).map(|f| f.long).collect();
            let mut shorts: Vec<char> = command.all_flags().chain(GLOBALS).filter_map(|f| f.short).collect();
            for flag in command.all_flags() {
                check_sentence(flag.doc, &format!("{} --{}", command.name, flag.long));
                let named = flag.value.starts_with('<') && flag.value.ends_with('>');
                assert!(
                    flag.value.is_empty() || named,
                    "{}: a value is named <so>: {}",
                    flag.long,
                    flag.value
                );
                assert!(flag.choices.is_empty() || !flag.value.is_empty());
            }
            let (all, all_short) = (longs.len(), shorts.len());
            longs.sort();
            longs.dedup();
            shorts.sort();
            shorts.dedup();
            assert_eq!((longs.len(), shorts.len()), (all, all_short), "{}: options are unique", command.name);
            let group = command.name.split(' ').next().unwrap();
            assert!(exact(group).is_some() || GROUPS.iter().any(|(name, _)| *name == group), "{group}");
        }
    }

    /// An option stands for a value or for none in every command, so that it can be read before the
    /// command is known.
    #[test]
    fn an_option_has_one_shape() {
        let all = || COMMANDS.iter().flat_map(Command::all_flags).chain(GLOBALS);
        for flag in all() {
            for other in all().filter(|other| other.long == flag.long) {
                assert_eq!(flag.value.is_empty(), other.value.is_empty(), "--{}", flag.long);
            }
        }
    }

    #[test]
    fn examples_parse_and_run_their_command() {
        for command in COMMANDS {
            for (line, what) in command.examples {
                check_sentence(what, command.name);
                let line = line.split(['|', '>']).next().unwrap();
                let words = line.strip_prefix("openclaw ").unwrap_or_else(|| panic!("{line}"));
                let Ok(Request::Run { command: ran, .. }) = parse(split(words)) else { panic!("{line}") };
                assert_eq!(ran.name, command.name, "{line}");
            }
        }
    }

    /// Splits at blanks outside of quotes.
    fn split(line: &str) -> Vec<std::ffi::OsString> {
        let (mut words, mut quote) = (vec![String::new()], None);
        for c in line.trim().chars() {
            match (c, quote) {
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(q)) if c == q => quote = None,
                (' ', None) => words.push(String::new()),
                (c, _) => words.last_mut().unwrap().push(c),
            }
        }
        words.into_iter().map(Into::into).collect()
    }

    #[test]
    fn n_34_every_page_of_help_fits_the_terminal() {
        for width in [40, 60, 80] {
            let groups = GROUPS.iter().map(|(name, _)| *name);
            let topics = COMMANDS
                .iter()
                .map(|command| command.name)
                .chain(groups)
                .chain([""])
                .chain(TOPICS.iter().map(|topic| topic.name));
            let pages = topics.map(|topic| text(topic, width)).collect::<String>();
            let wide: Vec<&str> = pages.lines().filter(|line| line.chars().count() > width).collect();
            assert!(wide.is_empty(), "{width}: {wide:#?}");
        }
        let narrow = text("gateway call", 40);
        assert!(
            narrow.contains("\n  --params <json>\n") || narrow.contains("\n      --params <json>\n"),
            "{narrow}"
        );
        assert!(text("", 40).contains("\n  status         Show"), "{}", text("", 40));
    }

    #[test]
    fn n_37_the_first_page_is_short_and_names_every_word_once() {
        let (first, page) = (text("", NARROW), text("all", NARROW));
        assert!(first.lines().count() <= 24, "{first}");
        let (words, mut all): (Vec<&str>, Vec<&str>) = (
            TASKS.iter().flat_map(|(_, words)| words.iter().copied()).collect(),
            COMMANDS
                .iter()
                .filter_map(|command| command.name.split(' ').next())
                .filter(|w| !w.starts_with('_'))
                .collect(),
        );
        all.dedup();
        for word in &all {
            assert_eq!(words.iter().filter(|other| other == &word).count(), 1, "{word}");
            let is_shown = first.split_whitespace().any(|shown| shown == *word);
            assert_eq!(is_shown, !ALIASES.contains(word), "{word}: {first}");
        }
        assert!(TOPICS.iter().all(|topic| first.contains(topic.name)), "{first}");
        assert_eq!(words.len(), all.len());
        assert!(page.contains("  models ...") && page.contains("  logs  "), "{page}");
    }

    #[test]
    fn n_34_a_paragraph_flows_whatever_the_source_s_lines() {
        assert_eq!(
            flowing("One\ntwo. Three\nfour.\nFive:\nsix\n\nseven"),
            "One two. Three four.\nFive:\nsix\n\nseven"
        );
        assert!(
            text("gateway install", NARROW).contains("enables and starts it."),
            "{}",
            text("gateway install", NARROW)
        );
    }

    #[test]
    fn n_36_help_names_the_values_of_options() {
        for command in COMMANDS {
            let help = text(command.name, NARROW).split_whitespace().collect::<Vec<_>>().join(" ");
            for flag in command.all_flags().filter(|flag| !flag.is_quiet) {
                for choice in flag.choices {
                    assert!(help.contains(choice), "{} --{} {choice}", command.name, flag.long);
                }
            }
        }
        let compatibility = include_str!("../../COMPATIBILITY.md");
        for command in COMMANDS {
            for flag in command.all_flags().filter(|flag| flag.is_quiet) {
                let long = format!("--{}", flag.long);
                assert!(compatibility.contains(&format!("`{long}`")), "{long} is in COMPATIBILITY.md");
                assert!(!text(command.name, NARROW).contains(&format!("{long} ")), "{} {long}", command.name);
            }
        }
        let doctor = text("doctor", NARROW);
        for check in crate::doctor::CHECKS {
            let family = check.id.split('.').next().unwrap();
            assert!(doctor.contains(family), "{family}: {doctor}");
        }
    }

    #[test]
    fn help_shows_usage_options_and_examples() {
        let help = text("gateway call", NARROW);
        for part in [
            "Usage: openclaw gateway call [options] [method]\n",
            "--params <json>",
            "-h, --help",
            "Examples:\n",
        ] {
            assert!(help.contains(part), "{part}: {help}");
        }
        assert!(text("devices", NARROW).contains("devices rotate"));
    }
}
