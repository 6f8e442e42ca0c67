//! A real Chromium without a screen, driven by its debugging protocol: pages, clicks, keys, pictures, and what they log.
//!
//! One process and one profile a `Browser`; dropping it ends the process and removes the profile.
use super::{DEADLINE, Value, gateway, http, json};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

/// The program, where there is one. `OPENCLAW_CHROMIUM` names another.
#[expect(clippy::disallowed_methods, reason = "how the test that starts it says what to do")]
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("OPENCLAW_CHROMIUM").map(PathBuf::from);
    let usual =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|path| path.exists())
}

pub struct Browser {
    child: Child,
    dir: PathBuf,
    port: u16,
}

impl Browser {
    /// With these flags beside those it needs.
    pub fn start(flags: &[&str]) -> Browser {
        let dir = gateway::new_dir();
        let profile = dir.join("profile");
        let child = Command::new(program().expect("a Chromium"))
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([
                "--disable-extensions",
                "--disable-background-networking",
                "--remote-debugging-port=0",
                "--lang=en-GB",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(flags)
            .arg("about:blank")
            .env("HOME", &dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = super::wait_within(4 * DEADLINE, "Chromium to listen", || {
            let text = std::fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
            text.lines().next()?.parse().ok()
        });
        Browser { child, dir, port }
    }

    /// An empty page.
    pub fn page(&self) -> Page {
        let answer = http::request(self.port, "PUT", "/json/new?about:blank");
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
        let url = told["webSocketDebuggerUrl"].as_str().unwrap();
        let config =
            WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20));
        let (ws, _) =
            tungstenite::client::client_with_config(url, http::tcp(self.port), Some(config)).unwrap();
        let mut page = Page { ws, next: 0, noise: Vec::new() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.cdp(&format!("{domain}.enable"), json!({}));
        }
        page.cdp("Page.bringToFront", json!({}));
        page.cdp("Emulation.setFocusEmulationEnabled", json!({"enabled": true}));
        page.size(1280, 800);
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its helpers may write for a moment longer; what stays is litter in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub struct Page {
    ws: WebSocket<TcpStream>,
    next: u64,
    /// Errors that the page threw or logged, refused parts among them.
    pub noise: Vec<String>,
}

impl Page {
    /// One command of the debugging protocol and its result.
    pub fn cdp(&mut self, method: &str, params: Value) -> Value {
        let said = self.command(method, params);
        assert!(said["error"].is_null(), "{method}: {said}");
        said["result"].clone()
    }

    fn command(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let text = json!({"id": id, "method": method, "params": params}).to_string();
        self.ws.send(Message::text(text)).unwrap();
        loop {
            let Message::Text(text) = self.ws.read().unwrap_or_else(|e| panic!("{method}: {e}")) else {
                continue;
            };
            let said: Value = serde_json::from_str(&text).unwrap();
            if said["id"] == id {
                return said;
            }
            self.hear(&said);
        }
    }

    fn hear(&mut self, said: &Value) {
        let params = &said["params"];
        let text = match said["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => params["exceptionDetails"].to_string(),
            "Runtime.consoleAPICalled" if params["type"] == "error" => params["args"].to_string(),
            "Log.entryAdded" if params["entry"]["level"] == "error" => params["entry"].to_string(),
            _ => return,
        };
        self.noise.push(text);
    }

    pub fn open(&mut self, url: &str) {
        self.cdp("Page.navigate", json!({"url": url}));
    }

    pub fn reload(&mut self) {
        self.cdp("Page.reload", json!({}));
    }

    pub fn size(&mut self, width: u32, height: u32) {
        let is_phone = width < 600;
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}),
        );
    }

    /// What the system prefers: `light` or `dark`.
    pub fn prefers(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.cdp("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// The value of an expression; a promise is waited for.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let said = self.cdp("Runtime.evaluate", params);
        assert!(said["exceptionDetails"].is_null(), "{expression}: {said}");
        said["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait(&mut self, expression: &str) {
        let wrapped =
            format!("(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()");
        let start = Instant::now();
        while self.ask(&wrapped) != json!(true) {
            if start.elapsed() > 2 * DEADLINE {
                let shown = self.ask("document.body.innerText.slice(0, 3000)");
                panic!("in vain for {expression}\nnoise: {:?}\nthe page shows: {shown}", self.noise);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// The same as `eval`; nothing while a page is being loaded.
    fn ask(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true});
        self.command("Runtime.evaluate", params)["result"]["result"]["value"].clone()
    }

    /// Waits until the page shows these words.
    pub fn wait_text(&mut self, words: &str) {
        self.wait(&format!("document.body.innerText.includes({})", json!(words)));
    }

    /// Waits for the element and clicks into its middle, as a mouse does.
    pub fn click(&mut self, selector: &str) {
        let find = format!("document.querySelector({})", json!(selector));
        self.wait(&format!("{find}.getClientRects().length"));
        self.click_at(&find);
    }

    /// Clicks the button or link with this name.
    pub fn press_button(&mut self, name: &str) {
        let find = format!(
            "[...document.querySelectorAll('button, a')].filter((b) => (b.getAttribute('aria-label') || b.textContent).trim() === {} && b.getClientRects().length).at(-1)",
            json!(name)
        );
        self.wait(&find);
        self.click_at(&find);
    }

    fn click_at(&mut self, find: &str) {
        let place = self.eval(&format!(
            "(() => {{ const e = {find}; e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            self.cdp(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}),
            );
        }
    }

    /// Types into what has the focus.
    pub fn typed(&mut self, text: &str) {
        self.cdp("Input.insertText", json!({"text": text}));
    }

    /// One key, pressed and let go.
    pub fn key(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            "ArrowLeft" => (37, ""),
            "ArrowRight" => (39, ""),
            "ArrowUp" => (38, ""),
            " " => (32, " "),
            other => panic!("no code for the key {other}"),
        };
        let name = if key == " " { "Space" } else { key };
        let mut event = json!({"key": key, "code": name, "windowsVirtualKeyCode": code});
        for (kind, text) in [("keyDown", text), ("keyUp", "")] {
            event["type"] = json!(if kind == "keyDown" && text.is_empty() { "rawKeyDown" } else { kind });
            event["text"] = json!(text);
            self.cdp("Input.dispatchKeyEvent", event.clone());
        }
    }

    /// Keeps a picture of what is seen, for people: `<target>/tmp/ui/<name>.png`.
    pub fn picture(&mut self, name: &str) {
        let told = self.cdp("Page.captureScreenshot", json!({"format": "png"}));
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{name}.png")), from_base64(told["data"].as_str().unwrap())).unwrap();
    }

    /// The elements that people use, as a screen reader is told of them: role and name.
    pub fn spoken(&mut self) -> Vec<(String, String)> {
        self.cdp("Accessibility.enable", json!({}));
        let tree = self.cdp("Accessibility.getFullAXTree", json!({}));
        self.cdp("Accessibility.disable", json!({}));
        let text = |v: &Value| v["value"].as_str().unwrap_or_default().trim().to_string();
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] != json!(true));
        nodes.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(value).collect();
    let group = |four: &[u8]| {
        let n = four.iter().fold(0u32, |n, d| n << 6 | u32::from(*d)) << (6 * (4 - four.len()));
        n.to_be_bytes()[1..four.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
