//! Running the service manager's programs (`systemctl`, `loginctl`, `launchctl`, ...) and listening to them.
//!
//! Runs on the command line's thread. Each gets a process group of its own, a time limit, no input and a small
//! environment: their text is shown, never understood, so it is asked for in English (R-15a).
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, getuid, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest look at whether the program has ended.
const SLICE: Duration = Duration::from_millis(20);
/// The first look at one that has closed its output: most end within this.
const MOMENT: Duration = Duration::from_micros(100);
/// What a program may say; the rest is read and forgotten.
const MAX_OUTPUT: usize = 64 << 10;

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn is_ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Its own words on a failure, on one line; else its exit status.
    pub fn complaint(&self) -> String {
        let said = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
        let said = said.collect::<Vec<_>>().join("; ");
        match (said.is_empty(), self.code) {
            (false, _) => said,
            (true, Some(code)) => format!("exit status {code}"),
            (true, None) => "ended by a signal".to_string(),
        }
    }
}

/// Runs `line` (program and arguments) for at most `limit`. `Kind::NotFound` when there is no such program.
pub fn run(env: &Env, line: &[String], limit: Duration) -> Result<Outcome> {
    let Some((program, arguments)) = line.split_first() else {
        return Err(Error::invalid("run a program: it has no name"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment(env)).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(format!("{program} is not on PATH")),
        _ => Error::io(format_args!("run {program}"), e),
    })?;
    listen(child, Instant::now() + limit).map_err(|e| e.context(format_args!("run {}", line.join(" "))))
}

fn search_path(env: &Env) -> String {
    // The init tools stand where an ordinary user's PATH often does not look.
    format!("{}:/usr/sbin:/sbin", env.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin"))
}

fn environment(env: &Env) -> Vec<(&'static str, String)> {
    let runtime = env.var("XDG_RUNTIME_DIR").map(str::to_string);
    let mut vars = vec![
        ("PATH", search_path(env)),
        ("LC_ALL", "C".to_string()),
        ("SYSTEMD_PAGER", String::new()),
        ("SYSTEMD_COLORS", "0".to_string()),
        // A login over ssh or su often lacks it.
        ("XDG_RUNTIME_DIR", runtime.unwrap_or_else(|| format!("/run/user/{}", getuid().as_raw()))),
    ];
    for name in ["HOME", "USER", "LOGNAME", "DBUS_SESSION_BUS_ADDRESS"] {
        vars.extend(env.var(name).map(|value| (name, value.to_string())));
    }
    vars
}

fn listen(mut child: Child, deadline: Instant) -> Result<Outcome> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut pause = MOMENT;
    loop {
        // Looked at before reading: what it said before its end is in the pipes by then.
        let ended = child.try_wait().map_err(|e| Error::io("wait for it", e))?;
        while drain(&mut stdout, &mut out, Duration::ZERO) | drain(&mut stderr, &mut err, Duration::ZERO) {}
        if let Some(status) = ended {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Outcome { code: status.code(), stdout: text(out), stderr: text(err) });
        }
        if Instant::now() >= deadline {
            stop(&mut child);
            return Err(Error::new(Kind::Unavailable, "it took too long and was ended"));
        }
        match stdout.is_some() {
            true => drop(drain(&mut stdout, &mut out, SLICE)),
            // It ends now, or goes on without a word: the looks get rarer.
            false => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(SLICE);
            }
        }
    }
}

/// Takes what a pipe holds, waiting for it at most `wait`; `false` when there was nothing. A closed one is dropped.
fn drain<R: Read + std::os::fd::AsFd>(pipe: &mut Option<R>, into: &mut Vec<u8>, wait: Duration) -> bool {
    let Some(open) = pipe else { return false };
    if !matches!(crate::sys::poll(&mut [PollFd::new(open, PollFlags::IN)], Some(wait)), Ok(ready) if ready > 0)
    {
        return false;
    }
    let mut piece = [0; 4096];
    match open.read(&mut piece) {
        Ok(0) | Err(_) => *pipe = None,
        Ok(count) if into.len() < MAX_OUTPUT => into.extend(piece.iter().take(count)),
        Ok(_) => {}
    }
    pipe.is_some()
}

fn stop(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended meanwhile; either way it is waited for, at once.
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<Outcome> {
        let env = Env::from_vars([("HOME".to_string(), "/h".to_string())], None).unwrap();
        run(&env, &["sh", "-c", script].map(String::from), limit)
    }

    /// Commands that ask the service manager wait for no clock of their own.
    #[test]
    fn i14_an_end_is_seen_when_it_comes() {
        let once = || {
            let start = Instant::now();
            sh("exit 0", Duration::from_secs(5)).unwrap();
            start.elapsed()
        };
        let fastest = (0..20).map(|_| once()).min().unwrap();
        assert!(fastest < SLICE / 2, "{fastest:?}");
    }

    #[test]
    fn output_and_status_are_told() {
        let outcome = sh("echo $LC_ALL; echo no >&2; exit 3", Duration::from_secs(5)).unwrap();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), "C\n"));
        assert_eq!(outcome.complaint(), "no");
        let much = sh("head -c 1000000 /dev/zero", Duration::from_secs(5)).unwrap();
        assert!(much.is_ok() && much.stdout.len() < 100_000);
    }

    #[test]
    fn the_time_limit_holds_and_takes_the_children_along() {
        let begin = Instant::now();
        let late = sh("sleep 60 & sleep 60", Duration::from_millis(100)).unwrap_err();
        assert!(late.message().contains("too long"), "{late}");
        // A child left behind with the pipe in its hand is not waited for.
        assert!(sh("sleep 3 & exit 0", Duration::from_secs(50)).unwrap().is_ok());
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}
