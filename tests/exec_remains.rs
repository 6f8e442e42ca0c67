//! What commands of agents leave behind, and the next start finds: directories deeper than any stack, and processes of a
//! gateway that was killed (issue 13, part 4).
use super::agent::turn;
use super::exec::{exec, is_alive, start, tool, workspace};
use super::harness::model::{last_user_text, texts};
use super::harness::*;

const DIG: &str =
    "W=$PWD; cd $TMPDIR; perl -e 'mkdir q(a), 0700 and chdir q(a) or die for 1..3000' && : > $W/dug";

#[test]
fn i13_4_a_directory_of_3000_levels_ends_no_gateway() {
    let mut gateway = start("{}");
    let dug = workspace(&gateway).join("dug");
    // Its end may take longer than the answer waits, for it is removed before.
    exec(&gateway, DIG);
    let left = gateway.state_dir().join("gateway/exec");
    wait_for("it to be removed", || (std::fs::read_dir(&left).unwrap().count() == 0).then_some(()));
    assert!(dug.exists());
    assert_eq!(exec(&gateway, "rm dug; echo still here"), (false, "still here".to_string()));
    // The same, left by a gateway that was killed.
    let command = format!("{DIG}; sleep 300");
    tool(&gateway, "exec", json!({"command": command, "background": true}));
    wait_for("it to have dug", || dug.exists().then_some(()));
    gateway.kill();
    assert_eq!(std::fs::read_dir(&left).unwrap().count(), 1);
    gateway.restart();
    let (_, text) = exec(&gateway, "echo again");
    assert!(text.contains("again"), "{text}");
    assert_eq!(std::fs::read_dir(&left).unwrap().count(), 0);
}

#[test]
fn i13_4_the_next_start_ends_what_a_killed_gateway_left() {
    let mut gateway = start("{}");
    let command = "env -i setsid sleep 300 & echo $! > left; sleep 300";
    tool(&gateway, "exec", json!({"command": command, "background": true}));
    let file = workspace(&gateway).join("left");
    let pid =
        wait_for("its number", || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')));
    // Who would end it is ended first.
    end_keeper(&gateway);
    gateway.kill();
    assert!(is_alive(&pid));
    gateway.restart();
    wait_for("what was left to end", || (!is_alive(&pid)).then_some(()));
}

/// A command that waited when the gateway was killed is forgotten by nobody: who asked is told, and may ask again.
#[test]
fn i13_4_who_asked_is_told_of_a_command_that_waited_when_the_gateway_stopped() {
    let call = |text: &str| {
        let arguments = json!({"command": text}).to_string();
        Reply::Stream(vec![Step::Call { id: "c1".into(), name: "exec".into(), arguments }, Step::Done])
    };
    let server = ModelServer::start(vec![call("echo x > made"), texts(&["asked"]), texts(&["oh"])]);
    let mut gateway = Gateway::start(&Setup::config(server.config()));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k1").unwrap();
    let id = client.ok("exec.approval.list", json!({}))[0]["id"].as_str().unwrap().to_string();
    let left = gateway.state_dir().join("gateway/approvals");
    let file = left.join(format!("{id}.json"));
    wait_for("it to be written down", || file.exists().then_some(()));
    gateway.kill();
    gateway.restart();
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("exec.approval.list", json!({})), json!([]));
    turn(&mut client, "well?", "k2").unwrap();
    let asked = last_user_text(&server.requests(3)[2]["body"]);
    let told = format!(
        "Exec denied (gateway id={id}, the gateway restarted before anybody answered; ask again if it is still wanted): echo x > made"
    );
    assert!(asked.contains(&told), "{asked}");
    assert_eq!(std::fs::read_dir(&left).unwrap().count(), 0);
    assert!(!workspace(&gateway).join("made").exists());
}

/// A session whose owner allowed a command that runs and says so in `begun`, and the id of the approval.
fn allowed(server: &ModelServer) -> (Gateway, String) {
    let mut config = server.config();
    merge(&mut config, &json!({"commands": {"restart": true}}));
    let gateway = Gateway::start(&Setup::config(config));
    let mut client = Client::operator(&gateway, 4);
    turn(&mut client, "do it", "k1").unwrap();
    let id = client.ok("exec.approval.list", json!({}))[0]["id"].as_str().unwrap().to_string();
    client.ok("exec.approval.resolve", json!({"id": id, "decision": "allow-once"}));
    let begun = workspace(&gateway).join("begun");
    wait_for("it to run", || begun.exists().then_some(()));
    (gateway, id)
}

fn begins_and(rest: &str) -> Reply {
    let arguments = json!({"command": format!("echo x > begun; {rest}")}).to_string();
    Reply::Stream(vec![Step::Call { id: "c1".into(), name: "exec".into(), arguments }, Step::Done])
}

/// An allowed command that runs when the gateway ends is cut, and its session hears so after the start, once: by a turn of
/// its own, for no chat waits for it.
#[test]
fn i13_4_a_session_hears_of_an_allowed_command_that_the_end_of_the_gateway_cut() {
    for is_killed in [true, false] {
        let server =
            ModelServer::start(vec![begins_and("sleep 300"), texts(&["asked"]), texts(&["it was cut"])]);
        let (mut gateway, id) = allowed(&server);
        match is_killed {
            true => gateway.kill(),
            false => assert_eq!(gateway.stop().0, 0),
        }
        gateway.restart();
        let told = last_user_text(&server.requests(3)[2]["body"]);
        let want = format!(
            "Exec cut off (gateway id={id}, the gateway stopped while it ran; what it has done is not known): echo x > begun; sleep 300"
        );
        assert!(told.contains(&want), "{told}");
        let left = gateway.state_dir().join("gateway/approvals");
        assert_eq!(std::fs::read_dir(&left).unwrap().count(), 0);
        gateway.stop();
        gateway.restart();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(server.count(), 3, "it is told once");
    }
}

/// A restart in the process lets it run, and its end is told to the generation that serves by then.
#[test]
fn i13_4_the_end_of_an_allowed_command_is_told_over_a_restart_in_the_process() {
    let server = ModelServer::start(vec![
        begins_and("until [ -e go ]; do sleep 0.05; done; echo through"),
        texts(&["asked"]),
        texts(&["done"]),
    ]);
    let (mut gateway, id) = allowed(&server);
    let left = gateway.state_dir().join(format!("gateway/approvals/{id}.json"));
    gateway.signal(rustix::process::Signal::USR1);
    wait_for("the restart", || gateway.log().contains("restarting (").then_some(()));
    Client::operator(&gateway, 4);
    assert!(left.exists());
    std::fs::write(workspace(&gateway).join("go"), "").unwrap();
    let told = last_user_text(&server.requests(3)[2]["body"]);
    assert!(
        told.contains(&format!("Exec finished (gateway id={id}, ")) && told.contains("through"),
        "{told}"
    );
    wait_for("it to be over", || (!left.exists()).then_some(()));
    gateway.stop();
}

/// What deleted agents left goes at a start, however deep it is, and so do copies of a damaged list, but for the newest.
#[test]
fn r_28a_a_start_bounds_what_is_left_however_deep() {
    let mut gateway = start("{}");
    gateway.stop();
    let old = gateway.state_dir().join("trash/old");
    std::fs::create_dir_all(&old).unwrap();
    let dig = "mkdir q(a), 0700 and chdir q(a) or die for 1..3000; open F, q(>f)";
    assert!(
        std::process::Command::new("perl").args(["-e", dig]).current_dir(&old).status().unwrap().success()
    );
    let age = |path: &std::path::Path, days: u32| {
        let epoch = std::time::UNIX_EPOCH;
        let then = epoch + epoch.elapsed().unwrap() - Duration::from_secs(86_400) * days;
        std::fs::File::open(path).unwrap().set_modified(then).unwrap();
    };
    age(&old, 40);
    let subagents = gateway.state_dir().join("subagents");
    let copy = |n: u32| subagents.join(format!("runs.json.corrupt.{n}"));
    std::fs::create_dir_all(&subagents).unwrap();
    for n in 0..8 {
        std::fs::write(copy(n), "{").unwrap();
        age(&copy(n), n);
    }
    gateway.restart();
    wait_for("the old ones to go", || (!old.exists() && !copy(5).exists()).then_some(()));
    assert!((0..8).all(|n| copy(n).exists() == (n < 5)));
}

/// The process that ends commands when the gateway is killed.
fn keeper(gateway: &Gateway) -> Option<String> {
    let own = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1).map(str::to_string));
        stat.contains("(gw-keeper)") && parent == Some(gateway.pid().to_string())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.map(|entry| entry.file_name().to_string_lossy().into_owned()).find(own)
}

fn end_keeper(gateway: &Gateway) {
    let pid = wait_for("the keeper", || keeper(gateway));
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    wait_for("its end", || (!is_alive(&pid)).then_some(()));
}

/// R-01d: what a command has started does not outlive a gateway that is killed, without another one to come.
#[test]
fn r_01d_what_commands_started_ends_with_a_killed_gateway() {
    let mut gateway = start("{}");
    for is_after_its_end in [false, true] {
        if is_after_its_end {
            exec(&gateway, "true");
            end_keeper(&gateway);
        }
        let command = "echo $$ > left; (sleep 601 & echo $! >> left; env -i setsid sleep 603 & echo $! >> left; wait) | cat; sleep 602";
        tool(&gateway, "exec", json!({"command": command, "background": true}));
        let file = workspace(&gateway).join("left");
        let pids: Vec<String> = wait_for("their numbers", || {
            let text = std::fs::read_to_string(&file).ok()?;
            Some(text.lines().map(str::to_string).collect()).filter(|all: &Vec<String>| all.len() == 3)
        });
        let keeper = wait_for("the keeper", || keeper(&gateway));
        gateway.kill();
        let killed = std::time::Instant::now();
        wait_for("their end", || pids.iter().all(|pid| !is_alive(pid)).then_some(()));
        assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
        wait_for("the keeper's end", || (!is_alive(&keeper)).then_some(()));
        std::fs::remove_file(&file).unwrap();
        gateway.restart();
    }
    // With a gateway that ends by itself it ends too, and one without commands has none.
    assert_eq!(keeper(&gateway), None);
    exec(&gateway, "true");
    let last = wait_for("the keeper", || keeper(&gateway));
    gateway.stop();
    wait_for("its end", || (!is_alive(&last)).then_some(()));
}

/// Memory, queues and semaphores that outlive their process are not made within the walls.
#[test]
fn i13_4_nothing_stays_in_the_kernel() {
    let gateway = start("{}");
    let make = "perl -e 'print join q( ), map { defined $_ ? 1 : 0 } shmget(0, 9, 0x380), msgget(0, 0x380), semget(0, 1, 0x380)'";
    assert_eq!(exec(&gateway, make), (false, "0 0 0".to_string()));
}

/// Names and moments of files elsewhere are not watched; what follows a file does so without.
#[test]
fn i13_4_nothing_outside_is_watched() {
    let gateway = start("{}");
    let watch = "perl -e 'print syscall(294, 0) < 0 ? qq($!) : q(watches)'";
    assert_eq!(exec(&gateway, watch).1, "Function not implemented");
    if cfg!(target_arch = "x86_64") {
        assert_eq!(
            exec(&gateway, "perl -e 'print syscall(253) < 0 ? 0 : 1, syscall(300, 0x200, 0) < 0 ? 0 : 1'").1,
            "00"
        );
    }
    let follow = "echo one > log; (sleep 0.3; echo two >> log) & timeout 3 tail -s 0.1 -f log | head -n 2";
    assert_eq!(
        exec(&gateway, follow).1.lines().filter(|line| !line.starts_with("tail: ")).collect::<Vec<_>>(),
        ["one", "two"]
    );
}
