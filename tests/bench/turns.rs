//! What is measured with a model: how fast the first word is forwarded, what a turn costs beyond the model's own
//! time, a long transcript, and calm while eight runs stream.
use crate::load::{Client, millis};
use crate::model::Model;
use crate::process::{Gateway, memory};
use crate::report::{Report, median, quantile};
use crate::{Result, Scale};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// R-23a: from the model server's first word to the client's first `agent` event with text.
pub fn first_token(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(3, Duration::from_millis(5))?;
    let gateway = Gateway::start(&model.config())?;
    let mut client = Client::connect(&gateway, "asker")?;
    let (mut forwarded, mut before, mut overheads) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..scale.turns {
        let asked = Instant::now();
        let id = client.ask(
            "agent",
            &json!({"message": "go", "sessionKey": format!("s{n}"), "idempotencyKey": format!("k{n}")}),
        )?;
        client.answer(&id)?;
        loop {
            let text = client.text()?;
            if text.contains("\"stream\":\"assistant\"") {
                break;
            }
        }
        let (now, sent) = (Instant::now(), model.times().first.ok_or("the model server was not asked")?);
        forwarded.push(now.duration_since(sent).as_secs_f64() * 1e3);
        client.answer(&id)?;
        let (all, times) = (asked.elapsed(), model.times());
        let (came, done) = times.asked.zip(times.done).ok_or("the model server has not answered")?;
        before.push(came.duration_since(asked).as_secs_f64() * 1e3);
        overheads.push((all - done.duration_since(came)).as_secs_f64() * 1e3);
    }
    report.at_most("first token forwarded (median)", median(&forwarded), 5.0, "ms");
    report.at_most("message received to model asked (median)", median(&before), 10.0, "ms");
    report.at_most("turn beyond the model's own time (median)", median(&overheads), 10.0, "ms");
    Ok(())
}

/// Messages in the long transcript.
const LONG: usize = 10_000;

/// A transcript of 10,000 messages costs no more than its end: history, the start of a turn, memory.
pub fn long_transcript(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(1, Duration::ZERO)?;
    let gateway = Gateway::start_with(&model.config(), write_long)?;
    let mut client = Client::connect(&gateway, "reader")?;
    let idle = memory(gateway.pid())?.1;
    let (mut reads, mut starts) = (Vec::new(), Vec::new());
    for n in 0..scale.turns {
        let asked = Instant::now();
        let history = client.call("chat.history", &json!({"sessionKey": "main", "limit": 200}))?;
        reads.push(millis(asked));
        let count = history.matches("\"role\":").count();
        if count != 200 {
            return Err(format!("chat.history gave {count} of 200 messages").into());
        }
        let asked = Instant::now();
        let turn = json!({"message": "go", "sessionKey": "main", "idempotencyKey": format!("k{n}")});
        let id = client.ask("agent", &turn)?;
        client.answer(&id)?;
        client.answer(&id)?;
        let came = model.times().asked.ok_or("the model server was not asked")?;
        starts.push(came.duration_since(asked).as_secs_f64() * 1e3);
    }
    report.at_most("10,000 messages: `chat.history` of 200 (median)", median(&reads), 10.0, "ms");
    report.at_most("10,000 messages: message to model asked (median)", median(&starts), 20.0, "ms");
    std::thread::sleep(Duration::from_millis(100));
    let grown = (memory(gateway.pid())?.1 - idle) / 1024.0;
    report.at_most("10,000 messages: private memory gained after the turns", grown, 8.0, "MiB");
    Ok(())
}

fn write_long(state_dir: &Path) -> Result<()> {
    const ID: &str = "0b5cbf1e-3a52-4a2e-9c57-0d2f5f8e9a10";
    let dir = state_dir.join("agents/main/sessions");
    std::fs::create_dir_all(&dir)?;
    let index = json!({"agent:main:main": {"sessionId": ID, "updatedAt": 1_795_224_708_294u64}});
    std::fs::write(dir.join("sessions.json"), index.to_string())?;
    let header = json!({"type": "session", "version": 3, "id": ID, "timestamp": "2026-11-21T01:31:48.236Z", "cwd": "/"});
    let mut text = format!("{header}\n");
    for n in 0..LONG {
        let (id, parent) = (format!("{n:08x}"), n.checked_sub(1).map(|n| format!("{n:08x}")));
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        let said = format!("message {n} {}", "some words of a long conversation ".repeat(8));
        let message = json!({"role": role, "content": [{"type": "text", "text": said}], "stopReason": "stop", "timestamp": 1_795_224_708_294u64});
        let entry = json!({"type": "message", "id": id, "parentId": parent, "timestamp": "2026-11-21T01:31:48.294Z", "message": message});
        text += &format!("{entry}\n");
    }
    std::fs::write(dir.join(format!("{ID}.jsonl")), text)?;
    Ok(())
}

/// R-03a: eight runs stream; `connect` and `health` stay quick.
pub fn streaming(scale: Scale, report: &mut Report) -> Result<()> {
    // 200 tokens a second each.
    let words = (scale.stream_secs * 1.5 / 0.005) as usize;
    let model = Model::start(words, Duration::from_millis(5))?;
    let gateway = Gateway::start(&model.config())?;
    let mut asker = Client::connect(&gateway, "asker")?;
    for n in 0..8 {
        let id = asker.ask(
            "agent",
            &json!({"message": "go", "sessionKey": format!("s{n}"), "idempotencyKey": format!("k{n}")}),
        )?;
        asker.answer(&id)?;
    }
    let reading = std::thread::Builder::new().spawn(move || while asker.text().is_ok() {})?;
    std::thread::sleep(Duration::from_millis(200));
    let mut calm = Client::connect(&gateway, "calm")?;
    let (start, mut calls, mut connects) = (Instant::now(), Vec::new(), Vec::new());
    while start.elapsed().as_secs_f64() < scale.stream_secs {
        for _ in 0..10 {
            let asked = Instant::now();
            calm.call("health", &json!({}))?;
            calls.push(millis(asked));
        }
        let asked = Instant::now();
        let mut guest = Client::connect(&gateway, "guest")?;
        connects.push(millis(asked));
        // It may be gone already; only the time to connect is measured.
        let _ = guest.ws.close(None);
        std::thread::sleep(Duration::from_millis(10));
    }
    report.at_most("8 runs streaming: `health` p99", quantile(&calls, 0.99), 50.0, "ms");
    report.at_most("8 runs streaming: `connect` p99", quantile(&connects, 0.99), 100.0, "ms");
    drop(gateway);
    // The gateway is gone, so the reader has ended; a panic in it would have shown above.
    let _ = reading.join();
    Ok(())
}

/// S-H3: one message, a model that sends on to 30 sessions with each of its answers. Turns end, and the owner is
/// answered meanwhile.
pub fn misled(report: &mut Report) -> Result<()> {
    const CALLS: f64 = 11.0 * 5.0;
    let model = Model::misled(30)?;
    let mut config = model.config();
    if let Some(members) = config.as_object_mut() {
        let auth = json!({"mode": "token", "token": crate::process::TOKEN});
        members.insert("gateway".into(), json!({"mode": "local", "auth": auth, "limits": {"toolRounds": 5}}));
    }
    let gateway = Gateway::start(&config)?;
    let mut owner = Client::connect(&gateway, "owner")?;
    for n in 0..30 {
        owner.call("sessions.patch", &json!({"key": format!("s{n}"), "label": format!("L{n}")}))?;
    }
    owner.call("chat.send", &json!({"sessionKey": "main", "message": "go", "idempotencyKey": "attack"}))?;
    let (mut times, mut last) = (Vec::new(), (0, Instant::now()));
    while last.1.elapsed() < Duration::from_secs(1) && times.len() < 600 {
        let asked = Instant::now();
        // Nothing that starts another turn: what is measured is the one attack.
        owner.call(
            "chat.send",
            &json!({"sessionKey": "own", "message": "/help", "idempotencyKey": format!("k{}", times.len())}),
        )?;
        times.push(millis(asked));
        if model.asked() != last.0 {
            last = (model.asked(), Instant::now());
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    report.at_most("a misled model: model calls that one message causes", model.asked() as f64, CALLS, "");
    report.at_most("a misled model: the owner's `chat.send` p99", quantile(&times, 0.99), 200.0, "ms");
    Ok(())
}

/// An in-process restart: from the signal to the first `hello-ok` of the next generation.
pub fn restart(scale: Scale, report: &mut Report) -> Result<()> {
    let gateway = Gateway::start(&json!({"commands": {"restart": true}}))?;
    let pid = rustix::process::Pid::from_raw(gateway.pid() as i32).ok_or("no process")?;
    let mut times = Vec::new();
    for _ in 0..scale.starts {
        let mut witness = Client::connect(&gateway, "witness")?;
        let asked = Instant::now();
        rustix::process::kill_process(pid, rustix::process::Signal::USR1)?;
        // The old generation sends its clients away; then the next one greets.
        while witness.text().is_ok() {}
        let mut guest = Client::connect(&gateway, "guest");
        while guest.is_err() {
            guest = Client::connect(&gateway, "guest");
        }
        times.push(millis(asked));
    }
    report.at_most("SIGUSR1 to the next hello-ok (median)", median(&times), 50.0, "ms");
    Ok(())
}
