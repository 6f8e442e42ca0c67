//! Every example of every help text is run as it is printed, by a shell, in a house in which what it names is there. What
//! cannot be run is listed with the reason, and with the test that does it.
use crate::devices::remote_request;
use crate::harness::gateway::{command, free_port, new_dir};
use crate::harness::model::texts;
use crate::harness::node::says;
use crate::harness::telegram::Telegram;
use crate::harness::terminal::Terminal;
use crate::harness::*;
use crate::nodes_cli::Answering;
use crate::telegram::said;
use std::cell::{OnceCell, RefCell};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// How examples begin that are not run here, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("openclaw browser", "a browser and a page are needed: browsing/examples.rs"),
    ("openclaw chat --url wss://home.example", "another machine: chat.rs"),
    ("openclaw channels login", "a phone is needed: program_login.rs, whatsapp/"),
    ("openclaw configure", "asks at a terminal: onboard_again.rs"),
    ("openclaw onboard --mode remote", "asks at a terminal: onboard.rs"),
    ("openclaw gateway discover", "asks the whole network: published.rs"),
    ("openclaw gateway probe --ssh", "another machine: remote.rs"),
    ("openclaw node run --host gw.lan", "another machine: node_host.rs"),
    (
        "openclaw backup restore openclaw-backup.tar.gz --in-place",
        "has the gateway start anew: backup_kept.rs",
    ),
    ("openclaw models scan", "a model server at its usual port: models_cli.rs"),
    ("openclaw onboard --non-interactive --install-daemon", "waits for what the service starts: onboard.rs"),
    ("openclaw --profile work uninstall --purge", "asks at a terminal: going.rs"),
    ("openclaw migrate --apply", "needs another service to take over: migrate.rs"),
];
/// What goes on until it is stopped, and what it says when it is at work.
const GOING_ON: &[(&str, &str)] = &[
    ("openclaw gateway", "listening on"),
    ("openclaw gateway --force", "listening on"),
    ("openclaw gateway run --verbose", "listening on"),
    ("openclaw --dev gateway --verbose", "listening on"),
    ("openclaw logs --follow", "turn"),
    ("openclaw node run", "connected"),
];
/// What is at a terminal, and what it shows there.
const AT_TERMINALS: &[(&str, &str)] = &[
    ("openclaw chat", "/help: what"),
    ("openclaw chat --session notes --agent work", "/help: what"),
    ("openclaw status --watch", "Gateway"),
];
/// Run in a home without a gateway, where a service manager does as it is told.
const APART: &[&str] = &[
    "openclaw setup",
    "openclaw --dev setup",
    "openclaw onboard",
    "openclaw migrate",
    "openclaw uninstall",
    "openclaw --profile work uninstall",
    "openclaw backup restore openclaw-backup.tar.gz --replace",
    "openclaw --dev gateway",
    "openclaw node status",
];
/// So with these words behind `gateway`, `daemon` and `node`.
const OF_SERVICE: &[&str] = &["install", "start", "stop", "restart", "uninstall", "--force", "run --verbose"];
/// The same of whole lines.
const NOT_ALONE: &[(&str, &str)] = &[
    ("openclaw onboard", "asks at a terminal: onboard.rs"),
    ("openclaw channels add", "asks at a terminal: channels_cli.rs"),
];

/// The examples in the order of the manual.
pub fn examples(dir: &Path) -> Vec<String> {
    let run = |args: &[&str]| {
        let output = command(dir).args(args).env("COLUMNS", "300").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let page = run(&["__man"]).replace("\\-", "-");
    let mut found = Vec::new();
    for usage in page.lines().filter_map(|line| line.strip_prefix(".SS openclaw ")) {
        let name: Vec<&str> =
            usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
        let help = run(&[&name[..], &["--help"]].concat());
        let (_, below) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{usage}: {help}"));
        for line in below.lines() {
            match (
                line.strip_prefix("  openclaw"),
                line.strip_prefix("    ").filter(|rest| !rest.starts_with(' ')),
            ) {
                (Some(rest), _) => found.push(format!("openclaw{rest}")),
                // A long one goes on.
                (_, Some(rest)) => found.last_mut().unwrap().push_str(&format!(" {rest}")),
                _ => {}
            }
        }
    }
    assert!(found.len() > 180, "{}", found.len());
    found
}

/// What is done before a line that holds this, so that what it names is there or not there yet.
const PREPARED: &[(&str, &str)] = &[
    (
        "openclaw-backup.tar.gz",
        "rm -f openclaw-backup.tar.gz; openclaw backup create --output openclaw-backup.tar.gz",
    ),
    ("channels logout", "openclaw channels add --account work --token $(cat ~/work.token)"),
    ("channels remove", "openclaw channels add --account work --token-file ~/work.token"),
    ("channels add", "openclaw channels remove --account work --delete || true"),
    ("agents add ops", "openclaw agents delete ops --force || true"),
    ("agents delete ops", "openclaw agents list | grep -q ops || openclaw agents add ops --workspace ~/ops"),
    ("set-identity", "openclaw agents list | grep -q ops || openclaw agents add ops --workspace ~/ops"),
    ("unset ui.seamColor", "openclaw config set ui.seamColor '#112233'"),
    ("aliases remove", "openclaw models aliases add fast ollama/llama3.2"),
    ("models fallbacks", "openclaw models set ollama/big"),
    ("fallbacks remove", "openclaw models fallbacks add ollama/llama3.2"),
];

/// Bots of their own.
const SECOND: &str = "888888:WORK_xxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const THIRD: &str = "999999:TOKEN_xxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// What lies in the home.
const FILES: &[(&str, &[u8])] = &[
    ("token.txt", THIRD.as_bytes()),
    ("work.token", SECOND.as_bytes()),
    ("new.json5", b"{}"),
    ("rules.json", br#"{"version":1,"defaults":{"security":"allowlist"}}"#),
    ("ops/IDENTITY.md", b"- Name: Zed\n"),
    ("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9"),
    ("chart.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0"),
];

struct House {
    telegram: Telegram,
    _server: ModelServer,
    gateway: Gateway,
    /// Another home, with a service manager.
    apart: PathBuf,
    /// Made when the first command names one: those before took all devices away.
    nodes: OnceCell<[Answering; 4]>,
    /// One in which nothing was said.
    empty: RefCell<Gateway>,
}

impl House {
    fn build() -> House {
        let telegram = Telegram::start();
        for (id, name) in [(1001, "Ann"), (1002, "Bob")] {
            telegram.user(id, name, &name.to_lowercase());
        }
        telegram.forum(-100123, "Home", &[7]);
        telegram.add_bot(SECOND, "work_bot");
        telegram.add_bot(THIRD, "new_bot");
        let server = ModelServer::start(vec![texts(&["the invoice of the dentist is of tuesday"])]);
        let base = format!("http://127.0.0.1:{}/v1", server.port);
        let model =
            json!({"id": "llama3.2", "name": "Llama", "contextWindow": 64000, "input": ["text", "image"]});
        let other = json!({"id": "big", "name": "Big"});
        let job = json!({"id": "3f2a0000-1111-4111-8111-111111111111", "name": "tea", "enabled": true,
            "createdAtMs": 1_795_224_978_696_u64, "updatedAtMs": 1_795_224_978_696_u64,
            "schedule": {"kind": "every", "everyMs": 86_400_000}, "sessionTarget": "main", "wakeMode": "now",
            "payload": {"kind": "systemEvent", "text": "tea"}, "state": {}});
        let mut weather = job.clone();
        (weather["id"], weather["name"]) = (json!("77770000-1111-4111-8111-111111111111"), json!("weather"));
        let asked = ["camera.snap", "camera.clip", "screen.record", "system.run"];
        let config = json!({
            "gateway": {"nodes": {"allowCommands": asked}},
            "models": {"providers": {"ollama": {"baseUrl": base, "apiKey": "k", "api": "openai-completions", "models": [model, other]}}},
            "agents": {"defaults": {"model": {"primary": "ollama/llama3.2"}}, "list": [{"id": "main"}, {"id": "work"}]},
            "channels": {"telegram": {"botToken": crate::harness::telegram::BOT_TOKEN, "apiRoot": telegram.root(),
                "dmPolicy": "pairing", "allowFrom": ["1001"], "actions": {"sticker": true}}},
        });
        let skill = "---\nname: github\ndescription: Tells it\n---\nLook.";
        let gateway = Gateway::start(
            &Setup::config(config)
                .file("cron/jobs.json", json!({"version": 1, "jobs": [job, weather]}).to_string())
                .file("workspace/skills/github/SKILL.md", skill),
        );
        let house = House {
            telegram,
            _server: server,
            gateway,
            apart: with_services(),
            nodes: OnceCell::new(),
            empty: RefCell::new(Gateway::plain()),
        };
        for home in [house.gateway.dir.join("home"), house.apart.join("home")] {
            for dir in
                ["usb", ".zfunc", ".config/fish/completions", ".local/share/bash-completion/completions"]
            {
                std::fs::create_dir_all(home.join(dir)).unwrap();
            }
            for (name, bytes) in FILES {
                std::fs::create_dir_all(home.join(name).parent().unwrap()).unwrap();
                std::fs::write(home.join(name), bytes).unwrap();
            }
        }
        for session in ["main", "notes", "agent:work:main"] {
            house.must(&format!("openclaw agent -m 'the invoice' --session-key {session}"));
        }
        house.telegram.says(1001, 1001, "hi");
        said(&house.telegram, 1001, 1);
        house.telegram.says(1002, 1002, "let me in");
        for set in ["gateway.mode local", "gateway.auth.token sixteen-letters-"] {
            let done = house.shell(&format!("openclaw config set {set}"), &house.apart);
            assert!(done.status.success(), "{done:?}");
        }
        house
    }

    /// Runs a line as it is typed, with what it reads.
    fn shell(&self, line: &str, dir: &Path) -> Output {
        let mut shell = self.typed(line, dir);
        let mut child =
            shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Most read nothing.
        let _ = child.stdin.take().unwrap().write_all(format!("{THIRD}\n").as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a line that goes on until it says this, and stops it.
    fn stopped(&self, line: &str, says: &str, dir: &Path) -> Output {
        let script = format!(
            "{line} > said 2>&1 & for n in $(seq 400); do grep -q '{says}' said && break; sleep 0.05; done; \
             kill $!; wait $!; ended=$?; grep '{says}' said || cat said; grep -q '{says}' said && [[ $ended = 0 || $ended = 143 ]]"
        );
        let mut shell = self.typed(&script, dir);
        if dir == self.apart {
            shell.env("OPENCLAW_GATEWAY_PORT", free_port().to_string());
        }
        shell.output().unwrap()
    }

    /// Runs a line at a terminal until it shows this, and ends it by Ctrl-D or a signal.
    fn shown(&self, line: &str, shows: &str) {
        let mut terminal = Terminal::start(self.typed(line, &self.gateway.dir), 80);
        terminal.wait_text(0, shows);
        terminal.keys("\u{4}");
        if line.contains("--watch") {
            let pid = rustix::process::Pid::from_raw(terminal.pid() as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        }
        let (status, text) = terminal.end();
        assert!(matches!(status, Some(0 | 130)), "{line}: {status:?} {text}");
    }

    fn typed(&self, line: &str, dir: &Path) -> std::process::Command {
        let like = command(dir);
        let mut shell = std::process::Command::new("bash");
        shell.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let program = Path::new(env!("CARGO_BIN_EXE_openclaw")).parent().unwrap();
        shell.env("PATH", format!("{}:{}:/usr/bin:/bin", dir.join("bin").display(), program.display()));
        shell.env("EDITOR", "true").env("OPENCLAW_SERVICE_MANAGER", "systemd-user");
        // Services of the machine are written below it.
        shell.env("OPENCLAW_SERVICE_ROOT", dir.join("root"));
        if dir == self.gateway.dir {
            shell.env("OPENCLAW_GATEWAY_PORT", self.gateway.port.to_string());
        }
        shell.args(["-c", line]).current_dir(dir.join("home"));
        shell
    }

    fn must(&self, line: &str) -> String {
        let output = self.shell(line, &self.gateway.dir);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn told(&self, line: &str) -> Value {
        serde_json::from_str(&self.must(&format!("{line} --json"))).unwrap()
    }

    /// The line with what this house has in place of what it names, which is made where it is not there.
    fn fitted(&self, line: &str, dir: &Path) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let mut line = line.replace("/mnt/usb", "~/usb");
        if line.contains(":18789 --token s3cret") {
            *self.empty.borrow_mut() = Gateway::plain();
            let port = self.empty.borrow().port;
            line = line.replace(":18789 --token s3cret", &format!(":{port} --token {TOKEN}"));
        }
        if line.starts_with("openclaw nodes approve") || line.starts_with("openclaw nodes reject") {
            let client = Client::open_with(&self.gateway, &[("X-Forwarded-For", "203.0.113.9")]);
            assert!(Node::from(client, &Device::new(), says(4, "linux", &[])).is_err(), "it waits");
            let asks = &self.told("openclaw nodes pending")[0]["requestId"];
            line = line.replace("3f0c2a", asks.as_str().unwrap());
        }
        if line.starts_with("openclaw nodes") {
            let names = ["kitchen", "phone", "desk", "nas"];
            let nodes = self.nodes.get_or_init(|| names.map(|name| Answering::named(&self.gateway, name)));
            line = line.replace("4be1", &nodes[0].id[..8]);
        }
        if line.starts_with("openclaw devices") {
            remote_request(&self.gateway, &Device::new(), &["operator.read"]);
        }
        if line.contains("3f0c2a") {
            line =
                line.replace("3f0c2a", &text(&self.told("openclaw devices list")["pending"][0]["requestId"]));
        }
        if line.contains("4be1") {
            self.must("openclaw devices approve --latest");
            line = line.replace("4be1", &text(&self.told("openclaw devices list")["paired"][0]["deviceId"]));
        }
        if line.contains("Z86UMBHV") {
            let waits = wait_for("a stranger's code", || {
                let listed = self.told("openclaw pairing list telegram");
                listed["requests"][0]["code"].as_str().map(str::to_string)
            });
            line = line.replace("Z86UMBHV", &waits);
        }
        if line.contains("--message-id 8") {
            let sent = self.told("openclaw message send --target 1001 --message x");
            let id = sent.pointer("/payload/messageId").or(sent.get("messageId")).cloned().unwrap_or(sent);
            line =
                line.replace("--message-id 8", &format!("--message-id {}", id.to_string().trim_matches('"')));
        }
        if line.contains("CAACAgIAAxk") {
            line = line.replace("CAACAgIAAxk", &self.telegram.world().add_file("sticker.webp", b"RIFF"));
        }
        for (part, first) in PREPARED.iter().filter(|(part, _)| line.contains(part)) {
            assert!(self.shell(first, dir).status.success(), "{part}: {first}");
        }
        line
    }
}

/// A home with a `systemctl` for which every service runs.
fn with_services() -> PathBuf {
    let dir = new_dir();
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    for name in ["systemctl", "loginctl"] {
        let path = dir.join("bin").join(name);
        let script = "#!/bin/sh\ncase \"$*\" in *show*) printf 'ActiveState=active\\nMainPID=1\\n';; esac\n";
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    dir
}

#[test]
fn i14_7_every_example_of_every_help_text_runs() {
    let house = House::build();
    let examples = examples(&house.gateway.dir);
    for (start, reason) in NOT_RUN.iter().chain(NOT_ALONE).chain(GOING_ON).chain(AT_TERMINALS) {
        assert!(
            examples.iter().any(|line| line.starts_with(start)),
            "{start} ({reason}) is no example any more"
        );
    }
    let mut failed = Vec::new();
    for line in &examples {
        let begins = NOT_RUN.iter().any(|(start, _)| line.starts_with(start));
        if begins || NOT_ALONE.iter().any(|(whole, _)| line == whole) {
            continue;
        }
        if let Some((_, shows)) = AT_TERMINALS.iter().find(|(whole, _)| line == whole) {
            house.shown(line, shows);
            continue;
        }
        let of_service = |rest: &str| OF_SERVICE.iter().any(|verb| rest.starts_with(verb));
        let rest = ["gateway ", "daemon ", "node "];
        let rest = rest.iter().find_map(|group| line.strip_prefix("openclaw ")?.strip_prefix(group));
        let is_apart = rest.is_some_and(of_service)
            || line == "openclaw gateway"
            || APART.iter().any(|start| line.starts_with(start));
        let dir = if is_apart { &house.apart } else { &house.gateway.dir };
        let fitted = house.fitted(line, dir);
        let output = match GOING_ON.iter().find(|(whole, _)| line == whole) {
            Some((_, says)) => house.stopped(&fitted, says, dir),
            None => house.shell(&fitted, dir),
        };
        if !output.status.success() {
            failed.push(format!("{fitted}: {output:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    std::fs::remove_dir_all(&house.apart).unwrap();
}
