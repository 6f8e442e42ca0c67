//! What one message may cause: turns that ask for turns, and the share of the queue that one client has.
use crate::agent::with_config;
use crate::harness::model::{last_user_text, texts};
use crate::harness::telegram::Telegram;
use crate::harness::*;
use crate::telegram::{said, with_bot};

/// A model that is misled: each of its answers sends to these sessions.
fn misled(sessions: usize, wait_seconds: u64) -> Reply {
    let send = |n: usize| {
        Step::Call {
        id: format!("c{n}"),
        name: "sessions_send".into(),
        arguments: json!({"sessionKey": format!("s{n}"), "message": format!("on and on {n}"), "timeoutSeconds": wait_seconds})
            .to_string(),
    }
    };
    Reply::Stream((0..sessions).map(send).chain([Step::Done]).collect())
}

/// A gateway with this model, rounds of tools and sessions to send to.
fn attacked(server: &ModelServer, rounds: u64, sessions: usize) -> Gateway {
    let mut config = server.config();
    merge(&mut config, &json!({"gateway": {"limits": {"toolRounds": rounds}}}));
    let gateway = with_config(config);
    let mut client = Client::operator(&gateway, 4);
    for n in 0..sessions {
        client.ok("sessions.patch", json!({"key": format!("s{n}"), "label": format!("L{n}")}));
    }
    gateway
}

/// Requests at the model server once no more come.
fn settled(server: &ModelServer) -> usize {
    let mut last = (server.count(), Instant::now());
    wait_within(Duration::from_secs(60), "calm at the model server", || {
        if server.count() != last.0 {
            last = (server.count(), Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(2)).then_some(last.0)
    })
}

/// SEC-34, SEC-42: what a guest has sent into another session is answered there with what a guest has.
#[test]
fn sec_42_a_guest_raises_nothing_by_another_session() {
    for (who, is_owner) in [(1001, true), (1002, false)] {
        let telegram = Telegram::start();
        telegram.user(1001, "Ann", "ann");
        telegram.user(1002, "Bob", "bob");
        telegram.group(-100, "Team");
        let more = json!({"tools": {"surfaces": {"guests": ["sessions_send"]}},
            "channels": {"telegram": {"groupPolicy": "open", "groups": {"*": {"requireMention": false}}}}});
        let arguments = json!({"sessionKey": "main", "message": "/status", "timeoutSeconds": 10}).to_string();
        let call = Step::Call { id: "c".into(), name: "sessions_send".into(), arguments };
        let replies = vec![Reply::Stream(vec![call, Step::Done]), texts(&["words"]), texts(&["told"])];
        let (server, _gateway) = with_bot(&telegram, more, replies);
        telegram.says(who, -100, "ask the others");
        said(&telegram, -100, 1);
        let requests = server.requests(3);
        let has = |n: usize, name: &str| {
            requests[n]["body"]["tools"].to_string().contains(&format!("\"name\":\"{name}\""))
        };
        assert!(last_user_text(&requests[1]["body"]).contains("/status"), "no command: {}", requests[1]);
        assert!(has(0, "sessions_send") && has(1, "sessions_send") && has(1, "read"), "{who}");
        assert_eq!((has(0, "exec"), has(1, "exec")), (is_owner, false), "{who}");
        assert_eq!((has(0, "sessions_list"), has(1, "sessions_list")), (is_owner, is_owner), "{who}");
    }
}

#[test]
fn s_h3_one_message_and_a_misled_model_end_and_the_owner_is_answered() {
    let server = ModelServer::start(vec![misled(30, 0)]);
    let gateway = attacked(&server, 3, 30);
    let mut client = Client::operator(&gateway, 4);
    client.ask("agent", json!({"message": "go", "idempotencyKey": "k", "sessionKey": "main"}));
    server.requests(2);
    let mut owner = Client::operator(&gateway, 4);
    let mut slowest = Duration::ZERO;
    for n in 0..5 {
        let asked = Instant::now();
        let params =
            json!({"sessionKey": format!("own{n}"), "message": "hello", "idempotencyKey": format!("o{n}")});
        owner.ok("chat.send", params);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "the owner waited {slowest:?}");
    // Each of the six messages may cause ten turns, each turn three rounds.
    let asked = settled(&server);
    assert!(asked <= 6 * 11 * 3, "{asked} model calls");
    let list = client.ok("sessions.list", json!({"limit": 1000}));
    assert_eq!(list["count"], 30 + 6, "no sessions come of it");
    let told =
        server.requests(1).iter().any(|r| r["body"].to_string().contains("one message may cause 10 turns"));
    assert!(told, "the model is told why");
}

/// S-H3: what is refused leaves nothing behind, and all that one message causes has one end, whatever the models say.
#[test]
fn s_h3_refused_subagents_leave_no_sessions_and_end_the_turn() {
    let (answers, mut n) = (60, 0);
    let mut spawning = || {
        let spawn = |n: usize| Step::Call {
            id: format!("c{n}"),
            name: "sessions_spawn".into(),
            arguments: json!({"task": format!("on and on {n}")}).to_string(),
        };
        n += 40;
        Reply::Stream((n..n + 40).map(spawn).chain([Step::Done]).collect())
    };
    let server = ModelServer::start((0..answers).map(|_| spawning()).collect());
    let gateway = attacked(&server, 10, 0);
    let mut client = Client::operator(&gateway, 4);
    let id = client.ask("agent", json!({"message": "go", "idempotencyKey": "k", "sessionKey": "main"}));
    client.answer(&id).unwrap();
    let error = client.answer(&id).unwrap_err();
    let told = error["message"].as_str().unwrap();
    assert!(told.contains("asked for 50 turns of other sessions that one message may not cause"), "{error}");
    let asked = settled(&server);
    // Ten subagents, the telling of each, and tools forty times: four full turns.
    assert!(asked <= 1 + 2 * 10 + 4 * 10, "{asked} model calls");
    let list = client.ok("sessions.list", json!({"limit": 1000}));
    assert_eq!(list["count"], 1 + 10, "the session and ten subagents");
}

#[test]
fn s_h3_sessions_that_wait_for_each_other_end() {
    let server = ModelServer::start(vec![misled(2, 1)]);
    let gateway = attacked(&server, 5, 2);
    let mut client = Client::operator(&gateway, 4);
    let id = client.ask("agent", json!({"message": "go", "idempotencyKey": "k", "sessionKey": "main"}));
    client.answer(&id).unwrap();
    let asked = settled(&server);
    // Its own rounds, one of each of ten turns, and the rounds of four.
    assert!(asked <= 5 + 10 + 4 * 5, "{asked} model calls");
    assert_eq!(client.ok("health", json!({}))["runs"]["active"], 0, "all have ended");
}

#[test]
fn s_h3_messages_go_to_sessions_that_are_there() {
    let send = |key: &str| {
        let arguments = json!({"sessionKey": key, "message": "hi", "timeoutSeconds": 5}).to_string();
        Reply::Stream(vec![
            Step::Call { id: "c".into(), name: "sessions_send".into(), arguments },
            Step::Done,
        ])
    };
    let server = ModelServer::start(vec![
        send("never-seen"),
        texts(&["no such"]),
        texts(&["begun"]),
        send("nightly-1"),
        texts(&["asked"]),
        texts(&["done"]),
    ]);
    let gateway = with_config(server.config());
    let mut client = Client::operator(&gateway, 4);
    crate::agent::turn(&mut client, "go", "k1").unwrap();
    let history = client.ok("chat.history", json!({"sessionKey": "main"})).to_string();
    assert!(history.contains("there is no session"), "{history}");
    assert_eq!(client.ok("sessions.list", json!({}))["count"], 1);
    // One that a client began under an id is found by it.
    let id = client.ask("agent", json!({"message": "m", "idempotencyKey": "k2", "sessionId": "nightly-1"}));
    client.answer(&id).unwrap();
    client.answer(&id).unwrap();
    let done = crate::agent::turn(&mut client, "go", "k3").unwrap();
    assert_eq!(done["result"]["payloads"][0]["text"], "done");
    let nightly =
        client.ok("chat.history", json!({"sessionKey": "agent:main:explicit:nightly-1"})).to_string();
    assert!(nightly.contains("asked"), "{nightly}");
}

/// A client that comes by the token of a device of its own.
fn paired(gateway: &Gateway) -> Client {
    paired_for(gateway, &params(4))
}

fn paired_for(gateway: &Gateway, wanted: &Value) -> Client {
    let (device, mut client) = (Device::new(), Client::open(gateway));
    let mut first = wanted.clone();
    device.attach(&mut first, &client.challenge.clone(), Version::V3);
    let token = client.connect(first).unwrap()["auth"]["deviceToken"].clone();
    let (mut client, mut again) = (Client::open(gateway), wanted.clone());
    again["auth"] = json!({"deviceToken": token});
    device.attach(&mut again, &client.challenge.clone(), Version::V3);
    client.connect(again).unwrap();
    client
}

#[test]
fn s_m9_one_client_leaves_others_their_share_of_the_queue() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let gateway = with_config(server.config());
    let fill = |client: &mut Client, name: &str| {
        (0..600).find_map(|n| {
            let params = json!({"sessionKey": format!("{name}{n}"), "message": "m", "idempotencyKey": format!("{name}{n}")});
            client.call("chat.send", params).err().map(|error| (n, error))
        })
    };
    let (first, error) = fill(&mut paired(&gateway), "a").expect("a refusal");
    assert_eq!(
        (first, &error["code"], &error["retryable"]),
        (250, &json!("UNAVAILABLE"), &json!(true)),
        "{error}"
    );
    assert!(error["message"].as_str().unwrap().starts_with("250 turns of this client"), "{error}");
    let (second, _) = fill(&mut paired(&gateway), "b").expect("a refusal");
    assert_eq!(second, 125, "half of what is left, and so on");
    paired(&gateway).ok("chat.send", json!({"sessionKey": "owner", "message": "m", "idempotencyKey": "o"}));
}

/// S-M9: however many others fill the queue, the owner has a place.
#[test]
fn s_m9_the_last_places_are_the_owners() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let gateway = with_config(server.config());
    let (mut sent, scopes) = (0, client::scoped(&["operator.read", "operator.write"]));
    for _ in 0..12 {
        let mut client = paired_for(&gateway, &scopes);
        let mut send = || {
            let name = format!("n{sent}");
            let params = json!({"sessionKey": name, "message": "m", "idempotencyKey": name});
            client.call("chat.send", params).map(|_| sent += 1)
        };
        while send().is_ok() {}
    }
    assert!((400..=450).contains(&sent), "{sent} turns of guests of the owner");
    let mut owner = Client::operator(&gateway, 4);
    for n in 0..10 {
        let name = format!("own{n}");
        owner.ok("chat.send", json!({"sessionKey": name, "message": "m", "idempotencyKey": name}));
    }
}

// S-M9: many connections with one secret have one share, and two people with it are two clients.
#[test]
fn s_m9_connections_with_one_secret_share_one_share() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let gateway = with_config(server.config());
    let mut sent = 0;
    let mut fill = |client: &mut Client| {
        let before = sent;
        let error = (0..600).find_map(|_| {
            sent += 1;
            let name = format!("n{sent}");
            let params = json!({"sessionKey": name, "message": "m", "idempotencyKey": name});
            client.call("chat.send", params).err()
        });
        (sent - before - 1, error.expect("a refusal"))
    };
    let (first, error) = fill(&mut Client::operator(&gateway, 4));
    assert_eq!(first, 167, "a third, as its half is halved again: {error}");
    let mut owner = Client::operator(&gateway, 4);
    owner.ok("chat.send", json!({"sessionKey": "owner", "message": "m", "idempotencyKey": "o"}));
    let rest: usize = (0..12).map(|_| fill(&mut Client::operator(&gateway, 4)).0).sum();
    assert_eq!(first + 1 + rest, 250, "all of them together have half");
    let error = owner.fails("chat.send", json!({"sessionKey": "x", "message": "m", "idempotencyKey": "x"}));
    assert!(error["message"].as_str().unwrap().starts_with("250 turns of this client and others"), "{error}");
    // A device that was paired before is another client.
    paired(&gateway).ok("chat.send", json!({"sessionKey": "d", "message": "m", "idempotencyKey": "d"}));
}

/// A model that is misled by everything it reads: each of its turns leaves ten commands like this one.
fn restless(command: &str) -> Vec<Reply> {
    let start = |n: usize| Step::Call {
        id: format!("c{n}"),
        name: "exec".into(),
        arguments: json!({"command": command, "background": true}).to_string(),
    };
    let turn = [Reply::Stream((0..10).map(start).chain([Step::Done]).collect()), texts(&["left"])];
    turn.iter().cycle().take(100).cloned().collect()
}

/// S-H3: the ends of commands that a turn has left are paid by the message that it all began with, and take no place of
/// the owner's.
#[test]
fn s_h3_ends_of_commands_are_paid_by_the_first_message_and_stopped_with_it() {
    let run = |command: &str| {
        let server = ModelServer::start(restless(command));
        let mut config = server.config();
        merge(&mut config, &json!({"tools": {"exec": {"security": "full", "ask": "off"}}}));
        (Gateway::start(&Setup::config(config)), server)
    };
    let (gateway, server) = run("sleep 0.2; echo built");
    let mut client = Client::operator(&gateway, 4);
    client.ok("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "k"}));
    let asked = settled(&server);
    assert!((4..=22).contains(&asked), "{asked} model calls");
    client.ok("chat.send", json!({"sessionKey": "main", "message": "and?", "idempotencyKey": "k2"}));
    let text = last_user_text(&server.requests(asked + 1)[asked]["body"].clone());
    assert!(
        text.contains("Exec completed (session=") && text.contains("process shows what it said"),
        "{text}"
    );
    settled(&server);

    // Whoever stops is not woken by what is left.
    let (gateway, server) = run("sleep 1.5; echo built");
    let mut client = Client::operator(&gateway, 4);
    crate::agent::turn(&mut client, "go", "k").unwrap();
    let before = server.count();
    client.ok("chat.abort", json!({"sessionKey": "main"}));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(server.count(), before, "no model is asked");
}

/// S-M9: nor has one client the whole queue of a session, which the owner shares with it.
#[test]
fn s_m9_one_client_leaves_others_their_share_of_a_sessions_queue() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let gateway = with_config(server.config());
    let fill = |client: &mut Client, name: &str| {
        (0..100).find_map(|n| {
            let params =
                json!({"sessionKey": "main", "message": "m", "idempotencyKey": format!("{name}{n}")});
            client.call("chat.send", params).err().map(|error| (n, error))
        })
    };
    let (first, error) = fill(&mut paired(&gateway), "a").expect("a refusal");
    assert_eq!((first, &error["code"]), (32, &json!("UNAVAILABLE")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("has 32 turns of this client waiting"), "{error}");
    let mut owner = Client::operator(&gateway, 4);
    let (own, _) = fill(&mut owner, "o").expect("a refusal");
    assert!(own >= 10, "{own}");
    Client::operator(&gateway, 4)
        .ok("chat.send", json!({"sessionKey": "main", "message": "m", "idempotencyKey": "p"}));
}

/// S-M9: one client alone may have as many waiting as `limits.queuedRuns` says.
#[test]
fn s_m9_one_client_alone_may_wait_as_often_as_is_configured() {
    let server = ModelServer::start(vec![Reply::Hang]);
    let gateway = with_config(server.config());
    let mut owner = Client::operator(&gateway, 4);
    let sent = (0..100).find(|n| {
        let params = json!({"sessionKey": "main", "message": "m", "idempotencyKey": format!("k{n}")});
        owner.call("chat.send", params).is_err()
    });
    assert_eq!(sent, Some(21), "one that runs, and twenty");
}

/// S-H3: a turn that waits for another takes no place from it, and the fourth in a row is refused.
#[test]
fn s_h3_sessions_that_wait_for_each_other_are_three_deep_and_the_model_is_told() {
    let send = |n: usize| {
        let arguments =
            json!({"sessionKey": format!("s{n}"), "message": format!("to {n}"), "timeoutSeconds": 30});
        let call = Step::Call {
            id: format!("c{n}"),
            name: "sessions_send".into(),
            arguments: arguments.to_string(),
        };
        Reply::Stream(vec![call, Step::Done])
    };
    let answers = (0..4).map(|_| texts(&["well"]));
    let server = ModelServer::start((0..4).map(send).chain(answers).collect());
    let gateway = attacked(&server, 5, 4);
    let mut client = Client::operator(&gateway, 4);
    crate::agent::turn(&mut client, "go", "k").unwrap();
    let requests = server.requests(8);
    // The fifth is the second of the third session: what it sent went nowhere.
    assert!(requests[4]["body"].to_string().contains("through 3 sessions already"), "{}", requests[4]);
    assert_eq!(settled(&server), 8);
}
