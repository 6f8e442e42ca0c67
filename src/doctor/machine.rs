//! Checks of what the machine gives: state directory, disk, clock, leftovers of earlier product names. Only looks;
//! even the gateway's lock is only asked, when the process that wrote it is there.
use super::{Ctx, Finding, one};
use crate::clock;
use crate::env::Env;
use rustix::fs::{Access, FlockOperation, access, flock, statvfs};
use rustix::process::{Pid, test_kill_process};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const FULL: u64 = 16 << 20;
const LOW: u64 = 200 << 20;
/// No clock that is right shows less: 2025-01-01, epoch milliseconds.
const BUILT: u64 = 1_735_689_600_000;
const HOUR: i64 = 60 * 60;
/// State directories of earlier product names, in the home directory.
const OLD_DIRS: [&str; 3] = [".clawdbot", ".moltbot", ".moldbot"];
/// Names of variables as they were, without their first word.
const VARIABLES: [&str; 6] =
    ["STATE_DIR", "CONFIG_PATH", "GATEWAY_TOKEN", "GATEWAY_PASSWORD", "GATEWAY_PORT", "PROFILE"];

/// The process that serves this state directory.
pub fn instance(env: &Env) -> Option<u32> {
    let path = env.state_dir.join("gateway").join("gateway.lock");
    let pid: u32 = crate::files::read_text(&path).ok()?.trim().parse().ok()?;
    // A left-over file of a dead process needs no look at its lock, so no start can meet ours.
    match test_kill_process(Pid::from_raw(i32::try_from(pid).ok()?)?) {
        Ok(()) | Err(rustix::io::Errno::PERM) => {}
        Err(_) => return None,
    }
    let file = crate::files::open_regular(&path).ok()?;
    let taken = flock(&file, FlockOperation::NonBlockingLockShared);
    (taken == Err(rustix::io::Errno::WOULDBLOCK)).then_some(pid)
}

pub fn missing(ctx: &Ctx) -> Vec<Finding> {
    one((!ctx.env.state_dir.exists()).then(|| {
        Finding::new(format!("{} does not exist", ctx.env.display(&ctx.env.state_dir)))
            .at(&ctx.env.state_dir)
            .remedy(ctx.env.command("onboard"))
    }))
}

pub fn unwritable(ctx: &Ctx) -> Vec<Finding> {
    let dir = &ctx.env.state_dir;
    let refused = dir.exists() && access(dir, Access::WRITE_OK | Access::EXEC_OK).is_err();
    one(refused.then(|| {
        Finding::new(format!("{} cannot be written by this user", ctx.env.display(dir)))
            .at(dir)
            .remedy(format!("make it this user's: chown -R \"$(id -un)\" {}", dir.display()))
    }))
}

/// Free bytes and whether files can be made where the state lies or would lie.
fn space(dir: &Path) -> Option<(u64, bool)> {
    let there = dir.ancestors().find(|dir| dir.exists())?;
    let disk = statvfs(there).ok()?;
    Some((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_files == 0 || disk.f_favail > 0))
}

pub fn full(ctx: &Ctx) -> Vec<Finding> {
    one(space(&ctx.env.state_dir).filter(|(free, has_room)| *free < FULL || !has_room).map(
        |(free, has_room)| {
            let what = if has_room {
                format!("{} KiB are free", free / 1024)
            } else {
                "no more files can be made".into()
            };
            Finding::new(format!("{what} where {} lies", ctx.env.display(&ctx.env.state_dir)))
                .remedy("make room; the gateway goes on writing by itself")
        },
    ))
}

pub fn low(ctx: &Ctx) -> Vec<Finding> {
    let low = space(&ctx.env.state_dir).filter(|(free, has_room)| (FULL..LOW).contains(free) && *has_room);
    one(low.map(|(free, _)| {
        let dir = ctx.env.display(&ctx.env.state_dir);
        Finding::new(format!("{} MiB are free where {dir} lies", free >> 20)).remedy("make room")
    }))
}

pub fn clock(ctx: &Ctx) -> Vec<Finding> {
    let now = i64::try_from(ctx.now / 1000).unwrap_or(i64::MAX);
    let changed = std::fs::metadata(&ctx.env.config_path).map_or(0, |meta| meta.mtime());
    let told = if ctx.now < BUILT {
        Some(format!("it shows {}", clock::iso(ctx.now)))
    } else if changed > now.saturating_add(HOUR) {
        Some("the config file was changed in its future".to_string())
    } else {
        None
    };
    one(told.map(|told| {
        Finding::new(told).remedy("set the clock (timedatectl set-ntp true); timers and expiries go by it")
    }))
}

pub fn zone(ctx: &Ctx) -> Vec<Finding> {
    let configured =
        ctx.config.str("agents.defaults.userTimezone").map(|zone| ("agents.defaults.userTimezone", zone));
    let variable = ctx.env.var("TZ").map(|zone| ("TZ", zone.trim_start_matches(':')));
    // A path or a rule such as CET-1CEST is none of the names that are looked up.
    let is_name =
        |zone: &str| !zone.starts_with('/') && !zone.contains(|c: char| c.is_ascii_digit() || c == ',');
    let unknown = [configured, variable]
        .into_iter()
        .flatten()
        .filter(|(_, zone)| is_name(zone) && jiff::tz::TimeZone::get(zone).is_err());
    unknown
        .map(|(place, zone)| {
            let zone = crate::logging::quoted(zone);
            Finding::new(format!(
                "{place} names {zone}, which this machine does not know; the host's zone is used"
            ))
            .remedy("use a name such as Europe/Vienna, and install the tzdata package")
        })
        .collect()
}

pub fn variables(ctx: &Ctx) -> Vec<Finding> {
    let set = |prefix: &str| {
        let names = VARIABLES.iter().map(|name| format!("{prefix}_{name}"));
        names.filter(|name| ctx.env.var(name).is_some()).collect::<Vec<_>>()
    };
    let names: Vec<String> = ["CLAWDBOT", "MOLTBOT"].into_iter().flat_map(set).collect();
    one((!names.is_empty())
        .then(|| Finding::new(format!("{} should be called OPENCLAW_... now", names.join(", ")))))
}

pub fn legacy_dir(ctx: &Ctx) -> Vec<Finding> {
    let there = OLD_DIRS.iter().map(|name| ctx.env.home.join(name)).filter(|dir| dir.is_dir());
    there
        .map(|dir| {
            let shown = ctx.env.display(&dir);
            match dir == ctx.env.state_dir {
                true => Finding::new(format!("{shown} is in use, because ~/.openclaw does not exist"))
                    .remedy(format!("stop the gateway, then: mv {shown} ~/.openclaw")),
                false => Finding::new(format!("{shown} is not used any more; keep it or remove it")),
            }
            .at(dir)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use crate::doctor::testing::ids;
    use crate::files::Lock;

    #[test]
    fn a_gateway_counts_as_running_only_with_its_lock() {
        let dir = Dir::new();
        let env = dir.env(&[]);
        let path = env.state_dir.join("gateway/gateway.lock");
        assert_eq!(instance(&env), None);
        let held = Lock::try_now(&path).unwrap();
        std::fs::write(&path, std::process::id().to_string()).unwrap();
        assert_eq!(instance(&env), Some(std::process::id()));
        drop(held);
        assert_eq!(instance(&env), None);
        assert!(Lock::try_now(&path).unwrap().is_some(), "looking keeps no lock");
    }

    #[test]
    fn zones_and_old_names_are_checked() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{agents: {defaults: {userTimezone: 'Mars/Base'}}}");
        assert_eq!(ids(&dir, &[("TZ", "UTC")], "clock"), ["clock.zone"]);
        assert_eq!(ids(&dir, &[("TZ", "CET-1CEST")], "clock"), ["clock.zone"]);
        assert_eq!(ids(&dir, &[("CLAWDBOT_GATEWAY_PORT", "1")], "env"), ["env.legacy"]);
        let mut ctx = Ctx::look(&dir.env(&[]), false);
        ctx.now = 1000;
        assert_eq!(clock(&ctx).len(), 1);
    }
}
