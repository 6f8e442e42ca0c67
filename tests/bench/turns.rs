//! What is measured with a model: how fast the first word is forwarded, and calm while eight runs stream.
use crate::load::{Client, millis};
use crate::model::Model;
use crate::process::Gateway;
use crate::report::{Report, median, quantile};
use crate::{Result, Scale};
use serde_json::json;
use std::time::{Duration, Instant};

/// R-23a: from the model server's first word to the client's first `agent` event with text.
pub fn first_token(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(3, Duration::from_millis(5))?;
    let gateway = Gateway::start(&model.config())?;
    let mut client = Client::connect(&gateway, "asker")?;
    let (mut forwarded, mut overheads) = (Vec::new(), Vec::new());
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
        let (now, sent) = (Instant::now(), model.first_word().ok_or("the model server was not asked")?);
        forwarded.push(now.duration_since(sent).as_secs_f64() * 1e3);
        overheads.push(sent.duration_since(asked).as_secs_f64() * 1e3);
        client.answer(&id)?;
    }
    report.at_most("first token forwarded (median)", median(&forwarded), 5.0, "ms");
    report.at_most("message received to model asked (median)", median(&overheads), 10.0, "ms");
    Ok(())
}

/// R-03a: eight runs stream; `connect` and `health` stay quick.
pub fn streaming(scale: Scale, report: &mut Report) -> Result<()> {
    let words = (scale.stream_secs * 1.5 / 0.01) as usize;
    let model = Model::start(words, Duration::from_millis(10))?;
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
