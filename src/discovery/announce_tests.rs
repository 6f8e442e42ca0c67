use super::*;
use crate::discovery::wire::TXT;

const HERE: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);

fn own() -> Own {
    let texts = vec!["role=gateway".to_string()];
    Own::of(&Said { display: "box (OpenClaw)".into(), host: "box-openclaw".into(), port: 18789, texts }, 1)
}

fn asked(name: Name, kind: u16, known: Vec<Record>) -> Option<Vec<u16>> {
    let questions = vec![Question { name, kind, is_alone: false }];
    let answer = own().answer(&Message { questions, records: known, ..Message::default() }, HERE)?;
    assert!(answer.is_answer);
    Some(answer.records.iter().map(Record::kind).collect())
}

#[test]
fn who_asks_for_gateways_is_told_all_of_this_one() {
    let own = own();
    assert_eq!(asked(own.service.clone(), PTR, vec![]), Some(vec![PTR, SRV, TXT, A]));
    assert_eq!(asked(own.instance.clone(), SRV, vec![]), Some(vec![SRV, A]));
    assert_eq!(asked(own.instance.clone(), ANY, vec![]), Some(vec![SRV, TXT, A]));
    assert_eq!(asked(own.host.clone(), A, vec![]), Some(vec![A]));
    assert_eq!(asked(Name::of(SERVICES), PTR, vec![]), Some(vec![PTR]));
}

#[test]
fn what_is_not_asked_of_us_or_known_is_not_said() {
    let own = own();
    assert_eq!(asked(Name::of("_http._tcp.local"), PTR, vec![]), None);
    assert_eq!(asked(own.host.clone(), 28, vec![]), None);
    let known = own.records(HERE, TTL_SERVICE);
    assert_eq!(asked(own.service.clone(), PTR, known), None);
    // An answer is not a question, whatever it repeats.
    let questions = vec![Question { name: own.service.clone(), kind: PTR, is_alone: false }];
    assert!(own.answer(&Message { is_answer: true, questions, ..Message::default() }, HERE).is_none());
}

#[test]
fn a_name_that_another_gateway_has_is_not_taken() {
    let own = own();
    let mut records = own.records(HERE, TTL_SERVICE);
    let said = |records| Message { is_answer: true, records, ..Message::default() };
    // Its own words, coming back.
    assert!(!own.is_contested(&said(records.clone())));
    records[1].data = Data::Srv { port: 19001, host: own.host.clone() };
    assert!(own.is_contested(&said(records)));
    let said = Said { display: "box (OpenClaw)".into(), host: String::new(), port: 1, texts: vec![] };
    assert_eq!(Own::of(&said, 2).instance.0[0], "box (OpenClaw) (2)");
}
