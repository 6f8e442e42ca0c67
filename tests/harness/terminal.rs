//! A command at a terminal of its own, as wide as people have at least: what it shows, and what is typed.
use super::screen::Screen;
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
    /// How wide and high it was from which byte on.
    sizes: Vec<(usize, usize, usize)>,
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
        if !command.get_envs().any(|(name, _)| name == "TERM") {
            command.env("TERM", "xterm");
        }
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
        Terminal { child, keyboard, seen, sizes: vec![(0, columns.into(), 24)] }
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

    /// Presses keys, as the bytes that they send.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// What is shown now.
    pub fn screen(&self) -> Screen {
        let bytes = self.seen.lock().unwrap().clone();
        let (_, columns, rows) = self.sizes[0];
        let mut screen = Screen::new(columns, rows);
        for (n, (from, columns, rows)) in self.sizes.iter().enumerate() {
            screen.resize(*columns, *rows);
            let to = self.sizes.get(n + 1).map_or(bytes.len(), |next| next.0);
            screen.feed(&bytes[*from..to]);
        }
        screen
    }

    /// Waits until what is shown is as wanted.
    pub fn wait_screen(&self, what: &str, is_so: impl Fn(&Screen) -> bool) -> Screen {
        let start = std::time::Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(start.elapsed() < super::DEADLINE, "waited for {what}:\n{}", screen.all());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Waits until this is to be seen somewhere, be it above the visible part.
    pub fn sees(&self, text: &str) -> Screen {
        self.wait_screen(&format!("{text:?}"), |screen| screen.all().contains(text))
    }

    /// Another size, of which the program is told.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        self.sizes.push((self.seen.lock().unwrap().len(), columns.into(), rows.into()));
        tcsetwinsize(&self.keyboard, size).unwrap();
        // It is not the controlling terminal, so the system does not say so itself.
        self.signal(rustix::process::Signal::WINCH);
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether it takes whole lines and shows what is typed, as a shell leaves it.
    pub fn is_cooked(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO)
    }

    /// Waits for the end, and gives the status whole.
    pub fn status(&mut self) -> std::process::ExitStatus {
        wait_for("the end of the command", || self.child.try_wait().unwrap())
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
