//! The measured processes: start, memory, processor time, stop.
use crate::Result;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const TOKEN: &str = "bench-token-90ab12cd34ef";

/// The release binary, or another that `OPENCLAW_BENCH_BINARY` names.
#[expect(clippy::disallowed_methods, reason = "the bench's own setting, not the program's")]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("OPENCLAW_BENCH_BINARY") {
        Some(path) if !path.is_empty() => path.into(),
        _ => env!("CARGO_BIN_EXE_openclaw").into(),
    })
}

/// A child that is killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    pub fn of(child: Child, port: u16) -> Server {
        Server { child, port }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The bare server, answering with this many bytes.
    pub fn limit(bytes: usize) -> Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.args(["--limit", &bytes.to_string()]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output of the limit server")?).read_line(&mut line)?;
        Ok(Server { child, port: line.trim().parse()? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway with a temporary home.
pub struct Gateway {
    server: Server,
    pub dir: PathBuf,
    /// Time from the start of the process to the first accepted connection.
    pub started: Duration,
}

impl std::ops::Deref for Gateway {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Gateway {
    pub fn start(config: &Value) -> Result<Gateway> {
        Gateway::start_with(config, |_| Ok(()))
    }

    /// The same with files that `prepare` puts into the state directory before the start.
    pub fn start_with(config: &Value, prepare: impl FnOnce(&Path) -> Result<()>) -> Result<Gateway> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("openclaw-bench-{}-{n}", std::process::id()));
        write_config(&dir, config)?;
        prepare(&dir.join(".openclaw"))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let output = File::create(dir.join("output"))?;
        let start = Instant::now();
        let child = command(&dir)
            .args(["gateway", "--port", &port.to_string()])
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut server = Server { child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let told = || std::fs::read_to_string(dir.join("output")).unwrap_or_default();
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the gateway ended with {status}: {}", told()).into());
            }
            if start.elapsed() > Duration::from_secs(10) {
                return Err(format!("the gateway does not listen: {}", told()).into());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(Gateway { server, dir, started: start.elapsed() })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Litter in the temporary directory is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The release binary with a home of its own and nothing else in its environment.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().env("HOME", dir).env("PATH", "/usr/bin:/bin").env("TMPDIR", dir).stdin(Stdio::null());
    command
}

fn write_config(dir: &Path, over: &Value) -> Result<()> {
    let mut config = json!({
        "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}},
        "logging": {"file": dir.join("gateway.log")},
        "canvasHost": {"enabled": false},
    });
    if let (Some(config), Some(over)) = (config.as_object_mut(), over.as_object()) {
        config.extend(over.clone());
    }
    std::fs::create_dir_all(dir.join(".openclaw"))?;
    std::fs::write(dir.join(".openclaw/openclaw.json"), config.to_string())?;
    Ok(())
}

/// Memory of a process in KiB: resident, and the anonymous part of it.
pub fn memory(pid: u32) -> Result<(f64, f64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok((field(&text, "Rss:"), field(&text, "Anonymous:")))
}

/// The most a process has had resident so far, in KiB; 0 when it is gone.
pub fn peak(pid: u32) -> f64 {
    field(&std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), "VmHWM:")
}

/// Processor time of all threads, in seconds.
pub fn cpu(pid: u32) -> Result<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        sum += text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(sum / 1e9)
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}
