//! How many tokens a local server gives a model, asked of the server: no default of ours can know it.
//!
//! `ask` runs on the caller's thread (`models set`, `models scan --add`). For turns whose configuration says nothing a
//! short-lived thread asks usual local servers (Ollama also what it has set for a model that is not loaded); the run's thread waits a quarter of a second for the first
//! answer and never again, later ones are taken from a small table. No other server is asked unasked.
use crate::cancel::Cancel;
use crate::fetch::dial::{Timeouts, Watch};
use crate::fetch::http::{Call, send};
use crate::json;
use crate::models::provider::{Provider, is_nearby};
use crate::models::scan;
use crate::threads;
use serde_json::Value;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::Uri;

const MAX_ANSWER: usize = 1 << 20;
const MAX_VALUES: usize = 50_000;
/// Windows that are believed.
const SANE: std::ops::RangeInclusive<u64> = 256..=100_000_000;
/// Members of a model in `/v1/models` that say it, those of what is served now first.
const MEMBERS: &[&str] = &[
    "/max_model_len",
    "/loaded_context_length",
    "/context_length",
    "/context_window",
    "/max_context_length",
];
/// How long an answer holds, and how long the first one is waited for.
const FRESH: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_millis(250);
const TIME: Duration = Duration::from_millis(1500);
const MOST_KNOWN: usize = 64;

/// What a server told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Its models.
    pub models: Vec<String>,
    /// The window of the model that was asked for.
    pub window: Option<Window>,
    /// What it answered instead of its list.
    pub refusal: Option<Refusal>,
}

/// An answer that is no list of models, nor that of a server which has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// It wants another key.
    Key(u16),
    /// Something is wrong there.
    Failed(u16),
    /// It is no JSON: a page, perhaps, or nothing.
    Strange,
}

impl Refusal {
    fn of(status: u16, is_json: bool) -> Option<Refusal> {
        match status {
            401 | 403 => Some(Refusal::Key(status)),
            429 | 500 | 502..=599 => Some(Refusal::Failed(status)),
            200..=299 if !is_json => Some(Refusal::Strange),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub tokens: u64,
    /// Whether it is what the server gives; else it is the most that the model could have, and what the server gives it
    /// shows once the model is loaded.
    pub is_served: bool,
}

/// Whom to ask, and until when.
struct Server<'a> {
    origin: String,
    base: String,
    headers: Vec<(String, String)>,
    model: &'a str,
    /// By its name or port.
    is_ollama: bool,
    cancel: Cancel,
    watch_time: Duration,
}

/// Asks the server of a model on this machine or network; `None` when it does not answer at all. One that has no list of
/// models tells of none.
pub fn ask(provider: &Provider, time: Duration) -> Option<Told> {
    let server = Server::of(provider, time)?;
    let (status, list) = server.reach(&server.models(), None)?;
    let refusal = Refusal::of(status, list.is_some());
    let Some((models, listed)) = list.and_then(|list| server.listed(&list)) else {
        return Some(Told { refusal, ..Told::default() });
    };
    let has = models.iter().any(|model| same(model, &provider.model));
    let window = listed.or_else(|| has.then(|| server.shown()).flatten());
    Some(Told { models, window, refusal: None })
}

/// Whether two names are one model: Ollama's may go without `:latest`.
pub fn same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_ascii_lowercase();
    bare(one) == bare(other)
}

impl<'a> Server<'a> {
    fn of(provider: &'a Provider, time: Duration) -> Option<Server<'a>> {
        let uri: Uri = provider.base_url.parse().ok()?;
        let host = uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        if !is_nearby(&host) {
            return None;
        }
        let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let trimmed = provider.base_url.trim_end_matches('/');
        let base = if trimmed.ends_with("/v1") { trimmed.to_string() } else { format!("{origin}/v1") };
        let mut headers = provider.headers.clone();
        if let Some(key) = provider.api_key.as_ref().filter(|_| provider.auth_header) {
            headers.push(("authorization".to_string(), format!("Bearer {}", key.reveal())));
        }
        let cancel = Cancel::with_deadline(Instant::now() + time);
        let is_ollama = provider.id.starts_with("ollama") || uri.port_u16() == Some(11434);
        Some(Server { origin, base, headers, is_ollama, model: &provider.model, cancel, watch_time: time })
    }

    fn fetch(&self, url: &str, body: Option<&[u8]>) -> Option<Value> {
        self.reach(url, body)?.1
    }

    /// The status of what is answered there, and the answer if it is JSON; `None` when nobody answers.
    fn reach(&self, url: &str, body: Option<&[u8]>) -> Option<(u16, Option<Value>)> {
        let time = self.watch_time;
        let watch = Watch::new(&self.cancel, Timeouts { connect: time, first_token: time, idle: time });
        let mut headers = self.headers.clone();
        if body.is_some() {
            headers.push(("content-type".to_string(), "application/json".to_string()));
        }
        let call = Call { url, headers: &headers, body };
        let mut answer = send(&call, &watch).ok()?;
        let text = if answer.status == 200 { answer.read_all(MAX_ANSWER).ok() } else { None };
        Some((answer.status, text.and_then(|text| json::read(text, MAX_VALUES, 32).ok())))
    }

    fn get(&self, path: &str) -> Option<Value> {
        self.fetch(&format!("{}{path}", self.origin), None)
    }

    /// Where the list is that all such servers have.
    fn models(&self) -> String {
        format!("{}/models", self.base)
    }

    /// The models of the list that all such servers have, and what it says of ours.
    fn listed(&self, list: &Value) -> Option<(Vec<String>, Option<Window>)> {
        let entries = list.get("data")?.as_array()?;
        let id = |entry: &Value| entry.get("id").and_then(Value::as_str).map(str::to_string);
        let ours = entries.iter().find(|entry| id(entry).is_some_and(|id| same(&id, self.model)));
        let is_served = |member: &str| member != "/max_context_length";
        let window = ours.and_then(|entry| MEMBERS.iter().find_map(|m| window(entry, m, is_served(m))));
        Some((entries.iter().filter_map(id).collect(), window))
    }

    /// What the server gives the model now, by the ways of the usual servers.
    fn served(&self) -> Option<Window> {
        // Ollama, for models that are loaded.
        let loaded = self.get("/api/ps").and_then(|list| {
            let is_ours = |row: &&Value| {
                ["name", "model"]
                    .iter()
                    .any(|m| row.get(m).and_then(Value::as_str).is_some_and(|n| same(n, self.model)))
            };
            window(list.get("models")?.as_array()?.iter().find(is_ours)?, "/context_length", true)
        });
        // LM Studio.
        let studio = || {
            let list = self.get("/api/v0/models")?;
            let is_ours =
                |row: &&Value| row.get("id").and_then(Value::as_str).is_some_and(|n| same(n, self.model));
            let row = list.get("data")?.as_array()?.iter().find(is_ours)?;
            window(row, "/loaded_context_length", true).or_else(|| window(row, "/max_context_length", false))
        };
        // llama.cpp, KoboldCpp, Text Generation Inference.
        let others = || {
            let ways = [
                ("/props", "/default_generation_settings/n_ctx"),
                ("/api/extra/true_max_context_length", "/value"),
                ("/info", "/max_total_tokens"),
            ];
            ways.iter().find_map(|(path, member)| window(&self.get(path)?, member, true))
        };
        loaded.or_else(studio).or_else(others)
    }

    /// The same, and for models that Ollama has not loaded what it knows of them.
    fn shown(&self) -> Option<Window> {
        self.served().or_else(|| {
            // Others might take the question for one to a model.
            let is_ollama =
                self.is_ollama || self.get("/api/ps").is_some_and(|told| told.get("models").is_some());
            if !is_ollama {
                return None;
            }
            let body = json::json!({"model": self.model, "name": self.model}).to_string();
            let told = self.fetch(&format!("{}/api/show", self.origin), Some(body.as_bytes()))?;
            let lines = told.get("parameters").and_then(Value::as_str).unwrap_or_default().lines();
            let set =
                lines.filter_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok()).next_back();
            let info = told.get("model_info").and_then(Value::as_object).into_iter().flatten();
            let mut lengths = info.filter(|(name, _)| name.ends_with(".context_length"));
            let most = lengths.next().and_then(|(_, length)| window(length, "", false));
            // What is set above what the model can take is not given.
            let set = set.filter(|tokens| SANE.contains(tokens));
            let given = set.map(|tokens| most.map_or(tokens, |most| tokens.min(most.tokens)));
            given.map(|tokens| Window { tokens, is_served: true }).or(most)
        })
    }
}

fn window(value: &Value, member: &str, is_served: bool) -> Option<Window> {
    let tokens = value.pointer(member)?.as_u64().filter(|tokens| SANE.contains(tokens))?;
    Some(Window { tokens, is_served })
}

struct Known {
    key: String,
    asked: Instant,
    window: Option<Window>,
}

static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// The window for a turn with a model of which the configuration says none, as far as its server has told.
pub fn of_turn(provider: &Provider) -> Option<u64> {
    if !is_usual(provider) {
        return None;
    }
    let key = format!("{} {}", provider.base_url, provider.model);
    let (known, is_due, is_first) = {
        let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter_mut().find(|known| known.key == key);
        match found {
            Some(known) => {
                let is_due = known.asked.elapsed() > FRESH;
                if is_due {
                    known.asked = Instant::now();
                }
                (known.window, is_due, false)
            }
            None => {
                if all.len() >= MOST_KNOWN {
                    all.clear();
                }
                all.push(Known { key: key.clone(), asked: Instant::now(), window: None });
                (None, true, true)
            }
        }
    };
    if !is_due {
        return known.map(|window| window.tokens);
    }
    let (tx, rx) = sync_channel(1);
    let provider = provider.clone();
    let work = move || {
        let listed = Server::of(&provider, TIME).and_then(|server| {
            let (_, listed) = server.fetch(&server.models(), None).and_then(|list| server.listed(&list))?;
            // Unasked, what is called Ollama only gets no POST that a model might answer.
            let server = Server { is_ollama: false, ..server };
            listed.or_else(|| server.shown()).filter(|window| window.is_served)
        });
        let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(entry), Some(_)) = (all.iter_mut().find(|known| known.key == key), listed) {
            entry.window = listed;
        }
        // Nobody may be waiting any more.
        let _ = tx.send(listed);
    };
    // Without a thread the turn goes on with what is known.
    let is_asking = threads::bare("gw-window", 256 * 1024, work).is_ok();
    let now = if is_first && is_asking { rx.recv_timeout(WAIT).ok().flatten() } else { known };
    now.map(|window| window.tokens)
}

/// Whether the server is of those that `models scan` looks for, by name or port.
fn is_usual(provider: &Provider) -> bool {
    let port = provider.base_url.parse::<Uri>().ok().and_then(|uri| uri.port_u16());
    scan::PORTS.iter().any(|(usual, id)| Some(*usual) == port || *id == provider.id)
        || ["llamacpp", "vllm"].contains(&provider.id.as_str())
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
