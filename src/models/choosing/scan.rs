//! Looks for OpenAI-compatible model servers on this machine, for `openclaw models scan`.
//!
//! Runs on the caller's thread and one short-lived thread a port, which end before it returns. Asks only
//! 127.0.0.1, sends no credentials, and gives each port one total time.
use crate::cancel::Cancel;
use crate::fetch::dial::{Timeouts, Watch};
use crate::fetch::http::{Call, send};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Ports model servers use by default, each with the provider id it is offered under.
pub const PORTS: &[(u16, &str)] = &[
    (11434, "ollama"),
    (1234, "lmstudio"),
    (8080, "local"),
    (8000, "local"),
    (30000, "sglang"),
    (1337, "jan"),
    (5001, "koboldcpp"),
];

/// Servers recognised by what their models' `owned_by` says: that word and the provider id.
const OWNERS: &[(&str, &str)] = &[
    ("library", "ollama"),
    ("llamacpp", "llamacpp"),
    ("vllm", "vllm"),
    ("sglang", "sglang"),
    ("koboldcpp", "koboldcpp"),
];

const NAMES: &[(&str, &str)] = &[
    ("ollama", "Ollama"),
    ("lmstudio", "LM Studio"),
    ("llamacpp", "llama.cpp server"),
    ("vllm", "vLLM"),
    ("sglang", "SGLang"),
    ("jan", "Jan"),
    ("koboldcpp", "KoboldCpp"),
];

/// The most values in a server's list of models.
const MAX_VALUES: usize = 100_000;
const MAX_LIST: usize = 1 << 20;
const MAX_PORTS: usize = 64;

/// A model server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Unique among the found ones.
    pub provider_id: String,
    pub base_url: String,
    /// Its models, those for embeddings last.
    pub models: Vec<String>,
    /// Its name for people.
    pub server: String,
}

/// Asks every port at once; the answer comes after `timeout` at the latest, in the order of `ports`.
pub fn scan(ports: &[(u16, &str)], timeout: Duration) -> Vec<Found> {
    let mut found: Vec<Found> = std::thread::scope(|scope| {
        let start = |&(port, id): &(u16, &'_ str)| {
            let id = id.to_string();
            let named = std::thread::Builder::new().name(format!("scan-{port}"));
            named.spawn_scoped(scope, move || ask(port, &id, timeout)).ok()
        };
        let asking: Vec<_> = ports.iter().take(MAX_PORTS).filter_map(start).collect();
        // A probe that panicked found nothing.
        asking.into_iter().filter_map(|probe| probe.join().ok().flatten()).collect()
    });
    let mut seen = std::collections::HashSet::new();
    for server in &mut found {
        if !seen.insert(server.provider_id.clone()) {
            let port =
                server.base_url.rsplit(':').next().and_then(|p| p.split('/').next()).unwrap_or_default();
            server.provider_id = format!("{}-{port}", server.provider_id);
        }
    }
    found
}

fn ask(port: u16, id: &str, timeout: Duration) -> Option<Found> {
    let base_url = format!("http://127.0.0.1:{port}/v1");
    let cancel = Cancel::with_deadline(Instant::now() + timeout);
    let watch = Watch::new(&cancel, Timeouts { connect: timeout, first_token: timeout, idle: timeout });
    let call = Call { url: &format!("{base_url}/models"), headers: &[], body: None };
    let mut answer = send(&call, &watch).ok().filter(|a| a.status == 200)?;
    let list: Value = crate::json::read(answer.read_all(MAX_LIST).ok()?, MAX_VALUES, 32).ok()?;
    let entries = list.get("data")?.as_array()?;
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_string);
    let mut models: Vec<String> =
        entries.iter().filter_map(|m| text(m, "id")).filter(|m| is_name(m)).collect();
    crate::order::by_key(&mut models, |m| m.to_ascii_lowercase().contains("embed"));
    let owner = entries.first().and_then(|m| text(m, "owned_by")).unwrap_or_default().to_ascii_lowercase();
    let id = OWNERS.iter().find(|row| row.0 == owner).map_or(id, |row| row.1);
    let server = NAMES.iter().find(|row| row.0 == id).map_or("OpenAI-compatible server", |row| row.1);
    Some(Found { provider_id: id.to_string(), base_url, models, server: server.to_string() })
}

/// Names are printed and written to the configuration, so they must be plain.
fn is_name(model: &str) -> bool {
    !model.trim().is_empty() && model.len() <= 256 && !model.chars().any(char::is_control)
}
