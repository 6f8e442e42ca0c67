//! Two hundred messages a second by Telegram for five seconds: none is lost, none is taken twice, and clients are answered
//! meanwhile. `make bench` has it for a minute.
use super::harness::telegram::{BOT_TOKEN, Telegram};
use super::harness::*;
use super::telegram::with_bot;

const MESSAGES: usize = 1000;
const GROUPS: i64 = 20;
const PEOPLE: i64 = 100;

/// Of a thousand messages nine hundred are talk in groups, which is context for the next one that means the bot.
fn write(telegram: &Telegram, began: Instant) {
    for n in 0..MESSAGES {
        let due = began + Duration::from_millis(n as u64 * 5);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (user, chat) = match n % 10 {
            0 => (2000 + n as i64 / 10, 2000 + n as i64 / 10),
            _ => (2000 + n as i64 % PEOPLE, -(1 + n as i64 % GROUPS)),
        };
        telegram.says(user, chat, &format!("<m{n}>"));
    }
}

#[test]
fn r_08a_r_32_two_hundred_messages_a_second_are_each_taken_once() {
    let telegram = Telegram::start();
    (0..PEOPLE).for_each(|n| drop(telegram.user(2000 + n, "P", &format!("p{n}"))));
    (1..=GROUPS).for_each(|n| telegram.group(-n, "G"));
    telegram.world().bots.get_mut(BOT_TOKEN).unwrap().can_read_all = true;
    let more = json!({"session": {"dmScope": "per-channel-peer"}, "channels": {"telegram": {"dmPolicy": "open",
        "allowFrom": ["*"], "groupPolicy": "open", "groups": {"*": {}}}}});
    let (server, gateway) = with_bot(&telegram, more, vec![Reply::Stream(vec![Step::Echo, Step::Done])]);
    let mut client = Client::operator(&gateway, 4);
    telegram.wait_calls("getUpdates", 1);
    let (began, mut times) = (Instant::now(), Vec::new());
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(&telegram, began));
        while !writing.is_finished() {
            let asked = Instant::now();
            client.ok("health", json!({}));
            times.push(asked.elapsed());
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    for n in 1..=GROUPS {
        telegram.says(2000, -n, "@test_bot what was said?");
    }
    let answers = PEOPLE as usize + GROUPS as usize;
    // A long answer comes in parts.
    let said = || -> String {
        (2000..2000 + PEOPLE).chain(-GROUPS..0).flat_map(|chat| telegram.texts(chat)).collect()
    };
    wait_within(Duration::from_secs(60), "every answer", || {
        (said().matches("<m").count() >= MESSAGES).then_some(())
    });
    // What came twice would come soon.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!((server.count(), telegram.pending(BOT_TOKEN)), (answers, 0));
    let said = said();
    for n in 0..MESSAGES {
        assert_eq!(said.matches(&format!("<m{n}>")).count(), 1, "message {n}");
    }
    times.sort();
    let p99 = times[times.len() * 99 / 100];
    println!("health p99 {p99:?} of {}, {} s", times.len(), began.elapsed().as_secs());
    // 50 ms where nothing else runs; here all tests do.
    assert!(p99 < Duration::from_millis(500), "health p99 {p99:?}");
    let journal = std::fs::metadata(gateway.state_dir().join("gateway/deliveries.jsonl")).unwrap().len();
    assert!(journal < 16 << 20, "the journal has {journal} bytes");
}
