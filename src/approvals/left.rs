//! Commands that wait or were allowed and run, as the next start finds them: a file each in `<state>/gateway/approvals/`,
//! which the thread that waits (`gw-ask-N`) writes, and takes away when it is refused or its end was told. What is found
//! there nobody has answered, or was cut: the start tells whoever asked, and the chats that wait for it. Whether a command
//! may run is never read from here.
use crate::error::Result;
use crate::files;
use crate::json::{self, json};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// How the keys of deliveries begin that tell the end of a wait.
pub const END: &str = "approved-";
/// The same, of what was cut.
pub const CUT: &str = "cut-";
/// Bytes of one file, and files that are told of.
const MAX_FILE: u64 = 1 << 20;
const MOST: usize = 64;
const MAX_VALUES: usize = 1000;

/// One that nobody has answered, or that runs.
#[derive(Clone)]
pub struct Left {
    pub id: String,
    /// Canonical key of the session whose turn asked.
    pub session: String,
    pub command: String,
    /// Chats that were told that it waits, and when it runs the one that waits for its end: `channel`, `to`, `accountId`,
    /// `threadId`.
    pub chats: Vec<Map<String, Value>>,
    /// It was allowed: whether and how far it ran nobody knows until its end is told.
    pub is_running: bool,
    /// By its name: on whose authority the session is told.
    pub provenance: String,
}

impl Left {
    pub fn write(&self, state_dir: &Path) -> Result<()> {
        let text = json!({"id": self.id, "sessionKey": self.session, "command": self.command, "chats": (self.chats.clone()),
            "running": self.is_running, "provenance": self.provenance});
        files::write_atomic(&path(state_dir, &self.id), text.to_string().as_bytes())
    }

    fn read(path: &Path) -> Option<Left> {
        let bytes = files::read_bytes(path, MAX_FILE).ok()?;
        let whole = json::read_object(&bytes, MAX_VALUES, json::DEEPEST).ok()?;
        let text = |name: &str| whole.get(name).and_then(Value::as_str).map(str::to_string);
        let chats = whole.get("chats").and_then(Value::as_array).into_iter().flatten();
        let chats = chats.filter_map(Value::as_object).cloned().collect();
        let is_running = whole.get("running") == Some(&Value::Bool(true));
        let provenance = text("provenance").unwrap_or_default();
        let (id, session, command) = (text("id")?, text("sessionKey")?, text("command")?);
        Some(Left { id, session, command, chats, is_running, provenance })
    }
}

/// It is refused, or its end is told.
pub fn forget(state_dir: &Path, id: &str) {
    // One that is not there was not written, which is told already.
    let _ = std::fs::remove_file(path(state_dir, id));
}

/// All of an earlier process or generation; none of them is told of again. What an earlier generation of this process let
/// run goes on (`is_later`), and its own thread tells its end.
pub fn take(state_dir: &Path, is_later: bool) -> Vec<Left> {
    let entries = std::fs::read_dir(dir(state_dir)).into_iter().flatten().flatten();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let is_whole = |path: &&PathBuf| path.extension().is_some_and(|end| end == "json");
    let (mut found, mut going) = (Vec::new(), Vec::new());
    for path in paths.iter().filter(is_whole) {
        match Left::read(path) {
            Some(left) if left.is_running && is_later => going.push(path),
            left => found.extend(left),
        }
    }
    found.truncate(MOST);
    for path in paths.iter().filter(|path| !going.contains(path)) {
        if let Err(e) = std::fs::remove_file(path) {
            log::warn!(target: "gateway/exec", "remove {}: {e}", path.display());
        }
    }
    found
}

fn dir(state_dir: &Path) -> PathBuf {
    state_dir.join("gateway").join("approvals")
}

fn path(state_dir: &Path, id: &str) -> PathBuf {
    dir(state_dir).join(format!("{id}.json"))
}
