//! What another program did to the file of the jobs while the gateway ran, and what the gateway did meanwhile, together: told
//! apart by the jobs as both last knew them. What somebody wrote by hand goes before; how a job's runs went, the gateway
//! knows better. For the store thread; may read time zones.
use super::book::Book;
use super::job::{self, Members};
use super::packed::Packed;
use super::store::{Found, Snapshot};
use crate::json;
use serde_json::Value;
use std::collections::HashMap;

/// Values of one job that is compared.
const MAX_VALUES: usize = 100_000;

/// The jobs that there are now; `base` is what the file held before both changed something.
pub fn merged(base: &Snapshot, ours: &Snapshot, found: Found, now: u64) -> Book {
    // In one shape, whoever wrote them.
    let theirs = Book::load(Ok(found), now).0.snapshot();
    let (base, mut own) = (by_id(base), by_id(ours));
    let mut jobs = Vec::new();
    for text in &theirs.texts {
        let job = read(text);
        let Some(id) = id(&job) else {
            jobs.push(job);
            continue;
        };
        let is_theirs = base.get(&id).is_none_or(|base| !is_same(base, &job));
        match own.remove(&id) {
            Some(ours) if !is_theirs => jobs.push(ours),
            Some(ours) => jobs.push(with_state(job, &ours)),
            // The gateway has removed it, if it was not changed since.
            None if !is_theirs => {}
            None => jobs.push(job),
        }
    }
    // What is not there any more was removed by hand, unless it is new or was changed here.
    let kept = ours.texts.iter().map(read).filter(|job| {
        let is_left = id(job).is_some_and(|id| own.contains_key(&id));
        is_left && id(job).and_then(|id| base.get(&id).map(|base| !is_same(base, job))).unwrap_or(true)
    });
    jobs.extend(kept.collect::<Vec<_>>());
    Book::load(Ok(Found { head: theirs.head, jobs }), now).0
}

fn read(text: &Packed) -> Value {
    json::read(&*text.text(), MAX_VALUES, json::DEEPEST).unwrap_or_default()
}

fn id(job: &Value) -> Option<String> {
    job.get("id")?.as_str().map(str::to_string)
}

fn by_id(snapshot: &Snapshot) -> HashMap<String, Value> {
    let jobs = snapshot.texts.iter().map(read);
    jobs.filter_map(|job| Some((id(&job)?, job))).collect()
}

/// Whether they are the same but for what runs have left in them.
fn is_same(one: &Value, other: &Value) -> bool {
    let bare = |job: &Value| {
        let mut job = job.clone();
        if let Some(map) = job.as_object_mut() {
            ["state", "updatedAtMs"].iter().for_each(|member| drop(map.remove(*member)));
        }
        job
    };
    bare(one) == bare(other)
}

/// Their job with our knowledge of its runs; when it is due follows from its schedule anew where that has changed.
fn with_state(mut theirs: Value, ours: &Value) -> Value {
    let is_moved = ["schedule", "enabled"].iter().any(|member| theirs.get(*member) != ours.get(*member));
    let state = ours.get("state").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(job) = theirs.as_object_mut() {
        job::change_state(job, |own: &mut Members| {
            *own = state;
            if is_moved {
                own.remove("nextRunAtMs");
            }
        });
    }
    theirs
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(id: &str, message: &str, last: u64) -> Value {
        json!({"id": id, "name": id, "enabled": true, "createdAtMs": 1, "schedule": {"kind": "every", "everyMs": 3_600_000, "anchorMs": 1},
            "sessionTarget": "isolated", "wakeMode": "now", "payload": {"kind": "agentTurn", "message": message},
            "delivery": {"mode": "none"}, "state": {"lastRunAtMs": last}})
    }

    fn snapshot(jobs: &[Value]) -> Snapshot {
        Book::load(Ok(Found { jobs: jobs.to_vec(), ..Found::default() }), 5).0.snapshot()
    }

    #[test]
    fn i13_1_what_was_written_by_hand_and_what_runs_left_are_put_together() {
        let base = snapshot(&[
            job("same", "m", 1),
            job("edited", "m", 1),
            job("dropped", "m", 1),
            job("removed", "m", 1),
        ]);
        let ours = snapshot(&[
            job("same", "m", 9),
            job("edited", "m", 9),
            job("dropped", "m", 9),
            job("added", "m", 9),
        ]);
        let mut edited = job("edited", "by hand", 1);
        edited["schedule"]["everyMs"] = json!(7_200_000);
        let theirs =
            vec![json!("odd"), job("new", "m", 1), edited, job("same", "m", 1), job("removed", "m", 1)];
        let book = merged(&base, &ours, Found { jobs: theirs, ..Found::default() }, 10);
        let all: Vec<Value> = book.snapshot().texts.iter().map(read).collect();
        let told: Vec<_> = all
            .iter()
            .map(|job| (job["id"].as_str().unwrap_or("odd"), job["state"]["lastRunAtMs"].as_u64()))
            .collect();
        let want =
            [("odd", None), ("new", Some(1)), ("edited", Some(9)), ("same", Some(9)), ("added", Some(9))];
        assert_eq!(told, want);
        assert_eq!(
            (&all[2]["payload"]["message"], &all[2]["state"]["nextRunAtMs"]),
            (&json!("by hand"), &json!(7_200_001))
        );
    }
}
