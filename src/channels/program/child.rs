//! The process of a program: a group, a folder and a small environment of its own, bounded, and gone when the account ends
//! or the gateway does. Started and waited for on the account's thread; any of its threads writes to it.
use crate::channels::accounts::Account;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::processes::child::{Input, kill};
use crate::sys::Bounds;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Open files, and bytes of memory of its own: a program beside a small gateway, not a second house.
const MAX_FILES: u64 = 1024;
const MAX_MEMORY: u64 = 2 << 30;
/// A program that reads nothing for so long hangs.
const WRITE: Duration = Duration::from_secs(10);
/// How long it may take to end by itself.
const END: Duration = Duration::from_millis(500);
/// Of the gateway's variables those that say where and who it is, and how it reaches the network.
const VARIABLES: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

pub struct Process {
    child: Child,
    /// The folder that is the account's.
    pub dir: PathBuf,
}

/// What is said to it; a line at a time, from any thread.
pub struct Writer(Mutex<Input>);

/// The words that start the account's program: those of the configuration, else the companion beside this program or in
/// `PATH`. `None` when there is none.
pub fn command(account: &Account, env: &Env) -> Result<Option<Vec<String>>> {
    let words: Option<Vec<String>> = match account.get("command") {
        Some(Value::String(path)) => Some(vec![path.clone()]),
        Some(Value::Array(words)) => words.iter().map(|word| word.as_str().map(str::to_string)).collect(),
        Some(_) => None,
        None => return Ok(companion(account.channel, env).map(|path| vec![path])),
    };
    let fail = |what: &str| Err(Error::config(format!("{}: {what}", account.place("command"))));
    let Some(mut words) = words.filter(|words| words.first().is_some_and(|word| !word.is_empty())) else {
        return fail("give the program as a path, or as a list of words of which the first is one");
    };
    if let Some(program) = words.first_mut() {
        *program = env.expand(program).to_string_lossy().into_owned();
        if program.contains('/') && !program.starts_with('/') {
            return fail("give the program's whole path, from / on");
        }
    }
    Ok(Some(words))
}

/// `openclaw-<channel>`.
fn companion(channel: &str, env: &Env) -> Option<String> {
    let name = format!("openclaw-{channel}");
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let path = env.var("PATH").unwrap_or_default().split(':').filter(|dir| dir.starts_with('/'));
    let found = beside.into_iter().chain(path.map(PathBuf::from)).map(|dir| dir.join(&name));
    found.into_iter().find(|file| file.is_file()).map(|file| file.to_string_lossy().into_owned())
}

impl Process {
    pub fn start(
        words: &[String],
        dir: PathBuf,
        env: &Env,
    ) -> Result<(Process, Writer, ChildStdout, ChildStderr)> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Error::config("the program of a channel has no name"));
        };
        files::private_dir(&dir)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&dir).env_clear();
        command.env("PATH", env.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin"));
        command.envs(VARIABLES.iter().filter_map(|name| Some((name, env.var(name)?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let bounds = Bounds { files: MAX_FILES, memory: MAX_MEMORY, ..Bounds::default() };
        crate::sys::confine(&mut command, bounds);
        let failed = |e: std::io::Error| Error::unavailable(format!("{program} cannot be started: {e}"));
        let mut child = command.spawn().map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Process { child, dir };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::unavailable("the program has no pipes"));
        };
        Ok((process, Writer(Mutex::new(Input::new(stdin)?)), stdout, stderr))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(status.to_string())
    }

    /// Waits a little for its end.
    pub fn wait(&mut self) {
        let until = Instant::now() + END;
        while self.ended().is_none() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it, with all that it has started.
    pub fn kill(&mut self) {
        kill(&mut self.child);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Writer {
    pub fn write(&self, line: &Value) -> Result<()> {
        let text = format!("{line}\n");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(text.as_bytes(), WRITE)
    }

    /// The account ends. Who does not read it is ended all the same.
    pub fn say_end(&self) {
        if let Ok(mut pipe) = self.0.try_lock() {
            let _ = pipe.write(b"{\"type\":\"end\"}\n", Duration::ZERO);
        }
    }
}
