//! Who ends commands when the gateway is killed: a process of its own, `gw-keeper`, that is told which of them run and waits
//! for the end of the pipe by which it is. Started with the first command, over when the gateway is. The next start does the
//! same (`list::clear`), but the machine may be without a gateway for long.
//!
//! Locked while a line is written, which never waits.
use super::child::Input;
use super::mark;
use crate::error::Result;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the program is called by to be one.
pub const NAME: &str = "gw-keeper";

static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

struct Keeper {
    child: Child,
    input: Input,
}

/// The command whose directory has this name is about to be started.
pub(super) fn watch(name: &str) {
    tell('+', name, true);
}

/// It is over, with all that it has started.
pub(super) fn forget(name: &str) {
    tell('-', name, false);
}

/// Elsewhere than on Linux nothing is known by a mark, so there is nothing to end.
fn tell(sign: char, name: &str, is_needed: bool) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let line = format!("{sign}{name}\n");
    let is_told = |keeper: &mut Keeper| keeper.input.write(line.as_bytes(), Duration::ZERO).is_ok();
    if keeper.as_mut().is_some_and(is_told) || !is_needed {
        return;
    }
    // Somebody ended it.
    if let Some(mut dead) = keeper.take() {
        super::child::kill(&mut dead.child);
    }
    match start() {
        Ok(mut new) => {
            is_told(&mut new);
            *keeper = Some(new);
        }
        Err(e) => {
            log::warn!(target: "tools", "if the gateway is killed its next start ends what commands leave: {e}");
        }
    }
}

fn start() -> Result<Keeper> {
    let failed = |e: std::io::Error| crate::error::Error::io("start the keeper of commands", e);
    // The program that runs, also where another one lies in its place by now.
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).env_clear().current_dir("/").process_group(0);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let stdin = child.stdin.take().ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
    Ok(Keeper { input: Input::new(stdin)?, child })
}

/// The keeper itself: the whole of its process.
pub fn run() -> ExitCode {
    crate::sys::keep_standard_descriptors();
    // How lists of processes name it. Without it is one that is called `exe`.
    let _ = std::fs::write("/proc/self/comm", NAME);
    let mut names = BTreeSet::new();
    for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
        if let Some(name) = line.strip_prefix('+') {
            names.insert(name.to_string());
        } else if let Some(name) = line.strip_prefix('-') {
            names.remove(name);
        }
    }
    mark::sweep(&names.into_iter().collect::<Vec<_>>(), false);
    ExitCode::SUCCESS
}
