//! `openclaw gateway install|uninstall|start|stop|restart` against stand-ins for the service managers' programs,
//! which record how they were called, and against systemd's own reader of units where it is installed.
use crate::cli::text;
use crate::harness::gateway::{command, new_dir};
use crate::harness::*;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CANARY: &str = "canary-7d1e5b0c9a8f4e63";

/// A home with stand-ins on PATH.
pub struct Desk {
    pub dir: PathBuf,
}

impl Desk {
    pub fn new() -> Desk {
        let dir = new_dir();
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
        let desk = Desk { dir };
        let config = json!({"gateway": {"mode": "local", "auth": {"token": TOKEN}}});
        std::fs::write(desk.home().join(".openclaw/openclaw.json"), config.to_string()).unwrap();
        for name in ["systemctl", "loginctl", "launchctl", "rc-service", "rc-update"] {
            desk.stand_in(name);
        }
        desk
    }

    /// Records its arguments; prints `<name>.out` and exits with `<name>.rc` where the test wrote them, with 4 when an
    /// argument is the word of `<name>.bad`.
    fn stand_in(&self, name: &str) {
        let (path, dir) = (self.dir.join("bin").join(name), self.dir.display());
        let script = format!(
            "#!/bin/sh\necho \"{name} $*\" >> '{dir}/calls'\ncat '{dir}/{name}.out' 2>/dev/null\n\
             [ -z \"$OPENCLAW_GATEWAY_TOKEN\" ] || echo LEAK >> '{dir}/calls'\n\
             [ ! -e '{dir}/{name}.bad' ] || case \" $* \" in *\" $(cat '{dir}/{name}.bad') \"*)\n\
               echo 'Job failed' >&2; exit 4;; esac\n\
             exit $(cat '{dir}/{name}.rc' 2>/dev/null || echo 0)\n"
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    pub fn set(&self, file: &str, text: &str) {
        std::fs::write(self.dir.join(file), text).unwrap();
    }

    /// The stand-ins, then the real programs.
    fn search(&self) -> String {
        format!("{}:/usr/bin:/bin", self.dir.join("bin").display())
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(&self.dir);
        command.env("PATH", self.search());
        command.env("OPENCLAW_SERVICE_ROOT", self.dir.join("root")).args(args);
        if !args.contains(&"--manager") {
            command.env("OPENCLAW_SERVICE_MANAGER", "systemd-user");
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output: Output = self.command(args).output().unwrap();
        let (stdout, stderr) = text(&output);
        (output.status.code().unwrap(), stdout, stderr)
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(args);
        assert_eq!(code, 0, "{args:?}\n{stdout}\n{stderr}");
        stdout
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e} in {text}"))
    }

    /// What was run since the last look, without the questions.
    pub fn calls(&self) -> Vec<String> {
        let path = self.dir.join("calls");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, "").unwrap();
        let asks =
            |line: &&str| line.contains(" show ") || line.contains(" print ") || line.ends_with(" status");
        text.lines().filter(|line| !asks(line)).map(str::to_string).collect()
    }

    fn unit(&self, name: &str) -> PathBuf {
        self.home().join(".config/systemd/user").join(name)
    }

    pub fn read(&self, path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Litter in the temporary directory is no failed test.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub const ENABLED: &str =
    "ActiveState=active\nSubState=running\nMainPID=42\nExecMainStatus=0\nUnitFileState=enabled\n";

#[test]
fn a_systemd_unit_is_installed_once() {
    let desk = Desk::new();
    let first = desk.json(&["gateway", "install"]);
    assert_eq!(
        (&first["action"], &first["ok"], &first["result"]),
        (&json!("install"), &json!(true), &json!("installed"))
    );
    assert_eq!(first["service"]["label"], "systemd");
    assert_eq!(first["service"]["loadedText"], "enabled");
    assert_eq!(first["service"]["notLoadedText"], "disabled");
    let path = desk.unit("openclaw-gateway.service");
    assert_eq!(first["path"], path.display().to_string());
    let user = [
        "systemctl --user daemon-reload",
        "systemctl --user enable openclaw-gateway.service",
        "systemctl --user restart openclaw-gateway.service",
    ];
    let calls = desk.calls();
    assert_eq!(calls[..3], user);
    assert!(calls[3].starts_with("loginctl --no-ask-password enable-linger "), "{calls:?}");
    let unit = desk.read(&path);
    for line in [
        "After=network-online.target",
        "Restart=always",
        "RestartSec=5",
        "RestartPreventExitStatus=78",
        "Environment=OPENCLAW_SERVICE_MARKER=openclaw",
        "Environment=OPENCLAW_SERVICE_KIND=gateway",
        concat!("Environment=OPENCLAW_SERVICE_VERSION=", env!("CARGO_PKG_VERSION")),
        concat!("ExecStart=", env!("CARGO_BIN_EXE_openclaw"), " gateway"),
        "WantedBy=default.target",
    ] {
        assert!(unit.lines().any(|l| l == line), "{line} in {unit}");
    }
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    desk.set("systemctl.out", ENABLED);
    let again = desk.json(&["gateway", "install"]);
    assert_eq!(again["result"], "already-installed");
    assert_eq!((desk.calls().len(), desk.read(&path)), (0, unit), "nothing was touched");
    // An upgrade of the program alone is no reason to write it anew (R-15c).
    std::fs::write(&path, desk.read(&path).replace(env!("CARGO_PKG_VERSION"), "0.0.1")).unwrap();
    assert_eq!(desk.json(&["gateway", "install"]).get("drift"), None);
}

#[test]
fn doctor_brings_a_unit_up_to_date() {
    let desk = Desk::new();
    desk.ok(&["gateway", "install", "--port", "19999"]);
    desk.set("systemctl.out", ENABLED);
    let path = desk.unit("openclaw-gateway.service");
    let good = desk.read(&path);
    let edited = good.replace("RestartSec=5", "RestartSec=1");
    std::fs::write(&path, &edited).unwrap();
    desk.calls();
    let only = ["doctor", "--only", "service.differs"];
    let told = desk.ok(&only);
    assert!(told.contains("lacks: RestartSec=5") && told.contains("repairs 1 of these"), "{told}");
    assert_eq!((desk.calls().len(), desk.read(&path)), (0, edited.clone()), "looking changes nothing");
    let fixed = desk.ok(&[&only[..], &["--fix"]].concat());
    assert!(
        fixed.contains("openclaw-gateway.service anew") && fixed.contains("No problems found"),
        "{fixed}"
    );
    assert_eq!((desk.read(&path), desk.read(&path.with_extension("service.bak"))), (good, edited));
    assert!(desk.calls().contains(&"systemctl --user restart openclaw-gateway.service".to_string()));
    // Another program's unit is not taken over by the way.
    let node = "[Service]\nExecStart=/usr/bin/node /opt/openclaw/dist/index.js gateway\n";
    std::fs::write(&path, node).unwrap();
    let told = desk.ok(&[&only[..], &["--fix"]].concat());
    assert!(told.contains("runs the Node program") && told.contains("doctor --fix --force"), "{told}");
    // N-19: what that really does.
    assert!(told.contains("` writes ~/.config/systemd/user/openclaw-gateway.service anew"), "{told}");
    assert!(!told.contains("nothing reads"), "{told}");
    assert_eq!(desk.read(&path), node);
}

/// N-22: without a service manager that answers, a gateway that somebody started by hand is meant, and what was not done
/// is not told as done.
#[test]
fn n_22_a_service_manager_that_gives_no_answer_is_in_nobody_s_way() {
    let desk = Desk::new();
    desk.ok(&["gateway", "install"]);
    let unit = desk.unit("openclaw-gateway.service");
    std::fs::write(&unit, desk.read(&unit).replace("RestartSec=5", "RestartSec=1")).unwrap();
    desk.set("systemctl.rc", "1");
    let fixed = desk.ok(&["doctor", "--only", "service.differs", "--fix"]);
    assert!(fixed.contains("done: write ~/.config/systemd/user/openclaw-gateway.service anew"), "{fixed}");
    assert!(fixed.contains("left to do: systemctl --user daemon-reload"), "{fixed}");
    assert!(!fixed.contains("done: s") && !fixed.contains("Left to do:"), "{fixed}");

    let mut gateway = Gateway::plain();
    let place = gateway.dir.join("home/.config/systemd/user");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(&unit, place.join("openclaw-gateway.service")).unwrap();
    let search = desk.search();
    let vars = [("OPENCLAW_SERVICE_MANAGER", "systemd-user"), ("PATH", search.as_str())];
    let pid = gateway.pid();
    for (action, part) in
        [("start", "runs already"), ("restart", "restarts in process"), ("stop", "Stopped the gateway")]
    {
        let output = gateway.cli_env(&["gateway", action], &vars);
        let (stdout, stderr) = text(&output);
        assert!(output.status.success() && stdout.contains(part), "{action}: {stdout} {stderr}");
        assert!(
            stdout.contains(&format!("(pid {pid})")) && stderr.contains("cannot be asked"),
            "{stdout} {stderr}"
        );
        // One that restarts holds its lock on.
    }
    assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(0));
    let output = gateway.cli_env(&["gateway", "stop"], &vars);
    assert!(text(&output).1.contains("Gateway stop failed"), "no gateway runs: {output:?}");
}

/// R-15b: the files for managers that `install` does not know. A status of 78 keeps the runit service down.
#[test]
fn what_is_put_in_place_by_hand() {
    let desk = Desk::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["sv", "sleep", "chpst"] {
        desk.stand_in(name);
    }
    let script = |path: PathBuf, words: &[&str]| {
        let mut command = Command::new("/bin/sh");
        command.arg(path).args(words).env("PATH", desk.search()).current_dir(desk.home());
        assert!(command.status().unwrap().success());
        desk.calls()
    };
    assert_eq!(script(root.join("runit/finish"), &["78"]), [format!("sv down {}", desk.home().display())]);
    assert_eq!(script(root.join("runit/finish"), &["1"]), ["sleep 5"]);
    let run = desk.read(&root.join("runit/run")).replace("/home/youruser", desk.home().to_str().unwrap());
    desk.set("run", &run);
    let started = script(desk.dir.join("run"), &[]);
    assert_eq!(started, ["chpst -u youruser -o 65536 /usr/local/bin/openclaw gateway"]);
    for line in desk.read(&root.join("cron/openclaw-gateway")).lines().filter(|line| !line.starts_with('#')) {
        assert!(line.ends_with("\"$HOME/.local/bin/openclaw\" gateway >/dev/null 2>&1"), "{line}");
    }
}

#[test]
fn a_service_that_could_not_start_is_not_installed() {
    let desk = Desk::new();
    std::fs::write(desk.home().join(".openclaw/openclaw.json"), "{gateway: {mode: 'local',").unwrap();
    let (code, _, stderr) = desk.run(&["gateway", "install"]);
    assert!(code == 78 && stderr.contains("nothing was installed: "), "{code} {stderr}");
    assert!(stderr.contains("openclaw.json:1:"), "{stderr}");
    assert!(!desk.unit("openclaw-gateway.service").exists());
}

#[test]
fn drift_is_told_and_force_writes_anew() {
    let desk = Desk::new();
    desk.ok(&["gateway", "install"]);
    desk.set("systemctl.out", ENABLED);
    let path = desk.unit("openclaw-gateway.service");
    let edited = desk.read(&path).replace("RestartSec=5", "RestartSec=1");
    std::fs::write(&path, &edited).unwrap();
    desk.calls();
    let told = desk.ok(&["gateway", "install"]);
    assert!(told.contains("already enabled") && told.contains("lacks: RestartSec=5"), "{told}");
    assert!(told.contains("Reinstall with: openclaw gateway install --force"), "{told}");
    assert_eq!((desk.calls().len(), desk.read(&path)), (0, edited.clone()));
    assert_eq!(desk.json(&["gateway", "install", "--port", "19999"])["drift"].as_array().unwrap().len(), 3);
    let forced = desk.json(&["daemon", "install", "--force", "--port", "19999", "--runtime", "node"]);
    assert_eq!(forced["result"], "installed");
    assert!(forced["warnings"].to_string().contains("--runtime has no effect"), "{forced}");
    assert!(desk.read(&path).contains(" gateway --port 19999\n"));
    assert!(forced["warnings"].to_string().contains("config set gateway.port 19999"), "{forced}");
    assert_eq!(desk.read(&path.with_extension("service.bak")), edited);
    desk.calls();
    // The chosen port is no drift of its own, and stays chosen.
    assert_eq!(desk.json(&["gateway", "install"]).get("drift"), None);
    desk.ok(&["gateway", "install", "--force"]);
    assert!(desk.read(&path).contains(" gateway --port 19999\n"));
    let (code, _, stderr) = desk.run(&["gateway", "install", "--port", "0"]);
    assert!(code == 1 && stderr.contains("Invalid port"), "{stderr}");
    let (code, _, stderr) = desk.run(&["gateway", "install", "--runtime", "x"]);
    assert!(code == 1 && stderr.contains("Invalid --runtime (use \"node\" or \"bun\")"), "{stderr}");
}

#[test]
fn r_22a_no_service_file_holds_a_secret() {
    for manager in ["systemd-user", "systemd-system", "launchd", "openrc", "procd"] {
        let desk = Desk::new();
        let mut install = desk.command(&["gateway", "install", "--manager", manager, "--token", CANARY]);
        let output =
            install.env("OPENCLAW_GATEWAY_TOKEN", CANARY).env("ANTHROPIC_API_KEY", CANARY).output().unwrap();
        let (stdout, stderr) = text(&output);
        assert!(output.status.success() && !(stdout + &stderr).contains(CANARY), "{manager}");
        let config = desk.home().join(".openclaw/openclaw.json");
        assert!(desk.read(&config).contains(CANARY), "the config has it");
        assert_eq!(config.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let written =
            files(&desk.dir).into_iter().filter(|path| !path.starts_with(desk.home().join(".openclaw")));
        let mut services = 0;
        for path in written {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(CANARY) && !text.contains(TOKEN), "{manager}: {}", path.display());
            services += usize::from(text.contains("OPENCLAW_SERVICE_MARKER"));
        }
        assert_eq!(services, 1, "{manager}");
        assert!(!desk.calls().iter().any(|call| call == "LEAK" || call.contains(CANARY)), "{manager}");
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn r_15b_without_a_bus_the_unit_is_written_and_the_rest_is_told() {
    let desk = Desk::new();
    desk.set("systemctl.rc", "1");
    let told = desk.json(&["gateway", "install"]);
    assert_eq!(told["result"], "written");
    let hints: Vec<&str> = told["hints"].as_array().unwrap().iter().map(|h| h.as_str().unwrap()).collect();
    assert!(hints[0].starts_with("sudo loginctl enable-linger "), "{hints:?}");
    assert_eq!(
        hints[1..],
        ["systemctl --user daemon-reload", "systemctl --user enable --now openclaw-gateway.service"]
    );
    assert!(desk.unit("openclaw-gateway.service").exists());
    // Again, by a user who has no systemctl at all.
    std::fs::remove_file(desk.dir.join("bin/systemctl")).unwrap();
    let mut bare = desk.command(&["gateway", "install", "--force"]);
    let (stdout, _) = text(&bare.env("PATH", desk.dir.join("bin")).output().unwrap());
    assert!(stdout.contains("systemctl --user enable --now openclaw-gateway.service"), "{stdout}");
    // What is installed and waits is told again, not installed again.
    let again = desk.run(&["gateway", "install"]);
    assert_eq!(again.0, 0, "{again:?}");
    assert!(again.1.contains("already installed") && again.1.contains("daemon-reload"), "{again:?}");
}

#[test]
fn r_15d_lingering_is_switched_on_or_asked_for() {
    let desk = Desk::new();
    assert!(desk.ok(&["gateway", "install"]).contains("Enabled lingering for "));
    desk.set("loginctl.rc", "1");
    let (code, _, stderr) = desk.run(&["gateway", "install", "--force"]);
    assert_eq!(code, 0);
    assert!(
        stderr.contains("lingering is disabled") && stderr.contains("sudo loginctl enable-linger "),
        "{stderr}"
    );
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    std::fs::create_dir_all(desk.dir.join("root/var/lib/systemd/linger")).unwrap();
    std::fs::write(desk.dir.join("root/var/lib/systemd/linger").join(user.trim()), "").unwrap();
    desk.calls();
    let (_, _, stderr) = desk.run(&["gateway", "install", "--force"]);
    assert!(!stderr.contains("lingering"), "{stderr}");
    assert!(!desk.calls().iter().any(|call| call.starts_with("loginctl")));
}

#[test]
fn r_26a_profiles_have_services_of_their_own() {
    let desk = Desk::new();
    desk.ok(&["gateway", "install"]);
    desk.ok(&["--profile", "rescue", "gateway", "install"]);
    let unit = desk.read(&desk.unit("openclaw-gateway-rescue.service"));
    assert!(
        unit.contains("Environment=OPENCLAW_PROFILE=rescue\n") && unit.contains("(profile: rescue, v"),
        "{unit}"
    );
    desk.calls();
    desk.ok(&["--profile", "rescue", "gateway", "stop"]);
    assert_eq!(desk.calls(), ["systemctl --user stop openclaw-gateway-rescue.service"]);
    desk.ok(&["--profile", "rescue", "gateway", "uninstall"]);
    assert!(desk.unit("openclaw-gateway.service").exists());
    assert!(!desk.unit("openclaw-gateway-rescue.service").exists());
}

#[test]
fn an_installed_service_is_started_stopped_restarted_and_removed() {
    let desk = Desk::new();
    // N-22: what was not done is no success.
    for (word, want) in [("start", 1), ("stop", 0), ("restart", 1)] {
        let (code, stdout, _) = desk.run(&["gateway", word, "--json"]);
        let told: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &told["ok"], &told["result"]), (want, &json!(want == 0), &json!("not-loaded")));
        let hint =
            if want == 0 { Value::Null } else { json!("Install the service with: openclaw gateway install") };
        assert_eq!(told["hints"][0], hint);
    }
    assert_eq!(desk.json(&["gateway", "uninstall"])["result"], "uninstalled");
    desk.ok(&["gateway", "install"]);
    desk.calls();
    for (word, result) in [("start", "started"), ("restart", "restarted"), ("stop", "stopped")] {
        assert_eq!(desk.json(&["daemon", word])["result"], result);
        assert_eq!(desk.calls(), [format!("systemctl --user {word} openclaw-gateway.service")]);
    }
    desk.set("systemctl.bad", "start");
    let (code, stdout, stderr) = desk.run(&["gateway", "start", "--json"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("\"ok\": false") && stderr.contains("Job failed"), "{stdout}{stderr}");
    assert!(stderr.contains("journalctl --user -u openclaw-gateway.service"), "{stderr}");
    desk.set("systemctl.bad", "none");
    // A journal tells nothing of a manager that does not answer.
    desk.set("systemctl.rc", "1");
    for word in ["start", "stop", "restart"] {
        let (code, _, stderr) = desk.run(&["gateway", word]);
        assert!(code == 1 && !stderr.contains("journalctl"), "{stderr}");
        assert!(
            stderr.contains("foreground: openclaw gateway; ")
                && stderr.contains("sudo loginctl enable-linger "),
            "{stderr}"
        );
    }
    desk.set("systemctl.rc", "0");
    desk.calls();
    assert!(desk.ok(&["gateway", "uninstall"]).contains("Removed systemd service: "));
    assert_eq!(desk.calls()[0], "systemctl --user disable --now openclaw-gateway.service");
    assert!(!desk.unit("openclaw-gateway.service").exists());
}

#[test]
fn n_22_without_a_service_the_gateway_itself_is_restarted_and_stopped() {
    let mut gateway = Gateway::plain();
    let manager = [("OPENCLAW_SERVICE_MANAGER", "systemd-user")];
    let pid = gateway.pid();
    let told = text(&gateway.cli_env(&["gateway", "start"], &manager)).0;
    assert!(told.contains(&format!("A gateway runs already, without a service (pid {pid})")), "{told}");
    let restarted = gateway.cli_env(&["gateway", "restart"], &manager);
    assert!(
        text(&restarted).0.contains("restarts in process") && restarted.status.success(),
        "{restarted:?}"
    );
    wait_for("the restart", || gateway.log().contains("restart").then_some(()));
    assert_eq!(gateway.pid(), pid);
    let stopped = gateway.cli_env(&["gateway", "stop"], &manager);
    assert!(text(&stopped).0.contains(&format!("(pid {pid})")) && stopped.status.success(), "{stopped:?}");
    assert_eq!(gateway.wait(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn n_5_a_restart_that_could_only_fail_leaves_the_gateway_alone() {
    let desk = Desk::new();
    desk.ok(&["gateway", "install"]);
    desk.calls();
    std::fs::write(desk.home().join(".openclaw/openclaw.json"), "{\n  gateway: {mode: 'local'\n").unwrap();
    let (code, _, stderr) = desk.run(&["gateway", "restart"]);
    assert!(code == 78 && stderr.contains("openclaw.json:") && stderr.contains("--force"), "{stderr}");
    assert_eq!(desk.calls(), Vec::<String>::new(), "no manager was asked to do anything");
    let (code, _, stderr) = desk.run(&["gateway", "stop"]);
    assert!(code == 0 && stderr.contains("no gateway would start now"), "{stderr}");
    desk.calls();
    assert_eq!(desk.run(&["gateway", "restart", "--force"]).0, 0);
    assert_eq!(desk.calls(), ["systemctl --user restart openclaw-gateway.service"]);
}

#[test]
fn a_gateway_without_a_service_is_named() {
    let gateway = Gateway::plain();
    // A service whose manager cannot stop it.
    let dir = gateway.dir.join("home/.config/systemd/user");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("openclaw-gateway.service"), "[Service]\nExecStart=/usr/bin/openclaw gateway\n")
        .unwrap();
    let bin = gateway.dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("systemctl"), "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
        .unwrap();
    std::fs::set_permissions(bin.join("systemctl"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let vars = [("OPENCLAW_SERVICE_MANAGER", "systemd-user"), ("PATH", path.as_str())];
    let (told, warned) = text(&gateway.cli_env(&["gateway", "uninstall"], &vars));
    assert!(told.contains("Removed systemd service: "), "{told}{warned}");
    let pid = gateway.pid();
    let want = format!("Failed to connect to bus; the gateway still runs (pid {pid}), stop it: kill {pid}");
    assert!(warned.contains(&want), "{warned}");
}

#[test]
fn a_diagnosis_is_told_with_the_failure_and_again() {
    let desk = Desk::new();
    std::fs::write(desk.home().join(".openclaw/openclaw.json"), "{}").unwrap();
    desk.set("systemctl.bad", "restart");
    let (code, _, stderr) = desk.run(&["gateway", "install"]);
    let doubt = "Warning: gateway.mode is not \"local\"; run: openclaw setup";
    assert!(
        code == 1 && stderr.contains("Gateway install failed: systemctl --user restart"),
        "{code} {stderr}"
    );
    assert!(stderr.lines().any(|line| line == doubt), "{stderr}");
    desk.set("systemctl.out", ENABLED);
    let (code, stdout, stderr) = desk.run(&["gateway", "install"]);
    assert!(code == 0 && stdout.contains("already enabled") && stderr.contains(doubt), "{stdout}{stderr}");
    // For another user's service the fix is that user's too.
    let install = ["gateway", "install", "--manager", "systemd-system", "--user", "nobody"];
    let (_, _, stderr) = desk.run(&install);
    assert!(stderr.contains("run: sudo -u nobody openclaw setup"), "{stderr}");
    desk.set("systemctl.bad", "none");
    // The user stays chosen.
    desk.ok(&["gateway", "install", "--manager", "systemd-system", "--force"]);
    assert!(
        desk.read(&desk.dir.join("root/etc/systemd/system/openclaw-gateway.service"))
            .contains("\nUser=nobody\n")
    );
}

#[test]
fn a_secret_is_not_replaced_in_silence() {
    let desk = Desk::new();
    desk.ok(&["gateway", "install"]);
    desk.set("systemctl.out", ENABLED);
    let told = desk.json(&["gateway", "install", "--token", CANARY]);
    assert_eq!(told["result"], "already-installed");
    assert!(told["warnings"].to_string().contains("gateway.auth.token is now the given one"), "{told}");
    assert_eq!(
        desk.json(&["gateway", "install", "--token", CANARY]).get("warnings"),
        None,
        "it was that already"
    );
    let config = desk.home().join(".openclaw/openclaw.json");
    let broken = json!({"gateway": {"mode": "local", "auth": {"token": TOKEN, "password": "${NO_SUCH}"}}});
    std::fs::write(&config, broken.to_string()).unwrap();
    let (code, _, stderr) = desk.run(&["gateway", "install", "--force", "--token", CANARY]);
    assert!(code == 78 && stderr.contains("the token was stored, but nothing was installed: "), "{stderr}");
}

#[test]
fn doctor_retires_services_of_earlier_names() {
    let desk = Desk::new();
    let old = desk.unit("clawdbot-gateway.service");
    std::fs::create_dir_all(old.parent().unwrap()).unwrap();
    let text = "[Service]\nExecStart=/usr/bin/node /opt/clawdbot/dist/index.js gateway --port 18789\n";
    std::fs::write(&old, text).unwrap();
    let only = ["doctor", "--only", "service.legacy"];
    let fix = [&only[..], &["--fix"]].concat();
    desk.set("systemctl.rc", "1");
    let told = desk.ok(&fix);
    assert!(told.contains("systemctl --user disable --now clawdbot-gateway.service"), "{told}");
    assert!(old.exists() && desk.calls().is_empty(), "nothing is done without a manager");
    desk.set("systemctl.rc", "0");
    assert!(desk.ok(&only).contains("repairs 1 of these") && old.exists());
    desk.calls();
    let told = desk.ok(&fix);
    assert!(told.contains("done: stop and disable clawdbot-gateway.service, backup: ~/"), "{told}");
    assert!(told.contains("No problems found"), "{told}");
    assert_eq!(desk.calls()[0], "systemctl --user disable --now clawdbot-gateway.service");
    assert_eq!((old.exists(), desk.read(&old.with_extension("service.bak"))), (false, text.to_string()));
}

#[test]
fn what_would_keep_the_service_from_running_is_told() {
    let desk = Desk::new();
    let warnings = |desk: &Desk| desk.json(&["gateway", "install", "--force"])["warnings"].to_string();
    assert!(!warnings(&desk).contains("openclaw setup"));
    std::fs::write(desk.home().join(".openclaw/openclaw.json"), "{gateway: {mode: 'local'}}").unwrap();
    assert!(warnings(&desk).contains("--token"));
    std::fs::write(desk.home().join(".openclaw/openclaw.json"), "{}").unwrap();
    assert!(warnings(&desk).contains("openclaw setup"));
    let nix = desk.command(&["gateway", "install"]).env("OPENCLAW_NIX_MODE", "1").output().unwrap();
    assert_eq!(nix.status.code(), Some(1));
    assert!(text(&nix).1.contains("Nix mode detected; service install is disabled."));
}

#[test]
fn sec_36_a_home_that_no_unit_can_hold_is_refused() {
    let desk = Desk::new();
    for (manager, bad) in
        [("systemd-user", "a\nExecStart=/bin/evil"), ("launchd", "a\u{1b}b"), ("systemd-user", "a\\")]
    {
        let home = desk.dir.join(bad);
        let mut install = desk.command(&["gateway", "install", "--manager", manager]);
        let output = install.env("HOME", &home).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{bad:?}");
        assert!(text(&output).1.contains("cannot hold"), "{}", text(&output).1);
        assert!(!home.exists(), "nothing was written");
    }
}

#[test]
fn r_18_launchd_agents() {
    let desk = Desk::new();
    let agents = desk.home().join("Library/LaunchAgents");
    std::fs::create_dir_all(&agents).unwrap();
    for label in ["com.openclaw.gateway", "com.openclaw.rescue", "ai.openclaw.gateway"] {
        std::fs::write(agents.join(format!("{label}.plist")), "<plist>openclaw</plist>").unwrap();
    }
    let launchd = ["--manager", "launchd"];
    let run = |words: &[&str]| desk.json(&[words, &launchd].concat());
    desk.set("launchctl.rc", "0");
    let uid = rustix::process::getuid().as_raw();
    let target = format!("gui/{uid}/bot.molt.gateway");
    let told = run(&["gateway", "install"]);
    assert_eq!(told["service"]["label"], "LaunchAgent");
    assert!(told["warnings"].to_string().contains("ai.openclaw.gateway"), "{told}");
    let plist = agents.join("bot.molt.gateway.plist");
    let calls = desk.calls();
    assert_eq!(calls[0], format!("launchctl bootout gui/{uid}/com.openclaw.gateway"));
    let (enable, bootstrap) =
        (format!("launchctl enable {target}"), format!("launchctl bootstrap gui/{uid} {}", plist.display()));
    assert!(calls.contains(&enable) && calls.contains(&bootstrap), "{calls:?}");
    assert!(!agents.join("com.openclaw.gateway.plist").exists(), "the legacy label is cleaned up");
    assert!(agents.join("com.openclaw.rescue.plist").exists(), "another profile's is not");
    assert!(agents.join("ai.openclaw.gateway.plist").exists(), "nor the Node program's");
    let text = desk.read(&plist);
    let reader = "import plistlib, sys; print(plistlib.load(open(sys.argv[1], 'rb'))['Label'])";
    if let Ok(read) = Command::new("python3").args(["-c", reader]).arg(&plist).output() {
        assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), "bot.molt.gateway", "{read:?}");
    }
    for word in [
        "<string>bot.molt.gateway</string>",
        "OPENCLAW_SERVICE_MARKER",
        "<key>RunAtLoad</key>",
        "SuccessfulExit",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    assert_eq!(run(&["gateway", "install"])["result"], "already-installed");
    desk.calls();
    desk.set("launchctl.out", "\tstate = running\n\tpid = 77\n");
    run(&["gateway", "stop"]);
    assert_eq!(desk.calls(), [format!("launchctl kill TERM {target}")]);
    run(&["gateway", "restart"]);
    assert_eq!(desk.calls(), [format!("launchctl kickstart -k {target}")]);
    run(&["gateway", "start"]);
    assert_eq!(desk.calls(), [format!("launchctl kickstart {target}")]);
    std::fs::create_dir_all(desk.home().join(".Trash")).unwrap();
    run(&["gateway", "uninstall"]);
    assert_eq!(desk.calls(), [format!("launchctl bootout {target}")]);
    assert!(!plist.exists() && desk.home().join(".Trash/bot.molt.gateway.plist").exists());
    run(&["--profile", "rescue", "gateway", "install"]);
    assert!(
        agents.join("bot.molt.rescue.plist").exists() && !agents.join("com.openclaw.rescue.plist").exists()
    );
}

#[test]
fn init_scripts_of_small_systems() {
    let desk = Desk::new();
    let script = desk.dir.join("root/etc/init.d/openclaw-gateway");
    desk.ok(&["gateway", "install", "--manager", "openrc"]);
    assert_eq!(
        desk.calls(),
        ["rc-update add openclaw-gateway default", "rc-service openclaw-gateway restart"]
    );
    assert_eq!(script.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert!(desk.read(&script).starts_with("#!/sbin/openrc-run\n"));
    desk.ok(&["gateway", "stop", "--manager", "openrc"]);
    assert_eq!(desk.calls(), ["rc-service openclaw-gateway stop"]);
    desk.ok(&["gateway", "uninstall", "--manager", "openrc"]);
    assert_eq!(desk.calls(), ["rc-service openclaw-gateway stop", "rc-update del openclaw-gateway default"]);
    // This machine has no procd to read the script, so what is left to do is told.
    let told = desk.json(&["gateway", "install", "--manager", "procd"]);
    assert!(desk.read(&script).starts_with("#!/bin/sh /etc/rc.common\n"));
    assert_eq!(
        told["hints"],
        json!([format!("{} enable", script.display()), format!("{} restart", script.display())])
    );
    let checked = Command::new("sh").arg("-n").arg("-c").arg(desk.read(&script)).status().unwrap();
    assert!(checked.success(), "the shell reads it");
}

/// systemd's own reader finds nothing to complain about, also in a home with an odd name, and its own judgement of
/// both units is what `docs/operate.md` says (R-04d).
#[test]
fn systemd_accepts_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    for home in ["home", "a b %h $x \"q\" 's"] {
        let desk = Desk::new();
        let home = desk.dir.join(home);
        std::fs::create_dir_all(&home).unwrap();
        // systemd itself takes no program with a quote in its path.
        let programs = desk.dir.join("p 100% $x");
        std::fs::create_dir_all(&programs).unwrap();
        let program = programs.join("openclaw");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_openclaw"), &program).unwrap();
        for manager in ["systemd-user", "systemd-system"] {
            let mut install = desk.command(&["gateway", "install", "--manager", manager]);
            install
                .env("HOME", &home)
                .env("PATH", format!("{}:{}", programs.display(), desk.dir.join("bin").display()));
            let (stdout, stderr) = text(&install.output().unwrap());
            let user = manager == "systemd-user";
            let dir = if user {
                home.join(".config/systemd/user")
            } else {
                desk.dir.join("root/etc/systemd/system")
            };
            let unit = dir.join("openclaw-gateway.service");
            assert!(unit.exists(), "{stdout}{stderr}");
            let scope = if user { "--user" } else { "--system" };
            let runtime = desk.dir.join("run");
            std::fs::create_dir_all(&runtime).unwrap();
            let analyze = |args: &[&str]| {
                let mut analyze = Command::new("systemd-analyze");
                analyze.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home).env("LC_ALL", "C");
                text(&analyze.env("XDG_RUNTIME_DIR", &runtime).args(args).arg(&unit).output().unwrap())
            };
            let (said, complaints) = analyze(&[scope, "verify", "--man=no", "--recursive-errors=no"]);
            assert_eq!((said.as_str(), complaints.as_str()), ("", ""), "{}", desk.read(&unit));
            let (said, _) = analyze(&["security", "--offline=true", "--no-pager"]);
            let exposure = said.rsplit("openclaw-gateway.service: ").next().and_then(|t| t.split(' ').next());
            let exposure: f64 = exposure.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{said}"));
            // What the user's manager could not do would keep the gateway from starting.
            // N-29: a system unit is rated by whom it runs as.
            let (most, manual) = match (user, rustix::process::getuid().is_root()) {
                (true, _) => (6.25, "6.2"),
                (false, true) => (3.0, "1.9 where it"),
                (false, false) => (3.0, "1.6 ("),
            };
            assert!(exposure < most, "{said}");
            assert!(include_str!("../docs/operate.md").contains(manual));
        }
    }
}

// S-L11: without a umask nobody else may write beside the unit.
#[test]
fn s_l11_directories_of_units_are_nobody_else_s() {
    let desk = Desk::new();
    let mut install = Command::new("/bin/sh");
    let like = desk.command(&["gateway", "install"]);
    install.args(["-c", "umask 0; exec \"$@\"", "sh"]).arg(like.get_program()).args(like.get_args());
    install.env_clear();
    for (name, value) in like.get_envs() {
        install.env(name, value.unwrap_or_default());
    }
    let output = install.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let path = desk.unit("openclaw-gateway.service");
    for dir in path.ancestors().skip(1).take(3) {
        let mode = dir.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o022, 0, "{mode:o} {}", dir.display());
    }
}

#[test]
fn r_15e_the_service_manager_hears_of_ready_alive_and_stopping() {
    let dir = new_dir();
    let path = dir.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let heard = |word: &str| {
        let mut bytes = [0; 200];
        loop {
            let count = socket.recv(&mut bytes).unwrap_or_else(|e| panic!("waited for {word}: {e}"));
            if bytes[..count].starts_with(word.as_bytes()) {
                return;
            }
        }
    };
    let setup = Setup::default().env("NOTIFY_SOCKET", path.to_str().unwrap()).env("WATCHDOG_USEC", "200000");
    let mut gateway = Gateway::start(&setup);
    heard("READY=1");
    heard("WATCHDOG=1");
    heard("WATCHDOG=1");
    assert_eq!(gateway.stop().0, 0);
    heard("STOPPING=1");
    std::fs::remove_dir_all(dir).unwrap();
}
