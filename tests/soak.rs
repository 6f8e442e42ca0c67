//! R-04b: a day of a home server in half an hour: requests, connections, turns and messages of a channel, evenly spread.
//! Memory grows by little, and nothing is left over: no descriptor, no thread.
//!
//! `OPENCLAW_SOAK` says how many seconds it takes, 1800 with `make soak`, 10 without: that is the one scale of all counts,
//! so the rates are always the same. The load comes from this process, and is done when all of it was answered.
use crate::harness::telegram::Telegram;
use crate::harness::*;
use crate::telegram::with_telegram;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What half an hour brings.
const REQUESTS: usize = 1_000_000;
const CONNECTS: usize = 10_000;
const TURNS: usize = 10_000;
const MESSAGES: usize = 10_000;
const WHOLE: f64 = 1800.0;

/// Conversations that turns are taken in, and people who write.
const SESSIONS: usize = 20;
const PEOPLE: i64 = 10;

const ANSWER: &str = "An answer of some words.";

/// Most that the resident memory may grow after the first part of the load.
const GROWTH: f64 = 0.05;
/// Of the load, before the first look at the memory.
const WARM_UP: f64 = 0.5;
/// How many runs, messages that came and messages that went out are remembered, so that none is done twice
/// (`deliveries/dedupe.rs`, `ledger.rs`). The gateway finds as many of a day in its journal, so that what the load adds
/// takes the place of something.
const REMEMBERED: usize = 10_000;
/// Of the shortest form: pages that come and go weigh more than what a few messages leave behind.
const SLACK_KIB: u64 = 1024;

/// A journal with a day in it: everything ended and is remembered.
fn full_journal() -> Vec<u8> {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as usize;
    let session = "5d8ee3d6-0b1f-4b57-9d4c-1c2d3e4f5a6b";
    let mut text = String::new();
    for n in 0..REMEMBERED {
        let ts = now - 3_600_000 + n;
        let run = format!("telegram:default:{n}");
        let meta = json!({"durationMs": 15, "aborted": false, "stopReason": "stop", "agentMeta": {"sessionId": session,
            "provider": "test", "model": "test-model", "usage": {"input": 10, "output": 5, "total": 15}}});
        let result = json!({"runId": run, "status": "ok", "summary": "completed",
            "result": {"payloads": [{"text": ANSWER, "mediaUrl": null}], "meta": meta}});
        for line in [
            json!({"kind": "run", "family": "agent", "key": run, "hash": "cdac2eb6".repeat(8), "ts": ts,
                "sessionKey": "agent:main:main", "sessionId": session, "result": {"ok": true, "payload": result}}),
            json!({"kind": "inbound", "platform": "telegram", "account": "default", "id": n.to_string(), "ts": ts}),
            json!({"kind": "delivery", "id": format!("{run}:0"), "platform": "telegram", "account": "default",
                "to": "2001", "ts": ts, "stage": "confirmed", "platformId": n.to_string()}),
        ] {
            text += &line.to_string();
            text.push('\n');
        }
    }
    text.into()
}

/// One stretch of the load: how much of it, over how long.
struct Part {
    seconds: f64,
    /// Numbers begin here, so that no key comes twice.
    first: usize,
    done: [AtomicUsize; 4],
}

impl Part {
    fn new(seconds: f64, first: usize) -> Part {
        Part { seconds, first, done: Default::default() }
    }

    fn count(&self, whole: usize) -> usize {
        (whole as f64 * self.seconds / WHOLE).ceil() as usize
    }

    /// Calls `act` `count` times, evenly spread.
    fn paced(&self, what: usize, count: usize, mut act: impl FnMut(usize)) {
        let began = Instant::now();
        for n in 0..count {
            let due = Duration::from_secs_f64(self.seconds * n as f64 / count as f64);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            act(self.first + n);
            self.done[what].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn run(&self, gateway: &Gateway, telegram: &Telegram, server: &ModelServer) {
        let (requests, turns) = (self.count(REQUESTS) / 2, self.count(TURNS) / 2);
        std::thread::scope(|scope| {
            for half in 0..2 {
                scope.spawn(move || {
                    let mut asking = Asking::new(gateway);
                    self.paced(0, requests, |n| asking.request(n));
                });
                scope.spawn(move || {
                    let mut asking = Asking::new(gateway);
                    self.paced(2, turns, |n| asking.turn(n * 2 + half));
                });
            }
            scope.spawn(|| self.paced(1, self.count(CONNECTS), |n| connect_once(gateway, n)));
            scope.spawn(|| {
                self.paced(3, self.count(MESSAGES), |n| {
                    let person = 2000 + n as i64 % PEOPLE;
                    telegram.says(person, person, &format!("<m{n}>"));
                    // What the stand-ins remember is no part of this.
                    if n % 20 == 0 {
                        server.forget();
                        telegram.forget();
                    }
                });
            });
        });
        wait_within(Duration::from_secs(60), "Telegram to be read to the end", || {
            (telegram.pending(crate::harness::telegram::BOT_TOKEN) == 0).then_some(())
        });
    }
}

/// A client that looks at answers no closer than at their beginning: what they hold is held elsewhere.
struct Asking(Client);

impl Asking {
    fn new(gateway: &Gateway) -> Asking {
        Asking(Client::named(gateway, json!({"client": {"displayName": "soak"}})))
    }

    fn ask(&mut self, id: &str, method: &str, params: Value, is_it: impl Fn(&str) -> bool) {
        let frame = json!({"type": "req", "id": id, "method": method, "params": params});
        let socket = self.0.socket();
        socket.get_ref().set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket.send(tungstenite::Message::text(frame.to_string())).unwrap();
        let begins = format!("{{\"type\":\"res\",\"id\":\"{id}\",\"ok\":true");
        let fails = format!("{{\"type\":\"res\",\"id\":\"{id}\",\"ok\":false");
        loop {
            let message = socket.read().unwrap_or_else(|e| panic!("{method}: {e}"));
            let Ok(text) = message.to_text() else { continue };
            assert!(!text.starts_with(&fails), "{method}: {text}");
            if text.starts_with(&begins) && is_it(text) {
                return;
            }
        }
    }

    fn request(&mut self, n: usize) {
        let session = format!("agent:main:s{}", n % SESSIONS);
        let (method, params) = match n % 100 {
            0 => ("status", json!({})),
            1..5 => ("sessions.list", json!({"limit": 20})),
            5..10 => ("chat.history", json!({"sessionKey": session, "limit": 5})),
            10..20 => ("system-presence", json!({})),
            20..25 => ("config.get", json!({})),
            _ => ("health", json!({})),
        };
        self.ask(&format!("q{n}"), method, params, |_| true);
    }

    fn turn(&mut self, n: usize) {
        let params = json!({"sessionKey": format!("agent:main:s{}", n % SESSIONS), "message": format!("message {n}"),
            "idempotencyKey": format!("soak-{n}")});
        self.ask(&format!("t{n}"), "agent", params, |text| !text.contains("\"status\":\"accepted\""));
    }
}

/// Every other one leaves without a word.
fn connect_once(gateway: &Gateway, n: usize) {
    let mut client = Client::operator(gateway, 3 + n as u32 % 2);
    if n.is_multiple_of(2) {
        client.close(1000, "");
        client.until_closed();
    }
}

/// What a process holds: resident KiB, open descriptors, threads.
#[derive(Debug, Clone, Copy)]
struct Held {
    kib: u64,
    files: usize,
    threads: usize,
}

/// The least of some looks, after everything has gone quiet.
fn held(gateway: &Gateway) -> Held {
    let pid = gateway.pid();
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    let looks = (0..40).map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        Held { kib: gateway.resident_kib(), files: count("fd"), threads: count("task") }
    });
    let least = |a: Held, b: Held| Held {
        kib: a.kib.min(b.kib),
        files: a.files.min(b.files),
        threads: a.threads.min(b.threads),
    };
    looks.reduce(least).unwrap()
}

#[test]
fn r_04b_a_day_in_miniature_leaves_nothing_behind() {
    let asked = Some(setting("OPENCLAW_SOAK", 0) as f64).filter(|seconds| *seconds > 0.0);
    let seconds = asked.unwrap_or(10.0);
    let telegram = Telegram::start();
    (0..PEOPLE).for_each(|n| drop(telegram.user(2000 + n, "P", &format!("p{n}"))));
    let more = json!({"session": {"dmScope": "per-channel-peer"}, "channels": {"telegram": {
        "dmPolicy": "open", "allowFrom": ["*"]}}});
    let reply =
        Reply::Stream(vec![Step::Text(ANSWER[..10].into()), Step::Text(ANSWER[10..].into()), Step::Done]);
    let server = ModelServer::start(vec![reply]);
    let config = with_telegram(&telegram, &server, more);
    let setup = Setup::config(config).file("gateway/deliveries.jsonl", full_journal());
    let gateway = Gateway::start(&setup);
    telegram.wait_calls("getUpdates", 1);
    let began = Instant::now();
    let warm = Part::new(seconds * WARM_UP, 0);
    warm.run(&gateway, &telegram, &server);
    let before = held(&gateway);
    let rest = Part::new(seconds * (1.0 - WARM_UP), 1_000_000);
    rest.run(&gateway, &telegram, &server);
    let after = held(&gateway);
    let messages = warm.count(MESSAGES) + rest.count(MESSAGES);
    let answers =
        || (2000..2000 + PEOPLE).map(|chat| telegram.texts(chat).iter().filter(|t| *t == ANSWER).count());
    wait_for("an answer to each message", || (answers().sum::<usize>() == messages).then_some(()));
    let done = |n: usize| warm.done[n].load(Ordering::Relaxed) + rest.done[n].load(Ordering::Relaxed);
    println!(
        "soak: {} requests, {} connects, {} turns, {} messages in {:.0} s; before {before:?}, after {after:?}",
        done(0),
        done(1),
        done(2),
        done(3),
        began.elapsed().as_secs_f64()
    );
    assert!(after.files <= before.files, "descriptors: {before:?}, {after:?}");
    assert!(after.threads <= before.threads, "threads: {before:?}, {after:?}");
    let slack = if asked.is_some() { 0 } else { SLACK_KIB };
    let most = (before.kib as f64 * (1.0 + GROWTH)) as u64 + slack;
    assert!(after.kib <= most, "resident: {before:?}, {after:?}, at most {most}");
}
