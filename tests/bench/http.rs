//! OpenAI's API under load: how fast the first word is forwarded, what fifty streams cost, and calm beside them.
use crate::load::{Client, millis};
use crate::model::Model;
use crate::process::{Gateway, TOKEN, memory};
use crate::report::{Report, median, quantile};
use crate::{Result, Scale};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const STREAMS: usize = 50;
/// Between two words of a model: a hundred a second.
const GAP: Duration = Duration::from_millis(10);
const WORD: &str = "\"content\":\"word ";

fn config(model: &Model) -> Value {
    let mut config = model.config();
    if let Some(most) = config.pointer_mut("/agents/defaults/maxConcurrent") {
        *most = json!(STREAMS);
    }
    let endpoints = json!({"chatCompletions": {"enabled": true}});
    let auth = json!({"mode": "token", "token": TOKEN});
    let gateway = json!({"mode": "local", "auth": auth, "http": {"endpoints": endpoints}});
    config.as_object_mut().map(|config| config.insert("gateway".into(), gateway));
    config
}

/// Asks for a stream; its lines are read from what is given.
fn ask(port: u16) -> Result<BufReader<TcpStream>> {
    let body = json!({"model": "openclaw", "stream": true, "messages": [{"role": "user", "content": "go"}]})
        .to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(BufReader::new(stream))
}

/// The next line that holds `text`; `false` when the answer ended before.
fn until(lines: &mut BufReader<TcpStream>, text: &str) -> Result<bool> {
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line.contains(text) {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

/// From the model server's first word to the client's first piece with text.
pub fn first_word(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(3, Duration::from_millis(5))?;
    let gateway = Gateway::start(&config(&model))?;
    let mut forwarded = Vec::new();
    for _ in 0..scale.turns {
        let mut lines = ask(gateway.port)?;
        if !until(&mut lines, WORD)? {
            return Err("a stream without a word".into());
        }
        let (now, sent) = (Instant::now(), model.times().first.ok_or("the model server was not asked")?);
        forwarded.push(now.duration_since(sent).as_secs_f64() * 1e3);
        until(&mut lines, "[DONE]")?;
    }
    report.at_most("chat completions: first token forwarded (median)", median(&forwarded), 5.0, "ms");
    Ok(())
}

/// Fifty streams at a hundred tokens a second each.
pub fn streams(scale: Scale, report: &mut Report) -> Result<()> {
    let words = (scale.stream_secs * 1.5 / GAP.as_secs_f64()) as usize;
    let model = Model::start(words, GAP)?;
    let gateway = Gateway::start(&config(&model))?;
    let mut calm = Client::connect(&gateway, "calm")?;
    // What the first turn leaves behind is no stream's.
    let before = ask(gateway.port)?;
    std::thread::sleep(Duration::from_millis(300));
    drop(before);
    std::thread::sleep(Duration::from_millis(500));
    let idle = memory(gateway.pid())?.1;
    let port = gateway.port;
    let mut readers = Vec::new();
    for _ in 0..STREAMS {
        readers.push(std::thread::Builder::new().spawn(move || read(port, words))?);
    }
    std::thread::sleep(Duration::from_millis(700));
    let (start, mut calls, mut most) = (Instant::now(), Vec::new(), 0.0f64);
    while start.elapsed().as_secs_f64() < scale.stream_secs * 0.8 {
        let asked = Instant::now();
        calm.call("health", &json!({}))?;
        calls.push(millis(asked));
        most = most.max(memory(gateway.pid())?.1);
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut longest = 0.0f64;
    for reader in readers {
        longest = longest.max(reader.join().map_err(|_| "a reader panicked")??);
    }
    report.at_most("50 HTTP streams: `health` p99", quantile(&calls, 0.99), 50.0, "ms");
    report.at_most("50 HTTP streams: longest pause between two tokens", longest, 250.0, "ms");
    // The turn and its call of the model are most of it.
    report.at_most("50 HTTP streams: private memory of one", (most - idle) / STREAMS as f64, 72.0, "KiB");
    Ok(())
}

/// Reads a stream to its end; the longest pause between two words in milliseconds.
fn read(port: u16, words: usize) -> Result<f64> {
    let mut lines = ask(port)?;
    let (mut longest, mut count, mut last) = (0.0f64, 0, None::<Instant>);
    // Words that came together are told together.
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 && !line.contains("[DONE]") {
        let here = if line.contains(WORD) { line.matches("word").count() } else { 0 };
        if here > 0 {
            longest = longest.max(last.map_or(0.0, millis));
            last = Some(Instant::now());
            count += here;
        }
        line.clear();
    }
    match count == words {
        true => Ok(longest),
        false => Err(format!("a stream told {count} of {words} words").into()),
    }
}
