//! `openclaw chat` at a terminal of its own.
use crate::model::Model;
use crate::process::{Gateway, command};
use crate::report::{Report, median};
use crate::{Result, Scale};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the model says first, and what stands in no other text of a chat.
const WORD: &str = "word";
/// As long as nothing more is shown the answer is whole, and the line for the next message below it.
const QUIET: Duration = Duration::from_millis(150);

/// From the model server's first word to the terminal that shows it.
pub fn first_word(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(3, Duration::from_millis(5))?;
    let gateway = Gateway::start(&model.config())?;
    let front = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&front)?;
    unlockpt(&front)?;
    tcsetwinsize(&front, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
    let name = ptsname(&front, Vec::new())?.into_string()?;
    let back = OpenOptions::new().read(true).write(true).open(name)?;
    let mut chat = command(&gateway.dir);
    chat.arg("chat").env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string()).env("TERM", "xterm");
    let mut child = chat.stdin(back.try_clone()?).stdout(back.try_clone()?).stderr(back).spawn()?;
    drop(chat);
    let mut terminal = Terminal(File::from(front));
    let mut took = Vec::new();
    terminal.until("/help")?;
    terminal.rest()?;
    for _ in 0..scale.turns {
        terminal.0.write_all(b"go\r")?;
        terminal.until(WORD)?;
        let (now, sent) = (Instant::now(), model.times().first.ok_or("the model server was not asked")?);
        took.push(now.duration_since(sent).as_secs_f64() * 1e3);
        terminal.rest()?;
    }
    child.kill()?;
    child.wait()?;
    report.at_most("openclaw chat: first token at the terminal (median)", median(&took), 10.0, "ms");
    Ok(())
}

struct Terminal(File);

impl Terminal {
    /// Reads until `text` is shown.
    fn until(&mut self, text: &str) -> Result<()> {
        let mut seen = String::new();
        while !seen.contains(text) {
            match self.read(PATIENCE)? {
                None => return Err(format!("a chat without {text:?}: {seen}").into()),
                Some(more) => seen += &more,
            }
        }
        Ok(())
    }

    /// Reads until nothing more is shown.
    fn rest(&mut self) -> Result<()> {
        while self.read(QUIET)?.is_some() {}
        Ok(())
    }

    /// What comes within this time.
    fn read(&mut self, time: Duration) -> Result<Option<String>> {
        let timeout =
            rustix::event::Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout))? == 0 {
            return Ok(None);
        }
        let mut bytes = [0; 4096];
        let read = self.0.read(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned()))
    }
}
