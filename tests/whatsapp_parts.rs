//! The parts of `openclaw-whatsapp` that need none of its crates: their own tests run here too.
#[allow(dead_code)]
#[path = "../whatsapp/exec.rs"]
mod exec;
#[allow(dead_code)]
#[path = "../whatsapp/store/log.rs"]
mod log;
#[allow(dead_code)]
#[path = "../whatsapp/words.rs"]
mod words;

/// R-56c: its crates are built for nothing else.
#[test]
fn r_56c_no_crate_of_whatsapp_is_in_the_gateway() {
    let args = ["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--manifest-path"];
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let out = cargo.args(args).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success() && text.contains("serde_json "), "{}", String::from_utf8_lossy(&out.stderr));
    let own = ["whatsapp-rust", "wacore", "waproto", "buffa", "qrcodegen"];
    let found: Vec<&str> =
        text.lines().filter(|line| own.iter().any(|name| line.starts_with(name))).collect();
    assert!(found.is_empty(), "{found:?}");
}
