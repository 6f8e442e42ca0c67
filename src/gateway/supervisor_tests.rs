//! Issue 10, item 4: workers come, go, fail and are started again, on rows of these tests.
use super::*;
use crate::calls::Whom;
use crate::config::testing::Dir;
use crate::gateway::workers::WORKERS;
use crate::gateway::{Judge, Options};
use crate::json::json;
use crate::state::testing;
use crate::tools::testing::context;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

type Lines = Mutex<Vec<String>>;

fn say(lines: &Lines, what: &str, handle: &Handle) {
    lines.lock().unwrap().push(format!("{what} {}", handle.part));
}

/// What was said since the last look, sorted: threads have no order.
fn take(lines: &Lines) -> Vec<String> {
    let mut taken = std::mem::take(&mut *lines.lock().unwrap());
    crate::order::sort(&mut taken);
    taken
}

/// Says when it begins and ends, and does nothing in between.
fn tick(lines: &Lines, handle: &Handle) -> Result<()> {
    say(lines, "begin", handle);
    while handle.sleep_or(Duration::from_millis(5), &[])? {}
    say(lines, "end", handle);
    Ok(())
}

const fn row(name: &'static str, start: fn(Handle) -> Result<()>) -> Row {
    Row {
        name,
        mark: |config, _| config.get("cron").cloned().unwrap_or_default(),
        parts: |_, _| vec![String::new()],
        rests: |_, _, _| {},
        worked: |_, _| false,
        stack: 64 << 10,
        start,
    }
}

struct Test {
    supervisor: Supervisor,
    events: Receiver<Event>,
    dir: Dir,
}

fn start(rows: &'static [Row], config: &str) -> Test {
    let (context, dir) = context(config);
    let mut shared = Arc::into_inner(testing::shared(context.settings.clone())).unwrap();
    let (state, events) = bounded(16);
    shared.state = state;
    let judge = Arc::new(Judge::new(context.settings.env.clone(), Options::default()));
    let started = (context.config.clone(), String::new());
    let house = House { shared: Arc::new(shared), judge, started, changed: bounded(1).0 };
    Test { supervisor: Supervisor::start(rows, house), events, dir }
}

impl Test {
    /// Puts a configuration in force; what is done about it.
    fn set(&mut self, config: &str) -> Vec<String> {
        self.dir.write("openclaw.json", config);
        self.supervisor.house.put_in_force(&Config::inspect(&mut self.dir.env(&[])));
        self.supervisor.compare()
    }

    /// Does what the main thread does, until `is_so`.
    fn until(&mut self, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < end, "in vain");
            self.supervisor.turn();
            if let Ok((number, result)) = self.supervisor.ended.recv_timeout(Duration::from_millis(5)) {
                self.supervisor.has_ended(number, result);
            }
        }
    }

    fn says(&mut self, lines: &Lines, want: &[&str]) {
        self.until(|| lines.lock().unwrap().len() >= want.len());
        assert_eq!(take(lines), want);
    }
}

#[test]
fn i10_4_a_changed_key_restarts_its_worker_only_and_one_that_is_off_is_stopped() {
    static LINES: Lines = Mutex::new(Vec::new());
    static OTHERS: Lines = Mutex::new(Vec::new());
    static ROWS: &[Row] = &[
        Row {
            parts: |config, _| if config.bool("cron.enabled") { vec!["cron".into()] } else { Vec::new() },
            ..row("tick", |handle| tick(&LINES, &handle))
        },
        Row { mark: |_, _| serde_json::Value::Null, ..row("other", |handle| tick(&OTHERS, &handle)) },
    ];
    let mut test = start(ROWS, "{}");
    test.says(&LINES, &["begin cron"]);
    test.says(&OTHERS, &["begin "]);
    assert_eq!(test.set("{cron: {maxConcurrentRuns: 2}}"), ["tick \"cron\" is started anew"]);
    test.says(&LINES, &["begin cron", "end cron"]);
    assert!(test.set("{cron: {maxConcurrentRuns: 2}, ui: {seamColor: '#123456'}}").is_empty());
    assert_eq!(test.set("{cron: {enabled: false}}"), ["tick \"cron\" is ended"]);
    test.says(&LINES, &["end cron"]);
    test.until(|| true);
    assert_eq!(test.set("{}"), ["tick \"cron\" is started"]);
    test.says(&LINES, &["begin cron"]);
    assert_eq!(take(&OTHERS), [""; 0], "its mark is as it was");
    test.supervisor.stop();
    assert_eq!((take(&LINES), take(&OTHERS)), (vec!["end cron".to_string()], vec!["end ".to_string()]));
    assert!(test.events.is_empty(), "nobody failed");
}

#[test]
fn i10_4_of_several_accounts_the_changed_one_is_started_anew() {
    static LINES: Lines = Mutex::new(Vec::new());
    static ROWS: &[Row] = &[Row {
        parts: |config, _| {
            let accounts = config.get("channels.telegram.accounts").and_then(|v| v.as_object());
            accounts.into_iter().flatten().map(|(name, _)| name.clone()).collect()
        },
        mark: |config, part| {
            config.get_in(&["channels", "telegram", "accounts", part]).cloned().unwrap_or_default()
        },
        ..row("chan", |handle| tick(&LINES, &handle))
    }];
    let with = |accounts: &str| format!("{{channels: {{telegram: {{accounts: {accounts}}}}}}}");
    let mut test = start(ROWS, &with("{a: {}, 'b.c': {}}"));
    test.says(&LINES, &["begin a", "begin b.c"]);
    test.set(&with("{a: {}, 'b.c': {name: 'x'}, d: {}}"));
    test.says(&LINES, &["begin b.c", "begin d", "end b.c"]);
    test.set(&with("{d: {}}"));
    test.says(&LINES, &["end a", "end b.c"]);
    test.supervisor.stop();
    assert_eq!(take(&LINES), ["end d"]);
}

#[test]
fn i10_4_a_panic_is_told_and_the_worker_started_again_after_a_pause() {
    static LINES: Lines = Mutex::new(Vec::new());
    static ROWS: &[Row] = &[row("bad", |handle| {
        say(&LINES, "begin", &handle);
        panic!("a defect of the test")
    })];
    let begun = Instant::now();
    let mut test = start(ROWS, "{}");
    test.says(&LINES, &["begin "]);
    test.says(&LINES, &["begin "]);
    assert!(begun.elapsed() >= FIRST.mul_f64(0.8), "{:?}", begun.elapsed());
    let Event::WorkerFailed { name, what } = test.events.try_recv().unwrap() else { panic!("another event") };
    let is_told = what.starts_with("it ended by a defect: a defect of the test; started again in");
    assert!(name == "bad" && is_told, "{name}: {what}");
    // Its thread may still be on its way from the word to the defect.
    if test.supervisor.turn().is_none() {
        let (number, result) = test.supervisor.ended.recv_timeout(Duration::from_secs(20)).unwrap();
        test.supervisor.has_ended(number, result);
    }
    assert!(test.supervisor.turn().is_some(), "it is to be started once more");
}

#[test]
fn i10_4_pauses_grow_to_a_bound_and_differ() {
    let of = |failures, chance| pause(failures, chance).as_millis();
    assert_eq!((of(0, 0), of(0, 255), of(1, 0), of(3, 0)), (800, 1200, 1600, 6400));
    assert_eq!((of(20, 0), of(u32::MAX, 255)), (240_000, 360_000));
}

/// Issue 11: a program that is killed at work time and again is not away for minutes.
#[test]
fn i11_pauses_fall_back_after_a_life_that_was_worth_it() {
    let of = |failures, seconds, has_worked| counted(failures, Duration::from_secs(seconds), has_worked);
    assert_eq!((of(6, 1, false), of(6, 1, true), of(1, 1, true)), (6, 2, 1));
    assert_eq!((of(6, 60, false), of(6, 70, false)), (6, 0), "longer than the minute that is due");
    assert_eq!((of(2, 10, false), of(2, 31, false), of(12, 301, false)), (2, 0, 0));
}

#[test]
fn i10_4_one_that_does_not_end_is_left_behind_and_its_late_word_ignored() {
    static LINES: Lines = Mutex::new(Vec::new());
    static GATE: AtomicBool = AtomicBool::new(false);
    static ROWS: &[Row] = &[row("deaf", |handle| {
        say(&LINES, "begin", &handle);
        while !GATE.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(Error::new(Kind::Unavailable, "late"))
    })];
    let mut test = start(ROWS, "{}");
    test.says(&LINES, &["begin "]);
    test.set("{cron: {maxConcurrentRuns: 2}}");
    let begun = Instant::now();
    test.says(&LINES, &["begin "]);
    assert!(begun.elapsed() >= LET_GO);
    let begun = Instant::now();
    test.supervisor.stop();
    assert!((LET_GO..LET_GO * 3).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    GATE.store(true, Ordering::Relaxed);
    assert!(test.events.is_empty(), "it was told to end, so it did not fail");
}

#[test]
fn i10_4_one_that_has_nothing_to_do_rests_until_its_mark_changes() {
    static LINES: Lines = Mutex::new(Vec::new());
    static ROWS: &[Row] = &[row("brief", |handle| {
        say(&LINES, "begin", &handle);
        Ok(())
    })];
    let mut test = start(ROWS, "{}");
    test.says(&LINES, &["begin "]);
    if let Ok((number, result)) = test.supervisor.ended.recv_timeout(Duration::from_millis(500)) {
        test.supervisor.has_ended(number, result);
    }
    assert_eq!(test.supervisor.turn(), None, "nothing is waited for");
    test.set("{cron: {maxConcurrentRuns: 2}}");
    test.says(&LINES, &["begin "]);
}

#[test]
fn i10_4_a_worker_asks_the_gateway_by_its_methods() {
    static LINES: Lines = Mutex::new(Vec::new());
    static ROWS: &[Row] = &[row("asks", |handle| {
        handle.house.shared.published.set_health(&json!({"ok": true}));
        let whom = Whom { name: "asks", scopes: &["operator.read"], run: None };
        let shared = &handle.house.shared;
        let ask = |method: &str| (shared.ask)(shared, &whom, method, json!({}), &handle.cancel);
        let answer = ask("health")?;
        LINES.lock().unwrap().push(answer.to_string());
        let refused = ask("config.get").map_err(|e| e.kind);
        LINES.lock().unwrap().push(format!("{:?}", refused.map(drop)));
        Ok(())
    })];
    start(ROWS, "{}").says(&LINES, &["Err(Forbidden)", r#"{"ok":true}"#]);
}

#[test]
fn i10_4_without_an_active_row_nothing_runs() {
    static ROWS: &[Row] = &[Row { parts: |_, _| Vec::new(), ..row("off", |_| unreachable!("it is off")) }];
    let mut test = start(ROWS, "{}");
    assert_eq!((test.supervisor.turn(), test.supervisor.next), (None, 0));
    test.supervisor.stop();
}

#[test]
fn i10_4_the_rows_of_the_product_have_names() {
    for row in WORKERS {
        assert!(row.name.len() <= 12 && WORKERS.iter().filter(|r| r.name == row.name).count() == 1);
    }
}
