//! Usage reports: `sessions.usage*`, `usage.cost`, `usage.status`.
use crate::agent::turn;
use crate::harness::*;

const A: &str = "0b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a10";
const OLD: &str = "1b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a11";
const W: &str = "2b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a12";

fn asked(at: &str) -> String {
    format!("{}\n", json!({"type": "message", "timestamp": at, "message": {"role": "user", "content": "hi"}}))
}

fn answer(at: &str, usage: Value) -> String {
    let message = json!({"role": "assistant", "provider": "p", "model": "m", "content": [{"type": "text", "text": "hello"}], "usage": usage, "stopReason": "stop"});
    format!("{}\n", json!({"type": "message", "timestamp": at, "message": message}))
}

/// Two agents: one session each, and one transcript that a reset left behind.
pub fn setup() -> Setup {
    let config = json!({
        "agents": {"list": [{"id": "main", "default": true}, {"id": "work"}]},
        "models": {"providers": {"p": {"baseUrl": "http://127.0.0.1:9/v1", "models": [{"id": "m", "name": "m", "cost": {"input": 1000, "output": 0, "cacheRead": 0, "cacheWrite": 0}}]}}},
    });
    let known = json!({"input": 10, "output": 5, "cost": {"input": 1, "output": 1, "total": 2}});
    let priced = json!({"input": 1000, "output": 1});
    let a = [
        asked("2026-11-19T23:59:59.000Z"),
        answer("2026-11-20T00:00:01.000Z", known.clone()),
        "{\"torn".to_string(),
        "\n".to_string(),
        answer("2026-11-21T23:59:59.999Z", priced),
        answer("2026-11-22T00:00:00.000Z", known.clone()),
    ];
    let index = |key: &str, id: &str, channel: &str| {
        json!({key: {"sessionId": id, "updatedAt": 1795224708294u64, "channel": channel, "label": "mine"}})
            .to_string()
    };
    let dir = |agent: &str, file: &str| format!("agents/{agent}/sessions/{file}");
    Setup::config(config)
        .file(&dir("main", "sessions.json"), index("agent:main:main", A, "telegram"))
        .file(&dir("main", &format!("{A}.jsonl")), a.concat())
        .file(&dir("main", &format!("{OLD}.jsonl")), answer("2026-11-21T08:00:00.000Z", known.clone()))
        .file(
            &dir("main", &format!("{OLD}.jsonl.deleted.2026-11-21T09-00-00.000Z")),
            answer("2026-11-21T08:00:00.000Z", known.clone()),
        )
        .file(&dir("work", "sessions.json"), index("agent:work:main", W, "webchat"))
        .file(&dir("work", &format!("{W}.jsonl")), answer("2026-11-20T12:00:00.000Z", known))
}

#[test]
fn costs_by_day_over_all_agents() {
    let gateway = Gateway::start(&setup());
    let mut client = Client::operator(&gateway, 3);
    let params = json!({"startDate": "2026-11-20", "endDate": "2026-11-21"});
    let cost = client.ok("usage.cost", params);
    assert_eq!(cost["days"], 2);
    let days: Vec<(&str, f64)> = cost["daily"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["date"].as_str().unwrap(), d["totalCost"].as_f64().unwrap()))
        .collect();
    // Of the price list: a thousand tokens at a thousand a million.
    assert_eq!(days, [("2026-11-20", 4.0), ("2026-11-21", 3.0)]);
    assert_eq!((&cost["totals"]["input"], &cost["totals"]["missingCostEntries"]), (&json!(1030), &json!(0)));
    for (days, want) in [(json!(2), 2), (json!("7"), 7), (json!(0), 1)] {
        assert_eq!(client.ok("usage.cost", json!({"days": days}))["days"], want, "{days}");
    }
    assert_eq!(client.ok("usage.cost", json!({}))["days"], 30);
    // What it does not know it passes over (M-3).
    client.ok("usage.cost", json!({"mode": "utc"}));
    for params in [json!({"days": "x"}), json!({"startDate": "2026-02-30", "endDate": "2026-03-01"})] {
        let error = client.fails("usage.cost", params.clone());
        assert_eq!(error["code"], "INVALID_REQUEST", "{params}");
    }
    assert_eq!(client.ok("usage.status", json!({}))["providers"], json!([]));
}

#[test]
fn sessions_of_all_agents_and_those_left_behind() {
    let gateway = Gateway::start(&setup());
    let mut client = Client::operator(&gateway, 4);
    let span = json!({"startDate": "2026-11-20", "endDate": "2026-11-21"});
    let with = |more: Value| {
        let mut params = span.clone();
        merge(&mut params, &more);
        params
    };
    let report = client.ok("sessions.usage", with(json!({"includeContextWeight": true})));
    assert_eq!((&report["startDate"], &report["endDate"]), (&json!("2026-11-20"), &json!("2026-11-21")));
    let row = |key: &str| {
        report["sessions"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone()
    };
    let main = row("agent:main:main");
    assert_eq!(
        (&main["usage"]["totalCost"], &main["usage"]["totalTokens"], &main["label"]),
        (&json!(3.0), &json!(1016), &json!("mine"))
    );
    assert_eq!((&main["channel"], &main["contextWeight"]), (&json!("telegram"), &Value::Null));
    assert_eq!(row("agent:work:main")["usage"]["totalCost"], 2.0);
    assert_eq!(row(&format!("agent:main:{OLD}"))["usage"]["messageCounts"]["assistant"], 1);
    assert_eq!(report["sessions"].as_array().unwrap().len(), 3);
    assert_eq!(report["totals"]["totalCost"], 7.0);
    assert_eq!(
        report["aggregates"]["byAgent"][0],
        json!({"agentId": "main", "totals": report["aggregates"]["byAgent"][0]["totals"]})
    );
    assert_eq!(report["aggregates"]["byChannel"].as_array().unwrap().len(), 2);
    assert_eq!(report["aggregates"]["daily"][0]["date"], "2026-11-20");
    // One session, by any of its names.
    for key in ["main", "agent:main:main", &format!("agent:main:{A}")] {
        let one = client.ok("sessions.usage", with(json!({"key": key})));
        assert_eq!(
            (one["sessions"].as_array().unwrap().len(), &one["totals"]["totalCost"]),
            (1, &json!(3.0)),
            "{key}"
        );
    }
    assert_eq!(client.ok("sessions.usage", with(json!({"key": "none"})))["sessions"], json!([]));
    assert_eq!(
        client.ok("sessions.usage", with(json!({"limit": 1})))["sessions"].as_array().unwrap().len(),
        1
    );
    let error = client.fails("sessions.usage", json!({"startDate": "2026-11-22", "endDate": "2026-11-20"}));
    assert_eq!(error["message"], "startDate is after endDate, swap them");
}

#[test]
fn the_course_of_a_session() {
    let gateway = Gateway::start(&setup());
    let mut client = Client::operator(&gateway, 4);
    let series = client.ok("sessions.usage.timeseries", json!({"key": "main"}));
    assert_eq!((&series["sessionId"], &series["points"][2]["cumulativeTokens"]), (&json!(A), &json!(1031)));
    let old = client.ok("sessions.usage.timeseries", json!({"key": format!("agent:main:{OLD}")}));
    assert_eq!(old["points"].as_array().unwrap().len(), 1);
    let logs = client.ok("sessions.usage.logs", json!({"key": "main", "limit": 2}));
    assert_eq!((&logs["logs"][1]["content"], &logs["logs"][1]["cost"]), (&json!("hello"), &json!(2.0)));
    assert_eq!(logs["logs"].as_array().unwrap().len(), 2);
    assert_eq!(client.ok("sessions.usage.logs", json!({"key": "none"}))["logs"], json!([]));
    let refused =
        |client: &mut Client, method: &str, params: Value| client.fails(method, params)["message"].clone();
    assert_eq!(
        refused(&mut client, "sessions.usage.timeseries", json!({})),
        "key is required for timeseries"
    );
    assert_eq!(refused(&mut client, "sessions.usage.logs", json!({"key": " "})), "key is required for logs");
    let none = refused(&mut client, "sessions.usage.timeseries", json!({"key": "none"}));
    assert_eq!(none, "No transcript found for session: none");
    // SEC-12: a key names no file outside the directory.
    assert!(
        client.call("sessions.usage.logs", json!({"key": "agent:main:../../x"})).unwrap()["logs"]
            == json!([])
    );
}

#[test]
fn a_turn_shows_up_at_once() {
    let gateway = Gateway::plain();
    let mut client = Client::operator(&gateway, 4);
    assert_eq!(client.ok("sessions.usage", json!({}))["sessions"], json!([]));
    turn(&mut client, "hello", "k").unwrap();
    let report = client.ok("sessions.usage", json!({}));
    let counts = &report["sessions"][0]["usage"]["messageCounts"];
    assert_eq!((&counts["user"], &counts["assistant"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(report["aggregates"]["messages"]["total"], 2);
}
