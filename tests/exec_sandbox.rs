//! The walls around commands of agents (issue 13, part 4): ways out are tried, and nothing outside changes and no secret is
//! read. Each way may fail as it likes, also by a program that is not there.
use super::exec::{exec, start, tool, workspace};
use super::harness::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

const SECRET: &str = "TOPSECRET-7c1f";

/// Ways to read `$S` (a secret in the state directory), `$H` (one in the home), or to change what lies in `$O`; `$G` is the
/// gateway's process, `$V` one of the same user, `$P` the gateway's port.
const WAYS: &[&str] = &[
    // Plain
    "cat $S",
    "cat $H",
    "head -c 99 < $S",
    "ls $D; cat $D/*",
    "cat ~/.openclaw/openclaw.json",
    "cat $D/openclaw.json",
    "grep -r SECRET $D $O",
    "dd if=$S",
    "tar cf - $D",
    "cp $S .; cat secret.txt",
    "mv $S .",
    "tail -c 99 $S",
    "awk 1 $S",
    "sed p $S",
    "strings $S",
    "od -c $S",
    "echo x > $O/new",
    "echo x >> $O/file",
    "rm -f $O/file",
    "rm -rf $O",
    "touch $O/new",
    "mkdir $O/dir",
    "mv $O/file $O/moved",
    "truncate -s 0 $O/file",
    "cp /bin/true $O/file",
    "ln -s /etc $O/link",
    "ln $O/file hard; echo x >> hard",
    "rmdir $O/empty",
    "mkfifo $O/fifo",
    "dd if=/dev/zero of=$O/file count=1",
    // Links
    "ln -s $S link; cat link",
    "ln -s $D dir; cat dir/secret.txt",
    "ln $S hard; cat hard",
    "ln -s $O out; echo x > out/new",
    "ln -sf $O/file f; echo x > f",
    "ln -s / root; cat root$S",
    "cd /proc/self/root; cat .$S",
    "mkdir a; cd a; ln -s ../../ up; cat up/secret.txt",
    // Other names of the same place
    "cat /proc/self/cwd/../secret.txt",
    "cat ../secret.txt",
    "cat /proc/$G/root$S",
    "cat /proc/$G/cwd/secret.txt",
    "cat /proc/1/root$S",
    "cat /proc/self/root$S",
    "cat //$S",
    "cat /./$S",
    "cd $D && cat secret.txt",
    "cd $D; ls",
    "cd ..; cat secret.txt",
    "cat $D/../*/secret.txt",
    "cat /proc/$V/root$H",
    // Processes
    "cat /proc/$G/environ",
    "cat /proc/$V/environ",
    "cat /proc/$G/mem",
    "ls -l /proc/$G/fd; cat /proc/$G/fd/*",
    "cat /proc/$G/maps",
    "kill -9 $V",
    "kill -STOP $G",
    "kill -9 $G",
    "renice 19 $V",
    "prlimit --nofile=1 --pid $V",
    "taskset -p 1 $V; true",
    "gdb -p $V -batch",
    "strace -p $V -e none & sleep 0.2",
    "perl -e 'syscall(101, 16, $V, 0, 0) == 0 and print \"TRACED \", \"TOPSECRET-7c1f\"'",
    "nsenter -t $V -m cat $S",
    "echo 1000 > /proc/$V/oom_score_adj",
    // Privileges
    "su -c 'cat $S'",
    "sudo -n cat $S",
    "unshare -r cat $S",
    "unshare -Urm mount --bind $D . && cat secret.txt",
    "mount --bind $O . && echo x > new",
    "chroot / cat $S",
    "cat /etc/shadow | sed 's/^root/TOPSECRET-7c1f/'",
    "cp /bin/sh s; chmod 4755 s; ./s -p -c 'cat $S'",
    "setpriv --reuid 0 cat $S",
    "mknod d b 254 0 && cat d",
    "mknod m c 1 1 && head -c 9 m",
    "umount $O",
    "hostname evil",
    "echo h > /proc/sysrq-trigger",
    "echo x > /proc/sys/kernel/core_pattern",
    "dmesg",
    "capsh --print | grep 'Current: =ep' && echo TOPSECRET-7c1f",
    // Modes, owners, times, attributes
    "chmod 777 $O/file",
    "chmod 000 $O",
    "chmod 777 $D $S",
    "chown 1234 $O/file",
    "touch -d 2001-01-01 $O/file",
    "setfattr -n user.x -v y $O/file",
    "chattr +i $O/file",
    "perl -e 'chmod 0777, \"$O/file\"; utime 1, 1, \"$O/file\"; chown 7, 7, \"$O/file\"'",
    "perl -e 'open my $f, \"<\", \"/etc/passwd\"; chmod 0777, $f'",
    // Interpreters, shells, children
    "perl -e 'open F, \"$S\"; print <F>'",
    "perl -e 'truncate \"$O/file\", 0; unlink \"$O/file\"; rename \"$O/file\", \"x\"'",
    "sh -c 'cat $S'",
    "bash -c 'cat $S'",
    "env -i cat $S",
    "exec cat $S",
    "(cat $S)",
    "{ cat $S; }",
    "cat $(echo $S)",
    "cat `echo $S`",
    "eval \"cat $S\"",
    "source $S",
    "xargs cat < <(echo $S)",
    "find $D -type f -exec cat {} +",
    "find $O -delete",
    "nohup setsid sh -c 'sleep 0.1; cat $S > got; echo x > $O/new' & sleep 0.4; cat got",
    "node -e 'console.log(require(\"fs\").readFileSync(\"$S\", \"utf8\"))'",
    "python3 -c 'print(open(\"$S\").read())'",
    "printf '#!/bin/sh\\ncat $S\\n' > s.sh; sh s.sh",
    "vim -es '+r $S' '+p' '+q!'",
    "while read -r l; do echo \"$l\"; done < $S",
    "exec 9<$S; cat <&9",
    "echo $D/*",
    "tee $O/file < /dev/null",
    "trap 'cat $S' EXIT",
    "git init -q r && cd r && printf '#!/bin/sh\\ncat $S\\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit && git commit --allow-empty -m x",
    "git --no-pager diff --no-index /dev/null $S",
    "git clone -q $O cloned",
    "diff /dev/null $S",
    "curl -s file://$S",
    // Environment and descriptors
    "env; set; export -p",
    "cat /proc/self/environ",
    "cat /proc/$PPID/environ",
    "ls -l /proc/self/fd/; cat /proc/self/fd/* < /dev/null",
    "for fd in 3 4 5 6 7 8 9 10 11 12; do cat <&$fd; done",
    "cat /dev/fd/3 /dev/fd/4 /dev/fd/5",
    // The network and sockets
    "exec 3<>/dev/tcp/127.0.0.1/$P && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | sed 's/^HTTP/TOPSECRET-7c1f/'",
    "curl -s http://127.0.0.1:$P/health && echo TOPSECRET-7c1f",
    "perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0) and print \"TOPSECRET-7c1f\"'",
    "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) and print \"TOPSECRET-7c1f\"'",
    "perl -MSocket -e 'socket(S, 16, 3, 15) and 0; socket(T, 17, 3, 0) and print \"TOPSECRET-7c1f\"'",
    "perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_DGRAM, 0) and print \"TOPSECRET-7c1f\"'",
    "nc -U /run/docker.sock",
    "systemd-run --user touch $O/new",
    "tmux new -d 'touch $O/new'",
    // Rings and handles that go around filters
    "perl -e 'my $p = \"\\0\" x 256; syscall(425, 4, $p) >= 0 and print \"TOPSECRET-7c1f\"'",
    "perl -e 'syscall(272, 0x10000000) == 0 and print \"TOPSECRET-7c1f\"'",
    "perl -e 'syscall(321, 5, 0, 0) == 0 and print \"TOPSECRET-7c1f\"'",
    "perl -e '$p = \"$S\\0\"; $h = pack(\"I i\", 128, 0) . \"\\0\" x 128; $m = pack \"i\", 0; syscall(303, -100, $p, $h, $m, 0) == 0 and print \"TOPSECRET-7c1f\"'",
];

/// What lies in a directory, as far as a change would show.
fn facts(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let meta = entry.metadata().unwrap();
        let content = std::fs::read_to_string(entry.path()).unwrap_or_default();
        all.push(format!(
            "{:?} {:o} {} {} {content}",
            entry.file_name(),
            meta.mode(),
            meta.uid(),
            meta.mtime()
        ));
    }
    let meta = std::fs::metadata(dir).unwrap();
    all.push(format!(". {:o} {} {}", meta.mode(), meta.uid(), meta.mtime()));
    all.sort();
    all
}

#[test]
fn i13_4_no_way_out_of_the_sandbox_is_found() {
    let gateway = start("{}");
    let outside = gateway::new_dir();
    std::fs::create_dir_all(outside.join("empty")).unwrap();
    std::fs::write(outside.join("file"), format!("{SECRET}\n")).unwrap();
    let (state, home) = (gateway.state_dir(), gateway.dir.join("home"));
    let (secret, other) = (state.join("secret.txt"), home.join(".ssh/id"));
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    for path in [&secret, &other] {
        std::fs::write(path, format!("{SECRET}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut victim =
        Command::new("sleep").arg("300").env("VICTIM", SECRET).stdin(Stdio::null()).spawn().unwrap();
    let before = (facts(&outside), facts(&home.join(".ssh")), passwd());
    assert!(WAYS.len() >= 60);
    for way in WAYS {
        let text = [
            ("$S", secret.display().to_string()),
            ("$H", other.display().to_string()),
            ("$D", state.display().to_string()),
            ("$O", outside.display().to_string()),
            ("$G", gateway.pid().to_string()),
            ("$V", victim.id().to_string()),
            ("$PPID", "$PPID".to_string()),
            ("$P", gateway.port.to_string()),
        ];
        // `$PPID` is the shell's own.
        let command = way.replace("$PPID", "\u{1}");
        let command = text
            .iter()
            .fold(command, |command, (name, value)| command.replace(name, value))
            .replace('\u{1}', "$PPID");
        let said = super::exec::tool(&gateway, "exec", json!({"command": command, "timeout": 5})).1;
        // Messages of programs may name what they were asked for.
        let said = said.replace(&command, "");
        assert!(!said.contains(SECRET) && !said.contains(TOKEN), "{way}: {said}");
        assert_eq!((facts(&outside), facts(&home.join(".ssh")), passwd()), before, "{way}: {said}");
        assert!(victim.try_wait().unwrap().is_none(), "{way}: {said}");
        let _ = std::fs::remove_dir_all(workspace(&gateway));
        std::fs::create_dir_all(workspace(&gateway)).unwrap();
    }
    let priority = exec(&gateway, "true");
    assert_eq!(priority.1, "(no output)", "the gateway lives");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", victim.id())).unwrap();
    let nice = stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().to_string();
    assert_eq!(nice, "0", "{stat}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", victim.id())).unwrap();
    assert!(
        !limits.lines().any(|line| line.starts_with("Max open files") && line.contains(" 1 ")),
        "{limits}"
    );
    victim.kill().unwrap();
    victim.wait().unwrap();
    std::fs::remove_dir_all(outside).unwrap();
}

fn passwd() -> String {
    let meta = std::fs::metadata("/etc/passwd").unwrap();
    format!("{:o} {}", meta.mode(), meta.len())
}

/// What a command is there for works all the same.
#[test]
fn i13_4_within_the_walls_work_goes_on() {
    let gateway = start("{}");
    for (command, want) in [
        ("echo hello > a.txt; mkdir -p d/e; mv a.txt d/e/; cat d/e/a.txt; rm -r d", "hello"),
        ("echo x > $TMPDIR/t; cat $TMPDIR/t; test $HOME = $TMPDIR && echo home", "x\nhome"),
        ("printf 'b\\na\\n' | sort | head -n 1; cat < <(echo sub)", "a\nsub"),
        (
            "mkdir s; tar cf s.tar s && tar xf s.tar && cp -p s.tar t.tar && ls; rm -r s *.tar",
            "s\ns.tar\nt.tar",
        ),
        ("test -r /etc/passwd && test -r /usr/bin/env && test -r /proc/meminfo && echo read", "read"),
        ("for n in 1 2 3; do echo $n & done; wait", ""),
        ("(sleep 5 & kill $!; wait) 2>/dev/null; echo killed", "killed"),
        ("perl -e 'socketpair(A, B, 1, 1, 0) and print \"pair\"'", "pair"),
        ("umask; id -u > /dev/null && echo id", "0077\nid"),
    ] {
        let (is_error, text) = exec(&gateway, command);
        assert!(!is_error && (want.is_empty() || text == want), "{command}: {text}");
    }
    assert_eq!(std::fs::read_dir(gateway.state_dir().join("gateway/exec")).unwrap().count(), 0);
}

/// The walls of a command that has ended serve the next one. Nobody comes into the directory of another by that.
#[test]
fn i13_4_no_command_reaches_what_another_has_for_itself() {
    let gateway = start("{}");
    exec(&gateway, "true");
    let held = "echo s3cret > $TMPDIR/key; echo $TMPDIR > place; while [ ! -e go ]; do sleep 0.05; done";
    tool(&gateway, "exec", json!({"command": held, "background": true}));
    let file = workspace(&gateway).join("place");
    let place =
        wait_for("its directory", || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')));
    let look = format!("cat {place}/key; ls {place}", place = place.trim());
    for _ in 0..3 {
        let (_, text) = exec(&gateway, &look);
        assert!(text.matches("Permission denied").count() == 2 && !text.contains("s3cret"), "{text}");
    }
    std::fs::write(workspace(&gateway).join("go"), "").unwrap();
    wait_for("its end", || (!Path::new(place.trim()).exists()).then_some(()));
    for _ in 0..3 {
        let (_, text) = exec(&gateway, &look);
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!(exec(&gateway, "echo own > $TMPDIR/key; cat $TMPDIR/key").1, "own");
    }
}

/// The owner's choices: the network, further directories, no walls at all.
#[test]
fn i13_4_the_owner_opens_what_he_names() {
    let outside = gateway::new_dir();
    std::fs::create_dir_all(outside.join("read")).unwrap();
    std::fs::create_dir_all(outside.join("write")).unwrap();
    std::fs::write(outside.join("read/file"), "words\n").unwrap();
    let (read, write) = (outside.join("read"), outside.join("write"));
    let config = json!({"tools": {"exec": {"sandbox": {"network": true, "read": [read], "write": [write]}}}});
    let gateway = start(&config.to_string());
    let line = format!(
        "cat {}/file; echo x > {}/file && cat {}/file; echo x > {}/new",
        read.display(),
        write.display(),
        write.display(),
        read.display()
    );
    let (_, text) = exec(&gateway, &line);
    assert!(text.starts_with("words\nx\n") && text.contains("Permission denied"), "{text}");
    let net = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{} && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3",
        gateway.port
    );
    assert!(exec(&gateway, &net).1.starts_with("HTTP/1."), "{}", exec(&gateway, &net).1);

    let gateway = start(r#"{"tools": {"exec": {"sandbox": {"mode": "off"}}}}"#);
    let line = format!("cat {}/file; echo $HOME", read.display());
    assert_eq!(exec(&gateway, &line).1, format!("words\n{}", gateway.dir.join("home").display()));
    std::fs::remove_dir_all(outside).unwrap();
}

/// A command's start costs little over the command itself; measured loosely, for debug builds and busy machines.
#[test]
fn i13_4_a_start_costs_little() {
    let gateway = start("{}");
    exec(&gateway, "true");
    let time = |run: &dyn Fn()| {
        let at = Instant::now();
        (0..10).for_each(|_| run());
        at.elapsed() / 10
    };
    let bare = time(&|| assert!(Command::new("bash").args(["-c", "true"]).status().unwrap().success()));
    let ours = time(&|| assert_eq!(exec(&gateway, "true").1, "(no output)"));
    assert!(ours < bare + Duration::from_millis(300), "{ours:?} {bare:?}");
}
