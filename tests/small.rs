//! Small machines: 32 MB of memory, 64 MB of addresses, a fifth of one core, and a disk of flash.
//!
//! The control groups are the kernel's own, made below `/sys/fs/cgroup` and removed again; where none can be made that
//! is told and the test is left out. A debug build is larger and slower than what runs on a router, so the budgets are
//! those of `make small`, which tests the release (`OPENCLAW_SMALL`); the short form holds that it works at all.
use crate::harness::telegram::Telegram;
use crate::harness::*;
use crate::telegram::with_bot_in;
use std::path::{Path, PathBuf};

const MEMORY: u64 = 32 << 20;
/// A fifth of a core in short slices, as a slow processor gives it.
const PERIOD_US: u64 = 10_000;
const QUOTA_US: u64 = 2_000;

fn is_full() -> bool {
    setting("OPENCLAW_SMALL", 0) == 1
}

/// Control groups of a gateway, by the name of what they bound.
struct Groups {
    memory: PathBuf,
    cpu: PathBuf,
    is_v2: bool,
}

impl Groups {
    fn make() -> Option<Groups> {
        let root = Path::new("/sys/fs/cgroup");
        let name = format!("openclaw-test-{}", std::process::id());
        let is_v2 = root.join("cgroup.controllers").exists();
        let groups = match is_v2 {
            true => Groups { memory: root.join(&name), cpu: root.join(&name), is_v2 },
            false => {
                Groups { memory: root.join("memory").join(&name), cpu: root.join("cpu").join(&name), is_v2 }
            }
        };
        let limits = match is_v2 {
            true => vec![("memory.max", MEMORY.to_string()), ("cpu.max", format!("{QUOTA_US} {PERIOD_US}"))],
            false => vec![
                ("memory.limit_in_bytes", MEMORY.to_string()),
                ("cpu.cfs_period_us", PERIOD_US.to_string()),
                ("cpu.cfs_quota_us", QUOTA_US.to_string()),
            ],
        };
        for dir in [&groups.memory, &groups.cpu] {
            // Who may make none, or whose kernel has no such controller, sees that at the first limit.
            let _ = std::fs::create_dir(dir);
        }
        let set = |(file, value): &(&str, String)| {
            let dir = if file.starts_with("memory") { &groups.memory } else { &groups.cpu };
            std::fs::write(dir.join(file), value).is_ok()
        };
        if limits.iter().all(set) { Some(groups) } else { None }
    }

    /// What puts a gateway into them.
    fn under(&self) -> Vec<String> {
        let [memory, cpu] =
            [&self.memory, &self.cpu].map(|dir| dir.join("cgroup.procs").display().to_string());
        let script = format!("echo $$ > {memory} && echo $$ > {cpu} && exec taskset 1 \"$@\"");
        ["/bin/sh", "-c", &script, "sh"].map(String::from).into()
    }

    fn number(&self, v2: &str, v1: &str) -> u64 {
        let text =
            std::fs::read_to_string(self.memory.join(if self.is_v2 { v2 } else { v1 })).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Most memory that was charged, page cache and all.
    fn peak(&self) -> u64 {
        self.number("memory.peak", "memory.max_usage_in_bytes")
    }

    fn kills(&self) -> u64 {
        let file = if self.is_v2 { "memory.events" } else { "memory.oom_control" };
        let text = std::fs::read_to_string(self.memory.join(file)).unwrap();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // The gateway is dropped before them; what is left is litter of this boot.
        for dir in [&self.memory, &self.cpu] {
            let _ = std::fs::remove_dir(dir);
        }
    }
}

fn words() -> Reply {
    let pieces =
        (0..40).flat_map(|n| [Step::Text(format!("word{n} ")), Step::Pause(Duration::from_millis(100))]);
    Reply::Stream(pieces.chain([Step::Done]).collect())
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

/// Opens connections that only wait, and gives what one of them takes, in KiB. The first two do not count: with them the
/// code comes back in that the gateway lets go of when it rests, once for all and not for each.
fn idle_clients(gateway: &Gateway, n: usize) -> f64 {
    let settle = || std::thread::sleep(Duration::from_millis(700));
    let _first = [0; 2].map(|_| Client::operator(gateway, 4));
    settle();
    let before = gateway.resident_kib();
    let clients: Vec<Client> = (0..n).map(|_| Client::operator(gateway, 4)).collect();
    settle();
    let after = gateway.resident_kib();
    drop(clients);
    after.saturating_sub(before) as f64 / n as f64
}

#[test]
fn r_03a_r_04a_r_04c_in_32_mb_with_a_fifth_of_a_core() {
    let Some(groups) = Groups::make() else {
        eprintln!("left out: no control groups can be made here");
        return;
    };
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let (_server, gateway) = with_bot_in(&telegram, json!({}), vec![words()], groups.under());
    telegram.wait_calls("getUpdates", 1);
    let mut page = Client::named(&gateway, json!({"client": {"id": "openclaw-macos", "mode": "ui"}}));
    std::thread::sleep(Duration::from_secs(if is_full() { 5 } else { 1 }));
    let rest = gateway.resident_kib();
    let each = idle_clients(&gateway, 20);
    // One turn by each way in.
    page.ok("chat.send", json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "s1"}));
    page.event_where("chat", |payload| payload["runId"] == "s1" && payload["state"] == "final");
    telegram.says(1001, 1001, "hello");
    assert!(crate::telegram::said(&telegram, 1001, 1)[0].starts_with("word0 "));
    let (connects, healths) = busy(&gateway);
    println!(
        "small: at rest {rest} KiB, a client {each:.0} KiB, busy {} KiB; charged at most {} KiB; connect p99 {connects:?}, \
         health p99 {healths:?}",
        gateway.peak_kib(),
        groups.peak() >> 10
    );
    assert_eq!(groups.kills(), 0, "the kernel ended it for its memory");
    page.ok("health", json!({}));
    if is_full() {
        assert!(rest <= 12 << 10, "R-04a: {rest} KiB at rest");
        assert!(each <= 64.0, "R-04a: {each} KiB a client");
        assert!(connects < Duration::from_millis(100), "R-03a: connect p99 {connects:?}");
        assert!(healths < Duration::from_millis(50), "R-03a: health p99 {healths:?}");
    }
    drop(gateway);
}

/// Four runs stream, as many as run at once, and four wait; one client floods, one does not read. How long a connect and
/// a `health` of others take meanwhile.
fn busy(gateway: &Gateway) -> (Duration, Duration) {
    let mut asking = Client::operator(gateway, 4);
    for n in 0..8 {
        let params = json!({"sessionKey": format!("agent:main:b{n}"), "message": "go", "idempotencyKey": format!("b{n}")});
        asking.ok("agent", params);
    }
    let mut deaf = Client::operator(gateway, 4);
    let mut flooding = Client::operator(gateway, 4);
    flooding.socket().get_ref().set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    let end = Instant::now() + Duration::from_secs(if is_full() { 30 } else { 3 });
    let (mut connects, mut healths) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while Instant::now() < end {
                n += 1;
                let frame = json!({"type": "req", "id": format!("f{n}"), "method": "health"});
                // Full: the gateway makes it wait.
                let _ = flooding.socket().send(tungstenite::Message::text(frame.to_string()));
                flooding.collect(Duration::from_millis(1));
                drop(flooding.kept());
            }
        });
        for n in 0..20 {
            deaf.send(&json!({"type": "req", "id": format!("d{n}"), "method": "config.schema"}));
        }
        let mut other = Client::operator(gateway, 4);
        while Instant::now() < end {
            let began = Instant::now();
            drop(Client::operator(gateway, 4));
            connects.push(began.elapsed());
            let began = Instant::now();
            other.ok("health", json!({}));
            healths.push(began.elapsed());
            drop(other.kept());
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    (p99(connects), p99(healths))
}

/// S-L7 as a router has it. tests/bounds.rs holds the same of a debug build, whose own addresses are too many for this.
#[test]
fn s_l7_with_64_mb_of_addresses_the_next_client_is_refused() {
    if !is_full() {
        return;
    }
    let under = ["/bin/sh", "-c", "ulimit -v 65536; exec \"$@\"", "sh"].map(String::from).to_vec();
    let mut gateway = Gateway::start(&Setup { under, ..Setup::default() });
    let (mut taken, mut refused) = (Vec::new(), 0);
    while refused < 3 && taken.len() < 600 {
        let joins = || {
            let (mut client, _) = Client::upgrade(http::tcp(gateway.port), gateway.port, "/", &[]).ok()?;
            client.take_challenge();
            client.connect(params(4)).ok()?;
            Some(client)
        };
        match joins() {
            Some(client) => taken.push(client),
            None => refused += 1,
        }
    }
    println!("small: 64 MB of addresses are enough for {} clients, then {refused} were refused", taken.len());
    assert!(taken.len() >= 20, "{} taken", taken.len());
    for client in taken.iter_mut().take(3) {
        client.ok("health", json!({}));
    }
    drop(taken);
    wait_for("a turn, with the others gone", || {
        let mut client = Client::operator(&gateway, 4);
        client.ok("chat.send", json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "v1"}));
        client.event_where("chat", |payload| payload["state"] == "final");
        Some(())
    });
    assert_eq!(gateway.stop().0, 0);
}

/// What a process has had written to a disk: pages of files, which is what wears flash out.
fn written(gateway: &Gateway) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/io", gateway.pid())).unwrap();
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap()
}

/// Pages are of 4 KiB: what one turn or message may cost.
const TURN: u64 = 64 << 10;
const MESSAGE: u64 = 96 << 10;

#[test]
fn i16_6_idle_writes_nothing_to_flash_and_a_message_a_bounded_number_of_pages() {
    let telegram = Telegram::start();
    telegram.user(1001, "Ann", "ann");
    let reply = Reply::Stream(vec![Step::Text("An answer.".into()), Step::Done]);
    let (_server, gateway) = with_bot_in(&telegram, json!({}), vec![reply], Vec::new());
    telegram.wait_calls("getUpdates", 1);
    let mut client = Client::operator(&gateway, 4);
    let turn = |client: &mut Client, n: usize| {
        let params = json!({"sessionKey": "main", "message": "hello", "idempotencyKey": format!("t{n}")});
        let id = client.ask("agent", params);
        client.answer(&id).unwrap();
        client.answer(&id).unwrap();
    };
    turn(&mut client, 0);
    if written(&gateway) == 0 {
        eprintln!("left out: the temporary directory is on no disk");
        return;
    }
    // The saves that the first turn left behind.
    std::thread::sleep(Duration::from_secs(6));
    let seconds = if is_full() { 600 } else { 8 };
    let before = written(&gateway);
    std::thread::sleep(Duration::from_secs(seconds));
    let idle = written(&gateway) - before;
    let rounds = if is_full() { 200 } else { 20 };
    let settled = || {
        std::thread::sleep(Duration::from_secs(6));
        written(&gateway)
    };
    let before = written(&gateway);
    (1..=rounds).for_each(|n| turn(&mut client, n));
    let turns = (settled() - before) / rounds as u64;
    let before = written(&gateway);
    for n in 0..rounds {
        telegram.says(1001, 1001, "hello");
        crate::telegram::said(&telegram, 1001, n + 1);
    }
    let messages = (settled() - before) / rounds as u64;
    println!("small: {idle} bytes in {seconds} s at rest, {turns} a turn, {messages} a message of Telegram");
    // With a poll of Telegram and a client that is told of ticks.
    assert_eq!(idle, 0, "bytes written at rest in {seconds} s");
    assert!(turns <= TURN, "{turns} bytes a turn");
    assert!(messages <= MESSAGE, "{messages} bytes a message");
}
