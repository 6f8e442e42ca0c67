//! What Telegram costs: how fast a message reaches the model and its answer the platform, what an idle poll takes, and two
//! hundred messages a second. The platform is a bare stand-in of this file; the strict one is for the tests.
use crate::load::{Client, millis};
use crate::model::Model;
use crate::process::{Gateway, cpu, memory};
use crate::report::{Report, median, quantile};
use crate::{Result, Scale};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const TOKEN: &str = "100200:AAbench_bench_bench_bench_bench";
/// Messages a second of the flood, and how many of them ask for an answer.
const RATE: usize = 200;
const ASKING: usize = 20;
/// So many people that each is answered before he writes again.
const PEOPLE: usize = 200;
const GROUPS: usize = 20;

#[derive(Default)]
struct Known {
    /// Updates that were not confirmed.
    queue: VecDeque<(usize, String)>,
    last: usize,
    polls: usize,
    /// When the newest answer to a poll that held something was written.
    given: Option<Instant>,
    /// When the newest message came, and how many came to each chat.
    came: Option<Instant>,
    sent: BTreeMap<i64, usize>,
}

#[derive(Clone, Default)]
struct Platform(Arc<(Mutex<Known>, Condvar)>);

impl Platform {
    /// Listens, and gives its port.
    fn start(&self) -> Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (port, own) = (listener.local_addr()?.port(), self.clone());
        std::thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                // A thread that cannot be started shows as a failed run, and so does a connection that fails.
                let _ = std::thread::Builder::new().spawn(move || drop(own.serve(stream)));
            }
        })?;
        Ok(port)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody writes; in groups nobody means the bot.
    fn says(&self, chat: i64, text: &str) {
        let mut known = self.known();
        known.last += 1;
        let id = known.last;
        let kind = if chat < 0 {
            json!({"id": chat, "type": "group", "title": "G"})
        } else {
            json!({"id": chat, "type": "private"})
        };
        let message = json!({"message_id": id, "date": 1_795_224_708, "text": text, "chat": kind,
            "from": {"id": chat.abs(), "is_bot": false, "first_name": "P"}});
        known.queue.push_back((id, json!({"update_id": id, "message": message}).to_string()));
        self.0.1.notify_all();
    }

    fn serve(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let (came, mut line, mut length) = (Instant::now(), String::new(), 0);
            while reader.read_line(&mut line)? > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse()?;
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let params: Value = serde_json::from_slice(&body).unwrap_or_default();
            let method = first.split(' ').nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            let result = self.result(method, &params, came);
            let text = format!("{{\"ok\":true,\"result\":{result}}}");
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}"
            )?;
            if method == "getUpdates" && result != "[]" {
                self.known().given = Some(Instant::now());
            }
        }
    }

    fn result(&self, method: &str, params: &Value, came: Instant) -> String {
        match method {
            "getMe" => json!({"id": 100_200, "is_bot": true, "first_name": "B", "username": "bench_bot",
                "can_read_all_group_messages": true})
            .to_string(),
            "getUpdates" => self.updates(params),
            "sendMessage" => {
                let chat =
                    params.get("chat_id").and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()));
                let chat = chat.unwrap_or_default();
                let mut known = self.known();
                known.came = Some(came);
                *known.sent.entry(chat).or_default() += 1;
                known.last += 1;
                json!({"message_id": known.last, "date": 1, "chat": {"id": chat, "type": "private"}})
                    .to_string()
            }
            _ => "true".to_string(),
        }
    }

    fn updates(&self, params: &Value) -> String {
        let number = |name: &str| params.get(name).and_then(Value::as_u64).unwrap_or(0);
        let until = Instant::now() + Duration::from_secs(number("timeout"));
        let offset = number("offset") as usize;
        let mut known = self.known();
        known.polls += 1;
        known.queue.retain(|(id, _)| *id >= offset);
        while known.queue.is_empty() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            known = self.0.1.wait_timeout(known, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let some: Vec<&str> = known.queue.iter().take(100).map(|(_, text)| text.as_str()).collect();
        format!("[{}]", some.join(","))
    }

    /// Waits until something of it is so.
    fn until<T>(&self, what: &str, limit: Duration, of: impl Fn(&Known) -> Option<T>) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(found) = of(&self.known()) {
                return Ok(found);
            }
            if Instant::now() > end {
                return Err(format!("telegram: {what} is waited for in vain").into());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn sum(known: &Known) -> usize {
        known.sent.values().sum()
    }
}

/// A gateway whose bot everybody may write to, and which has begun to poll.
fn start(model: &Model) -> Result<(Platform, Gateway)> {
    let platform = Platform::default();
    let port = platform.start()?;
    let mut config = model.config();
    if let Some(members) = config.as_object_mut() {
        members.insert("session".into(), json!({"dmScope": "per-channel-peer"}));
        members.insert("channels".into(), json!({"telegram": {
            "botToken": TOKEN, "apiRoot": format!("http://127.0.0.1:{port}"), "dmPolicy": "open", "allowFrom": ["*"],
            "groupPolicy": "open", "groups": {"*": {}}}}));
    }
    let gateway = Gateway::start(&config)?;
    platform.until("a poll", Duration::from_secs(10), |known| (known.polls > 0).then_some(()))?;
    Ok((platform, gateway))
}

/// The short run measures the times alone.
pub fn all(scale: Scale, report: &mut Report) -> Result<()> {
    times(scale, report)?;
    if scale.inbound_secs > 0.0 {
        idle(scale, report)?;
        flood(scale, report)?;
    }
    Ok(())
}

/// From the platform's answer to the poll to the model's request, and from the model's last word to `sendMessage`.
fn times(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(1, Duration::ZERO)?;
    let (platform, _gateway) = start(&model)?;
    let (mut asked, mut left) = (Vec::new(), Vec::new());
    for n in 0..scale.turns {
        platform.says(1000 + n as i64, "go");
        platform
            .until("an answer", Duration::from_secs(10), |known| (Platform::sum(known) > n).then_some(()))?;
        let (given, came) = {
            let known = platform.known();
            known.given.zip(known.came).ok_or("there was no poll")?
        };
        let times = model.times();
        let (model_asked, done) = times.asked.zip(times.done).ok_or("the model server was not asked")?;
        asked.push(model_asked.saturating_duration_since(given).as_secs_f64() * 1e3);
        left.push(came.saturating_duration_since(done).as_secs_f64() * 1e3);
    }
    report.at_most("Telegram: message to model asked (median)", median(&asked), 10.0, "ms");
    report.at_most("Telegram: answer to `sendMessage` on the socket (median)", median(&left), 5.0, "ms");
    Ok(())
}

/// What a bot that nobody writes to costs beside a gateway without one.
fn idle(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(1, Duration::ZERO)?;
    let without = Gateway::start(&model.config())?;
    let (_platform, with) = start(&model)?;
    // What is done after the start is over then: the menu is told, the index of sessions is read.
    std::thread::sleep(Duration::from_millis(1500));
    let resident = (memory(with.pid())?.0 - memory(without.pid())?.0) / 1024.0;
    report.at_most("Telegram: resident memory of an idle bot", resident, 1.0, "MiB");
    let (before, began) = (cpu(with.pid())?, Instant::now());
    std::thread::sleep(Duration::from_secs_f64(scale.idle_secs));
    let share = (cpu(with.pid())? - before) / began.elapsed().as_secs_f64() * 100.0;
    report.at_most("Telegram: processor time of an idle poll", share, 0.1, "%");
    Ok(())
}

/// Two hundred messages a second: talk of groups that nobody answers, and people who are answered once each time.
fn flood(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(1, Duration::ZERO)?;
    let (platform, gateway) = start(&model)?;
    let (mut client, began) = (Client::connect(&gateway, "watcher")?, Instant::now());
    let (own, total) = (platform.clone(), (scale.inbound_secs * RATE as f64) as usize);
    let talk = std::thread::Builder::new().spawn(move || {
        for n in 0..total {
            let due = began + Duration::from_secs_f64(n as f64 / RATE as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            match n % (RATE / ASKING) {
                0 => own.says(1000 + (n / (RATE / ASKING) % PEOPLE) as i64, &format!("message {n}")),
                _ => own.says(-(1 + (n % GROUPS) as i64), &format!("talk {n}")),
            }
        }
    })?;
    let (mut calls, mut journal) = (Vec::new(), 0);
    while !talk.is_finished() {
        let asked = Instant::now();
        client.call("health", &json!({}))?;
        calls.push(millis(asked));
        let size =
            std::fs::metadata(gateway.dir.join(".openclaw/gateway/deliveries.jsonl")).map_or(0, |m| m.len());
        journal = journal.max(size);
        std::thread::sleep(Duration::from_millis(10));
    }
    let asking = total.div_ceil(RATE / ASKING);
    platform.until("every answer", Duration::from_secs(60), |known| {
        (Platform::sum(known) >= asking && known.queue.is_empty()).then_some(())
    })?;
    let late = began.elapsed().as_secs_f64() - scale.inbound_secs;
    // What came twice would come soon.
    std::thread::sleep(Duration::from_millis(500));
    let known = platform.known();
    let wrong = (0..PEOPLE.min(asking)).filter(|person| {
        let written = (asking - person).div_ceil(PEOPLE);
        known.sent.get(&(1000 + *person as i64)) != Some(&written)
    });
    report.at_most(
        "Telegram, 200 messages a second: people answered too often or too seldom",
        wrong.count() as f64,
        0.0,
        "",
    );
    report.at_most("Telegram, 200 messages a second: `health` p99", quantile(&calls, 0.99), 50.0, "ms");
    report.at_most("Telegram, 200 messages a second: the last answer after the last message", late, 5.0, "s");
    report.at_most(
        "Telegram, 200 messages a second: largest journal",
        journal as f64 / f64::from(1 << 20),
        16.0,
        "MiB",
    );
    Ok(())
}
