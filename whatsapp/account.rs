//! What the threads and tasks of an account share, and what it says of itself to the gateway.
use crate::exec::Executor;
use crate::lines::{Line, say};
use crate::recent::Recent;
use crate::store::{Change, Store, table};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wacore_binary::Jid;
use whatsapp_rust::Client;
use whatsapp_rust::futures::channel::oneshot;

pub struct Account {
    pub exec: Executor,
    pub store: Arc<Store>,
    /// What the gateway said in the beginning.
    pub hello: Line,
    pub dir: PathBuf,
    shared: Mutex<Shared>,
}

#[derive(Default)]
pub struct Shared {
    pub client: Option<Arc<Client>>,
    pub is_connected: bool,
    pub is_linked: bool,
    /// Messages that the gateway has not acknowledged yet.
    pub brought: HashMap<String, oneshot::Sender<()>>,
    /// Messages that WhatsApp has not acknowledged yet; its answer is an error or none.
    pub sent: HashMap<String, oneshot::Sender<Option<String>>>,
    pub recent: Recent,
    /// Chats in which an answer is being written.
    pub writing: HashSet<Jid>,
    pub titles: HashMap<Jid, String>,
    /// Its owner wishes to link it: whoever waits for that.
    pub login: Option<Line>,
    /// Its owner takes the link away.
    pub is_logging_out: bool,
    /// For a code of this login, once.
    pub has_asked_code: bool,
    pub login_waits: Option<oneshot::Sender<()>>,
    pub last_disconnect: Value,
    pub attempts: u64,
    /// Why the network could not be reached last.
    pub trouble: Option<String>,
}

impl Account {
    pub fn new(exec: Executor, store: Arc<Store>, hello: Line, dir: PathBuf) -> Account {
        let shared = Shared { last_disconnect: Value::Null, ..Shared::default() };
        Account { exec, store, hello, dir, shared: Mutex::new(shared) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn client(&self) -> Option<Arc<Client>> {
        self.lock().client.clone()
    }

    /// A key of the channel's configuration.
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.hello.0.get("config")?.get(name)
    }

    /// The command that links it.
    pub fn login_command(&self) -> String {
        match self.hello.text("account") {
            "" | "default" => "openclaw channels login --channel whatsapp".to_string(),
            id => format!("openclaw channels login --channel whatsapp --account {id}"),
        }
    }

    /// The connected client, for which it waits so long; else what is wrong.
    pub async fn connected(&self, time: Duration) -> Result<Arc<Client>, String> {
        let step = Duration::from_millis(50);
        let mut left = time;
        loop {
            let (client, is_linked, is_connected) = {
                let shared = self.lock();
                (shared.client.clone(), shared.is_linked, shared.is_connected)
            };
            match client {
                Some(client) if is_connected => return Ok(client),
                _ if !is_linked => return Err(format!("WhatsApp is not linked: {}", self.login_command())),
                _ if left.is_zero() => {
                    return Err("WhatsApp is not connected; it is tried again by itself".into());
                }
                _ => self.exec.sleep(step).await,
            }
            left = left.saturating_sub(step);
        }
    }

    pub fn linked(&self, pn: &Jid, lid: Option<&Jid>, name: &str) {
        let at = self.store.get(table::OWN, "linkedAtMs").ok().flatten();
        let at = at.and_then(|text| String::from_utf8(text).ok()?.parse::<i64>().ok());
        let at = at.unwrap_or_else(|| {
            let now = wacore::time::now_millis();
            let _ = self.store.apply(&[Change::put(table::OWN, "linkedAtMs", now.to_string())]);
            now
        });
        self.lock().is_linked = true;
        let id = format!("+{}", pn.user);
        let own = json!({"id": id, "e164": id, "jid": pn.to_string(), "lid": lid.map(Jid::to_string), "name": name});
        self.status(json!({"linked": true, "linkedAt": at, "self": own}));
    }

    pub fn not_linked(&self, why: &str) {
        let mut shared = self.lock();
        (shared.is_linked, shared.is_connected) = (false, false);
        drop(shared);
        self.status(json!({"linked": false, "connected": false, "linkedAt": null, "error": why}));
    }

    pub fn is_up(&self) {
        let mut shared = self.lock();
        (shared.is_connected, shared.attempts, shared.trouble) = (true, 0, None);
        drop(shared);
        self.status(json!({"connected": true, "error": null, "reconnectAttempts": 0,
            "lastConnectedAt": (wacore::time::now_millis())}));
    }

    /// A connection has ended, or was refused.
    pub fn is_down(&self, status: Option<u16>, why: &str, logged_out: bool) {
        let mut shared = self.lock();
        shared.is_connected = false;
        shared.attempts += 1;
        let at = wacore::time::now_millis();
        shared.last_disconnect = json!({"at": at, "status": status, "error": why, "loggedOut": logged_out});
        // Nobody answers what was asked on it.
        shared.sent.clear();
        let (last, attempts) = (shared.last_disconnect.clone(), shared.attempts);
        drop(shared);
        self.status(
            json!({"connected": false, "error": why, "lastDisconnect": last, "reconnectAttempts": attempts}),
        );
    }

    fn status(&self, mut more: Value) {
        if let Some(more) = more.as_object_mut() {
            more.insert("type".into(), "status".into());
        }
        say(&more);
    }

    /// What its owner is to scan or to type.
    pub fn ask(&self, what: Map<String, Value>) {
        let mut line = what;
        line.insert("type".into(), "login".into());
        say(&line.into());
    }

    pub fn wish_login(&self, line: Line) {
        let mut shared = self.lock();
        shared.has_asked_code = false;
        shared.login = Some(line);
        if let Some(waits) = shared.login_waits.take() {
            let _ = waits.send(());
        }
    }

    /// Waits until its owner wishes to link it.
    pub async fn await_login(&self) -> Line {
        loop {
            let (told, wait) = oneshot::channel();
            {
                let mut shared = self.lock();
                if let Some(line) = shared.login.take() {
                    return line;
                }
                shared.login_waits = Some(told);
            }
            let _ = wait.await;
        }
    }
}
