//! What a command is: its row, its flags and its positionals.
use super::Context;
use crate::cli::parse::Args;
use crate::error::Result;

/// One option of a command.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Without the dashes.
    pub long: &'static str,
    pub short: Option<char>,
    /// Placeholder of the value, as `<ms>`; empty for a switch.
    pub value: &'static str,
    /// The values allowed, when they are a closed list.
    pub choices: &'static [&'static str],
    /// One line: a capital verb first, no full stop.
    pub doc: &'static str,
    /// It is taken and does nothing here: help only names it, with others of the same `doc`.
    pub is_quiet: bool,
}

/// One positional argument of a command.
#[derive(Debug, Clone, Copy)]
pub struct Positional {
    /// One that ends with `...` takes all that comes.
    pub name: &'static str,
    pub required: bool,
    /// What completion offers.
    pub choices: &'static [&'static str],
}

/// One command: a row of `COMMANDS`.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// The words that call it, as `gateway call`.
    pub name: &'static str,
    /// One line: a capital verb first, no full stop.
    pub summary: &'static str,
    /// Paragraphs of the command's own help, after the summary; may be empty.
    pub about: &'static str,
    pub positionals: &'static [Positional],
    /// Slices of options, so that commands can share groups.
    pub flags: &'static [&'static [Flag]],
    /// Command lines that run, each with what it does.
    pub examples: &'static [(&'static str, &'static str)],
    /// Put before an error's text, as existing scripts expect it of some commands.
    pub failure: &'static str,
    pub run: fn(&Context, &Args) -> Result<()>,
}

impl Flag {
    /// An option without a value.
    pub const fn switch(long: &'static str, doc: &'static str) -> Flag {
        Flag { long, short: None, value: "", choices: &[], doc, is_quiet: false }
    }

    /// An option with a value; `value` is its placeholder.
    pub const fn value(long: &'static str, value: &'static str, doc: &'static str) -> Flag {
        Flag { long, short: None, value, choices: &[], doc, is_quiet: false }
    }

    /// An option whose value comes from a closed list.
    pub const fn choice(
        long: &'static str,
        value: &'static str,
        choices: &'static [&'static str],
        doc: &'static str,
    ) -> Flag {
        Flag { long, short: None, value, choices, doc, is_quiet: false }
    }

    pub const fn quiet(mut self) -> Flag {
        self.is_quiet = true;
        self
    }

    pub const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }
}

impl Positional {
    pub const fn required(name: &'static str) -> Positional {
        Positional { name, required: true, choices: &[] }
    }

    pub const fn optional(name: &'static str) -> Positional {
        Positional { name, required: false, choices: &[] }
    }
}

impl Command {
    /// What commands of one family fill in: nothing but its name.
    pub const fn of(name: &'static str, run: fn(&Context, &Args) -> Result<()>) -> Command {
        let (summary, about, failure) = ("", "", "");
        Command { name, summary, about, positionals: &[], flags: &[], examples: &[], failure, run }
    }

    /// All options of the command, without the global ones.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.flags.iter().flat_map(|group| group.iter())
    }
}
