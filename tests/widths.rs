//! N-34: what commands print at a terminal of 80 columns, with names as long as people have them.
use super::harness::gateway::command;
use super::harness::terminal::{Terminal, lines};
use super::harness::*;
use std::process::Command;

const LONG: &str = "a-model-with-a-very-long-name-of-its-own-instruct-2026-11-29-q4_K_M-extended-context";
const ID: &str = "3f0c2a4e-9b7d-4c1f-8a26-0d5e7f913b48";

/// A configuration in which everything is long.
fn setup() -> Setup {
    let provider = json!({"baseUrl": "http://127.0.0.1:9/a/path/that/goes/on/for/quite/a/while/v1/and/further/still/x",
        "api": "openai-completions", "apiKey": "k",
        "models": [{"id": LONG, "name": LONG, "contextWindow": 64000}]});
    let config = json!({
        "models": {"providers": {"a-server-with-a-long-name": provider}},
        "agents": {
            "defaults": {"model": {"primary": format!("a-server-with-a-long-name/{LONG}"), "fallbacks": ["openclaw/builtin"]}},
            "list": [{"id": "main"}, {"id": "an-agent-with-a-long-name-for-the-nightly-reports-of-the-house"}],
        },
        "channels": {"telegram": {"enabled": true}, "whatsapp": {"enabled": true}},
        "cron": {"enabled": true}, "hooks": {"enabled": true, "token": "hook-token-hook-token"},
        "a-key-that-nobody-reads-and-that-has-a-very-long-name-of-its-own-for-this-test": 1,
    });
    let entry = json!({"sessionId": ID, "updatedAt": 1_790_000_000_000_u64, "model": LONG, "totalTokens": 12_345,
        "contextTokens": 64_000, "thinkingLevel": "high", "abortedLastRun": true});
    let store = json!({"agent:main:main": entry, format!("agent:main:explicit:{ID}"): entry,
        format!("agent:main:{LONG}:{ID}"): entry});
    Setup::config(config).file("agents/main/sessions/sessions.json", store.to_string())
}

fn too_wide(text: &str, most: usize) -> Vec<String> {
    lines(text).into_iter().filter(|line| line.chars().count() > most).collect()
}

/// The tables and lists of fields, each once.
const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["status", "--all", "--deep", "--usage"],
    &["sessions"],
    &["sessions", "show", "explicit"],
    &["sessions", "show", "nobody"],
    &["sessions", "search", "nothing"],
    &["clients"],
    &["usage"],
    &["health"],
    &["health", "--verbose"],
    &["doctor"],
    &["security", "audit"],
    &["devices", "list"],
    &["agents", "list"],
    &["agents", "list", "--bindings"],
    &["models"],
    &["models", "list"],
    &["models", "status"],
    &["models", "fallbacks"],
    &["models", "aliases"],
    &["models", "scan"],
    &["gateway", "status"],
    &["gateway", "status", "--deep"],
    &["gateway", "probe"],
    &["gateway", "health"],
    &["gateway", "usage-cost"],
    &["config", "validate"],
    &["config", "diff"],
    &["backup", "create", "--verify"],
    &["dashboard", "--no-open"],
    &["completion", "csh"],
    &["gateway", "call", "nope"],
    &["modles"],
    &["--help"],
];

#[test]
fn n_34_nothing_is_wider_than_the_terminal() {
    let gateway = Gateway::start(&setup());
    let port = gateway.port.to_string();
    // A home with a long path, as much as a socket's name allows.
    let at = |args: &[&str]| -> Command {
        let mut command = command(&gateway.dir);
        command.args(args).env("OPENCLAW_GATEWAY_PORT", &port).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
        command
    };
    let mut wrong = String::new();
    for args in COMMANDS {
        let (_, text) = Terminal::start(at(args), 80).end();
        assert!(!text.trim().is_empty() && !text.contains("panicked"), "{args:?}: {text}");
        let wide: Vec<String> =
            too_wide(&text, 80).into_iter().filter(|line| !line.starts_with("Dashboard URL: ")).collect();
        if !wide.is_empty() {
            wrong += &format!("{args:?}: {wide:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // The same where `COLUMNS` says so, and nothing is cut in a pipe.
    let narrow = at(&["sessions"]).env("COLUMNS", "80").output().unwrap();
    let narrow = String::from_utf8(narrow.stdout).unwrap();
    assert!(too_wide(&narrow, 80).is_empty(), "{narrow}");
    let piped = String::from_utf8(at(&["sessions"]).output().unwrap().stdout).unwrap();
    let row = piped.lines().find(|line| line.contains(&format!("agent:main:{LONG}"))).unwrap();
    assert!(row.contains(ID) && row.contains("think:high aborted"), "{piped}");
    let unfolded: String = narrow.split_whitespace().collect();
    assert!(unfolded.contains(&format!("agent:main:{LONG}:{ID}")), "nothing is left out: {narrow}");
}

/// N-34: help of every level is folded at a narrower terminal too, and keeps its columns.
#[test]
fn n_34_help_is_folded_at_narrow_terminals() {
    let dir = gateway::new_dir();
    for columns in [40, 60] {
        for args in [
            &["help", "all"][..],
            &["gateway", "run", "--help"],
            &["gateway", "call", "--help"],
            &["onboard", "--help"],
        ] {
            let mut help = command(&dir);
            help.args(args);
            let (status, text) = Terminal::start(help, columns).end();
            assert_eq!(status, Some(0), "{args:?}: {text}");
            assert!(too_wide(&text, columns.into()).is_empty(), "{columns} {args:?}: {text}");
            assert!(
                lines(&text)
                    .iter()
                    .any(|line| line.starts_with("  -h, --help  ") || line.trim() == "-h, --help")
            );
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// Types an answer at each question, in their order.
fn answer(terminal: &mut Terminal, answers: &[(&str, &str)]) {
    let mut at = 0;
    for (question, answer) in answers {
        at = terminal.wait_text(at, question);
        wait_for("the end of the question", || terminal.text().ends_with(": ").then_some(()));
        terminal.type_line(answer);
    }
}

/// Everything asked, with answers that will not do among them.
#[test]
fn n_34_the_wizard_fits_and_asks_again() {
    let dir = gateway::new_dir();
    let port = gateway::free_port().to_string();
    let mut wizard = command(&dir);
    wizard.arg("onboard");
    std::fs::write(dir.join("home/a-file"), "").unwrap();
    let mut terminal = Terminal::start(wizard, 80);
    let question = "Port of the gateway";
    answer(
        &mut terminal,
        &[
            ("Go on? (y/N): ", "perhaps"),
            ("answer y or n", "y"),
            ("Use the usual settings", "n"),
            ("Where does the gateway run?", "7"),
            ("answer a number from 1 to 2", "1"),
            ("Workspace of the agent", "~/a-file"),
            ("that is no directory", ""),
            ("Which model answers?", "openclaw/builtin"),
            (question, "70000"),
            ("a port is a number from 1 to 65535", &port),
            ("Who may reach it", "lan"),
            ("How do clients prove themselves?", "1"),
            ("The token", "short"),
            ("16 characters", &port),
            ("Who may reach it", "loopback"),
            ("How do clients prove themselves?", "password"),
            ("The password", ""),
            ("does not start without a password", "canary-typed-password"),
            ("Connect a Telegram bot?", "n"),
            ("Install the service", "n"),
        ],
    );
    let (status, text) = terminal.end();
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("Next: openclaw gateway") && !text.contains("canary"), "{text}");
    assert!(too_wide(&text, 80).is_empty(), "{text}");
    let config = std::fs::read_to_string(dir.join("home/.openclaw/openclaw.json")).unwrap();
    assert!(config.contains(&port) && config.contains("canary-typed-password"), "{config}");
    assert!(!config.contains("short") && !config.contains("lan"), "{config}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn n_34_the_wizard_stopped_half_way_leaves_nothing() {
    let dir = gateway::new_dir();
    for (answers, last) in [
        (&[][..], "Go on?"),
        (
            &[("Go on?", "y"), ("usual settings", "n"), ("run?", "1"), ("Workspace", "")],
            "Which model answers?",
        ),
    ] {
        let mut wizard = command(&dir);
        wizard.arg("onboard");
        let mut terminal = Terminal::start(wizard, 80);
        answer(&mut terminal, answers);
        terminal.wait_text(0, last);
        let pid = rustix::process::Pid::from_raw(terminal.pid() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let (status, text) = terminal.end();
        assert_eq!(status, None, "ended by the signal: {text}");
        assert!(!dir.join("home/.openclaw/openclaw.json").exists(), "{text}");
        assert!(!dir.join("home/.openclaw/workspace").exists(), "{text}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// N-35: what a command waits for is said, and is gone afterwards; what comes meanwhile has a line of its own.
#[test]
fn n_35_waiting_is_told_and_erased() {
    let dir = gateway::new_dir();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", silent.local_addr().unwrap());
    for args in
        [&["health"][..], &["gateway", "call", "status"], &["devices", "list"], &["gateway", "usage-cost"]]
    {
        let mut asking = command(&dir);
        asking.args(args).args(["--url", &url, "--token", "t", "--timeout", "1300ms"]);
        let (status, text) = Terminal::start(asking, 80).end();
        assert_ne!(status, Some(0), "{args:?}: {text}");
        assert!(text.contains(&format!("asking the gateway at {url} ... 0 s")), "{args:?}: {text:?}");
        assert!(text.contains("... 1 s\u{1b}[K\r\u{1b}[K"), "erased before the error: {args:?}: {text:?}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
