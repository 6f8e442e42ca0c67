//! How paths are shown.
use crate::harness::*;

// N-43: one rule for paths below the home directory: `~/x` for people, whole in JSON.
#[test]
fn n_43_no_output_mixes_absolute_and_short_paths() {
    let gateway = Gateway::plain();
    let home = gateway.dir.join("home").display().to_string();
    std::fs::create_dir_all(gateway.dir.join("home/.openclaw/workspace")).unwrap();
    let said = |args: &[&str]| {
        let (stdout, stderr) = crate::cli::text(&gateway.cli(args));
        stdout + &stderr
    };
    for args in [
        &["status", "--all", "--deep", "--usage"][..],
        &["gateway", "status", "--deep"],
        &["gateway", "status", "--system"],
        &["gateway", "probe"],
        &["doctor"],
        &["doctor", "--fix"],
        &["security", "audit"],
        &["agents", "list"],
        &["sessions"],
        &["sessions", "--store", "~/nothing.json"],
        &["sessions", "--store", "~/.openclaw"],
        &["models"],
        &["models", "list"],
        &["health", "--verbose"],
        &["devices", "list", "--local"],
        &["config", "validate"],
        &["config", "set", "ui.assistant.name", "Zed"],
        &["config", "diff", "~/nothing.json5"],
        &["backup", "create", "--dry-run"],
        &["backup", "verify", "~/nothing.tar.gz"],
        &["agents", "add", "ops", "--workspace", "~/ops"],
        &["agents", "set-identity", "--workspace", "~/other", "--name", "Z"],
        &["agents", "set-identity", "--identity-file", "~/nothing.md"],
        &["agents", "delete", "ops"],
        &["agents", "delete", "ops", "--force"],
        &["setup", "--non-interactive"],
    ] {
        let told = said(args);
        assert!(!told.contains(&home), "{args:?} {told}");
    }
    assert!(said(&["status", "--json"]).contains(&format!("\"{home}/.openclaw\"")));
    // For `$(openclaw config file)`, where no shell expands a `~`.
    assert!(said(&["config", "file"]).starts_with(&home));
}
