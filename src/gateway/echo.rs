//! The demo of a channel, for the tests only: this file and its row in `WORKERS`. Its platform is a directory of text files
//! of one line each thing, which outlive the process whatever ends it:
//! `in` (what people wrote, by the test), `acknowledged`, `out` (what the platform was given), `confirmed`, `uncertain`.
use super::carrier::Carrier;
use super::workers::{Handle, Row};
use crate::agents::routing::{self, Inbound as Peer};
use crate::calls::Provenance;
use crate::channels::house::{Accepted, Became, House, Place, Turn};
use crate::deliveries::{Delivery, Inbound, Login};
use crate::error::Result;
use crate::json::json;
use crate::sessions::attachments::Attachments;
use crate::state::shared::Shared;
use std::collections::{HashSet, VecDeque};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub const ROW: Row = Row {
    name: "echo",
    mark: |_, _| serde_json::Value::Null,
    parts: |config, _| {
        let accounts = config.get("channels.telegram.accounts").and_then(|v| v.as_object());
        accounts.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    },
    rests: |_, _, _| {},
    stack: 256 << 10,
    start: run,
};

fn run(handle: Handle) -> Result<()> {
    let dir = handle.house.shared.env.state_dir.join("echo").join(&handle.part);
    let shared = handle.house.shared.clone();
    let login = Login { platform: "echo".into(), account: handle.part.clone() };
    let carrier = Carrier::new(handle, login)?;
    let open = carrier.begin()?;
    open.uncertain.iter().for_each(|delivery| say(&dir, "uncertain", &delivery.id));
    let mut waiting: VecDeque<(Inbound, bool)> = open.inbound.into_iter().map(|m| (m, true)).collect();
    let mut acknowledged: HashSet<String> = lines(&dir, "acknowledged").into_iter().collect();
    loop {
        while let Some(delivery) = carrier.next(&[])? {
            let became = send(&dir, &delivery);
            let is_confirmed = matches!(became, Became::Confirmed(_));
            carrier.became(&delivery, became)?;
            if is_confirmed {
                say(&dir, "confirmed", &delivery.id);
            }
        }
        let fresh: Vec<String> =
            lines(&dir, "in").into_iter().filter(|id| !acknowledged.contains(id)).take(3).collect();
        let new = carrier.bring(fresh.iter().map(|id| (id.clone(), json!({"text": id}))).collect())?;
        for id in fresh {
            say(&dir, "acknowledged", &id);
            acknowledged.insert(id);
        }
        waiting.extend(new.into_iter().map(|message| (message, false)));
        while let Some((message, is_again)) = waiting.pop_front() {
            match turn(&shared, &carrier, &message, is_again) {
                // The queue of the session is full: later.
                Err(e) if e.retryable() => {
                    waiting.push_front((message, is_again));
                    break;
                }
                asked => asked?,
            }
        }
        if !carrier.await_deliveries(Duration::from_millis(10))? {
            return Ok(());
        }
    }
}

fn turn(shared: &Shared, carrier: &Carrier, message: &Inbound, is_again: bool) -> Result<()> {
    let peer = format!("p{}", message.id.len() % 3);
    if message.id == "remind" {
        carrier.promise("reminder", &peer, json!({"text": "you asked for it"}))?;
        return carrier.pass_over(message);
    }
    let from = Peer { channel: "echo", account: &message.account, peer: &peer, ..Peer::default() };
    let route = routing::route(&shared.config(), &shared.agents(), &from)?;
    let asked = carrier.turn(Turn {
        blocks: None,
        main: None,
        inbound: message,
        also: &[],
        provenance: Provenance::Guest,
        sender: peer.clone(),
        session: route.session_key,
        to: Place { peer, ..Place::default() },
        text: message.id.clone(),
        envelope: Default::default(),
        attachments: Attachments::default(),
        extra_system: None,
        entry: Default::default(),
        is_again,
        stream: None,
    })?;
    match asked {
        Accepted::Run => Ok(()),
        Accepted::Now(_) => carrier.pass_over(message),
    }
}

/// The platform names what it takes. It is busy once, never takes some things, and of some it is not known; while there is
/// a file `stall` it says nothing.
fn send(dir: &Path, delivery: &Delivery) -> Became {
    let is = |what| delivery.id.contains(what);
    if is("busy") && lines(dir, "busy").is_empty() {
        say(dir, "busy", &delivery.id);
        return Became::NotTaken;
    }
    if is("never") {
        return Became::Refused("never".into());
    }
    if is("lost") {
        return Became::Uncertain("the connection ended after it was sent".into());
    }
    let text = delivery.message.as_ref().and_then(|message| message.get("text")?.as_str());
    let text = text.unwrap_or_default().replace('\n', " ");
    say(dir, "out", &format!("{}\t{text}", delivery.id));
    while dir.join("stall").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Became::Confirmed(format!("echo-{}", lines(dir, "out").len()).into())
}

pub fn say(dir: &Path, file: &str, line: &str) {
    std::fs::create_dir_all(dir).unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join(file)).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

pub fn lines(dir: &Path, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}
