//! What is here and how it goes again: `version --json`, `profiles list`, `uninstall`.
use super::cli::text;
use super::harness::gateway::{command, new_dir};
use super::harness::schemas::check_output;
use super::harness::terminal::Terminal;
use super::harness::*;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

#[path = "../build/git.rs"]
mod git;

fn json_at(dir: &Path, args: &[&str]) -> Value {
    let output = command(dir).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {:?}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn out_at(dir: &Path, args: &[&str]) -> String {
    let output = command(dir).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {:?}", text(&output));
    text(&output).0
}

/// What stands in a home, each file with its directories.
fn made(dir: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = dir.join("home").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

const LOCAL: &str = "{gateway: {mode: 'local', auth: {token: 'sixteen-letters-'}}}";

#[test]
fn i14_12_a_build_says_what_it_is() {
    let dir = new_dir();
    let told = json_at(&dir, &["version", "--json"]);
    check_output("version", &told);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert!(told["target"].as_str().unwrap().contains(std::env::consts::ARCH), "{told}");
    std::fs::remove_dir_all(dir).unwrap();
}

/// The commit of a release is read without git: loose, packed, in a further working tree, and without a branch.
#[test]
fn i14_12_the_commit_is_the_one_that_is_checked_out() {
    let dir = new_dir();
    let git = |args: &[&str]| {
        let run = Command::new("git").current_dir(&dir).args(args).env("HOME", &dir).output();
        run.ok().filter(|run| run.status.success()).map(|run| text(&run).0.trim().to_string())
    };
    if git(&["init", "-q", "-b", "main"]).is_none() {
        return;
    }
    let who = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"];
    git(&who).unwrap();
    let head = git(&["rev-parse", "HEAD"]).unwrap();
    let read = |root: &Path| git::commit(root).map(|(commit, _)| commit);
    assert_eq!(read(&dir).as_ref(), Some(&head), "loose");
    assert!(git::commit(&dir).unwrap().1.contains(&dir.join(".git/refs/heads/main")), "looked at again");
    git(&["pack-refs", "--all"]).unwrap();
    assert_eq!(read(&dir).as_ref(), Some(&head), "packed");
    git(&["worktree", "add", "-q", "-b", "other", "tree"]).unwrap();
    assert_eq!(read(&dir.join("tree")).as_ref(), Some(&head), "a further tree");
    git(&["checkout", "-q", "--detach"]).unwrap();
    assert_eq!(read(&dir).as_ref(), Some(&head), "no branch");
    assert_eq!(read(&dir.join("home")), None, "a tarball");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_12_profiles_are_listed_with_port_and_state() {
    let gateway = Gateway::plain();
    made(
        &gateway.dir,
        &[
            (".openclaw-work/openclaw.json", "{gateway: {mode: 'local', port: 20001}}"),
            (".openclaw-far/openclaw.json", "{gateway: {mode: 'remote', remote: {url: 'wss://h'}}}"),
            (".openclaw-empty/x", ""),
        ],
    );
    let told = json_at(&gateway.dir, &["profiles", "list", "--json"]);
    check_output("profiles-list", &told);
    let all: Vec<(&str, &str, &Value)> = told["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["state"].as_str().unwrap(), &row["isCurrent"]))
        .collect();
    let (yes, no) = (json!(true), json!(false));
    let want = [
        ("default", "running", &yes),
        ("empty", "not set up", &no),
        ("far", "elsewhere", &no),
        ("work", "stopped", &no),
    ];
    assert_eq!(all, want);
    assert_eq!(told["profiles"][0]["port"], gateway.port);
    assert_eq!(told["profiles"][0]["pid"], gateway.pid());
    assert_eq!(told["profiles"][3]["port"], 20001);
    let shown = out_at(&gateway.dir, &["--profile", "work", "profiles"]);
    assert!(shown.contains("work *") && shown.contains(&format!("(pid {})", gateway.pid())), "{shown}");
    assert!(shown.contains("~/.openclaw-far"), "{shown}");
}

/// The program's own `systemctl` does nothing here.
fn quiet(dir: &Path) -> Command {
    made(dir, &[("bin/systemctl", "#!/bin/sh\nexit 0\n")]);
    let bin = dir.join("home/bin");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bin.join("systemctl"), mode).unwrap();
    let mut command = command(dir);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("OPENCLAW_SERVICE_MANAGER", "systemd-user");
    command
}

#[test]
fn i14_12_uninstall_takes_the_service_away_and_says_what_stays() {
    let mut gateway = Gateway::plain();
    made(
        &gateway.dir,
        &[(".config/systemd/user/openclaw-gateway.service", "[Service]\nExecStart=/x gateway\n")],
    );
    let unit = gateway.dir.join("home/.config/systemd/user/openclaw-gateway.service");
    let (told, _) = text(&quiet(&gateway.dir).args(["uninstall", "--dry-run"]).output().unwrap());
    assert!(told.contains("Would stop and remove the service openclaw-gateway.service"), "{told}");
    assert!(told.contains(&format!("Would stop the gateway (pid {})", gateway.pid())), "{told}");
    assert!(told.contains("Stays: ~/.openclaw (removed by --purge)") && unit.exists(), "{told}");
    let output = quiet(&gateway.dir).args(["uninstall", "--json"]).output().unwrap();
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{:?}", text(&output)));
    check_output("uninstall", &told);
    assert!(!unit.exists() && gateway.config_path().exists(), "{told}");
    assert_eq!(told["removed"], json!([]));
    gateway.wait(DEADLINE);
}

// `setup` writes the workspace down, which is the agent's as well.
#[test]
fn i14_12_what_is_removed_is_named_once() {
    let dir = new_dir();
    assert!(quiet(&dir).args(["--profile", "work", "setup"]).output().unwrap().status.success());
    for _ in 0..2 {
        let mut ask = quiet(&dir);
        ask.args(["--profile", "work", "uninstall", "--purge", "--dry-run", "--json"]);
        let told: Value = serde_json::from_slice(&ask.output().unwrap().stdout).unwrap();
        let mut gone: Vec<&str> =
            told["removed"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
        let count = gone.len();
        gone.sort();
        gone.dedup();
        assert!(gone.len() == count && count >= 2, "{told}");
        // With two agents that share it.
        let set = [
            "--profile",
            "work",
            "config",
            "set",
            "agents.list",
            "[{id: 'main'}, {id: 'ops', workspace: '~/.openclaw/workspace-work'}]",
        ];
        assert!(quiet(&dir).args(set).output().unwrap().status.success());
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_12_purge_removes_this_profile_and_nothing_of_others() {
    let dir = new_dir();
    let home = dir.join("home");
    made(
        &dir,
        &[
            (
                ".openclaw/openclaw.json",
                "{gateway: {mode: 'local'}, agents: {list: [{id: 'main', default: true}, {id: 'own', workspace: '~/projects'}]}}",
            ),
            (".openclaw/workspace/AGENTS.md", "x"),
            (".openclaw/workspace-work/AGENTS.md", "x"),
            (".openclaw/workspace-gone/AGENTS.md", "x"),
            (".openclaw/gateway/x", "x"),
            (".openclaw-work/openclaw.json", LOCAL),
            ("projects/thesis.txt", "x"),
            ("precious/file", "x"),
        ],
    );
    symlink(home.join("precious"), home.join(".openclaw/link")).unwrap();
    let (_, refused) = text(&quiet(&dir).args(["uninstall", "--purge"]).output().unwrap());
    assert!(refused.contains("needs a terminal") && refused.contains("--yes"), "{refused}");
    let (told, _) = text(&quiet(&dir).args(["uninstall", "--purge", "--dry-run"]).output().unwrap());
    for line in ["Would remove ~/.openclaw/workspace\n", "Would remove ~/.openclaw/openclaw.json\n"] {
        assert!(told.contains(line), "{line} {told}");
    }
    for line in [
        "Stays: ~/.openclaw/workspace-work (of profile work)\n",
        "Stays: ~/.openclaw/workspace-gone (no workspace of this profile)\n",
        "Stays: ~/projects (in a place of your own)\n",
        "(the program)\n",
    ] {
        assert!(told.contains(line), "{line} {told}");
    }
    assert!(home.join(".openclaw/openclaw.json").exists());
    let output = quiet(&dir).args(["uninstall", "--purge", "--yes"]).output().unwrap();
    assert!(output.status.success(), "{:?}", text(&output));
    let left = |path: &str| home.join(path).symlink_metadata().is_ok();
    for path in [".openclaw/openclaw.json", ".openclaw/workspace", ".openclaw/gateway", ".openclaw/link"] {
        assert!(!left(path), "{path}");
    }
    for path in [
        ".openclaw/workspace-work/AGENTS.md",
        ".openclaw/workspace-gone/AGENTS.md",
        ".openclaw-work/openclaw.json",
        "projects/thesis.txt",
        "precious/file",
    ] {
        assert!(left(path), "{path}");
    }
    // A named profile's workspace lies in the state directory of the default one.
    let args = ["--profile", "work", "uninstall", "--purge", "--yes", "--json"];
    let output = quiet(&dir).args(args).output().unwrap();
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{:?}", text(&output)));
    check_output("uninstall", &told);
    assert!(!left(".openclaw-work") && !left(".openclaw/workspace-work"), "{told}");
    assert!(left(".openclaw/workspace-gone/AGENTS.md"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_12_purge_goes_through_no_link_and_spares_a_home() {
    let dir = new_dir();
    let home = dir.join("home");
    made(&dir, &[("elsewhere/openclaw.json", LOCAL)]);
    symlink(home.join("elsewhere"), home.join(".openclaw")).unwrap();
    let run = |state: Option<&str>| {
        let mut command = quiet(&dir);
        command.args(["uninstall", "--purge", "--yes"]);
        command.envs(state.map(|state| ("OPENCLAW_STATE_DIR", dir.join(state))));
        text(&command.output().unwrap())
    };
    assert!(run(None).0.contains("Stays: ~/.openclaw (a link"), "{:?}", run(None));
    assert!(home.join("elsewhere/openclaw.json").exists());
    // Nor through one on the way to a workspace.
    made(&dir, &[(".openclaw/workspace-work/x", "x"), (".openclaw-work/openclaw.json", LOCAL)]);
    let output = quiet(&dir).args(["--profile", "work", "uninstall", "--purge", "--yes"]).output().unwrap();
    assert!(text(&output).0.contains("Stays: ~/.openclaw/workspace-work (a link"), "{:?}", text(&output));
    assert!(home.join("elsewhere/workspace-work/x").exists() && !home.join(".openclaw-work").exists());
    for state in ["home", "", "home/elsewhere"] {
        let (told, warned) = run(Some(state));
        assert!(told.contains("Stays: "), "{state} {told} {warned}");
        assert!(home.join("elsewhere").exists() && home.join(".openclaw").is_symlink(), "{state} {told}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i14_12_purge_asks_at_a_terminal() {
    let dir = new_dir();
    made(&dir, &[(".openclaw/openclaw.json", LOCAL)]);
    for (answer, is_left) in [("n", true), ("y", false)] {
        let mut command = quiet(&dir);
        command.args(["uninstall", "--purge"]);
        let mut terminal = Terminal::start(command, 80);
        terminal.wait_text(0, "Remove all of it? (y/N): ");
        assert!(terminal.text().contains("Would remove ~/.openclaw"), "{}", terminal.text());
        terminal.type_line(answer);
        let (status, shown) = terminal.end();
        assert_eq!(status == Some(0), !is_left, "{shown}");
        assert_eq!(dir.join("home/.openclaw").exists(), is_left, "{shown}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

// S-9: what could not be removed is named with its own reason, and all else goes.
#[test]
fn i14_12_what_cannot_be_purged_is_named_with_its_reason() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing is tested here");
        return;
    }
    let dir = new_dir();
    let home = dir.join("home");
    made(
        &dir,
        &[
            (".openclaw/openclaw.json", LOCAL),
            (".openclaw/gateway/gateway.lock", ""),
            (".openclaw/zz/f", "x"),
        ],
    );
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    for path in
        ["", ".openclaw", ".openclaw/openclaw.json", ".openclaw/gateway", ".openclaw/gateway/gateway.lock"]
    {
        own(&home.join(path));
    }
    own(&dir);
    let mut command = quiet(&dir);
    std::os::unix::process::CommandExt::uid(&mut command, 65534);
    let output = command.args(["uninstall", "--purge", "--yes"]).output().unwrap();
    let (_, told) = text(&output);
    assert!(
        told.contains("zz/f stays: Permission denied") && told.contains("everything else is removed"),
        "{told}"
    );
    assert!(!told.contains("Not a directory"), "{told}");
    assert!(home.join(".openclaw/zz/f").exists() && !home.join(".openclaw/openclaw.json").exists());
    std::fs::remove_dir_all(dir).unwrap();
}
