//! Downloads: what `getFile` has given the path of, from the API's server or, with one on this machine, from its directory.
//!
//! Runs on the thread of the bot's owner. Nothing is tried again here.
use super::api::{Bot, times, whole};
use super::outcome::Outcome;
use super::refusal::{Refusal, Why};
use crate::cancel::Cancel;
use crate::fetch::dial::Phase;
use crate::fetch::http::{Answer, Fault};
use crate::fetch::kept::{Failed, Request};
use crate::files::regular;
use crate::parts::Parts;
use crate::percent;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a download may take: until the next bytes come, and in all.
#[derive(Clone, Copy)]
pub struct Pace {
    pub silence: Duration,
    pub all: Duration,
}

impl Bot {
    /// Fetches a file by the path that `getFile` gave, at most `max` bytes of it; how many there were.
    pub fn download(
        &mut self,
        path: &str,
        max: u64,
        out: &mut dyn Write,
        pace: Pace,
        cancel: &Cancel,
    ) -> Outcome<u64> {
        if path.starts_with('/') {
            return self.copy_local(Path::new(path), max, out);
        }
        let url = self.token.address(&self.root, "file/", &percent::escaped(path, b"/"));
        let until = Instant::now() + pace.all;
        let answer = self.kept.send(Request { url: &url, body: None }, cancel, times(pace.silence));
        let mut answer = match answer {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) => {
                return match whole(answer) {
                    Ok(raw) => self.judge(&raw, "file").map(|_| Outcome::unknown("file: the answer is none")),
                    Err(failed) => self.failed(&failed, "file"),
                };
            }
            Err(failed) => return self.failed(&failed, "file"),
        };
        match copy(&mut answer, max, out, pace.silence, until) {
            Ok(n) => Outcome::Done(n),
            Err(Copy::Fault(Fault::TooLong)) => Outcome::Refused(Refusal::too_big(max)),
            Err(Copy::Fault(fault)) => self.failed(&Failed { fault, may_have_arrived: true }, "file"),
            Err(Copy::Disk(e)) => Outcome::not_sent(format!("file: it cannot be kept: {e}")),
        }
    }

    /// A Bot API server on this machine (`--local`) gives the path of a file. Taken is only what lies in the directory of
    /// this bot, whose name is its token: no other server can name a file of this machine.
    fn copy_local(&self, path: &Path, max: u64, out: &mut dyn Write) -> Outcome<u64> {
        if !is_here(&self.root) {
            let text = "file: the Bot API server gives a path on its own disk, which is not taken from elsewhere than this machine; start it without --local";
            return Outcome::not_sent(text);
        }
        if !self.token.is_own(path) {
            let text = "file: the Bot API server names a file outside of this bot's own directory, which is not taken";
            return Outcome::not_sent(text);
        }
        let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let opened = regular::read(path).and_then(|file| file.ok_or_else(gone));
        let copied = opened.and_then(|file| std::io::copy(&mut file.take(max + 1), out));
        match copied {
            Ok(n) if n > max => Outcome::Refused(Refusal::too_big(max)),
            Ok(n) => Outcome::Done(n),
            Err(e) => Outcome::not_sent(
                self.token.hide(&format!("file: {e}; the gateway's user must be allowed to read it")),
            ),
        }
    }
}

/// Whether the API is served on this machine.
fn is_here(root: &str) -> bool {
    let host = root.split_once("://").map_or(root, |(_, rest)| rest).split('/').next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|here| host.strip_prefix(here).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

impl Refusal {
    pub fn too_big(max: u64) -> Refusal {
        let text = format!("file: it is larger than {} MB", max >> 20);
        Refusal { why: Why::FileTooBig, code: 413, text }
    }
}

enum Copy {
    Fault(Fault),
    Disk(std::io::Error),
}

fn copy(
    answer: &mut Answer,
    max: u64,
    out: &mut dyn Write,
    silence: Duration,
    until: Instant,
) -> std::result::Result<u64, Copy> {
    let (mut sum, mut buf) = (0, [0; 8192]);
    loop {
        // In this phase no byte moves the deadline.
        let left = until.saturating_duration_since(Instant::now());
        answer.watch().allow(Phase::FirstToken, silence.min(left));
        let n = answer.read(&mut buf).map_err(Copy::Fault)?;
        sum += n as u64;
        if sum > max {
            return Err(Copy::Fault(Fault::TooLong));
        }
        if n == 0 {
            return Ok(sum);
        }
        out.write_all(buf.head(n)).map_err(Copy::Disk)?;
    }
}
