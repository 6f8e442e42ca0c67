//! How the machine does, as the gateway is told each minute. Small files of the kernel; what cannot be read is left out.
use crate::env::Env;
use crate::json::{Put, json};
use serde_json::Value;

pub const EVENT: &str = "node.host.stats";

pub fn gather(env: &Env) -> Value {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut stats = json!({"cpuCount": cores});
    let Some(map) = stats.as_object_mut() else { return stats };
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let bytes = |name: &str| -> Option<u64> {
        let line = memory.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
    };
    if let (Some(total), Some(free)) = (bytes("MemTotal"), bytes("MemAvailable")) {
        map.put("memoryTotalBytes", total);
        map.put("memoryFreeBytes", free);
    }
    if let Ok(disk) = rustix::fs::statvfs(&env.state_dir) {
        map.put("diskTotalBytes", disk.f_frsize * disk.f_blocks);
        map.put("diskAvailableBytes", disk.f_frsize * disk.f_bavail);
    }
    stats
}
