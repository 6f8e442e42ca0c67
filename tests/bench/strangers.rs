//! Strangers: sockets that prove nothing, many silent ones or as many busy ones as there are places, and how long a
//! client with the right token waits beside them.
use crate::load::{Client, millis};
use crate::process::{Gateway, Server};
use crate::report::{Report, quantile};
use crate::{Result, Scale};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SILENT: usize = 5000;
const BUSY: usize = 32;

pub fn strangers(scale: Scale, report: &mut Report) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    {
        let gateway = Gateway::start(&Value::Null)?;
        let mut held = Vec::new();
        for _ in 0..SILENT {
            held.push(TcpStream::connect(("127.0.0.1", gateway.port))?);
        }
        let waits = newcomers(&gateway, scale.newcomers)?;
        report.at_most(
            "5,000 silent sockets: a newcomer's connect, p99",
            quantile(&waits, 0.99),
            500.0,
            "ms",
        );
    }
    let gateway = Gateway::start(&Value::Null)?;
    let stop = AtomicBool::new(false);
    let waits = std::thread::scope(|scope| {
        for n in 0..BUSY {
            let (stop, port) = (&stop, gateway.port);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // One that was sent away comes again.
                    let _ = bother(n, port, stop);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(1));
        let waits = newcomers(&gateway, scale.newcomers);
        stop.store(true, Ordering::Relaxed);
        waits
    })?;
    report.at_most("32 busy strangers: a newcomer's connect, p99", quantile(&waits, 0.99), 500.0, "ms");
    Ok(())
}

/// How long each of so many clients takes from dialling to `hello-ok`.
fn newcomers(server: &Server, count: usize) -> Result<Vec<f64>> {
    let mut waits = Vec::new();
    for n in 0..count {
        let start = Instant::now();
        let client = Client::connect(server, &format!("new-{n}"))?;
        waits.push(millis(start));
        drop(client);
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(waits)
}

/// One busy stranger, until he is sent away: a third ask `/health` again and again, a third send a head byte by byte,
/// a third upgrade and send pings.
fn bother(n: usize, port: u16, stop: &AtomicBool) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (first, next): (&str, &[u8]) = match n % 3 {
        0 => ("", b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"),
        1 => ("GET /health HTTP/1.1\r\nX: ", b"x"),
        _ => (upgrade, &[0x89, 0x80, 0, 0, 0, 0]),
    };
    stream.write_all(first.as_bytes())?;
    let mut answer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(next)?;
        match stream.read(&mut answer) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => return Err(e),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
    Ok(())
}
