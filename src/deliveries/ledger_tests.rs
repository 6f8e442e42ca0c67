use super::*;
use serde_json::json;

fn inbound(id: &str, ts: u64) -> Line {
    let message = Some(json!({"text": id}));
    Line::Inbound(Inbound { platform: "telegram".into(), account: "a".into(), id: id.into(), ts, message })
}

fn delivery(id: &str, ts: u64) -> Line {
    Line::Delivery(Delivery { id: id.into(), ts, message: Some(json!({"text": id})), ..Delivery::default() })
}

#[test]
fn a_message_is_taken_once_and_acknowledged_when_it_is_on_disk() {
    let mut ledger = Ledger::default();
    let name = inbound("1", 5).name();
    assert_eq!(ledger.take(inbound("1", 5)).unwrap(), Taken::New(Box::new(inbound("1", 5))));
    assert_eq!(ledger.take(inbound("1", 6)).unwrap(), Taken::Writing);
    ledger.written(&name, false);
    assert!(
        matches!(ledger.take(inbound("1", 7)).unwrap(), Taken::New(_)),
        "what was not written never came"
    );
    ledger.written(&name, true);
    assert_eq!(ledger.take(inbound("1", 8)).unwrap(), Taken::Known);
    assert_eq!(ledger.unhandled().len(), 1);
    assert!(ledger.handled(&name).is_some_and(|line| !line.is_open()));
    assert_eq!((ledger.handled(&name), ledger.unhandled().len()), (None, 0));
    assert_eq!(ledger.take(inbound("1", 9)).unwrap(), Taken::Known);
}

#[test]
fn a_delivery_only_goes_on_and_what_is_over_is_over() {
    let mut ledger = Ledger::default();
    let name = delivery("d", 1).name();
    ledger.take(delivery("d", 1)).unwrap();
    assert!(ledger.advance(&name, Stage::Handed).is_some());
    assert!(ledger.advance(&name, Stage::Handed).is_none(), "not handed over twice");
    let line = ledger
        .go(&name, Step { stage: Stage::Confirmed, platform_id: Some("p7".into()), ..Step::default() })
        .unwrap();
    let Line::Delivery(told) = &line else { panic!("{line:?}") };
    assert_eq!((told.platform_id.as_deref(), &told.message), (Some("p7"), &None));
    for stage in [Stage::Handed, Stage::Uncertain, Stage::Failed] {
        assert!(ledger.advance(&name, stage).is_none(), "{stage:?}");
    }
}

#[test]
fn deliveries_are_given_out_one_at_a_time_for_each_peer_and_come_back_when_they_were_not_taken() {
    let mut ledger = Ledger::default();
    let login = Login::default();
    for (n, (id, to)) in [("a1", "a"), ("a2", "a"), ("b1", "b")].into_iter().enumerate() {
        let delivery = Delivery { id: id.into(), to: to.into(), ts: n as u64, ..Delivery::default() };
        let name = delivery.name();
        ledger.take(Line::Delivery(delivery)).unwrap();
        assert!(ledger.next(&login, &[]).is_none_or(|next| next.id != id), "it is not on disk yet");
        ledger.written(&name, true);
    }
    let next = |ledger: &mut Ledger| {
        let id = ledger.next(&Login::default(), &[])?.id;
        ledger.advance(&Delivery::named(&id), Stage::Handed).unwrap();
        Some(id)
    };
    assert_eq!(next(&mut ledger).as_deref(), Some("a1"));
    assert_eq!(next(&mut ledger).as_deref(), Some("b1"));
    assert_eq!(next(&mut ledger), None);
    assert!(ledger.next(&Login { account: "other".into(), ..Login::default() }, &[]).is_none());
    assert!(ledger.advance(&Delivery::named("a1"), Stage::Accepted).is_some(), "it was not taken");
    assert_eq!(next(&mut ledger).as_deref(), Some("a1"), "in its order");
    ledger.advance(&Delivery::named("a1"), Stage::Confirmed).unwrap();
    assert!(ledger.advance(&Delivery::named("a1"), Stage::Accepted).is_none(), "what is over stays so");
    assert_eq!(next(&mut ledger).as_deref(), Some("a2"));
    assert!(ledger.is_handing());
    assert_eq!(ledger.abandon(&login).len(), 2);
    assert!(!ledger.is_handing() && ledger.count(Stage::Uncertain) == 2);
}

#[test]
fn after_a_stop_what_was_handed_over_is_uncertain_and_the_rest_as_it_was() {
    let at = |id: &str, stage: Stage| Delivery { id: id.into(), stage, ..Delivery::default() };
    let all =
        [("a", Stage::Accepted), ("h", Stage::Handed), ("u", Stage::Uncertain), ("c", Stage::Confirmed)];
    let Line::Inbound(waiting) = inbound("1", 5) else { panic!() };
    let (ledger, changed) =
        Ledger::resume(vec![waiting], all.iter().map(|(id, stage)| at(id, *stage)).collect());
    let ids = |stage| ledger.deliveries(stage).iter().map(|d| d.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(Stage::Accepted), ["a"]);
    assert_eq!(ids(Stage::Uncertain), ["h", "u"]);
    assert_eq!(ids(Stage::Confirmed), ["c"]);
    assert_eq!(changed, [Line::Delivery(at("h", Stage::Uncertain))]);
    assert!(ledger.told().unwrap().contains("1 messages to answer, 1 to deliver, 2 that may"));
    assert!(Ledger::default().told().is_none());
}

#[test]
fn it_is_bounded_and_forgets_only_what_nothing_is_to_be_done_about() {
    let mut ledger = Ledger::default();
    for n in 0..2 * MAX_KEYS as u64 {
        let line = inbound(&n.to_string(), n);
        let name = line.name();
        ledger.take(line).unwrap();
        ledger.written(&name, true);
        if n > 0 {
            ledger.handled(&name).unwrap();
        }
    }
    ledger.take(inbound("new", 1 << 40)).unwrap();
    assert_eq!((ledger.lines.len(), ledger.unhandled().len()), (2 * MAX_KEYS - MAX_KEYS / 10 + 1, 2));
    ledger.expire(1 << 41);
    assert!(ledger.lines.is_empty());
    let open = (0..2 * MAX_KEYS).map(|n| inbound(&n.to_string(), 1));
    open.for_each(|line| drop(ledger.take(line).unwrap()));
    assert!(ledger.take(inbound("one too many", 1)).is_err());
}

// R-10c: how long the oldest has waited that is to be sent; what is in somebody's hands waits no more.
#[test]
fn r_10c_the_oldest_that_waits_is_known() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.oldest(), None);
    for (id, ts) in [("1", 5), ("2", 7)] {
        ledger.take(delivery(id, ts)).unwrap();
        ledger.written(&Delivery::named(id), true);
    }
    assert_eq!(ledger.oldest(), Some(5));
    ledger.advance(&Delivery::named("1"), Stage::Handed);
    assert_eq!(ledger.oldest(), Some(7));
}
