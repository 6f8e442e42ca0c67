//! A gateway elsewhere: `wss://` with and without a pin, remote mode, the SSH tunnel of `gateway probe`.
//!
//! TLS ends in a relay of this file, as in a reverse proxy; `ssh` is a stand-in on PATH, and where sshd is
//! installed also a real one on loopback.
use crate::cli::text;
use crate::harness::*;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

/// As `openssl x509 -in tests/data/tls-cert.pem -noout -fingerprint -sha256` prints it.
const PIN: &str =
    "D0:00:B6:DD:A1:01:12:71:5E:6B:95:5C:4D:C5:F4:D2:1A:31:02:5E:99:D3:43:39:AF:FA:13:BF:4D:E5:39:5F";

fn pin() -> String {
    format!("sha256:{}", PIN.replace(':', "").to_lowercase())
}

/// Runs `work` beside the test until the process ends.
fn background(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().spawn(work).unwrap();
}

/// A TLS relay to `port` with the test certificate; gives its own port.
pub fn tls_relay(port: u16) -> u16 {
    tls_relay_as(port, include_bytes!("data/tls-cert.pem"), include_bytes!("data/tls-key.pem"))
}

/// The same with this certificate.
pub fn tls_relay_as(port: u16, certificate: &[u8], key: &[u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    background(move || {
        for client in listener.incoming() {
            let (client, config) = (client.unwrap(), config.clone());
            background(move || drop(relay_tls(client, config, port)));
        }
    });
    own
}

/// One thread for both ways: each side is read for a few milliseconds at a time.
fn relay_tls(client: TcpStream, config: Arc<ServerConfig>, port: u16) -> io::Result<()> {
    let mut connection = ServerConnection::new(config).unwrap();
    let mut client = client;
    connection.complete_io(&mut client)?;
    let mut gateway = TcpStream::connect(("127.0.0.1", port))?;
    for stream in [&client, &gateway] {
        stream.set_read_timeout(Some(Duration::from_millis(2)))?;
    }
    let mut tls = StreamOwned::new(connection, client);
    let mut buffer = [0; 16 << 10];
    loop {
        match tls.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => gateway.write_all(&buffer[..n])?,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        match gateway.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                tls.write_all(&buffer[..n])?;
                tls.flush()?;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

/// A home whose config points at a gateway elsewhere.
fn home(remote: Value) -> PathBuf {
    let dir = gateway::new_dir();
    let mut remote = remote;
    // The port of the gateway there is this key's, as for one here.
    let port = remote.as_object_mut().unwrap().remove("port").unwrap_or(json!(18789));
    let config = json!({"gateway": {"mode": "remote", "port": port, "remote": remote}});
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    dir
}

fn run(dir: &Path, args: &[&str]) -> Output {
    gateway::command(dir).args(args).stdin(Stdio::null()).output().unwrap()
}

/// What a command that must succeed printed.
fn out(output: &Output) -> String {
    let (stdout, stderr) = text(output);
    assert!(output.status.success(), "{:?}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// What a command that must fail with `code` complained of.
fn fails(output: &Output, code: i32) -> String {
    let (stdout, stderr) = text(output);
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
    stderr
}

#[test]
fn every_kind_of_command_works_over_wss_with_a_pin() {
    let gateway = Gateway::plain();
    let url = format!("wss://127.0.0.1:{}", tls_relay(gateway.port));
    let dir = home(json!({"url": url, "token": TOKEN, "tlsFingerprint": PIN}));
    for line in
        ["health", "status", "devices list", "logs --limit 1", "gateway call health", "gateway status"]
    {
        let args: Vec<&str> = line.split(' ').collect();
        let text = out(&run(&dir, &args));
        assert!(!text.contains("Fix:"), "{line}: {text}");
    }
    let probe: Value = serde_json::from_str(&out(&run(&dir, &["gateway", "probe", "--json"]))).unwrap();
    assert_eq!(
        (&probe["primaryTargetId"], &probe["targets"][0]["url"]),
        (&json!("configRemote"), &json!(url))
    );
    // More than one TLS record, in both directions.
    let big = json!({"agentId": "main", "name": "TOOLS.md", "content": "x".repeat(100_000)}).to_string();
    out(&run(&dir, &["gateway", "call", "agents.files.set", "--params", &big]));
    let get = json!({"agentId": "main", "name": "TOOLS.md"}).to_string();
    let got = out(&run(&dir, &["gateway", "call", "agents.files.get", "--params", &get]));
    assert!(got.contains(&"x".repeat(100_000)));
}

#[test]
fn s_l5_no_command_shows_the_query_of_an_address() {
    let gateway = Gateway::plain();
    let url = format!("wss://127.0.0.1:{}/?token=canary-1&v=canary-2", tls_relay(gateway.port));
    let dir = home(json!({"url": url, "token": TOKEN, "tlsFingerprint": PIN}));
    let other = ["--url", url.as_str(), "--token", "wrong", "--timeout", "3000"];
    for line in [
        "gateway probe",
        "status",
        "status --all",
        "health",
        "gateway status",
        "doctor",
        "devices list",
        "config get gateway",
    ] {
        for json in [&[][..], &["--json"]] {
            let args: Vec<&str> = line.split(' ').chain(json.iter().copied()).collect();
            let (stdout, stderr) = text(&run(&dir, &args));
            assert!(!stdout.contains("canary") && !stderr.contains("canary"), "{args:?}: {stdout}\n{stderr}");
            if line != "gateway probe" && line != "health" {
                continue;
            }
            let (stdout, stderr) = text(&run(&dir, &[&args[..], &other].concat()));
            assert!(!stdout.contains("canary") && !stderr.contains("canary"), "{args:?}: {stdout}\n{stderr}");
        }
    }
    // Nor what may be a password in it, though no command connects with that.
    let user = home(json!({"url": "ws://user:can/ary-canary@127.0.0.1:1", "token": TOKEN}));
    for line in
        ["status --json", "status --all", "doctor", "gateway status", "config get gateway", "devices list"]
    {
        let (stdout, stderr) = text(&run(&user, &line.split(' ').collect::<Vec<_>>()));
        assert!(!stdout.contains("canary") && !stderr.contains("canary"), "{line}: {stdout}\n{stderr}");
    }
    out(&run(
        &dir,
        &["gateway", "diagnostics", "export", "--output", &dir.join("all.tar").to_string_lossy()],
    ));
    let all = std::fs::read(dir.join("all.tar")).unwrap();
    assert!(!String::from_utf8_lossy(&all).contains("canary"));
}

#[test]
fn a_certificate_that_is_not_the_pinned_one() {
    let gateway = Gateway::plain();
    let url = format!("wss://127.0.0.1:{}", tls_relay(gateway.port));
    let other = "ab".repeat(32);
    let dir = home(json!({"url": url, "token": TOKEN, "tlsFingerprint": other}));
    let error = fails(&run(&dir, &["health"]), 1);
    let want = format!("gateway tls fingerprint mismatch: expected sha256:{other}, got {}", pin());
    assert!(error.contains(&want) && error.contains("\nFix: ") && !error.contains(TOKEN), "{error}");
    // The option has the last word.
    out(&run(&dir, &["health", "--tls-fingerprint", PIN]));
}

#[test]
fn a_certificate_nobody_vouches_for_is_refused_with_the_way_to_pin_it() {
    let gateway = Gateway::plain();
    let url = format!("wss://localhost:{}", tls_relay(gateway.port));
    let dir = home(json!({"url": url, "token": TOKEN}));
    let error = fails(&run(&dir, &["health"]), 1);
    assert!(
        error.contains("gateway tls certificate is not trusted: no public authority signed it"),
        "{error}"
    );
    let advice = format!("--tls-fingerprint {}", pin());
    assert!(error.contains(&advice) && error.contains("gateway.remote.tlsFingerprint"), "{error}");
    // What it advises works as it stands.
    out(&run(&dir, &["health", "--tls-fingerprint", &pin()]));
    let log = gateway.log();
    assert!(!log.contains("unauthorized"), "{log}");
}

/// SEC-29: an address from the command line gets neither the configured secrets nor the configured pin.
#[test]
fn another_wss_address_needs_its_own_credentials_and_pin() {
    let gateway = Gateway::plain();
    let url = format!("wss://127.0.0.1:{}", tls_relay(gateway.port));
    let dir = home(json!({"url": "wss://gw.example", "token": TOKEN, "tlsFingerprint": PIN}));
    assert!(fails(&run(&dir, &["health", "--url", &url]), 1).contains("requires explicit credentials"));
    let error = fails(&run(&dir, &["health", "--url", &url, "--token", TOKEN]), 1);
    assert!(error.contains("is not trusted") && !error.contains("gateway.remote"), "{error}");
    out(&run(&dir, &["health", "--url", &url, "--token", TOKEN, "--tls-fingerprint", PIN]));
}

/// SEC-29: a stored device token is told to the gateway that handed it out and to no other, here the same by another
/// address; one of the original's file, which does not say, is for the configured gateway.
#[test]
fn sec_29_a_device_token_stays_with_its_gateway() {
    let gateway = Gateway::plain();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let other = json!({"url": format!("wss://127.0.0.1:{}", tls_relay(gateway.port)), "tlsFingerprint": PIN});
    let dir = home(json!({"url": url, "token": TOKEN}));
    let means = |remote: &Value| {
        let config = json!({"gateway": {"mode": "remote", "remote": remote}});
        std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    };
    out(&run(&dir, &["health"]));
    means(&json!({"url": url}));
    out(&run(&dir, &["health"]));
    means(&other);
    assert!(fails(&run(&dir, &["health"]), 1).contains("unauthorized"));
    let file = dir.join("home/.openclaw/identity/device-auth.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let entry = stored["tokens"]["operator"].as_object_mut().unwrap();
    assert_eq!(entry.remove("gateway"), Some(json!(url)));
    std::fs::write(&file, stored.to_string()).unwrap();
    out(&run(&dir, &["health"]));
    means(&json!({"url": url}));
    assert!(fails(&run(&dir, &["health"]), 1).contains("unauthorized"), "now it is that address's");
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is() {
    let gateway = Gateway::plain();
    let plain = format!("wss://127.0.0.1:{}", gateway.port);
    let dir = home(json!({"url": plain, "token": TOKEN}));
    let asked = Instant::now();
    let error = fails(&run(&dir, &["health"]), 1);
    // Told at once, not when the gateway has waited in vain for a request (10 s).
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(
        error.contains("gateway does not speak TLS there") && error.contains("ws:// through a tunnel"),
        "{error}"
    );
    let dir = home(json!({"url": format!("ws://127.0.0.1:{}", tls_relay(gateway.port)), "token": TOKEN}));
    assert!(fails(&run(&dir, &["health"]), 1).contains("does not answer like a gateway"));
    let dir = home(
        json!({"url": format!("ws://127.0.0.1:{}", gateway.port), "token": TOKEN, "tlsFingerprint": PIN}),
    );
    assert!(
        fails(&run(&dir, &["health"]), 78).contains("gateway tls fingerprint requires wss:// gateway url")
    );
    let dir = home(json!({"url": "ws://gw.example.com", "token": TOKEN}));
    assert!(fails(&run(&dir, &["health"]), 1).contains("plain text over the internet"));
}

/// R-11c: a listener that says nothing holds no command beyond its limit.
#[test]
fn a_silent_tls_server_is_left_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let dir = home(json!({"url": url, "token": TOKEN}));
    let start = Instant::now();
    let error = fails(&run(&dir, &["health", "--timeout", "300"]), 1);
    assert!(error.contains("gateway timeout after 300ms"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Puts an `ssh` on PATH and runs `gateway probe` with it.
fn probe(dir: &Path, ssh: &str, args: &[&str]) -> Output {
    probing(dir, ssh, args).output().unwrap()
}

fn probing(dir: &Path, ssh: &str, args: &[&str]) -> Command {
    let path = dir.join("bin/ssh");
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{ssh}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:/usr/bin:/bin", dir.join("bin").display());
    let mut command = gateway::command(dir);
    command
        .args(["gateway", "probe"])
        .args(args)
        .env("PATH", search)
        .env("OPENCLAW_GATEWAY_PASSWORD", "secret-canary");
    command.stdin(Stdio::null());
    command
}

/// A stand-in that notes its words, environment and process, and forwards as `-L` says.
fn forwarding(dir: &Path) -> String {
    let (me, dir) = (std::env::current_exe().unwrap(), dir.display().to_string());
    format!(
        "printf '%s\\n' \"$@\" >{dir}/words; env >{dir}/env; echo $$ >{dir}/pid\n\
         while [ \"$1\" != -L ]; do shift; done\n\
         FORWARD=$2 exec {} --exact remote::forward_as_told --nocapture >/dev/null",
        me.display()
    )
}

/// No test by itself: what the stand-in for `ssh` runs.
#[test]
#[expect(clippy::disallowed_methods, reason = "what the stand-in was told, not the program's settings")]
fn forward_as_told() {
    let Ok(told) = std::env::var("FORWARD") else { return };
    let ports: Vec<u16> = told.split(':').filter_map(|part| part.parse().ok()).collect();
    let listener = TcpListener::bind(("127.0.0.1", ports[0])).unwrap();
    for near in listener.incoming() {
        let near = near.unwrap();
        let far = TcpStream::connect(("127.0.0.1", ports[1])).unwrap();
        let (mut near_in, mut far_in) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let (mut near, mut far) = (near, far);
        background(move || drop(io::copy(&mut near_in, &mut far)));
        background(move || drop(io::copy(&mut far_in, &mut near)));
    }
}

/// SEC-36, SEC-29, R-26b: the words given to `ssh`, no secret in its environment, no child left behind.
#[test]
fn probe_opens_a_tunnel_of_its_own_and_closes_it() {
    let gateway = Gateway::plain();
    // Two ways to one gateway are no two gateways.
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let dir = home(json!({"url": url, "token": TOKEN, "sshTarget": "me@box:2222", "port": gateway.port}));
    let ssh = forwarding(&dir);
    let key = dir.join("home/key");
    std::fs::write(&key, "").unwrap();
    let output = probe(&dir, &ssh, &["--json", "--ssh-identity", "~/key"]);
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    let target = &report["targets"][0];
    assert_eq!(
        (&report["primaryTargetId"], &target["kind"]),
        (&json!("sshTunnel"), &json!("sshTunnel")),
        "{report:#}"
    );
    assert_eq!(
        (&target["tunnel"]["target"], &target["connect"]["ok"]),
        (&json!("me@box:2222"), &json!(true))
    );
    assert_eq!((&target["tunnel"]["remotePort"], &report["warnings"]), (&json!(gateway.port), &json!([])));
    let words = std::fs::read_to_string(dir.join("words")).unwrap().replace('\n', " ");
    let local = &target["tunnel"]["localPort"];
    for part in [
        "-o BatchMode=yes",
        "-o ExitOnForwardFailure=yes",
        &format!("-L 127.0.0.1:{local}:127.0.0.1:{}", gateway.port),
        &format!("-i {} -p 2222 -l me -- box", key.display()),
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    assert!(!std::fs::read_to_string(dir.join("env")).unwrap().contains("secret-canary"));
    let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
    assert_eq!(target["tunnel"]["pid"].to_string(), pid.trim());
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "ssh {pid} still runs");
}

/// R-01d: a command line that is killed leaves no tunnel behind.
#[test]
#[cfg(target_os = "linux")]
fn a_killed_probe_takes_its_tunnel_with_it() {
    let dir = home(json!({"url": "ws://127.0.0.1:1", "token": TOKEN}));
    let mut child =
        probing(&dir, &format!("echo $$ >{}/pid; exec sleep 60", dir.display()), &["--ssh", "box"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
    let pid = wait_for("ssh to start", || {
        std::fs::read_to_string(dir.join("pid")).ok()?.trim().parse::<u32>().ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    // Whoever adopts it may leave it as a dead entry.
    let ended = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z ").then_some(()),
        Err(_) => Some(()),
    };
    wait_for("the tunnel to end", ended);
}

/// SEC-29: a host that is not the configured one gets no configured secret, and is told so.
#[test]
fn an_unknown_ssh_host_gets_no_configured_credentials() {
    let gateway = Gateway::plain();
    let dir = home(json!({"url": "ws://127.0.0.1:1", "token": TOKEN, "port": gateway.port}));
    let ssh = forwarding(&dir);
    let report: Value = {
        let output = probe(&dir, &ssh, &["--json", "--ssh", "me@box"]);
        assert_eq!(output.status.code(), Some(1));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let error = report["targets"][0]["connect"]["error"].as_str().unwrap();
    assert!(error.contains("unauthorized"), "{report:#}");
    let text = out(&probe(&dir, &ssh, &["--ssh", "me@box", "--token", TOKEN]));
    assert!(text.contains("Remote over SSH ws://127.0.0.1:") && text.contains("Connect: ok"), "{text}");
}

/// SEC-29: a secret on the command line is for the gateway that is meant; what listens on the local port is not told it.
#[test]
fn sec_29_probe_tells_a_given_secret_to_the_gateway_that_is_meant_only() {
    let gateway = Gateway::plain();
    let dir = home(json!({"url": "ws://127.0.0.1:1", "port": gateway.port}));
    let ssh = forwarding(&dir);
    let connected = |args: &[&str]| -> Vec<(String, bool)> {
        let output = probe(&dir, &ssh, &[&["--json", "--token", TOKEN], args].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = |target: &Value| {
            (target["id"].as_str().unwrap().to_string(), target["connect"]["ok"] == json!(true))
        };
        report["targets"].as_array().unwrap().iter().map(row).collect()
    };
    let want = |rows: &[(&str, bool)]| -> Vec<(String, bool)> {
        rows.iter().map(|(id, ok)| (id.to_string(), *ok)).collect()
    };
    let others = [("configRemote", false), ("localLoopback", false)];
    assert_eq!(connected(&[]), want(&others), "of remote mode the gateway elsewhere is meant");
    assert_eq!(connected(&["--ssh", "me@box"]), want(&[&[("sshTunnel", true)][..], &others].concat()));
}

#[test]
fn a_tunnel_that_fails_is_a_warning_with_its_cause() {
    let dir = home(json!({"url": "ws://127.0.0.1:1", "token": TOKEN}));
    let cases = [
        ("echo 'me@box: Permission denied (publickey).' >&2; exit 255", "--ssh-identity"),
        ("echo 'Host key verification failed.' >&2; exit 255", "run `ssh me@box` once"),
        ("exit 1", "check that `ssh me@box` works"),
        ("exec sleep 30", "--timeout"),
    ];
    for (ssh, fix) in cases {
        let output = probe(&dir, ssh, &["--ssh", "me@box", "--json", "--timeout", "900"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (output.status.code(), &report["warnings"][0]["code"]),
            (Some(1), &json!("ssh_tunnel_failed"))
        );
        let message = report["warnings"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("ssh tunnel to me@box") && message.contains(fix), "{ssh}: {message}");
    }
    let touch = format!("touch {}/started", dir.display());
    let output = probe(&dir, &touch, &["--ssh", "me@box", "--json", "--ssh-identity", "/nope"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = report["warnings"][0]["message"].as_str().unwrap();
    assert!(message.contains("there is no key file /nope") && !dir.join("started").exists(), "{message}");
    // SEC-36: refused before anything is started.
    let error = fails(&probe(&dir, "touch started", &["--ssh=-oProxyCommand=touch started"]), 1);
    assert!(error.contains("--ssh is no plain name") && !dir.join("started").exists(), "{error}");
}

/// The gateway that is named decides, not one that happens to run here.
#[test]
fn a_named_gateway_that_does_not_answer_is_a_failure_beside_a_local_one() {
    let gateway = Gateway::plain();
    let config = json!({"gateway": {"mode": "local", "port": gateway.port, "auth": {"token": TOKEN}}});
    let dir = gateway::new_dir();
    std::fs::create_dir_all(dir.join("home/.openclaw")).unwrap();
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), config.to_string()).unwrap();
    let report = |ssh: &str, args: &[&str]| -> (Option<i32>, Value) {
        let output = probe(&dir, ssh, &[&["--json", "--timeout", "3000"], args].concat());
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    };
    let (code, all) = report("exit 1", &[]);
    assert_eq!((code, &all["ok"]), (Some(0), &json!(true)), "{all:#}");
    let ssh = forwarding(&dir);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = silent.local_addr().unwrap().port();
    background(move || silent.incoming().for_each(drop));
    let cases: [(&str, &[&str]); 2] =
        [("exit 1", &["--ssh", "me@box"]), ("exit 1", &["--url", "ws://127.0.0.1:1", "--token", "x"])];
    for (ssh, args) in cases {
        let (code, report) = report(ssh, args);
        assert_eq!((code, &report["ok"]), (Some(1), &json!(false)), "{args:?}: {report:#}");
        assert_eq!(report["primaryTargetId"], "localLoopback", "what else answers is told: {report:#}");
    }
    // Something else listens at the far port.
    let other = json!({"gateway": {"mode": "local", "port": far}});
    std::fs::write(dir.join("home/.openclaw/openclaw.json"), other.to_string()).unwrap();
    let (code, report) = report(&ssh, &["--ssh", "me@box"]);
    let error = report["targets"][0]["connect"]["error"].as_str().unwrap();
    assert_eq!(code, Some(1));
    assert!(error.starts_with(&format!("port {far} on me@box: ")), "{error}");
}

/// A real sshd with keys and settings of its own; `None` with the reason printed where there is none.
fn sshd(dir: &Path) -> Option<(Child, u16, PathBuf)> {
    let program = Path::new("/usr/sbin/sshd");
    let is_root = rustix::process::geteuid().is_root();
    if !program.exists() || !Path::new("/usr/bin/ssh").exists() {
        eprintln!("skipped: sshd or ssh is not installed");
        return None;
    }
    if is_root && std::fs::create_dir_all("/run/sshd").is_err() {
        eprintln!("skipped: /run/sshd cannot be made");
        return None;
    }
    let keys = dir.join("home/.ssh");
    std::fs::create_dir_all(&keys).unwrap();
    for name in ["host", "id"] {
        let key = keys.join(name);
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.unwrap().success());
    }
    let port = gateway::free_port();
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/id.pub\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\n",
        keys.display()
    );
    std::fs::write(keys.join("sshd_config"), text).unwrap();
    let log = std::fs::File::create(dir.join("sshd.log")).unwrap();
    let child =
        Command::new(program).args(["-D", "-e", "-f"]).arg(keys.join("sshd_config")).stderr(log).spawn();
    wait_for("sshd to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
    Some((child.unwrap(), port, keys))
}

#[test]
fn a_real_sshd_carries_the_tunnel() {
    let gateway = Gateway::plain();
    let dir = home(json!({"url": "ws://127.0.0.1:1", "port": gateway.port}));
    let Some((mut sshd, port, keys)) = sshd(&dir) else { return };
    // The real client takes its settings from the account's home, not from HOME: all of them come by this file.
    let ssh = format!("exec /usr/bin/ssh -F {}/settings \"$@\"", keys.display());
    let known = keys.join("known_hosts");
    let text = format!("UserKnownHostsFile {}\nIdentitiesOnly yes\n", known.display());
    std::fs::write(keys.join("settings"), text).unwrap();
    let user = Command::new("id").arg("-un").output().unwrap();
    let host = format!("{}@127.0.0.1:{port}", String::from_utf8_lossy(&user.stdout).trim());
    let key = keys.join("id").display().to_string();
    let args = ["--json", "--ssh", &host, "--ssh-identity", &key, "--token", TOKEN];
    let ask = || -> Value { serde_json::from_slice(&probe(&dir, &ssh, &args).stdout).unwrap() };
    let stranger = ask();
    let message = stranger["warnings"][0]["message"].as_str().unwrap_or_default();
    let log = std::fs::read_to_string(dir.join("sshd.log")).unwrap();
    assert!(message.contains("Host key verification failed"), "{message} {log}");
    let host_key = std::fs::read_to_string(keys.join("host.pub")).unwrap();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {host_key}")).unwrap();
    let report = ask();
    let log = std::fs::read_to_string(dir.join("sshd.log")).unwrap();
    // Killed before the asserts, so that it does not outlive a failure.
    sshd.kill().unwrap();
    sshd.wait().unwrap();
    assert_eq!(report["primaryTargetId"], "sshTunnel", "{:#} {log}", report["warnings"]);
    assert_eq!(report["targets"][0]["tunnel"]["target"], host);
}

#[test]
fn n_3_a_gateway_elsewhere_is_asked_and_this_machine_s_files_are_neither_shown_nor_changed() {
    let server = ModelServer::start(vec![model::texts(&["hi"])]);
    let mut config = server.config();
    merge(&mut config, &json!({"agents": {"list": [{"id": "main"}, {"id": "far"}]}}));
    let gateway = Gateway::start(&Setup::config(config));
    crate::cli::out(&gateway, &["agent", "--session-key", "notes", "-m", "hi", "--no-stream"]);
    // Another home, whose configuration names that gateway.
    let here = gateway::new_dir();
    std::fs::create_dir_all(here.join("home/.openclaw")).unwrap();
    let file = here.join("home/.openclaw/openclaw.json");
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let config = json!({"gateway": {"mode": "remote", "remote": {"url": url, "token": TOKEN}}}).to_string();
    std::fs::write(&file, &config).unwrap();
    let run = |args: &[&str]| gateway::command(&here).args(args).output().unwrap();
    for args in [
        &["agents", "add", "x", "--agent-dir", "/x"][..],
        &["models", "set", "a/b"],
        &["models"],
        &["models", "list", "--local"],
    ] {
        let refused = run(args);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            refused.status.code() == Some(1) && said.contains("the gateway is elsewhere (ws://"),
            "{args:?}: {said}"
        );
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), config);
    let shown = |args: &[&str]| {
        let output = run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // Completion asks that gateway too, once this home is known to it.
    assert_eq!(shown(&["__values", "named"]), "");
    assert!(shown(&["agents", "list"]).contains("- far"));
    for (kind, want) in
        [("named", "notes"), ("sessions", "agent:main:notes"), ("agents", "far"), ("models", "test/m")]
    {
        let offered = shown(&["__values", kind]);
        assert!(offered.lines().any(|line| line == want), "{kind}: {offered}");
    }
    assert!(shown(&["sessions"]).contains("agent:main:notes"));
    let status = shown(&["status"]);
    assert!(
        status.contains("Agents     far, main")
            && status.contains("Model      test/m")
            && status.contains("Sessions   1 · last active ")
            && status.contains("agent:main:notes")
            && !status.contains("no sessions"),
        "{status}"
    );
    let status: Value = serde_json::from_str(&shown(&["status", "--json"])).unwrap();
    assert_eq!(status["sessions"]["defaults"]["model"], "test/m");
    let rows = &status["agents"]["agents"];
    assert_eq!((&rows[0]["id"], &rows[1]["sessionsCount"]), (&json!("far"), &json!(1)), "{status}");
    assert_eq!(rows[0]["workspaceDir"], Value::Null);
    let local = here.display().to_string();
    assert!(!status["sessions"].to_string().contains(&local), "no paths of this machine: {status}");
    assert!(shown(&["models", "list"]).contains("test/m"));
    assert_eq!(shown(&["models", "list", "--plain"]).trim(), "test/m");
    assert!(shown(&["doctor"]).contains("gateway.elsewhere"));
    std::fs::remove_dir_all(here).unwrap();
}

#[test]
fn n_23_sessions_of_all_agents_and_of_no_unknown_one() {
    let gateway =
        Gateway::start(&Setup::config(json!({"agents": {"list": [{"id": "main"}, {"id": "ops"}]}})));
    crate::cli::out(&gateway, &["agent", "--agent", "ops", "-m", "hi", "--no-stream"]);
    assert!(crate::cli::out(&gateway, &["sessions"]).contains("agent:ops:main"));
    assert!(!crate::cli::out(&gateway, &["sessions", "--agent", "main"]).contains("agent:ops:main"));
    let unknown = gateway.cli(&["sessions", "--agent", "nope"]);
    assert!(
        unknown.status.code() == Some(1)
            && String::from_utf8_lossy(&unknown.stderr).contains("no agent \"nope\"")
    );
}
