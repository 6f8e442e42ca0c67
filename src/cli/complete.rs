//! `openclaw completion`: completion scripts for bash, zsh and fish, made from the command and flag rows.
//!
//! Each script walks the words typed so far to a command's name and offers its subcommands, options and
//! closed lists of values; for models, agents, channels, profiles, keys and methods it runs `openclaw __values` (`values.rs`).
//! Names are plain ASCII words (a test says so), so quoting stays simple.
use super::parse::{Args, either};
use super::topics::TOPICS;
use super::values;
use super::{COMMANDS, Command, Context, Flag, GLOBALS, GROUPS, Positional};
use crate::error::{Error, Result};
use std::fmt::Write;

/// What stands before the name of a command or a topic to have it explained.
const HELP: &str = "help";

const SHELLS: &[&str] = &["bash", "zsh", "fish"];

pub const COMMAND: Command = Command {
    name: "completion",
    summary: "Print a completion script for a shell",
    about: "Load it from the shell's start file, as in the examples.",
    positionals: &[Positional { name: "shell", required: false, choices: SHELLS }],
    flags: &[&[
        Flag::choice("shell", "<shell>", SHELLS, "Name the shell, as an option").short('s'),
        super::JSON,
    ]],
    examples: &[
        (
            "openclaw completion bash > ~/.local/share/bash-completion/completions/openclaw",
            "Install for bash",
        ),
        ("openclaw completion zsh > ~/.zfunc/_openclaw", "Install for zsh"),
        ("openclaw completion fish > ~/.config/fish/completions/openclaw.fish", "Install for fish"),
    ],
    failure: "",
    run,
};

fn run(context: &Context, args: &Args) -> Result<()> {
    let own = || context.env.var("SHELL").and_then(|path| path.rsplit('/').next());
    let shell = args.positional(0).or(args.value("shell")).or_else(own).unwrap_or_default();
    let script = match shell {
        "bash" => bash(),
        "zsh" => zsh(),
        "fish" => fish(),
        "" => return Err(Error::usage(format!("name the shell, SHELL does not: {}", either(SHELLS)))),
        other => {
            return Err(Error::usage(format!(
                "no completion for the shell {other:?} (use {})",
                either(SHELLS)
            )));
        }
    };
    match args.has("json") {
        true => context.out.json(&crate::json::json!({"shell": shell, "script": script})),
        false => context.out.text(&script),
    }
    Ok(())
}

/// One place in the tree of commands: the words that lead to it and what may follow.
struct Place {
    words: String,
    /// Subcommands and fixed values, each with its line of help.
    next: Vec<(&'static str, &'static str)>,
    flags: Vec<&'static Flag>,
}

/// The commands that people call, and that are offered.
pub fn shown() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().filter(|command| !command.name.starts_with('_'))
}

fn places() -> Vec<Place> {
    let mut all = vec![String::new()];
    all.extend(GROUPS.iter().map(|(name, _)| name.to_string()));
    all.extend(shown().map(|command| command.name.to_string()));
    all.into_iter().map(place).collect()
}

fn place(words: String) -> Place {
    let prefix = if words.is_empty() { String::new() } else { format!("{words} ") };
    let groups = GROUPS.iter().filter_map(|(name, about)| Some((name.strip_prefix(&prefix)?, *about)));
    let below = groups.chain(shown().filter_map(|c| Some((c.name.strip_prefix(&prefix)?, c.summary))));
    let mut next: Vec<_> = below.filter(|(name, _)| !name.contains(' ')).collect();
    if words.is_empty() {
        next.push((HELP, "Explain a command or a topic"));
    }
    let command = COMMANDS.iter().find(|command| command.name == words);
    let choices = command.into_iter().flat_map(|c| c.positionals).flat_map(|p| p.choices);
    next.extend(choices.map(|choice| (*choice, "")));
    let flags = command
        .into_iter()
        .flat_map(Command::all_flags)
        .chain(GLOBALS)
        .filter(|flag| !flag.is_quiet)
        .collect();
    Place { words, next, flags }
}

/// The words of all places, as shell patterns that tell whether one more word leads to a place.
fn known_words(separator: &str) -> String {
    let words = places().into_iter().filter(|place| !place.words.is_empty());
    words.map(|place| format!("'{}'", place.words)).collect::<Vec<_>>().join(separator)
}

/// Patterns of options, `--a|--b`, by the kind of their values; those whose values nobody knows last, under no kind.
fn options() -> Vec<(&'static str, String)> {
    let mut kinds: Vec<(&'static str, Vec<String>)> = Vec::new();
    let all = shown().flat_map(Command::all_flags).chain(GLOBALS);
    for flag in all.filter(|flag| !flag.value.is_empty() && flag.choices.is_empty()) {
        let (kind, long) = (values::of_flag(flag).unwrap_or_default(), format!("--{}", flag.long));
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, longs)) if longs.contains(&long) => {}
            Some((_, longs)) => longs.push(long),
            None => kinds.push((kind, vec![long])),
        }
    }
    kinds.into_iter().map(|(kind, longs)| (kind, longs.join("|"))).collect()
}

/// Commands whose argument is of a kind.
fn arguments() -> impl Iterator<Item = (&'static str, &'static str)> {
    shown().filter_map(|command| Some((command.name, values::of_argument(command)?)))
}

/// The topics of help, each with its line.
fn topics() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOPICS.iter().map(|topic| (topic.name, topic.summary))
}

/// What bash and zsh do alike: the place in the tree, whether help is asked for, the profile, and the kind of values wanted
/// there. `words` is the array of words, from the place `first` to before `last`.
fn walk(words: &str, first: usize, last: &str) -> String {
    let mut script = format!(
        "  for ((i = {first}; i < {last}; i++)); do\n    next=\"${{at:+$at }}${{{words}[i]}}\"\n    \
         [ \"$next\" = {HELP} ] && asks=1 && continue\n    \
         case \"$next\" in {}) at=\"$next\" ;; esac\n    \
         case \"${{{words}[i]}}\" in --dev) own=(--dev) ;; --profile)\n      \
         ((i + 1 < {last})) && own=(--profile \"${{{words}[i+1]}}\") ;; esac\n  \
         done\n  case \"$at\" in\n",
        known_words("|")
    );
    for (name, kind) in arguments() {
        let _infallible = writeln!(script, "    '{name}') kind={kind} ;;");
    }
    script += "  esac\n  case \"$prev\" in\n";
    for (kind, longs) in options() {
        let kind = if kind.is_empty() { "none" } else { kind };
        let _infallible = writeln!(script, "    {longs}) kind={kind}; alone=1 ;;");
    }
    // What stands behind a key is one of its values.
    script
        + "  esac\n  [[ \"$at\" == 'config set' && \"$prev\" != set && \"$prev\" != -* ]] && kind=choices of=(\"$prev\")\n"
}

fn bash() -> String {
    let mut script = "# bash completion for openclaw\n_openclaw() {\n  \
         local cur prev at=\"\" i next words=\"\" kind=\"\" alone=\"\" own=() of=() line asks=\"\"\n  \
         cur=\"${COMP_WORDS[COMP_CWORD]}\"\n  prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n  \
         line=\"${COMP_LINE:0:${COMP_POINT:-0}}\"\n  [[ \"$cur\" == : || \"$prev\" == : ]] && cur=\"${line##* }\"\n"
        .to_string();
    script += &walk("COMP_WORDS", 1, "COMP_CWORD");
    script += "  case \"$at $prev\" in\n";
    for place in places() {
        for flag in place.flags.iter().filter(|flag| !flag.choices.is_empty()) {
            let (words, long, choices) = (&place.words, flag.long, flag.choices.join(" "));
            let _infallible = writeln!(script, "    '{words} --{long}') words='{choices}'; alone=1 ;;");
        }
    }
    script += "  esac\n  if [ -z \"$alone\" ]; then\n    case \"$at\" in\n";
    for place in places() {
        let next = place.next.iter().map(|(name, _)| name.to_string());
        let flags = place.flags.iter().map(|flag| format!("--{}", flag.long));
        let words: Vec<String> = next.chain(flags).collect();
        let _infallible = writeln!(script, "      '{}') words='{}' ;;", place.words, words.join(" "));
    }
    let names: Vec<&str> = topics().map(|(name, _)| name).collect();
    let _infallible = write!(
        script,
        "    esac\n  fi\n  [ -n \"$asks\" ] && {{ kind=\"\"; [ -n \"$at\" ] || words=\"$words {}\"; }}\n",
        names.join(" ")
    );
    // Values are others' words, a line each: they are quoted, and no shell reads them. bash takes a colon for the end of a
    // word: what stands before it is not to be offered again.
    script
        + "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n  \
           case \"$kind\" in '' | none) ;; *)\n    compopt +o default 2>/dev/null\n    \
           while IFS= read -r line; do\n      printf -v line %q \"$line\"\n      \
           [[ \"$line\" == \"$cur\"* ]] && COMPREPLY+=(\"$line\")\n    \
           done < <(\"${COMP_WORDS[0]}\" \"${own[@]}\" __values \"$kind\" \"${of[@]}\" 2>/dev/null) ;;\n  esac\n  \
           [[ \"$cur\" == *:* ]] && COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*:}\"}\"}\")\n  \
           return 0\n}\ncomplete -o default -F _openclaw openclaw\n"
}

fn zsh() -> String {
    let mut script = "#compdef openclaw\n_openclaw() {\n  \
         local at=\"\" i next kind=\"\" alone=\"\" asks=\"\" prev=\"${words[CURRENT-1]}\"\n  local -a offers own of\n"
        .to_string();
    script += &walk("words", 2, "CURRENT");
    script += "  case \"$at $prev\" in\n";
    for place in places() {
        for flag in place.flags.iter().filter(|flag| !flag.choices.is_empty()) {
            let (words, long, choices) = (&place.words, flag.long, flag.choices.join(" "));
            let _infallible = writeln!(script, "    '{words} --{long}') compadd {choices}; return ;;");
        }
    }
    script += "  esac\n  [ -n \"$asks\" ] && kind=\"\"\n  case \"$kind\" in '' | none) ;; *)\n    \
        compadd -- ${(f)\"$(\"${words[1]}\" \"${own[@]}\" __values \"$kind\" \"${of[@]}\" 2>/dev/null)\"} ;;\n  esac\n  \
        if [ -n \"$alone\" ]; then\n    [ \"$kind\" = none ] && _files\n    return\n  fi\n  case \"$at\" in\n";
    for place in places() {
        let _infallible = write!(script, "    '{}') offers=(", place.words);
        place.next.iter().for_each(|(name, doc)| offer(&mut script, name, doc));
        place.flags.iter().for_each(|flag| offer(&mut script, &format!("--{}", flag.long), flag.doc));
        script += " ) ;;\n";
    }
    script += "  esac\n  [ -n \"$asks\" ] && [ -z \"$at\" ] && offers+=(";
    topics().for_each(|(name, doc)| offer(&mut script, name, doc));
    script
        + " )\n  _describe openclaw offers || _files\n}\nif [ \"$funcstack[1]\" = _openclaw ]; then\n  _openclaw \"$@\"\nelse\n  compdef _openclaw openclaw\nfi\n"
}

/// One offer of zsh's: the first colon ends the word, those behind it are the description's.
fn offer(script: &mut String, word: &str, doc: &str) {
    let _infallible = write!(script, " '{word}:{}'", doc.replace('\'', "'\\''"));
}

fn fish() -> String {
    let mut script = format!(
        "# fish completion for openclaw\nfunction __openclaw_at\n  set -l at ''\n  set -l before ''\n  \
         for word in (commandline -opc)[2..-1]\n    set -l next (string trim \"$at $word\")\n    \
         test \"$next\" = {HELP}; and continue\n    \
         if contains -- $next {}\n      set at $next\n    \
         else if test -z \"$at\"; and not string match -q -- '-*' $before $word\n      set at '?'\n    end\n    \
         set before $word\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n\
         function __openclaw_values\n  set -l line (commandline -opc)\n  set -l own\n  set -l before ''\n  \
         for word in $line[2..-1]\n    test \"$word\" = --dev; and set own --dev\n    \
         test \"$before\" = --profile; and set own --profile $word\n    set before $word\n  end\n  set -l of\n  \
         if test \"$argv[1]\" = keys; and contains -- set $line; and not string match -qr -- '^(set|-.*)$' $before\n    \
         set argv choices\n    set of $before\n  end\n  \
         command $line[1] $own __values $argv[1] $of 2>/dev/null\nend\ncomplete -c openclaw -f\n",
        known_words(" ")
    );
    let quoted = |doc: &str| doc.replace('\\', "\\\\").replace('\'', "\\'");
    for place in places() {
        let when = format!("complete -c openclaw -n '__openclaw_at \"{}\"'", place.words);
        for (name, doc) in &place.next {
            let _infallible = writeln!(script, "{when} -a '{name}' -d '{}'", quoted(doc));
        }
        for flag in &place.flags {
            let short = flag.short.map_or(String::new(), |short| format!(" -s {short}"));
            let value = match (values::of_flag(flag), flag.choices) {
                _ if flag.value.is_empty() => String::new(),
                (Some(kind), _) => format!(" -x -a '(__openclaw_values {kind})'"),
                (None, []) => " -r".to_string(),
                (None, choices) => format!(" -x -a '{}'", choices.join(" ")),
            };
            let _infallible =
                writeln!(script, "{when} -l {}{short}{value} -d '{}'", flag.long, quoted(flag.doc));
        }
    }
    for (name, doc) in topics() {
        let when = format!("__openclaw_at \"\"; and contains -- {HELP} (commandline -opc)");
        let _infallible =
            writeln!(script, "complete -c openclaw -n '{when}' -a '{name}' -d '{}'", quoted(doc));
    }
    for (name, kind) in arguments() {
        let _infallible = writeln!(
            script,
            "complete -c openclaw -n '__openclaw_at \"{name}\"' -a '(__openclaw_values {kind})'"
        );
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command as Process, Stdio};

    /// Checks a script with the shell itself, where it is installed.
    fn check(shell: &str, script: &str) {
        let name = format!("openclaw-completion-{}-{shell}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, script).unwrap();
        let checked = Process::new(shell).arg("-n").arg(&path).stdout(Stdio::null()).output();
        std::fs::remove_file(&path).unwrap();
        if let Ok(output) = checked {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    #[test]
    fn the_shells_accept_their_scripts() {
        check("bash", &bash());
        check("zsh", &zsh());
        check("fish", &fish());
    }

    #[test]
    fn every_command_and_option_is_offered() {
        for script in [bash(), zsh(), fish()] {
            for command in shown() {
                assert!(script.contains(&format!("'{}'", command.name)), "{}", command.name);
                for flag in command.all_flags().filter(|flag| !flag.is_quiet) {
                    assert!(script.contains(flag.long), "--{}", flag.long);
                }
            }
            assert!(!script.contains("Accepted without effect"));
        }
    }

    #[test]
    fn n_42_descriptions_keep_apostrophes_and_colons() {
        let zsh = zsh();
        assert!(zsh.contains("'--token-file:Require the token in this file'"));
        let doc = shown().flat_map(Command::all_flags).find(|flag| flag.doc.contains(": ")).unwrap().doc;
        assert!(zsh.contains(&format!(":{}", doc.replace('\'', "'\\''"))), "{doc}");
        assert!(zsh.contains("the gateway'\\''s log") && fish().contains("the gateway\\'s log"));
    }

    /// What bash offers for a line typed so far; `__values` answers with what it was asked.
    fn offered(typed: &[&str]) -> Option<String> {
        let words: Vec<String> = typed.iter().map(|word| format!("'{word}'")).collect();
        let run = format!(
            "{}\nopenclaw() {{ echo \"$*\" a/b:c | tr ' ' '\\n'; }}\nCOMP_WORDS=({}); COMP_CWORD={}; _openclaw; echo \"${{COMPREPLY[*]}}\"",
            bash(),
            words.join(" "),
            typed.len() - 1
        );
        let output = Process::new("bash").args(["-c", &run]).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    }

    #[test]
    fn bash_completes_words_options_and_values() {
        let cases: &[(&[&str], &str)] = &[
            (&["openclaw", "gatew"], "gateway"),
            (&["openclaw", "gateway", "ca"], "call"),
            (&["openclaw", "gateway", "call", "--par"], "--params"),
            (&["openclaw", "gateway", "--bind", "l"], "loopback lan"),
            (&["openclaw", "completion", "z"], "zsh"),
            (&["openclaw", "models", "set", "m"], "models"),
            (&["openclaw", "models", "set", "a/b"], "a/b:c"),
            (&["openclaw", "config", "get", "k"], "keys"),
            (&["openclaw", "config", "set", "k"], "keys"),
            (&["openclaw", "config", "set", "x.y", "x"], "x.y"),
            (&["openclaw", "--profile", "work", "gateway", "call", "w"], "work"),
            (&["openclaw", "agent", "--agent", "a"], "agents a/b:c"),
            (&["openclaw", "agent", "--agent", "--"], ""),
            (&["openclaw", "--profile", ""], "__values profiles a/b:c"),
            (&["openclaw", "agent", "--message", ""], ""),
        ];
        for (typed, want) in cases {
            if let Some(got) = offered(typed) {
                assert_eq!(got, *want, "{typed:?}");
            }
        }
    }
}
