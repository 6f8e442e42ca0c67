use super::*;

fn event(outbox: &Outbox, kind: &'static str, text: &str, backlog: Backlog) -> Pushed {
    outbox.push_event(kind, Arc::new(text.to_string().into()), backlog)
}

#[test]
fn a_full_outbox_skips_droppable_events_then_closes() {
    let drain = Outbox::open(100, Arc::default(), 1 << 20, "a").unwrap();
    let big = "x".repeat(80);
    assert_eq!(event(&drain.outbox, "chat", &big, Backlog::Keep), Pushed::Queued);
    assert_eq!(event(&drain.outbox, "chat", &big, Backlog::Drop), Pushed::Dropped);
    assert_eq!(event(&drain.outbox, "agent", &big, Backlog::Keep), Pushed::Overflow);
    assert_eq!(event(&drain.outbox, "agent", "y", Backlog::Keep), Pushed::Closed);
    let (frame, dropped, _) = drain.pop();
    assert!(matches!(frame, Some(Frame::Close(Close::SlowConsumer))));
    assert_eq!(dropped, 1);
}

#[test]
fn the_latest_replaceable_event_wins() {
    let drain = Outbox::open(1000, Arc::default(), 1 << 20, "a").unwrap();
    event(&drain.outbox, "presence", "one", Backlog::Replace);
    event(&drain.outbox, "tick", "t", Backlog::Replace);
    event(&drain.outbox, "presence", "two", Backlog::Replace);
    let Some(Frame::Event { body, .. }) = drain.pop().0 else { panic!() };
    assert_eq!(body.to_string(), "two");
    assert!(drain.pop().0.is_some() && drain.pop().0.is_none());
    assert_eq!(drain.bytes(), 0);
}

#[test]
fn one_frame_above_the_limit_passes_an_empty_outbox() {
    let drain = Outbox::open(10, Arc::default(), 1 << 20, "a").unwrap();
    assert_eq!(drain.outbox.push(Frame::Answer("x".repeat(5000).into())), Pushed::Queued);
}

#[test]
fn s_m5_a_byte_is_in_the_budget_until_it_is_out() {
    let budget = Arc::<Budget>::default();
    let drain = Outbox::open(1000, budget.clone(), 1 << 20, "a").unwrap();
    drain.outbox.push(Frame::Answer("abc".to_string().into()));
    let own = drain.outbox.unsent(4);
    let (_, _, popped) = drain.pop();
    assert_eq!(budget.unsent(), 7);
    drop(popped);
    assert_eq!(budget.unsent(), 4);
    drop(drain);
    assert_eq!(budget.unsent(), 0);
    drop(own);
    assert_eq!(budget.unsent(), 0);
}

/// A line over a real socket, whose other end is read by the test.
fn line() -> (Line, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_nonblocking(true).unwrap();
    let write = |mut stream: &std::net::TcpStream, frame: &Frame, seq: u64| {
        let text = match frame {
            Frame::Event { body, .. } => format!("{body}{seq};"),
            Frame::Answer(text) => format!("{text};"),
            _ => panic!(),
        };
        match std::io::Write::write(&mut stream, text.as_bytes()) {
            Ok(n) => (n, n == text.len()),
            Err(_) => (0, false),
        }
    };
    (Line::new(Arc::new(ours), write), listener.accept().unwrap().0)
}

/// Issue 10: what is small goes out without the connection's thread, in order, counted, and only while lent.
#[test]
fn a_lent_line_is_written_on_by_who_pushes() {
    use std::io::Read;
    let budget = Arc::<Budget>::default();
    let drain = Outbox::open(1 << 20, budget.clone(), 1 << 20, "a").unwrap();
    let (line, mut client) = line();
    event(&drain.outbox, "chat", "queued", Backlog::Keep);
    assert!(matches!(
        drain.pop_or_lend(|| unreachable!("something waits")),
        (Some(Frame::Event { .. }), 1, _)
    ));
    assert!(drain.pop_or_lend(|| Some(line.clone())).0.is_none());
    event(&drain.outbox, "chat", "a", Backlog::Keep);
    drain.outbox.push(Frame::Answer("b".to_string().into()));
    event(&drain.outbox, "tick", "c", Backlog::Replace);
    let mut got = [0; 7];
    client.read_exact(&mut got).unwrap();
    assert_eq!((&got, drain.outbox.written(), budget.unsent()), (b"a2;b;c3", 8, 0));
    // What is large, and all that comes after it, is the thread's.
    event(&drain.outbox, "chat", &"x".repeat(Line::SMALL), Backlog::Keep);
    event(&drain.outbox, "chat", "y", Backlog::Keep);
    assert_eq!((drain.pop().1, drain.pop().1, drain.outbox.written()), (4, 5, 8));
    assert!(drain.pop_or_lend(|| Some(line)).0.is_none());
    drain.recall();
    event(&drain.outbox, "chat", "z", Backlog::Keep);
    assert!(matches!(drain.pop(), (Some(Frame::Event { .. }), 6, _)), "recalled");
}

/// Issue 10: what the socket takes a part of only is gone on with by the thread, and a close waits behind it.
#[test]
fn half_a_frame_is_never_followed_by_another_one() {
    let drain = Outbox::open(1 << 20, Arc::default(), 1 << 20, "a").unwrap();
    let (line, _client) = line();
    assert!(drain.pop_or_lend(|| Some(line)).0.is_none());
    let text = "x".repeat(Line::SMALL - 100);
    let mut pushed = 0;
    while drain.outbox.is_taken() && pushed < 10_000 {
        pushed += 1;
        event(&drain.outbox, "chat", &text, Backlog::Keep);
    }
    event(&drain.outbox, "chat", "after", Backlog::Keep);
    drain.outbox.end(Close::SlowConsumer);
    let (first, seq, _) = drain.pop();
    if let Some(Frame::Rest(rest, written)) = first {
        assert!(written > 0 && written < rest.bytes());
        assert_eq!(seq, pushed, "its number is the one that its beginning was written for");
        assert!(matches!(drain.pop().0, Some(Frame::Close(Close::SlowConsumer))));
    } else {
        assert!(matches!(first, Some(Frame::Close(_))), "the socket took whole frames only");
    }
    assert!(drain.pop().0.is_none());
}
