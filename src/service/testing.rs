//! A home directory for the tests of services: without a service manager, and apart from this machine's own files.
use crate::env::Env;
use std::path::PathBuf;

/// The directory and an environment in which it is home. The test removes it.
pub fn home(name: &str) -> (PathBuf, Env) {
    let home = std::env::temp_dir().join(format!("inspect-{name}-{}", std::process::id()));
    std::fs::create_dir_all(home.join(".config/systemd/user")).unwrap();
    let vars =
        [("HOME", home.to_str().unwrap()), ("PATH", "/nowhere"), ("OPENCLAW_SERVICE_ROOT", "/nowhere")];
    (home.clone(), Env::from_vars(vars.map(|(k, v)| (k.to_string(), v.to_string())), None).unwrap())
}
