//! What `make` builds, it finds: wherever cargo was told to put it.
use crate::harness::gateway::new_dir;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// `make TARGET` with a cargo that builds nothing and names `binary` as what it built.
fn make(dir: &Path, binary: &str, arguments: &[&str]) -> Output {
    let cargo = dir.join("cargo");
    let artifact =
        r#"{"reason":"compiler-artifact","target":{"name":"openclaw"},"executable":"BINARY","fresh":true}"#;
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--message-format=json*) cat <<'J'\n{{\"reason\":\"compiler-artifact\",\"executable\":null}}\n{}\nJ\nesac\n",
        artifact.replace("BINARY", binary)
    );
    std::fs::write(&cargo, script).unwrap();
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).unwrap();
    let mut make = Command::new("make");
    make.arg(format!("CARGO={}", cargo.display())).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").output().unwrap()
}

#[test]
fn n_7_what_was_built_is_installed_and_tried_wherever_cargo_put_it() {
    let dir = new_dir();
    let built = dir.join("other target/release");
    std::fs::create_dir_all(&built).unwrap();
    let binary = built.join("openclaw");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_openclaw"), &binary).unwrap();
    let to = dir.join("image root");
    let named = binary.to_str().unwrap();
    let install = make(&dir, named, &["install", &format!("DESTDIR={}", to.display()), "PREFIX=/opt/x"]);
    assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
    let copy = to.join("opt/x/bin/openclaw");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o755);
    let demo = make(&dir, named, &["demo"]);
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success() && said.contains("The gateway stopped cleanly."), "{said}");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn n_7_a_cargo_that_names_no_program_is_told_at_once() {
    let dir = new_dir();
    for target in ["demo", "install", "interop", "test-llm", "test-sdk"] {
        let output = make(&dir, "/nowhere/openclaw", &[target, "DESTDIR=/nowhere"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("cargo names no program"), "{target}: {said}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}
