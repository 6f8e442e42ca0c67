use super::*;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

const TIMES: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    first_token: Duration::from_secs(10),
    idle: Duration::from_secs(10),
};

/// An address of loopback where connections wait for ever: its queue is full. What holds it comes with it.
fn hole(family: AddressFamily, ip: IpAddr) -> Option<(SocketAddr, Vec<OwnedFd>)> {
    let listener = rustix::net::socket(family, SocketType::STREAM, None).ok()?;
    rustix::net::bind(&listener, &SocketAddr::new(ip, 0)).ok()?;
    rustix::net::listen(&listener, 0).ok()?;
    let address: SocketAddr = rustix::net::getsockname(&listener).ok()?.try_into().ok()?;
    let waiting = (0..4).filter_map(|_| start(&address).ok());
    Some((address, waiting.chain([listener]).collect()))
}

#[test]
fn r_07e_the_other_family_is_tried_beside_an_address_that_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap();
    let families = [
        (AddressFamily::INET6, IpAddr::from(Ipv6Addr::LOCALHOST)),
        (AddressFamily::INET, IpAddr::from(Ipv4Addr::LOCALHOST)),
    ];
    for (address, _held) in families.into_iter().filter_map(|(family, ip)| hole(family, ip)) {
        let began = Instant::now();
        let watch = Watch::new(&Cancel::new(), TIMES);
        let stream = race(&[address, good], &watch).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[test]
fn a_call_that_is_told_when_to_look_ends_at_once_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (cancel, (ring, bell)) = (Cancel::new(), UnixStream::pair().unwrap());
    let watch = Watch::new(&cancel, TIMES);
    watch.listen(vec![bell.into()]);
    let took = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            cancel.cancel(crate::cancel::Reason::Shutdown);
            (&ring).write_all(b"!").unwrap();
        });
        let began = Instant::now();
        watch.doze(&stream).unwrap();
        began.elapsed()
    });
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(watch.doze(&stream).is_err());
    assert_eq!(watch.trip(), Some(Trip::Cancelled));
}
