//! Issue 15, sentence 4: the control of a real browser, over a site of its own on loopback.
//!
//! A short round runs with every test; `make test-browser` runs all (`OPENCLAW_BROWSER=all`). Where there is no Chromium that is
//! said, and only what needs none is tried.
mod acting;
mod afar;
mod ends;
mod examples;
mod living;
mod reading;
mod site;

use crate::harness::browser::program;
use crate::harness::*;
use site::Site;
use std::io::Write;

/// Whether something is to be tried: the short round's always, the rest when all is wanted.
#[expect(clippy::disallowed_methods, reason = "how the test that starts it says what to do")]
fn is_wanted(is_short: bool) -> bool {
    let wanted = is_short || std::env::var("OPENCLAW_BROWSER").is_ok_and(|what| what == "all");
    if wanted && program().is_none() {
        eprintln!(
            "\nNOT TESTED: browser control, for there is no Chromium here (apt-get install chromium)\n"
        );
        return false;
    }
    wanted
}

/// A gateway that may drive the browser of this machine over the pages of a site.
struct World {
    gateway: Gateway,
    site: Site,
}

impl World {
    fn new(over: Value) -> World {
        let site = Site::start();
        let mut config = json!({"browser": {
            "enabled": true, "headless": true, "noSandbox": true, "executablePath": program(),
            "ssrfPolicy": {"allowedHostnames": ["127.0.0.1"]},
        }});
        merge(&mut config, &over);
        let gateway = Gateway::start(&Setup::config(config));
        // It listens a moment after the gateway's own port.
        wait_for("the control port", || std::net::TcpStream::connect(("127.0.0.1", gateway.port + 2)).ok());
        World { gateway, site }
    }

    /// One request of the control service, by its port: a busy machine takes its time to start a browser.
    fn ask(&mut self, method: &str, path: &str, body: Value) -> Result<Value, Value> {
        let port = self.gateway.port + 2;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = http::tcp(port);
        stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let answer = http::read_answer(&mut stream).unwrap_or_else(|| panic!("no answer to {method} {path}"));
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
        if answer.status == 200 { Ok(told) } else { Err(told) }
    }

    fn get(&mut self, path: &str, query: Value) -> Value {
        let pairs = query.as_object().unwrap().iter();
        let pairs: Vec<String> =
            pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
        let path = if pairs.is_empty() { path.to_string() } else { format!("{path}?{}", pairs.join("&")) };
        self.ask("GET", &path, Value::Null).unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }

    fn post(&mut self, path: &str, body: Value) -> Value {
        self.ask("POST", path, body.clone()).unwrap_or_else(|e| panic!("POST {path} {body}: {e}"))
    }

    fn refused(&mut self, method: &str, path: &str, body: Value) -> String {
        let error = self.ask(method, path, body.clone()).expect_err(&format!("{method} {path} {body}"));
        error["error"].as_str().unwrap_or_else(|| panic!("{error}")).to_string()
    }

    fn act(&mut self, body: Value) -> Value {
        self.post("/act", body)
    }

    /// Opens a page of the site, which is there then.
    fn open(&mut self, path: &str) -> String {
        let url = self.site.url(path);
        let tab = self.post("/tabs/open", json!({"url": url}));
        assert_eq!((&tab["url"], &tab["loading"]), (&json!(url), &Value::Null), "{tab}");
        tab["targetId"].as_str().unwrap().to_string()
    }

    fn snapshot(&mut self) -> String {
        self.get("/snapshot", json!({}))["snapshot"].as_str().unwrap().to_string()
    }

    /// The ref of what the snapshot shows with these words.
    fn reference(&mut self, words: &str) -> String {
        let shown = self.snapshot();
        let line = shown
            .lines()
            .find(|line| line.contains(words))
            .unwrap_or_else(|| panic!("no {words} in\n{shown}"));
        line.split("[ref=").nth(1).unwrap().split(']').next().unwrap().to_string()
    }

    fn value(&mut self, code: &str) -> Value {
        self.act(json!({"kind": "evaluate", "fn": code}))["result"].clone()
    }
}
