//! An account of a channel that its program links when its owner asks for that: what is shown, waited for, and told after.
use super::channel_programs::config;
use super::harness::gateway::new_dir;
use super::harness::*;
use std::io::{BufRead, BufReader};

/// Shows a picture or a code when it is asked for, a second picture when `next` is there, is linked when `linked` is, and can
/// send nothing.
const PROGRAM: &str = r#"
import json, os, select
def say(**line): os.write(1, json.dumps(line).encode() + b"\n")
def there(name): return os.path.exists(os.path.join(dir, name))
dir, rest, shown, linked = "", b"", 0, False
def picture(n): say(type="login", qr="qr%d" % n, terminal="\u2588\u2580\n\u2580\u2588", terminalSmall="\u258c",
                    picture="data:image/png;base64,AA==", text="scan it", expiresAtMs=9000000000000)
while True:
    if select.select([0], [], [], 0.02)[0]:
        piece = os.read(0, 65536)
        if not piece: break
        *lines, rest = (rest + piece).split(b"\n")
        for line in map(json.loads, lines):
            if line["type"] == "hello":
                dir = line["config"]["signs"]
                say(type="hello", version=1, capabilities=["login"])
                say(type="status", connected=False, linked=False, error="not linked yet")
            elif line["type"] == "login" and line.get("phone"):
                say(type="login", code="12-34", text="type it on " + line["phone"], expiresAtMs=9000000000000)
            elif line["type"] == "login":
                shown = 1
                picture(1)
            elif line["type"] == "send":
                say(type="result", id=line["id"], state="not_now", why="the network is gone")
            elif line["type"] == "ping":
                say(type="pong")
    if shown == 1 and there("next"):
        shown = 2
        picture(2)
    if not linked and there("linked"):
        linked = True
        say(type="status", connected=True, linked=True, error=None, linkedAt=1700000000000, reconnectAttempts=2,
            self={"id": "+1555", "name": "Bot"}, lastDisconnect={"at": 5, "status": 503, "error": "gone", "loggedOut": False})
"#;

#[test]
fn i17_2_an_account_is_linked_when_its_owner_asks_for_it() {
    let (signs, server) = (new_dir(), ModelServer::start(vec![]));
    let section = json!({"command": ["python3", "-c", PROGRAM], "signs": signs, "dmPolicy": "open", "allowFrom": ["*"]});
    let gateway = Gateway::start(&Setup::config(config(&server, json!({"echo": section}))));
    let mut client = Client::operator(&gateway, 3);
    let row =
        |client: &mut Client| client.ok("channels.status", json!({}))["channelAccounts"]["echo"][0].clone();
    wait_for("the program", || {
        let row = row(&mut client);
        (row["canLogin"] == true && row["linked"] == false).then_some(())
    });
    let send = json!({"to": "ann", "channel": "echo", "message": "m", "idempotencyKey": "k"});
    let error = client.fails("send", send.clone());
    assert!(
        error["code"] == "NOT_LINKED" && error["message"].as_str().unwrap().contains("channels login"),
        "{error}"
    );
    let of = |more: Value| {
        let mut params = json!({"channel": "echo"});
        merge(&mut params, &more);
        params
    };
    let error = client.fails("web.login.start", json!({}));
    assert!(error["message"].as_str().unwrap().contains("web login provider is not available"), "{error}");
    let shown = client.ok("web.login.start", of(json!({})));
    assert_eq!(
        (&shown["qr"], &shown["qrDataUrl"]),
        (&"qr1".into(), &"data:image/png;base64,AA==".into()),
        "{shown}"
    );
    // R-50e: what is scanned changes, and who waits gets the next one.
    let waits = client.ask("web.login.wait", of(json!({})));
    std::fs::write(signs.join("next"), "").unwrap();
    let told = client.answer(&waits).unwrap();
    assert_eq!((&told["connected"], &told["qr"]), (&false.into(), &"qr2".into()), "{told}");
    let told = client.ok("web.login.wait", of(json!({"timeoutMs": 1000})));
    assert_eq!((&told["connected"], told.get("qr")), (&false.into(), None), "{told}");
    let code = client.ok("web.login.start", of(json!({"phone": "+1555"})));
    assert_eq!((&code["code"], &code["message"]), (&"12-34".into(), &"type it on +1555".into()), "{code}");
    // The command line shows it and ends with the link.
    let mut command = harness_command(&gateway);
    let mut shown = command
        .args(["channels", "login", "--channel", "echo"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(shown.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut text = String::new();
    for line in lines.by_ref() {
        text += &format!("{line}\n");
        if line.contains('\u{2580}') {
            break;
        }
    }
    std::fs::write(signs.join("linked"), "").unwrap();
    lines.for_each(|line| text += &line);
    assert!(
        shown.wait().unwrap().success() && text.contains("\u{2588}\u{2580}\n") && text.contains("Linked!"),
        "{text}"
    );
    let row = row(&mut client);
    assert_eq!(
        (&row["lastDisconnect"]["status"], &row["reconnectAttempts"]),
        (&503.into(), &2.into()),
        "{row}"
    );
    assert!(row["authAgeMs"].as_u64().is_some_and(|age| age > 1_000_000) && row["login"].is_null(), "{row}");
    let link = &client.ok("status", json!({}))["linkChannel"];
    assert_eq!((&link["id"], &link["linked"]), (&"echo".into(), &true.into()), "{link}");
    let told = client.ok("web.login.start", of(json!({})));
    assert!(told["message"].as_str().unwrap().contains("already linked (+1555)"), "{told}");
    // Waiting for nothing, and said as JSON.
    let output =
        harness_command(&gateway).args(["channels", "login", "--channel", "echo", "--json"]).output();
    let told: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    schemas::check_output("channels-login", &told);
    assert_eq!((&told["channel"], &told["linked"]), (&"echo".into(), &true.into()), "{told}");
    // R-53b: nothing can go out now, so it does not later either.
    let error = client.fails("send", send);
    assert!(error["code"] == "UNAVAILABLE" && error.to_string().contains("the network is gone"), "{error}");
    std::fs::remove_dir_all(signs).unwrap();
}

fn harness_command(gateway: &Gateway) -> std::process::Command {
    let mut command = gateway::command(&gateway.dir);
    command.stdin(std::process::Stdio::null()).env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string());
    command.env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    command
}
