//! `openclaw backup`: made beside a running gateway, checked, unpacked, and refused when it is not sound.
use crate::cli::{fails, json_of, out};
use crate::harness::*;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file below `dir` with its content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                assert_eq!(mode(&path), 0o700, "{}", path.display());
                waiting.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn r_27a_a_backup_of_a_running_gateway_comes_back_byte_for_byte() {
    let setup = Setup::default()
        .file("credentials/whatsapp/default/creds.json", "{\"noiseKey\":1}")
        .file("workspace/MEMORY.md", "remember")
        .file("workspace/deep/run.sh", "#!/bin/sh\n")
        .file("trash/old/x", "gone");
    let gateway = Gateway::start(&setup);
    let state = gateway.state_dir();
    std::fs::set_permissions(state.join("workspace/deep/run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", state.join("workspace/link")).unwrap();
    let agent = out(&gateway, &["agent", "--message", "hello", "--to", "+15550001"]);
    assert!(!agent.is_empty());
    wait_for("the index to be saved", || {
        let index = std::fs::read_to_string(state.join("agents/main/sessions/sessions.json")).ok()?;
        index.contains("totalTokens").then_some(())
    });
    let place = gateway.dir.join("out");
    std::fs::create_dir_all(&place).unwrap();
    let made =
        json_of(&gateway, &["backup", "create", "--output", place.to_str().unwrap(), "--verify", "--json"]);
    assert_eq!((&made["ok"], &made["verified"]), (&json!(true), &json!(true)));
    assert!(made["warnings"][0].as_str().unwrap().contains("WhatsApp"), "R-27b: {made}");
    let archive = PathBuf::from(made["archivePath"].as_str().unwrap());
    assert_eq!(mode(&archive), 0o600);
    assert!(made["skipped"].as_array().unwrap().iter().any(|s| s["reason"] == "a symbolic link"), "{made}");
    let archive = archive.to_str().unwrap();
    let checked = json_of(&gateway, &["backup", "verify", archive, "--json"]);
    assert_eq!(checked["files"], made["files"]);

    let target = gateway.dir.join("restored");
    let told =
        json_of(&gateway, &["backup", "restore", archive, "--target", target.to_str().unwrap(), "--json"]);
    assert!(told["warnings"][0].as_str().unwrap().contains("link the account again"), "R-27b: {told}");
    let restored = tree(&target.join("state"));
    let original = tree_of_kept(&state);
    assert_eq!(restored.keys().collect::<Vec<_>>(), original.keys().collect::<Vec<_>>());
    for (path, bytes) in &original {
        assert!(&restored[path] == bytes, "{} differs", path.display());
        let executable = path.ends_with("run.sh");
        let want = if executable { 0o700 } else { 0o600 };
        assert_eq!(mode(&target.join("state").join(path)), want, "{}", path.display());
    }
    assert!(
        !restored.contains_key(Path::new("trash/old/x"))
            && !restored.contains_key(Path::new("workspace/link"))
    );
    // The restored state is one a gateway works with.
    let state = target.join("state").display().to_string();
    let sessions = gateway.cli_env(&["sessions", "--json"], &[("OPENCLAW_STATE_DIR", &state)]);
    assert!(String::from_utf8_lossy(&sessions.stdout).contains("agent:main:"), "{sessions:?}");
}

/// What a backup keeps of the state directory.
fn tree_of_kept(state: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![state.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() && !["trash", "logs"].contains(&name.as_str()) {
                waiting.push(path);
            } else if meta.is_file() && !name.ends_with(".lock") && !name.ends_with(".tmp") {
                found.insert(path.strip_prefix(state).unwrap().to_path_buf(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn r_27a_what_is_not_sound_or_not_free_is_refused_and_nothing_is_written() {
    let gateway = Gateway::plain();
    let archive = gateway.dir.join("b.tar");
    let archive = archive.to_str().unwrap();
    out(&gateway, &["backup", "create", "--output", archive]);
    let refused = |args: &[&str], words: &str| {
        let (code, stderr) = fails(&gateway, args);
        assert!(code == 1 && stderr.contains(words), "{args:?}: {stderr}");
    };
    refused(&["backup", "create", "--output", archive], "exists");
    let inside = gateway.state_dir().join("b.tar");
    refused(&["backup", "create", "--output", inside.to_str().unwrap()], "would hold itself");
    refused(&["backup", "restore", archive], "--target <dir> unpacks it there, --replace");
    refused(&["backup", "restore", archive], "--in-place");
    let live = gateway.state_dir();
    refused(&["backup", "restore", archive, "--target", live.to_str().unwrap()], "not an empty directory");
    let within = live.join("new");
    refused(&["backup", "restore", archive, "--target", within.to_str().unwrap()], "state directory in use");
    let target = gateway.dir.join("target");
    let target = target.to_str().unwrap();
    let whole = std::fs::read(archive).unwrap();
    let damaged = gateway.dir.join("damaged.tar");
    let check = |bytes: &[u8], words: &str| {
        std::fs::write(&damaged, bytes).unwrap();
        refused(&["backup", "verify", damaged.to_str().unwrap()], words);
        refused(&["backup", "restore", damaged.to_str().unwrap(), "--target", target], words);
        assert!(!Path::new(target).exists(), "{words}");
        let left = std::fs::read_dir(&gateway.dir).unwrap().flatten();
        assert!(!left.into_iter().any(|e| e.file_name().to_string_lossy().contains("restoring")), "{words}");
    };
    check(&whole[..whole.len() / 2], "ends too early");
    check(b"not a tar at all", "ends too early");
    let at = whole.windows(TOKEN.len()).rposition(|w| w == TOKEN.as_bytes()).unwrap();
    let mut changed = whole.clone();
    changed[at] ^= 1;
    check(&changed, "not the one of the manifest");
    for (name, words) in [("../../evil", "leads out"), ("/etc/evil", "leads out"), ("state/./x", "leads out")]
    {
        check(&tampered(&whole, name, b'0'), words);
    }
    check(&tampered(&whole, "state/x", b'2'), "link");
    check(&tampered(&whole, "state/x", b'1'), "link");
    check(&tampered(&whole, "state/more", b'0'), "not the one of the manifest");
}

/// The archive with one more entry, of this name and kind, before its end.
fn tampered(whole: &[u8], name: &str, kind: u8) -> Vec<u8> {
    let mut block = vec![0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000600\0");
    block[124..136].copy_from_slice(b"00000000000\0");
    block[136..148].copy_from_slice(b"00000000000\0");
    block[148..156].copy_from_slice(b"        ");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let end = whole.len() - 1024;
    [&whole[..end], &block, &whole[end..]].concat()
}

#[test]
fn parts_can_be_left_out_and_nothing_is_written_for_a_look() {
    let setup = Setup::default().file("workspace/NOTES.md", "mine");
    let gateway = Gateway::start(&setup);
    let names = |args: &[&str]| {
        let archive = gateway.dir.join(format!("{}.tar", args.len() * 7 + args[0].len()));
        let path = archive.to_str().unwrap();
        out(&gateway, &[&["backup", "create", "--output", path], args].concat());
        let target = archive.with_extension("d");
        out(&gateway, &["backup", "restore", path, "--target", target.to_str().unwrap()]);
        tree(&target).into_keys().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--only-config"]), ["config/openclaw.json"]);
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    std::fs::write(gateway.state_dir().join("more.json5"), "{messages: {}}").unwrap();
    std::fs::write(gateway.config_path(), text.replacen('{', "{\"$include\": \"./more.json5\",", 1)).unwrap();
    assert_eq!(names(&["--only-config", "--verify"]), ["config/more.json5", "config/openclaw.json"]);
    let without = names(&["--no-include-workspace"]);
    assert!(
        !without.contains(&"state/workspace/NOTES.md".into())
            && without.contains(&"state/openclaw.json".into())
    );
    assert!(names(&["--verify"]).contains(&"state/workspace/NOTES.md".into()));
    let before = std::fs::read_dir(&gateway.dir).unwrap().count();
    let look = gateway.dir.join("look.tar");
    let told =
        json_of(&gateway, &["backup", "create", "--dry-run", "--json", "--output", look.to_str().unwrap()]);
    assert!(told["files"].as_u64().unwrap() > 1 && told["assets"][0]["name"] == "state", "{told}");
    assert_eq!(std::fs::read_dir(&gateway.dir).unwrap().count(), before);
    // A config that cannot be read hinders a backup only where the workspaces come from it.
    std::fs::write(gateway.config_path(), "{gateway: {").unwrap();
    let (_, stderr) = fails(&gateway, &["backup", "create", "--output", look.to_str().unwrap()]);
    assert!(stderr.contains("--no-include-workspace"), "{stderr}");
    out(&gateway, &["backup", "create", "--no-include-workspace", "--output", look.to_str().unwrap()]);
}

/// What the configuration says lies elsewhere belongs to it as well.
#[test]
fn what_lies_outside_of_the_state_directory_is_kept_too() {
    let dir = gateway::new_dir();
    let elsewhere = dir.join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("store/main")).unwrap();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(elsewhere.join("parts.json5"), "{messages: {}}").unwrap();
    for (name, text) in
        [("sessions.json", "{}"), ("a.jsonl", "{\"type\":\"session\"}\n"), ("other.txt", "not ours")]
    {
        std::fs::write(elsewhere.join("store/main").join(name), text).unwrap();
    }
    let config = json!({
        "$include": elsewhere.join("parts.json5"), "gateway": {"mode": "local", "auth": {"token": TOKEN}},
        "session": {"store": elsewhere.join("store/{agentId}/sessions.json")},
    });
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    let run = |args: &[&str]| {
        let output = gateway::command(&dir).args(["backup"]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {:?}", crate::cli::text(&output));
    };
    let (archive, target) = (dir.join("b.tar"), dir.join("t"));
    run(&["create", "--verify", "--output", archive.to_str().unwrap()]);
    run(&["restore", archive.to_str().unwrap(), "--target", target.to_str().unwrap()]);
    let kept: Vec<String> = tree(&target).into_keys().map(|path| path.display().to_string()).collect();
    for name in [
        "state/openclaw.json",
        "included/0/parts.json5",
        "sessions/main/sessions.json",
        "sessions/main/a.jsonl",
    ] {
        assert!(kept.contains(&name.to_string()), "{name} in {kept:?}");
    }
    assert!(!kept.iter().any(|name| name.ends_with("other.txt")), "{kept:?}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn r_27a_lines_that_are_just_being_written_are_taken_whole() {
    let setup = Setup::default()
        .file("agents/main/sessions/a.jsonl", "{\"type\":\"session\"}\n{\"type\":\"message\",\"te")
        .file("agents/main/sessions/b.jsonl", "{\"type\":\"session\"}\n{\"type\":\"message\"}")
        .file("workspace/mine.jsonl", "half a li");
    let gateway = Gateway::start(&setup);
    let (archive, target) = (gateway.dir.join("b.tar"), gateway.dir.join("t"));
    out(&gateway, &["backup", "create", "--output", archive.to_str().unwrap()]);
    out(&gateway, &["backup", "restore", archive.to_str().unwrap(), "--target", target.to_str().unwrap()]);
    let read = |path: &str| std::fs::read_to_string(target.join("state").join(path)).unwrap();
    assert_eq!(read("agents/main/sessions/a.jsonl"), "{\"type\":\"session\"}\n");
    assert_eq!(read("agents/main/sessions/b.jsonl"), "{\"type\":\"session\"}\n{\"type\":\"message\"}");
    assert_eq!(read("workspace/mine.jsonl"), "half a li");
}

#[test]
fn r_27a_every_backup_made_during_turns_is_whole() {
    let gateway = Gateway::plain();
    std::thread::scope(|scope| {
        let talk = || {
            for n in 0..12 {
                out(&gateway, &["agent", "--message", &format!("message {n}"), "--to", "+15550001"]);
            }
        };
        let talking = scope.spawn(talk);
        let mut n = 0;
        while !talking.is_finished() || n < 2 {
            n += 1;
            let (archive, target) =
                (gateway.dir.join(format!("{n}.tar")), gateway.dir.join(format!("{n}.d")));
            out(&gateway, &["backup", "create", "--output", archive.to_str().unwrap(), "--verify"]);
            out(
                &gateway,
                &["backup", "restore", archive.to_str().unwrap(), "--target", target.to_str().unwrap()],
            );
            for (path, bytes) in tree(&target) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let lines: Vec<&str> = match path.extension().and_then(|end| end.to_str()) {
                    Some("jsonl") => text.lines().collect(),
                    Some("json") => vec![text.as_str()],
                    _ => continue,
                };
                for line in lines {
                    assert!(serde_json::from_str::<Value>(line).is_ok(), "{} in {n}: {line}", path.display());
                }
            }
        }
    });
}

#[test]
fn s_l9_a_backup_is_unpacked_only_where_nobody_else_can_put_something() {
    let gateway = Gateway::plain();
    let archive = gateway.dir.join("b.tar");
    out(&gateway, &["backup", "create", "--output", archive.to_str().unwrap()]);
    let shared = gateway.dir.join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, PermissionsExt::from_mode(0o777)).unwrap();
    let target = shared.join("here");
    let restore = ["backup", "restore", archive.to_str().unwrap(), "--target", target.to_str().unwrap()];
    let refused = gateway.cli(&restore);
    assert!(
        !refused.status.success()
            && String::from_utf8_lossy(&refused.stderr).contains("others may exchange what lies in")
    );
    // As root, below somebody else's directory too: he may exchange all that lies there, at any depth.
    if rustix::process::geteuid().is_root() {
        let shown = |uid: u32, gid: u32, mode: u32| {
            std::os::unix::fs::chown(&shared, Some(uid), Some(gid)).unwrap();
            std::fs::set_permissions(&shared, PermissionsExt::from_mode(mode)).unwrap();
            let deep = shared.join("a/here");
            for target in [&target, &deep] {
                let args =
                    ["backup", "restore", archive.to_str().unwrap(), "--target", target.to_str().unwrap()];
                let refused = gateway.cli(&args);
                let told = String::from_utf8_lossy(&refused.stderr).into_owned();
                assert!(!refused.status.success() && told.contains("others may exchange"), "{told}");
            }
            assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 0, "nothing is made there");
        };
        shown(65534, 65534, 0o755);
        shown(0, 65534, 0o775);
        std::os::unix::fs::chown(&shared, Some(0), Some(0)).unwrap();
    }
    std::fs::set_permissions(&shared, PermissionsExt::from_mode(0o1777)).unwrap();
    out(&gateway, &restore);
    assert_eq!(mode(&target), 0o700);
    let left = std::fs::read_dir(&shared).unwrap().count();
    assert_eq!(left, 1, "no staging directory stays");
}

/// N-40: under another home the paths of the config lead there, what is in the way is kept, and one command does it.
#[test]
fn n_40_a_backup_of_another_home_is_put_to_use_in_one_step() {
    let mut config = Setup::default().config;
    config["agents"] = json!({"list": [{"id": "main", "workspace": "/srv/none/ws"}]});
    let gateway = Gateway::start(&Setup::config(config).file("workspace/NOTES.md", "mine"));
    let state = gateway.state_dir();
    let old_home = state.parent().unwrap().to_path_buf();
    std::fs::create_dir_all(old_home.join("ws")).unwrap();
    std::fs::write(old_home.join("ws/a.md"), "text").unwrap();
    let text = std::fs::read_to_string(gateway.config_path()).unwrap();
    let text = text.replace("/srv/none/ws", old_home.join("ws").to_str().unwrap());
    std::fs::write(gateway.config_path(), text).unwrap();
    let archive = gateway.dir.join("b.tar");
    let archive = archive.to_str().unwrap();
    out(&gateway, &["backup", "create", "--output", archive]);

    let home = gateway.dir.join("new home");
    std::fs::create_dir_all(home.join(".openclaw")).unwrap();
    std::fs::write(home.join(".openclaw/openclaw.json"), "{}").unwrap();
    let vars = [
        ("HOME", home.to_str().unwrap()),
        ("OPENCLAW_STATE_DIR", ""),
        ("OPENCLAW_CONFIG_PATH", ""),
        ("OPENCLAW_HOME", ""),
    ];
    let run = |args: &[&str]| {
        let done = gateway.cli_env(args, &vars);
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let told = run(&["backup", "restore", archive, "--target", "~/restored"]);
    let line = "In its config agents.list.0.workspace is ~/ws now (was ";
    assert!(told.contains(line), "{told}");
    for line in ["  mv ~/.openclaw ~/.openclaw.before-restore", "  mv ~/restored/state ~/.openclaw"] {
        assert!(told.contains(&format!("{line}\n")), "{line}: {told}");
    }
    let told = run(&["backup", "restore", archive, "--replace"]);
    assert!(told.contains("What was there is ~/.openclaw.before-restore now"), "{told}");
    assert_eq!(std::fs::read_to_string(home.join("ws/a.md")).unwrap(), "text");
    assert_eq!(std::fs::read_to_string(home.join(".openclaw.before-restore/openclaw.json")).unwrap(), "{}");
    let now = std::fs::read_to_string(home.join(".openclaw/openclaw.json")).unwrap();
    assert!(now.contains("\"~/ws\"") && !now.contains(old_home.to_str().unwrap()), "{now}");
    let names = std::fs::read_dir(&home).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, [".openclaw", ".openclaw.before-restore", "restored", "ws"]);
    let running = gateway.cli(&["backup", "restore", archive, "--replace"]);
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop it first"), "{running:?}");
}
