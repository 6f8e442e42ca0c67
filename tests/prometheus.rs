//! Issue 12, sentence 2: the numbers as Prometheus reads them, by a small reader of its text format; SEC-40 and the
//! headers of sentence 6 on what there is.
use crate::harness::model::texts;
use crate::harness::*;
use std::collections::{BTreeMap, BTreeSet};

fn ask(gateway: &Gateway, path: &str, headers: &str) -> http::Answer {
    let port = gateway.port;
    http::raw(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n"),
    )
}

fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The samples of the exposition, which is checked line by line: each family has its help and its type once and before
/// its samples, which stand together; no sample comes twice; the text ends with a line feed.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut seen) = (BTreeMap::new(), BTreeSet::new());
    let (mut family, mut kind, mut has_help) = (String::new(), String::new(), false);
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(is_name(name) && !help.is_empty() && seen.insert(name.to_string()), "{line}");
            (family, kind, has_help) = (name.to_string(), String::new(), true);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap();
            assert!(has_help && name == family && ["counter", "gauge"].contains(&of), "{line}");
            kind = of.to_string();
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').map_or((sample, None), |(n, l)| (n, Some(l)));
            assert!(name == family && !kind.is_empty(), "{line} stands below {family}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            if let Some(labels) = labels {
                let (label, value) = labels.strip_suffix('}').unwrap().split_once('=').unwrap();
                let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                assert!(is_name(label) && !value.contains(['"', '\\', '\n']), "{line}");
            }
            assert!(
                samples.insert(sample.to_string(), value.parse().unwrap()).is_none(),
                "{line} comes twice"
            );
        }
    }
    samples
}

#[test]
fn i12_2_the_numbers_are_there_for_who_shows_the_secret() {
    let model = ModelServer::start(vec![texts(&["hello"])]);
    let gateway = Gateway::start(&Setup::config(model.config()));
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "k"}));
    client.event_where("chat", |payload| payload["state"] == "final");
    let answer = ask(&gateway, "/metrics", &bearer());
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = read(&answer.body);
    let of = |name: &str| samples.get(name).copied().unwrap_or_else(|| panic!("{name}: {samples:?}"));
    assert_eq!(of(&format!("openclaw_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    assert_eq!((of("openclaw_clients"), of("openclaw_runs_ended_total")), (1.0, 1.0));
    assert_eq!(of("openclaw_requests_total{method=\"chat.send\"}"), 1.0);
    assert!(of("openclaw_uptime_seconds") > 0.0 && of("openclaw_model_calls_total") >= 1.0);
    assert_eq!(read(&ask(&gateway, "/api/diagnostics/prometheus", &bearer()).body).len(), samples.len());
    for (path, headers, status) in [
        ("/metrics", "", 401),
        ("/metrics", "Authorization: Bearer wrong\r\n", 401),
        ("/metrics/", &*bearer(), 404),
    ] {
        assert_eq!(ask(&gateway, path, headers).status, status, "{path} {headers}");
    }
    let port = gateway.port;
    let answer = http::raw(
        port,
        &format!("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"),
    );
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn i12_6_every_answer_is_protected() {
    let hsts = "max-age=31536000; includeSubDomains";
    let config = json!({"gateway": {"http": {"securityHeaders": {"strictTransportSecurity": hsts}}}});
    let (with, without) = (Gateway::start(&Setup::config(config)), Gateway::plain());
    for (path, headers) in [
        ("/health", String::new()),
        ("/nowhere-at-all", String::new()),
        ("/metrics", String::new()),
        ("/metrics", bearer()),
    ] {
        let answer = ask(&with, path, &headers);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", hsts),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}\n{}", answer.head);
        }
        assert!(
            answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!answer.head.to_lowercase().contains("access-control-"), "{path}");
        assert_eq!(ask(&without, path, &headers).header("strict-transport-security"), None);
    }
    let odd = http::raw(with.port, "GARBAGE\r\n\r\n");
    assert_eq!((odd.status, odd.header("x-content-type-options")), (400, Some("nosniff")));
}

// SEC-40 (what is open to anybody is in src/http/tests): who shows the secret may call this machine as he likes.
#[test]
fn sec_40_foreign_names_and_pages_are_refused() {
    let gateway = Gateway::plain();
    let get = |path: &str, host: &str, headers: &str| {
        http::raw(
            gateway.port,
            &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"),
        )
    };
    for host in ["evil.example", "127.0.0.1.evil", "localhost."] {
        assert_eq!(get("/metrics", host, &bearer()).status, 200, "{host}");
        assert_eq!(get("/metrics", host, "").status, 401, "{host}");
    }
    assert_eq!(get("/health", "gateway", "").status, 200, "a probe says nothing");
    for headers in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"]
    {
        let head = format!(
            "POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n{}{headers}\r\n",
            bearer()
        );
        assert_eq!(http::raw(gateway.port, &head).status, 403, "{headers}");
    }
}
