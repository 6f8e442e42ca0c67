//! What file systems cannot do and what may lie in a file's place: the gateway goes on, and no command hangs.
use crate::agent::{turn, with_config};
use crate::harness::gateway::{command, new_dir};
use crate::harness::model::texts;
use crate::harness::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Stands before the program's own calls of the system: an fsync of a directory fails with `DIRSYNC`, every flock with
/// `NOLOCKS`, watching with `NOINOTIFY` or `NOWATCHES`, a rename over
/// the configuration with `MOUNTED`.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

static int refused(int fd) {
    struct stat found;
    char *code = getenv("DIRSYNC");
    if (code && fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) { errno = atoi(code); return 1; }
    return 0;
}
int fsync(int fd) { return refused(fd) ? -1 : syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return refused(fd) ? -1 : syscall(SYS_fdatasync, fd); }

int rename(const char *from, const char *to) {
    char *code = getenv("MOUNTED"), *name = strrchr(to, '/');
    if (code && name && !strcmp(name, "/openclaw.json")) { errno = atoi(code); return -1; }
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void refuse(char *name, int call) {
    char *code = getenv(name);
    if (!code) return;
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | atoi(code)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof rules / sizeof *rules, rules };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
__attribute__((constructor)) static void refuse_all(void) {
    refuse("NOLOCKS", SYS_flock);
    refuse("NOINOTIFY", SYS_inotify_init1);
    refuse("NOWATCHES", SYS_inotify_add_watch);
}
"#;

/// The shim as a library; `None` without a C compiler.
fn shim() -> Option<PathBuf> {
    let dir = new_dir();
    let (source, library) = (dir.join("shim.c"), dir.join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output();
    let made = made.is_ok_and(|output| output.status.success());
    if !made {
        println!("skipped: no C compiler here");
    }
    made.then_some(library)
}

/// A gateway whose system is like that, has a first turn, takes a config write and a new workspace file.
fn lives_with(quirk: &str, code: rustix::io::Errno) -> Option<Gateway> {
    let shim = shim()?;
    let write = Step::Call {
        id: "c".into(),
        name: "write".into(),
        arguments: json!({"path": "a.md", "content": "x"}).to_string(),
    };
    let server = ModelServer::start(vec![
        Reply::Stream(vec![write, Step::Done]),
        texts(&["hello"]),
        texts(&["again"]),
    ]);
    let setup = Setup::config(server.config())
        .env("LD_PRELOAD", &shim.to_string_lossy())
        .env(quirk, &code.raw_os_error().to_string());
    let gateway = Gateway::start(&setup);
    std::fs::create_dir_all(gateway.state_dir().join("workspace")).unwrap();
    let mut client = Client::operator(&gateway, 4);
    let done = turn(&mut client, "one", "k1").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "hello", "{quirk} {code}");
    let done = turn(&mut client, "two", "k2").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "again", "{quirk} {code}");
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(history.contains("again") && !history.contains("\"isError\":true"), "{history}");
    client.ok("sessions.compact", json!({"key": "main", "maxLines": 2}));
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    client.ok("config.patch", json!({"raw": "{ui: {assistant: {name: 'N'}}}", "baseHash": hash}));
    Some(gateway)
}

#[test]
fn b_f34_directories_that_cannot_be_synced_are_no_failure() {
    use rustix::io::Errno;
    for code in [Errno::INVAL, Errno::NOTSUP, Errno::BADF, Errno::ACCESS] {
        let Some(gateway) = lives_with("DIRSYNC", code) else { return };
        let log = gateway.log();
        assert!(!log.contains("sync"), "{code}: {log}");
    }
}

#[test]
fn b_f34_a_file_system_without_locks_is_used_with_a_warning() {
    use rustix::io::Errno;
    for code in [Errno::NOLCK, Errno::NOSYS, Errno::OPNOTSUPP] {
        let Some(gateway) = lives_with("NOLOCKS", code) else { return };
        let log = wait_for("the warning", || Some(gateway.log()).filter(|log| log.contains("has no locks")));
        assert_eq!(log.matches("has no locks").count(), 1, "{log}");
    }
}

/// Runs a command that must end soon.
fn ends(dir: &Path, args: &[&str]) -> String {
    let mut child = command(dir)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended =
        wait_within(Duration::from_secs(20), &format!("the end of {args:?}"), || child.try_wait().unwrap());
    assert!(ended.code().is_some(), "{args:?}: {ended}");
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

const PLACES: [&str; 9] = [
    "agents/main/sessions/sessions.json",
    "agents/main/sessions/x.jsonl",
    "devices/paired.json",
    "devices/pending.json",
    "identity/device.json",
    "identity/device-auth.json",
    "gateway/deliveries.jsonl",
    "gateway/gateway.lock",
    ".env",
];

#[test]
fn s_l13_a_pipe_in_a_files_place_hangs_no_command() {
    for place in PLACES {
        let dir = new_dir();
        let state = dir.join("home/.openclaw");
        let path = state.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(state.join("openclaw.json"), json!({"gateway": {"mode": "local"}}).to_string())
            .unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        for args in [
            vec!["status"],
            vec!["status", "--all"],
            vec!["doctor"],
            vec!["sessions"],
            vec!["devices", "list", "--local"],
            vec!["health"],
            vec!["models", "status"],
            vec!["gateway", "status"],
        ] {
            let said = ends(&dir, &args);
            assert!(!said.contains("panicked"), "{place} {args:?}: {said}");
        }
        let said = ends(&dir, &["sessions"]);
        assert_eq!(said.contains("not a regular file"), place.ends_with("sessions.json"), "{place}: {said}");
    }
}

#[test]
fn s_l13_a_pipe_in_a_files_place_hangs_no_gateway() {
    let server = ModelServer::start(vec![texts(&["yes"])]);
    for place in ["agents/main/sessions/sessions.json", "devices/paired.json", "devices/pending.json", ".env"]
    {
        let mut gateway = with_config(server.config());
        gateway.stop();
        let path = gateway.state_dir().join(place);
        let _ = std::fs::remove_file(&path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        gateway.restart();
        let mut client = Client::operator(&gateway, 4);
        turn(&mut client, "hello", "k").unwrap();
        gateway.stop();
    }
}

/// Whether a gateway whose system refuses by `quirk` sees its files change: written, renamed over, an included one.
fn sees_changes(quirk: &str, code: rustix::io::Errno) {
    let Some(shim) = shim() else { return };
    let gateway = Gateway::start(
        &Setup::config(json!({"ui": {"assistant": {"name": "Old"}}}))
            .env("LD_PRELOAD", &shim.to_string_lossy())
            .env(quirk, &code.raw_os_error().to_string()),
    );
    let mut client = Client::operator(&gateway, 4);
    let file = gateway.state_dir().join("openclaw.json");
    let mut becomes = |name: &str, replace: bool| {
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        config["ui"]["assistant"]["name"] = name.into();
        let written = if replace { file.with_extension("new") } else { file.clone() };
        std::fs::write(&written, config.to_string()).unwrap();
        std::fs::rename(&written, &file).unwrap();
        wait_for(&format!("{quirk} {code}: {name}"), || {
            (client.ok("agent.identity.get", json!({}))["name"] == name).then_some(())
        });
    };
    becomes("Written", false);
    becomes("Renamed", true);
    becomes("Again", false);
    let log = gateway.log();
    assert_eq!(log.matches("looked at every second").count(), 1, "{log}");
}

#[test]
fn b_f32_where_watching_is_refused_the_files_are_looked_at() {
    use rustix::io::Errno;
    sees_changes("NOINOTIFY", Errno::MFILE);
    sees_changes("NOINOTIFY", Errno::NOSYS);
    sees_changes("NOWATCHES", Errno::NOSPC);
}

#[test]
fn b_f33_a_config_that_cannot_be_replaced_is_written_in_place() {
    use rustix::io::Errno;
    use std::os::unix::fs::MetadataExt;
    let Some(shim) = shim() else { return };
    let mounted = |code: Errno| {
        Setup::config(json!({}))
            .env("LD_PRELOAD", &shim.to_string_lossy())
            .env("MOUNTED", &code.raw_os_error().to_string())
    };
    for code in [Errno::BUSY, Errno::XDEV, Errno::TXTBSY] {
        let gateway = Gateway::start(&mounted(code));
        let file = gateway.config_path();
        let (inode, old) = (std::fs::metadata(&file).unwrap().ino(), std::fs::read_to_string(&file).unwrap());
        let mut client = Client::operator(&gateway, 4);
        for (n, name) in ["A longer name than the next", "B"].into_iter().enumerate() {
            let hash = client.ok("config.get", json!({}))["hash"].clone();
            let raw = json!({"ui": {"assistant": {"name": name}}}).to_string();
            client.ok("config.patch", json!({"raw": raw, "baseHash": hash}));
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.contains(name) && text.trim_end().ends_with('}'), "{code} {n}: {text}");
            wait_for("the new name", || {
                (client.ok("agent.identity.get", json!({}))["name"] == name).then_some(())
            });
        }
        assert_eq!(std::fs::metadata(&file).unwrap().ino(), inode);
        assert_eq!(std::fs::read_to_string(file.with_extension("json.bak.1")).unwrap(), old);
        assert!(!file.with_extension("json.bak.new").exists());
    }
    // What is no mount is refused, and the backups stay.
    let gateway = Gateway::start(&mounted(Errno::IO));
    let file = gateway.config_path();
    std::fs::write(file.with_extension("json.bak"), "{mine: 1}").unwrap();
    let old = std::fs::read_to_string(&file).unwrap();
    let mut client = Client::operator(&gateway, 4);
    let hash = client.ok("config.get", json!({}))["hash"].clone();
    assert!(
        client.call("config.patch", json!({"raw": "{ui: {seamColor: '#fff'}}", "baseHash": hash})).is_err()
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), old);
    assert_eq!(std::fs::read_to_string(file.with_extension("json.bak")).unwrap(), "{mine: 1}");
    assert!(!file.with_extension("json.bak.1").exists() && !file.with_extension("json.bak.new").exists());
}
