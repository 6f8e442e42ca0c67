//! The demo of a channel, for the tests only: this file and its row in `CHANNELS`. Its platform is a directory of text files
//! of one line each thing, which outlive the process whatever ends it:
//! `in` (what people wrote, by the test), `acknowledged`, `out` (what the platform was given), `confirmed`, `uncertain`.
use super::Channel;
use super::house::{Accepted, Became, House, Place, Turn};
use super::ids::TEXTS;
use crate::agents::Agents;
use crate::agents::routing::{self, Inbound as Peer};
use crate::calls::Provenance;
use crate::deliveries::{Delivery, Inbound};
use crate::error::{Error, Result};
use crate::json::json;
use crate::sessions::attachments::Attachments;
use std::collections::{HashSet, VecDeque};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub const CHANNEL: Channel = Channel {
    id: "echo",
    label: "Echo",
    detail: "Directory of text files",
    image: "folder",
    keys: &["enabled"],
    ids: TEXTS,
    has_topics: false,
    has_buttons: false,
    variable: None,
    how: "it signs in by itself",
    run,
    target: |text| Ok(Place { peer: text.to_string(), ..Place::default() }),
    probe: |_, _, _| Default::default(),
    check: |_| Ok(()),
    sign_in: |_, _, _| Err(Error::invalid("it signs in by itself")),
    issues: |_| Vec::new(),
    setup: None,
};

fn run(house: Arc<dyn House>) -> Result<()> {
    let login = house.login();
    let dir = house.settings().env.state_dir.join("echo").join(&login.account);
    let open = house.begin()?;
    open.uncertain.iter().for_each(|delivery| say(&dir, "uncertain", &delivery.id));
    let mut waiting: VecDeque<(Inbound, bool)> = open.inbound.into_iter().map(|m| (m, true)).collect();
    let mut acknowledged: HashSet<String> = lines(&dir, "acknowledged").into_iter().collect();
    loop {
        while let Some(delivery) = house.next(&[])? {
            let became = send(&dir, &delivery);
            let is_confirmed = matches!(became, Became::Confirmed(_));
            house.became(&delivery, became)?;
            if is_confirmed {
                say(&dir, "confirmed", &delivery.id);
            }
        }
        let fresh: Vec<String> =
            lines(&dir, "in").into_iter().filter(|id| !acknowledged.contains(id)).take(3).collect();
        let new = house.bring(fresh.iter().map(|id| (id.clone(), json!({"text": id}))).collect())?;
        for id in fresh {
            say(&dir, "acknowledged", &id);
            acknowledged.insert(id);
        }
        waiting.extend(new.into_iter().map(|message| (message, false)));
        while let Some((message, is_again)) = waiting.pop_front() {
            match turn(&*house, &message, is_again) {
                // The queue of the session is full: later.
                Err(e) if e.retryable() => {
                    waiting.push_front((message, is_again));
                    break;
                }
                asked => asked?,
            }
        }
        if !house.await_deliveries(Duration::from_millis(10))? {
            return Ok(());
        }
    }
}

fn turn(house: &dyn House, message: &Inbound, is_again: bool) -> Result<()> {
    let peer = format!("p{}", message.id.len() % 3);
    if message.id == "remind" {
        house.promise("reminder", &peer, json!({"text": "you asked for it"}))?;
        return house.pass_over(message);
    }
    let from = Peer { channel: "echo", account: &message.account, peer: &peer, ..Peer::default() };
    let config = house.settings().config();
    let route = routing::route(&config, &Agents::of(&config, &house.settings().env), &from)?;
    let asked = house.turn(Turn {
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
        Accepted::Now(_) => house.pass_over(message),
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
