//! Issue 10, items 5 and "a demo row": the echo channel in a whole gateway, which is this test program started again and
//! killed at will. Its files outlive it. `OPENCLAW_TORTURE` says how often it is killed.
use super::super::{Options, run};
use crate::channels::echo::{lines, say};
use crate::env::Env;
use crate::sessions::TestDir;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DIR: &str = "OPENCLAW_CARRIER_DIR";
const PORT: &str = "OPENCLAW_CARRIER_PORT";

#[expect(clippy::disallowed_methods, reason = "a test that is started by another")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The gateway, until a signal ends it.
#[test]
fn child() {
    let (Some(dir), Some(port)) = (variable(DIR), variable(PORT)) else { return };
    let vars = [("HOME".to_string(), dir.clone()), ("OPENCLAW_STATE_DIR".to_string(), dir)];
    let options = Options {
        port: port.parse().ok(),
        token: Some("token-of-the-test-0123456789".into()),
        allow_unconfigured: true,
        ..Options::default()
    };
    run(Env::from_vars(vars, None).unwrap(), options).unwrap();
}

struct House {
    dir: TestDir,
    port: u16,
    gateway: Option<Child>,
}

impl House {
    fn new() -> House {
        let dir = TestDir::new();
        let config = "{gateway: {mode: 'local'}, messages: {queue: {mode: 'followup'}}, channels: {echo: {accounts: {a: {}}}}}";
        std::fs::write(dir.0.join("openclaw.json"), config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        House { dir, port, gateway: None }
    }

    fn start(&mut self) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "gateway::carrier::tests::child"])
            .env(DIR, &self.dir.0)
            .env(PORT, self.port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.gateway = Some(child.unwrap());
    }

    fn kill(&mut self) {
        let mut child = self.gateway.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Whether it ended well.
    fn terminate(&mut self, meanwhile: impl FnOnce(&House)) -> bool {
        let mut child = self.gateway.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        meanwhile(self);
        child.wait().unwrap().success()
    }

    fn files(&self) -> PathBuf {
        self.dir.0.join("echo/a")
    }

    fn write(&self, message: &str) {
        say(&self.files(), "in", message);
    }

    fn lines(&self, file: &str) -> Vec<String> {
        lines(&self.files(), file)
    }

    fn until(&self, what: &str, is_so: impl Fn(&House) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            let files = ["in", "acknowledged", "out", "confirmed", "uncertain"];
            assert!(Instant::now() < end, "{what}: {:?}", files.map(|file| (file, self.lines(file))));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The message whose answer is this one's too, as the conversation has it.
    fn answered_with(&self, message: &str) -> Option<String> {
        let sessions = std::fs::read_dir(self.dir.0.join("agents/main/sessions")).ok()?.flatten();
        let paths =
            sessions.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        let texts: String = paths.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        let run = format!("\"runId\":\"echo:a:{message}\"");
        let line = texts.lines().find(|line| line.contains(&run) && line.contains("\"answeredBy\":"))?;
        line.split("\"answeredBy\":\"echo:a:").nth(1)?.split('"').next().map(str::to_string)
    }

    /// What the platform was given in answer to a message.
    fn answers(&self, message: &str) -> Vec<String> {
        let start = format!("echo:a:{message}/");
        self.lines("out").into_iter().filter(|line| line.starts_with(&start)).collect()
    }

    /// How often people's words that hold this stand in transcripts.
    fn written(&self, message: &str) -> usize {
        let dir = self.dir.0.join("agents/main/sessions");
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let texts = files.filter(|file| file.file_name().to_string_lossy().ends_with(".jsonl"));
        let is_it = |line: &&str| line.contains("\"role\":\"user\"") && line.contains(message);
        texts.map(|file| std::fs::read_to_string(file.path()).unwrap().lines().filter(is_it).count()).sum()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut child) = self.gateway.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn i10_5_an_echo_channel_answers_once_whatever_comes_again() {
    let mut house = House::new();
    house.write("first");
    house.start();
    house.until("an answer", |house| house.lines("confirmed") == ["echo:a:first/0"]);
    assert!(
        house.answers("first")[0].contains("Your message arrived: \"first\""),
        "{:?}",
        house.lines("out")
    );
    assert!(house.terminate(|_| ()));
    // The platform has forgotten that it was told, and brings it once more.
    std::fs::remove_file(house.files().join("acknowledged")).unwrap();
    house.write("second");
    house.start();
    house.until("the other answer", |house| house.lines("confirmed").len() == 2);
    assert_eq!((house.answers("first").len(), house.answers("second").len()), (1, 1));
    assert_eq!(house.lines("acknowledged"), ["first", "second"]);
}

#[test]
fn i10_5_what_was_acknowledged_and_not_answered_is_taken_up_again() {
    let mut house = House::new();
    for n in 0.. {
        let message = format!("message-{n}");
        house.write(&message);
        house.start();
        house.until("its word", |house| house.lines("acknowledged").contains(&message));
        house.kill();
        if house.answers(&message).is_empty() {
            house.start();
            house.until("an answer", |house| {
                house.lines("confirmed").contains(&format!("echo:a:{message}/0"))
            });
            assert_eq!((house.answers(&message).len(), house.written(&message)), (1, 1));
            return;
        }
        assert!(n < 20, "it was always faster");
    }
}

#[test]
fn i10_5_what_was_handed_over_and_not_confirmed_is_told_as_unknown_and_not_repeated() {
    let mut house = House::new();
    house.write("first");
    say(&house.files(), "stall", "");
    house.start();
    house.until("a message on its way", |house| house.lines("out").len() == 1);
    house.kill();
    std::fs::remove_file(house.files().join("stall")).unwrap();
    house.write("second");
    house.start();
    house.until("the next one", |house| house.lines("confirmed") == ["echo:a:second/0"]);
    assert_eq!(house.lines("uncertain"), ["echo:a:first/0"]);
    assert_eq!(house.lines("out").len(), 2);
}

#[test]
fn i10_5_what_the_platform_says_of_a_delivery_counts() {
    let mut house = House::new();
    ["busy", "never", "lost", "remind"].iter().for_each(|message| house.write(message));
    house.start();
    let is_told = |house: &House, id: &str| house.lines("confirmed").contains(&id.to_string());
    house.until("two", |house| is_told(house, "echo:a:busy/0") && is_told(house, "reminder"));
    assert_eq!((house.lines("busy").len(), house.answers("busy").len()), (1, 1), "it came again, and once");
    house.write("last");
    house.until("all", |house| is_told(house, "echo:a:last/0"));
    assert!(house.terminate(|_| ()));
    house.start();
    house.until("what is not known", |house| house.lines("uncertain") == ["echo:a:lost/0"]);
    assert_eq!(house.lines("out").len(), 3, "nothing is sent again: {:?}", house.lines("out"));
}

#[test]
fn i10_5_a_stop_waits_for_what_is_in_somebodys_hands() {
    let mut house = House::new();
    house.write("first");
    say(&house.files(), "stall", "");
    house.start();
    house.until("a message on its way", |house| house.lines("out").len() == 1);
    let is_well = house.terminate(|house| {
        std::thread::sleep(Duration::from_millis(30));
        std::fs::remove_file(house.files().join("stall")).unwrap();
    });
    assert!(is_well);
    assert_eq!(house.lines("confirmed"), ["echo:a:first/0"]);
}

#[test]
fn i10_5_over_many_kills_everything_is_answered_once_or_told_as_unknown() {
    let mut left: u64 = variable("OPENCLAW_TORTURE").and_then(|n| n.parse().ok()).unwrap_or(8);
    while left > 0 {
        let kills = left.min(25);
        kill_and_check(kills, left);
        left -= kills;
    }
}

fn kill_and_check(kills: u64, seed: u64) {
    let mut house = House::new();
    for kill in seed..seed + kills {
        let chance = kill * 7919 + u64::from(std::process::id());
        (0..=chance % 3).for_each(|n| house.write(&format!("{}{kill}-{n}", "m".repeat(1 + n as usize))));
        house.start();
        // From before it listens to the middle of its work.
        std::thread::sleep(Duration::from_micros(chance * 104_729 % 350_000));
        house.kill();
    }
    house.start();
    let answered = |house: &House, message: &str| {
        // On a busy machine messages wait for a turn together, and have one answer.
        let first = house.answered_with(message).unwrap_or_else(|| message.to_string());
        // The last kill may have come between the platform's word and the note of it.
        !house.answers(&first).is_empty() || house.lines("uncertain").contains(&format!("echo:a:{first}/0"))
    };
    house.until("answers to all", |house| house.lines("in").iter().all(|message| answered(house, message)));
    assert!(house.terminate(|_| ()));
    for message in house.lines("in") {
        assert!(house.answers(&message).len() <= 1, "{message} was answered twice: {:?}", house.lines("out"));
    }
    let (confirmed, sent) = (house.lines("confirmed"), house.lines("out"));
    assert_eq!(confirmed.len(), confirmed.iter().collect::<HashSet<_>>().len(), "{confirmed:?}");
    for id in &confirmed {
        let times = sent.iter().filter(|line| line.split('\t').next() == Some(id)).count();
        assert_eq!(times, 1, "{id} is confirmed and was sent {times} times");
    }
}
