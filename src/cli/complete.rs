//! `openclaw completion`: completion scripts for bash, zsh and fish, made from the command and flag rows.
//!
//! Each script walks the words typed so far to a command's name and offers its subcommands, options and
//! closed lists of values. Names are plain ASCII words (a test says so), so quoting stays simple.
use super::parse::{Args, either};
use super::{COMMANDS, Command, Context, Flag, GLOBALS, GROUPS, Positional};
use crate::error::{Error, Result};
use std::fmt::Write;

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

fn places() -> Vec<Place> {
    let mut all = vec![String::new()];
    all.extend(GROUPS.iter().map(|(name, _)| name.to_string()));
    all.extend(COMMANDS.iter().map(|command| command.name.to_string()));
    all.into_iter().map(place).collect()
}

fn place(words: String) -> Place {
    let prefix = if words.is_empty() { String::new() } else { format!("{words} ") };
    let groups = GROUPS.iter().filter_map(|(name, about)| Some((name.strip_prefix(&prefix)?, *about)));
    let below =
        groups.chain(COMMANDS.iter().filter_map(|c| Some((c.name.strip_prefix(&prefix)?, c.summary))));
    let mut next: Vec<_> = below.filter(|(name, _)| !name.contains(' ')).collect();
    let command = COMMANDS.iter().find(|command| command.name == words);
    let choices = command.into_iter().flat_map(|c| c.positionals).flat_map(|p| p.choices);
    next.extend(choices.map(|choice| (*choice, "")));
    let flags = command.into_iter().flat_map(Command::all_flags).chain(GLOBALS).collect();
    Place { words, next, flags }
}

/// The words of all places, as shell patterns that tell whether one more word leads to a place.
fn known_words(separator: &str) -> String {
    let words = places().into_iter().filter(|place| !place.words.is_empty());
    words.map(|place| format!("'{}'", place.words)).collect::<Vec<_>>().join(separator)
}

fn bash() -> String {
    let mut script = format!(
        "# bash completion for openclaw\n_openclaw() {{\n  local cur prev at=\"\" i next words=\"\"\n  \
         cur=\"${{COMP_WORDS[COMP_CWORD]}}\"\n  prev=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n  \
         for ((i = 1; i < COMP_CWORD; i++)); do\n    next=\"${{at:+$at }}${{COMP_WORDS[i]}}\"\n    \
         case \"$next\" in {}) at=\"$next\" ;; esac\n  done\n  case \"$at $prev\" in\n",
        known_words("|")
    );
    for place in places() {
        for flag in place.flags.iter().filter(|flag| !flag.choices.is_empty()) {
            let _infallible = writeln!(
                script,
                "    '{} --{}') words='{}' ;;",
                place.words,
                flag.long,
                flag.choices.join(" ")
            );
        }
    }
    script += "  esac\n  if [ -z \"$words\" ]; then\n    case \"$at\" in\n";
    for place in places() {
        let next = place.next.iter().map(|(name, _)| name.to_string());
        let flags = place.flags.iter().map(|flag| format!("--{}", flag.long));
        let words: Vec<String> = next.chain(flags).collect();
        let _infallible = writeln!(script, "      '{}') words='{}' ;;", place.words, words.join(" "));
    }
    script
        + "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _openclaw openclaw\n"
}

fn zsh() -> String {
    let mut script = format!(
        "#compdef openclaw\n_openclaw() {{\n  local at=\"\" i next\n  local -a offers\n  \
         for ((i = 2; i < CURRENT; i++)); do\n    next=\"${{at:+$at }}${{words[i]}}\"\n    \
         case \"$next\" in {}) at=\"$next\" ;; esac\n  done\n  case \"$at ${{words[CURRENT-1]}}\" in\n",
        known_words("|")
    );
    for place in places() {
        for flag in place.flags.iter().filter(|flag| !flag.choices.is_empty()) {
            let (words, long, choices) = (&place.words, flag.long, flag.choices.join(" "));
            let _infallible = writeln!(script, "    '{words} --{long}') compadd {choices}; return ;;");
        }
    }
    script += "  esac\n  case \"$at\" in\n";
    for place in places() {
        let _infallible = write!(script, "    '{}') offers=(", place.words);
        for (name, doc) in &place.next {
            let _infallible = write!(script, " '{name}:{}'", quotable(doc));
        }
        for flag in &place.flags {
            let _infallible = write!(script, " '--{}:{}'", flag.long, quotable(flag.doc));
        }
        script += " ) ;;\n";
    }
    script
        + "  esac\n  _describe openclaw offers || _files\n}\nif [ \"$funcstack[1]\" = _openclaw ]; then\n  _openclaw \"$@\"\nelse\n  compdef _openclaw openclaw\nfi\n"
}

fn fish() -> String {
    let mut script = format!(
        "# fish completion for openclaw\nfunction __openclaw_at\n  set -l at ''\n  \
         for word in (commandline -opc)[2..-1]\n    set -l next (string trim \"$at $word\")\n    \
         if contains -- $next {}\n      set at $next\n    end\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n\
         complete -c openclaw -f\n",
        known_words(" ")
    );
    for place in places() {
        let when = format!("complete -c openclaw -n '__openclaw_at \"{}\"'", place.words);
        for (name, doc) in &place.next {
            let _infallible = writeln!(script, "{when} -a '{name}' -d '{}'", quotable(doc));
        }
        for flag in &place.flags {
            let short = flag.short.map_or(String::new(), |short| format!(" -s {short}"));
            let value = match (flag.value.is_empty(), flag.choices.is_empty()) {
                (true, _) => String::new(),
                (false, true) => " -r".to_string(),
                (false, false) => format!(" -x -a '{}'", flag.choices.join(" ")),
            };
            let _infallible =
                writeln!(script, "{when} -l {}{short}{value} -d '{}'", flag.long, quotable(flag.doc));
        }
    }
    script
}

/// Help text inside of single quotes, and for zsh behind a colon.
fn quotable(text: &str) -> String {
    text.replace(['\'', '\\'], "").replace(':', ",")
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
            for command in COMMANDS {
                assert!(script.contains(&format!("'{}'", command.name)), "{}", command.name);
                for flag in command.all_flags() {
                    assert!(script.contains(flag.long), "--{}", flag.long);
                }
            }
        }
    }

    /// What bash offers for a line typed so far.
    fn offered(typed: &[&str]) -> Option<String> {
        let words: Vec<String> = typed.iter().map(|word| format!("'{word}'")).collect();
        let run = format!(
            "{}\nCOMP_WORDS=({}); COMP_CWORD={}; _openclaw; echo \"${{COMPREPLY[*]}}\"",
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
        ];
        for (typed, want) in cases {
            if let Some(got) = offered(typed) {
                assert_eq!(got, *want, "{typed:?}");
            }
        }
    }
}
