//! A command at a terminal of its own, as wide as people have at least: what it shows, and what is typed.
use super::wait_for;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

pub struct Terminal {
    child: Child,
    keyboard: File,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts `command` at a terminal of 24 lines.
    pub fn start(mut command: Command, columns: u16) -> Terminal {
        let front = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&front).unwrap();
        unlockpt(&front).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&front, size).unwrap();
        let name = ptsname(&front, Vec::new()).unwrap().into_string().unwrap();
        let back = OpenOptions::new().read(true).write(true).open(name).unwrap();
        command.env("TERM", "xterm");
        command.stdin(back.try_clone().unwrap()).stdout(back.try_clone().unwrap()).stderr(back);
        let child = command.spawn().unwrap();
        // The command holds the terminal open; it ends with the last of them.
        drop(command);
        let mut screen = File::from(front);
        let keyboard = screen.try_clone().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = seen.clone();
        let read = move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                shown.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        };
        std::thread::Builder::new().spawn(read).unwrap();
        Terminal { child, keyboard, seen }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything shown so far, escape sequences and all.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until `what` is shown behind what was there before, and gives the place behind it.
    pub fn wait_text(&self, from: usize, what: &str) -> usize {
        wait_for(&format!("{what:?} in {:?}", self.text()), || {
            let text = self.text();
            text.get(from..)?.find(what).map(|at| from + at + what.len())
        })
    }

    pub fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits for the end: the exit status and all that was shown.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = wait_for("the end of the command", || self.child.try_wait().unwrap());
        // What was written before the end is still on its way.
        let mut last = self.text().len();
        wait_for("the last output", || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            let now = self.text().len();
            (std::mem::replace(&mut last, now) == now).then_some(())
        });
        (status.code(), self.text())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a terminal has in its lines, without colours; a line that was drawn over counts each time.
pub fn lines(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {},
            c => plain.push(c),
        }
    }
    plain.replace('\r', "\n").lines().map(str::to_string).collect()
}
