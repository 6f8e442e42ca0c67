//! The restart sentinel: who asked for a restart is told when it is done.
//!
//! `<state>/restart-sentinel.json` is written by whoever asks (any thread but the state thread), and read and removed
//! by the main thread at the next start; several requests are told each. A file that cannot be used is removed too:
//! nothing may be told twice.
use crate::clock;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::json::{self, json};
use crate::state::State;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const NAME: &str = "restart-sentinel.json";
/// Largest file read, bytes.
const MAX: u64 = 1 << 20;
/// Most values in it: its notes have some twenty each.
const MAX_VALUES: usize = 2000;
/// Notes kept; the oldest go first, as with all notes for sessions.
const MAX_NOTES: usize = 20;
/// Who changes the file.
static TURN: Mutex<()> = Mutex::new(());

/// Adds a note to the sentinel; gives its path.
pub fn write(env: &Env, payload: &Value) -> Result<PathBuf> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let path = env.state_dir.join(NAME);
    let mut notes = read(&path);
    notes.push(payload.clone());
    notes.drain(..notes.len().saturating_sub(MAX_NOTES));
    put(&path, &notes)?;
    Ok(path)
}

/// Takes out what need not be told by the next start, because the restart was refused.
pub fn forget(env: &Env, told: &[Value]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let path = env.state_dir.join(NAME);
    let mut notes = read(&path);
    notes.retain(|note| !told.contains(note));
    if let Err(e) = put(&path, &notes) {
        log::warn!(target: "gateway", "the note of the refused restart stays: {e}");
    }
}

/// Tells each session what the sentinel has for it.
pub fn tell(state: &mut State) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let path = state.shared.env.state_dir.join(NAME);
    if std::fs::symlink_metadata(&path).is_err() {
        return;
    }
    let notes = read(&path);
    if let Err(e) = std::fs::remove_file(&path) {
        // Told again and again would be worse than not told.
        return log::warn!(target: "gateway", "the restart note is not told: remove {}: {e}", path.display());
    }
    if notes.is_empty() {
        log::warn!(target: "gateway", "the restart note in {} was not usable", path.display());
    }
    state.now = clock::now_ms();
    notes.iter().for_each(|note| state.tell_restart(note));
}

/// The first note is `payload`, which is all that the reference program knows; others follow in `more`.
fn put(path: &Path, notes: &[Value]) -> Result<()> {
    let Some((first, more)) = notes.split_first() else {
        return match std::fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(Error::io(format_args!("remove {}", path.display()), e))
            }
            _ => Ok(()),
        };
    };
    let sentinel = match more {
        [] => json!({"version": 1, "payload": first}),
        _ => json!({"version": 1, "payload": first, "more": more}),
    };
    files::write_atomic(path, format!("{sentinel:#}\n").as_bytes())
}

fn read(path: &Path) -> Vec<Value> {
    let bytes = files::read_start(path, MAX).unwrap_or_default();
    let sentinel = json::read(&bytes, MAX_VALUES, 16).unwrap_or_default();
    let more = sentinel.get("more").and_then(Value::as_array).into_iter().flatten();
    sentinel.get("payload").into_iter().chain(more).filter(|note| note.is_object()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn notes_join_and_leave_one_by_one() {
        let dir = TestDir::new();
        let mut env = Env::default();
        env.state_dir.clone_from(&dir.0);
        let note = |n: usize| json!({"message": n});
        let path = dir.0.join(NAME);
        for n in 0..3 {
            write(&env, &note(n)).unwrap();
        }
        let sentinel: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(sentinel, json!({"version": 1, "payload": note(0), "more": [note(1), note(2)]}));
        forget(&env, &[note(0), note(2)]);
        assert_eq!(read(&path), [note(1)]);
        forget(&env, &[note(1)]);
        assert!(!path.exists());
        forget(&env, &[note(1)]);
        for n in 0..MAX_NOTES + 1 {
            write(&env, &note(n)).unwrap();
        }
        assert_eq!((read(&path).len(), &read(&path)[0]), (MAX_NOTES, &note(1)));
    }
}
