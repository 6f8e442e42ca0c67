//! What is measured without a model: size, start, memory, round trips, fan-out, flooding, the command line.
use crate::load::{Client, millis, round_trips as trips};
use crate::process::{Gateway, Server, TOKEN, binary, command, cpu, memory, peak};
use crate::report::{Report, median, quantile};
use crate::{Result, Scale};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub fn size(report: &mut Report) -> Result<()> {
    let bytes = std::fs::metadata(binary())?.len() as f64;
    // The budget of all that is to come is 7.0 MB. With channels, the page, HTTP APIs and TLS it is passed; this holds what they cost
    // until it is saved.
    report.at_most("binary", bytes / 1e6, 10.3, "MB");
    Ok(())
}

pub fn starts(scale: Scale, report: &mut Report) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..scale.starts {
        times.push(Gateway::start(&Value::Null)?.started.as_secs_f64() * 1e3);
    }
    report.at_most("start to listening (median)", median(&times), 10.0, "ms");
    Ok(())
}

pub fn idle_memory(gateway: &Gateway, report: &mut Report) -> Result<()> {
    std::thread::sleep(Duration::from_millis(300));
    let (resident, anonymous) = memory(gateway.pid())?;
    report.at_most("resident when idle, no client", resident / 1024.0, 5.0, "MiB");
    report.at_most("private (anonymous) when idle", anonymous / 1024.0, 1.5, "MiB");
    Ok(())
}

pub fn idle_cpu(gateway: &Gateway, scale: Scale, report: &mut Report) -> Result<()> {
    let _clients = (Client::connect(gateway, "idle-1")?, Client::connect(gateway, "idle-2")?);
    std::thread::sleep(Duration::from_millis(500));
    let (before, start) = (cpu(gateway.pid())?, Instant::now());
    std::thread::sleep(Duration::from_secs_f64(scale.idle_secs));
    let used = (cpu(gateway.pid())? - before) / start.elapsed().as_secs_f64() * 100.0;
    report.at_most("processor when idle, 2 clients", used, 0.1, "%");
    Ok(())
}

pub fn command_line(gateway: &Gateway, scale: Scale, report: &mut Report) -> Result<()> {
    let port = gateway.port.to_string();
    let run = |args: &[&str]| -> Result<(f64, f64)> {
        let start = Instant::now();
        let mut command = command(&gateway.dir);
        command.args(args).env("OPENCLAW_GATEWAY_PORT", &port).env("OPENCLAW_GATEWAY_TOKEN", TOKEN);
        // Without a service manager, whose own time is not ours.
        command.env("PATH", "/nowhere");
        let mut child = command.stdout(std::process::Stdio::null()).spawn()?;
        let (mut most, mut turns) = (0.0f64, 0);
        loop {
            most = most.max(peak(child.id()));
            if let Some(status) = child.try_wait()? {
                let took = millis(start);
                return if status.success() {
                    Ok((took, most))
                } else {
                    Err(format!("{args:?}: {status}").into())
                };
            }
            turns += 1;
            if turns > 5_000_000 {
                return Err(format!("{args:?} does not end").into());
            }
            std::thread::yield_now();
        }
    };
    run(&["gateway", "call", "health"])?;
    for (what, args, budget) in [
        ("`gateway call health`", &["gateway", "call", "health"][..], 10.0),
        ("`--version`", &["--version"], 5.0),
        ("`--help`", &["--help"], 5.0),
        ("`config get`", &["config", "get", "gateway.mode"], 5.0),
        ("`config validate`", &["config", "validate"], 5.0),
        ("`gateway status --json`", &["gateway", "status", "--json"], 15.0),
    ] {
        let runs = (0..scale.cli_calls).map(|_| run(args)).collect::<Result<Vec<_>>>()?;
        let (times, peaks): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
        report.at_most(&format!("{what} (median)"), median(&times), budget, "ms");
        report.at_most(&format!("{what} peak memory"), quantile(&peaks, 1.0) / 1024.0, 8.0, "MiB");
    }
    for (what, lines, budget) in [
        ("the slowest command that asks nothing", ASKS_NOTHING, 5.0),
        ("the slowest command that asks the gateway", ASKS, 15.0),
    ] {
        let mut slowest = ("", 0.0);
        for line in lines {
            let args: Vec<&str> = line.split(' ').collect();
            let runs = (0..scale.cli_calls).map(|_| run(&args)).collect::<Result<Vec<_>>>()?;
            let took = median(&runs.into_iter().map(|(took, _)| took).collect::<Vec<_>>());
            slowest = if took > slowest.1 { (*line, took) } else { slowest };
        }
        eprintln!("{what}: `{}`", slowest.0);
        report.at_most(&format!("{what} (median)"), slowest.1, budget, "ms");
    }
    Ok(())
}

/// Those that read or write much.
const ASKS_NOTHING: &[&str] = &[
    "__man",
    "agents list",
    "backup create --dry-run",
    "completion bash",
    "completion fish",
    "completion zsh",
    "config list",
    "config list --defaults",
    "config schema",
    "gateway --help",
    "help json",
    "help json status",
    "migrate",
    "models list",
    "models status",
    "profiles list",
    "protocol schema",
    "security audit",
    "sessions",
    "skills list",
    "uninstall --dry-run",
];
const ASKS: &[&str] = &[
    "channels status",
    "clients",
    "cron list",
    "devices list",
    "doctor",
    "gateway call health",
    "gateway probe",
    "gateway status",
    "health",
    "logs",
    "status",
    "usage",
];

/// KiB a connected client, on this server.
pub fn per_client(
    server: &Server,
    clients: usize,
    connect: fn(&Server, &str) -> Result<Client>,
) -> Result<f64> {
    // One client first, so that what is set up once is not counted.
    let _first = connect(server, "first")?;
    std::thread::sleep(Duration::from_millis(300));
    let before = memory(server.pid())?.0;
    let held = (0..clients).map(|n| connect(server, &format!("idle-{n}"))).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_secs(1));
    let after = memory(server.pid())?.0;
    Ok((after - before) / held.len() as f64)
}

pub fn client_memory(scale: Scale, report: &mut Report) -> Result<()> {
    let bare = per_client(&Server::limit(900)?, scale.idle_clients, Client::connect)?;
    let own = per_client(&*Gateway::start(&Value::Null)?, scale.idle_clients, Client::connect)?;
    report.note(&format!("bare server: one idle client of {}", scale.idle_clients), bare, "KiB");
    report.note(&format!("one idle authenticated client of {}", scale.idle_clients), own, "KiB");
    report.at_most("one idle client, ratio to the bare server", own / bare, 1.5, "×");
    Ok(())
}

pub fn round_trips(scale: Scale, report: &mut Report) -> Result<()> {
    let gateway = Gateway::start(&Value::Null)?;
    let answer = Client::connect(&gateway, "size")?.call("health", &json!({}))?;
    let bare = Server::limit(answer.len().saturating_sub(60))?;
    for clients in [1, 50] {
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..scale.rounds {
            let limit = trips(&bare, clients, scale.round_secs)?;
            let own = trips(&gateway, clients, scale.round_secs)?;
            ratios.push(own / limit);
            rates.push(own);
        }
        report.note(&format!("`health` round trips a second, {clients} client(s)"), median(&rates), "");
        // With many clients the bare server gains most from a machine: the same 50,000 of ours were 0.29 to 0.86 of it. The
        // short form, which must not fail for that, takes half.
        let least = if clients > 1 { report.eased(0.5) } else { 0.5 };
        report.at_least(
            &format!("the same, ratio to the bare server, {clients} client(s)"),
            median(&ratios),
            least,
            "×",
        );
    }
    Ok(())
}

/// From a request to the last of 200 clients having the event it causes: a message of a chat, and the list of those who
/// are here, some 50 KB.
pub fn fan_out(scale: Scale, report: &mut Report) -> Result<()> {
    const CLIENTS: usize = 200;
    let gateway = Gateway::start(&Value::Null)?;
    let readers =
        (0..CLIENTS).map(|n| Client::connect(&gateway, &format!("fan-{n}"))).collect::<Result<Vec<_>>>()?;
    let mut sender = Client::connect(&gateway, "sender")?;
    sender.call("sessions.patch", &json!({"key": "main", "label": "fan"}))?;
    let seen: Vec<AtomicUsize> = (0..2 * scale.fan_events).map(|_| AtomicUsize::new(0)).collect();
    let (times, lost) = std::thread::scope(|scope| -> Result<(Vec<f64>, usize)> {
        let seen = &seen;
        std::thread::Builder::new().spawn_scoped(scope, move || read_all(readers, seen))?;
        let (mut times, mut lost) = (Vec::new(), 0);
        for (k, counter) in seen.iter().enumerate() {
            let (is_chat, note) = (k < scale.fan_events, format!("fan-note-{k}."));
            // Lists of so many are sent at a rate (32 KiB/s); what is measured is one event, not the rate.
            std::thread::sleep(Duration::from_millis(if is_chat { 100 } else { 2000 }));
            let start = Instant::now();
            match is_chat {
                true => sender.call("chat.inject", &json!({"sessionKey": "main", "message": note}))?,
                false => sender.call("system-event", &json!({"text": note, "instanceId": "fan"}))?,
            };
            while counter.load(Ordering::Acquire) < CLIENTS && start.elapsed() < Duration::from_secs(3) {
                std::thread::sleep(Duration::from_micros(20));
            }
            times.push(millis(start));
            lost += usize::from(counter.load(Ordering::Acquire) < CLIENTS);
        }
        Ok((times, lost))
    })?;
    let (chats, lists) = times.split_at(scale.fan_events);
    report.at_most("a chat event to 200 clients, the last has it (median)", median(chats), 6.0, "ms");
    report.note("the same, 99th percentile", quantile(chats, 0.99), "ms");
    report.note("the list of 200 present to 200 clients (median)", median(lists), "ms");
    report.at_most("events late or lost", lost as f64, 0.0, "");
    Ok(())
}

/// Reads for all clients on one thread, so that what is timed is the gateway and not the waking of 200 readers; counts who
/// has the note that each of `seen` is about. Ends when all have all.
fn read_all(mut readers: Vec<Client>, seen: &[AtomicUsize]) {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut next = vec![0; readers.len()];
    for reader in &readers {
        // One that stays blocking shows as events that are late.
        let _ = reader.ws.get_ref().set_nonblocking(true);
    }
    while next.iter().any(|k| *k < seen.len()) {
        let mut fds: Vec<PollFd<'_>> =
            readers.iter().map(|reader| PollFd::new(reader.ws.get_ref(), PollFlags::IN)).collect();
        if poll(&mut fds, None).is_err() {
            return;
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for ((reader, k), _) in readers.iter_mut().zip(&mut next).zip(ready).filter(|(_, ready)| *ready) {
            loop {
                match reader.text() {
                    Ok(text) if text.contains(&format!("fan-note-{k}.")) => {
                        if let Some(counter) = seen.get(*k) {
                            counter.fetch_add(1, Ordering::Release);
                        }
                        *k += 1;
                    }
                    Ok(_) => {}
                    Err(e) if e.downcast_ref::<tungstenite::Error>().is_some_and(is_full) => break,
                    Err(_) => return,
                }
            }
        }
    }
}

/// 20 clients ask and never read; one calm client is timed.
pub fn flood(scale: Scale, report: &mut Report) -> Result<()> {
    let gateway = Gateway::start(&Value::Null)?;
    let mut calm = Client::connect(&gateway, "calm")?;
    let before = memory(gateway.pid())?.0;
    let stop = AtomicBool::new(false);
    let (times, most) = std::thread::scope(|scope| -> Result<(Vec<f64>, f64)> {
        for n in 0..20 {
            let mut pump = Client::connect(&gateway, &format!("pump-{n}"))?;
            pump.ws.get_ref().set_write_timeout(Some(Duration::from_millis(200)))?;
            let stop = &stop;
            std::thread::Builder::new().spawn_scoped(scope, move || {
                while !stop.load(Ordering::Relaxed) {
                    match pump.ask("health", &json!({})) {
                        Ok(_) => {}
                        Err(e) if e.downcast_ref::<tungstenite::Error>().is_some_and(is_full) => {}
                        // Closed as a slow consumer, which is as it should be.
                        Err(_) => return,
                    }
                }
            })?;
        }
        let result = calm_calls(&mut calm, &gateway, scale.flood_secs);
        stop.store(true, Ordering::Relaxed);
        result
    })?;
    report.at_most("20 clients that never read: a calm client's p99", quantile(&times, 0.99), 50.0, "ms");
    report.at_most("the same: memory growth", (most - before) / 1024.0, 64.0, "MiB");
    Ok(())
}

fn is_full(e: &tungstenite::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(e, tungstenite::Error::Io(e) if matches!(e.kind(), WouldBlock | TimedOut))
}

fn calm_calls(calm: &mut Client, gateway: &Gateway, secs: f64) -> Result<(Vec<f64>, f64)> {
    let (start, mut times, mut most) = (Instant::now(), Vec::new(), 0.0f64);
    while start.elapsed().as_secs_f64() < secs {
        let asked = Instant::now();
        calm.call("health", &json!({}))?;
        times.push(millis(asked));
        most = most.max(memory(gateway.pid())?.0);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((times, most))
}
