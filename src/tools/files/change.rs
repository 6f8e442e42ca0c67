//! Changes of workspace files, one at a time in the whole process, so that none of two loses the other's.
//!
//! Runs on a tool's thread. Who waits for its turn looks at its stop flag meanwhile; a call that was given up changes
//! nothing any more. `agents.files.set` takes the same turn, on its connection's thread.
use crate::agents::own;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::files;
use crate::tools::Context;
use crate::workspace::beneath;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_millis(5);

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The turn itself; ends when dropped.
pub struct Turn(());

impl Turn {
    /// Waits for it at most `limit`.
    pub fn wait(limit: Duration) -> Result<Turn> {
        let end = Instant::now() + limit;
        loop {
            if let Some(turn) = Turn::now() {
                return Ok(turn);
            }
            if Instant::now() >= end {
                return Err(Error::unavailable("a tool is changing workspace files; try again"));
            }
            std::thread::sleep(WAIT);
        }
    }

    fn now() -> Option<Turn> {
        TAKEN.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok().then(|| Turn(()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

/// A tool's right to read a file and to write it anew.
pub struct Change<'c> {
    context: &'c Context,
    _turn: Turn,
}

impl Change<'_> {
    /// Waits for the turn; fails when the call is stopped before.
    pub fn begin(context: &Context) -> Result<Change<'_>> {
        loop {
            going_on(&context.cancel)?;
            if let Some(turn) = Turn::now() {
                return Ok(Change { context, _turn: turn });
            }
            context.cancel.sleep(WAIT);
        }
    }

    /// Whether the file may be changed; fails too when the model was told meanwhile that nothing came of the call.
    pub fn check(&self, path: &Path) -> Result<()> {
        going_on(&self.context.cancel)?;
        own::check(&self.context.config, &self.context.settings.env, &self.context.workspace, path)
    }

    /// Removes the file.
    pub fn remove(&self, path: &Path) -> Result<()> {
        self.check(path)?;
        beneath::remove(&self.context.workspace, path)
    }

    /// Writes the file.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.check(path)?;
        let workspace = &self.context.workspace;
        if !workspace.exists() {
            // Where it lies is the owner's choice, or was judged when the agent was made.
            files::private_dir(workspace)?;
        }
        beneath::write(workspace, path, bytes)
    }
}

fn going_on(cancel: &Cancel) -> Result<()> {
    match cancel.reason() {
        Some(_) => Err(cancel.error()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::Reason;
    use crate::json::json;
    use crate::threads;
    use crate::tools::TOOLS;
    use crate::tools::testing::context;

    #[test]
    fn edits_of_several_sessions_keep_each_other() {
        let (context, dir) = context("{}");
        let names: Vec<String> = (0..8).map(|n| format!("<{n}>")).collect();
        // Long enough that reading and writing take their time.
        dir.write("ws/a.md", &(names.concat() + &" ".repeat(1 << 20)));
        let edit = TOOLS.iter().find(|tool| tool.name == "edit").unwrap();
        let start = |name: &String| {
            let (context, name) = (context.clone(), name.clone());
            let arguments = json!({"path": "a.md", "oldText": name, "newText": format!("{name}!")});
            threads::bare("t-edit", 256 * 1024, move || drop((edit.run)(&context, &arguments).unwrap()))
                .unwrap()
        };
        let threads: Vec<_> = names.iter().map(start).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let text = std::fs::read_to_string(dir.path("ws/a.md")).unwrap();
        assert!(names.iter().all(|name| text.contains(&format!("{name}!"))), "{}", text.trim_end());
    }

    #[test]
    fn a_call_that_was_given_up_changes_nothing() {
        let (context, dir) = context("{}");
        let change = Change::begin(&context).unwrap();
        context.cancel.cancel(Reason::Timeout);
        assert!(change.write(Path::new("b.md"), b"x").is_err() && !dir.path("ws/b.md").exists());
        assert!(Change::begin(&context).is_err());
    }

    #[test]
    fn a_writer_that_is_no_tool_waits_for_its_turn() {
        let (context, _dir) = context("{}");
        let change = Change::begin(&context).unwrap();
        assert!(Turn::wait(Duration::from_millis(20)).is_err());
        drop(change);
        assert!(Turn::wait(Duration::from_secs(10)).is_ok());
    }
}
