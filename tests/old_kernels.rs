//! Kernels that lack what newer ones have: a filter answers "no such call" for it, as they would. The oldest that Rust's
//! library runs upon is 3.2, so that is the oldest here.
use crate::exec;
use crate::harness::*;

/// Linux 3.2 ends with `process_vm_writev`; behind it are getrandom, memfd_create, copy_file_range, statx, rseq, pidfd_open,
/// clone3, close_range, openat2, faccessat2, Landlock and all that is still to come.
const FIRST_AFTER_3_2: u32 = 312;
const INOTIFY: [u32; 2] = [253, 294];

/// `without.py FIRST [CALL...] -- PROGRAM...`: calls from FIRST on and these fail with ENOSYS.
const WITHOUT: &str = r#"
import ctypes, os, struct, sys
end = sys.argv.index("--")
first, *others = map(int, sys.argv[1:end])
steps = [(0x20, 0, 0, 0), (0x35, len(others) + 1, 0, first)]
for at, call in enumerate(others):
    steps.append((0x15, len(others) - at, 0, call))
steps += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050000 | 38)]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
held = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(held)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
"#;

fn start(missing: &[u32], config: Value) -> Gateway {
    let numbers = std::iter::once(FIRST_AFTER_3_2).chain(missing.iter().copied()).map(|n| n.to_string());
    let words = ["/usr/bin/env", "python3", "-c", WITHOUT].map(str::to_string);
    let under = words.into_iter().chain(numbers).chain(["--".to_string()]).collect();
    Gateway::start(&Setup { under, ..Setup::config(config) })
}

#[test]
fn i16_2_a_kernel_of_3_2_is_enough() {
    let mut config: Value = serde_json::from_str(exec::FULL).unwrap();
    merge(&mut config, &json!({"commands": {"restart": true}}));
    let mut gateway = start(&[], config);
    let mut client = Client::operator(&gateway, 4);
    client.ok("health", json!({}));
    // Without openat2 the path is walked; the way out stays closed.
    client.ok("agents.files.set", json!({"agentId": "main", "name": "USER.md", "content": "Ada"}));
    let read = client.ok("agents.files.get", json!({"agentId": "main", "name": "USER.md"}));
    assert_eq!(read["file"]["content"], "Ada");
    let workspace = exec::workspace(&gateway);
    std::fs::write(gateway.dir.join("outside"), "told to nobody").unwrap();
    std::fs::remove_file(workspace.join("USER.md")).unwrap();
    std::os::unix::fs::symlink(gateway.dir.join("outside"), workspace.join("USER.md")).unwrap();
    client.fails("agents.files.get", json!({"agentId": "main", "name": "USER.md"}));
    // Without close_range and descriptors of processes, a command runs, ends, and takes its children along.
    let (is_error, said) = exec::exec(&gateway, "sleep 300 >/dev/null 2>&1 & echo $!");
    assert!(!is_error, "{said}");
    wait_for("the child of an ended command to be gone", || (!exec::is_alive(&said)).then_some(()));
    // A turn, a reload, a restart, the end.
    let answer = gateway.cli(&["agent", "-m", "hi"]);
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
    merge(&mut config, &json!({"ui": {"assistant": {"name": "Ada"}}}));
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    client.event("config.changed");
    let times = |gateway: &Gateway| gateway.log().matches("listening on").count();
    let before = times(&gateway);
    gateway.signal(rustix::process::Signal::USR1);
    wait_for("the restart", || (times(&gateway) > before).then_some(()));
    assert_eq!(gateway.stop().0, 0);
}

#[test]
fn i16_2_where_changes_are_not_told_the_files_are_looked_at() {
    let mut gateway = start(&INOTIFY, json!({}));
    let mut client = Client::operator(&gateway, 4);
    assert!(gateway.log().contains("does not tell of changes"), "{}", gateway.log());
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(gateway.config_path()).unwrap()).unwrap();
    merge(&mut config, &json!({"ui": {"assistant": {"name": "Ada"}}}));
    std::fs::write(gateway.config_path(), config.to_string()).unwrap();
    client.event("config.changed");
    assert_eq!(client.ok("agent.identity.get", json!({}))["name"], "Ada");
    assert_eq!(gateway.stop().0, 0);
}
