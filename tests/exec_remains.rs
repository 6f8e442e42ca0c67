//! What commands of agents leave behind, and the next start finds: directories deeper than any stack, and processes of a
//! gateway that was killed (issue 13, part 4).
use super::exec::{exec, is_alive, start, tool, workspace};
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
    gateway.kill();
    assert!(is_alive(&pid));
    gateway.restart();
    wait_for("what was left to end", || (!is_alive(&pid)).then_some(()));
}

/// Memory, queues and semaphores that outlive their process are not made within the walls.
#[test]
fn i13_4_nothing_stays_in_the_kernel() {
    let gateway = start("{}");
    let make = "perl -e 'print join q( ), map { defined $_ ? 1 : 0 } shmget(0, 9, 0x380), msgget(0, 0x380), semget(0, 1, 0x380)'";
    assert_eq!(exec(&gateway, make), (false, "0 0 0".to_string()));
}
