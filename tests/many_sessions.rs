//! Ten thousand sessions in an index of 28 MB: what they cost, and that nothing of them gets lost.
//!
//! Reads `VmRSS` and `VmHWM` of the process, so on Linux only.
use crate::harness::model::texts;
use crate::harness::*;

const MANY: usize = 10_000;
const INDEX: &str = "agents/main/sessions/sessions.json";

/// A gateway with this many sessions, and the index's text.
pub fn gateway(count: usize, config: Value) -> (Gateway, String) {
    let text = many_sessions::text(count, None);
    let setup = Setup::config(config).file(INDEX, text.clone());
    (Gateway::start(&setup), text)
}

fn index(gateway: &Gateway) -> Value {
    serde_json::from_str(&std::fs::read_to_string(gateway.state_dir().join(INDEX)).unwrap()).unwrap()
}

#[test]
fn a_large_index_costs_little_more_than_its_bytes() {
    let plain = Gateway::plain().resident_kib();
    let model = ModelServer::start(vec![texts(&["fine"])]);
    let (mut gateway, text) = gateway(MANY, model.config());
    assert!((24 << 20..32 << 20).contains(&text.len()), "{} bytes", text.len());
    let most = plain + 4096 + text.len() as u64 / 1024 * 3 / 2;
    let check = |gateway: &Gateway, when: &str| {
        let resident = gateway.resident_kib();
        assert!(resident <= most, "{when}: {resident} KiB, {most} allowed, {plain} without sessions");
    };
    check(&gateway, "after the start");
    let mut client = Client::operator(&gateway, 4);
    let list = client.ok("sessions.list", json!({"limit": 50}));
    assert_eq!((&list["totalCount"], &list["count"]), (&json!(MANY), &json!(50)));
    assert_eq!(list["sessions"][0]["key"], many_sessions::key(MANY - 1));
    check(&gateway, "after a list");
    client.ok("sessions.patch", json!({"key": many_sessions::key(7), "label": "seven"}));
    let run = client.ok("agent", json!({"message": "hi", "sessionKey": "new", "idempotencyKey": "k"}));
    client.ok("agent.wait", json!({"runId": run["runId"], "timeoutMs": 20_000}));
    check(&gateway, "after a turn and two saves");
    drop(client);
    gateway.stop();
    // Everything is as it was but what was changed, unknown members and order too.
    let (mut was, mut is) = (serde_json::from_str::<Value>(&text).unwrap(), index(&gateway));
    let keys = |index: &Value| index.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&is), [keys(&was), vec!["agent:main:new".to_string()]].concat());
    let changed = is[many_sessions::key(7)].clone();
    assert_eq!((&changed["label"], &changed["ofALaterRelease"]["n"]), (&json!("seven"), &json!(7)));
    for map in [&mut was, &mut is] {
        let map = map.as_object_mut().unwrap();
        map.shift_remove("agent:main:new");
        map.shift_remove(&many_sessions::key(7));
    }
    assert!(was == is, "an entry that nobody touched has changed");
}

#[test]
fn a_list_of_fifty_rows_costs_the_same_however_many_sessions_there_are() {
    let cost = |count: usize| {
        let (gateway, _) = gateway(count, Value::Null);
        let mut client = Client::operator(&gateway, 4);
        let mut list = || {
            std::fs::write(format!("/proc/{}/clear_refs", gateway.pid()), "5").unwrap();
            let before = gateway.peak_kib();
            client.ok("sessions.list", json!({"limit": 50, "search": "label-1"}));
            gateway.peak_kib().saturating_sub(before)
        };
        // The first one brings in what all need.
        list();
        list()
    };
    let (few, many) = (cost(100), cost(MANY));
    assert!(many <= few + 1024, "{few} KiB for 100 sessions, {many} KiB for {MANY}");
}
