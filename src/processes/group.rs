//! A program of the gateway's own that starts many others, such as a browser: all of them end with it, and with the gateway,
//! however that ends. On the thread that starts it, with which it ends too.
use super::{child, keeper, mark};
use crate::error::{Error, Result};
use crate::ids;
use crate::sys::Bounds;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

/// Open files of each of them.
const FILES: u64 = 8192;

pub struct Group {
    child: Child,
    /// By which all of them are known.
    pub name: String,
    has_mark: bool,
}

impl Group {
    /// Starts it; its words on standard error can be read.
    pub fn start(mut command: Command) -> Result<Group> {
        let name = ids::uuid()?;
        command.env(mark::VARIABLE, &name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let bounds =
            Bounds { files: FILES, memory: u64::MAX, mark: mark::number(&name), ..Bounds::default() };
        crate::sys::confine(&mut command, bounds);
        keeper::watch(&name);
        let child = command.spawn().map_err(|e| {
            keeper::forget(&name);
            Error::unavailable(format!("start {program}: {e}"))
        })?;
        let has_mark = mark::is_borne(child.id(), &name);
        Ok(Group { child, name, has_mark })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// How it ended, if it has.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        child::kill(&mut self.child);
        mark::sweep(std::slice::from_ref(&self.name), self.has_mark);
        keeper::forget(&self.name);
    }
}

/// Ends what an earlier process has left of a group of this name.
pub fn sweep(name: &str) {
    mark::sweep(&[name.to_string()], false);
}
