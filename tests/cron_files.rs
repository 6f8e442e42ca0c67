//! The file of scheduled jobs when others write it, when the disk is full, and announcements when the gateway is killed
//! (issue 13, part 1 and "Bad input").
use super::disk::Small;
use super::harness::model::texts;
use super::harness::*;
use super::telegram::{ann, with_bot};
use std::os::unix::fs::MetadataExt;

fn turn(name: &str, schedule: Value) -> Value {
    json!({"name": name, "schedule": schedule, "sessionTarget": "isolated", "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "m"}, "delivery": {"mode": "none"}})
}

fn hourly(name: &str) -> Value {
    turn(name, json!({"kind": "every", "everyMs": 3_600_000}))
}

fn soon(ms: u64) -> Value {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    json!({"kind": "at", "at": (now + ms).to_string()})
}

fn names(jobs: &Value) -> Vec<String> {
    let mut all: Vec<String> = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["name"].as_str().unwrap().to_string())
        .collect();
    all.sort();
    all
}

#[test]
fn i13_1_what_is_written_by_hand_while_the_gateway_runs_is_not_written_over() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    let path = gateway.state_dir().join("cron/jobs.json");
    let read = || serde_json::from_str::<Value>(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let add = |client: &mut Client, name: &str| client.ok("cron.add", hourly(name))["id"].clone();
    let first = add(&mut client, "a");
    add(&mut client, "gone");
    let mut file = read();
    file["jobs"][0]["name"] = json!("a by hand");
    file["jobs"][0]["schedule"]["everyMs"] = json!(7_200_000);
    file["jobs"][1] = json!({"id": "by-hand", "name": "b", "schedule": {"kind": "every", "everyMs": 60_000},
        "payload": {"kind": "agentTurn", "message": "m"}, "delivery": {"mode": "none"}});
    std::fs::write(&path, file.to_string()).unwrap();
    add(&mut client, "c");
    let want = ["a by hand", "b", "c"];
    let list = client.ok("cron.list", json!({}));
    assert_eq!(
        (names(&list), names(&read())),
        (want.map(String::from).into(), want.map(String::from).into())
    );
    let job = list["jobs"].as_array().unwrap().iter().find(|job| job["id"] == first).unwrap().clone();
    let (due, begun) = (job["state"]["nextRunAtMs"].as_u64().unwrap(), job["createdAtMs"].as_u64().unwrap());
    assert_eq!(due, begun + 7_200_000, "{job}");
    // Without a change of others nothing is read again, and a file that is spoiled is not written over.
    client.ok("cron.remove", json!({"id": "by-hand"}));
    assert_eq!(names(&read()), ["a by hand", "c"]);
    std::fs::write(&path, "{\"jobs\": [").unwrap();
    let error = client.fails("cron.add", hourly("d"));
    assert!(error["message"].as_str().unwrap().contains("cannot be used"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"jobs\": [");
    assert_eq!(names(&client.ok("cron.list", json!({}))), ["a by hand", "c"]);
}

/// Somebody writes while the gateway is still at the copy that it leaves beside: what he wrote is not taken for its own.
#[test]
fn i13_1_what_is_written_just_after_the_gateway_wrote_is_not_written_over() {
    let job = |n: usize| {
        let mut job = hourly(&format!("job {n}"));
        merge(&mut job, &json!({"id": format!("id-{n}"), "state": {"nextRunAtMs": 1_999_999_999_999u64}}));
        job
    };
    let file = json!({"version": 1, "jobs": (0..3000).map(job).collect::<Vec<_>>()});
    let gateway = Gateway::start(&Setup::config(json!({})).file("cron/jobs.json", file.to_string()));
    let mut client = Client::operator(&gateway, 4);
    let path = gateway.state_dir().join("cron/jobs.json");
    let mut added = hourly("by hand");
    merge(&mut added, &json!({"id": "by-hand"}));
    let number = || std::fs::metadata(&path).unwrap().ino();
    client.ok("cron.add", hourly("first"));
    let before = number();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let until = Instant::now() + DEADLINE;
            while number() == before && Instant::now() < until {
                std::hint::spin_loop();
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.replacen("\"jobs\": [", &format!("\"jobs\": [{added},"), 1);
            std::fs::write(path.with_extension("new"), text).unwrap();
            std::fs::rename(path.with_extension("new"), &path).unwrap();
        });
        client.ok("cron.add", hourly("second"));
        other.join().unwrap();
    });
    client.ok("cron.add", hourly("third"));
    let text = std::fs::read_to_string(&path).unwrap();
    for name in ["first", "second", "third", "by hand"] {
        assert!(text.contains(&format!("\"{name}\"")), "{name} is gone");
    }
}

#[test]
fn i13_1_a_full_disk_refuses_jobs_and_runs_none_that_is_not_noted() {
    let Some(small) = Small::mount() else { return };
    let model = ModelServer::start(vec![texts(&["done"])]);
    let gateway = small.gateway_with(&model, json!({}));
    let mut client = Client::operator(&gateway, 4);
    client.ok("cron.add", hourly("kept"));
    // Late enough that the disk is full by then, however busy the machine is.
    let due = Instant::now() + Duration::from_millis(5000);
    client.ok("cron.add", turn("due", soon(5000)));
    let path = small.path().join("state/cron/jobs.json");
    let before = std::fs::read_to_string(&path).unwrap();
    small.fill();
    let error = client.fails("cron.add", hourly("refused"));
    assert_eq!(error["code"], "UNAVAILABLE", "{error}");
    assert_eq!(names(&client.ok("cron.list", json!({}))), ["due", "kept"]);
    std::thread::sleep(due.saturating_duration_since(Instant::now()) + Duration::from_millis(500));
    assert_eq!(model.count(), 0, "what is not noted is not begun");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    std::fs::remove_file(small.path().join("filler")).unwrap();
    client.ok("cron.add", hourly("later"));
    assert_eq!(names(&client.ok("cron.list", json!({}))), ["due", "kept", "later"]);
}

/// What the disk did not take of a run's log is written when it can be: the run is in it once.
#[test]
fn i13_1_a_line_that_the_disk_did_not_take_is_written_later() {
    let model = ModelServer::start(vec![texts(&["done"]), texts(&["done"])]);
    let gateway = Gateway::start(&Setup::config(model.config()));
    let mut client = Client::operator(&gateway, 4);
    let (cron, runs) = (gateway.state_dir().join("cron"), gateway.state_dir().join("cron/runs"));
    std::fs::create_dir_all(&cron).unwrap();
    std::fs::write(&runs, "in the way").unwrap();
    let ids = ["one", "two"].map(|name| {
        let id = client.ok("cron.add", turn(name, soon(300)))["id"].as_str().unwrap().to_string();
        client.event_where("cron", |p| p["action"] == "finished" && p["jobId"] == id.as_str());
        id
    });
    std::fs::remove_file(&runs).unwrap();
    for id in ids {
        let file = runs.join(format!("{id}.jsonl"));
        let text = wait_for("the line", || std::fs::read_to_string(&file).ok().filter(|t| !t.is_empty()));
        assert_eq!(text.lines().filter(|line| line.contains("finished")).count(), 1, "{text}");
    }
    let log = gateway.log();
    assert!(log.contains("the log of a scheduled job's runs is not on disk"), "{log}");
}

/// Killed while a run's words go out: they arrive at most once, and nothing is done a second time.
#[test]
fn i13_1_a_killed_gateway_announces_at_most_once() {
    let telegram = ann();
    let replies = (0..6).map(|n| texts(&[&format!("news-{n}")])).collect();
    let (model, mut gateway) = with_bot(&telegram, json!({}), replies);
    for n in 0..6 {
        let mut client = Client::operator(&gateway, 4);
        let mut job = turn(&format!("look-{n}"), soon(500));
        job["delivery"] = json!({"mode": "announce", "channel": "telegram", "to": "1001"});
        client.ok("cron.add", job);
        model.requests(n + 1);
        std::thread::sleep(Duration::from_millis(n as u64 * 6));
        gateway.kill();
        gateway.restart();
        Client::operator(&gateway, 4).collect(Duration::from_millis(700));
        let words = format!("news-{n}");
        let heard = || telegram.texts(1001).iter().filter(|text| text.contains(&words)).count();
        // If the words did not come, somebody is told so.
        let is_told = || telegram.texts(1001).iter().any(|text| text.contains(&format!("look-{n}")));
        wait_for("the words, or word of what became of them", || {
            (heard() > 0 || is_told() || gateway.log().contains("1001")).then_some(())
        });
        assert!(heard() <= 1, "{words} came {} times", heard());
        assert_eq!(model.count(), n + 1, "nothing is done again");
    }
}
