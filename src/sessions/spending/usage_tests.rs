//! Sums over real files.
use super::*;
use crate::clock;
use crate::sessions::TestDir;

fn line(at: &str, message: Value) -> String {
    format!("{}\n", json!({"type": "message", "timestamp": at, "message": message}))
}

fn answer(at: &str, model: &str, tokens: u64, cost: Option<f64>) -> String {
    let usage = match cost {
        Some(total) => json!({"input": tokens, "output": 1, "cost": {"input": total, "total": total}}),
        None => json!({"input": tokens, "output": 1}),
    };
    line(
        at,
        json!({"role": "assistant", "provider": "p", "model": model, "usage": usage, "stopReason": "stop"}),
    )
}

fn conversation() -> String {
    [
        line("2026-11-19T23:59:59.999Z", json!({"role": "user", "content": "before"})),
        line("2026-11-20T00:00:00.000Z", json!({"role": "user", "content": "hi"})),
        line("2026-11-20T00:00:01.000Z", json!({"role": "assistant", "provider": "p", "model": "a", "content": [
            {"type": "toolCall", "name": "read"}, {"type": "toolCall", "name": "read"}, {"type": "toolCall", "name": "write"}]})),
        line("2026-11-20T00:00:02.000Z", json!({"role": "toolResult", "toolName": "read", "isError": true})),
        answer("2026-11-20T00:00:03.000Z", "a", 9, Some(0.5)),
        line("2026-11-21T23:00:00.000Z", json!({"role": "user", "content": "more"})),
        answer("2026-11-21T23:59:59.999Z", "b", 19, Some(2.0)),
        answer("2026-11-21T23:59:59.999Z", "b", 0, None),
        answer("2026-11-22T00:00:00.000Z", "b", 1000, Some(9.0)),
    ]
    .concat()
}

fn summed(text: &str, bytes: u64) -> (Summary, bool) {
    let dir = TestDir::new();
    let path = dir.0.join("s.jsonl");
    std::fs::write(&path, text).unwrap();
    let span = Span::of(Some("2026-11-20"), Some("2026-11-21"), None, 0).unwrap();
    let (mut one, mut all) = (Summary::default(), Summary::default());
    let mut budget = Budget::new(bytes);
    add_transcript(&path, &Config::empty(), &span, &mut budget, &mut [&mut one, &mut all]).unwrap();
    assert_eq!(one.to_value(), all.to_value());
    (one, budget.is_spent)
}

#[test]
fn a_session_is_summed_by_day_model_and_tool() {
    let (sum, is_spent) = summed(&conversation(), 1 << 20);
    let value = Value::Object(sum.to_value());
    assert!(!is_spent);
    let check =
        |pointer: &str, want: Value| assert_eq!(value.pointer(pointer), Some(&want), "{pointer}: {value:#}");
    check("/totalTokens", json!(31));
    check("/totalCost", json!(2.5));
    check("/inputCost", json!(2.5));
    check("/missingCostEntries", json!(1));
    check("/activityDates", json!(["2026-11-20", "2026-11-21"]));
    check("/firstActivity", json!(clock::parse_iso("2026-11-20T00:00:00Z")));
    check("/durationMs", json!(2 * 86_400_000 - 1));
    check(
        "/messageCounts",
        json!({"total": 6, "user": 2, "assistant": 4, "toolCalls": 3, "toolResults": 1, "errors": 1}),
    );
    check("/dailyBreakdown/1", json!({"date": "2026-11-21", "tokens": 21, "cost": 2.0}));
    check("/dailyMessageCounts/0/toolCalls", json!(3));
    check(
        "/toolUsage",
        json!({"totalCalls": 3, "uniqueTools": 2, "tools": [{"name": "read", "count": 2}, {"name": "write", "count": 1}]}),
    );
    check("/modelUsage/0/model", json!("b"));
    check("/modelUsage/0/count", json!(2));
    check("/modelUsage/1/totals/totalCost", json!(0.5));
    check(
        "/dailyModelUsage/1",
        json!({"provider": "p", "model": "b", "date": "2026-11-21", "tokens": 21, "cost": 2.0, "count": 2}),
    );
    let day = json!({"count": 2, "avgMs": 2000.0, "p95Ms": 3000, "minMs": 1000, "maxMs": 3000, "date": "2026-11-20"});
    check("/dailyLatency/0", day);
    check("/latency/count", json!(4));
}

#[test]
fn aggregates_and_costs_come_from_the_same_sums() {
    let (sum, _) = summed(&conversation(), 1 << 20);
    let agents = BTreeMap::from([
        ("main".to_string(), sum.totals.clone()),
        ("dear".to_string(), {
            let mut totals = sum.totals.clone();
            totals.merge(&sum.totals);
            totals
        }),
    ]);
    let value = sum.aggregates(&agents, &BTreeMap::new());
    assert_eq!(
        (&value["byAgent"][0]["agentId"], &value["byAgent"][0]["totals"]["totalTokens"]),
        (&json!("dear"), &json!(62))
    );
    assert_eq!(
        (&value["byProvider"][0]["provider"], &value["byProvider"][0]["count"]),
        (&json!("p"), &json!(3))
    );
    assert_eq!((&value["byProvider"][0].get("model"), &value["byChannel"]), (&None, &json!([])));
    let day =
        json!({"date": "2026-11-20", "tokens": 10, "cost": 0.5, "messages": 3, "toolCalls": 3, "errors": 1});
    assert_eq!(value["daily"][0], day);
    let costs = sum.daily_totals();
    assert_eq!(costs.len(), 2);
    assert_eq!(
        (&costs[1]["date"], &costs[1]["totalCost"], &costs[1]["missingCostEntries"]),
        (&json!("2026-11-21"), &json!(2.0), &json!(1))
    );
}

#[test]
fn an_empty_transcript_and_one_over_the_budget() {
    let (sum, _) = summed("", 10);
    let value = sum.to_value();
    assert_eq!(
        (value.get("totalTokens"), value.get("latency"), value.get("modelUsage")),
        (Some(&json!(0)), None, None)
    );
    let text = conversation();
    let (sum, is_spent) = summed(&text, text.len() as u64 / 2);
    assert!(is_spent && sum.counts.messages() < 6);
}

#[test]
fn latencies_of_many_answers_keep_a_bounded_even_sample() {
    let mut latency = Latency::default();
    for ms in 0..100_000 {
        latency.add(ms);
    }
    assert!(latency.sample.len() < Latency::MAX_SAMPLE);
    let value = latency.to_value().unwrap();
    assert_eq!(
        (&value["count"], &value["minMs"], &value["maxMs"]),
        (&json!(100_000), &json!(0), &json!(99_999))
    );
    let p95 = value["p95Ms"].as_u64().unwrap();
    assert!((94_800..95_100).contains(&p95), "{p95}");
}
