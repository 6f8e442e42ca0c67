//! Who may be a node: pairing by device, without asking from named places, and the older store.
use crate::harness::node::says;
use crate::harness::*;

const FAR: &[(&str, &str)] = &[("X-Forwarded-For", "203.0.113.7")];

fn from_afar(gateway: &Gateway, device: &Device, said: Value) -> Result<Node, Value> {
    Node::from(Client::open_with(gateway, FAR), device, said)
}

#[test]
fn i15_1_a_node_from_afar_waits_until_it_is_let_in() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    for protocol in [3, 4] {
        let device = Device::new();
        let said = says(protocol, "ios", &["canvas.present"]);
        let refusal = from_afar(&gateway, &device, said.clone()).err().unwrap();
        assert_eq!(refusal["code"], "NOT_PAIRED");
        let id = refusal["details"]["requestId"].clone();
        operator.event_where("device.pair.requested", |request| request["requestId"] == id);
        let pending = operator.ok("node.pair.list", json!({}))["pending"].clone();
        assert!(pending[0]["requestId"] == id && pending[0]["nodeId"] == device.id().as_str(), "{pending}");
        let approved = operator.ok("node.pair.approve", json!({"requestId": id}));
        assert_eq!(approved["node"]["nodeId"], device.id().as_str());
        operator.event_where("device.pair.resolved", |told| told["requestId"] == id);
        let mut node = from_afar(&gateway, &device, said.clone()).unwrap_or_else(|e| panic!("{e}"));
        // What it is told to be goes by what was approved, not by what it says now (SEC-09).
        let mut changed = said.clone();
        changed["client"]["platform"] = json!("linux");
        changed["commands"] = json!(["system.run"]);
        assert_eq!(from_afar(&gateway, &device, changed).err().unwrap()["code"], "NOT_PAIRED");
        let listed = operator.ok("node.pair.list", json!({}))["paired"].clone();
        assert!(
            listed.as_array().unwrap().iter().any(|row| row["nodeId"] == device.id().as_str()),
            "{listed}"
        );
        operator.ok("node.pair.remove", json!({"nodeId": device.id()}));
        assert_eq!(node.client.until_closed().0, 1008);
        assert_eq!(from_afar(&gateway, &device, said).err().unwrap()["code"], "NOT_PAIRED");
    }
    let device = Device::new();
    let refusal = from_afar(&gateway, &device, says(4, "ios", &[])).err().unwrap();
    let id = refusal["details"]["requestId"].clone();
    operator.ok("node.pair.reject", json!({"requestId": id}));
    assert_eq!(operator.fails("node.pair.reject", json!({"requestId": id}))["message"], "unknown requestId");
}

/// SEC-07: what is decided by the way of nodes makes nobody an operator.
#[test]
fn sec_07_a_request_of_an_operator_is_no_nodes() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let refusal = crate::devices::remote_request(&gateway, &Device::new(), &["operator.admin"]);
    let id = refusal["details"]["requestId"].clone();
    assert_eq!(operator.ok("node.pair.list", json!({}))["pending"], json!([]));
    for method in ["node.pair.approve", "node.pair.reject"] {
        assert_eq!(operator.fails(method, json!({"requestId": id}))["message"], "unknown requestId");
    }
}

#[test]
fn i15_1_a_device_that_is_more_than_a_node_stays_what_it_is_besides() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 4);
    let device = Device::new();
    let node = Node::of(&gateway, &device, says(4, "linux", &[])).unwrap();
    let mut both = Client::open(&gateway);
    let mut said = params(4);
    device.attach(&mut said, &both.challenge.clone(), Version::V3);
    both.connect(said).unwrap();
    operator.ok("node.pair.remove", json!({"nodeId": node.id}));
    let mut node = node;
    assert_eq!(node.client.until_closed().0, 1008);
    both.ok("status", json!({}));
    let paired = operator.ok("device.pair.list", json!({}))["paired"].clone();
    let row = paired.as_array().unwrap().iter().find(|row| row["deviceId"] == device.id().as_str()).unwrap();
    assert_eq!(row["roles"], json!(["operator"]));
    assert_eq!(operator.fails("node.pair.remove", json!({"nodeId": node.id}))["message"], "unknown nodeId");
}

#[test]
fn i15_1_new_nodes_of_named_places_are_let_in_without_asking() {
    let nodes = |pairing: Value| {
        let config = json!({"gateway": {"trustedProxies": ["127.0.0.1"], "nodes": {"pairing": pairing}}});
        Gateway::start(&Setup::config(config))
    };
    let gateway = nodes(json!({"autoApproveCidrs": ["203.0.113.0/24"]}));
    let device = Device::new();
    from_afar(&gateway, &device, says(4, "ios", &[])).unwrap_or_else(|e| panic!("{e}"));
    let refused = |headers: &[(&str, &str)], device: &Device, said: Value| {
        let refusal = Node::from(Client::open_with(&gateway, headers), device, said).err();
        assert_eq!(refusal.unwrap_or_else(|| panic!("{headers:?}"))["code"], "NOT_PAIRED");
    };
    refused(FAR, &device, says(4, "linux", &[]));
    refused(&[("X-Forwarded-For", "198.51.100.1")], &Device::new(), says(4, "ios", &[]));
    refused(&[("X-Forwarded-For", "unknown")], &Device::new(), says(4, "ios", &[]));
    let mut operator = says(4, "linux", &[]);
    merge(&mut operator, &json!({"role": "operator", "scopes": ["operator.read"]}));
    refused(FAR, &Device::new(), operator);
    let mut wrong = says(4, "ios", &[]);
    wrong["auth"] = json!({"token": "wrong"});
    assert!(from_afar(&gateway, &Device::new(), wrong).is_err());

    let gateway = nodes(json!({"autoApproveLocal": false}));
    let refusal = Node::of(&gateway, &Device::new(), says(4, "linux", &[])).err().unwrap();
    assert_eq!(refusal["code"], "NOT_PAIRED");
}

#[test]
fn i15_1_the_older_pairing_is_kept_in_its_files() {
    let gateway = Gateway::plain();
    let mut operator = Client::operator(&gateway, 3);
    let (mut reader, _) = Client::with(&gateway, client::scoped(&["operator.read"]));
    let asked = json!({"nodeId": "n-1", "displayName": "Legacy", "platform": "ios", "caps": ["canvas"], "commands": ["canvas.present"]});
    let first = operator.ok("node.pair.request", asked.clone());
    assert_eq!((&first["status"], &first["created"]), (&json!("pending"), &json!(true)));
    let id = first["request"]["requestId"].clone();
    assert_eq!(operator.event("node.pair.requested"), first["request"]);
    let again = operator.ok("node.pair.request", asked);
    assert_eq!((&again["request"], &again["created"]), (&first["request"], &json!(false)));
    let approved = operator.ok("node.pair.approve", json!({"requestId": id}));
    let told = operator.event("node.pair.resolved");
    assert_eq!(
        (&told["requestId"], &told["nodeId"], &told["decision"]),
        (&id, &json!("n-1"), &json!("approved"))
    );
    let token = approved["node"]["token"].clone();
    let verify = |operator: &mut Client, token: &Value| {
        operator.ok("node.pair.verify", json!({"nodeId": "n-1", "token": token}))
    };
    assert_eq!(verify(&mut operator, &json!("x")), json!({"ok": false}));
    assert_eq!(verify(&mut operator, &token)["ok"], true);
    let file = gateway.state_dir().join("nodes/paired.json");
    let on_disk: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(on_disk["n-1"]["token"], token, "in the original's shape");
    let listed = operator.ok("node.pair.list", json!({})).to_string();
    assert!(listed.contains("n-1") && !listed.contains(token.as_str().unwrap()), "a token is told once");
    operator.ok("node.rename", json!({"nodeId": "n-1", "displayName": "New"}));
    assert_eq!(operator.ok("node.list", json!({}))["nodes"], json!([]), "it lets nobody in");
    let rejected = operator.ok("node.pair.request", json!({"nodeId": "n-2"}))["request"]["requestId"].clone();
    operator.ok("node.pair.reject", json!({"requestId": rejected}));
    operator.ok("node.pair.remove", json!({"nodeId": "n-1"}));
    assert_eq!(verify(&mut operator, &token), json!({"ok": false}));
    reader.collect(Duration::from_millis(50));
    assert!(
        reader
            .kept()
            .iter()
            .all(|frame| !frame["event"].as_str().unwrap_or_default().starts_with("node.pair"))
    );
}
