//! Scheduled jobs while the clock is set, in the real binary: between it and the kernel stands a clock that a test moves.
//! Issue 13, sentence 1.
use super::harness::gateway::new_dir;
use super::harness::*;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

/// The wall clock is ahead by as many seconds as the file named by `CLOCK` says.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead;
__attribute__((constructor)) static void find(void) {
    char *name = getenv("CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *found = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED) ahead = found;
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (!result && clock == CLOCK_REALTIME && ahead) time->tv_sec += *ahead;
    return result;
}
"#;

const HOUR: u64 = 60 * 60 * 1000;

/// A gateway and the file of its clock; `None` without a C compiler.
fn start() -> Option<(Gateway, PathBuf)> {
    let dir = new_dir();
    let (source, library, clock) = (dir.join("shim.c"), dir.join("shim.so"), dir.join("clock"));
    std::fs::write(&source, SHIM).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        println!("skipped: no C compiler here");
        return None;
    }
    std::fs::write(&clock, 0_i64.to_ne_bytes()).unwrap();
    let text = |path: &PathBuf| path.to_str().unwrap().to_string();
    let setup = Setup::config(json!({})).env("LD_PRELOAD", &text(&library)).env("CLOCK", &text(&clock));
    Some((Gateway::start(&setup), clock))
}

fn set(clock: &PathBuf, ahead: i64) {
    let file = std::fs::File::options().write(true).open(clock).unwrap();
    file.write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

fn add(client: &mut Client, name: &str, schedule: Value) {
    client.ok(
        "cron.add",
        json!({"name": name, "schedule": schedule, "sessionTarget": "main", "wakeMode": "next-heartbeat",
        "payload": {"kind": "systemEvent", "text": "m"}}),
    );
}

/// What the state of a job says.
fn state(client: &mut Client, name: &str, member: &str) -> u64 {
    let jobs = client.ok("cron.list", json!({}))["jobs"].clone();
    let job = jobs.as_array().unwrap().iter().find(|job| job["name"] == name).unwrap().clone();
    job["state"][member].as_u64().unwrap_or_default()
}

/// Jobs made and run while the clock was three hours ahead, then it was set right: they go on at once, in the running gateway
/// and after a start.
#[test]
fn i13_1_a_clock_that_was_ahead_and_is_set_right_stops_no_job() {
    let Some((mut gateway, clock)) = start() else { return };
    let mut client = Client::operator(&gateway, 4);
    set(&clock, 3 * 3600);
    add(&mut client, "often", json!({"kind": "every", "everyMs": 2000}));
    add(&mut client, "minute", json!({"kind": "cron", "expr": "* * * * *", "tz": "UTC"}));
    add(&mut client, "seldom", json!({"kind": "every", "everyMs": (24 * HOUR)}));
    wait_for("a run", || (state(&mut client, "often", "lastRunAtMs") > now() + 2 * HOUR).then_some(()));
    set(&clock, 0);
    wait_for("another run", || {
        let last = state(&mut client, "often", "lastRunAtMs");
        (last > 0 && last <= now()).then_some(())
    });
    assert!(gateway.log().contains("the clock has gone back by 10800 s: 3 scheduled jobs are planned anew"));
    for (name, within) in [("often", 2000), ("minute", 60_000), ("seldom", 24 * HOUR)] {
        let next = state(&mut client, name, "nextRunAtMs");
        assert!(next <= now() + within, "{name}: {next}");
    }
    // The file says the same as who was told.
    set(&clock, 3 * 3600);
    add(&mut client, "late", json!({"kind": "every", "everyMs": 5000}));
    gateway.stop();
    set(&clock, 0);
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    let next = state(&mut client, "late", "nextRunAtMs");
    assert!(next > now() - 5000 && next <= now() + 5000, "{next}");
}
