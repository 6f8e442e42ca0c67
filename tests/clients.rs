//! Who is here and what it costs: `clients`, `devices rename`, `status --watch`, the day's turns, `usage`.
use super::cli::{fails, json_of, out};
use super::devices::remote_request;
use super::harness::gateway::command;
use super::harness::model::texts;
use super::harness::schemas::check_output;
use super::harness::terminal::{Terminal, lines};
use super::harness::*;
use rustix::process::Signal;

#[test]
fn i14_4_who_is_connected_is_told_with_what_it_moved() {
    let gateway = Gateway::plain();
    let client = json!({"displayName": "Kitchen tablet", "platform": "plan9", "version": "7"});
    let mut here = Client::named(&gateway, json!({"client": client}));
    here.ok("health", json!({}));
    let told = json_of(&gateway, &["clients", "--json"]);
    check_output("clients", &told);
    let all = told["clients"].as_array().unwrap();
    let tablet = all.iter().find(|row| row["name"] == "Kitchen tablet").expect("the tablet");
    assert_eq!(
        (&tablet["platform"], &tablet["role"], &tablet["ip"]),
        (&json!("plan9"), &json!("operator"), &Value::Null)
    );
    assert!(tablet["bytesIn"].as_u64() > Some(100) && tablet["bytesOut"].as_u64() > Some(1000), "{tablet}");
    assert!(tablet["lastSeenAtMs"].as_u64() >= tablet["connectedAtMs"].as_u64(), "{tablet}");
    assert_eq!(all.iter().filter(|row| row["isSelf"] == true).count(), 1);
    let before = tablet["bytesIn"].as_u64();
    here.ok("health", json!({}));
    let again = here.ok("clients.list", json!({}));
    let own = again["clients"].as_array().unwrap().iter().find(|row| row["isSelf"] == true).unwrap();
    assert!(own["bytesIn"].as_u64() > before, "{own}");
    for verb in ["clients", "who"] {
        let shown = out(&gateway, &[verb]);
        assert!(shown.contains("Kitchen tablet") && shown.contains("this host"), "{shown}");
        assert_eq!(shown.lines().count(), 2, "the command itself is left out: {shown}");
    }
    drop(here);
    wait_for("the end of the connection", || {
        out(&gateway, &["clients"]).contains("Nobody is connected.").then_some(())
    });
}

#[test]
fn i14_4_the_latest_request_is_approved_and_a_device_gets_another_name() {
    let gateway = Gateway::plain();
    let (first, second) = (Device::new(), Device::new());
    remote_request(&gateway, &first, &["operator.read"]);
    // Another millisecond.
    std::thread::sleep(std::time::Duration::from_millis(5));
    remote_request(&gateway, &second, &["operator.read", "operator.write"]);
    let (code, why) = fails(&gateway, &["devices", "approve"]);
    assert!(code == 1 && why.contains("name the pairing request"), "{code} {why}");
    let told = out(&gateway, &["devices", "approve", "--latest", "--scopes", "operator.read"]);
    assert!(told.contains(&second.id()), "{told}");
    let (_, why) = fails(&gateway, &["devices", "approve", "3f", "--latest"]);
    assert!(why.contains("--latest names a request already"), "{why}");

    let (id, local) = (second.id(), ["--local"]);
    for (named, name, more) in
        [(&id[..9], "Kitchen", &[][..]), ("kitch", "Cellar", &[]), ("cellar", "Attic", &local)]
    {
        let renamed = json_of(&gateway, &[&["devices", "rename", named, name, "--json"], more].concat());
        check_output("devices-rename", &renamed);
        assert_eq!((&renamed["deviceId"], &renamed["displayName"]), (&json!(id), &json!(name)));
        assert!(out(&gateway, &["devices", "list"]).contains(name));
    }
    let (_, why) = fails(&gateway, &["devices", "rename", "nobody", "x"]);
    assert!(why.contains("no paired device fits 'nobody'"), "{why}");
    for more in [&[][..], &local] {
        let (_, why) = fails(&gateway, &[&["devices", "rename", &id, "two\nlines"], more].concat());
        assert!(why.contains("the name holds a line break"), "{why}");
    }
    let (_, why) = fails(&gateway, &["devices", "rename", &id, " "]);
    assert!(why.contains("the new name is empty"), "{why}");
}

#[test]
fn i14_5_the_log_and_status_tell_of_turns_their_surface_and_cost() {
    let server = ModelServer::start(vec![texts(&["hi"]), texts(&["ho"])]);
    let mut config = server.config();
    let price = json!({"input": 1000, "output": 2000, "cacheRead": 0, "cacheWrite": 0});
    config["models"]["providers"]["test"]["models"][0]["cost"] = price;
    config["commands"] = json!({"restart": true});
    let mut gateway = Gateway::start(&Setup::config(config));
    out(&gateway, &["agent", "-m", "x"]);
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "aside", "message": "hi", "idempotencyKey": "k"}));
    client.ok("agent.wait", json!({"runId": "k", "timeoutMs": 10_000}));
    let turns = wait_for("two turns in the log", || {
        let all: Vec<String> =
            gateway.log().lines().filter(|line| line.contains("turn ✓")).map(str::to_string).collect();
        (all.len() == 2).then_some(all)
    });
    assert!(turns[0].contains("surface=agent ") && turns[1].contains("surface=chat "), "{turns:?}");
    assert!(turns.iter().all(|turn| turn.contains(" out, $")), "{turns:?}");
    let of_session = out(&gateway, &["logs", "--session", "aside", "--grep", "turn"]);
    assert!(
        of_session.contains("agent:main:aside") && !of_session.contains("agent:main:main"),
        "{of_session}"
    );

    let status = json_of(&gateway, &["gateway", "status", "--json"]);
    check_output("gateway-status", &status);
    let rpc = &status["rpc"];
    assert_eq!((&rpc["today"]["turns"], &rpc["today"]["failed"]), (&json!(2), &json!(0)), "{rpc}");
    assert!(
        rpc["today"]["cost"].as_f64() > Some(0.0) && rpc["gateway"]["rssBytes"].as_u64() > Some(1 << 20),
        "{rpc}"
    );
    for verb in [&["gateway", "status", "--verbose"][..], &["status", "--verbose"]] {
        let shown = out(&gateway, verb);
        for part in ["Process", "up ", " MB of memory", "Today", "2 turns, ", " tokens in, "] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    // The day is no shorter for a restart, within the process or of it.
    let today = |gateway: &Gateway| {
        wait_for("the gateway again", || {
            let status = gateway.cli(&["gateway", "call", "status", "--json"]);
            let told: Value = serde_json::from_slice(&status.stdout).ok()?;
            told.get("today").cloned()
        })
    };
    gateway.signal(Signal::USR1);
    client.until_closed();
    assert_eq!(today(&gateway), rpc["today"]);
    gateway.stop();
    gateway.restart();
    assert_eq!(today(&gateway), rpc["today"]);
}

#[test]
fn i14_5_status_is_watched_on_a_screen_that_comes_back() {
    let gateway = Gateway::plain();
    let (_, why) = fails(&gateway, &["status", "--watch"]);
    assert!(why.contains("--watch needs a terminal"), "{why}");
    let mut watch = command(&gateway.dir);
    watch.args(["status", "--watch"]);
    watch.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string()).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    let terminal = Terminal::start(watch, 80);
    let first = terminal.wait_text(0, "\u{1b}[?1049h\u{1b}[?25l\u{1b}[HOpenClaw");
    let drawn = terminal.wait_text(first, "\u{1b}[J");
    let again = terminal.wait_text(drawn, "\u{1b}[HOpenClaw");
    let frame = terminal.text()[first..drawn].to_string();
    assert!(frame.matches('\n').count() < 24 && frame.contains("\u{1b}[K\r\n"), "{frame:?}");
    let pid = rustix::process::Pid::from_raw(terminal.pid() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    terminal.wait_text(again, "\u{1b}[?25h\u{1b}[?1049l");
    assert_eq!(terminal.end().0, Some(130));
}

#[test]
fn i14_5_usage_is_a_chart_by_day_model_and_surface() {
    let gateway = Gateway::start(&super::usage::setup());
    let days = ["usage", "--days", "20000"];
    let told = json_of(&gateway, &[&days[..], &["--json"]].concat());
    check_output("usage", &told);
    let surfaces = told["bySurface"].as_array().unwrap();
    let mut names: Vec<&str> = surfaces.iter().map(|row| row["surface"].as_str().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["chat", "ended", "telegram"], "as the log calls them");
    let sum: f64 = surfaces.iter().map(|row| row["totals"]["totalCost"].as_f64().unwrap()).sum();
    assert!((sum - told["totals"]["totalCost"].as_f64().unwrap()).abs() < 1e-9, "{told}");
    assert_eq!((&told["byModel"][0]["provider"], &told["byModel"][0]["model"]), (&json!("p"), &json!("m")));
    let shown = |locale: &str| {
        let port = gateway.port.to_string();
        let vars =
            [("OPENCLAW_GATEWAY_PORT", port.as_str()), ("OPENCLAW_GATEWAY_TOKEN", TOKEN), ("LANG", locale)];
        let output = gateway.cli_env(&days, &vars);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (bars, ascii) = (shown("de_DE.UTF-8"), shown("C"));
    for part in ["By day (UTC)", "2026-11-20", "By model", "p/m", "By surface", "telegram"] {
        assert!(bars.contains(part) && ascii.contains(part), "{part}: {bars}");
    }
    assert!(bars.contains('█') && ascii.contains("###") && ascii.is_ascii(), "{bars}{ascii}");
    assert!(bars.lines().all(|line| line.chars().count() <= 80), "{bars}");
    // At a narrow terminal bars are shorter, and nothing is folded.
    let mut narrow = command(&gateway.dir);
    narrow.args(days).env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string()).env("LANG", "C.UTF-8");
    let (_, narrow) = Terminal::start(narrow, 40).end();
    let rows: Vec<String> = lines(&narrow).into_iter().filter(|line| line.contains('█')).collect();
    assert!(
        rows.len() > 4 && rows.iter().all(|row| row.contains('$') && row.chars().count() <= 40),
        "{narrow}"
    );
    let week = out(&gateway, &["usage"]);
    assert!(week.contains("Usage of the last 7 days"), "{week}");
}
