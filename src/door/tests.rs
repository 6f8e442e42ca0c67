use super::*;
use std::net::TcpListener;

fn socket() -> Arc<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap())
}

fn enter(door: &Arc<Door>, address: &str, limits: &Limits, now: Instant) -> Option<Ticket> {
    match door.enter(address.parse().unwrap(), &socket(), limits, now) {
        Entry::Place(ticket) => Some(ticket),
        Entry::Wait => None,
    }
}

fn after(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

#[test]
fn s_h2_who_keeps_us_waiting_loses_the_place_whatever_he_sends() {
    let limits = Limits { pre_auth: 4, ..Limits::default() };
    let (door, now) = (Door::new(), Instant::now());
    let tickets: Vec<Ticket> = (0..3).map(|_| enter(&door, "127.0.0.1", &limits, now).unwrap()).collect();
    let newcomer = |at| enter(&door, "127.0.0.1", &limits, at);
    assert!(newcomer(after(60_000)).is_none(), "nobody loses a place while we work for him");
    tickets[0].stage(Stage::Upgraded);
    assert!(newcomer(after(300)).is_none());
    tickets[1].stage(Stage::Head);
    // What he sends meanwhile changes nothing: the stage is the same.
    tickets[1].stage(Stage::Head);
    let third = newcomer(after(200)).expect("a head that does not end is given up soonest");
    assert!(tickets[1].is_evicted() && !tickets[0].is_evicted());
    let fourth = newcomer(after(600)).expect("the oldest goes");
    assert!(tickets[0].is_evicted());
    tickets[2].stage(Stage::Beside);
    tickets[2].stage(Stage::Begun);
    let fifth = newcomer(Instant::now()).expect("who says what leads nowhere goes at once");
    assert!(tickets[2].is_evicted());
    drop((third, fourth, fifth));
}

#[test]
fn s_h2_the_more_wait_the_sooner_and_who_got_further_stays() {
    let limits = Limits { pre_auth: 4, ..Limits::default() };
    let (door, now) = (Door::new(), Instant::now());
    let far = enter(&door, "192.0.2.1", &limits, now).unwrap();
    let tickets: Vec<Ticket> = (0..2).map(|_| enter(&door, "127.0.0.1", &limits, now).unwrap()).collect();
    far.stage(Stage::Upgraded);
    tickets[0].stage(Stage::Upgraded);
    tickets[0].stage(Stage::Begun);
    tickets[1].stage(Stage::Upgraded);
    let newcomer = |at| enter(&door, "127.0.0.1", &limits, at);
    assert!(newcomer(after(120)).is_none(), "nobody else waits");
    door.set_waiting(0, 50);
    let first = newcomer(after(120)).expect("many wait");
    assert!(tickets[1].is_evicted() && !far.is_evicted(), "his way is longer");
    let second = newcomer(after(120)).expect("half a connect is more, and not for ever");
    assert!(tickets[0].is_evicted() && !far.is_evicted());
    assert!(newcomer(after(200)).is_none());
    let third = newcomer(after(300)).expect("it ends too");
    assert!(far.is_evicted());
    drop((first, second, third));
}

#[test]
fn s_h2_a_quarter_of_the_places_is_for_those_who_sent_a_connect() {
    let (limits, door, now) = (Limits::default(), Door::new(), Instant::now());
    let tickets: Vec<Ticket> = (0..24).map(|_| enter(&door, "127.0.0.1", &limits, now).unwrap()).collect();
    assert!(enter(&door, "127.0.0.1", &limits, now).is_none());
    tickets.iter().take(9).for_each(|ticket| ticket.stage(Stage::Connecting));
    let more: Vec<Option<Ticket>> = (0..9).map(|_| enter(&door, "127.0.0.1", &limits, now)).collect();
    assert!(more.iter().take(8).all(Option::is_some) && more[8].is_none(), "32 in all");
    assert!(enter(&door, "127.0.0.1", &limits, after(60_000)).is_none(), "a connect is judged in peace");
    tickets[0].stage(Stage::Idle);
    assert!(enter(&door, "127.0.0.1", &limits, now).is_some(), "and then let go");
}

#[test]
fn s_l6_with_few_descriptors_nobody_is_kept_who_does_not_go_on() {
    let (limits, door, now) = (Limits::default(), Door::new(), Instant::now());
    let ticket = enter(&door, "127.0.0.1", &limits, now).unwrap();
    assert!(!door.let_go(&limits, now));
    ticket.stage(Stage::Upgraded);
    assert!(!door.let_go(&limits, now), "who is in the middle of his handshake has a moment");
    let then = after(150);
    assert!(door.let_go(&limits, then) && ticket.is_evicted() && !door.let_go(&limits, then));
}

#[test]
fn s_m3_a_remote_network_holds_eight_places_and_gets_them_back() {
    let (limits, now) = (Limits::default(), Instant::now());
    for (of_one, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::N", "2001:db8:0:1::1")] {
        let door = Door::new();
        let of_one = |n: u64| of_one.replace('N', &format!("{n:x}"));
        let mut held: Vec<Ticket> = (0..8).map(|n| enter(&door, &of_one(n), &limits, now).unwrap()).collect();
        assert!(enter(&door, &of_one(9), &limits, now).is_none());
        assert!(enter(&door, other, &limits, now).is_some());
        held[0].prove();
        assert!(enter(&door, &of_one(9), &limits, now).is_some());
        assert_eq!(door.connections(), 8, "a proven connection still counts, a dropped ticket does not");
    }
}

#[test]
fn s_m3_ten_failures_are_too_many_for_one_network_until_the_window_is_over() {
    let (limits, start) = (Limits::default(), Instant::now());
    for (of_one, other) in [("127.0.0.1", "192.0.2.1"), ("2001:db8::N", "2001:db8:0:1::1")] {
        let door = Door::new();
        let fail = |n: u64, secs| {
            let address = of_one.replace('N', &format!("{n:x}")).parse().unwrap();
            door.failed(address, || format!("who {n}"), &limits, start + Duration::from_secs(secs))
        };
        for n in 0..10 {
            assert_eq!(fail(n, n), Failed::Counted(n + 1));
        }
        for n in 10..60 {
            let Failed::TooMany { wait, last } = fail(n, 10) else { panic!("failure {n} was counted") };
            assert_eq!((wait, last.as_str()), (Duration::from_secs(50), "who 9"));
        }
        let elsewhere = door.failed(other.parse().unwrap(), String::new, &limits, start);
        assert_eq!(elsewhere, Failed::Counted(1));
        assert_eq!(fail(60, 61), Failed::Counted(9), "what came too late was not counted");
    }
}
