//! The keyboard's side of the terminal: raw mode and its end, the size, and signals as something to wait for.
//!
//! Keys and the gateway's socket are waited for together, in one `poll` of the command's thread. The crates for line editing
//! (rustyline, reedline) block in the terminal, so they would need a thread beside the socket's and a lock around the screen;
//! they bring ten to thirty crates and 150 to 600 kB. What a chat needs of them is `keys.rs` and `line.rs`.
use crate::error::{Error, Result};
use crate::parts::Parts;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::flag;
use signal_hook::low_level::{self, pipe};
use std::io::{Read, Write, stdin, stdout};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Pastes come in brackets.
const ENTER: &str = "\x1b[?2004h";
const LEAVE: &str = "\x1b[?2004l\x1b[?25h";

/// The terminal in the mode that a chat needs; dropping it brings back the one that was.
pub struct Terminal {
    before: Termios,
    is_plain: bool,
    is_raw: bool,
}

impl Terminal {
    pub fn enter(is_plain: bool) -> Result<Terminal> {
        let before = tcgetattr(stdin()).map_err(|e| Error::io("look at the terminal", e.into()))?;
        let mut terminal = Terminal { before, is_plain, is_raw: false };
        terminal.resume()?;
        Ok(terminal)
    }

    fn resume(&mut self) -> Result<()> {
        if self.is_plain || self.is_raw {
            return Ok(());
        }
        let mut raw = self.before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)
            .map_err(|e| Error::io("set up the terminal", e.into()))?;
        self.is_raw = true;
        say(ENTER);
        Ok(())
    }

    /// It was stopped and goes on: the shell has set the terminal's mode meanwhile.
    pub fn again(&mut self) -> Result<()> {
        self.is_raw = false;
        self.resume()
    }

    pub fn leave(&mut self) {
        if std::mem::take(&mut self.is_raw) {
            say(LEAVE);
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
        }
    }

    /// Columns and rows.
    pub fn size() -> (usize, usize) {
        tcgetwinsize(stdout()).map_or((0, 0), |size| (size.ws_col.into(), size.ws_row.into()))
    }

    /// What was typed; nothing when the terminal is gone.
    pub fn read() -> Vec<u8> {
        let mut bytes = [0; 4096];
        loop {
            // Past the library's buffer, of which `poll` knows nothing.
            match rustix::io::read(stdin(), &mut bytes) {
                Ok(read) => return bytes.as_slice().head(read).to_vec(),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Vec::new(),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

fn say(text: &str) {
    let mut out = stdout().lock();
    // As above.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What has come besides keys and frames.
pub struct Signals {
    /// Has something to read when one came, or when another thread has something.
    pub wake: UnixStream,
    waker: UnixStream,
    flags: Vec<(i32, Arc<AtomicBool>)>,
}

impl Signals {
    pub fn watch() -> Result<Signals> {
        let failed = |e| Error::io("watch for signals", e);
        let (wake, waker) = UnixStream::pair().map_err(failed)?;
        wake.set_nonblocking(true).map_err(failed)?;
        let mut flags = Vec::new();
        for signal in [SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH] {
            let flag = Arc::new(AtomicBool::new(false));
            flag::register(signal, flag.clone()).map_err(failed)?;
            pipe::register(signal, waker.try_clone().map_err(failed)?).map_err(failed)?;
            flags.push((signal, flag));
        }
        Ok(Signals { wake, waker, flags })
    }

    /// For another thread that has something to tell.
    pub fn waker(&self) -> std::io::Result<UnixStream> {
        self.waker.try_clone()
    }

    /// The signals that came since the last time.
    pub fn take(&mut self) -> Vec<i32> {
        let mut bytes = [0; 64];
        while self.wake.read(&mut bytes).is_ok_and(|read| read > 0) {}
        let came = self.flags.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        came.map(|(signal, _)| *signal).collect()
    }
}

/// Stops the program as Ctrl-Z does, until somebody has it go on.
pub fn suspend() {
    // It goes on if it cannot be stopped.
    let _ = low_level::raise(SIGTSTP);
}

/// Ends the program as the signal does that it has caught.
pub fn end_by(signal: i32) {
    // Fails for signals that end nothing.
    let _ = low_level::emulate_default_handler(signal);
}
