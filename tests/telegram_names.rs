//! R-07e: names and what they resolve to: a dead IPv6 address before a good IPv4 one, a name service that says nothing.
//! The gateway runs with a name table of its own, for which it gets a mount namespace; where this user may not make one the
//! tests are skipped.
use super::harness::gateway::new_dir;
use super::harness::model::texts;
use super::harness::telegram::{Fault, Telegram};
use super::harness::*;
use super::telegram::ann;
use super::telegram::said;
use super::telegram_net::{relay, setup};
use rustix::net::{AddressFamily, SocketType};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory of a test's own.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        // Litter in the temporary directory is no failed test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Words before a command that give it this text in place of a file of `/etc`; `None` where that is not allowed.
fn instead(dir: &Dir, file: &str, text: &str) -> Option<Vec<String>> {
    let own = dir.0.join(file);
    std::fs::write(&own, text).unwrap();
    let script = format!("mount --bind '{}' /etc/{file} && exec \"$@\"", own.display());
    let flags = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let words: Vec<String> = ["unshare", flags, "sh", "-c", &script, "sh"].map(str::to_string).to_vec();
    let tried = Command::new(&words[0]).args(&words[1..]).arg("true").stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then_some(words)
}

/// Takes a port of the IPv6 loopback and never answers there: its queue is full, further connections wait for ever.
struct Hole {
    _listener: OwnedFd,
    _waiting: Vec<OwnedFd>,
}

impl Hole {
    fn dig(port: u16) -> Option<Hole> {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        // The gateway is not to have them too.
        let own = rustix::net::SocketFlags::CLOEXEC;
        let socket = || rustix::net::socket_with(AddressFamily::INET6, SocketType::STREAM, own, None).ok();
        let listener = socket()?;
        rustix::net::sockopt::set_socket_reuseaddr(&listener, true).ok()?;
        rustix::net::bind(&listener, &address).ok()?;
        rustix::net::listen(&listener, 0).ok()?;
        let mut waiting = Vec::new();
        for _ in 0..4 {
            let one = socket()?;
            rustix::io::ioctl_fionbio(&one, true).ok()?;
            // That it waits is what is wanted.
            let _ = rustix::net::connect(&one, &address);
            waiting.push(one);
        }
        Some(Hole { _listener: listener, _waiting: waiting })
    }
}

/// Answers on the IPv6 loopback from now on; how many came.
fn answer_on_v6(telegram: &Telegram) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, telegram.port)).unwrap();
    let (came, port) = (Arc::new(AtomicUsize::new(0)), telegram.port);
    let count = came.clone();
    let accept = move || {
        for client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::AcqRel);
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            std::thread::Builder::new().spawn(move || drop(relay(client, server))).unwrap();
        }
    };
    std::thread::Builder::new().spawn(accept).unwrap();
    came
}

#[test]
fn r_07e_a_dead_ipv6_address_costs_a_moment_and_is_tried_again() {
    let telegram = ann();
    let dir = Dir(new_dir());
    let Some(under) = instead(&dir, "hosts", "::1 bot-api.test\n127.0.0.1 bot-api.test\n") else {
        return println!("skipped: this user may not mount");
    };
    let Some(hole) = Hole::dig(telegram.port) else { return println!("skipped: there is no IPv6") };
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let root = format!("http://bot-api.test:{}", telegram.port);
    let began = Instant::now();
    let _gateway = Gateway::start(&Setup { under, ..setup(&server, &root, json!({})) });
    let met = telegram.wait_calls("getMe", 1)[0].at;
    telegram.says(1001, 1001, "hi");
    said(&telegram, 1001, 1);
    // Each of its connections has waited for a quarter of a second.
    assert!(met.duration_since(began) < Duration::from_secs(3), "{:?}", met.duration_since(began));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    // The choice is made anew for each connection: IPv6 is taken as soon as it is well.
    drop(hole);
    let came = answer_on_v6(&telegram);
    telegram.fault("getUpdates", Fault::DropBefore);
    telegram.says(1001, 1001, "again");
    wait_for("a connection over IPv6", || (came.load(Ordering::Acquire) > 0).then_some(()));
    said(&telegram, 1001, 2);
}

/// The answer of a name service: 127.0.0.1 for every name, and nothing else.
fn named(question: &[u8]) -> Vec<u8> {
    let name = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap();
    let is_v4 = question[name + 1..name + 3] == [0, 1];
    let mut answer = question[..name + 5].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
    if is_v4 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

#[test]
fn r_07e_a_name_service_that_says_nothing_holds_up_the_account_and_nothing_else() {
    const SERVICE: &str = "127.43.7.9";
    let telegram = ann();
    let dir = Dir(new_dir());
    let Some(under) = instead(&dir, "resolv.conf", &format!("nameserver {SERVICE}\n")) else {
        return println!("skipped: this user may not mount");
    };
    let Ok(service) = UdpSocket::bind((SERVICE, 53)) else {
        return println!("skipped: this user may not be a name service");
    };
    let server = ModelServer::start(vec![texts(&["ok"])]);
    let root = format!("http://bot-api.test:{}", telegram.port);
    let mut gateway = Gateway::start(&Setup { under, ..setup(&server, &root, json!({})) });
    let mut client = Client::operator(&gateway, 4);
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    wait_for("the log", || {
        let asked = Instant::now();
        client.ok("health", json!({}));
        slowest = slowest.max(asked.elapsed());
        gateway.log().contains("getMe").then_some(())
    });
    assert!(slowest < Duration::from_millis(500), "health took {slowest:?}");
    assert!(began.elapsed() > Duration::from_secs(2), "the name was answered by somebody else");
    let lookups =
        std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap().flatten().filter(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "gw-lookup")
        });
    // Each ends with the resolver's own time-out; the pauses between attempts grow.
    assert!(lookups.count() <= 4, "lookups pile up");
    // It speaks at last: the account comes up by itself.
    let answer = move || {
        let mut question = [0; 512];
        while let Ok((n, from)) = service.recv_from(&mut question) {
            let _ = service.send_to(&named(&question[..n]), from);
        }
    };
    std::thread::Builder::new().spawn(answer).unwrap();
    telegram.says(1001, 1001, "hi");
    wait_within(Duration::from_secs(40), "an answer", || (telegram.texts(1001).len() == 1).then_some(()));
    let (code, took) = gateway.stop();
    assert!(code == 0 && took < Duration::from_secs(5), "{code} {took:?}");
}

#[test]
fn r_07e_a_lookup_that_hangs_does_not_hold_up_the_end() {
    const SERVICE: &str = "127.43.7.10";
    let dir = Dir(new_dir());
    let Some(under) = instead(&dir, "resolv.conf", &format!("nameserver {SERVICE}\n")) else {
        return println!("skipped: this user may not mount");
    };
    let Ok(service) = UdpSocket::bind((SERVICE, 53)) else {
        return println!("skipped: this user may not be a name service");
    };
    let server = ModelServer::start(vec![]);
    let mut gateway = Gateway::start(&Setup { under, ..setup(&server, "http://bot-api.test:9", json!({})) });
    service.set_read_timeout(Some(DEADLINE)).unwrap();
    assert!(service.recv_from(&mut [0; 512]).is_ok(), "it was not asked");
    let (code, took) = gateway.stop();
    assert!(code == 0 && took < Duration::from_secs(3), "{code} {took:?}");
}
