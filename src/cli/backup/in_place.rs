//! `openclaw backup restore --in-place`: what was unpacked is put to use under a gateway that runs.
//!
//! Stops what runs the gateway (its service, or the process where it runs without one), swaps, starts the same again, and
//! puts everything back where that does not come up. Both state directories are locked during the swap, so that no
//! supervisor that is not known here starts a gateway upon half of it. Runs on the command line's thread.
use crate::backup::places::{self, Place, Swap};
use crate::cli::gateway::healthcheck::is_ready;
use crate::cli::gateway::last_error;
use crate::cli::gateway::unit::Unit;
use crate::cli::waiting::Waiting;
use crate::cli::{Context, unsupervised};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::service::act::{control, is_supervised, unsupervised as running};
use crate::service::{self, Action, inspect};
use crate::{files, gateway};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a gateway may take to answer.
const LIMIT: Duration = Duration::from_secs(30);
/// More of what it says is not read.
const MOST_WORDS: u64 = 64 << 10;
/// Who watches over a process starts it again within this.
const WATCHED: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// What runs the gateway.
enum Runner {
    Service(service::Place),
    Process(u32, Start),
    Nothing,
}

/// How a process was started.
struct Start {
    arguments: Vec<String>,
    /// Its own, where the machine tells.
    vars: Option<Vec<(String, String)>>,
    dir: Option<PathBuf>,
}

/// Puts the parts in their places; what was done to the gateway is told in `lines`, nothing where none ran.
pub fn restore(
    context: &Context,
    parts: &[Place],
    target: &Path,
    lines: &mut Vec<String>,
) -> Result<Vec<Swap>> {
    let env = &context.env;
    let waiting = Waiting::begin(context.out, "stopping the gateway");
    let nothing = |e: Error| {
        // It is of no use, and the archive is still there.
        let _ = std::fs::remove_dir_all(target);
        e.context("nothing was restored")
    };
    let runner = Runner::of(env).map_err(nothing)?;
    runner.stop(env).map_err(nothing)?;
    waiting.say("putting what was restored in its place");
    let done = match swap(env, parts) {
        Ok(done) => done,
        Err(e) => return Err(start_old(env, &runner, nothing(e))),
    };
    waiting.say("waiting for the gateway");
    let (mut child, words) = (None, words_in(target));
    let heard = words.as_ref().and_then(|words| words.try_clone().ok());
    let Err(why) = runner.start(env, &mut child, heard).and_then(|()| runner.wait(env, &mut child)) else {
        lines.extend(runner.told());
        return Ok(done);
    };
    let said = runner.said(env, words).map_or(String::new(), |said| format!(": {said}"));
    waiting.say("undoing it");
    stop_new(env, &runner, child);
    places::undo(&done)
        .map_err(|e| e.context("what was restored does not run, and it could not be undone"))?;
    let text = format!(
        "what was restored did not run, so it was undone: {}{said}; it lies in {}",
        why.message(),
        env.display(target)
    );
    Err(start_old(env, &runner, Error::new(Kind::Unavailable, text)))
}

/// Where a gateway that is started says why it ends. Nobody else sees the file, and it is gone with who holds it.
fn words_in(dir: &Path) -> Option<File> {
    let path = dir.join("words");
    let file = File::options().read(true).write(true).create_new(true).open(&path).ok()?;
    fs::remove_file(&path).ok()?;
    Some(file)
}

/// Neither the old state nor the new one is anybody else's meanwhile.
fn swap(env: &Env, parts: &[Place]) -> Result<Vec<Swap>> {
    let _old = if env.state_dir.is_dir() { Some(gateway::lock_state(env)?) } else { None };
    let new = parts.iter().find(|part| part.to == env.state_dir);
    let lock = |part: &Place| {
        let mut there = env.clone();
        there.state_dir.clone_from(&part.here);
        gateway::lock_state(&there)
    };
    let _new = new.map(lock).transpose()?;
    places::put(parts)
}

/// Starts what ran before; what keeps it from that is added to the error.
fn start_old(env: &Env, runner: &Runner, error: Error) -> Error {
    let mut child = None;
    match (runner.start(env, &mut child, None).and_then(|()| runner.wait(env, &mut child)), runner) {
        (Ok(()), Runner::Nothing) => error,
        (Ok(()), _) => Error::new(error.kind, format!("{}; the gateway runs as before", error.message())),
        (Err(e), _) => Error::new(
            error.kind,
            format!("{}; the gateway does not come up again: {}", error.message(), e.message()),
        ),
    }
}

/// What did not come up; most often it has ended by itself.
fn stop_new(env: &Env, runner: &Runner, child: Option<Child>) {
    if let Runner::Service(place) = runner {
        let _ = control(env, place, Action::Stop);
    }
    if let Some(pid) = running(env) {
        let _ = unsupervised::stop(env, pid);
    }
    if let Some(mut child) = child {
        // One that holds no lock yet.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Runner {
    fn of(env: &Env) -> Result<Runner> {
        let place = service::Place::find(env, None)?;
        let seen = inspect::look(env, &place);
        Ok(match running(env) {
            _ if seen.running == Some(true) => Runner::Service(place),
            Some(pid) if is_supervised(&place, pid) => {
                let trouble = seen.trouble.unwrap_or_default();
                return Err(Error::unavailable(format!(
                    "the gateway (pid {pid}) is of the service {}, whose manager cannot be asked: {trouble}; stop it first",
                    place.name
                )));
            }
            Some(pid) => Runner::Process(pid, Start::of(env, pid)),
            None => Runner::Nothing,
        })
    }

    fn stop(&self, env: &Env) -> Result<()> {
        match self {
            Runner::Service(place) => {
                control(env, place, Action::Stop)?;
                running(env).map_or(Ok(()), |pid| unsupervised::stop(env, pid))
            }
            Runner::Process(pid, _) => unsupervised::stop(env, *pid),
            Runner::Nothing => Ok(()),
        }
    }

    /// `words` is where one that is started here says why it ends.
    fn start(&self, env: &Env, child: &mut Option<Child>, words: Option<File>) -> Result<()> {
        match self {
            Runner::Service(place) => control(env, place, Action::Start).map(drop),
            Runner::Process(_, start) => {
                // Under runit or in a container it comes back by itself.
                let until = Instant::now() + WATCHED;
                while running(env).is_none() && Instant::now() < until {
                    std::thread::sleep(PAUSE);
                }
                if running(env).is_none() {
                    *child = Some(start.spawn(words)?);
                }
                Ok(())
            }
            Runner::Nothing => Ok(()),
        }
    }

    /// Until the gateway takes requests.
    fn wait(&self, env: &Env, child: &mut Option<Child>) -> Result<()> {
        let started = Instant::now();
        loop {
            if matches!(self, Runner::Nothing) || is_ready(env) {
                return Ok(());
            }
            let ended = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(status) = ended.filter(|_| running(env).is_none()) {
                return Err(Error::unavailable(format!("the gateway ended ({status})")));
            }
            if started.elapsed() > LIMIT {
                return Err(Error::unavailable(format!("no answer within {} s", LIMIT.as_secs())));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Why the new one did not come up, in its own words.
    fn said(&self, env: &Env, words: Option<File>) -> Option<String> {
        match self {
            Runner::Service(place) => {
                last_error::find(env, &Config::inspect(&mut env.clone()), &Unit::at(env, place, false))
            }
            _ => {
                let (mut words, mut text) = (words?, String::new());
                words.rewind().ok()?;
                words.take(MOST_WORDS).read_to_string(&mut text).ok()?;
                let line = text.lines().find(|line| !line.trim().is_empty())?;
                Some(line.strip_prefix("Error: ").unwrap_or(line).to_string())
            }
        }
    }

    fn told(&self) -> Option<String> {
        match self {
            Runner::Service(place) => {
                Some(format!("The service {} was restarted, and the gateway answers", place.name))
            }
            Runner::Process(..) => {
                Some("The gateway was restarted without a service, and it answers".to_string())
            }
            Runner::Nothing => None,
        }
    }
}

impl Start {
    fn of(env: &Env, pid: u32) -> Start {
        let read = |name: &str| {
            let bytes = files::read_start(Path::new(&format!("/proc/{pid}/{name}")), 1 << 20)?;
            let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<String>>())
        };
        let profile = env.profile.iter().flat_map(|name| ["--profile".to_string(), name.clone()]);
        let plain = || profile.chain(["gateway".to_string()]).collect();
        let pair =
            |word: &String| word.split_once('=').map(|(name, value)| (name.to_string(), value.to_string()));
        Start {
            arguments: read("cmdline").map_or_else(plain, |words| words.into_iter().skip(1).collect()),
            vars: read("environ").map(|words| words.iter().filter_map(pair).collect()),
            dir: std::fs::read_link(format!("/proc/{pid}/cwd")).ok(),
        }
    }

    /// Without the terminal, whose end is not the gateway's.
    fn spawn(&self, words: Option<File>) -> Result<Child> {
        let failed = |e| Error::io("start the gateway", e);
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(&self.arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words.map_or(Stdio::null(), Into::into));
        if let Some(vars) = &self.vars {
            command.env_clear().envs(vars.iter().map(|(name, value)| (name, value)));
        }
        if let Some(dir) = self.dir.as_ref().filter(|dir| dir.is_dir()) {
            command.current_dir(dir);
        }
        command.spawn().map_err(failed)
    }
}
