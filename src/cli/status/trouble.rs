//! What is wrong with the channels of a gateway that runs: a line an account that fails, that cannot send what waits, or of
//! whose messages it is not known whether they arrived (R-08c, R-46). Nothing where all is well. Pure.
use crate::cli::print::age;
use serde_json::Value;

/// Whether the snapshot of a greeting speaks of any.
pub fn shows(snapshot: &Value) -> bool {
    let channels = snapshot.get("channels").and_then(Value::as_object).into_iter().flatten();
    let accounts = channels.filter_map(|(_, channel)| channel.get("accounts")?.as_object()).flatten();
    accounts.into_iter().any(|(_, row)| is_in(row) || row.get("uncertain").is_some())
}

/// Whether an account fails, or cannot send.
pub fn is_in(row: &Value) -> bool {
    failing(row).is_some() || ["lastSendError", "pairingProblem"].iter().any(|name| row.get(name).is_some())
}

/// Why an account does not work that is meant to.
pub fn failing(row: &Value) -> Option<&str> {
    let is_connected = row.get("connected") == Some(&Value::Bool(true));
    let why = row.get("lastError").and_then(Value::as_str).filter(|_| !is_connected)?;
    (!["disabled", "not configured"].contains(&why)).then_some(why)
}

/// A line for each account that `channels.status` tells trouble of.
pub fn lines(told: &Value, now: u64) -> Vec<String> {
    let order = told.get("channelOrder").and_then(Value::as_array).into_iter().flatten();
    let rows = order.filter_map(Value::as_str).flat_map(|id| {
        let label = told.get("channelLabels").and_then(|labels| labels.get(id)?.as_str()).unwrap_or(id);
        let rows = told.get("channelAccounts").and_then(|all| all.get(id)?.as_array());
        rows.into_iter().flatten().map(move |row| (label, row))
    });
    rows.filter_map(|(label, row)| {
        let account = row.get("accountId").and_then(Value::as_str).unwrap_or_default();
        let all = about(row, now);
        (!all.is_empty()).then(|| format!("{label} {account}: {}", all.join("; ")))
    })
    .collect()
}

fn about(row: &Value, now: u64) -> Vec<String> {
    let number = |name: &str| row.get(name).and_then(Value::as_u64);
    let how_long = |name: &str| number(name).map(|at| format!(" for {}", age(now.saturating_sub(at))));
    let why_not = row.get("lastSendError").and_then(Value::as_str);
    let uncertain = number("deliveriesUncertain").filter(|n| *n > 0);
    let failing = failing(row);
    let is_stuck = why_not.is_some() || failing.is_some();
    let waiting = number("deliveriesWaiting").filter(|n| *n > 0 && is_stuck);
    let pieces = [
        failing.map(|why| format!("failing{}: {why}", how_long("failingSince").unwrap_or_default())),
        waiting.map(|n| format!("{n} not sent{}", how_long("deliveriesOldestAt").unwrap_or_default())),
        why_not.filter(|_| failing.is_none()).map(str::to_string),
        row.get("pairingProblem").and_then(Value::as_str).map(str::to_string),
        number("nextTryAt").map(|at| format!("next try in {}", age(at.saturating_sub(now)))),
        uncertain.map(|n| format!("{n} sent of which it is not known whether they arrived (channels logs)")),
    ];
    pieces.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn r_46_an_account_in_trouble_is_told_and_others_are_not() {
        let check = |row: Value, want: &[&str]| {
            let told =
                json!({"channelOrder": ["t"], "channelLabels": {"t": "T"}, "channelAccounts": {"t": [row]}});
            assert_eq!(lines(&told, 100_000), want);
        };
        check(json!({"accountId": "a", "connected": true, "deliveriesWaiting": 3, "lastError": "x"}), &[]);
        check(json!({"accountId": "a", "connected": false, "lastError": "disabled"}), &[]);
        check(
            json!({"accountId": "a", "lastError": "no", "failingSince": 40_000, "nextTryAt": 130_000}),
            &["T a: failing for 1m: no; next try in 30s"],
        );
        check(
            json!({"accountId": "a", "connected": true, "lastSendError": "500", "deliveriesWaiting": 2,
                "deliveriesOldestAt": 95_000, "deliveriesUncertain": 1}),
            &[
                "T a: 2 not sent for 5s; 500; 1 sent of which it is not known whether they arrived (channels logs)",
            ],
        );
    }
}
