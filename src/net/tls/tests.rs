//! The relay by itself: what goes in at one side comes out at the other, whole, and so do ends.
use super::relay;
use crate::config::Config;
use crate::config::testing::Dir;
use crate::threads;
use crate::tls::{Place, Port};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Client = StreamOwned<ClientConnection, TcpStream>;

/// A client, the worker's end, and the relay between them.
fn pair() -> (Client, UnixStream, JoinHandle<()>) {
    pair_with(Arc::default())
}

fn pair_with(is_broken: Arc<AtomicBool>) -> (Client, UnixStream, JoinHandle<()>) {
    let dir = Dir::new();
    dir.write("openclaw.json", "{gateway: {tls: {enabled: true}}}");
    let mut env = dir.env(&[]);
    let config = Config::inspect(&mut env);
    let port = Port::open(Place::of(&config, &env).unwrap()).unwrap();
    let pem = std::fs::read(&Place::of(&config, &env).unwrap().cert).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(crate::fetch::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut server = listener.accept().unwrap().0;
    let (worker, outer) = UnixStream::pair().unwrap();
    outer.set_nonblocking(true).unwrap();
    let work = move || {
        let mut tls = port.connection().unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut server).unwrap();
        }
        server.set_nonblocking(true).unwrap();
        relay::run(&server, &outer, tls, &is_broken);
    };
    let relay = threads::bare("test-relay", 256 << 10, work).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut client).unwrap();
    }
    worker.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (StreamOwned::new(tls, client), worker, relay)
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut x = 88_172_645_463_325_252_u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..bytes).map(|_| next()).collect()
}

#[test]
fn i12_6_what_one_side_says_the_other_hears_and_its_end_too() {
    let (mut client, mut worker, relay) = pair();
    let said = noise(700_001);
    let expected = said.clone();
    let other = threads::bare("test-worker", 256 << 10, move || {
        let mut heard = Vec::new();
        worker.read_to_end(&mut heard).unwrap();
        assert!(heard == expected);
        worker.write_all(&expected).unwrap();
    })
    .unwrap();
    client.write_all(&said).unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert!(heard == said);
    drop(client);
    other.join().unwrap();
    relay.join().unwrap();
}

/// Neither waits for the other to have finished: an echo of more than all sockets hold.
#[test]
fn i12_6_both_say_much_at_once() {
    let (mut client, worker, relay) = pair();
    let said = noise(3 << 20);
    let echo = threads::bare("test-echo", 256 << 10, move || {
        let (mut worker, mut piece) = (worker, vec![0; 5003]);
        while let Ok(bytes) = worker.read(&mut piece) {
            if bytes == 0 || worker.write_all(&piece[..bytes]).is_err() {
                break;
            }
        }
        let _ = worker.shutdown(Shutdown::Write);
    })
    .unwrap();
    client.sock.set_nonblocking(true).unwrap();
    let (mut sent, mut heard, since) = (0, Vec::new(), Instant::now());
    let mut piece = vec![0; 9001];
    while heard.len() < said.len() {
        assert!(since.elapsed() < Duration::from_secs(60), "{sent} sent, {} heard", heard.len());
        // What is written while the socket is full waits in the connection: no more than a little.
        if sent < said.len() && !client.conn.wants_write() {
            let end = (sent + 12_345).min(said.len());
            sent += client.conn.writer().write(&said[sent..end]).unwrap();
        }
        let _ = client.conn.write_tls(&mut client.sock);
        match client.read(&mut piece) {
            Ok(0) => panic!("it ended"),
            Ok(bytes) => heard.extend_from_slice(&piece[..bytes]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => panic!("{e}"),
        }
    }
    assert!(heard == said);
    drop(client);
    echo.join().unwrap();
    relay.join().unwrap();
}

#[test]
fn i12_6_a_side_that_is_gone_ends_the_other() {
    let (client, worker, relay) = pair();
    let mut worker = worker;
    // Without a goodbye.
    client.sock.shutdown(Shutdown::Both).unwrap();
    assert_eq!(worker.read(&mut [0; 8]).unwrap_or(0), 0);
    drop(worker);
    relay.join().unwrap();
    // The worker is gone and the client stays: it is told, and left after a moment.
    let (mut client, worker, relay) = pair();
    let since = Instant::now();
    drop(worker);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0, "a goodbye");
    relay.join().unwrap();
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    // Who says nonsense is told so and left.
    let (client, worker, relay) = pair();
    (&client.sock).write_all(b"no record of TLS at all, and more than a header of it").unwrap();
    let mut worker = worker;
    assert_eq!(worker.read(&mut [0; 8]).unwrap_or(0), 0);
    relay.join().unwrap();
}

/// Issue 10: where the end is all that says that something is whole, TLS does not say it of a half.
#[test]
fn i10_3_the_end_of_a_half_does_not_come_as_an_end() {
    let is_broken = Arc::<AtomicBool>::default();
    let (mut client, mut worker, relay) = pair_with(is_broken.clone());
    worker.write_all(b"half").unwrap();
    let mut heard = [0; 4];
    client.read_exact(&mut heard).unwrap();
    is_broken.store(true, Ordering::SeqCst);
    drop(worker);
    assert_eq!(client.read(&mut heard).unwrap_err().kind(), ErrorKind::ConnectionReset);
    relay.join().unwrap();
}
