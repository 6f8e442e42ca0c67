//! `openclaw backup` for every night and for the worst day: compressed, so many kept, and put to use under a gateway that
//! runs, or not at all.
use crate::cli::{fails, json_of, out, text};
use crate::harness::*;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ends the gateway that a command has started on a state directory, at the end of a test.
struct Loose(PathBuf);

impl Loose {
    fn pid(&self) -> Option<i32> {
        std::fs::read_to_string(self.0.join("gateway/gateway.lock")).ok()?.trim().parse().ok()
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        if let Some(pid) = self.pid().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn n_40_an_archive_is_compressed_and_other_programs_read_it() {
    let line = "{\"type\":\"message\",\"text\":\"the same words again and again\"}\n";
    let noise: Vec<u8> = (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let setup = Setup::default()
        .file("workspace/long.txt", line.repeat(5000))
        .file("workspace/noise.bin", noise)
        .file("workspace/zeros.bin", vec![0; 300_000]);
    let gateway = Gateway::start(&setup);
    let (packed, plain) = (gateway.dir.join("packed.tar.gz"), gateway.dir.join("b.tar"));
    for archive in [&packed, &plain] {
        out(&gateway, &["backup", "create", "--verify", "--output", archive.to_str().unwrap()]);
    }
    let length = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(length(&packed) * 2 < length(&plain), "{} of {}", length(&packed), length(&plain));
    let of_tar = Command::new("tar").arg("xzf").arg(&packed).arg("-C").arg(&gateway.dir).output().unwrap();
    assert!(of_tar.status.success(), "{of_tar:?}");
    for name in ["long.txt", "noise.bin", "zeros.bin"] {
        let read = |dir: &Path| std::fs::read(dir.join("workspace").join(name)).unwrap();
        assert!(read(&gateway.dir.join("state")) == read(&gateway.state_dir()), "{name}");
    }
    // What the program gzip makes of a plain one is read too.
    assert!(Command::new("gzip").arg("-9").arg(&plain).status().unwrap().success());
    let again = gateway.dir.join("b.tar.gz");
    let told = json_of(&gateway, &["backup", "verify", again.to_str().unwrap(), "--json"]);
    assert!(told["files"].as_u64().unwrap() > 3, "{told}");
}

#[test]
fn r_27a_a_compressed_archive_that_is_cut_off_or_changed_is_refused() {
    let gateway =
        Gateway::start(&Setup::default().file("workspace/a.txt", "words and words and words. ".repeat(900)));
    let archive = gateway.dir.join("b.tar.gz");
    out(&gateway, &["backup", "create", "--output", archive.to_str().unwrap()]);
    let whole = std::fs::read(&archive).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&archive, bytes).unwrap();
        let (code, stderr) = fails(&gateway, &["backup", "verify", archive.to_str().unwrap()]);
        assert!(code == 1 && stderr.contains("damaged or not a backup"), "{what}: {stderr}");
    };
    for length in [5, 12, 600, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        refused(&whole[..length], &format!("{length} bytes"));
    }
    for at in [0, 100, whole.len() / 2, whole.len() - 200, whole.len() - 6] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        refused(&changed, &format!("a change at {at} of {}", whole.len()));
    }
    std::fs::write(&archive, &whole).unwrap();
    out(&gateway, &["backup", "verify", archive.to_str().unwrap()]);
}

#[test]
fn n_40_so_many_are_kept_and_nobody_elses_go() {
    let gateway = Gateway::plain();
    let place = gateway.dir.join("disk");
    std::fs::create_dir(&place).unwrap();
    let make = |args: &[&str]| {
        let args = [&["backup", "create", "--json", "--output", place.to_str().unwrap()], args].concat();
        let made = json_of(&gateway, &args);
        schemas::check_output("backup-create", &made);
        let name = Path::new(made["archivePath"].as_str().unwrap()).file_name().unwrap();
        (name.to_str().unwrap().to_string(), made)
    };
    let first = make(&[]).0;
    let small = make(&["--only-config"]).0;
    // One of another gateway, one that cannot be read, and what is named otherwise.
    let other = gateway.dir.join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("openclaw.json"), "{}").unwrap();
    let theirs = place.join("openclaw-backup-20200101T000000.000Z.tar");
    let vars = [("OPENCLAW_STATE_DIR", other.to_str().unwrap()), ("OPENCLAW_CONFIG_PATH", "")];
    let done = gateway.cli_env(&["backup", "create", "--output", theirs.to_str().unwrap()], &vars);
    assert!(done.status.success(), "{done:?}");
    let strange = ["openclaw-backup-20200102T000000.000Z.tar.gz", "openclaw-backup-mine.tar", "notes.txt"];
    strange.iter().for_each(|name| std::fs::write(place.join(name), "mine").unwrap());
    let second = make(&[]).0;
    let before = names(&place);
    let (_, look) = make(&["--keep", "1", "--dry-run"]);
    assert_eq!(look["removed"].as_array().unwrap().len(), 2, "{look}");
    assert_eq!(names(&place), before, "only looked");

    let (third, made) = make(&["--keep", "2"]);
    assert_eq!(made["removed"], json!([place.join(&first)]), "{made}");
    assert_eq!(made["verified"], true);
    let mut left = vec![small, second, third];
    left.extend(strange.map(str::to_string));
    left.push("openclaw-backup-20200101T000000.000Z.tar".into());
    left.sort();
    assert_eq!(names(&place), left);
    let file = place.join("named.tar");
    for args in [["--keep", "0", place.to_str().unwrap()], ["--keep", "2", file.to_str().unwrap()]] {
        let (code, stderr) = fails(&gateway, &["backup", "create", args[0], args[1], "--output", args[2]]);
        assert!(code != 0 && stderr.contains("--keep"), "{stderr}");
    }
    assert_eq!(names(&place), left);
}

/// The gateway that somebody has started by hand is the one that comes back, with what was restored.
#[test]
fn n_40_a_backup_is_put_to_use_under_a_gateway_that_runs() {
    let mut gateway = Gateway::start(&Setup::default().file("workspace/NOTES.md", "then"));
    let state = gateway.state_dir();
    let _loose = Loose(state.clone());
    let archive = gateway.dir.join("b.tar.gz");
    out(&gateway, &["backup", "create", "--output", archive.to_str().unwrap()]);
    std::fs::write(state.join("workspace/NOTES.md"), "now").unwrap();
    let done = json_of(&gateway, &["backup", "restore", archive.to_str().unwrap(), "--in-place", "--json"]);
    schemas::check_output("backup-restore", &done);
    let kept = state.with_file_name(".openclaw.before-restore");
    assert_eq!((&done["started"], &done["kept"]), (&json!(true), &json!([kept])), "{done}");
    gateway.wait(DEADLINE);
    assert_eq!(std::fs::read_to_string(state.join("workspace/NOTES.md")).unwrap(), "then");
    assert_eq!(std::fs::read_to_string(kept.join("workspace/NOTES.md")).unwrap(), "now");
    let health = json_of(&gateway, &["gateway", "healthcheck", "--ready", "--json"]);
    assert!(health["address"].as_str().unwrap().ends_with(&format!(":{}", gateway.port)), "{health}");
}

#[test]
fn n_40_what_does_not_come_up_is_undone() {
    let mut gateway = Gateway::start(&Setup::default().file("workspace/NOTES.md", "now"));
    let state = gateway.state_dir();
    let loose = Loose(state.clone());
    let before = std::fs::read_to_string(gateway.config_path()).unwrap();
    let archive = gateway.dir.join("bad.tar.gz");
    std::fs::write(gateway.config_path(), "{gateway: {").unwrap();
    let make = ["backup", "create", "--no-include-workspace", "--output", archive.to_str().unwrap()];
    out(&gateway, &make);
    std::fs::write(gateway.config_path(), &before).unwrap();
    let (code, told) = fails(&gateway, &["backup", "restore", archive.to_str().unwrap(), "--in-place"]);
    assert!(
        code == 1
            && told.contains("so it was undone")
            && told.contains("openclaw.json:1:11: the object that begins here is never closed")
            && told.contains("the gateway runs as before"),
        "{told}"
    );
    let (_, place) = told.split_once("it lies in ").unwrap();
    let place = place.split(';').next().unwrap().replace("~", state.parent().unwrap().to_str().unwrap());
    assert!(Path::new(&place).join("state/openclaw.json").exists(), "{told}");
    gateway.wait(DEADLINE);
    assert!(loose.pid().is_some_and(|pid| pid != gateway.pid() as i32));
    assert_eq!(std::fs::read_to_string(gateway.config_path()).unwrap(), before);
    assert_eq!(std::fs::read_to_string(state.join("workspace/NOTES.md")).unwrap(), "now");
    out(&gateway, &["gateway", "healthcheck", "--ready"]);
    assert!(!state.with_file_name(".openclaw.before-restore").exists());
}

/// A `systemctl` that has one service: this gateway.
fn stand_in(dir: &Path, port: u16) {
    let here = dir.display();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{here}/calls'\npid=$(cat '{here}/pid' 2>/dev/null)\n\
         alive() {{ [ -n \"$pid\" ] && [ -d /proc/$pid ] && ! grep -q 'State:.Z' /proc/$pid/status; }}\n\
         case \" $* \" in\n\
         *' stop '*) alive && kill $pid; while alive; do sleep 0.05; done;;\n\
         *' start '*) '{}' gateway --port {port} </dev/null >/dev/null 2>&1 & echo $! > '{here}/pid';;\n\
         *' show '*) if alive; then echo ActiveState=active; echo MainPID=$pid; else echo ActiveState=inactive; fi;;\n\
         esac\n",
        env!("CARGO_BIN_EXE_openclaw")
    );
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    std::fs::write(dir.join("bin/systemctl"), script).unwrap();
    std::fs::set_permissions(dir.join("bin/systemctl"), PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn n_40_a_service_is_stopped_for_a_restore_and_started_again() {
    let dir = gateway::new_dir();
    let state = dir.join("home/.openclaw");
    let units = dir.join("home/.config/systemd/user");
    std::fs::create_dir_all(&units).unwrap();
    std::fs::create_dir_all(state.join("workspace")).unwrap();
    std::fs::write(units.join("openclaw-gateway.service"), "[Service]\nExecStart=/x gateway\n").unwrap();
    let config = json!({"gateway": {"mode": "local", "auth": {"token": TOKEN}}});
    std::fs::write(state.join("openclaw.json"), config.to_string()).unwrap();
    std::fs::write(state.join("workspace/NOTES.md"), "then").unwrap();
    stand_in(&dir, gateway::free_port());
    let run = |args: &[&str]| {
        let mut command = gateway::command(&dir);
        let path = format!("{}:/usr/bin:/bin", dir.join("bin").display());
        command.env("PATH", path).env("OPENCLAW_SERVICE_MANAGER", "systemd-user").args(args);
        text(&command.output().unwrap())
    };
    let _loose = Loose(state.clone());
    run(&["gateway", "start"]);
    wait_for("the service", || run(&["gateway", "healthcheck", "--ready"]).0.starts_with("OK").then_some(()));
    let archive = dir.join("b.tar.gz");
    run(&["backup", "create", "--output", archive.to_str().unwrap()]);
    std::fs::write(state.join("workspace/NOTES.md"), "now").unwrap();
    std::fs::write(dir.join("calls"), "").unwrap();
    let (told, stderr) = run(&["backup", "restore", archive.to_str().unwrap(), "--in-place"]);
    let line = "The service openclaw-gateway.service was restarted, and the gateway answers";
    assert!(told.contains(line), "{told}{stderr}");
    assert!(told.contains("What was there is ~/.openclaw.before-restore now"), "{told}");
    let calls = std::fs::read_to_string(dir.join("calls")).unwrap();
    let done: Vec<&str> = calls.lines().filter(|line| !line.contains(" show ")).collect();
    assert_eq!(
        done,
        ["--user stop openclaw-gateway.service", "--user start openclaw-gateway.service"],
        "{calls}"
    );
    assert_eq!(std::fs::read_to_string(state.join("workspace/NOTES.md")).unwrap(), "then");
    assert!(run(&["gateway", "healthcheck", "--ready"]).0.starts_with("OK"));
    drop(_loose);
    std::fs::remove_dir_all(dir).unwrap();
}

/// What the timer runs is a command line of this program.
#[test]
fn n_40_the_unit_for_every_night_makes_a_backup() {
    let gateway = Gateway::plain();
    let read = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let unit = read("openclaw-backup.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<String> =
        line.split(' ').skip(1).map(|word| word.replace("%h", gateway.dir.to_str().unwrap())).collect();
    let place = gateway.dir.join("backups");
    assert!(unit.contains("ExecStartPre=/bin/mkdir -p -m 0700 %h/backups\n"), "{unit}");
    std::fs::create_dir(&place).unwrap();
    out(&gateway, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(names(&place).len(), 1);
    assert!(read("openclaw-backup.timer").contains("\nPersistent=true\n"));
}
