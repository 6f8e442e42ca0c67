//! `config list` and `config edit`: all settings at a glance, and the file in the owner's editor.
use super::cli::text;
use super::harness::gateway::{command, new_dir};
use super::harness::schemas::check_output;
use super::harness::terminal::Terminal;
use super::harness::*;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const FILE: &str = "{\n  // mine\n  gateway: {mode: 'local', auth: {token: 'canary-of-sixteen'}},\n  logging: {level: 'info'},\n}\n";

/// A home with this configuration and an editor that does what the script says to the file `$f`; `$line` is the `+N`
/// it was called with.
fn desk(script: &str) -> PathBuf {
    let dir = new_dir();
    let state = dir.join("home/.openclaw");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    std::fs::write(config(&dir), FILE).unwrap();
    let editor = dir.join("bin/nano");
    let head = "#!/bin/sh\nline=; case \"$1\" in +*) line=$1; shift;; esac\nf=$1\n";
    std::fs::write(&editor, format!("{head}cd '{}'\n{script}\n", dir.display())).unwrap();
    std::fs::set_permissions(&editor, PermissionsExt::from_mode(0o755)).unwrap();
    // The same by a name that is no editor's of a terminal.
    std::fs::hard_link(editor, dir.join("bin/edits")).unwrap();
    dir
}

fn config(dir: &Path) -> PathBuf {
    dir.join("home/.openclaw/openclaw.json")
}

fn edit(dir: &Path) -> std::process::Command {
    let mut command = command(dir);
    command.args(["config", "edit"]).env("EDITOR", dir.join("bin/edits"));
    command
}

/// At a terminal.
fn edit_shown(dir: &Path) -> Terminal {
    let mut command = edit(dir);
    command.env("EDITOR", dir.join("bin/nano"));
    Terminal::start(command, 80)
}

/// The copies that lie there.
fn copies(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("home/.openclaw")).unwrap().flatten();
    let copies = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("edit-"));
    copies.map(|entry| entry.path()).collect()
}

/// No copy is left.
fn check_clean(dir: &Path) {
    let left = copies(dir);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn i14_6_an_edit_is_judged_and_written_and_the_copy_is_private() {
    let dir = desk("stat -c %a \"$f\" \"$(dirname \"$f\")\" > modes; sed -i \"s/'info'/'debug'/\" \"$f\"");
    let output = edit(&dir).output().unwrap();
    let (told, warned) = text(&output);
    assert!(output.status.success() && told.contains("Saved"), "{told} {warned}");
    assert!(told.contains("logging.level"), "what changes is shown: {told}");
    assert_eq!(std::fs::read_to_string(config(&dir)).unwrap(), FILE.replace("'info'", "'debug'"));
    assert_eq!(std::fs::read_to_string(dir.join("modes")).unwrap(), "600\n700\n");
    assert_eq!(std::fs::metadata(config(&dir)).unwrap().permissions().mode() & 0o777, 0o600);
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_6_what_is_not_changed_or_mistaken_is_not_written() {
    for (script, status, words) in [
        ("true", 0, "Nothing changed."),
        ("exit 3", 1, "nothing was changed"),
        ("sed -i \"s/'info'/'loud'/\" \"$f\"", 1, "openclaw.json:4:20: logging.level"),
        ("echo '{' > \"$f\"", 1, "openclaw.json:"),
        ("echo '{gateway: {mode: \"local\"}}' > \"$f\"", 1, "--force"),
    ] {
        let dir = desk(script);
        let output = edit(&dir).output().unwrap();
        let told = format!("{}{}", text(&output).0, text(&output).1);
        assert!(told.contains(words) && !told.contains("canary"), "{script}: {told}");
        assert_eq!(output.status.success(), status == 0, "{script}: {told}");
        assert_eq!(std::fs::read_to_string(config(&dir)).unwrap(), FILE, "{script}");
        check_clean(&dir);
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn i14_6_after_a_mistake_the_editor_is_opened_at_its_line() {
    let dir = desk(
        "echo \"$line\" >> lines; if [ -e once ]; then sed -i 's/loud/warn/' \"$f\"; else touch once; sed -i \"s/'info'/'loud'/\" \"$f\"; fi",
    );
    let mut terminal = edit_shown(&dir);
    terminal.wait_text(0, "e to edit again, d to discard? [e]");
    assert!(terminal.text().contains('^'), "a caret: {}", terminal.text());
    terminal.type_line("e");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(std::fs::read_to_string(dir.join("lines")).unwrap(), "\n+4\n");
    assert!(std::fs::read_to_string(config(&dir)).unwrap().contains("'warn'"));
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_6_what_somebody_else_changed_meanwhile_is_not_lost_unseen() {
    let dir = desk(
        "sed -i \"s/'info'/'debug'/\" \"$f\"; [ -e once ] || sed -i 's/canary-of-sixteen/another-of-sixteen/' home/.openclaw/openclaw.json; touch once",
    );
    let theirs = FILE.replace("canary-of", "another-of");
    let mut terminal = edit_shown(&dir);
    terminal.wait_text(0, "d to discard? [e]");
    assert!(terminal.text().contains("somebody else has changed"), "{}", terminal.text());
    assert!(terminal.text().contains("gateway.auth.token"), "{}", terminal.text());
    terminal.type_line("d");
    let (status, shown) = terminal.end();
    assert!(status != Some(0) && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(std::fs::read_to_string(config(&dir)).unwrap(), theirs);
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

/// The second save goes through: what others changed was shown, and is kept where the editor takes it over.
#[test]
fn i14_6_the_second_save_is_written_over_what_was_shown_or_with_it() {
    let theirs = "sed -i 's/canary-of-sixteen/another-of-sixteen/'";
    for (again, want) in [("true", "canary-of"), (&*format!("{theirs} \"$f\""), "another-of")] {
        let dir = desk(&format!(
            "if [ -e once ]; then {again}; else sed -i \"s/'info'/'debug'/\" \"$f\"; {theirs} home/.openclaw/openclaw.json; touch once; fi"
        ));
        let mut terminal = edit_shown(&dir);
        terminal.wait_text(0, "d to discard? [e]");
        terminal.type_line("e");
        let (status, shown) = terminal.end();
        assert!(status == Some(0) && shown.contains("Saved"), "{again}: {shown}");
        let written = FILE.replace("'info'", "'debug'").replace("canary-of", want);
        assert_eq!(std::fs::read_to_string(config(&dir)).unwrap(), written, "{again}");
        check_clean(&dir);
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn i14_6_what_loses_the_secret_is_forced_only_when_asked() {
    let dir = desk("echo '{gateway: {mode: \"local\", tailscale: {mode: \"serve\"}}}' > \"$f\"");
    let mut terminal = edit_shown(&dir);
    terminal.wait_text(0, "f to force");
    terminal.type_line("f");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!std::fs::read_to_string(config(&dir)).unwrap().contains("canary"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_f9_a_signal_takes_the_copy_away_and_ends_the_editor() {
    for signal in [Signal::TERM, Signal::HUP] {
        let dir = desk("echo 'x: \"canary-new\"' > \"$f\"; touch begun; exec sleep 60");
        let mut terminal = edit_shown(&dir);
        wait_for("the editor", || dir.join("begun").exists().then_some(()));
        assert_eq!(copies(&dir).len(), 1);
        terminal.signal(signal);
        assert_eq!(terminal.status().signal(), Some(signal.as_raw()), "{}", terminal.text());
        check_clean(&dir);
        assert_eq!(std::fs::read_to_string(config(&dir)).unwrap(), FILE);
        std::fs::remove_dir_all(dir).unwrap();
    }
    // Ctrl-C is the editor's while it runs, and ends the command at its question.
    let dir = desk("trap : INT; touch begun; while [ ! -e go ]; do sleep 0.05; done; echo '{' > \"$f\"");
    let mut terminal = edit_shown(&dir);
    wait_for("the editor", || dir.join("begun").exists().then_some(()));
    terminal.signal(Signal::INT);
    std::fs::write(dir.join("go"), "").unwrap();
    terminal.wait_text(0, "e to edit again, d to discard? [e]");
    terminal.signal(Signal::INT);
    assert_eq!(terminal.status().signal(), Some(Signal::INT.as_raw()), "{}", terminal.text());
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_f9_what_a_killed_edit_left_is_swept_and_in_no_backup() {
    let dir = desk("touch begun; while [ ! -e go ]; do sleep 0.05; done");
    let mut killed = edit_shown(&dir);
    wait_for("the editor", || dir.join("begun").exists().then_some(()));
    let mut other = edit(&dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the other one", || (copies(&dir).len() == 2).then_some(()));
    killed.signal(Signal::KILL);
    killed.status();
    let backup = |args: &[&str]| {
        let output =
            command(&dir).args(["backup", "create", "--json", "--output"]).args(args).output().unwrap();
        text(&output).0
    };
    let told = backup(&["b.tar", "--dry-run"]);
    assert_eq!(told.matches("a copy of the configuration for an editor").count(), 2, "{told}");
    let doctor = |args: &[&str]| text(&command(&dir).arg("doctor").args(args).output().unwrap()).0;
    assert!(!doctor(&[]).contains("sessions.litter"), "young ones may have just been made");
    let old = std::time::UNIX_EPOCH
        + (std::time::UNIX_EPOCH.elapsed().unwrap() - std::time::Duration::from_secs(120));
    for copy in copies(&dir) {
        std::fs::File::open(copy).unwrap().set_modified(old).unwrap();
    }
    let told = doctor(&[]);
    assert!(told.contains("sessions.litter"), "{told}");
    assert_eq!(copies(&dir).len(), 2, "looking changes nothing");
    doctor(&["--fix", "--yes"]);
    assert_eq!(copies(&dir).len(), 1, "the one that is worked upon stays");
    std::fs::write(dir.join("go"), "").unwrap();
    other.wait().unwrap();
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_f13_an_editor_of_the_terminal_is_refused_without_one() {
    let dir = desk("touch begun; sleep 60");
    let mut nano = edit(&dir);
    nano.env("EDITOR", format!("{} -w", dir.join("bin/nano").display()));
    let mut found = command(&dir);
    found.args(["config", "edit"]).env("PATH", dir.join("bin"));
    for mut command in [nano, found] {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let (_, stderr) = text(&output);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(" needs a terminal") && stderr.contains("openclaw config set"), "{stderr}");
    }
    assert!(!dir.join("begun").exists());
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_f8_what_somebody_else_has_saved_already_is_said_so() {
    let dir = desk("sed -i \"s/'info'/'debug'/\" \"$f\"; cp \"$f\" home/.openclaw/openclaw.json");
    let mut terminal = edit_shown(&dir);
    terminal.wait_text(0, "d to discard? [e]");
    terminal.type_line("e");
    let (status, shown) = terminal.end();
    assert!(
        status == Some(0) && shown.contains("Nothing to save: somebody else has saved the same"),
        "{shown}"
    );
    assert!(!shown.contains("Saved"), "{shown}");
    check_clean(&dir);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_6_the_list_has_every_key_and_shows_no_secret() {
    let dir = desk("true");
    let run = |args: &[&str]| {
        let output = command(&dir).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {:?}", text(&output));
        text(&output).0
    };
    let shown = run(&["config", "list"]);
    assert!(shown.contains("logging.level = \"info\"\n    "), "{shown}");
    assert!(shown.contains("gateway.auth.token = ") && !shown.contains("canary"), "{shown}");
    assert!(!shown.contains("gateway.port"), "{shown}");
    let limits = run(&["config", "list", "--defaults", "gateway.limits"]);
    assert!(limits.contains("gateway.limits.maxConnections (default 2000)\n"), "{limits}");
    assert!(limits.lines().all(|line| line.starts_with("gateway.limits.") || line.starts_with("    ")));
    let told: Value = serde_json::from_str(&run(&["config", "list", "--defaults", "--json"])).unwrap();
    check_output("config-list", &told);
    let keys = told["keys"].as_array().unwrap();
    let key = |path: &str| keys.iter().find(|key| key["path"] == path).unwrap_or_else(|| panic!("{path}"));
    assert_eq!(
        (&key("gateway.port")["class"], &key("gateway.port")["default"]),
        (&json!("restart"), &json!(18789))
    );
    assert_eq!(key("gateway.auth.tokenFile")["hostOnly"], true);
    assert_eq!(key("gateway.auth.token")["secret"], true);
    assert_eq!(key("logging.level")["value"], "info");
    assert!(key("models.providers.*.apiKeyFile")["doc"].as_str().unwrap().contains("key"));
    assert!(keys.len() > 400 && keys.iter().all(|key| key["doc"] != ""), "{}", keys.len());
    // A second one of a name that a user gives is told by the same row.
    std::fs::write(
        config(&dir),
        "{models: {providers: {box: {baseUrl: 'http://h/v1', apiKey: 'canary-key'}}}}",
    )
    .unwrap();
    let shown = run(&["config", "list", "models"]);
    assert!(
        shown.contains("models.providers.box.baseUrl = \"http://h/v1\"\n    ") && !shown.contains("canary"),
        "{shown}"
    );
    let output = command(&dir).args(["config", "list", "gatway"]).output().unwrap();
    assert!(!output.status.success() && text(&output).1.contains("gateway"), "{:?}", text(&output));
    std::fs::remove_dir_all(dir).unwrap();
}
