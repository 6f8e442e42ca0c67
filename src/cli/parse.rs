//! From the command line to a command and its raw values, by one lexopt loop over the flag rows.
//!
//! Two steps: this file only stores what was typed; environment, config and defaults are looked up by the
//! commands afterwards. Options may stand before, between or after the words of the command and its
//! positional arguments; which command they belong to is settled at the end.
mod args;
mod words;
use super::{COMMANDS, Command, Flag, GLOBALS, GROUPS};
use super::{instead, shapes, topics};
use crate::error::{Error, Kind, Result};
pub use args::{Args, millis};
use lexopt::{Arg, Parser};
use std::ffi::OsString;
pub use words::{either, nearest};
use words::{explain, text};

/// What the command line asks for.
#[derive(Debug)]
pub enum Request {
    Version {
        json: bool,
    },
    /// Help on a command, a group, a topic, or (empty) the program.
    Help(String),
    Run {
        command: &'static Command,
        args: Args,
        globals: Globals,
    },
}

impl Request {
    /// What stands before an error's text for this request.
    pub fn failure_label(&self) -> &'static str {
        match self {
            Request::Run { command, .. } => command.failure,
            Request::Version { .. } | Request::Help(_) => "",
        }
    }
}

/// The options that every command takes.
#[derive(Debug, Default)]
pub struct Globals {
    dev: bool,
    profile: Option<String>,
    pub no_color: bool,
}

impl Globals {
    /// The profile the two profile options name.
    pub fn profile(&self) -> Result<Option<&str>> {
        match (&self.profile, self.dev) {
            (Some(_), true) => Err(Error::new(Kind::Profile, "Cannot combine --dev with --profile")),
            (Some(name), false) => Ok(Some(name)),
            (None, true) => Ok(Some("dev")),
            (None, false) => Ok(None),
        }
    }
}

/// Reads a command line (without the program's name).
pub fn parse(args: Vec<OsString>) -> Result<Request> {
    let mut line = Line::default();
    match line.read(args) {
        Ok(()) if line.version => Ok(Request::Version { json: line.args.has("json") }),
        // An error behind --help is not worth more than the help; behind `help` it is what was asked about.
        Err(error) if line.asks => Err(with_help(error, &line.words)),
        _ if line.asks && line.words.strip_prefix("json ").is_some_and(|of| !shapes::is_known(of)) => {
            Err(Error::usage("only commands that take --json have a schema; see openclaw help json"))
        }
        _ if line.help => Ok(Request::Help(line.topic())),
        Ok(()) => {
            let words = line.words.clone();
            line.settle().map_err(|error| with_help(error, &words))
        }
        Err(error) => Err(with_help(error, &line.words)),
    }
}

/// With where to read what the command takes, unless the error already says where to go on.
fn with_help(error: Error, words: &str) -> Error {
    let said = error.message();
    if error.kind != Kind::Usage || said.contains("--help") || said.contains("no command of this version") {
        return error;
    }
    let about = if words.is_empty() { "openclaw".to_string() } else { format!("openclaw {words}") };
    Error::usage(format!("{said}; see {about} --help"))
}

/// A command line while it is read.
#[derive(Default)]
struct Line {
    /// The words of the command so far.
    words: String,
    args: Args,
    globals: Globals,
    help: bool,
    /// The word `help` stood first.
    asks: bool,
    version: bool,
}

impl Line {
    fn read(&mut self, args: Vec<OsString>) -> Result<()> {
        let mut parser = Parser::from_args(args);
        while let Some(arg) = parser.next().map_err(explain)? {
            match arg {
                Arg::Value(word) => self.word(text(word)?)?,
                Arg::Long(long) => {
                    let flag = self.find(|flag| flag.long == long).ok_or_else(|| self.unknown_long(long))?;
                    self.take(flag, &mut parser)?;
                }
                // The reference program knows `-v` as well, where a command has no `-v` of its own.
                Arg::Short('v')
                    if self.words.is_empty() || self.find(|flag| flag.short == Some('v')).is_none() =>
                {
                    self.version = true
                }
                Arg::Short(short) => {
                    let flag = self.find(|flag| flag.short == Some(short));
                    let hint =
                        if short.is_ascii_digit() { " (a value goes behind '--', as -- -1)" } else { "" };
                    let flag =
                        flag.ok_or_else(|| Error::usage(format!("unknown option '-{short}'{hint}")))?;
                    self.take(flag, &mut parser)?;
                }
            }
        }
        Ok(())
    }

    fn word(&mut self, word: String) -> Result<()> {
        if self.words.is_empty() && word == "help" && !self.help {
            (self.help, self.asks) = (true, true);
            return Ok(());
        }
        if self.asks && self.words.is_empty() && topics::find(&word).is_some() {
            self.words = word;
            return Ok(());
        }
        if self.asks && self.words.split(' ').next() == Some(topics::JSON) {
            self.words = format!("{} {word}", self.words);
            return Ok(());
        }
        if self.words.is_empty() && word == "version" {
            self.version = true;
            return Ok(());
        }
        let longer = if self.words.is_empty() { word.clone() } else { format!("{} {word}", self.words) };
        if self.args.positionals.is_empty() && below(&longer).next().is_some() {
            self.words = longer;
        } else if exact(&self.words).is_some_and(|command| !command.positionals.is_empty()) {
            self.args.positionals.push(word);
        } else if let Some(command) = exact(&self.words) {
            return Err(unexpected(command, &word));
        } else if self.words.is_empty() || !self.takes_positionals() {
            return Err(self.unknown_command(&longer));
        }
        Ok(())
    }

    fn takes_positionals(&self) -> bool {
        exact(&self.words).is_some_and(|command| !command.positionals.is_empty())
    }

    /// A flag row that fits here: of the command itself first, then of any command that may still follow.
    fn find(&self, fits: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
        let own = exact(&self.words).into_iter().chain(below(&self.words));
        GLOBALS.iter().chain(own.flat_map(Command::all_flags)).find(|flag| fits(flag))
    }

    fn take(&mut self, flag: &'static Flag, parser: &mut Parser) -> Result<()> {
        if flag.value.is_empty() {
            return self.switch(flag, parser);
        }
        let profile = flag.long == "profile";
        let value = match parser.value() {
            Ok(value) => text(value)?,
            Err(_) if profile => return Err(Error::new(Kind::Profile, "--profile requires a value")),
            Err(_) => {
                return Err(Error::usage(format!(
                    "option '--{} {}' argument missing",
                    flag.long, flag.value
                )));
            }
        };
        if !flag.choices.is_empty() && !flag.choices.contains(&value.as_str()) {
            return Err(Error::usage(format!("Invalid --{} (use {})", flag.long, either(flag.choices))));
        }
        if profile {
            self.globals.profile = Some(value);
        } else {
            self.args.flags.push((flag.long, value));
        }
        Ok(())
    }

    fn switch(&mut self, flag: &'static Flag, parser: &mut Parser) -> Result<()> {
        if parser.optional_value().is_some() {
            return Err(Error::usage(format!("option '--{}' takes no value", flag.long)));
        }
        match flag.long {
            "dev" => self.globals.dev = true,
            "no-color" => self.globals.no_color = true,
            "help" => self.help = true,
            "version" => self.version = true,
            long => self.args.flags.push((long, String::new())),
        }
        Ok(())
    }

    /// The command or group that help is wanted on.
    fn topic(&self) -> String {
        self.words.clone()
    }

    fn settle(self) -> Result<Request> {
        self.globals.profile()?;
        let Some(command) = exact(&self.words) else {
            // A word that only groups commands says what there is, as the program alone does.
            return Ok(Request::Help(self.words));
        };
        for (long, _) in &self.args.flags {
            if !command.all_flags().any(|flag| flag.long == *long) {
                return Err(self.unknown_long(long));
            }
        }
        let missing = command.positionals.get(self.args.positionals.len()).filter(|p| p.required);
        if let Some(missing) = missing {
            return Err(Error::usage(format!("missing required argument '{}'", missing.name)));
        }
        let (most, got) = (command.positionals.len(), self.args.positionals.len());
        let takes_all = command.positionals.last().is_some_and(|last| last.name.ends_with("..."));
        if got > most && !takes_all {
            let name = command.name;
            return Err(Error::usage(format!("too many arguments for '{name}': expected {most}, got {got}")));
        }
        Ok(Request::Run { command, args: self.args, globals: self.globals })
    }

    fn unknown_long(&self, long: &str) -> Error {
        let own = exact(&self.words).into_iter().flat_map(Command::all_flags).chain(GLOBALS);
        let hint =
            nearest(long, own.map(|flag| flag.long)).map(|near| format!(" (did you mean '--{near}'?)"));
        Error::usage(format!("unknown option '--{long}'{}", hint.unwrap_or_default()))
    }

    fn unknown_command(&self, name: &str) -> Error {
        if let Some(instead) = instead::instead(name) {
            return Error::usage(format!("'{name}' is no command of this version: {instead}"));
        }
        // No help names those that begin so.
        let named = COMMANDS.iter().map(|command| command.name).filter(|name| !name.starts_with('_'));
        let known = named.chain(GROUPS.iter().map(|(name, _)| *name));
        let hint = nearest(name, known).map(|near| format!(" (did you mean '{near}'?)"));
        let about =
            if self.words.is_empty() { "openclaw".to_string() } else { format!("openclaw {}", self.words) };
        Error::usage(format!("unknown command '{name}'{}; see {about} --help", hint.unwrap_or_default()))
    }
}

/// A word behind a command that takes none: the name of a command that is not there, or a message without its option.
fn unexpected(command: &Command, word: &str) -> Error {
    let name = command.name;
    if let Some(instead) = instead::instead(&format!("{name} {word}")) {
        return Error::usage(format!("'{name} {word}' is no command of this version: {instead}"));
    }
    let own = below(name).filter_map(|other| other.name.strip_prefix(name)?.trim().split(' ').next());
    let near = nearest(word, own.filter(|own| !own.is_empty()));
    let hint = match near {
        Some(near) => format!(" (did you mean '{name} {near}'?)"),
        None if command.all_flags().any(|flag| flag.long == "message") => {
            format!(" (a message goes behind --message: openclaw {name} --message {word:?})")
        }
        None => String::new(),
    };
    Error::usage(format!("'{name}' takes no argument '{word}'{hint}; see openclaw {name} --help"))
}

/// The command of exactly these words.
pub fn exact(words: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == words)
}

/// The commands whose name is, or begins with, these words; no words fit all.
pub fn below(words: &str) -> impl Iterator<Item = &'static Command> {
    let words = words.to_string();
    COMMANDS.iter().filter(move |command| {
        let rest = command.name.strip_prefix(&words);
        words.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

#[cfg(test)]
mod tests {
    use super::words::distance;
    use super::*;

    fn shown(line: &str) -> String {
        match parse(line.split_whitespace().map(OsString::from).collect()) {
            Ok(Request::Version { json }) => format!("version{}", if json { " as JSON" } else { "" }),
            Ok(Request::Help(topic)) => format!("help [{topic}]"),
            Ok(Request::Run { command, args, globals }) => {
                let flags: Vec<String> = args.flags.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let profile = globals.profile().unwrap().unwrap_or("-");
                format!("{}|{}|{}|{profile}", command.name, args.positionals.join(","), flags.join(","))
            }
            Err(error) => format!("{} {}", error.exit_code(), error.message()),
        }
    }

    #[test]
    fn command_lines() {
        let cases = [
            ("", "help []"),
            ("-V", "version"),
            ("-v", "version"),
            ("gateway call --version", "version"),
            ("help", "help []"),
            ("help gateway call", "help [gateway call]"),
            ("help files", "help [files]"),
            ("durations", "1 unknown command 'durations'; see openclaw --help"),
            ("help files x", "1 unknown command 'files x'; see openclaw files --help"),
            ("gateway call -h --nope", "help [gateway call]"),
            // N-38
            ("help helth", "1 unknown command 'helth' (did you mean 'health'?); see openclaw --help"),
            (
                "help models lst",
                "1 'models' takes no argument 'lst' (did you mean 'models list'?); see openclaw models --help",
            ),
            ("--help health", "help [health]"),
            ("gateway", "gateway|||-"),
            ("gateway run --port 1", "gateway run||port=1|-"),
            ("gateway --port 1 run", "gateway run||port=1|-"),
            ("gateway call --url U --token T health", "gateway call|health|url=U,token=T|-"),
            ("gateway --token T call health --json", "gateway call|health|token=T,json=|-"),
            ("--json gateway call health --params={}", "gateway call|health|json=,params={}|-"),
            ("gateway --dev call health", "gateway call|health||dev"),
            ("health --profile work", "health|||work"),
            ("agent -m hi -t +49", "agent||message=hi,to=+49|-"),
            ("agent -m=-v", "agent||message=-v|-"),
            ("models set a/b", "models set|a/b||-"),
            ("models set -- --odd", "models set|--odd||-"),
            ("foo", "1 unknown command 'foo'; see openclaw --help"),
            ("_man", "1 unknown command '_man'; see openclaw --help"),
            ("helth", "1 unknown command 'helth' (did you mean 'health'?); see openclaw --help"),
            ("version", "version"),
            ("version --json", "version as JSON"),
            ("--json -V", "version as JSON"),
            ("modles", "1 unknown command 'modles' (did you mean 'models'?); see openclaw --help"),
            (
                "tui",
                "1 'tui' is no command of this version: \
              use `openclaw chat`, a conversation at the terminal",
            ),
            ("devices", "help [devices]"),
            (
                "models auth login",
                "1 'models auth' is no command of this version: keys are in the config, a variable or the state \
              directory's .env; `openclaw models status` shows which is used",
            ),
            (
                "agent hi",
                "1 'agent' takes no argument 'hi' (a message goes behind --message: \
              openclaw agent --message \"hi\"); see openclaw agent --help",
            ),
            (
                "gateway cal health",
                "1 'gateway' takes no argument 'cal' (did you mean 'gateway call'?); see openclaw gateway --help",
            ),
            ("health --nope", "1 unknown option '--nope'; see openclaw health --help"),
            ("health --jsn", "1 unknown option '--jsn' (did you mean '--json'?); see openclaw health --help"),
            ("gateway --params {}", "1 unknown option '--params'; see openclaw gateway --help"),
            ("health -z", "1 unknown option '-z'; see openclaw health --help"),
            (
                "config set gateway.port -1",
                "1 unknown option '-1' (a value goes behind '--', as -- -1); see openclaw config set --help",
            ),
            ("health --json=1", "1 option '--json' takes no value; see openclaw health --help"),
            ("health --timeout", "1 option '--timeout <time>' argument missing; see openclaw health --help"),
            ("config get", "1 missing required argument 'path'; see openclaw config get --help"),
            (
                "gateway call a b",
                "1 too many arguments for 'gateway call': expected 1, got 2; see openclaw gateway call --help",
            ),
            (
                "gateway --auth x",
                "1 Invalid --auth (use \"token\" or \"password\"); see openclaw gateway --help",
            ),
            ("--profile", "2 --profile requires a value"),
            ("--dev --profile x health", "2 Cannot combine --dev with --profile"),
        ];
        for (line, want) in cases {
            assert_eq!(shown(line), want, "{line}");
        }
    }

    #[test]
    fn choices_are_listed_as_in_a_sentence() {
        assert_eq!(either(&["a"]), "\"a\"");
        assert_eq!(either(&["a", "b", "c"]), "\"a\", \"b\", or \"c\"");
    }

    #[test]
    fn distances() {
        for (a, b, want) in [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("modles", "models", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(distance(a, b), want);
        }
    }
}
