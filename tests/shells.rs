//! The completion scripts in the shells that they are for, where those are installed; else a line says why not.
use crate::devices::remote_request;
use crate::elsewhere::afar;
use crate::harness::terminal::Terminal;
use crate::harness::*;
use crate::nodes_cli::Answering;
use std::path::Path;
use std::process::{Command, Stdio};

/// What bash and fish run to print what they offer for `TYPED`.
const ASKED: [(&str, &str); 2] = [
    (
        "bash",
        "source completion; COMP_WORDS=(openclaw TYPED); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _openclaw; \
         printf '%s\\n' \"${COMPREPLY[@]}\"",
    ),
    ("fish", "source completion; complete -C 'openclaw TYPED'"),
];

/// The shell with the program on its PATH, and its script written down; none where the shell is not installed.
fn shell(dir: &Path, name: &str) -> Option<Command> {
    if !Path::new("/usr/bin").join(name).exists() {
        eprintln!("skipped: {name} is not installed (apt-get install {name})");
        return None;
    }
    let script = gateway::command(dir).args(["completion", name]).output().unwrap().stdout;
    std::fs::write(dir.join("completion"), script).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_openclaw")).parent().unwrap();
    let like = gateway::command(dir);
    let mut shell = Command::new(name);
    shell.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", format!("{}:/usr/bin:/bin", program.display())).current_dir(dir);
    Some(shell)
}

// N-42
#[test]
fn n_42_fish_completes_words_options_and_values() {
    let dir = gateway::new_dir();
    for (typed, want) in [
        ("gatew", "gateway"),
        ("gateway ca", "call"),
        ("gateway call --par", "--params"),
        ("gateway --bind l", "lan loopback"),
        ("completion z", "zsh"),
        ("models set openclaw/b", "openclaw/builtin"),
        ("config get gateway.po", "gateway.port"),
        ("config set gateway.po", "gateway.port"),
        ("config set gateway.reload.mode h", "hot hybrid"),
        ("config set gateway.tls.enabled t", "true"),
        ("agent --agent m", "main"),
        ("--profile work gateway call heal", "health"),
        ("help exi", "exit-codes"),
        ("help gateway ca", "call"),
        ("exi", ""),
        ("nonsense ca", ""),
    ] {
        let Some(mut fish) = shell(&dir, "fish") else { return };
        fish.args(["--no-config", "-c", &format!("source completion; complete -C 'openclaw {typed}'")]);
        let output = fish.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = text.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(words.join(" "), want, "{typed}: {text}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// What a shell offers there; none where it is not installed.
fn offers(dir: &Path, name: &str, script: &str, typed: &str) -> Option<String> {
    // The word that is completed is empty.
    let is_next = name == "bash" && typed.ends_with(' ');
    let typed = if is_next { format!("{typed}''") } else { typed.to_string() };
    let mut shell = shell(dir, name)?;
    let output = shell.args(["-c", &script.replace("TYPED", &typed)]).stdin(Stdio::null()).output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).to_string())
}

// A home that names a gateway on another machine has no files of its own to look in.
#[test]
fn i14_7_jobs_devices_and_nodes_of_a_gateway_elsewhere_are_offered() {
    let gateway = Gateway::plain();
    let here = afar(&gateway);
    let mut client = Client::operator(&gateway, 4);
    let job = json!({"name": "n", "schedule": {"kind": "every", "everyMs": 3_600_000}, "sessionTarget": "main",
        "wakeMode": "now", "payload": {"kind": "systemEvent", "text": "x"}});
    let job = client.ok("cron.add", job)["id"].as_str().unwrap().to_string();
    let node = Answering::named(&gateway, "kitchen");
    remote_request(&gateway, &Device::new(), &["operator.read"]);
    let waits =
        client.ok("device.pair.list", json!({}))["pending"][0]["requestId"].as_str().unwrap().to_string();
    let typed = [
        ("cron run ", &*job),
        ("cron runs --id ", &job),
        ("devices rename ", &node.id),
        ("devices approve ", &waits),
        ("nodes describe --node ki", "kitchen"),
    ];
    // Nobody who only pressed Tab is made known to a gateway.
    for (name, script) in ASKED {
        for (typed, want) in typed {
            let Some(text) = offers(&here, name, script, typed) else { continue };
            assert!(!text.contains(want), "{name} {typed}: {text}");
        }
    }
    assert!(gateway::command(&here).args(["agents", "list"]).status().unwrap().success());
    for (name, script) in ASKED {
        for (typed, want) in typed {
            let Some(text) = offers(&here, name, script, typed) else { continue };
            assert!(text.contains(want), "{name} {typed}: {text}");
        }
    }
    drop(node);
    let Some(zsh) = interactive_zsh(&here) else { return };
    let mut terminal = Terminal::start(zsh, 80);
    terminal.wait_text(0, "ready: ");
    terminal.type_line(&format!("openclaw cron disable {}\t--js\t", &job[..6]));
    terminal.wait_text(0, "\"enabled\": false");
    terminal.type_line("exit");
    terminal.end();
    std::fs::remove_dir_all(here).unwrap();
}

// Names of sessions are others' words; a shell must not take them for its own.
#[test]
fn i14_7_sessions_jobs_and_devices_are_offered_and_nothing_that_a_shell_would_run() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let proof = gateway.dir.join("proof");
    let trap = format!("$(touch${{IFS}}{})", proof.display());
    for (key, label) in [("notes", "Trip to Rome"), (&*trap, &*trap)] {
        client.ok("sessions.patch", json!({"key": key, "label": label}));
    }
    let listed = client.ok("sessions.list", json!({}));
    let notes = listed["sessions"].as_array().unwrap().iter().find(|row| row["key"] == "agent:main:notes");
    let of_notes = notes.unwrap()["sessionId"].as_str().unwrap().to_string();
    let job = json!({"name": "n", "schedule": {"kind": "every", "everyMs": 3_600_000}, "sessionTarget": "main",
        "wakeMode": "now", "payload": {"kind": "systemEvent", "text": "x"}});
    let id = client.ok("cron.add", job)["id"].as_str().unwrap().to_string();
    wait_for("the index to be written", || {
        let values = gateway.cli(&["__values", "named"]);
        String::from_utf8_lossy(&values.stdout).contains("Trip to Rome").then_some(())
    });
    for ((name, script), label) in ASKED.into_iter().zip(["Trip\\ to\\ Rome\n", "Trip to Rome\n"]) {
        for (typed, want) in [
            ("sessions show agent:main:n", "notes"),
            ("sessions show Tri", label),
            ("sessions show no", "notes"),
            ("agent --session-id ", &of_notes),
            ("sessions show $", ""),
            ("cron run ", &id),
            ("devices rename ", ""),
            ("help ex", "exit-codes"),
            ("help sessions sh", "show"),
            ("config set gateway.bind ", "loopback"),
        ] {
            let Some(text) = offers(&gateway.dir, name, script, typed) else { continue };
            assert!(text.contains(want) && !text.contains("touch"), "{name} {typed}: {text}");
            assert!(!typed.contains("gateway.bind") || !text.contains("gateway."), "{name} {typed}: {text}");
        }
    }
    assert!(!proof.exists(), "a name was run");
}

/// At a terminal, with the completion of its own.
fn interactive_zsh(dir: &Path) -> Option<Command> {
    let mut zsh = shell(dir, "zsh")?;
    let start = "autoload -Uz compinit; compinit -u -D\nsource completion\nunsetopt automenu\nunset zle_bracketed_paste\n\
                 bindkey '^I' complete-word\nPS1='ready: '\n";
    std::fs::write(dir.join(".zshrc"), start).unwrap();
    zsh.arg("-i").env("ZDOTDIR", dir);
    Some(zsh)
}

// N-42: typed with tabs at a terminal, and run.
#[test]
fn n_42_zsh_completes_words_options_and_values() {
    let dir = gateway::new_dir();
    let Some(zsh) = interactive_zsh(&dir) else { return };
    let mut terminal = Terminal::start(zsh, 80);
    let mut at = terminal.wait_text(0, "ready: ");
    for (typed, want) in [
        ("openclaw gatew\tca\t--he\t", "Usage: openclaw gateway call [options] [method]"),
        ("openclaw completion z\t--js\t", "\"shell\": \"zsh\""),
        ("openclaw config get gateway.po\t", "18789"),
        ("openclaw config set gateway.bind loopb\t--he\t", "Usage: openclaw config set"),
        ("openclaw models set openclaw/b\t--he\t", "Usage: openclaw models set"),
        ("openclaw agent --agent m\t--he\t", "Usage: openclaw agent "),
        ("openclaw help exi\t", "130  ended by Ctrl-C"),
    ] {
        terminal.type_line(typed);
        at = terminal.wait_text(at, want);
        at = terminal.wait_text(at, "ready: ");
    }
    terminal.type_line("exit");
    terminal.end();
    std::fs::remove_dir_all(dir).unwrap();
}
