//! R-30a, R-30c: SIGKILL at random moments while people write by Telegram and its server fails now and then: each message
//! is answered once, and each answer is confirmed, or told as unknown and not repeated.
//!
//! A short round runs with every test; `OPENCLAW_TORTURE` is the number of kills, `OPENCLAW_TORTURE_SEED` repeats a round.
use super::harness::telegram::{Fault, Telegram};
use super::harness::*;
use super::telegram::with_bot;
use std::collections::BTreeMap;

const PEOPLE: [i64; 4] = [1001, 1002, 1003, 1004];
const SHORT: u64 = 30;
const LIMIT: Duration = Duration::from_secs(20);

/// The message that a text answers: the last that it names, for a note about an earlier one may stand before.
fn token(text: &str) -> Option<String> {
    let (_, rest) = text.rsplit_once("<m")?;
    Some(rest.split_once('>')?.0.to_string())
}

struct World {
    telegram: Telegram,
    gateway: Gateway,
    /// By message: the chat.
    sent: BTreeMap<String, i64>,
}

impl World {
    /// How often each message was answered.
    fn answers(&self) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for text in PEOPLE.iter().flat_map(|chat| self.telegram.texts(*chat)) {
            *answers.entry(token(&text).unwrap_or_else(|| panic!("{text:?}"))).or_default() += 1;
        }
        answers
    }

    /// The last that the journal says of each delivery.
    fn deliveries(&self) -> BTreeMap<String, Value> {
        let path = self.gateway.state_dir().join("gateway/deliveries.jsonl");
        let text = std::fs::read(path).unwrap_or_default();
        let lines = String::from_utf8_lossy(&text).into_owned();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| line["kind"] == "delivery");
        lines.map(|line| (line["id"].as_str().unwrap_or_default().to_string(), line)).collect()
    }

    /// Messages whose answer may have arrived.
    fn uncertain(&self) -> Vec<String> {
        let all = self.deliveries();
        let open = all.values().filter(|line| line["stage"] == "uncertain");
        open.filter_map(|line| token(line["message"]["text"].as_str()?)).collect()
    }

    /// Messages that are neither answered nor told as unknown.
    fn waiting(&self) -> Vec<String> {
        let (answers, uncertain) = (self.answers(), self.uncertain());
        let is_open = |message: &&String| !answers.contains_key(*message) && !uncertain.contains(message);
        self.sent.keys().filter(is_open).cloned().collect()
    }

    /// Everybody whose message is settled writes the next one.
    fn write(&mut self) {
        let waiting = self.waiting();
        for chat in PEOPLE {
            if !waiting.iter().any(|message| self.sent[message] == chat) {
                let message = self.sent.len().to_string();
                self.telegram.says(chat, chat, &format!("please say <m{message}>"));
                self.sent.insert(message, chat);
            }
        }
    }

    /// A life that lasts, so that something new is written now and then however slow the machine.
    fn settle(&self) {
        let until = Instant::now() + LIMIT;
        while !self.waiting().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn check(&self) {
        for (message, n) in self.answers() {
            assert!(n == 1, "message {message} was answered {n} times");
        }
    }
}

#[test]
fn r_30a_r_30c_over_many_kills_each_message_is_answered_once_or_told_as_unknown() {
    let kills = setting("OPENCLAW_TORTURE", 0);
    let seed = setting("OPENCLAW_TORTURE_SEED", u64::from(std::process::id()) | 1);
    println!("seed {seed}");
    let mut random = Random(seed);
    let telegram = Telegram::start();
    PEOPLE.iter().for_each(|id| drop(telegram.user(*id, "P", &format!("p{id}"))));
    let more = json!({"session": {"dmScope": "per-channel-peer"}, "messages": {"queue": {"debounceMs": 0}},
        "channels": {"telegram": {"allowFrom": PEOPLE.map(|id| id.to_string())}}});
    let echo = Reply::Stream(vec![Step::Echo, Step::Done]);
    let (_server, gateway) = with_bot(&telegram, more, vec![echo]);
    let mut world = World { telegram, gateway, sent: BTreeMap::new() };
    let began = Instant::now();
    let faults = [Fault::DropAfter, Fault::DropBefore, Fault::Html(502), Fault::Flood(1), Fault::Cut];
    for kill in 0..if kills == 0 { SHORT } else { kills } {
        if kills == 0 && began.elapsed() > LIMIT {
            println!("ended after {kill} kills");
            break;
        }
        world.write();
        if random.below(4) == 0 {
            world.telegram.fault("sendMessage", faults[random.below(faults.len())].clone());
        }
        std::thread::sleep(Duration::from_millis(random.below(400) as u64));
        if kill % 10 == 9 {
            world.settle();
        }
        world.gateway.kill();
        world.check();
        world.gateway.restart();
    }
    world.telegram.world().faults.clear();
    wait_within(Duration::from_secs(60), "all to be answered or told", || {
        world.waiting().is_empty().then_some(())
    });
    wait_for("each delivery to be over", || {
        let all = world.deliveries();
        all.values()
            .all(|line| ["confirmed", "uncertain"].contains(&line["stage"].as_str().unwrap()))
            .then_some(())
    });
    world.check();
    let log = world.gateway.log();
    for (id, line) in world.deliveries().iter().filter(|(_, line)| line["stage"] == "uncertain") {
        assert!(line["message"]["isTold"] == true && log.contains(id.as_str()), "{line}");
    }
    let (answers, uncertain) = (world.answers().len(), world.uncertain().len());
    println!("{} messages, {answers} answered once, {uncertain} told as unknown", world.sent.len());
    assert!(answers > world.sent.len() / 2, "{answers} of {}", world.sent.len());
}
