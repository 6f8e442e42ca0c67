//! The store over real files in a temporary state directory: shapes, grants, limits, concurrency.
mod authority;

use super::admit::Decision;
use super::*;
use crate::device::proof::Verified;
use crate::device::testing::{StateDir, strings};
use crate::device::tokens::{self, StoredToken};
use crate::device::{keys, scopes};
use crate::files;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

const NOW: u64 = 1_795_224_814_661;
const ADMIN: &[&str] = &["operator.admin"];
const READ: &[&str] = &["operator.read"];

struct Fixture {
    dir: StateDir,
    pairing: Pairing,
}

/// A connect, described shortly.
#[derive(Clone, Copy)]
struct Connect<'a> {
    device: u8,
    role: &'a str,
    scopes: &'a [&'a str],
    platform: &'a str,
    is_local: bool,
    at: u64,
}

#[derive(Debug, PartialEq)]
enum Came {
    In,
    ToWait,
    InVain,
}

const LOCAL: Connect =
    Connect { device: 1, role: "operator", scopes: ADMIN, platform: "linux", is_local: true, at: NOW };
const REMOTE: Connect = Connect { is_local: false, ..LOCAL };

fn device(n: u8) -> Verified {
    let key = [n; 32];
    Verified { device_id: keys::device_id(&key), public_key: crate::device::encoding::base64url(&key) }
}

fn id(n: u8) -> String {
    device(n).device_id
}

impl Fixture {
    fn new() -> Fixture {
        let dir = StateDir::new();
        Fixture { pairing: Pairing::new(&dir.0), dir }
    }

    /// A connect with the shared secret.
    fn admit(&self, connect: Connect) -> Change<Admission> {
        let Change { result, events, close } =
            self.admit_with(connect, Credential::Shared { is_silent: &|_| connect.is_local });
        assert!(!result.has_guessed);
        Change { result: result.admission, events, close }
    }

    fn admit_with(&self, connect: Connect, credential: Credential) -> Change<Decision> {
        let applicant = Applicant {
            device: &device(connect.device),
            role: connect.role,
            scopes: &strings(connect.scopes),
            client_id: "cli",
            client_mode: "cli",
            display_name: Some("a\u{7}b\n"),
            platform: connect.platform,
            device_family: None,
            remote_ip: None,
        };
        self.pairing.admit(&applicant, credential, connect.at).unwrap()
    }

    fn paired(&self, connect: Connect) -> Paired {
        match self.admit(connect).result {
            Admission::Paired(paired) => paired,
            Admission::Pending(waiting) => panic!("pending: {}", waiting.reason),
            Admission::Refused => panic!("refused"),
        }
    }

    fn waiting(&self, connect: Connect) -> admit::Waiting {
        match self.admit(connect).result {
            Admission::Pending(waiting) => waiting,
            _ => panic!("not pending"),
        }
    }

    /// What becomes of device 1 when it shows a token.
    fn check(&self, role: &str, requested: &[&str], token: &str) -> Came {
        let connect = Connect { role, scopes: requested, ..REMOTE };
        match self.admit_with(connect, Credential::Tokens(&[token])).result.admission {
            Admission::Paired(paired) => {
                assert_eq!(paired.device_token, token, "it leaves with the token it showed");
                Came::In
            }
            Admission::Pending(_) => Came::ToWait,
            Admission::Refused => Came::InVain,
        }
    }

    fn file(&self, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, value: &Value) {
        files::write_atomic(&self.path(name), value.to_string().as_bytes()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.0.join("devices").join(name)
    }

    fn record(&self) -> Value {
        self.file("paired.json")[id(1)].clone()
    }
}

/// A record as the Node program writes it, for device 1.
fn node_record() -> Value {
    json!({id(1): {
        "deviceId": id(1), "publicKey": device(1).public_key, "platform": "linux", "clientId": "gateway-client",
        "clientMode": "backend", "role": "operator", "roles": ["operator", "node"],
        "scopes": ["operator.admin", "operator.read"],
        "tokens": {
            "operator": {"token": "714808c11f1a4ba2a092c2480f548dca", "role": "operator", "scopes": ["operator.admin"],
                "createdAtMs": 1795224763724u64, "rotatedAtMs": 1795224768353u64},
            "node": {"token": "00112233445566778899aabbccddeeff", "role": "node", "scopes": [], "createdAtMs": 1795224767017u64},
        },
        "createdAtMs": 1795224763724u64, "approvedAtMs": 1795224767722u64, "future": {"x": 1},
    }})
}

#[test]
fn a_local_device_is_paired_silently_in_the_shape_of_the_reference() {
    let f = Fixture::new();
    let change = f.admit(LOCAL);
    assert_eq!(change.events.len(), 1);
    assert_eq!(change.events[0].event, "device.pair.resolved");
    assert_eq!(change.events[0].payload["decision"], "approved");
    let Admission::Paired(paired) = change.result else { panic!("pending") };
    assert_eq!(paired.device_token.len(), 32);
    let want = json!({
        "deviceId": id(1), "publicKey": device(1).public_key, "displayName": "ab", "platform": "linux",
        "clientId": "cli", "clientMode": "cli", "role": "operator", "roles": ["operator"],
        "scopes": ["operator.admin"],
        "tokens": {"operator": {"token": paired.device_token, "role": "operator", "scopes": ["operator.admin"],
            "createdAtMs": NOW}},
        "createdAtMs": NOW, "approvedAtMs": NOW,
    });
    assert_eq!(f.record(), want);
    assert!(f.admit(LOCAL).events.is_empty());
}

#[test]
fn records_of_the_node_program_are_used_and_keep_their_unknown_members() {
    let f = Fixture::new();
    f.write("paired.json", &node_record());
    let paired = f.paired(REMOTE);
    assert_eq!(paired.device_token, "714808c11f1a4ba2a092c2480f548dca");
    assert_eq!(paired.issued_at, 1795224768353);
    assert_eq!(f.record(), node_record()[id(1)]);
    f.pairing.revoke(&id(1), "node", None, NOW).unwrap();
    let mut want = node_record()[id(1)].clone();
    want["tokens"]["node"]["revokedAtMs"] = NOW.into();
    assert_eq!(f.record(), want);
}

#[test]
fn other_scopes_never_rotate_a_token_away() {
    let f = Fixture::new();
    let first = f.paired(LOCAL);
    for scopes in [READ, ADMIN, &["operator.pairing", "operator.read"], &[]] {
        let again = f.paired(Connect { scopes, ..REMOTE });
        assert_eq!(again.device_token, first.device_token);
        assert_eq!(again.scopes, scopes);
    }
    // A wider set, approved on the spot, keeps the token too and fills it up.
    let f = Fixture::new();
    let read = f.paired(Connect { scopes: READ, ..LOCAL });
    let admin = f.paired(LOCAL);
    assert_eq!(read.device_token, admin.device_token);
    assert_eq!(f.check("operator", ADMIN, &admin.device_token), Came::In);
}

#[test]
fn each_reason_to_ask_first_has_its_name() {
    let f = Fixture::new();
    assert_eq!(f.waiting(REMOTE).reason, "not-paired");
    f.paired(Connect { scopes: READ, ..LOCAL });
    assert_eq!(f.waiting(Connect { role: "node", scopes: &[], ..REMOTE }).reason, "role-upgrade");
    assert_eq!(f.waiting(Connect { scopes: &["operator.write"], ..REMOTE }).reason, "scope-upgrade");
    assert_eq!(f.waiting(Connect { scopes: READ, platform: "ios", ..REMOTE }).reason, "metadata-upgrade");
    assert_eq!(
        f.paired(Connect { scopes: READ, platform: "Linux 6.1", ..REMOTE }).platform.as_deref(),
        Some("linux")
    );
    let mut other_key = f.file("paired.json");
    other_key[id(1)]["publicKey"] = device(2).public_key.into();
    f.write("paired.json", &other_key);
    let waiting = f.waiting(Connect { scopes: READ, at: NOW + REQUEST_TTL_MS + 1, ..REMOTE });
    assert_eq!(waiting.reason, "not-paired");
    assert_eq!(waiting.request["isRepair"], true);
}

#[test]
fn a_pending_request_is_reused_and_never_changed() {
    let f = Fixture::new();
    let change = f.admit(Connect { scopes: READ, ..REMOTE });
    assert_eq!(change.events[0].event, "device.pair.requested");
    let Admission::Pending(first) = change.result else { panic!("paired") };
    assert_eq!(change.events[0].payload, first.request);
    let before = std::fs::read(f.path("pending.json")).unwrap();
    let again = f.waiting(Connect { scopes: READ, at: NOW + 1, ..REMOTE });
    assert_eq!(again.request_id, first.request_id);
    assert_eq!(std::fs::read(f.path("pending.json")).unwrap(), before);
    let wider = f.waiting(REMOTE);
    assert_ne!(wider.request_id, first.request_id);
    f.pairing.approve(&first.request_id, None, NOW).unwrap();
    assert_eq!(f.waiting(REMOTE).reason, "scope-upgrade");
    assert_eq!(f.record()["scopes"], json!(READ));
}

#[test]
fn the_refusal_tells_the_client_what_to_do() {
    let f = Fixture::new();
    let waiting = f.waiting(REMOTE);
    let wire = waiting.to_error("openclaw devices approve X").to_wire(4);
    assert_eq!((&wire["code"], &wire["message"]), (&json!("NOT_PAIRED"), &json!("pairing required")));
    let details = &wire["details"];
    assert_eq!(details["code"], "PAIRING_REQUIRED");
    assert_eq!(details["requestId"], waiting.request_id);
    assert_eq!(details["requestedScopes"], json!(ADMIN));
    assert!(details["remediationHint"].as_str().unwrap().ends_with("openclaw devices approve X"));
}

#[test]
fn an_approved_device_comes_in_and_a_rejected_one_does_not() {
    let f = Fixture::new();
    let first = f.waiting(REMOTE).request_id;
    let rejected = f.pairing.reject(&first, None, NOW).unwrap();
    assert_eq!(rejected.events[0].payload["decision"], "rejected");
    assert_eq!(rejected.result, json!({"requestId": first, "deviceId": id(1)}));
    let second = f.waiting(REMOTE).request_id;
    assert_eq!(f.pairing.approve(&first, None, NOW).err().unwrap().message(), "unknown requestId");
    let approved = f.pairing.approve(&second, None, NOW).unwrap().result;
    assert_eq!(approved["device"]["tokens"][0]["role"], "operator");
    let paired = f.paired(REMOTE);
    assert!(!approved.to_string().contains(&paired.device_token));
    assert!(f.pairing.list(NOW).unwrap().pending.is_empty());
}

#[test]
fn a_silent_approval_answers_what_it_covers_and_leaves_the_rest() {
    let f = Fixture::new();
    let covered = f.waiting(Connect { scopes: READ, ..REMOTE }).request_id;
    let wider = f.waiting(Connect { role: "node", scopes: &[], ..REMOTE }).request_id;
    let events = f.admit(LOCAL).events;
    assert!(events.iter().any(|e| e.payload["requestId"] == covered));
    assert_eq!(f.pairing.list(NOW).unwrap().pending[0]["requestId"], wider);
}

#[test]
fn requests_expire_and_the_file_is_written_only_then() {
    let f = Fixture::new();
    let request = f.waiting(REMOTE).request_id;
    let modified = || std::fs::metadata(f.path("pending.json")).unwrap().modified().unwrap();
    let before = modified();
    f.pairing.list(NOW + REQUEST_TTL_MS).unwrap();
    assert_eq!(modified(), before);
    assert!(f.pairing.approve(&request, None, NOW + REQUEST_TTL_MS + 1).is_err());
    assert!(f.pairing.list(NOW + REQUEST_TTL_MS + 1).unwrap().pending.is_empty());
    assert_eq!(f.file("pending.json"), json!({}));
}

#[test]
fn at_most_fifty_wait_and_repairs_outlast_strangers() {
    let f = Fixture::new();
    f.paired(LOCAL);
    let repair = f.waiting(Connect { role: "node", scopes: &[], ..REMOTE }).request_id;
    for n in 0..60 {
        f.waiting(Connect { device: 100 + n, at: NOW + 1 + u64::from(n), ..REMOTE });
    }
    let pending = f.pairing.list(NOW + 100).unwrap().pending;
    assert_eq!(pending.len(), MAX_PENDING);
    assert_eq!(pending[0]["deviceId"], id(159));
    assert_eq!(pending[MAX_PENDING - 1]["requestId"], repair);
}

#[test]
fn client_strings_are_cut_and_cleaned() {
    let f = Fixture::new();
    let long = format!("a\u{1b}[31m{}\u{0}", "é".repeat(5000));
    let waiting = f.waiting(Connect { platform: &long, ..REMOTE });
    let platform = waiting.request["platform"].as_str().unwrap();
    assert!(platform.len() <= 200 && !platform.chars().any(char::is_control), "{platform:?}");
}

#[test]
fn lists_hold_no_token() {
    let f = Fixture::new();
    f.write("paired.json", &node_record());
    let listing = f.pairing.list(NOW).unwrap();
    let shown = format!("{listing:?}");
    assert!(!shown.contains("714808c1") && !shown.contains("00112233"), "{shown}");
    let roles: Vec<_> =
        listing.paired[0]["tokens"].as_array().unwrap().iter().map(|t| t["role"].clone()).collect();
    assert_eq!(roles, ["node", "operator"]);
    assert_eq!(listing.paired[0]["tokens"][1]["rotatedAtMs"], 1795224768353u64);
}

#[test]
fn a_token_is_good_for_its_device_role_and_scopes_only() {
    let f = Fixture::new();
    let token = f.paired(Connect { scopes: &["operator.write"], ..LOCAL }).device_token;
    assert_eq!(f.check("operator", READ, &token), Came::In);
    assert_eq!(f.check("operator", ADMIN, &token), Came::ToWait);
    assert_eq!(f.check("node", &[], &token), Came::InVain);
    for wrong in ["", "x", &token[1..], &token.to_uppercase()] {
        assert_eq!(f.check("operator", READ, wrong), Came::InVain, "{wrong}");
    }
    let other = f.admit_with(Connect { device: 2, ..REMOTE }, Credential::Tokens(&[&token])).result;
    assert!(matches!(other.admission, Admission::Refused) && other.has_guessed);
    let both = f.admit_with(Connect { scopes: READ, ..REMOTE }, Credential::Tokens(&["x", &token])).result;
    assert!(matches!(both.admission, Admission::Paired(_)) && both.has_guessed, "a guess beside it counts");
    assert_eq!(f.record()["tokens"]["operator"]["lastUsedAtMs"], NOW);
}

#[test]
fn a_damaged_file_stops_the_operation_and_stays() {
    let f = Fixture::new();
    f.write("paired.json", &json!({}));
    for text in ["", "[]", "{\"a\": secret-canary"] {
        std::fs::write(f.path("paired.json"), text).unwrap();
        let error = f.pairing.list(NOW).err().unwrap();
        assert!(!error.message().contains("canary"));
        assert_eq!(std::fs::read_to_string(f.path("paired.json")).unwrap(), text);
    }
    // A damaged record is its own device's trouble only.
    let mut damaged = node_record();
    damaged["x"] = json!({"tokens": 7});
    f.write("paired.json", &damaged);
    f.paired(REMOTE);
    f.paired(Connect { device: 2, ..LOCAL });
    assert_eq!(f.file("paired.json")["x"], damaged["x"]);
    f.pairing.remove("x", None, NOW).unwrap();
}

#[test]
fn eight_threads_lose_no_device_and_agree_on_a_token() {
    let f = Fixture::new();
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u8)
            .map(|n| {
                let f = &f;
                scope.spawn(move || {
                    f.paired(Connect { device: 10 + n, ..LOCAL });
                    f.paired(Connect { scopes: if n % 2 == 0 { READ } else { ADMIN }, ..LOCAL }).device_token
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(f.pairing.list(NOW).unwrap().paired.len(), 9);
}

/// R-22c.
#[test]
fn files_are_private_whatever_the_umask() {
    let old = rustix::process::umask(rustix::fs::Mode::empty());
    let f = Fixture::new();
    f.paired(LOCAL);
    f.waiting(Connect { device: 2, ..REMOTE });
    tokens::store(
        &f.dir.0,
        &id(1),
        "operator",
        &StoredToken { token: "t".into(), scopes: vec![], gateway: String::new() },
        1,
    )
    .unwrap();
    rustix::process::umask(old);
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for name in ["paired.json", "pending.json", ".lock"] {
        assert_eq!(mode(f.path(name)), 0o600, "{name}");
    }
    assert_eq!(mode(f.dir.0.join("identity/device-auth.json")), 0o600);
    assert_eq!(mode(f.path("")), 0o700);
    assert_eq!(mode(f.dir.0.clone()), 0o700);
}
