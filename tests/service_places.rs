//! Issue 16, sentence 5: what the service managers of small systems run is told apart from what somebody started by
//! hand; services that came with a package are used, never written or removed.
use super::harness::gateway::free_port;
use super::harness::*;
use super::service::{Desk, ENABLED};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

fn script(path: &std::path::Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A gateway whose parent has the name of a supervisor, as procd and OpenRC's have theirs.
fn supervised(desk: &Desk, name: &str) -> (Child, u32) {
    let supervisor = desk.dir.join("supervisors").join(name);
    script(&supervisor, "#!/bin/sh\ntrap 'kill $!' TERM\n\"$@\" &\nwait\nwait\n");
    let port = free_port().to_string();
    let gateway = desk.command(&["gateway", "--port", &port]);
    let mut command = Command::new(supervisor);
    command.arg(gateway.get_program()).args(gateway.get_args()).env_clear();
    command.envs(gateway.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = desk.dir.join("home/.openclaw/gateway/gateway.lock");
    let pid = wait_for("the gateway", || std::fs::read_to_string(&lock).ok()?.trim().parse().ok());
    (child, pid)
}

fn end(mut child: Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    child.wait().unwrap();
}

#[test]
fn i16_5_the_process_of_openrc_and_procd_is_the_service_s() {
    for (manager, name) in [("openrc", "supervise-daemon"), ("procd", "procd")] {
        for supervisor in [name, "sh-by-hand"] {
            let desk = Desk::new();
            script(&desk.dir.join("root/etc/init.d/openclaw-gateway"), "#!/bin/sh\nexit 0\n");
            let (child, pid) = supervised(&desk, supervisor);
            let status = desk.command(&["gateway", "status", "--no-probe"]);
            let told = { status }.env("OPENCLAW_SERVICE_MANAGER", manager).output().unwrap();
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            let is_own = supervisor == name;
            assert_eq!(told.contains(&format!("running (pid {pid}")), is_own, "{manager}: {told}");
            assert_eq!(
                told.contains(&format!("pid {pid}, ")) && told.contains("not by the service"),
                !is_own
            );
            end(child);
        }
    }
}

const PACKAGED: &str = "# Comes with a package; to remove it: apt remove openclaw\n[Service]\n\
    ExecStart=/usr/bin/openclaw gateway\nEnvironment=OPENCLAW_SERVICE_MARKER=openclaw\n";

#[test]
fn i16_4_a_package_s_unit_is_used_and_neither_written_nor_removed() {
    let desk = Desk::new();
    let unit = desk.dir.join("root/usr/lib/systemd/system/openclaw-gateway.service");
    script(&unit, PACKAGED);
    desk.set("systemctl.out", ENABLED);
    let seen = desk.json(&["gateway", "status", "--no-probe"]);
    assert_eq!(seen["service"]["command"]["sourcePath"], unit.display().to_string(), "{seen}");
    assert_eq!(seen["service"]["configAudit"]["ok"], true, "its own settings are no difference");
    desk.calls();
    desk.ok(&["gateway", "restart"]);
    assert_eq!(desk.calls(), ["systemctl restart openclaw-gateway.service"]);
    let (code, _, told) = desk.run(&["gateway", "uninstall"]);
    assert!(code != 0 && told.contains("nothing was removed; to remove it: apt remove openclaw"), "{told}");
    let (code, _, told) = desk.run(&["uninstall", "--purge", "--yes"]);
    assert!(code != 0 && told.contains("apt remove openclaw"), "{told}");
    assert_eq!(desk.read(&unit), PACKAGED);
    assert!(desk.dir.join("home/.openclaw/openclaw.json").exists());
    // One of the administrator's own goes before it, as systemd has it.
    let told = desk.json(&["gateway", "install", "--manager", "systemd-system"]);
    let warned = told["warnings"].to_string();
    assert!(warned.contains("takes the place of the package's"), "{told}");
    assert!(
        desk.ok(&["gateway", "uninstall", "--manager", "systemd-system"])
            .contains("etc/systemd/system/openclaw-gateway")
    );
}

#[test]
fn i16_4_a_package_s_init_script_is_enabled_but_not_written() {
    let desk = Desk::new();
    let path = desk.dir.join("root/etc/init.d/openclaw-gateway");
    let text = "#!/sbin/openrc-run\n# Comes with a package; to remove it: /usr/share/openclaw/disable\n";
    script(&path, text);
    desk.ok(&["gateway", "install", "--manager", "openrc"]);
    let calls = desk.calls();
    assert_eq!(calls, ["rc-update add openclaw-gateway default", "rc-service openclaw-gateway restart"]);
    for refused in [
        ["gateway", "uninstall", "--manager", "openrc"].as_slice(),
        &["gateway", "install", "--force", "--manager", "openrc"],
    ] {
        let (code, _, told) = desk.run(refused);
        assert!(code != 0 && told.contains("/usr/share/openclaw/disable"), "{told}");
    }
    assert_eq!(desk.read(&path), text);
}

/// What a restart is judged by is what the service reads, whoever asks for it.
#[test]
fn i16_5_a_restart_is_judged_by_the_service_s_own_configuration() {
    let desk = Desk::new();
    let (own, others) = (desk.dir.join("home/.openclaw/openclaw.json"), desk.dir.join("service"));
    std::fs::create_dir_all(others.join(".openclaw")).unwrap();
    let config = others.join(".openclaw/openclaw.json");
    std::fs::copy(&own, &config).unwrap();
    std::fs::write(&own, "{").unwrap();
    let home = others.display();
    for (manager, unit, text) in [
        (
            "systemd-system",
            "usr/lib/systemd/system/openclaw-gateway.service",
            format!("{PACKAGED}Environment=HOME={home}\n"),
        ),
        ("openrc", "etc/init.d/openclaw-gateway", format!("#!/sbin/openrc-run\nexport HOME='{home}'\n")),
    ] {
        let good = std::fs::read_to_string(&config).unwrap();
        script(&desk.dir.join("root").join(unit), &text);
        desk.ok(&["gateway", "restart", "--manager", manager]);
        assert!(desk.calls().iter().any(|call| call.contains("restart")), "{manager}");
        std::fs::write(&config, "{").unwrap();
        let (code, _, told) = desk.run(&["gateway", "restart", "--manager", manager]);
        assert!(code == 78 && told.contains(&config.display().to_string()), "{manager}: {told}");
        assert_eq!(desk.calls(), Vec::<String>::new());
        std::fs::write(&config, good).unwrap();
    }
}
