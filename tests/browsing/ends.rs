//! What is waited for and does not come, and what ends meanwhile: each is said at once, in words that fit.
use super::*;

/// A page is told of only when it can tell of itself: in a browser that has just begun that takes longer than to lead it.
#[test]
fn i15_4_a_page_is_there_however_new_the_browser_is() {
    if !is_wanted(false) {
        return;
    }
    let mut world = World::new(json!({}));
    for _ in 0..5 {
        world.open("/two");
        world.post("/stop", json!({}));
        std::fs::remove_dir_all(world.gateway.state_dir().join("browser/openclaw/user-data")).unwrap();
    }
}

#[test]
fn i15_4_what_does_not_come_and_what_has_ended_is_said() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(json!({}));
    let home = world.open("/");
    // A tab that led nowhere is not the one that was used last.
    world.refused("POST", "/tabs/open", json!({"url": "http://nosuch.invalid/"}));
    assert_eq!(world.get("/snapshot", json!({}))["targetId"], json!(home));
    let cli = |world: &World, args: &[&str]| {
        let out = world.gateway.cli(&[&["browser"], args].concat());
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    };
    let said = cli(&world, &["wait", "--text", "Nope", "--timeout", "1500"]);
    assert!(said.contains("the text \"Nope\" did not come") && !said.contains("unknown"), "{said}");
    let ask = world.reference("button \"Ask\"");
    let said = cli(&world, &["click", &ask]);
    assert!(said.contains("the page asked (prompt), dismissed: who?"), "{said}");
    // What a page may not fetch is missing there, and the page is read.
    world.open("/near");
    world.act(json!({"kind": "wait", "text": "no picture", "timeoutMs": 15_000}));
    let closes = "() => { setTimeout(() => window.close(), 0); return 1 }";
    world.post("/tabs/action", json!({"action": "new"}));
    let told = world.act(json!({"kind": "evaluate", "fn": closes}));
    assert!(told["closed"] == true || told["result"] == 1, "{told}");
    let pid = world.get("/", json!({}))["pid"].as_u64().unwrap();
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    world.open("/");
    let kills = std::thread::Builder::new();
    let kills = kills.spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    });
    let start = Instant::now();
    let why = world.refused("POST", "/act", json!({"kind": "wait", "timeMs": 40_000, "timeoutMs": 60_000}));
    assert!(why.contains("the browser has ended"), "{why}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    kills.unwrap().join().unwrap();
}

/// A page that hangs is led nowhere, and is not said to have been; one that is always on its way elsewhere is read.
#[test]
fn i15_4_pages_that_hang_or_never_stay_are_told_as_they_are() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(json!({}));
    let cli = |world: &World, args: &[&str]| {
        let out = world.gateway.cli(&[&["browser"], args].concat());
        let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (out.status.code(), said)
    };
    world.open("/hang");
    world.value("() => { setTimeout(() => { for (;;); }, 100) }");
    std::thread::sleep(Duration::from_millis(500));
    let there = world.site.url("/two");
    for _ in 0..2 {
        let (code, said) = cli(&world, &["navigate", &there, "--timeout", "2s"]);
        let want = format!("the page hangs and was not led to {there}: close its tab and open another");
        assert!(code == Some(1) && said.contains(&want), "{said}");
    }
    let tabs = cli(&world, &["tabs"]).1;
    assert!(tabs.contains(&world.site.url("/hang")), "{tabs}");
    // A click that leaves a page which hangs then: where it is stays told, whether the next has come by then or not.
    world.open("/hang");
    let away = world.reference("link \"Away\"");
    let (code, said) = cli(&world, &["click", &away]);
    let hang = world.site.url("/hang");
    let may = [format!("ok: {hang}\n"), format!("ok, still loading: {hang}\n"), format!("ok: {there}\n")];
    assert!(code == Some(0) && may.contains(&said), "{said:?}");
    let tab = world.open("/endless");
    for _ in 0..60 {
        assert_eq!(world.get("/snapshot", json!({}))["targetId"], json!(tab));
    }
}
