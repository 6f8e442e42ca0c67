//! Channels as programs: the example of docs/channel-programs.md carries messages, and programs that misbehave hurt only
//! themselves.
use super::harness::gateway::new_dir;
use super::harness::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/channel_echo.py");

/// The platform of the example: a folder and a file outside of the gateway's own.
pub struct Platform {
    pub dir: PathBuf,
}

impl Platform {
    pub fn new() -> Platform {
        let dir = new_dir();
        std::fs::create_dir(dir.join("in")).unwrap();
        Platform { dir }
    }

    pub fn section(&self) -> Value {
        json!({"command": ["python3", EXAMPLE], "dmPolicy": "open", "allowFrom": ["*"],
            "inbox": self.dir.join("in"), "outbox": self.dir.join("out")})
    }

    /// The same of a program that takes files too, and writes down which.
    fn section_with_media(&self) -> Value {
        let program = std::fs::read_to_string(EXAMPLE).unwrap();
        let (before, after) = ("capabilities=[", "\"text\": line[\"text\"]");
        assert!(program.contains(before) && program.contains(after));
        let program = program.replace(before, "capabilities=[\"media\", ");
        let program = program.replace(after, "\"text\": line[\"text\"], \"media\": line.get(\"media\")");
        let mut section = self.section();
        section["command"] = json!(["python3", "-c", program]);
        section
    }

    pub fn says(&self, person: &str, n: usize, text: &str) {
        let hidden = self.dir.join(format!("in/.{person}"));
        std::fs::write(&hidden, text).unwrap();
        std::fs::rename(hidden, self.dir.join(format!("in/{person}-{n}"))).unwrap();
    }

    /// What was said to each person.
    pub fn heard(&self) -> BTreeMap<String, Vec<String>> {
        let text = std::fs::read_to_string(self.dir.join("out")).unwrap_or_default();
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_string();
            all.entry(text("to")).or_default().push(text("text"));
        }
        all
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // Litter in the temporary directory is no failed test.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub fn config(server: &ModelServer, channels: Value) -> Value {
    let mut config = server.config();
    merge(&mut config, &json!({"session": {"dmScope": "per-channel-peer"}, "channels": channels}));
    config
}

/// The processes whose parent this is.
fn children(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let is_child = |pid_of: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid_of}/stat")).unwrap_or_default();
        let rest = stat.rsplit(')').next().unwrap_or_default();
        rest.split_whitespace().nth(1) == Some(&pid.to_string()) && !rest.trim_start().starts_with('Z')
    };
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

#[test]
fn a_program_brings_messages_and_carries_answers() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["hello **Ann**"])]);
    let mut section = platform.section();
    merge(&mut section, &json!({"dmPolicy": "pairing", "allowFrom": ["ann"], "apiKey": "s3cret-of-echo"}));
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    platform.says("ann", 1, "hi");
    platform.says("bob", 1, "let me in");
    let heard = wait_for("both answers", || Some(platform.heard()).filter(|heard| heard.len() == 2));
    // Plain, as its capabilities ask.
    assert_eq!(heard["ann"], ["hello Ann"]);
    assert!(heard["bob"][0].contains("Your Echo user id: bob"), "{heard:?}");
    let asked = model::last_user_text(&server.requests(1)[0]["body"]);
    assert!(asked.starts_with("[Echo id:ann ") && asked.contains("] hi\n[message_id: ann-1]"), "{asked}");
    assert_eq!(server.count(), 1);
    // SEC-25: what the program gets of the configuration goes by its input alone.
    let program = children(gateway.pid())[0];
    for part in ["cmdline", "environ"] {
        let told = std::fs::read(format!("/proc/{program}/{part}")).unwrap();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(!told.contains("s3cret") && !told.contains(TOKEN), "{told}");
    }
    assert!(!gateway.log().contains("s3cret") && !gateway.stderr().contains("s3cret"));
}

#[test]
fn r_46_programs_that_misbehave_hurt_only_themselves() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["still here"])]);
    let hello = "import sys,time\nsay=lambda t:(sys.stdout.write(t+chr(10)),sys.stdout.flush())\n\
                 say('{\"type\":\"hello\",\"version\":1}')\n";
    let inbound = "say('{\"type\":\"inbound\",\"id\":\"%d\",\"from\":{\"id\":\"x\"},\"text\":\"t\"}'%n)";
    let bad = [
        ("garbage", format!("{hello}\nwhile 1: say('what')"), "cannot be understood"),
        ("long", format!("{hello}\nsay('x'*2000000)\ntime.sleep(99)"), "more than 1 MiB"),
        ("dies", format!("{hello}\nsys.stderr.write('oh no'+chr(10))\nsys.exit(3)"), "exit status: 3"),
        ("closes", format!("{hello}\nimport os\nos.close(1)\ntime.sleep(99)"), "closed its output"),
        (
            "newer",
            "print('{\"type\":\"hello\",\"version\":2}',flush=True)\nimport time\ntime.sleep(99)".into(),
            "speaks version 2",
        ),
        (
            "rude",
            "print('{\"type\":\"pong\"}',flush=True)\nimport time\ntime.sleep(99)".into(),
            "is not its hello",
        ),
        ("floods", format!("{hello}\nn=0\nwhile 1:\n n+=1\n {inbound}"), "acknowledgements"),
    ];
    let mut channels = json!({"echo": platform.section(), "gone": {"command": "/no/such/program"}});
    for (id, script, _) in &bad {
        let section = json!({"command": ["python3", "-c", script], "dmPolicy": "disabled"});
        merge(&mut channels, &json!({*id: section}));
    }
    let gateway = Gateway::start(&Setup::config(config(&server, channels)));
    for (id, _, want) in bad.iter().filter(|(id, ..)| *id != "floods") {
        let is_told = |line: &str| line.contains(&format!("{id}:default")) && line.contains(want);
        wait_for(id, || gateway.log().lines().any(is_told).then_some(()));
    }
    wait_for("the program that is not there", || gateway.log().contains("cannot be started").then_some(()));
    // One that was quicker than its greeting is heard in its next life.
    wait_for("its words", || gateway.log().contains("oh no").then_some(()));
    platform.says("ann", 1, "hi");
    wait_for("the answer", || platform.heard().contains_key("ann").then_some(()));
    // Nothing of those that are gone is left; one that does what it may not is not there at most times.
    let mut gateway = gateway;
    assert!(children(gateway.pid()).len() <= 1 + bad.len());
    let (code, took) = gateway.stop();
    assert!(code == 0 && took < Duration::from_secs(5), "{code} {took:?}");
}

#[test]
fn sec_34_the_message_tool_speaks_where_the_turn_was_asked_for_and_for_guests_nowhere_else() {
    let platform = Platform::new();
    let call = |id: &str, arguments: Value| Step::Call {
        id: id.into(),
        name: "message".into(),
        arguments: arguments.to_string(),
    };
    let here = call("c1", json!({"action": "send", "message": "by tool"}));
    let there = call("c2", json!({"action": "send", "message": "to the other", "to": "echo:bob"}));
    let server =
        ModelServer::start(vec![Reply::Stream(vec![here, there, Step::Done]), model::texts(&["NO_REPLY"])]);
    let mut section = platform.section();
    merge(&mut section, &json!({"allowFrom": ["*", "ann"]}));
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    platform.says("eve", 1, "say it twice");
    server.requests(2);
    let results = server.requests(2)[1]["body"].to_string();
    assert!(results.contains("and no other") && results.contains("messageId"), "{results}");
    let heard =
        wait_for("the tool's words", || Some(platform.heard()).filter(|heard| heard.contains_key("eve")));
    assert_eq!(heard["eve"], ["by tool"]);
    // The owner reaches others, and what the tool said is not said again.
    drop(gateway);
    std::fs::remove_file(platform.dir.join("out")).unwrap();
    let mut section = platform.section();
    merge(&mut section, &json!({"allowFrom": ["*", "ann"]}));
    let call = |id: &str, arguments: Value| Step::Call {
        id: id.into(),
        name: "message".into(),
        arguments: arguments.to_string(),
    };
    let server = ModelServer::start(vec![
        Reply::Stream(vec![
            call("c1", json!({"action": "send", "message": "to the other", "to": "echo:bob"})),
            Step::Done,
        ]),
        model::texts(&["done"]),
    ]);
    let _gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    platform.says("ann", 1, "tell bob");
    let heard = wait_for("both", || Some(platform.heard()).filter(|heard| heard.len() == 2));
    assert_eq!(
        (&heard["bob"][..], &heard["ann"][..]),
        (&["to the other".to_string()][..], &["done".to_string()][..])
    );
}

#[test]
fn a_client_sends_by_a_program_and_sees_how_it_is() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![]);
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": platform.section()}))));
    let mut client = Client::operator(&gateway, 4);
    let row = wait_for("a linked account", || {
        let status = client.ok("channels.status", json!({}));
        let row = status["channelAccounts"]["echo"][0].clone();
        (row["linked"] == true).then_some(row)
    });
    assert_eq!((&row["connected"], &row["self"]["name"]), (&json!(true), &json!("Echo")));
    let asked = json!({"to": "echo:ann", "message": "dinner", "idempotencyKey": "k1"});
    let sent = client.ok("send", asked.clone());
    assert_eq!(
        (&sent["channel"], &sent["messageId"], &sent["chatId"]),
        (&json!("echo"), &json!("0"), &json!("ann"))
    );
    assert_eq!(client.ok("send", asked), sent);
    assert_eq!(platform.heard()["ann"], ["dinner"]);
}

/// Each person writes once; whatever is killed meanwhile, each gets one answer.
fn torture(rounds: u64, mut kill: impl FnMut(&mut Gateway)) {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["answer"])]);
    let mut gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": platform.section()}))));
    let mut random = Random(setting("OPENCLAW_TORTURE_SEED", 7));
    let mut people = 0;
    for round in 0..rounds {
        // Now and then a life lasts, so that there is something new to lose however slow the machine.
        if round % 10 == 9 {
            wait_within(Duration::from_secs(60), "all so far", || {
                (platform.heard().len() == people).then_some(())
            });
        }
        for _ in 0..8 {
            people += 1;
            platform.says(&format!("p{people}"), 1, "hi");
        }
        std::thread::sleep(Duration::from_millis(random.below(400) as u64));
        kill(&mut gateway);
    }
    let is_whole = || Some(platform.heard()).filter(|heard| heard.len() == people);
    let heard = wait_within(Duration::from_secs(60), "all answers", is_whole);
    // What came twice would come soon.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(platform.heard(), heard);
    let twice: Vec<_> = heard.iter().filter(|(_, texts)| *texts != &["answer"]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(std::fs::read_dir(platform.dir.join("in")).unwrap().count(), 0);
}

#[test]
fn r_08_r_10_a_killed_gateway_loses_nothing_and_says_nothing_twice() {
    torture(setting("OPENCLAW_TORTURE", 4), |gateway| {
        let programs = children(gateway.pid());
        gateway.kill();
        let is_gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
        wait_for("the program to go with its gateway", || programs.iter().all(is_gone).then_some(()));
        gateway.restart();
    });
}

#[test]
fn r_08_r_10_a_killed_program_loses_nothing_and_says_nothing_twice() {
    torture(setting("OPENCLAW_TORTURE", 3), |gateway| {
        for pid in children(gateway.pid()) {
            let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    });
}

#[test]
fn the_document_holds_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (program, document) = (EXAMPLE, root.join("docs/channel-programs.md"));
    let (program, document) =
        (std::fs::read_to_string(program).unwrap(), std::fs::read_to_string(document).unwrap());
    assert!(
        document.contains(&format!("```python\n{program}```\n")),
        "docs/channel-programs.md has another example"
    );
    assert!(program.lines().count() <= 60);
}

#[test]
fn what_comes_together_with_the_hello_is_heard() {
    let server = ModelServer::start(vec![]);
    let both = "import sys,time\nsys.stdout.write('{\"type\":\"hello\",\"version\":1}\\n{\"type\":\"status\",\"linked\":true}\\n')\n\
                sys.stdout.flush()\ntime.sleep(99)";
    let section = json!({"command": ["python3", "-c", both], "dmPolicy": "disabled"});
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    let mut client = Client::operator(&gateway, 4);
    wait_for("a linked account", || {
        let status = client.ok("channels.status", json!({}));
        (status["channelAccounts"]["echo"][0]["linked"] == true).then_some(())
    });
}

#[test]
fn r_10c_what_a_program_refuses_is_told_in_its_session_before_the_next_message() {
    let server = ModelServer::start(vec![model::texts(&["first answer"]), model::texts(&["second answer"])]);
    let program = "import sys,json,time\n\
        say=lambda o:(sys.stdout.write(json.dumps(o)+chr(10)),sys.stdout.flush())\n\
        msg=lambda n:say({'type':'inbound','id':n,'from':{'id':'ann'},'text':'hi '+n})\n\
        say({'type':'hello','version':1})\n\
        msg('m1')\n\
        for line in sys.stdin:\n \
        o=json.loads(line)\n \
        if o.get('type')=='ping': say({'type':'pong'})\n \
        if o.get('type')=='send':\n  \
        say({'type':'result','id':o['id'],'state':'refused','why':'the line is cut'})\n  \
        time.sleep(.3)\n  \
        if 'first' in o['text']: msg('m2')\n";
    let section = json!({"command": ["python3", "-c", program], "dmPolicy": "open", "allowFrom": ["*"]});
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    let asked = server.requests(2)[1]["body"].to_string();
    assert!(
        asked.contains("was not delivered") && asked.contains("the line is cut"),
        "{asked}\n{}",
        gateway.log()
    );
    assert!(asked.contains("first answer"), "{asked}");
}

/// Issue 11: what a person writes in several messages is answered as one, and who writes meanwhile is not held up.
#[test]
fn i11_6_texts_that_come_quickly_are_one_message() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["[[reply_to_current]] ok"])]);
    let mut section = platform.section();
    merge(&mut section, &json!({"allowFrom": ["*", "ann"]}));
    let mut all = config(&server, json!({"echo": section}));
    merge(&mut all, &json!({"messages": {"inbound": {"byChannel": {"echo": 1500}}}}));
    let _gateway = Gateway::start(&Setup::config(all));
    platform.says("ann", 1, "first");
    platform.says("ann", 2, "second");
    let heard = wait_for("the answer", || Some(platform.heard()).filter(|heard| !heard.is_empty()));
    assert_eq!(heard["ann"], ["ok"], "no tags: {heard:?}");
    let asked = server.requests(1)[0]["body"].to_string();
    assert!(asked.contains("first\\nsecond"), "{asked}");
    platform.says("ann", 3, "/status");
    wait_for("the command's answer", || (platform.heard()["ann"].len() == 2).then_some(()));
    assert_eq!(server.count(), 1);
}

/// Issue 11: a program that can shows an answer while it is written, and the answer comes once.
#[test]
fn i11_3_a_program_shows_what_is_being_written() {
    let platform = Platform::new();
    let (script, drafts) = (platform.dir.join("drafts.py"), platform.dir.join("out.drafts"));
    let text = std::fs::read_to_string(EXAMPLE).unwrap().replace("\"plain\"]", "\"draft\"]").replace(
        "    elif line[\"type\"] == \"end\"",
        "    elif line[\"type\"] == \"draft\":\n        with open(hello[\"config\"][\"outbox\"] + \".drafts\", \"a\") as file:\n            \
         file.write(json.dumps(line) + \"\\n\")\n    elif line[\"type\"] == \"end\"",
    );
    std::fs::write(&script, text).unwrap();
    let pause = || Step::Pause(Duration::from_millis(1300));
    let slow =
        vec![Step::Text("Hello **wo".into()), pause(), Step::Text("rld**".into()), pause(), Step::Done];
    let silent = vec![Step::Text("NO_RE".into()), pause(), Step::Text("PLY".into()), Step::Done];
    let server = ModelServer::start(vec![Reply::Stream(slow), Reply::Stream(silent)]);
    let mut section = platform.section();
    merge(&mut section, &json!({"command": ["python3", script], "blockStreaming": true}));
    let _gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    platform.says("ann", 1, "hi");
    wait_for("the answer", || platform.heard().get("ann").map(drop));
    let read = || -> Vec<Value> {
        let text = std::fs::read_to_string(&drafts).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let shown = wait_for("the drafts", || Some(read()).filter(|all| all.len() >= 3));
    let texts: Vec<&str> = shown.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Hello **wo", "Hello **world**", ""], "{shown:?}");
    assert!(shown.iter().all(|line| line["to"] == "ann"), "{shown:?}");
    platform.says("ann", 2, "and?");
    server.requests(2);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(read().len(), 3, "nothing of a silent answer is shown");
    assert_eq!(platform.heard()["ann"], ["Hello **world**"]);
}

/// R-08: whenever the gateway is killed, two messages that were one stay one: one turn, one question, one answer.
#[test]
fn r_08_messages_that_are_one_are_one_after_a_crash() {
    let platform = Platform::new();
    let slow = vec![Step::Pause(Duration::from_millis(200)), Step::Text("answer".into()), Step::Done];
    let server = ModelServer::start(vec![Reply::Stream(slow)]);
    let mut all = config(&server, json!({"echo": platform.section()}));
    merge(&mut all, &json!({"messages": {"inbound": {"byChannel": {"echo": 500}}}}));
    let mut gateway = Gateway::start(&Setup::config(all));
    let mut random = Random(setting("OPENCLAW_TORTURE_SEED", 7));
    let rounds = setting("OPENCLAW_TORTURE", 4).min(50);
    for n in 0..rounds {
        let person = format!("p{n}");
        (1..3).for_each(|part| platform.says(&person, part, &format!("part {part} of {n}.")));
        let inbox = platform.dir.join("in");
        wait_for("both to be taken", || (std::fs::read_dir(&inbox).unwrap().count() == 0).then_some(()));
        // While they wait for a third, while the model is asked, or after the answer.
        let wait = if n % 2 == 0 { random.below(300) } else { 450 + random.below(400) };
        std::thread::sleep(Duration::from_millis(wait as u64));
        gateway.kill();
        gateway.restart();
        wait_for("the answer", || platform.heard().get(&person).map(drop));
    }
    std::thread::sleep(Duration::from_millis(500));
    let heard = platform.heard();
    assert!(heard.len() as u64 == rounds && heard.values().all(|texts| texts == &["answer"]), "{heard:?}");
    for request in server.requests(rounds as usize) {
        let asked = request["body"].to_string();
        let parts = (asked.matches("part 1 of").count(), asked.matches("part 2 of").count());
        assert!(parts == (1, 1) && asked.contains(".\\npart 2 of"), "{asked}");
    }
}

/// SEC-13: a model's words name files below the media root, and the program is given no others.
#[test]
fn i11_6_sec_13_programs_get_files_of_the_media_root_only() {
    let platform = Platform::new();
    let server =
        ModelServer::start(vec![model::texts(&["see\nMEDIA: /etc/passwd\nMEDIA: ../../openclaw.json"])]);
    let gateway =
        Gateway::start(&Setup::config(config(&server, json!({"echo": platform.section_with_media()}))));
    platform.says("ann", 1, "hi");
    let heard = wait_for("the answer", || Some(platform.heard()).filter(|heard| !heard.is_empty()));
    assert_eq!(heard["ann"], ["see"]);
    wait_for("the log", || gateway.log().contains("a file is not sent").then_some(()));
    let sent = std::fs::read_to_string(platform.dir.join("out")).unwrap();
    assert!(!sent.contains("passwd"), "{sent}");
}

/// SEC-30: nor addresses that are not public, which the program would fetch and show in the chat.
#[test]
fn sec_30_programs_get_no_addresses_that_are_not_public() {
    let platform = Platform::new();
    let words = "see\nMEDIA: http://169.254.169.254/latest\nMEDIA: http://localhost:8080/x.png\nMEDIA: http://u:p@pics.example/x.png\nMEDIA: http://0x7f000001/x.png\nMEDIA: https://pics.example/a.png";
    let server = ModelServer::start(vec![model::texts(&[words])]);
    let gateway =
        Gateway::start(&Setup::config(config(&server, json!({"echo": platform.section_with_media()}))));
    platform.says("ann", 1, "hi");
    wait_for("the answer", || Some(platform.heard()).filter(|heard| !heard.is_empty()));
    wait_for("the log", || (gateway.log().matches("a file is not sent").count() == 4).then_some(()));
    let sent = std::fs::read_to_string(platform.dir.join("out")).unwrap();
    for bad in ["169.254", "localhost", "u:p@", "0x7f"] {
        assert!(!sent.contains(bad), "{bad}: {sent}");
    }
    assert!(sent.contains("https://pics.example/a.png"), "{sent}");
}

/// R-12a, for programs: one that says nothing wakes nobody, and is heard and asked at once all the same.
#[test]
fn i11_1_r_12a_a_program_that_says_nothing_wakes_the_gateway_for_nothing() {
    let platform = Platform::new();
    let server = ModelServer::start(vec![model::texts(&["answer"])]);
    let mut gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": platform.section()}))));
    platform.says("ann", 1, "hi");
    wait_for("the answer", || platform.heard().get("ann").map(drop));
    // What follows an answer is over then. It is asked whether it lives every 30 s, which may be in between.
    std::thread::sleep(Duration::from_secs(3));
    let before = (gateway.sleeps("gw-prog"), gateway.sleeps(""));
    std::thread::sleep(Duration::from_secs(5));
    let times = (gateway.sleeps("gw-prog") - before.0, gateway.sleeps("") - before.1);
    assert!(times.0 <= 2 && times.1 <= 10, "{times:?} times in 5 s");
    platform.says("bob", 1, "hi");
    wait_for("the answer", || platform.heard().get("bob").map(drop));
    let (code, took) = gateway.stop();
    assert!(code == 0 && took < Duration::from_secs(3), "{code} {took:?}");
}

/// S-H1: who administers from afar changes neither the program nor what it is told, so no password goes elsewhere.
#[test]
fn s_h1_what_a_program_is_and_is_told_is_not_changed_from_afar() {
    let platform = Platform::new();
    let mut section = platform.section();
    section["command"] = json!(["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "python3", EXAMPLE]);
    merge(&mut section, &json!({"server": "chat.example.org", "tls": true, "password": "canary-pw"}));
    let server = ModelServer::start(vec![]);
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    let mut client = Client::operator(&gateway, 4);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    let before = std::fs::read_to_string(gateway.config_path()).unwrap();
    let patch = |change: Value| {
        let raw = json!({"channels": {"echo": change}}).to_string();
        json!({"raw": raw, "baseHash": hash, "restartDelayMs": 60_000})
    };
    for (change, at) in [
        (json!({"command": ["python3", EXAMPLE]}), "command"),
        (json!({"command": [EXAMPLE]}), "command"),
        (json!({"command": ["python3", "/usr/bin/env", "-i", "PATH=/usr/bin:/bin", EXAMPLE]}), "command"),
        (json!({"command": null}), "command"),
        (json!({"command": "/usr/bin/env"}), "command"),
        (json!({"domain": "evil.example"}), "domain"),
        (json!({"server": "evil.example"}), "server"),
        (json!({"tls": false}), "tls"),
        (json!({"insecure": true}), "insecure"),
        (json!({"password": null}), "password"),
        (json!({"accounts": {"a": {"instance": "evil.example"}}}), "accounts.a.instance"),
    ] {
        let error = client.fails("config.patch", patch(change.clone()));
        assert_eq!(error["details"]["code"], "HOST_ONLY", "{change}: {error}");
        assert_eq!(error["details"]["path"], format!("channels.echo.{at}"), "{change}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before);
    client
        .ok("config.patch", patch(json!({"dmPolicy": "allowlist", "allowFrom": ["ann"], "historyLimit": 5})));
}

/// Sentence 5: the commands know a program's channel like one that is built in.
#[test]
fn i11_5_the_commands_work_for_programs_too() {
    let platform = Platform::new();
    let program = std::fs::read_to_string(EXAMPLE).unwrap();
    let before = "    elif line[\"type\"] == \"ping\":\n";
    assert!(program.contains(before));
    let forgets = "    elif line[\"type\"] == \"logout\":\n        say(type=\"logged_out\")\n        say(type=\"login\", code=\"12-34\")\n";
    let mut section = platform.section();
    section["command"] = json!(["python3", "-c", program.replace(before, &format!("{forgets}{before}"))]);
    let server = ModelServer::start(vec![model::texts(&["answer"])]);
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    let run = |args: &[&str]| {
        let done = gateway.cli(args);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        format!("{out}{err}")
    };
    let login = ["channels", "login", "--channel", "echo"];
    wait_for("the link", || run(&login).contains("\"default\" is linked").then_some(()));
    assert!(run(&["channels", "list"]).contains("- Echo default: enabled, configured"));
    let send = ["message", "send", "--channel", "echo", "--target", "ann", "--message", "dinner"];
    assert_eq!(run(&[&send[..], &["--dry-run"]].concat()), "[dry-run] would run send via echo\n");
    assert!(run(&send).contains("Message ID: 0"));
    let started = Instant::now();
    assert_eq!(run(&["channels", "logout", "echo"]), "Logged out Echo account \"default\".\n");
    assert!(started.elapsed() < Duration::from_secs(3), "nobody waits for a look at wishes");
    wait_for("the code", || run(&login).contains("code: 12-34").then_some(()));
    let no_token = run(&["channels", "add", "echo", "--token", "x"]);
    assert!(no_token.contains("Channel echo takes no token here"), "{no_token}");
    assert!(run(&["channels", "logout", "--channel", "ecko"]).contains("did you mean echo?"));
    assert_eq!(run(&["channels", "remove", "echo"]), "Disabled Echo account \"default\".\n");
    wait_for("its end", || children(gateway.pid()).is_empty().then_some(()));
    run(&["channels", "remove", "echo", "--delete"]);
    assert!(!std::fs::read_to_string(gateway.config_path()).unwrap().contains("\"echo\""));
}

#[test]
fn r_10c_what_became_of_a_message_is_told_as_it_was() {
    let program = r#"
import json, sys
for line in sys.stdin:
    line = json.loads(line)
    if line["type"] == "hello":
        print(json.dumps({"type": "hello", "version": 1, "capabilities": []}), flush=True)
        print(json.dumps({"type": "status", "connected": True}), flush=True)
    elif line["type"] == "send" and line["text"] == "die":
        sys.exit(3)
    elif line["type"] == "send":
        print(json.dumps({"type": "result", "id": line["id"], "state": "unknown"}), flush=True)
    elif line["type"] == "ping":
        print(json.dumps({"type": "pong"}), flush=True)
"#;
    let server = ModelServer::start(vec![]);
    let section = json!({"command": ["python3", "-c", program], "dmPolicy": "open", "allowFrom": ["*"]});
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"mychat": section}))));
    let mut client = Client::operator(&gateway, 4);
    wait_for("the program", || {
        let told = client.ok("channels.status", json!({}));
        (told["channelAccounts"]["mychat"][0]["connected"] == true).then_some(())
    });
    for (text, want) in [("hm", "its program does not know"), ("die", "or the program that had it, ended")] {
        let error = client.fails("send", json!({"to": "ann", "message": text, "idempotencyKey": text}));
        assert!(error["message"].as_str().unwrap().contains(want), "{error}");
        wait_for("the log", || gateway.log().contains(want).then_some(()));
    }
    // One that cannot be started is no account that is linked.
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let mut changed: Value = serde_json::from_str(&text).unwrap();
    changed["channels"]["mychat"]["command"] = json!(["/nonexistent/x"]);
    std::fs::write(gateway.config_path(), changed.to_string()).unwrap();
    wait_for("its failure", || {
        let said = String::from_utf8_lossy(&gateway.cli(&["health"]).stdout).into_owned();
        said.contains("failed - ").then_some(())
    });
}
