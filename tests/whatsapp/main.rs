//! `openclaw-whatsapp` and the gateway before a stand-in for WhatsApp's servers: linking, messages, refusals, ends at any
//! moment. `make test-whatsapp`: the program's crates are built for nothing else.
#![allow(dead_code)]
#[path = "../harness/mod.rs"]
mod harness;
mod import;
mod life;
mod messages;
mod people;
mod server;
mod wire;

use harness::*;
use server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_openclaw-whatsapp");

/// A gateway whose channel speaks to the stand-in.
pub struct Setting {
    pub server: Server,
    pub model: ModelServer,
    pub gateway: Gateway,
}

impl Setting {
    pub fn new(replies: Vec<Reply>, more: Value) -> Setting {
        let (server, model) = (Server::start(), ModelServer::start(replies));
        let mut section = json!({
            "command": ["/usr/bin/env", format!("OPENCLAW_WHATSAPP_WEB_SOCKET_URL={}", server.url()), PROGRAM],
            "dmPolicy": "allowlist", "allowFrom": ["+15550002222"]});
        merge(&mut section, &more);
        let mut config = model.config();
        merge(
            &mut config,
            &json!({"session": {"dmScope": "per-channel-peer"}, "channels": {"whatsapp": section}}),
        );
        let gateway = Gateway::start(&Setup::config(config));
        Setting { server, model, gateway }
    }

    /// The same, linked by a scan and connected.
    pub fn linked(replies: Vec<Reply>, more: Value) -> Setting {
        let setting = Setting::new(replies, more);
        setting.link();
        setting
    }

    pub fn client(&self) -> Client {
        Client::operator(&self.gateway, 3)
    }

    pub fn link(&self) {
        let mut client = self.client();
        self.status("the program", |row| row["linked"] == false && row["canLogin"] == true);
        let shown = client.ok("web.login.start", json!({}));
        self.server.scan(shown["qr"].as_str().unwrap_or_else(|| panic!("{shown}")));
        let told = client.ok("web.login.wait", json!({"timeoutMs": 15000}));
        assert_eq!(told["connected"], true, "{told}");
        self.status("the connection", |row| row["connected"] == true && row["linked"] == true);
    }

    /// The account's row, once it is so.
    pub fn status(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut client = self.client();
        let mut last = Value::Null;
        wait_within(Duration::from_secs(40), what, || {
            last = client.ok("channels.status", json!({}))["channelAccounts"]["whatsapp"][0].clone();
            is_so(&last).then(|| last.clone())
        })
    }

    /// The process of the program.
    pub fn program(&self) -> i32 {
        let parent = format!(" {} ", self.gateway.pid());
        let is_it = |pid: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let rest = stat.rsplit(')').next().unwrap_or_default();
            stat.contains("(openclaw-whatsa)")
                && format!(" {} ", rest.split_whitespace().nth(1).unwrap_or_default()) == parent
        };
        wait_for("the program", || {
            let all = std::fs::read_dir("/proc").unwrap().flatten();
            all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it)
        })
    }
}
