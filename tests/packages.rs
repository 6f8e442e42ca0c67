//! Issue 16, sentence 4: what the packages are made of. `make dist` and `make dist-test` make and try them; here is what
//! can be known without: recipes name files that exist, scripts are read by a shell, OpenWrt's options become the
//! gateway's configuration, and `install.sh` writes what it names.
use super::harness::gateway::{command, free_port, new_dir};
use super::harness::*;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(HERE).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

#[test]
fn i16_4_recipes_name_files_that_exist_and_scripts_that_a_shell_reads() {
    let maker = text("packaging/dist.sh");
    for recipe in ["packaging/deb.yaml", "packaging/openwrt.yaml"] {
        let recipe = text(recipe);
        let places = recipe.lines().filter_map(|line| {
            let line = line.trim().trim_start_matches("- { ");
            let (key, rest) = line.split_once(": ")?;
            let is_script =
                matches!(key, "postinstall" | "preremove" | "postremove" | "preupgrade" | "postupgrade");
            (key == "src" || is_script).then(|| rest.split(',').next().unwrap().trim_matches('"').to_string())
        });
        let places: Vec<String> = places.collect();
        assert!(places.len() > 8, "{places:?}");
        for place in places {
            match place.strip_prefix("${MADE}/") {
                // `dist.sh` makes them: by their own names, or the texts together.
                Some(made) => assert!(maker.contains(made.trim_end_matches(".gz")), "{made}"),
                None => assert!(Path::new(HERE).join(&place).is_file(), "{place}"),
            }
        }
    }
    for file in files(&Path::new(HERE).join("packaging")) {
        let first = std::fs::read_to_string(&file).unwrap().lines().next().unwrap_or_default().to_string();
        let shell = if first.contains("bash") { "bash" } else { "sh" };
        if file.extension().is_some_and(|end| end == "sh") || first.starts_with("#!/bin/sh") {
            let read = Command::new(shell).arg("-n").arg(&file).output().unwrap();
            assert!(read.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&read.stderr));
        }
    }
    // What a tool outside of the packages goes by.
    assert!(text("packaging/openwrt/init").contains("\n# Comes with a package; to remove it: "));
    assert!(maker.contains("# Comes with a package; to remove it: $2"));
}

/// The stand-in of OpenWrt's `rc.common`: options are variables `UCI_<option>`, what procd is told is printed.
const FRAME: &str = r#"
config_load() { [ "$1" = openclaw ] || exit 9; }
config_foreach() { "$1" main; }
config_get() { eval "$1=\"\${UCI_$3:-${4:-}}\""; }
config_get_bool() { config_get "$@"; }
procd_open_instance() { echo "open $1"; }
procd_set_param() { echo "$@"; }
procd_close_instance() { echo close; }
logger() { echo "$*" >&2; }
set -u
. "$0"
start_service
"#;

fn start(dir: &Path, options: &[(&str, &str)]) -> Output {
    let mut script = Command::new("sh");
    script.args(["-c", FRAME]).arg(Path::new(HERE).join("packaging/openwrt/init")).env_clear();
    script.env("PATH", "/usr/bin:/bin").env("OPENCLAW_PROG", env!("CARGO_BIN_EXE_openclaw"));
    script.env("UCI_state_dir", dir.join("state"));
    script.envs(options.iter().map(|(name, value)| (format!("UCI_{name}"), value))).output().unwrap()
}

#[test]
fn i16_4_openwrt_s_options_become_the_gateway_s_configuration() {
    let dir = new_dir();
    let state = dir.join("state");
    let config = || -> Value {
        serde_json::from_str(&std::fs::read_to_string(state.join("openclaw.json")).unwrap()).unwrap()
    };
    let off = start(&dir, &[("enabled", "0")]);
    assert!(off.stdout.is_empty() && !state.exists(), "what is disabled makes nothing");

    let first = start(&dir, &[]);
    let said = String::from_utf8_lossy(&first.stdout).into_owned();
    assert!(first.stderr.is_empty(), "{}", String::from_utf8_lossy(&first.stderr));
    let want = format!("command {} gateway\n", env!("CARGO_BIN_EXE_openclaw"));
    assert!(said.starts_with("open main\n") && said.contains(&want) && said.ends_with("close\n"), "{said}");
    assert!(said.contains(&format!("OPENCLAW_STATE_DIR={} ", state.display())), "{said}");
    assert!(said.contains("\nstdout 1\nstderr 1\n"), "its lines go to logread: {said}");
    let made = config();
    let token = made["gateway"]["auth"]["token"].as_str().unwrap().to_string();
    assert!(token.len() >= 32 && !said.contains(&token));
    assert_eq!(made["agents"]["defaults"]["workspace"], state.join("workspace").display().to_string());
    for (path, mode) in [(state.clone(), 0o700), (state.join("openclaw.json"), 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }

    let port = free_port();
    let number = port.to_string();
    let log = dir.join("log/openclaw.log").display().to_string();
    let secret = dir.join("token");
    std::fs::write(&secret, "a token of the owner's own, in a file").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let secret = secret.display().to_string();
    start(&dir, &[("port", &number), ("bind", "loopback"), ("log_file", &log), ("token_file", &secret)]);
    let set = config();
    assert_eq!((&set["gateway"]["port"], &set["gateway"]["bind"]), (&json!(port), &json!("loopback")));
    assert_eq!(
        (&set["logging"]["file"], &set["gateway"]["auth"]["tokenFile"]),
        (&json!(log), &json!(secret))
    );
    assert_eq!(set["gateway"]["auth"]["token"], token.as_str(), "what is not named stays");
    let bad = start(&dir, &[("bind", "everywhere")]);
    let told = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(
        told.contains("/etc/config/openclaw: option bind 'everywhere': ") && told.contains("gateway.bind"),
        "{told}"
    );
    assert_eq!(config(), set, "it goes on with what it has");
    assert!(String::from_utf8_lossy(&bad.stdout).ends_with("close\n"));

    let mut gateway = command(&dir);
    gateway.env("OPENCLAW_STATE_DIR", &state).args(["config", "unset", "gateway.auth.tokenFile"]);
    assert!(gateway.output().unwrap().status.success(), "commands are about the same gateway");
    assert!(config()["gateway"]["auth"]["tokenFile"].is_null());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn i16_4_install_sh_writes_what_it_names_and_nothing_else() {
    let dir = new_dir();
    let unpacked = dir.join("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    std::fs::copy(Path::new(HERE).join("packaging/tarball/install.sh"), unpacked.join("install.sh")).unwrap();
    for name in ["openclaw.1", "openclaw.bash", "_openclaw", "openclaw.fish"] {
        std::fs::write(unpacked.join(name), name).unwrap();
    }
    let program = |status: u8| {
        std::fs::write(unpacked.join("openclaw"), format!("#!/bin/sh\nexit {status}\n")).unwrap();
        std::fs::set_permissions(unpacked.join("openclaw"), PermissionsExt::from_mode(0o755)).unwrap();
    };
    let prefix = dir.join("a prefix");
    let run = |words: &[&str]| {
        let mut install = Command::new("sh");
        install.arg("install.sh").arg("--prefix").arg(&prefix).args(words).current_dir(&unpacked);
        let output = install
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", dir.join("nobody"))
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let named = |said: &str, word: &str| {
        let mut named: Vec<PathBuf> =
            said.lines().filter_map(|line| line.strip_prefix(word)).map(PathBuf::from).collect();
        named.sort();
        named
    };

    program(1);
    let (is_done, said) = run(&[]);
    assert!(!is_done && said.contains("for another processor") && !prefix.exists(), "{said}");
    program(0);
    let (_, would) = run(&["--dry-run"]);
    assert!(named(&would, "install ").len() == 5 && !prefix.exists(), "{would}");
    let (is_done, said) = run(&[]);
    assert!(is_done && said.contains("is not in your PATH"), "{said}");
    assert_eq!(files(&prefix), named(&said, "install "));
    assert_eq!(named(&would, "install "), named(&said, "install "));
    let mode = prefix.join("bin/openclaw").metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o755);
    assert!(!dir.join("nobody").exists(), "a home is left alone");
    // A second one replaces the first, and what is not its own stays.
    std::fs::write(prefix.join("bin/other"), "").unwrap();
    assert!(run(&[]).0);
    let (_, gone) = run(&["--uninstall"]);
    assert_eq!(named(&gone, "remove ").len(), 5, "{gone}");
    assert_eq!(files(&prefix), [prefix.join("bin/other")]);
    let (is_done, said) = run(&["--prefx"]);
    assert!(!is_done && said.contains("unknown option: --prefx"), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}
