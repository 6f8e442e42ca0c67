//! Issue 15, sentence 1: `openclaw nodes ...` over the real gateway, with a node that is a stand-in and with our own node host:
//! who is here, who is let in, what is told, what is written, and how the commands end.
use crate::cli::{fails, json_of, out};
use crate::cli_json::Story;
use crate::harness::node::says;
use crate::harness::node_gateway::NodeHost;
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// "picture", which is good enough a film.
const FILM: &str = "cGljdHVyZQ==";
/// How a PNG and a JPEG begin.
const PNG: &str = "iVBORw0KGgo=";
const JPEG: &str = "/9j/4A==";
/// "<script>".
const SCRIPT: &str = "PHNjcmlwdD4=";
const COMMANDS: &[&str] = &[
    "camera.list",
    "camera.snap",
    "camera.clip",
    "screen.record",
    "canvas.snapshot",
    "canvas.present",
    "canvas.hide",
    "canvas.navigate",
    "canvas.eval",
    "canvas.a2ui.pushJSONL",
    "canvas.a2ui.reset",
    "location.get",
    "system.notify",
    "system.run",
    "system.which",
];

fn house() -> Gateway {
    let allowed = json!(["camera.snap", "camera.clip", "screen.record"]);
    Gateway::start(&Setup::config(json!({"gateway": {"nodes": {"allowCommands": allowed}}})))
}

/// A node of a Mac that answers whatever it is told, until this is dropped.
pub struct Answering {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Value>>>,
    pub id: String,
}

impl Answering {
    fn new(gateway: &Gateway) -> Answering {
        Answering::named(gateway, "Kitchen")
    }

    pub fn named(gateway: &Gateway, name: &str) -> Answering {
        let mut said = says(4, "macos", COMMANDS);
        said["client"]["displayName"] = json!(name);
        let mut node = crate::harness::Node::of(gateway, &Device::new(), said).unwrap();
        let (is_over, id) = (Arc::<AtomicBool>::default(), node.id.clone());
        let over = is_over.clone();
        let thread = std::thread::Builder::new()
            .spawn(move || {
                let mut told = Vec::new();
                while !over.load(Ordering::SeqCst) && !node.client.is_closed() {
                    node.client.collect(Duration::from_millis(20));
                    for frame in node.client.kept() {
                        if frame["event"] == "node.invoke.request" {
                            let call = frame["payload"].clone();
                            node.answer(&call, answer_to(&call));
                            told.push(call);
                        }
                    }
                }
                told
            })
            .unwrap();
        Answering { is_over, thread: Some(thread), id }
    }

    /// What it was told, and its end.
    fn told(mut self) -> Vec<Value> {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn answer_to(call: &Value) -> Value {
    let params: Value = serde_json::from_str(call["paramsJSON"].as_str().unwrap_or("null")).unwrap();
    let payload = match call["command"].as_str().unwrap() {
        "camera.list" => json!({"devices": [{"id": "c1", "name": "Back", "position": "back"}]}),
        "camera.snap" => {
            let picture = match params["deviceId"].as_str() {
                Some("odd") => SCRIPT,
                Some("png") => PNG,
                _ => JPEG,
            };
            json!({"format": "jpg", "base64": picture, "width": 4, "height": 3})
        }
        "camera.clip" => json!({"format": "mp4", "base64": FILM, "durationMs": 3000, "hasAudio": true}),
        "screen.record" => {
            json!({"format": "../evil", "base64": FILM, "durationMs": 10, "fps": 10, "screenIndex": 0, "hasAudio": false})
        }
        "canvas.snapshot" => {
            json!({"format": params["format"], "base64": (if params["format"] == "png" { PNG } else { JPEG })})
        }
        "canvas.eval" => json!({"result": "a title"}),
        "system.run" => json!({"success": true, "exitCode": 0, "stdout": "x\n", "stderr": ""}),
        "location.get" => json!({"lat": 1.5, "lon": -2.25, "accuracyMeters": 12.4}),
        "system.which" if params["bins"][0] == "empty" => {
            return json!({"ok": false, "error": {"code": "ODD", "message": "no \u{1b}[2Jsuch thing"}});
        }
        _ => json!({"ok": true}),
    };
    json!({"payloadJSON": payload.to_string()})
}

#[test]
fn i15_1_nodes_are_shown_renamed_and_told_what_to_do() {
    let gateway = house();
    let node = Answering::new(&gateway);
    let shown = out(&gateway, &["nodes", "status"]);
    assert!(
        shown.starts_with("Known: 1 · Paired: 1 · Connected: 1\n") && shown.contains("Kitchen"),
        "{shown}"
    );
    assert!(out(&gateway, &["nodes", "list"]).starts_with("Pending: 0 · Paired: 1\n"));
    // By a name, a part of it, the beginning of the id, or whole.
    for named in ["Kitchen", "kitch", &node.id[..8], &node.id] {
        let shown = out(&gateway, &["nodes", "describe", "--node", named]);
        assert!(shown.contains("camera.snap") && shown.contains("connected"), "{named}: {shown}");
    }
    assert!(
        fails(&gateway, &["nodes", "describe", "--node", "nothing"]).1.contains("no node fits 'nothing'")
    );
    assert!(fails(&gateway, &["nodes", "describe"]).1.contains("'--node' not specified"));
    let told = out(&gateway, &["nodes", "rename", "--node", "kitchen", "--name", "Cellar"]);
    assert!(told.starts_with("node rename ok: ") && told.ends_with(" -> Cellar\n"), "{told}");
    let on = |words: &[&str]| out(&gateway, &[&["nodes"], words, &["--node", "cellar"]].concat());
    assert_eq!(on(&["canvas", "eval", "document.title"]), "a title\n");
    assert_eq!(
        on(&["canvas", "present", "--target", "https://e.x", "--x", "1.5", "--width", "400"]),
        "canvas present ok\n"
    );
    assert_eq!(on(&["canvas", "navigate", "https://e.x/a"]), "canvas navigate ok\n");
    assert_eq!(on(&["canvas", "hide"]), "canvas hide ok\n");
    assert_eq!(on(&["canvas", "a2ui", "push", "--text", "Dinner \"is\" ready"]), "canvas a2ui push ok\n");
    assert_eq!(on(&["canvas", "a2ui", "reset"]), "canvas a2ui reset ok\n");
    assert_eq!(on(&["notify", "--title", "a", "--body", "b", "--priority", "active"]), "notify ok\n");
    assert_eq!(on(&["location", "get", "--max-age", "5m"]), "1.5,-2.25 ± 12m\n");
    assert!(on(&["camera", "list"]).contains("c1"));
    let (status, told) = fails(
        &gateway,
        &[
            "nodes",
            "invoke",
            "--node",
            "cellar",
            "--command",
            "system.which",
            "--params",
            "{\"bins\":[\"empty\"]}",
        ],
    );
    assert!(status == 1 && told.contains("such thing") && !told.contains('\u{1b}'), "{told}");
    let (_, told) = fails(&gateway, &["nodes", "invoke", "--node", "cellar", "--command", "sms.send"]);
    assert!(told.contains("node command not allowed"), "{told}");
    for (args, want) in [
        (&["invoke", "--command", "x", "--params", "{"][..], "--params cannot be read as JSON"),
        (&["canvas", "a2ui", "push"], "either --jsonl or --text"),
        (&["canvas", "present", "--x", "wide"], "--x must be a number"),
        (&["run"], "name the command"),
        (&["run", "--raw", "a", "b"], "name the command once"),
        (&["notify"], "--title, --body or both"),
    ] {
        let (status, told) = fails(&gateway, &[&["nodes"], args, &["--node", "cellar"]].concat());
        assert!(status == 1 && told.contains(want), "{args:?}: {told}");
    }
    let calls = node.told();
    let params = |command: &str| -> Value {
        let call = calls
            .iter()
            .find(|call| call["command"] == command)
            .unwrap_or_else(|| panic!("{command}: {calls:?}"));
        serde_json::from_str(call["paramsJSON"].as_str().unwrap_or("null")).unwrap()
    };
    assert_eq!(
        params("canvas.present"),
        json!({"url": "https://e.x", "placement": {"x": 1.5, "width": 400}})
    );
    assert_eq!(params("canvas.eval"), json!({"javaScript": "document.title"}));
    assert_eq!(params("location.get"), json!({"maxAgeMs": 300_000, "timeoutMs": 10_000}));
    assert_eq!(
        params("system.notify"),
        json!({"title": "a", "body": "b", "priority": "active", "delivery": "system"})
    );
    let jsonl = params("canvas.a2ui.pushJSONL")["jsonl"].as_str().unwrap().to_string();
    let kinds: Vec<String> = jsonl
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Map<String, Value>>(line)
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .clone()
        })
        .collect();
    assert_eq!(kinds, ["surfaceUpdate", "beginRendering"]);
    // It is away now; waiting for one that is not here takes no time.
    let begun = Instant::now();
    let (_, told) = fails(
        &gateway,
        &["nodes", "invoke", "--node", "cellar", "--command", "camera.list", "--invoke-timeout", "20s"],
    );
    assert!(told.contains("not connected") && begun.elapsed() < Duration::from_secs(10), "{told}");
    assert!(out(&gateway, &["nodes", "status", "--connected"]).starts_with("Known: 0 (of 1)"));
}

#[test]
fn i15_1_pictures_and_films_become_files_of_their_own() {
    let gateway = house();
    let _node = Answering::new(&gateway);
    let media = |text: &str| -> Vec<std::path::PathBuf> {
        text.lines()
            .map(|line| line.strip_prefix("MEDIA:").unwrap_or_else(|| panic!("{text}")).into())
            .collect()
    };
    for (args, count, end) in [
        (&["camera", "snap"][..], 2, "jpg"),
        (&["camera", "snap", "--facing", "back"], 1, "jpg"),
        // By what it is, whatever the node calls it.
        (&["camera", "snap", "--facing", "back", "--device-id", "png"], 1, "png"),
        (&["camera", "clip", "--duration", "2s"], 1, "mp4"),
        (&["screen", "record", "--no-audio"], 1, "mp4"),
        (&["canvas", "snapshot", "--format", "png"], 1, "png"),
        (&["canvas", "snapshot"], 1, "jpg"),
    ] {
        let paths = media(&out(&gateway, &[&["nodes"], args, &["--node", "kitchen"]].concat()));
        assert_eq!(paths.len(), count, "{args:?}");
        for path in paths {
            assert!(path.is_absolute() && path.extension().unwrap() == end, "{args:?}: {path:?}");
            assert_eq!(path.parent(), Some(gateway.dir.as_path()), "in $TMPDIR, whatever the node says");
            let begin: &[u8] = match end {
                "jpg" => b"\xff\xd8\xff\xe0",
                "png" => b"\x89PNG\r\n\x1a\n",
                _ => b"picture",
            };
            assert_eq!(std::fs::read(&path).unwrap(), begin);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    // What is no picture is none.
    let files = || std::fs::read_dir(&gateway.dir).unwrap().count();
    let before = files();
    let args = ["nodes", "camera", "snap", "--facing", "back", "--device-id", "odd", "--node", "kitchen"];
    let (status, told) = fails(&gateway, &args);
    assert!(status == 1 && told.contains("something that is no picture (PNG, JPEG"), "{told}");
    assert_eq!(files(), before);
    let named = gateway.dir.join("my film.mp4");
    let args = ["nodes", "screen", "record", "--node", "kitchen", "--out", named.to_str().unwrap()];
    assert_eq!(media(&out(&gateway, &args)), std::slice::from_ref(&named));
    assert_eq!(std::fs::read(&named).unwrap(), b"picture");
}

#[test]
fn i15_1_whoever_asks_to_be_a_node_is_let_in_or_not() {
    let setup = Setup::config(json!({"gateway": {"nodes": {"pairing": {"autoApproveLocal": false}}}}));
    let gateway = Gateway::start(&setup);
    assert_eq!(out(&gateway, &["nodes", "pending"]), "No node asks to be let in.\n");
    assert!(fails(&gateway, &["nodes", "approve"]).1.contains("no node asks"));
    let node = NodeHost::start(gateway.port);
    wait_for("it to wait", || node.said().contains("waits to be approved").then_some(()));
    let pending = json_of(&gateway, &["nodes", "pending", "--json"]);
    let id = pending[0]["requestId"].as_str().unwrap_or_else(|| panic!("{pending}")).to_string();
    assert!(out(&gateway, &["nodes", "list"]).starts_with("Pending: 1 · Paired: 0\n"));
    assert!(out(&gateway, &["nodes", "reject", &id[..8]]).starts_with("Rejected "));
    let again = wait_for("it to ask again", || {
        let pending = json_of(&gateway, &["nodes", "pending", "--json"]);
        pending[0]["requestId"].as_str().map(str::to_string)
    });
    assert_ne!(again, id);
    assert!(out(&gateway, &["nodes", "approve"]).starts_with("Approved "));
    wait_for("it to be here", || node.said().contains("node host connected").then_some(()));
    assert!(out(&gateway, &["nodes", "status"]).contains("Connected: 1"));
}

#[test]
fn i15_1_a_command_on_a_node_is_asked_for_and_runs_by_its_rules() {
    let gateway = house();
    let node = NodeHost::start(gateway.port);
    let here =
        || (json_of(&gateway, &["nodes", "status", "--json"])["nodes"][0]["connected"] == true).then_some(());
    wait_for("it to be here", here);
    let name =
        json_of(&gateway, &["nodes", "status", "--json"])["nodes"][0]["nodeId"].as_str().unwrap().to_string();
    let run = |more: &[&str]| {
        let args = [&["nodes", "run", "--node", &name], more].concat();
        let output = gateway.cli(&args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (status, _, told) = run(&["--ask", "off", "--", "echo", "a b"]);
    assert!(status == 1 && told.contains("approval required"), "{told}");
    // Somebody says yes meanwhile, once and only to this.
    let mut owner = Client::operator(&gateway, 4);
    let port = gateway.port;
    let home = gateway.dir.clone();
    let asked = name.clone();
    let waiting = std::thread::Builder::new()
        .spawn(move || {
            let mut command: Command = crate::harness::gateway::command(&home);
            let raw = "echo out; echo err >&2; exit 3";
            command
                .args(["nodes", "run", "--node", &asked, "--raw", raw])
                .env("OPENCLAW_GATEWAY_PORT", port.to_string());
            command.output().unwrap()
        })
        .unwrap();
    let event = owner.event("exec.approval.requested");
    assert_eq!(event["request"]["command"], "echo out; echo err >&2; exit 3", "{event}");
    owner.ok("exec.approval.resolve", json!({"id": event["id"], "decision": "allow-once"}));
    let output = waiting.join().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n", "{told}");
    assert!(output.status.code() == Some(1) && told.contains("err") && told.contains("run exit 3"), "{told}");
    node.rules(json!({"agents": {"main": {"allowlist": ["/usr/bin/echo", "/bin/echo"]}}}));
    assert_eq!(run(&["--", "echo", "a b"]), (0, "a b\n".to_string(), String::new()));
    let (status, _, told) = run(&["--env", "LD_PRELOAD=x", "--", "echo"]);
    assert!(status == 1 && told.contains("forbidden"), "{told}");
    node.rules(json!({"defaults": {"security": "deny"}}));
    let (status, _, told) = run(&["--", "echo"]);
    assert!(status == 1 && told.contains("security=deny"), "{told}");
}

/// What all of them print with `--json`; `cli_json` says the rest.
pub fn tell(story: &mut Story, gateway: &Gateway) {
    let _node = Answering::new(gateway);
    for args in [
        &["status"][..],
        &["list"],
        &["describe", "--node", "kitchen"],
        &["invoke", "--node", "kitchen", "--command", "camera.list"],
        &["rename", "--node", "kitchen", "--name", "Kitchen"],
        &["notify", "--node", "kitchen", "--title", "a"],
        &["location", "get", "--node", "kitchen"],
        &["camera", "list", "--node", "kitchen"],
        &["canvas", "present", "--node", "kitchen"],
        &["canvas", "hide", "--node", "kitchen"],
        &["canvas", "navigate", "https://e.x", "--node", "kitchen"],
        &["canvas", "eval", "1", "--node", "kitchen"],
        &["canvas", "a2ui", "push", "--text", "a", "--node", "kitchen"],
        &["canvas", "a2ui", "reset", "--node", "kitchen"],
        &["canvas", "snapshot", "--node", "kitchen"],
        &["camera", "snap", "--node", "kitchen"],
        &["camera", "clip", "--node", "kitchen"],
        &["screen", "record", "--node", "kitchen"],
        &["run", "--node", "kitchen", "--raw", "ls"],
    ] {
        story.run(&[&["nodes"], args].concat());
    }
    let stranger = || {
        let client = Client::open_with(gateway, &[("X-Forwarded-For", "203.0.113.9")]);
        crate::harness::Node::from(client, &Device::new(), says(4, "linux", &[])).is_err()
    };
    for verb in ["approve", "reject"] {
        assert!(stranger());
        let waiting = story.run(&["nodes", "pending"]);
        story.run(&["nodes", verb, waiting[0]["requestId"].as_str().unwrap()]);
    }
}
