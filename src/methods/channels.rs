//! `channels.status` and `channels.logout`: how the accounts of the channels are, and signing one out.
use super::config_write::announce;
use crate::calls::{Call, Caller};
use crate::channels::accounts::{self, Account};
use crate::channels::board::Row;
use crate::channels::token::Source;
use crate::channels::told::{Teller, auth_age};
use crate::channels::{self, Channel};
use crate::config::write::{Base, Change, Terms, write};
use crate::deliveries::{Login, Stage};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::carrying::Carry;
use crate::state::event::{Answer, Event};
use crate::state::shared::Shared;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// For all platforms together, where the caller does not say, and at most.
const PROBE_MS: (u64, u64) = (10_000, 60_000);
/// How long a running account is given to notice that it is signed out.
const SIGNED_OUT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

params! {
    struct Status {
        probe: bool,
        timeout_ms: Option<u64>,
    }
}

/// What is to go out by a login, and when the oldest of that was promised; and of what nobody knows whether it did.
#[derive(Clone, Copy, Default)]
struct Queue {
    waiting: usize,
    oldest: Option<u64>,
    uncertain: usize,
}

/// What waits for each login is counted here; the rest, platforms among it, is asked on the connection's thread.
pub fn status(state: &mut State, _call: Call, params: Value) -> Result<Answer> {
    let Status { probe, timeout_ms } = read(params)?;
    let (shared, now) = (state.shared.clone(), state.now);
    let mut counts: HashMap<Login, Queue> = HashMap::new();
    for stage in [Stage::Accepted, Stage::Handed, Stage::Uncertain] {
        for delivery in state.post.ledger.deliveries(stage) {
            let queue = counts.entry(delivery.login()).or_default();
            if stage == Stage::Uncertain {
                queue.uncertain += 1;
            } else {
                queue.waiting += 1;
                queue.oldest = Some(queue.oldest.map_or(delivery.ts, |ts| ts.min(delivery.ts)));
            }
        }
    }
    let time = Duration::from_millis(timeout_ms.unwrap_or(PROBE_MS.0).clamp(1000, PROBE_MS.1));
    Ok(Answer::Work(Box::new(move || {
        let (config, agents) = (shared.config(), shared.agents());
        let default_agent = agents.default_id();
        let teller = Teller {
            config: &config,
            env: &shared.env,
            board: Some(&shared.board),
            default_agent: &default_agent,
        };
        let end = Instant::now() + time;
        let row = |channel: &Channel, id: String| {
            let account = Account::of(&config, channel.id, &id);
            let mut row = teller.account(&account);
            let login = Login { platform: channel.id.to_string(), account: id };
            let queue = counts.get(&login).copied().unwrap_or_default();
            row.put("deliveriesWaiting", queue.waiting);
            row.put("deliveriesUncertain", queue.uncertain);
            if let Some(age) = auth_age(&row) {
                row.put("authAgeMs", age);
            }
            if let Some(at) = queue.oldest {
                row.put("deliveriesOldestAt", at);
            }
            if probe && account.is_enabled() && account.source(&shared.env) != Source::None {
                let left = end.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
                row.extend((channel.probe)(&account, &shared.env, left));
                row.put("lastProbeAt", crate::clock::now_ms());
            }
            row
        };
        let rows = |channel: &Channel| -> Vec<Map<String, Value>> {
            teller.ids(channel).into_iter().map(|id| row(channel, id)).collect()
        };
        let all: Vec<(&'static Channel, Vec<Map<String, Value>>)> =
            teller.channels().map(|channel| (channel, rows(channel))).collect();
        Ok(teller.status(&all, now).into())
    })))
}

params! {
    struct Logout {
        channel: String,
        account_id: Option<String>,
    }
}

/// Takes the token out of the configuration; whoever wrote it elsewhere keeps it there.
pub fn logout(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Logout { channel, account_id } = read(params)?;
    let config = shared.file_config();
    let name = channel.trim().to_lowercase();
    let channel = channels::on(&config).into_iter().find(|channel| channel.id == name);
    let channel = channel.ok_or_else(|| Error::invalid("invalid channels.logout channel"))?;
    let named = account_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    let default = || accounts::default_id(&config, channel.id, &shared.agents().default_id());
    let account = Account::of(&config, channel.id, &named.map_or_else(default, str::to_string));
    account.check_known()?;
    if config.mistake("channels").is_some() || account.mistake().is_some() {
        return Err(Error::unavailable("config invalid; fix it before logging out"));
    }
    if channel.is_program() {
        return unlink(shared, &account);
    }
    let cleared = match account.token_path() {
        Some(path) => {
            let (base, starts) = (Base::Present, &*shared.objections);
            let terms = Terms { base, force: true, check: None, starts };
            let done = write(&shared.env, Change::Remove(&path), terms)?;
            announce(shared, &done.config);
            done.written
        }
        None => false,
    };
    let after = shared.file_config();
    let left = Account::of(&after, channel.id, &account.id).source(&shared.env);
    let is_out = cleared && left == Source::None;
    if is_out {
        await_end(shared, &Login { platform: channel.id.to_string(), account: account.id.clone() })?;
    }
    let id = account.id.as_str();
    Ok(json!({"channel": (channel.id), "accountId": id, "cleared": cleared, "envToken": (left == Source::Env),
        "loggedOut": is_out, "tokenSource": (left.name())})
    .into())
}

/// A program keeps its link itself: it is asked to forget it.
fn unlink(shared: &Shared, account: &Account) -> Result<Payload> {
    let login = Login { platform: account.channel.to_string(), account: account.id.clone() };
    if !shared.board.row(&login).is_running {
        return Err(Error::unavailable("its program does not run, and nobody else can end its link"));
    }
    wish(shared, &login, json!({"type": "logout"}))?;
    let is_out = |row: &Row| row.more.get("linked") == Some(&Value::Bool(false));
    await_row(
        shared,
        &login,
        is_out,
        "its program was asked to forget the link, and has not said that it did",
    )?;
    Ok(json!({"channel": (account.channel), "accountId": (account.id.as_str()), "cleared": true, "envToken": false,
        "loggedOut": true, "tokenSource": "program"})
    .into())
}

/// Says a line of its owner's to an account's program.
pub(super) fn wish(shared: &Shared, login: &Login, line: Value) -> Result<()> {
    shared.board.wish(login, line);
    let gone = |_| Error::unavailable("the gateway is shutting down");
    shared.state.send(Event::Carry(Box::new(Carry::Wake(login.clone())))).map_err(gone)
}

/// The watcher of the configuration ends it.
fn await_end(shared: &Shared, login: &Login) -> Result<()> {
    let text = "the token is taken out of the configuration, and the account still runs: gateway.reload.mode may be off; \
                openclaw gateway restart ends it";
    await_row(shared, login, |row| !row.is_running, text)?;
    shared.board.set(login, |row| row.last_error = Some("logged out".to_string()));
    Ok(())
}

/// Waits until an account says so of itself; `text` when it does not in time.
fn await_row(shared: &Shared, login: &Login, is_so: impl Fn(&Row) -> bool, text: &str) -> Result<()> {
    let end = Instant::now() + SIGNED_OUT;
    while !is_so(&shared.board.row(login)) && !shared.published.is_over() {
        if Instant::now() >= end {
            return Err(Error::unavailable(text));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
