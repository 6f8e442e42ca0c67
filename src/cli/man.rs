//! `openclaw __man`: the manual page, made from the rows of the commands and the topics of help. `make install` puts it in
//! its place; no help names it. Pure but for printing.
use super::complete::shown;
use super::fold::hanging;
use super::help::{doc, usage};
use super::parse::Args;
use super::topics::TOPICS;
use super::{Command, Context, Flag, GLOBALS, TASKS, VERSION};
use crate::error::Result;
use std::fmt::Write;

pub const COMMAND: Command = Command {
    name: "__man",
    summary: "Print the manual page",
    about: "",
    positionals: &[],
    flags: &[],
    examples: &[("openclaw __man > openclaw.1", "Make the page")],
    failure: "",
    run,
};

/// What stands as it is has to fit a terminal of 80 columns with its two of indent.
const WIDTH: usize = 78;

fn run(context: &Context, _args: &Args) -> Result<()> {
    context.out.whole(page().trim_end());
    Ok(())
}

/// The page in the language of `man` (roff), section 1.
fn page() -> String {
    let mut page = format!(
        ".TH OPENCLAW 1 \"\" \"OpenClaw {VERSION}\"\n.SH NAME\nopenclaw \\- gateway between people, agents and models\n\
         .SH SYNOPSIS\n.B openclaw\n[options] <command>\n.SH DESCRIPTION\n"
    );
    for (task, words) in TASKS {
        let _infallible = write!(page, ".TP\n{task}\n{}\n", escaped(&words.join(", ")));
    }
    page += ".SH OPTIONS\n";
    GLOBALS.iter().for_each(|flag| option(&mut page, flag));
    page += ".SH COMMANDS\n";
    shown().for_each(|it| command(&mut page, it));
    for topic in TOPICS.iter().filter(|topic| !topic.text.is_empty()) {
        let title = topic.name.to_uppercase().replace('-', " ");
        let _infallible =
            write!(page, ".SH {title}\n.in 0\n.nf\n{}\n.fi\n.in\n", escaped(topic.text.trim_end()));
    }
    page
}

fn command(page: &mut String, command: &Command) {
    let _infallible = write!(page, ".SS {}\n{}.\n", escaped(&usage(command)), escaped(command.summary));
    if !command.about.is_empty() {
        let _infallible = write!(page, ".PP\n{}\n", escaped(command.about));
    }
    command.all_flags().filter(|flag| !flag.is_quiet).for_each(|flag| option(page, flag));
    page.push_str(".PP\n.in 2\n.nf\n");
    for (line, what) in command.examples {
        let line = hanging(line, WIDTH, 4).join("\n");
        let _infallible = write!(page, "{}\n    {}\n", escaped(&line), escaped(what));
    }
    page.push_str(".fi\n.in\n");
}

fn option(page: &mut String, flag: &Flag) {
    let short = flag.short.map_or(String::new(), |short| format!("-{short}, "));
    let name = format!("{short}--{} {}", flag.long, flag.value);
    let _infallible = write!(page, ".TP\n.B {}\n{}\n", escaped(name.trim_end()), escaped(&doc(flag)));
}

/// With nothing in it that `man` takes for its own.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_command_and_option() {
        let page = page();
        for command in shown() {
            assert!(page.contains(&format!(".SS openclaw {}", escaped(command.name))), "{}", command.name);
            for flag in command.all_flags().filter(|flag| !flag.is_quiet) {
                assert!(page.contains(&format!("\\-\\-{}", escaped(flag.long))), "--{}", flag.long);
            }
        }
        let own = [".TH", ".SH", ".SS", ".TP", ".B", ".PP", ".nf", ".fi", ".in"];
        let strange = |line: &&str| line.starts_with('.') && !own.iter().any(|own| line.starts_with(own));
        assert_eq!(page.lines().find(strange), None);
        // What stands as it is, with its indent, which `man` adds.
        let mut is_kept = false;
        let mut indent = 0;
        for line in page.lines() {
            match line {
                ".nf" => is_kept = true,
                ".fi" => is_kept = false,
                _ if is_kept => {
                    let shown = line.replace("\\e", "\\").replace("\\-", "-");
                    assert!(indent + shown.chars().count() <= 80, "{line}");
                }
                _ => indent = line.strip_prefix(".in ").map_or(indent, |n| n.parse().unwrap()),
            }
        }
    }
}
