//! What the command line prints: for a terminal, for a pipe, and when somebody else's text is hostile.
use super::harness::gateway::command;
use super::harness::model::texts;
use super::harness::*;
use std::process::{Output, Stdio};

/// Everything that must not reach a terminal or a script raw.
const HOSTILE: &str = "a\u{1b}]0;x\u{7}\u{1b}[2J\u{9b}31mb\u{7f}\u{85}\u{202e}c\u{2066}d\u{200f}\u{61c}\u{feff}\u{e0041}\u{2028}e\r\u{8}";

fn is_raw(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
}

fn check(what: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(bytes);
        let raw: Vec<char> = text.chars().filter(|c| is_raw(*c)).collect();
        assert!(raw.is_empty(), "{what}: {raw:?} in {text:?}");
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// S-M7: names, answers, settings and log lines of others, in everything that shows them, as text and as JSON.
#[test]
fn s_m7_hostile_text_reaches_no_terminal_raw() {
    let server = ModelServer::start(vec![texts(&[HOSTILE])]);
    let mut config = server.config();
    merge(
        &mut config,
        &json!({"agents": {"list": [{"id": "main", "name": HOSTILE, "identity": {"name": HOSTILE}}]}}),
    );
    let store =
        json!({"agent:main:x": {"updatedAt": 5, "model": HOSTILE, "sessionId": HOSTILE, "label": HOSTILE}});
    let line = json!({"0": HOSTILE, "1": HOSTILE, "_meta": {"logLevelName": HOSTILE, "name": HOSTILE}, "time": HOSTILE});
    let setup = Setup::config(config)
        .file("agents/main/sessions/other.json", store.to_string())
        .file("other.log", format!("{line}\n{HOSTILE}\n"));
    let gateway = Gateway::start(&setup);
    let mut client = Client::named(&gateway, json!({"client": {"displayName": HOSTILE}}));
    client.ok("sessions.patch", json!({"key": "agent:main:h", "label": "h"}));
    // A line that the gateway did not write.
    let log = gateway.dir.join("gateway.log");
    let mut text = std::fs::read_to_string(&log).unwrap();
    text += &format!("{line}\n{HOSTILE}\n");
    std::fs::write(&log, text).unwrap();
    let other = gateway.state_dir().join("agents/main/sessions/other.json").display().to_string();
    let commands: [&[&str]; 24] = [
        &["agent", "-m", HOSTILE],
        &["agent", "-m", HOSTILE, "--stream"],
        &["agent", "-m", "x", "--session-key", HOSTILE],
        &["agents"],
        &["config", "get", "agents.list[0].name"],
        &["config", "get", HOSTILE],
        &["config", "set", HOSTILE, "1"],
        &["config", "validate"],
        &["devices", "list"],
        &["devices", "approve", HOSTILE],
        &["doctor"],
        &["gateway", "call", "chat.history", "--params", "{\"sessionKey\":\"main\"}"],
        &["gateway", "call", HOSTILE],
        &["gateway", "probe"],
        &["gateway", "status"],
        &["health"],
        &["logs"],
        &["models", "status"],
        &["sessions", "--store", &other],
        &["sessions", "--agent", HOSTILE],
        &["status"],
        &["status", "--all"],
        &[HOSTILE],
        &["agent", "--profile", HOSTILE],
    ];
    for args in commands {
        for json in [false, true] {
            let mut args = args.to_vec();
            args.extend(json.then_some("--json"));
            check(&format!("{args:?}"), &gateway.cli(&args));
        }
    }
    check(
        "the gateway",
        &Output {
            status: Default::default(),
            stdout: gateway.stdout().into(),
            stderr: gateway.stderr().into(),
        },
    );
}

/// S-M7: whoever squats on the port chooses the text of every refusal.
#[test]
fn s_m7_a_hostile_gateway_steers_no_terminal() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::Builder::new()
        .spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = [0; 4096];
                // What it reads does not matter.
                let _ = stream.read(&mut head);
                let _ = write!(stream, "HTTP/1.1 403 {HOSTILE}\r\nContent-Length: 5\r\n\r\n{HOSTILE}");
            }
        })
        .unwrap();
    let dir = gateway::new_dir();
    let url = format!("ws://127.0.0.1:{port}");
    for args in
        [&["health"][..], &["logs"], &["devices", "list"], &["agent", "-m", "x"], &["gateway", "probe"]]
    {
        for json in [&[][..], &["--json"]] {
            let output = command(&dir)
                .args(args)
                .args(["--url", &url, "--token", "t", "--timeout", "3s"])
                .args(json)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            check(&format!("{args:?}"), &output);
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

/// N-1, N-45: a word before a tool call is said once on every surface.
#[test]
fn n_1_what_is_said_before_a_tool_call_is_printed_once() {
    let call = |arguments: &str| {
        let call = Step::Call { id: "c1".into(), name: "write".into(), arguments: arguments.into() };
        Reply::Stream(vec![
            Step::Text("Let me write".into()),
            Step::Text(" that down.".into()),
            call,
            Step::Done,
        ])
    };
    let write = json!({"path": "note.txt", "content": "x"}).to_string();
    let first = call(&write);
    let answer = texts(&["It is", " written."]);
    let replies = [first, answer].into_iter().cycle().take(6).collect();
    let server = ModelServer::start(replies);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let want = "Let me write that down.\nIt is written.\n";
    for way in ["--stream", "--no-stream"] {
        let output = gateway.cli(&["agent", "-m", "note it", way]);
        assert_eq!(stdout(&output), want, "{way}: {}", stderr(&output));
    }
    let mut client = Client::operator(&gateway, 4);
    let id = client.ask("agent", json!({"message": "note it", "sessionKey": "main", "idempotencyKey": "k"}));
    client.answer(&id).unwrap();
    let done = client.answer(&id).unwrap();
    let payloads = done["result"]["payloads"].as_array().unwrap().iter().map(|p| p["text"].as_str().unwrap());
    assert_eq!(payloads.collect::<Vec<_>>(), ["Let me write that down.", "It is written."]);
    let mut told = String::new();
    let mut last = Value::Null;
    for frame in client.kept() {
        let payload = &frame["payload"];
        match frame["event"].as_str() {
            Some("agent") if payload["stream"] == "assistant" => {
                told += payload["data"]["delta"].as_str().unwrap();
            }
            Some("chat") => last = payload.clone(),
            _ => {}
        }
    }
    assert_eq!(told, "Let me write that down.It is written.");
    if last["state"] == "final" {
        assert_eq!(super::agent::text_of(&last["message"]), "It is written.");
    }
}

/// N-13: stdout is the answer alone. N-14: a call that needs a key gets a new one each time.
#[test]
fn n_13_n_14_gateway_call_gives_json_and_makes_its_key() {
    let server = ModelServer::start(vec![texts(&["hi"])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let output = gateway.cli(&["gateway", "call", "health"]);
    assert!(serde_json::from_str::<Value>(&stdout(&output)).is_ok(), "{}", stdout(&output));
    assert!(stderr(&output).contains("Gateway call: health"));
    for n in 1..=2 {
        let output =
            gateway.cli(&["gateway", "call", "agent", "--params", "{\"message\":\"x\"}", "--expect-final"]);
        let answer: Value =
            serde_json::from_str(&stdout(&output)).unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)));
        assert_eq!(answer["status"], "ok");
        assert_eq!(server.count(), n, "each call is a new turn");
    }
    let unknown = stderr(&gateway.cli(&["gateway", "call", "helth"]));
    assert!(unknown.contains("gateway call --list"), "N-38: {unknown}");
    assert_eq!(unknown.matches("rror: ").count(), 0, "N-43: {unknown}");
}

/// N-24: FORCE_COLOR gives colours to a pipe, NO_COLOR and `--no-color` take them away.
#[test]
fn n_24_force_color_forces() {
    let gateway = Gateway::plain();
    let port = gateway.port.to_string();
    let check = |vars: &[(&str, &str)], args: &[&str], colored: bool| {
        let mut all = vec![("OPENCLAW_GATEWAY_PORT", port.as_str())];
        all.extend(vars);
        let output = gateway.cli_env(args, &all);
        assert_eq!(stdout(&output).contains("\u{1b}[1m"), colored, "{vars:?} {args:?}");
    };
    check(&[], &["sessions"], false);
    check(&[("FORCE_COLOR", "1")], &["gateway", "probe"], true);
    check(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], &["gateway", "probe"], true);
    check(&[("FORCE_COLOR", "0")], &["gateway", "probe"], false);
    check(&[("FORCE_COLOR", "1")], &["gateway", "probe", "--no-color"], false);
    for (args, colored) in
        [(&["logs"][..], true), (&["logs", "--plain"], false), (&["logs", "--no-color"], false)]
    {
        let told = stdout(&gateway.cli_env(args, &[("FORCE_COLOR", "1")]));
        assert_eq!(told.contains("\u{1b}[36m"), colored, "{args:?} {told}");
    }
}

/// N-33: Ctrl-C stops the run on the gateway, says so and ends with 130.
#[test]
fn n_33_ctrl_c_stops_the_run() {
    let server =
        ModelServer::start(vec![Reply::Stream(vec![Step::Text("Well".into()), Step::Gate, Step::Done])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let mut child = command(&gateway.dir)
        .args(["agent", "-m", "x"])
        .envs([
            ("OPENCLAW_GATEWAY_PORT", gateway.port.to_string().as_str()),
            ("OPENCLAW_GATEWAY_TOKEN", TOKEN),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the model to be asked", || (server.count() == 1).then_some(()));
    let mut client = Client::operator(&gateway, 4);
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    wait_for("its end", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("was ended on the gateway"), "{}", stderr(&output));
    let aborted = client.ok("chat.abort", json!({"sessionKey": "main"}));
    assert_eq!(aborted["aborted"], false, "nothing runs any more");
    server.release();
}

/// N-31: the log tells of each finished turn, and not of each command that came and went.
#[test]
fn n_31_a_turn_is_a_line_of_the_log() {
    let failed = Reply::Status(400, vec![], "{\"error\":{\"message\":\"no such model\"}}".into());
    let server = ModelServer::start(vec![texts(&["hi"]), failed]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    gateway.cli(&["agent", "-m", "x"]);
    gateway.cli(&["agent", "-m", "y"]);
    let line = |text: &str| {
        let found = |log: String| log.lines().find(|line| line.contains(text)).map(str::to_string);
        wait_for(text, || found(gateway.log()))
    };
    let done = line("turn ✓ ");
    for part in ["agent:main:main", "test/m", " s, tokens ", "\"INFO\""] {
        assert!(done.contains(part), "{part}: {done}");
    }
    assert!(line("turn ✗ ").contains("\"WARN\""));
    assert!(!gateway.log().contains("connect conn="), "{}", gateway.log());
    let console = gateway.stdout();
    let stamp = console.lines().next().unwrap().split(' ').next().unwrap();
    assert_eq!((stamp.len(), stamp.ends_with('Z')), (24, true), "N-34: a time of fixed width: {stamp}");
}

/// N-24: a foreground gateway has its levels in colours at a terminal, and goes by what the commands go by.
#[test]
fn n_24_the_gateways_own_lines_have_colours() {
    let start = |vars: &[(&str, &str)], more: &[&str]| {
        let dir = gateway::new_dir();
        let mut command = gateway::command(&dir);
        let port = gateway::free_port().to_string();
        std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
        std::fs::write(dir.join("home/.openclaw/openclaw.json"), "{mystery: 1}").unwrap();
        command.args(["gateway", "--allow-unconfigured", "--token", TOKEN, "--port", &port]);
        command.args(more).envs(vars.iter().copied());
        let terminal = terminal::Terminal::start(command, 200);
        terminal.wait_text(0, "mystery");
        terminal.wait_text(0, "listening on");
        let text = terminal.text();
        drop(terminal);
        std::fs::remove_dir_all(dir).unwrap();
        text
    };
    assert!(start(&[], &[]).contains(" \u{1b}[33m[WARN]\u{1b}[0m "), "{}", start(&[], &[]));
    for (vars, more) in
        [(&[("NO_COLOR", "1")][..], &[][..]), (&[("FORCE_COLOR", "0")], &[]), (&[], &["--no-color"])]
    {
        let text = start(vars, more);
        assert!(text.contains(" [WARN] ") && !text.contains('\u{1b}'), "{vars:?} {more:?}: {text}");
    }
    let warned = |setup: Setup, want: &str| {
        let gateway = Gateway::start(&setup);
        wait_for(want, || gateway.stdout().contains(want).then_some(()));
        gateway.stdout()
    };
    let unread = || Setup::config(json!({"mystery": 1}));
    assert!(!warned(unread(), " [WARN] ").contains('\u{1b}'), "a pipe");
    warned(unread().env("FORCE_COLOR", "1"), " \u{1b}[33m[WARN]\u{1b}[0m ");
}

/// A command with a terminal of its own, by script(1) of util-linux; nothing where that is not installed.
fn on_a_terminal(gateway: &Gateway, args: &[&str]) -> Option<std::process::Child> {
    on_one_called(gateway, args, "xterm")
}

fn on_one_called(gateway: &Gateway, args: &[&str], term: &str) -> Option<std::process::Child> {
    if !std::path::Path::new("/usr/bin/script").exists() || !cfg!(target_os = "linux") {
        return None;
    }
    let mut line = format!("'{}'", env!("CARGO_BIN_EXE_openclaw"));
    args.iter().for_each(|arg| line += &format!(" '{arg}'"));
    let mut script = std::process::Command::new("/usr/bin/script");
    script.args(["-qec", &line, "/dev/null"]).env_clear().current_dir(&gateway.dir);
    script.env("HOME", gateway.dir.join("home")).env("PATH", "/usr/bin:/bin").env("TERM", term);
    script.env("SHELL", "/bin/sh").env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string());
    script.env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    Some(script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// N-35: what is waited for stands there after a moment, with the seconds, and is erased; short waits say nothing.
#[test]
fn n_35_a_wait_is_told_with_its_seconds_and_erased() {
    let reply = Reply::Stream(vec![Step::Gate, Step::Text("Well".into()), Step::Done]);
    let server = ModelServer::start(vec![reply]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let Some(child) = on_a_terminal(&gateway, &["agent", "-m", "x"]) else { return };
    wait_for("the model to be asked", || (server.count() == 1).then_some(()));
    std::thread::sleep(Duration::from_millis(1500));
    server.release();
    let seen = stdout(&child.wait_with_output().unwrap());
    let (first, last) = (seen.find(" ... 0 s").expect(&seen), seen.rfind(" ... 1 s").expect(&seen));
    assert!(first < last, "{seen:?}");
    assert!(seen[last..].contains("\r\u{1b}[K"), "erased: {seen:?}");
    for args in [&["status"][..], &["devices", "list"], &["gateway", "status"], &["gateway", "probe"]] {
        let child = on_a_terminal(&gateway, args).unwrap();
        let seen = stdout(&child.wait_with_output().unwrap());
        let left = seen.rfind("asking").map(|at| &seen[at..]);
        assert!(left.is_none_or(|left| left.contains("\r\u{1b}[K")), "{args:?}: {seen:?}");
    }
}

/// N-35: a terminal that cannot erase gets nothing that would have to be.
#[test]
fn n_35_a_dumb_terminal_gets_no_marks() {
    let reply = Reply::Stream(vec![Step::Gate, Step::Text("Well".into()), Step::Done]);
    let server = ModelServer::start(vec![reply]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let Some(child) = on_one_called(&gateway, &["agent", "-m", "x"], "dumb") else { return };
    wait_for("the model to be asked", || (server.count() == 1).then_some(()));
    std::thread::sleep(Duration::from_millis(700));
    server.release();
    let seen = stdout(&child.wait_with_output().unwrap());
    assert!(seen.contains("Well") && !seen.contains('\u{1b}'), "{seen:?}");
    let seen = stdout(&on_one_called(&gateway, &["status"], "dumb").unwrap().wait_with_output().unwrap());
    assert!(seen.contains("Gateway") && !seen.contains('\u{1b}'), "{seen:?}");
}

/// N-33: the second Ctrl-C leaves at once, also while the gateway does not answer.
#[test]
fn n_33_the_second_ctrl_c_leaves_at_once() {
    let server =
        ModelServer::start(vec![Reply::Stream(vec![Step::Text("Well".into()), Step::Gate, Step::Done])]);
    let gateway = Gateway::start(&Setup::config(server.config()));
    let log = gateway.dir.join("stderr.txt");
    let mut child = command(&gateway.dir)
        .args(["agent", "-m", "x"])
        .env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string())
        .env("OPENCLAW_GATEWAY_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    wait_for("the model to be asked", || (server.count() == 1).then_some(()));
    // From now on nobody answers: the first signal cannot stop the run.
    gateway.signal(rustix::process::Signal::STOP);
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    let press = || rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    press();
    wait_for("the first to be told", || {
        std::fs::read_to_string(&log).unwrap().contains("Ctrl-C again leaves at once").then_some(())
    });
    assert!(child.try_wait().unwrap().is_none(), "it waits for the run's end");
    let start = Instant::now();
    press();
    let status = wait_for("its end", || child.try_wait().unwrap());
    gateway.signal(rustix::process::Signal::CONT);
    assert_eq!(status.code(), Some(130), "{}", std::fs::read_to_string(&log).unwrap());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    server.release();
}
