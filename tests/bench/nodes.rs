//! Nodes: what one costs that does nothing, how soon one is told and its answer is there, and what our own host takes.
use crate::load::{Client, millis};
use crate::measure::per_client;
use crate::process::{Gateway, Server, TOKEN, command, memory};
use crate::report::{Report, median, quantile};
use crate::{Result, Scale};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub fn all(scale: Scale, report: &mut Report) -> Result<()> {
    let client = per_client(&*Gateway::start(&Value::Null)?, scale.idle_clients, Client::connect)?;
    let node = per_client(&*Gateway::start(&Value::Null)?, scale.idle_clients, node)?;
    report.note(&format!("one idle node of {}", scale.idle_clients), node, "KiB");
    report.at_most("one idle node, ratio to an idle client", node / client, 1.2, "×");
    round_trips(scale, report)?;
    host(report)
}

/// One that has proved no device, and says what it can do.
fn node(server: &Server, name: &str) -> Result<Client> {
    Client::with(
        server,
        &json!({
            "minProtocol": 3, "maxProtocol": 4, "role": "node", "scopes": [], "caps": ["system"],
            "commands": ["system.run", "system.which"], "auth": {"token": TOKEN},
            "client": {"id": "node-host", "version": "1", "platform": "linux", "mode": "node", "instanceId": name,
                "displayName": name},
        }),
    )
}

/// From `node.invoke` to its answer, of a node that answers at once.
fn round_trips(scale: Scale, report: &mut Report) -> Result<()> {
    let gateway = Gateway::start(&Value::Null)?;
    let mut asker = Client::connect(&gateway, "asker")?;
    let mut node = node(&gateway, "bench")?;
    let id = only_node(&mut asker)?;
    let answers = std::thread::Builder::new().spawn(move || -> Result<()> {
        loop {
            let text = node.text()?;
            if !text.contains("\"node.invoke.request\"") {
                continue;
            }
            let told: Value = serde_json::from_str(&text)?;
            let said = json!({"id": told.pointer("/payload/id"), "nodeId": told.pointer("/payload/nodeId"), "ok": true,
                "payloadJSON": "{\"bins\":{}}"});
            node.ask("node.invoke.result", &said)?;
        }
    })?;
    let mut times = Vec::new();
    for n in 0..scale.turns * 20 {
        let params = json!({"nodeId": id, "command": "system.which", "params": {"bins": ["ls"]}, "timeoutMs": 5000,
            "idempotencyKey": format!("key-{n}")});
        let start = Instant::now();
        asker.call("node.invoke", &params)?;
        times.push(millis(start));
    }
    report.at_most("`node.invoke` of a node that answers at once (median)", median(&times), 1.0, "ms");
    report.note("the same, 99th percentile", quantile(&times, 0.99), "ms");
    drop(gateway);
    // Its connection has ended, which is how it ends.
    let _ = answers.join();
    Ok(())
}

fn only_node(asker: &mut Client) -> Result<String> {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let told: Value = serde_json::from_str(&asker.call("node.list", &json!({}))?)?;
        let nodes = told.pointer("/payload/nodes").and_then(Value::as_array);
        let is_here = |node: &&Value| node.get("connected") == Some(&Value::Bool(true));
        let here = nodes.into_iter().flatten().find(is_here);
        if let Some(id) = here.and_then(|node| node.get("nodeId")?.as_str()) {
            return Ok(id.to_string());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("no node has connected".into())
}

/// `openclaw node run`, connected and told nothing.
fn host(report: &mut Report) -> Result<()> {
    let gateway = Gateway::start(&Value::Null)?;
    let mut asker = Client::connect(&gateway, "asker")?;
    let dir = gateway.dir.join("node");
    std::fs::create_dir_all(&dir)?;
    let mut host = command(&dir);
    host.args(["node", "run", "--host", "127.0.0.1", "--port", &gateway.port.to_string()]);
    host.env("OPENCLAW_GATEWAY_TOKEN", TOKEN).stdout(Stdio::null()).stderr(Stdio::null());
    let host = Server::of(host.spawn().map_err(|e| format!("node run: {e}"))?, gateway.port);
    only_node(&mut asker)?;
    std::thread::sleep(Duration::from_secs(1));
    let (resident, _) = memory(host.pid())?;
    report.at_most("`openclaw node run`, connected: resident", resident / 1024.0, 3.0, "MiB");
    Ok(())
}
