//! What acts by itself: ten thousand jobs of `cron`, and commands of agents.
use crate::load::{Client, millis};
use crate::process::{Gateway, TOKEN, memory, peak};
use crate::report::{Report, median};
use crate::{Result, Scale};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

const JOBS: usize = 10_000;

pub fn all(scale: Scale, report: &mut Report) -> Result<()> {
    jobs(scale, report)?;
    commands(scale, report)
}

/// Half of them every so often, half by the calendar, none due while this is measured.
fn job(n: usize) -> Value {
    let schedule = match n % 2 {
        0 => json!({"kind": "every", "everyMs": 400 * 86_400_000u64, "anchorMs": 1_795_224_978_696u64}),
        _ => json!({"kind": "cron", "expr": "7 4 29 2 *", "tz": "Europe/Berlin"}),
    };
    json!({
        "id": format!("{n:08}-1111-4111-8111-111111111111"), "name": format!("job {n}"), "enabled": true,
        "createdAtMs": 1_795_224_978_696u64, "updatedAtMs": 1_795_224_978_696u64, "schedule": schedule,
        "sessionTarget": "isolated", "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "m"},
        "delivery": {"mode": "none"}, "state": {},
    })
}

fn with_jobs(count: usize) -> Result<Gateway> {
    let text = json!({"version": 1, "jobs": (0..count).map(job).collect::<Vec<_>>()}).to_string();
    Gateway::start_with(&json!({}), |state_dir| {
        std::fs::create_dir_all(state_dir.join("cron"))?;
        Ok(std::fs::write(state_dir.join("cron/jobs.json"), text)?)
    })
}

/// How often all threads of a process have slept and were woken.
fn wakes(pid: u32) -> Result<f64> {
    let mut sum = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += count.and_then(|count| count.trim().parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(sum)
}

fn jobs(scale: Scale, report: &mut Report) -> Result<()> {
    let (mut starts, mut grown) = (Vec::new(), 0.0);
    for _ in 0..scale.starts.min(3) {
        let bare = with_jobs(0)?;
        let gateway = with_jobs(JOBS)?;
        starts.push((gateway.started.as_secs_f64() - bare.started.as_secs_f64()) * 1e3);
        let status = Client::connect(&gateway, "asker")?.call("cron.status", &json!({}))?;
        if !status.contains(&format!("\"jobs\":{JOBS}")) {
            return Err(format!("not all jobs are there: {status}").into());
        }
        drop(Client::connect(&bare, "asker")?);
        std::thread::sleep(Duration::from_millis(1500));
        grown = (memory(gateway.pid())?.1 - memory(bare.pid())?.1) * 1024.0 / JOBS as f64;
        if starts.len() == 1 {
            let (before, since) = (wakes(gateway.pid())? - wakes(bare.pid())?, Instant::now());
            std::thread::sleep(Duration::from_secs_f64(scale.idle_secs));
            let more = wakes(gateway.pid())? - wakes(bare.pid())? - before;
            report.at_most(
                "10,000 jobs, none due: wake-ups more than without any",
                more / since.elapsed().as_secs_f64(),
                0.1,
                "/s",
            );
        }
    }
    report.at_most("10,000 jobs: start more than without any (median)", median(&starts), 50.0, "ms");
    report.at_most("10,000 jobs: private memory of one", grown, 300.0, "B");
    Ok(())
}

/// Runs a tool for the owner, without a model; the text of its result.
fn invoke(gateway: &Gateway, text: &str) -> Result<String> {
    let body = json!({"tool": "exec", "args": {"command": text}}).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port))?;
    stream.set_nodelay(true)?;
    let head = format!(
        "Host: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nConnection: close"
    );
    let length = body.len();
    stream.write_all(
        format!("POST /tools/invoke HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(answer) } else { Err(answer.into()) }
}

fn commands(scale: Scale, report: &mut Report) -> Result<()> {
    let tools = json!({"exec": {"security": "full", "ask": "off"}});
    let auth = json!({"mode": "token", "token": TOKEN});
    let gateway = json!({"mode": "local", "auth": auth, "tools": {"allow": ["exec"]}});
    let gateway = Gateway::start(&json!({"tools": tools, "gateway": gateway}))?;
    // The shell that commands are given to.
    let shell = ["/bin/bash", "/bin/sh"].into_iter().find(|shell| Path::new(shell).exists()).unwrap_or("sh");
    invoke(&gateway, "true")?;
    let (mut bare, mut through) = (Vec::new(), Vec::new());
    for _ in 0..scale.cli_calls * 2 {
        let since = Instant::now();
        // Without anything that would have this process copied for it, which is larger than a gateway.
        std::process::Command::new(shell).args(["-c", "true"]).status()?;
        bare.push(millis(since));
        let since = Instant::now();
        invoke(&gateway, "true")?;
        through.push(millis(since));
    }
    let more = median(&through) - median(&bare);
    report.at_most("a command of an agent: more than the shell's own time (median)", more, 5.0, "ms");
    let before = peak(gateway.pid());
    invoke(&gateway, "head -c 100000000 /dev/zero | tr '\\0' x")?;
    let cost = (peak(gateway.pid()) - before) / 1024.0;
    report.at_most("a command that writes 100 MB: memory", cost.max(0.0), 1.0, "MiB");
    Ok(())
}
