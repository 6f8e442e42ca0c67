//! Issue 15: node host and gateway are killed at random while commands run on the node. Each command ends once for who asked, none
//! runs twice, none outlives its host, and both find each other again.
//!
//! A short round runs with every test; `make torture` has 200 kills (`OPENCLAW_TORTURE` of 1000 says it; a fifth of that).
use crate::harness::node_gateway::NodeHost;
use crate::harness::random::{Random, setting};
use crate::harness::*;
use std::path::Path;

/// Numbers of the commands that began, as they wrote them down.
fn begun(dir: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(dir.join("home/begun")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Processes that have this text on their command line.
fn left(text: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

/// The node, once it is here: its own process tells of it anew after each end.
fn node_here(client: &mut Client) -> String {
    wait_within(3 * DEADLINE, "the node", || {
        let told = client.ok("node.list", json!({}));
        let node = told["nodes"].as_array()?.iter().find(|node| node["connected"] == true)?;
        node["nodeId"].as_str().map(str::to_string)
    })
}

fn run(node: &str, n: u64, mark: &str) -> Value {
    let text = format!("echo {n} >> $HOME/begun; sleep 0.1; echo {mark} > /dev/null; echo done {n}");
    json!({"nodeId": node, "command": "system.run", "timeoutMs": 20_000, "idempotencyKey": format!("{mark}-{n}"),
        "params": {"command": ["/bin/sh", "-c", text]}})
}

#[test]
fn i15_3_kills_of_node_host_and_gateway_lose_no_end_and_double_no_command() {
    let rounds = setting("OPENCLAW_TORTURE", 30) / 5;
    let seed = setting("OPENCLAW_TORTURE_SEED", u64::from(std::process::id()) * 7919 + 1);
    println!("{rounds} kills, seed {seed}");
    let mut random = Random(seed);
    let mark = format!("mark{seed}");
    let mut gateway = Gateway::start(&Setup::config(json!({})));
    let mut host = NodeHost::start(gateway.port);
    let own = json!({"tools": {"exec": {"security": "full", "ask": "off"}}});
    std::fs::create_dir_all(host.state("")).unwrap();
    std::fs::write(host.state("openclaw.json"), own.to_string()).unwrap();
    for n in 0..rounds {
        let mut client = Client::operator(&gateway, 4);
        let node = node_here(&mut client);
        let id = client.ask("node.invoke", run(&node, n, &mark));
        std::thread::sleep(Duration::from_millis(random.below(160) as u64));
        if random.below(3) == 0 {
            gateway.kill();
            gateway.restart();
            client = Client::operator(&gateway, 4);
        } else {
            host.child.kill().unwrap();
            host.child.wait().unwrap();
            // Told once: what it gave before, or that it is gone.
            match client.answer(&id) {
                Ok(told) => assert_eq!(told["payload"]["stdout"], json!(format!("done {n}\n")), "{told}"),
                Err(error) => {
                    let why = error["message"].as_str().unwrap();
                    assert!(why.starts_with("node disconnected"), "{error}");
                }
            }
            let same = client.call("node.invoke", run(&node, n, &mark));
            assert!(same.is_ok() || same.unwrap_err()["message"].as_str().unwrap().starts_with("node "));
            host.again();
        }
        let node = node_here(&mut client);
        // What ran is over with the connection that it came by.
        wait_for("the end of what ran", || (left(&mark) == 0).then_some(()));
        let told = client.ok("node.invoke", run(&node, 1_000_000 + n, &mark));
        assert_eq!(told["payload"]["success"], true, "{told}");
    }
    let mut all = begun(&host.dir);
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "a command ran twice");
    assert!(all.len() as u64 >= rounds, "those after the kills ran");
}
