//! Another user of the same machine: between the client and the gateway, as a proxy that adds nothing, or on the port
//! where a gateway is expected. The tests need root, to become somebody else; without it they say so and pass.
use crate::harness::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

const NOBODY: u32 = 65534;
const PORT: &str = "RELAY_TO_PORT";

/// A relay that runs as another user.
struct Relay {
    child: Child,
    port: u16,
}

impl Relay {
    /// `None` where nobody can be impersonated.
    fn to(port: u16) -> Option<Relay> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not root: nothing is tested here");
            return None;
        }
        // This test program again, with the one test that is the relay.
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "other_user::relay", "--nocapture"]).env(PORT, port.to_string());
        let child = command.uid(NOBODY).gid(NOBODY).current_dir("/").stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("relay on ").map(|p| p.parse().unwrap()));
        Some(Relay { child, port: port.expect("the relay listens") })
    }

    /// A client whose connection reaches the gateway from the relay's hands.
    fn client(&self, gateway: &Gateway, headers: &[(&str, &str)]) -> Client {
        let mut client = Client::upgrade(http::tcp(self.port), gateway.port, "/", headers).unwrap().0;
        client.take_challenge();
        client
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test: the relay's own program.
#[test]
fn relay() {
    #[expect(clippy::disallowed_methods, reason = "how the test that starts it says what to do")]
    let Ok(to) = std::env::var(PORT) else { return };
    let to: u16 = to.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("\nrelay on {}", listener.local_addr().unwrap().port());
    for client in listener.incoming().flatten() {
        let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        pass(client.try_clone().unwrap(), server.try_clone().unwrap());
        pass(server, client);
    }
}

#[expect(clippy::disallowed_methods, reason = "threads of a test")]
fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..n]).is_err() {
                break;
            }
        }
        // The other side may have gone first.
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

// S-L14, M-8: what another user's process passes on is local by address and head; it is paired by an approval only.
#[test]
fn s_l14_a_proxy_of_another_user_that_adds_nothing_pairs_nobody_silently() {
    let gateway = Gateway::plain();
    let Some(relay) = Relay::to(gateway.port) else { return };
    let page = format!("http://127.0.0.1:{}", gateway.port);
    for headers in [&[][..], &[("Origin", page.as_str())]] {
        let mut client = relay.client(&gateway, headers);
        let (device, mut asked) = (Device::new(), params(4));
        device.attach(&mut asked, &client.challenge.clone(), Version::V3);
        let (error, _) = client.refused(asked);
        assert_eq!(error["details"]["code"], "PAIRING_REQUIRED", "{headers:?}");
    }
    // Without a device the secret alone is as good as ever.
    relay.client(&gateway, &[]).connect(params(4)).expect("the secret is right");
}

// S-M1: Serve's headers are believed from a process of root's, with one hop.
#[test]
fn s_m1_tailscale_identities_come_from_root_with_one_hop() {
    let dir = gateway::new_dir();
    let program = dir.join("tailscale");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(&program, "#!/bin/sh\necho '{\"UserProfile\": {\"LoginName\": \"owner@example.com\"}}'\n")
        .unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.display());
    let allowed = json!({"gateway": {"auth": {"allowTailscale": true}}});
    let gateway = Gateway::start(&Setup::config(allowed).env("PATH", &path));
    let Some(relay) = Relay::to(gateway.port) else { return };
    let headers = |hops: &'static str| {
        [
            ("X-Forwarded-For", hops),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "box.ts.net"),
            ("Tailscale-User-Login", "owner@example.com"),
        ]
    };
    let mut without = params(4);
    without.as_object_mut().unwrap().remove("auth");
    let direct = |hops| Client::open_with(&gateway, &headers(hops)).connect(without.clone());
    direct("100.64.0.9").expect("from root, with one hop");
    direct("100.64.0.9, 203.0.113.5").expect_err("what another proxy added");
    direct("203.0.113.5, 100.64.0.9").expect_err("the other way round");
    direct("203.0.113.5").expect_err("an address of no tailnet");
    for added in
        [("CF-Connecting-IP", "203.0.113.5"), ("X-Forwarded-Port", "443"), ("Tailscale-Funnel-Request", "?1")]
    {
        let headers = [&headers("100.64.0.9")[..], &[added]].concat();
        Client::open_with(&gateway, &headers).connect(without.clone()).expect_err(added.0);
    }
    let listed = json!({"gateway": {"auth": {"allowTailscale": true}, "trustedProxies": ["127.0.0.1"]}});
    let behind = Gateway::start(&Setup::config(listed).env("PATH", &path));
    Client::open_with(&behind, &headers("100.64.0.9"))
        .connect(without.clone())
        .expect_err("a listed proxy is not Serve");
    relay.client(&gateway, &headers("100.64.0.9")).connect(without.clone()).expect_err("from another user");
    std::fs::remove_dir_all(dir).unwrap();
}

// S-M8, N-8: no secret goes to another user's process on the port; who it is is said.
#[test]
fn s_m8_the_command_line_sends_no_secret_to_another_users_process() {
    let gateway = Gateway::plain();
    let Some(relay) = Relay::to(gateway.port) else { return };
    let port = relay.port.to_string();
    let url = format!("ws://127.0.0.1:{port}");
    let vars = [("OPENCLAW_GATEWAY_PORT", port.as_str()), ("OPENCLAW_GATEWAY_TOKEN", TOKEN)];
    for (args, vars) in
        [(&["health"][..], &vars[..]), (&["gateway", "call", "health", "--url", &url, "--token", TOKEN], &[])]
    {
        let output = gateway.cli_env(args, vars);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{args:?}");
        assert!(
            told.contains("belongs to a process of another user (pid ") && told.contains("uid 65534"),
            "{told}"
        );
        assert!(told.contains("nothing was sent") && told.contains("Fix: end that process"), "{told}");
    }
    // N-8: nor is a gateway set up where it is; without a secret it is named just so.
    let two = |args: &[&str]| gateway.cli_env(&[&["--profile", "two"], args].concat(), &vars[..1]);
    let output = two(&["onboard", "--non-interactive"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("of user nobody"), "{told}");
    assert!(told.contains("set OPENCLAW_GATEWAY_PORT to another port"), "{told}");
    assert!(!gateway.dir.join("home/.openclaw-two/openclaw.json").exists());
    let output = gateway.cli_env(&["dashboard", "--no-open"], &vars);
    let told =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && !told.contains(TOKEN), "{told}");
    assert!(!gateway.log().contains("connect conn="), "nobody got in through it");
}

/// SEC-35: not even root's `--force` ends what belongs to another user.
#[test]
fn sec_35_force_of_root_ends_no_other_users_listener() {
    let Some(mut relay) = Relay::to(1) else { return };
    let setup = Setup::default().arg("--force").env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
    let mut new = Gateway::spawn(&setup, relay.port);
    let status = new.wait(Duration::from_secs(20));
    let told = new.stderr();
    assert!(!status.success() && told.contains("of another user"), "{told}");
    assert!(relay.child.try_wait().unwrap().is_none(), "it lives");
}

/// S-M8: without a secret, too, nothing that the user says goes to another user's process on this machine.
#[test]
fn s_m8_without_a_secret_no_message_goes_to_another_users_process() {
    let gateway = Gateway::plain();
    let Some(relay) = Relay::to(gateway.port) else { return };
    let config =
        json!({"gateway": {"mode": "remote", "remote": {"url": format!("ws://127.0.0.1:{}", relay.port)}}});
    let path = gateway.dir.join("remote.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let state = gateway.dir.join("remote-state");
    let vars =
        [("OPENCLAW_CONFIG_PATH", path.to_str().unwrap()), ("OPENCLAW_STATE_DIR", state.to_str().unwrap())];
    let output = gateway.cli_env(&["agent", "--message", "a word of mine", "--session-key", "main"], &vars);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("nothing was sent to it"), "{told}");
}
