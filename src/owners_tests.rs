//! Who listens and who holds a connection, against real sockets of this process.
use super::*;
use std::net::TcpListener;

#[test]
fn a_port_of_this_process_is_found_and_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, pid) = (listener.local_addr().unwrap().port(), std::process::id());
    for likely in [&[][..], &[pid], &[1]] {
        let found = Port::inspect(port, likely);
        assert_eq!((found.status(), found.listeners.len()), ("busy", 1), "{found:?}");
        assert_eq!(found.listeners.first().unwrap().pid, Some(pid));
        assert!(found.listeners.first().unwrap().command_line.contains("openclaw"));
    }
    assert!(of_process(pid).contains(&SocketAddr::from(([127, 0, 0, 1], port))));
    drop(listener);
    assert_eq!(Port::inspect(port, &[]).status(), "free");
}

#[test]
fn the_other_end_of_a_connection_has_a_user_until_it_is_closed() {
    use std::net::TcpStream;
    for bound in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
        let Ok(listener) = TcpListener::bind(bound) else { continue };
        let port = listener.local_addr().unwrap().port();
        let to = if bound.starts_with("[::1]") { "::1" } else { "127.0.0.1" };
        let client = TcpStream::connect((to, port)).unwrap();
        let (server, other) = listener.accept().unwrap();
        let own = server.local_addr().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(holder(own, other), Holder::User(uid), "{bound}");
        assert_eq!(holder(other, own), Holder::User(uid), "{bound}: the other way round");
        let told = describe_holder(own, other).unwrap();
        assert!(told.starts_with(&format!("pid {} (", std::process::id())), "{told}");
        drop(client);
        assert_eq!(holder(own, other), Holder::Gone, "{bound}: what is closed is not root's");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(holder(nowhere, other), Holder::Unknown);
    }
}

#[test]
fn secrets_of_a_command_line_stay_hidden() {
    let words = ["openclaw", "--token", "a b", "--port", "1", "--password=def"].map(String::from);
    assert_eq!(hide_secrets(&words).join(" "), "openclaw --token *** --port 1 --password=***");
}
