//! Runs that parts of this process ask for, with a real state around them and no clients.
use super::observers::Observer;
use super::origin::{AGENT, Address, Answers, CHAT, Commands, Origin, Surface, Wants};
use super::run::Phase;
use super::*;
use crate::agent::finished::Finished;
use crate::agent::run::RunEvent;
use crate::calls::stream::{Piece, Stream};
use crate::calls::{Caller, Provenance, Reply, Said as Told};
use crate::deliveries::{Inbound, Line, Stage};
use crate::json::json;
use crate::protocol::frame::Scopes;
use crate::sessions::attachments::Attachments;
use crate::state::State;
use crate::state::event::Event;
use crate::state::testing;
use crate::tools::testing::context;
use crossbeam_channel::{Receiver, bounded};
use std::sync::Arc;
use std::time::Duration;

static WAITS: Surface = Surface {
    journal: "test",
    answers: Answers::AtTheEnd,
    channel: None,
    queues: false,
    names_message: false,
    commands: Commands::None,
    wants: Wants::Deltas,
    apart: false,
    is_gateways: false,
};

fn ask(state: &State, surface: &'static Surface, provenance: Provenance, id: &str) -> (Ask, Receiver<Told>) {
    let (waiting, told) = bounded(1);
    let scopes = Scopes::new(vec!["operator.admin".to_string()]);
    let caller = Arc::new(Caller { provenance, scopes, ..Caller::default() });
    let reply = Call { caller, id: id.into(), method: "test", reply: Reply::Thread(waiting) };
    let ask = Ask {
        origin: Origin::client(surface, provenance),
        id: id.into(),
        hash: String::new(),
        session: state.sessions.rules().main(),
        message: "/new".into(),
        attachments: Attachments::default(),
        wishes: Wishes::default(),
        observers: Observers::default(),
        reply,
    };
    (ask, told)
}

#[test]
fn a_thread_of_this_process_starts_a_run_and_is_given_the_outcome_itself() {
    let (context, _dir) = context("{}");
    let (mut state, inbox) = testing::state(testing::shared(context.settings.clone()));
    let (mut ask, told) = ask(&state, &WAITS, Provenance::Cron, "r1");
    let (stream, slow) = (Stream::bounded(1000), Stream::bounded(1));
    ask.observers.add(Observer::Stream(stream.clone()));
    ask.observers.add(Observer::Stream(slow.clone()));
    assert!(matches!(state.with_runs(|runs, world| runs.ask(world, ask)), Ok(Taken::Later)));
    let result = loop {
        match inbox.recv_timeout(Duration::from_secs(10)).unwrap() {
            Event::Accepted { result, .. } => break result,
            _ => continue,
        }
    };
    let finished = Finished { texts: vec!["hello".into()], ..Finished::new() };
    state.with_runs(|runs, world| {
        assert!(runs.accepted(world, "r1", result).is_none(), "text on a surface without commands");
        runs.event(world, "r1", RunEvent::Started { at: 1 });
        runs.event(world, "r1", RunEvent::Text("hel".into()));
        runs.event(world, "r1", RunEvent::Text("lo".into()));
    });
    assert!(told.try_recv().is_err(), "it is answered at the end only");
    state.with_runs(|runs, world| runs.event(world, "r1", RunEvent::Finished(Box::new(finished))));
    let Ok(Told::Answer(Ok(Payload::Value(outcome)))) = told.try_recv() else { panic!("a value, not text") };
    assert_eq!(outcome.pointer("/result/payloads/0/text"), Some(&"hello".into()));
    assert!(matches!(stream.next(Duration::ZERO), Some(Piece::Text(text)) if text == "hello"));
    assert!(matches!(stream.next(Duration::ZERO), Some(Piece::End { outcome: Ok(_), is_cut: false })));
    let Some(Piece::End { outcome: Ok(whole), is_cut: true }) = slow.next(Duration::ZERO) else {
        panic!("whoever is slow misses pieces, not the end")
    };
    assert_eq!(whole, outcome);
    assert!(state.runs.is_empty());
}

/// SEC-34: what a text is follows from who sent it.
#[test]
fn sec_34_only_people_give_commands() {
    let (context, _dir) = context("{}");
    let (mut state, _inbox) = testing::state(testing::shared(context.settings.clone()));
    for provenance in [
        Provenance::Operator,
        Provenance::Owner,
        Provenance::Guest,
        Provenance::Node,
        Provenance::Hook,
        Provenance::Cron,
        Provenance::Agent,
    ] {
        for surface in [&CHAT, &AGENT] {
            let id = format!("{provenance:?}-{}", surface.journal);
            let (ask, _told) = ask(&state, surface, provenance, &id);
            assert!(state.with_runs(|runs, world| runs.ask(world, ask)).is_ok(), "{id}");
            let is_command = state.runs.map.get(&id).unwrap().new.command.is_some();
            assert_eq!(is_command, provenance.is_person(), "{id}");
        }
    }
}

/// Issue 10: the end of a run, its words as messages and the end of what it answers are one; who ends with it says
/// nothing to the same peer, and the words of another authority are not mixed in (SEC-34).
#[test]
fn i10_5_the_words_of_a_run_are_promised_once_and_what_it_answers_is_done_with() {
    static CHANNEL: Surface = Surface {
        journal: "test",
        answers: Answers::Once,
        channel: None,
        queues: true,
        names_message: false,
        commands: Commands::None,
        wants: Wants::End,
        apart: false,
        is_gateways: false,
    };
    let (context, _dir) = context("{messages: {queue: {mode: 'steer'}}}");
    let (mut state, _inbox) = testing::state(testing::shared(context.settings.clone()));
    let to = |peer: &str| Address { account: "a".into(), peer: peer.into(), ..Address::default() };
    let ids = [
        ("1", "p", Provenance::Owner),
        ("2", "p", Provenance::Owner),
        ("3", "q", Provenance::Owner),
        ("4", "p", Provenance::Guest),
    ];
    for (id, peer, provenance) in ids {
        let inbound =
            Inbound { id: id.into(), message: Some(json!({})), ts: state.now, ..Inbound::default() };
        let name = inbound.name();
        state.post.ledger.take(Line::Inbound(inbound)).unwrap();
        state.post.ledger.written(&name, true);
        let (mut ask, _told) = ask(&state, &CHANNEL, provenance, id);
        ask.message = "hello".into();
        ask.observers.add(Observer::Deliver(Box::new(Deliver::new("test", to(peer), vec![name]))));
        state.with_runs(|runs, world| {
            runs.ask(world, ask).unwrap();
            runs.accepted(world, id, Ok(()));
        });
    }
    let phase = |state: &State, id: &str| state.runs.map.get(id).map(|run| run.phase.clone());
    assert_eq!(phase(&state, "2"), Some(Phase::Attached("1".into())));
    assert_eq!(phase(&state, "4"), Some(Phase::Waiting), "a stranger has a turn of his own");
    let finished = Finished { texts: vec!["one".into(), "NO_REPLY".into(), "two".into()], ..Finished::new() };
    state.with_runs(|runs, world| runs.event(world, "1", RunEvent::Finished(Box::new(finished))));
    let mut promised = state.post.ledger.deliveries(Stage::Accepted);
    promised.sort_by(|a, b| a.id.cmp(&b.id));
    let told: Vec<(&str, &str)> = promised.iter().map(|d| (d.id.as_str(), d.to.as_str())).collect();
    assert_eq!(told, [("1/0", "p"), ("1/1", "p"), ("3/0", "q"), ("3/1", "q")]);
    assert_eq!(promised[1].message.as_ref().unwrap()["text"], "two");
    let open: Vec<&str> = state.post.ledger.unhandled().iter().map(|m| m.id.as_str()).collect();
    assert_eq!(open, ["4"]);
}

/// R-49c: what waits for a group's session goes on under the group's new key.
#[test]
fn r_49c_a_run_that_waits_follows_its_session_to_the_new_key() {
    let (context, _dir) = context("{}");
    let (mut state, _inbox) = testing::state(testing::shared(context.settings.clone()));
    let (old, new) = ("agent:main:telegram:group:-500", "agent:main:telegram:group:-100");
    for id in ["1", "2"] {
        let (mut ask, _told) = ask(&state, &WAITS, Provenance::Cron, id);
        ask.session = old.into();
        state.with_runs(|runs, world| {
            runs.ask(world, ask).unwrap();
            runs.accepted(world, id, Ok(()));
        });
    }
    state.with_runs(|runs, world| runs.rename(world, old, new, true));
    assert_eq!(state.runs.of_session(new).len(), 2);
    assert!(state.runs.of_session(old).is_empty() && state.runs.is_busy(new));
    let finished = Finished { texts: vec!["one".into()], ..Finished::new() };
    state.with_runs(|runs, world| runs.event(world, "1", RunEvent::Finished(Box::new(finished))));
    assert!(state.runs.is_busy(new), "the second one runs now");
}
