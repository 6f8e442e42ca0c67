//! What commands of agents cannot get away with: leaving for good, memory that nobody counts, what lies in a home that is
//! their workspace (issue 13, what an attacker found).
use super::exec::{exec, is_alive, start, workspace};
use super::harness::*;

/// The number that a command has written into a file of its workspace.
fn left(gateway: &Gateway) -> String {
    let file = workspace(gateway).join("left");
    let text =
        wait_for("a number", || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')));
    std::fs::remove_file(file).unwrap();
    text
}

#[test]
fn i13_a_nothing_that_a_command_started_outlives_it() {
    let gateway = start("{}");
    for command in [
        "env -i setsid sleep 1000 & echo $! > left",
        "env -i setsid sh -c 'setsid sleep 1000 & echo $! > left' &",
        "(ulimit -R 5; exec env -i setsid sleep 1000) & echo $! > left",
        "env -i perl -e 'use POSIX; setsid; $p = fork; if (!$p) { $SIG{TERM} = q(IGNORE); sleep 1000 } open F, q(>left); print F qq($p\\n)' &",
        "env -i perl -e 'syscall(157, 4, 0); sleep 1000' & echo $! > left",
    ] {
        // However long it takes until it is under way.
        exec(&gateway, &format!("{command}\nwhile [ ! -s left ]; do sleep 0.05; done; sleep 0.2"));
        let pid = left(&gateway);
        wait_for(&format!("the end of {command}"), || (!is_alive(&pid)).then_some(()));
    }
    let mark = exec(&gateway, "ulimit -R 7; ulimit -H -R").1;
    assert!(mark.contains("46116860184273") || mark.contains("Operation not permitted"), "{mark}");
    let other = exec(&gateway, "ulimit -n 7; ulimit -n; cat /proc/self/oom_score_adj").1;
    assert_eq!(other, "7\n1000");
}

/// Something that goes on forking while it is ended is ended all the same.
#[test]
fn i13_a_who_forks_on_and_on_is_ended() {
    let gateway = start("{}");
    let dir = workspace(&gateway);
    let fork = "env -i perl -e 'use POSIX; setsid; while (1) { my $p = fork; exit if $p; open F, q(>beat); close F }' & while [ ! -e beat ]; do sleep 0.05; done; sleep 0.3";
    exec(&gateway, fork);
    let beat = || std::fs::metadata(dir.join("beat")).and_then(|meta| meta.modified()).unwrap();
    let last = beat();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(beat(), last, "it goes on");
}

/// Memory that is shared counts for no limit of the kernel's, so none is given but in small pieces.
#[test]
fn i13_b_shared_memory_is_bounded() {
    let gateway = start("{}");
    let map = |length: &str, flags: u32, file: &str| {
        exec(&gateway, &format!("perl -e '{file} my $p = syscall(9, 0, {length}, 3, {flags}, fileno(F) // -1, 0); print $p == -1 ? qq(no $!) : q(yes)'")).1
    };
    for (length, flags, file, want) in [
        ("4096", 0x21, "", "yes"),
        ("65536", 0x21, "", "yes"),
        ("65537", 0x21, "", "no Cannot allocate memory"),
        ("1 << 33", 0x21, "", "no Cannot allocate memory"),
        ("1 << 30", 0x22, "", "yes"),
        ("1 << 33", 0x22, "", "no Cannot allocate memory"),
        ("1 << 30", 0x1, "open F, q(+<), q(/dev/zero);", "no Bad file descriptor"),
        ("1 << 20", 0x1, "open F, q(+>), q(f); truncate F, 1 << 20;", "yes"),
    ] {
        assert_eq!(map(length, flags, file), want, "{length} {flags} {file}");
    }
    let memfd = exec(&gateway, "perl -e '$n = q(x); print syscall(319, $n, 0) < 0 ? $! : q(yes)'").1;
    assert_eq!(memfd, "Function not implemented");
    assert_eq!(exec(&gateway, "head -c 3 /dev/zero | od -An -c | tr -d ' '").1, "\\0\\0\\0");
}

/// A home that is a workspace, too: what begins with a dot there is its owner's and not the command's.
#[test]
fn i13_c_no_dot_entry_of_a_home_is_reached() {
    let gateway = start(r#"{"agents": {"defaults": {"workspace": "~"}}}"#);
    let home = gateway.dir.join("home");
    for name in [".config/gh", ".kube", ".docker", "project"] {
        std::fs::create_dir_all(home.join(name)).unwrap();
    }
    for name in
        [".config/gh/hosts.yml", ".kube/config", ".git-credentials", ".bash_history", ".docker/config.json"]
    {
        std::fs::write(home.join(name), "TOPSECRET").unwrap();
    }
    std::fs::write(home.join("project/a"), "words\n").unwrap();
    for name in
        [".config/gh/hosts.yml", ".kube/config", ".git-credentials", ".bash_history", ".docker/config.json"]
    {
        let said = exec(
            &gateway,
            &format!(
                "cat {name}; cat {}/{name}; cp {name} project/b; cat project/b; echo x > {name}",
                home.display()
            ),
        )
        .1;
        assert!(!said.contains("TOPSECRET"), "{name}: {said}");
        assert_eq!(std::fs::read_to_string(home.join(name)).unwrap(), "TOPSECRET");
    }
    assert_eq!(
        exec(&gateway, "cat project/a; echo more >> project/a; cat project/a").1,
        "words\nwords\nmore"
    );
}
