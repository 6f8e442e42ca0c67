use super::*;
use crate::calls::Reply;
use crate::deliveries::Inbound;
use crate::sessions::{Entry, Index, TestDir};
use serde_json::json;

fn accept(key: &str) -> Box<Job> {
    let record = Record { family: "chat".into(), key: key.into(), ts: 1, ..Record::default() };
    Box::new(Job::Accept { record, images: Arc::default(), index: None })
}

#[test]
fn what_comes_while_the_disk_works_waits_for_it_together() {
    let (jobs, queue) = bounded(QUEUE);
    (0..TOGETHER + 3).for_each(|n| jobs.try_send(accept(&n.to_string())).unwrap());
    jobs.try_send(Box::new(Job::Compact)).unwrap();
    let (mut first, ahead) = gather(*queue.recv().unwrap(), &queue);
    assert!(first.len() == TOGETHER && ahead.is_none());
    let lines = vec![Line::Inbound(Inbound { id: "7".into(), ts: 1, ..Inbound::default() })];
    first.push(Job::Note { lines, then: Box::new(|_, _| ()) });
    let (second, ahead) = gather(*queue.recv().unwrap(), &queue);
    assert!(second.len() == 3 && matches!(ahead.as_deref(), Some(Job::Compact)));
    let dir = TestDir::new();
    let (mut journal, _) = Journal::open(&dir.0, 0).unwrap();
    let (state, events) = bounded(QUEUE);
    write_together(first, &mut journal, &Spool::of(&dir.0), &state);
    let (noted, accepted): (Vec<Event>, Vec<Event>) =
        events.try_iter().partition(|event| matches!(event, Event::Noted { result: Ok(()), .. }));
    assert_eq!((noted.len(), accepted.len()), (1, TOGETHER));
    let (_, found) = Journal::open(&dir.0, 2).unwrap();
    assert_eq!((found.runs.len(), found.inbound.len()), (TOGETHER, 1));
}

#[test]
fn r_28b_one_that_cannot_be_kept_fails_alone() {
    let dir = TestDir::new();
    // Pictures cannot be kept: a file stands where their directory would be.
    let (mut journal, _) = Journal::open(&dir.0, 0).unwrap();
    std::fs::write(dir.0.join("gateway/attachments"), "").unwrap();
    let (state, events) = bounded(QUEUE);
    let record = Record { family: "chat".into(), key: "pictures".into(), ts: 1, ..Record::default() };
    let images = Arc::new(vec![json!({})]);
    let jobs = vec![*accept("a"), Job::Accept { record, images, index: None }, *accept("b")];
    write_together(jobs, &mut journal, &Spool::of(&dir.0), &state);
    let mut told: Vec<(String, bool)> = events
        .try_iter()
        .map(|event| match event {
            Event::Accepted { run, result } => (run, result.is_ok()),
            _ => panic!("nothing else is told"),
        })
        .collect();
    told.sort();
    let want = [("a", true), ("b", true), ("pictures", false)].map(|(run, is_ok)| (run.to_string(), is_ok));
    assert_eq!(told, want);
}

#[test]
fn a_run_is_accepted_while_a_large_index_is_saved() {
    let dir = TestDir::new();
    let (journal, _) = Journal::open(&dir.0, 0).unwrap();
    let (state, events) = bounded(9);
    let store = Store::start(journal, Spool::of(&dir.0), state).unwrap();
    let mut index = Index::empty(&dir.0.join("sessions.json"));
    let mut entry = Entry::new("id", 1);
    entry.set("x", "y".repeat(LARGE));
    index.put("agent:main:main", &entry);
    // What hangs here stands for a disk that takes its time.
    let (go, held) = bounded::<()>(0);
    let work = move || {
        held.recv().unwrap();
        Ok(crate::json::json!({}).into())
    };
    let call =
        Call { caller: Arc::default(), id: String::new(), method: "", reply: Reply::Thread(bounded(1).0) };
    let waiting: Vec<(Call, Work)> = vec![(call, Box::new(work))];
    let save = Save { agent: "main".into(), index: index.snapshot(), waiting };
    assert!(store.submit(Job::Save(save)).is_ok());
    let record = Record { family: "chat".into(), key: "k".into(), ..Record::default() };
    assert!(store.submit(Job::Accept { record, images: Arc::default(), index: None }).is_ok());
    let first = events.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(first, Event::Accepted { result: Ok(()), .. }));
    go.send(()).unwrap();
    // Its end waits for the save too.
    store.finish(true);
    assert!(matches!(events.try_recv(), Ok(Event::Saved { result: Ok(_), .. })));
    assert!(dir.0.join("sessions.json").is_file());
}
