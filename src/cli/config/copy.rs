//! The private copy that `config edit` works upon, which goes on every way out but SIGKILL (`upkeep::edits` sweeps it then).
//!
//! The thread `cli-signal` lives to the end of the process: a signal that ends the command ends the editor first, takes the
//! copy away, and only then the process.
use crate::error::{Error, Result};
use crate::files::Lock;
use crate::upkeep::edits;
use crate::{files, threads};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const STACK: usize = 256 << 10;
/// How long an editor may take to end when it is asked to, and how often that is looked at.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// A directory of the copy's own, so that what an editor puts beside it goes too.
pub struct Copy {
    dir: PathBuf,
    file: PathBuf,
    editor: Arc<Mutex<Editor>>,
    _lock: Option<Lock>,
}

#[derive(Default)]
struct Editor {
    pid: Option<Pid>,
    /// A signal has come that ends the command.
    is_ending: bool,
}

impl Copy {
    pub fn make(state_dir: &Path, text: &str) -> Result<Copy> {
        // Swept here too, where no gateway runs.
        edits::left(state_dir).iter().for_each(|dir| drop(files::remove_tree(dir)));
        let (dir, lock) = edits::make(state_dir)?;
        let copy = Copy { file: dir.join("openclaw.json"), dir, editor: Arc::default(), _lock: lock };
        let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP])
            .map_err(|e| Error::io("watch for signals", e))?;
        let (dir, editor) = (copy.dir.clone(), copy.editor.clone());
        threads::bare("cli-signal", STACK, move || {
            if let Some(signal) = signals.forever().find(|signal| ends(*signal, &editor)) {
                // What cannot be removed stays private.
                let _ = files::remove_tree(&dir);
                // Fails for signals that end nothing.
                let _ = low_level::emulate_default_handler(signal);
            }
        })?;
        files::write_atomic(&copy.file, text.as_bytes())?;
        Ok(copy)
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Runs the editor to its end.
    pub fn edit(&self, process: &mut Command) -> Result<ExitStatus> {
        let failed = |e| Error::io("start the editor", e);
        let mut child = {
            // A signal waits until there is something to pass it on to.
            let mut editor = held(&self.editor);
            let child = process.spawn().map_err(failed)?;
            editor.pid = Pid::from_raw(child.id() as i32);
            child
        };
        let status = child.wait().map_err(|e| Error::io("wait for the editor", e));
        let is_ending = {
            let mut editor = held(&self.editor);
            editor.pid = None;
            editor.is_ending
        };
        match is_ending {
            // The other thread ends the process: what such an editor left is not written.
            true => loop {
                std::thread::park();
            },
            false => status,
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // As above.
        let _ = files::remove_tree(&self.dir);
    }
}

/// Whether the signal ends the command; then the editor has ended, or has had its time to. What keys of the terminal send
/// is the editor's while it runs.
fn ends(signal: i32, editor: &Mutex<Editor>) -> bool {
    {
        let mut editor = held(editor);
        if editor.pid.is_some() && matches!(signal, SIGINT | SIGQUIT) {
            return false;
        }
        editor.is_ending = true;
        let known = Signal::from_named_raw(signal);
        if let (Some(pid), Some(signal)) = (editor.pid, known) {
            // It has just ended by itself.
            let _ = kill_process(pid, signal);
        }
    }
    (0..LOOKS).take_while(|_| held(editor).pid.is_some()).for_each(|_| std::thread::sleep(PAUSE));
    true
}

fn held(editor: &Mutex<Editor>) -> std::sync::MutexGuard<'_, Editor> {
    editor.lock().unwrap_or_else(PoisonError::into_inner)
}
