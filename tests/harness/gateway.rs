//! A gateway process of a test's own: free port, temporary home, cleared environment, captured output.
//!
//! Dropping it kills the process and removes the directory. When the test is failing, everything that helps
//! to see why is printed first: command, directory, standard output and error, the file log.
use super::random::setting_text;
use super::{DEADLINE, Value, json, merge, wait_within};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The shared token of every test gateway that does not choose another.
pub const TOKEN: &str = "test-token-5f2c9be1a7d04e63";

/// What a test wants to be different from a plain gateway on loopback with `TOKEN`.
#[derive(Default, Clone)]
pub struct Setup {
    /// Overlaid on the plain configuration.
    pub config: Value,
    /// The configuration file's text instead; nothing is added to it.
    pub config_text: Option<String>,
    /// Arguments after `gateway --port N`.
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// Files below the state directory, written before the start.
    pub files: Vec<(String, Vec<u8>)>,
    /// Arguments before `gateway`.
    pub global_args: Vec<String>,
    /// The port is named by the configuration's `gateway.port`, not by `--port`.
    pub port_in_config: bool,
    /// A program and its arguments that becomes the gateway: what follows them is the gateway's command line.
    pub under: Vec<String>,
}

impl Setup {
    pub fn config(config: Value) -> Setup {
        Setup { config, ..Setup::default() }
    }

    pub fn text(text: &str) -> Setup {
        Setup { config_text: Some(text.to_string()), ..Setup::default() }
    }

    pub fn arg(mut self, arg: &str) -> Setup {
        self.args.push(arg.to_string());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_string(), value.to_string()));
        self
    }

    pub fn file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Setup {
        self.files.push((path.to_string(), bytes.into()));
        self
    }
}

pub struct Gateway {
    pub port: u16,
    pub dir: PathBuf,
    setup: Setup,
    child: Child,
    ended: Option<ExitStatus>,
}

impl Gateway {
    /// Starts one and waits until it listens.
    pub fn start(setup: &Setup) -> Gateway {
        for _ in 0..4 {
            let mut gateway = Gateway::spawn(setup, free_port());
            if gateway.comes_up() {
                return gateway;
            }
            let words = gateway.stderr();
            assert!(words.contains("already in use"), "the gateway ended instead of listening: {words}");
        }
        panic!("four ports in a row were taken by others between their choice and the start");
    }

    /// A gateway with nothing special about it.
    pub fn plain() -> Gateway {
        Gateway::start(&Setup::default())
    }

    /// Starts one on `port` and does not wait: for starts that are to fail.
    pub fn spawn(setup: &Setup, port: u16) -> Gateway {
        let dir = new_dir();
        let state = dir.join("home/.openclaw");
        std::fs::create_dir_all(&state).unwrap();
        let text = setup.config_text.clone().unwrap_or_else(|| config_text(setup, &dir));
        std::fs::write(state.join("openclaw.json"), text).unwrap();
        for (path, bytes) in &setup.files {
            let path = state.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let child = launch(setup, &dir, port);
        Gateway { port, dir, setup: setup.clone(), child, ended: None }
    }

    /// Whether it listens, and not somebody else at its port; false when it ended instead.
    fn comes_up(&mut self) -> bool {
        wait_within(DEADLINE, "the gateway to listen", || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            holds(self.child.id(), self.port).then_some(true)
        })
    }

    /// Starts it again on the same port and state directory, after it has ended.
    pub fn restart(&mut self) {
        assert!(self.ended.is_some(), "the gateway must have ended before it is started again");
        self.child = launch(&self.setup, &self.dir, self.port);
        self.ended = None;
        assert!(self.comes_up(), "the gateway ended instead of listening again: {}", self.stderr());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How often those of its threads whose names begin so have gone to sleep.
    pub fn sleeps(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status"));
        let member = |text: &str, of: &str| {
            text.lines().find_map(|line| Some(line.strip_prefix(of)?.trim().to_string())).unwrap_or_default()
        };
        let of_name = tasks.flat_map(status).filter(|text| member(text, "Name:").starts_with(name));
        of_name.filter_map(|text| member(&text, "voluntary_ctxt_switches:").parse::<usize>().ok()).sum()
    }

    /// Resident memory.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most memory that was ever resident.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("home/.openclaw")
    }

    pub fn config_path(&self) -> PathBuf {
        self.state_dir().join("openclaw.json")
    }

    pub fn sessions_dir(&self) -> PathBuf {
        self.state_dir().join("agents/main/sessions")
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("stdout")).unwrap_or_default()).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("stderr")).unwrap_or_default()).into_owned()
    }

    /// The file log.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.dir.join("gateway.log")).unwrap_or_default()).into_owned()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end and gives the exit status.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let child = &mut self.child;
        let status = wait_within(limit, "the gateway to end", || child.try_wait().unwrap());
        self.ended = Some(status);
        status
    }

    /// SIGTERM, then the exit code and how long it took.
    pub fn stop(&mut self) -> (i32, Duration) {
        let start = Instant::now();
        self.signal(rustix::process::Signal::TERM);
        let status = self.wait(DEADLINE);
        (status.code().unwrap_or(-1), start.elapsed())
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.wait(DEADLINE);
    }

    /// Runs the command line in this gateway's home, with its port and token in the environment.
    pub fn cli(&self, args: &[&str]) -> Output {
        let port = self.port.to_string();
        self.cli_env(args, &[("OPENCLAW_GATEWAY_PORT", &port), ("OPENCLAW_GATEWAY_TOKEN", TOKEN)])
    }

    /// The same with exactly these variables beside HOME and PATH.
    pub fn cli_env(&self, args: &[&str], vars: &[(&str, &str)]) -> Output {
        command(&self.dir).args(args).envs(vars.iter().copied()).stdin(Stdio::null()).output().unwrap()
    }

    fn report(&self) {
        eprintln!("--- gateway --port {} {:?} in {}", self.port, self.setup.args, self.dir.display());
        list(&self.dir, &self.dir);
        for (name, text) in [("stdout", self.stdout()), ("stderr", self.stderr()), ("log", self.log())] {
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {name} ({} lines, the last 60)", lines.len());
            lines.iter().skip(lines.len().saturating_sub(60)).for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report();
        }
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A directory that cannot be removed is litter in the temporary directory, not a failed test. By a program, since
        // `remove_dir_all` goes down as deep as the directories do, which ends all tests where one left thousands.
        let _ = Command::new("rm").arg("-rf").arg(&self.dir).status();
    }
}

fn config_text(setup: &Setup, dir: &Path) -> String {
    let mut config = json!({
        "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}},
        "logging": {"file": dir.join("gateway.log")},
        "canvasHost": {"enabled": false},
    });
    if !setup.config.is_null() {
        merge(&mut config, &setup.config);
    }
    serde_json::to_string_pretty(&config).unwrap()
}

/// The binary under test: what cargo built with the tests, or `OPENCLAW_TESTED`, such as the release.
pub fn binary() -> &'static str {
    static NAMED: OnceLock<String> = OnceLock::new();
    NAMED
        .get_or_init(|| setting_text("OPENCLAW_TESTED").unwrap_or(env!("CARGO_BIN_EXE_openclaw").to_string()))
}

/// The binary under test with a cleared environment and a home of its own.
pub fn command(dir: &Path) -> Command {
    command_under(dir, &[])
}

fn command_under(dir: &Path, under: &[String]) -> Command {
    let words = under.iter().map(String::as_str).chain([binary()]).collect::<Vec<_>>();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command.env_clear().current_dir(dir).env("HOME", dir.join("home")).env("PATH", "/usr/bin:/bin:/usr/sbin");
    command.env("TMPDIR", dir).env("TZ", "UTC");
    // Its port might be the one of another test.
    command.env("OPENCLAW_SKIP_CANVAS_HOST", "1");
    command
}

fn launch(setup: &Setup, dir: &Path, port: u16) -> Child {
    let port = if setup.port_in_config { Vec::new() } else { vec!["--port".to_string(), port.to_string()] };
    command_under(dir, &setup.under)
        .args(&setup.global_args)
        .arg("gateway")
        .args(port)
        .args(&setup.args)
        .envs(setup.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(File::create(dir.join("stdout")).unwrap())
        .stderr(File::create(dir.join("stderr")).unwrap())
        .spawn()
        .unwrap()
}

/// A fresh temporary directory.
pub fn new_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("openclaw-test-{}-{n}", std::process::id()));
        // What an earlier process of this number left behind is not taken over.
        if std::fs::create_dir(&dir).is_ok() {
            std::fs::create_dir(dir.join("home")).unwrap();
            return dir;
        }
        assert!(n < 100_000, "{} cannot be made", dir.display());
    }
}

/// Whether the listening socket at `port` is one of the process's own; true where the system does not tell.
fn holds(pid: u32, port: u16) -> bool {
    let tables = ["tcp", "tcp6"].map(|name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")));
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return true };
    let own: Vec<PathBuf> = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
    // Local address, peer, state (0A listens), and the socket's number as the tenth word.
    tables.iter().flatten().flat_map(|table| table.lines()).any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() > 9
            && words[1].ends_with(&format!(":{port:04X}"))
            && words[3] == "0A"
            && own.contains(&PathBuf::from(format!("socket:[{}]", words[9])))
    })
}

/// A port nobody listens on, below the range the kernel hands out to outgoing connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        // Steps of eight leave room for what listens beside a gateway; the second round takes other numbers.
        let port = 20_000 + ((std::process::id() * 131 + n * 8 + n / 1_500) % 12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn list(root: &Path, dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let size = entry.metadata().map_or(0, |m| m.len());
        eprintln!("{size:>9} {}", path.strip_prefix(root).unwrap_or(&path).display());
        if path.is_dir() {
            list(root, &path);
        }
    }
}
