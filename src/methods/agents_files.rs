//! `agents.files.list`, `agents.files.get`, `agents.files.set`: the texts of an agent's workspace, over the wire.
//!
//! Run on the connection's thread. Only files of a fixed list can be named, no link is followed on the way to them
//! (SEC-13), and writing replaces a file at once.
use crate::agents::own;
use crate::calls::Caller;
use crate::error::{Error, Result};
use crate::files;
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::session_key::normalise_agent_id;
use crate::state::shared::Shared;
use crate::tools::change::Turn;
use crate::workspace::beneath;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAMES: [&str; 7] =
    ["AGENTS.md", "SOUL.md", "TOOLS.md", "IDENTITY.md", "USER.md", "HEARTBEAT.md", "BOOTSTRAP.md"];
/// The agent's memory has one of these names; the first is listed when there is neither.
const MEMORY: [&str; 2] = ["MEMORY.md", "memory.md"];
/// Bytes of a file that go over the wire.
const MAX: usize = 1 << 20;
/// A tool's change takes milliseconds; one that hangs on its disk is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

params! {
    struct Params {
        agent_id: String,
        name: Option<String>,
        content: Option<String>,
    }
}

pub fn list(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let params: Params = read(params)?;
    let (id, dir) = agent(shared, &params)?;
    let has = |name: &str| matches!(beneath::stat(&dir, Path::new(name)), Ok(Some(_)));
    let memory = MEMORY.into_iter().find(|name| has(name)).unwrap_or("MEMORY.md");
    let files: Vec<Value> = NAMES.into_iter().chain([memory]).map(|name| row(&dir, name).into()).collect();
    Ok(json!({"agentId": id, "workspace": dir, "files": files}).into())
}

pub fn get(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let params: Params = read(params)?;
    let (id, dir) = agent(shared, &params)?;
    let name = name(&params)?;
    let mut file = row(&dir, name);
    let bytes = match own::read(&shared.config(), &shared.env, &dir, Path::new(name), MAX as u64 + 1) {
        // A workspace that does not exist has no files.
        Err(_) if !dir.exists() => None,
        read => read?,
    };
    if let Some(bytes) = bytes {
        within(name, bytes.len())?;
        file.put("missing", false);
        file.put("content", String::from_utf8_lossy(&bytes));
    }
    Ok(json!({"agentId": id, "workspace": dir, "file": file}).into())
}

pub fn set(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let params: Params = read(params)?;
    let (id, dir) = agent(shared, &params)?;
    let name = name(&params)?;
    let content = params.content.unwrap_or_default();
    within(name, content.len())?;
    if !dir.exists() {
        // Where it lies is the owner's choice, or was judged when the agent was made.
        files::private_dir(&dir)?;
    }
    // A tool that has just read the file would write its older text over this one.
    let _turn = Turn::wait(PATIENCE)?;
    beneath::write(&dir, Path::new(name), content.as_bytes())?;
    let mut file = row(&dir, name);
    file.put("content", content);
    Ok(json!({"ok": true, "agentId": id, "workspace": dir, "file": file}).into())
}

fn agent(shared: &Shared, params: &Params) -> Result<(String, PathBuf)> {
    let id = normalise_agent_id(&params.agent_id);
    let agents = shared.agents();
    match agents.ids().contains(&id) {
        true => Ok((id.clone(), agents.workspace(&id))),
        false => {
            let unknown = || Error::not_found("unknown agent id");
            Err(shared.config().lost_agent(&id).unwrap_or_else(unknown))
        }
    }
}

fn name(params: &Params) -> Result<&'static str> {
    let asked = params.name.as_deref().unwrap_or_default();
    let known = NAMES.into_iter().chain(MEMORY).find(|name| *name == asked);
    known.ok_or_else(|| Error::invalid(format!("unsupported file {}", crate::logging::quoted(asked))))
}

/// What is known of a file; one that is a link or cannot be looked at counts as missing.
fn row(dir: &Path, name: &str) -> Map<String, Value> {
    let stat = beneath::stat(dir, Path::new(name)).ok().flatten().filter(|stat| !stat.is_dir);
    let mut row = Map::new();
    row.put("name", name);
    row.put("path", dir.join(name).to_string_lossy());
    row.put("missing", stat.is_none());
    if let Some(stat) = stat {
        row.put("size", stat.size);
        row.put("updatedAtMs", stat.modified_ms);
    }
    row
}

fn within(name: &str, bytes: usize) -> Result<()> {
    match bytes <= MAX {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{name} is larger than {MAX} bytes; shorten it or edit it on the host"
        ))),
    }
}
