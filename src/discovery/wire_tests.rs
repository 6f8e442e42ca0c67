use super::*;

fn example() -> Message {
    let service = Name::of(super::super::SERVICE);
    let instance = service.under("a.box (OpenClaw)");
    let host = Name::of("box.local");
    let record = |name: &Name, data| Record { name: name.clone(), ttl: 120, data };
    Message {
        id: 7,
        is_answer: true,
        questions: vec![Question { name: service.clone(), kind: PTR, is_alone: true }],
        records: vec![
            record(&service, Data::Ptr(instance.clone())),
            record(&instance, Data::Srv { port: 18789, host: host.clone() }),
            record(&instance, Data::Txt(vec!["role=gateway".into(), "gatewayPort=18789".into()])),
            record(&host, Data::A(Ipv4Addr::new(192, 168, 1, 2))),
        ],
    }
}

#[test]
fn a_message_is_read_as_it_was_written() {
    assert_eq!(Message::read(&example().write()), Some(example()));
}

#[test]
fn a_name_that_points_backwards_is_whole_and_one_that_goes_round_is_not() {
    // Two questions, the second `b` below the name of the first.
    let head = [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let first = [1, b'a', 5, b'l', b'o', b'c', b'a', b'l', 0, 0, 12, 0, 1];
    let message = |second: &[u8]| Message::read(&[&head[..], &first, second, &[0, 12, 0, 1]].concat());
    let whole = message(&[1, b'b', 0xc0, 14]).unwrap();
    assert_eq!(whole.questions[1].name, Name::of("b.local"));
    // To itself, forwards, beyond the end, and a label of a kind that does not exist.
    for bad in [&[0xc0, 25][..], &[1, b'b', 0xc0, 25], &[0xc0, 200], &[0x80, 1]] {
        assert_eq!(message(bad), None, "{bad:?}");
    }
}

#[test]
fn whatever_is_cut_or_changed_is_read_without_harm() {
    let whole = example().write();
    for end in 0..whole.len() {
        assert_eq!(Message::read(&whole[..end]), None, "cut at {end}");
    }
    for at in 0..whole.len() {
        for value in [0, 0x3f, 0xc0, 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            let _ = Message::read(&changed);
        }
    }
    // Counts that promise more than there is room for.
    assert_eq!(Message::read(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
}

#[test]
fn what_is_too_long_is_shortened_to_what_can_be_said() {
    let mut message = example();
    message.records =
        vec![Record { name: Name(vec!["x".repeat(100)]), ttl: 1, data: Data::Txt(vec!["y".repeat(400)]) }];
    let read = Message::read(&message.write()).unwrap();
    assert_eq!(read.records[0].name.0[0].len(), 63);
    assert_eq!(read.records[0].data, Data::Txt(vec!["y".repeat(255)]));
}
