//! `system.info`: the machine and this process, for user interfaces. Reads /proc on the connection's thread;
//! what a platform does not tell is null.
use crate::calls::Caller;
use crate::error::Result;
use crate::json::json;
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use serde_json::Value;

pub fn info(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let uname = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    let memory = |name: &str| kib_field("/proc/meminfo", name);
    let disk = rustix::fs::statvfs(&shared.env.state_dir).ok();
    Ok(json!({
        "host": text(uname.nodename()),
        "os": format!("{} {}", text(uname.sysname()), text(uname.release())),
        "arch": std::env::consts::ARCH,
        "cpus": std::thread::available_parallelism().map_or(1, usize::from),
        "loadAverage": load_average(),
        "memory": {"totalBytes": memory("MemTotal:"), "freeBytes": memory("MemAvailable:")},
        "disk": {
            "totalBytes": disk.as_ref().map(|d| d.f_blocks.saturating_mul(d.f_frsize)),
            "freeBytes": disk.as_ref().map(|d| d.f_bavail.saturating_mul(d.f_frsize)),
        },
        "uptimeMs": uptime_ms(),
        "gateway": process(shared),
    })
    .into())
}

/// This process.
pub(super) fn process(shared: &Shared) -> Value {
    json!({
        "version": crate::version::VERSION,
        "pid": std::process::id(),
        "uptimeMs": shared.started.elapsed().as_millis() as u64,
        "rssBytes": kib_field("/proc/self/status", "VmRSS:"),
    })
}

/// A `Name:  123 kB` line as bytes.
fn kib_field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn load_average() -> Value {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let numbers: Vec<f64> = text.split_whitespace().take(3).filter_map(|n| n.parse().ok()).collect();
    json!(numbers)
}

fn uptime_ms() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    text.split_whitespace().next()?.parse::<f64>().ok().map(|s| (s * 1000.0) as u64)
}
