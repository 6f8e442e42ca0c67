//! Ten thousand sessions in an index of 28 MB: memory, the start of a turn, a list of 50 rows.
use crate::load::{Client, millis};
use crate::model::Model;
use crate::process::{Gateway, memory};
use crate::report::{Report, median};
use crate::{Result, Scale, many_sessions};
use serde_json::json;
use std::time::{Duration, Instant};

const MANY: usize = 10_000;

pub fn many(scale: Scale, report: &mut Report) -> Result<()> {
    let model = Model::start(1, Duration::ZERO)?;
    let mut size = 0.0;
    let gateway = Gateway::start_with(&model.config(), |state_dir| {
        let dir = state_dir.join("agents/main/sessions");
        std::fs::create_dir_all(&dir)?;
        let text = many_sessions::text(MANY, Some(&dir));
        size = text.len() as f64 / 1024.0;
        Ok(std::fs::write(dir.join("sessions.json"), text)?)
    })?;
    let mut client = Client::connect(&gateway, "reader")?;
    let (mut lists, mut starts) = (Vec::new(), Vec::new());
    for n in 0..scale.turns {
        let asked = Instant::now();
        let list = client.call("sessions.list", &json!({"limit": 50}))?;
        lists.push(millis(asked));
        if !list.contains("\"count\":50") {
            return Err("sessions.list gave no 50 rows".into());
        }
        let asked = Instant::now();
        let key = many_sessions::key(n * 7 + 1);
        let turn = json!({"message": "go", "sessionKey": key, "idempotencyKey": format!("k{n}")});
        let id = client.ask("agent", &turn)?;
        client.answer(&id)?;
        client.answer(&id)?;
        let came = model.times().asked.ok_or("the model server was not asked")?;
        starts.push(came.duration_since(asked).as_secs_f64() * 1e3);
    }
    report.at_most("10,000 sessions: `sessions.list` of 50 (median)", median(&lists), 10.0, "ms");
    report.at_most("10,000 sessions: message to model asked (median)", median(&starts), 20.0, "ms");
    report.at_most(
        "10,000 sessions: resident, of the index's size",
        memory(gateway.pid())?.0 / size,
        1.5,
        "",
    );
    Ok(())
}
