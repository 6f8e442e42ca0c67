//! SIGKILL at random points: nothing that was acknowledged is lost, nothing that was confirmed is sent again.
//!
//! The one that is killed is this test program, started again for the one test that plays a channel's worker.
//! `OPENCLAW_TORTURE` says how often it is killed.
use super::{Delivery, Inbound, Journal, Ledger, Line, Stage, Taken};
use crate::clock;
use crate::sessions::TestDir;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const DIR: &str = "OPENCLAW_CRASH_DIR";

#[expect(clippy::disallowed_methods, reason = "a test that is started by another")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A file that outlives the process with every line that was written to it.
fn say(dir: &Path, file: &str, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join(file)).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Plays a worker until it is killed: takes messages in, answers each, and delivers what it finds undelivered.
#[test]
fn worker() {
    let Some(dir) = variable(DIR).map(PathBuf::from) else { return };
    let now = clock::now_ms();
    let (mut journal, found) = Journal::open(&dir, now).unwrap();
    let (mut ledger, uncertain) = Ledger::resume(found.inbound, found.deliveries);
    journal.append_all(uncertain.iter()).unwrap();
    let me = std::process::id();
    let deliver = |ledger: &mut Ledger, journal: &mut Journal, delivery: &Delivery| {
        let name = Line::Delivery(delivery.clone()).name();
        let handed = ledger.advance(&name, Stage::Handed).unwrap();
        journal.append(&handed).unwrap();
        say(&dir, "platform", &delivery.id);
        let confirmed = ledger
            .go(
                &name,
                crate::deliveries::Step {
                    stage: Stage::Confirmed,
                    platform_id: Some("p".into()),
                    ..Default::default()
                },
            )
            .unwrap();
        journal.append(&confirmed).unwrap();
        say(&dir, "confirmed", &delivery.id);
    };
    for delivery in ledger.deliveries(Stage::Accepted).into_iter().cloned().collect::<Vec<_>>() {
        deliver(&mut ledger, &mut journal, &delivery);
    }
    for n in 0.. {
        let (ts, message) = (clock::now_ms(), Some(json!({"text": "x".repeat(n % 5000)})));
        let inbound = Inbound {
            platform: "p".into(),
            account: "a".into(),
            id: format!("in-{me}-{n}"),
            ts,
            message: message.clone(),
        };
        let Taken::New(line) = ledger.take(Line::Inbound(inbound.clone())).unwrap() else { panic!("known") };
        journal.append(&line).unwrap();
        ledger.written(&line.name(), true);
        say(&dir, "acknowledged", &inbound.id);
        let delivery = Delivery { id: format!("out-{me}-{n}"), ts, message, ..Delivery::default() };
        let Taken::New(promised) = ledger.take(Line::Delivery(delivery.clone())).unwrap() else {
            panic!("known")
        };
        // The answer first: a message that is handled twice makes no second one, one that is not handled is lost.
        let handled = ledger.handled(&line.name()).unwrap();
        journal.append_all([*promised, handled].iter()).unwrap();
        say(&dir, "promised", &delivery.id);
        if n % 3 > 0 {
            deliver(&mut ledger, &mut journal, &delivery);
        }
        if n % 7 == 0 {
            journal.compact(ts).unwrap();
        }
    }
}

fn lines(dir: &Path, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_confirmed_is_repeated_over_many_kills() {
    let mut left: u64 = variable("OPENCLAW_TORTURE").and_then(|n| n.parse().ok()).unwrap_or(12);
    while left > 0 {
        // Not so many with one journal that it forgets the oldest.
        let kills = left.min(25);
        kill_and_check(kills, left);
        left -= kills;
    }
}

fn kill_and_check(kills: u64, seed: u64) {
    let dir = TestDir::new();
    for kill in seed..seed + kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "deliveries::crash_tests::worker"])
            .env(DIR, &dir.0)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // From before it has opened the journal to the middle of its work.
        let (chance, before) =
            (kill * 7919 + u64::from(std::process::id()), lines(&dir.0, "acknowledged").len());
        let wanted = before + chance as usize % 8;
        for _ in 0..5000 {
            std::thread::sleep(Duration::from_millis(1));
            if lines(&dir.0, "acknowledged").len() >= wanted {
                break;
            }
        }
        std::thread::sleep(Duration::from_micros(chance * 104_729 % 9000));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (_, found) = Journal::open(&dir.0, clock::now_ms()).unwrap();
    let inbound: BTreeMap<&str, &Inbound> = found.inbound.iter().map(|m| (m.id.as_str(), m)).collect();
    let deliveries: BTreeMap<&str, Stage> =
        found.deliveries.iter().map(|d| (d.id.as_str(), d.stage)).collect();
    let (acknowledged, promised) = (lines(&dir.0, "acknowledged"), lines(&dir.0, "promised"));
    assert!(promised.len() > 10, "{} promises in {kills} rounds", promised.len());
    for id in &acknowledged {
        assert!(inbound.contains_key(id.as_str()), "{id} was acknowledged and is lost");
    }
    for id in &promised {
        let answered = &inbound[id.replace("out", "in").as_str()];
        assert!(deliveries.contains_key(id.as_str()), "{id} was promised and is lost");
        assert!(answered.message.is_none(), "{id} was promised, and would be promised again");
    }
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    lines(&dir.0, "platform").into_iter().for_each(|id| *sent.entry(id).or_default() += 1);
    for (id, times) in &sent {
        assert_eq!(*times, 1, "{id} was sent again");
        assert!(deliveries[id.as_str()] >= Stage::Handed, "{id} was sent, and would be again");
    }
    for id in lines(&dir.0, "confirmed") {
        assert_eq!((sent[&id], deliveries[id.as_str()]), (1, Stage::Confirmed), "{id}");
    }
    for (id, _) in deliveries.iter().filter(|(_, stage)| **stage == Stage::Confirmed) {
        assert_eq!(sent.get(*id), Some(&1), "{id} is confirmed and was not sent");
    }
}
