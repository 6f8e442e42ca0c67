//! `web.login.start` and `web.login.wait`: an account of a channel is linked to a phone. Its program shows what is scanned or
//! typed; here one waits for it, on a thread of its own, `gw-link`, for that takes minutes.
use super::channels::wish;
use crate::calls::Call;
use crate::channels::accounts::{self, Account};
use crate::channels::board::Row;
use crate::channels::{self, Channel};
use crate::clock;
use crate::deliveries::Login;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::shared::Shared;
use crate::threads;
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// Logins that are waited for at a time.
const MOST: usize = 8;
const LOOK: Duration = Duration::from_millis(50);
/// The channel that is meant where none is named, as by the original's clients.
const USUAL: &str = "whatsapp";

static WAITING: AtomicUsize = AtomicUsize::new(0);

params! {
    struct Start {
        channel: Option<String>,
        account_id: Option<String>,
        force: bool,
        phone: Option<String>,
        timeout_ms: Option<u64>,
    }
}

params! {
    struct Wait {
        channel: Option<String>,
        account_id: Option<String>,
        timeout_ms: Option<u64>,
    }
}

/// Asks the program for a login, and waits for what it shows.
pub fn start(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let asked: Start = read(params)?;
    let (channel, login) = whose(state, asked.channel.as_deref(), asked.account_id.as_deref())?;
    let row = running(&state.shared, channel, &login)?;
    if row.more.get("linked") == Some(&Value::Bool(true)) && !asked.force {
        let own = row.more.get("self").and_then(|own| own.get("id")?.as_str()).unwrap_or("unknown");
        let text =
            format!("{} is already linked ({own}); force asks for another link in its place", channel.label);
        return Ok(Answer::Now(json!({"message": text, "connected": (row.is_connected)}).into()));
    }
    let phone = asked.phone.unwrap_or_default();
    if let Some(shown) = shown(&row)
        .filter(|shown| !asked.force && phone.is_empty() && shown.get("qr").is_some_and(Value::is_string))
    {
        return Ok(Answer::Now(told(&shown, &usual(channel)).into()));
    }
    let shared = state.shared.clone();
    // What an earlier login said is no answer to this one.
    shared.board.set(&login, |row| drop(row.more.remove("login")));
    let mut line = json!({"type": "login", "force": (asked.force)});
    if let (Some(line), false) = (line.as_object_mut(), phone.is_empty()) {
        line.put("phone", phone);
    }
    wish(&shared, &login, line)?;
    let until = within(asked.timeout_ms, 30_000, 5_000);
    later(call, until, move |_| {
        let row = shared.board.row(&login);
        // It was scanned before anybody looked.
        if !asked.force && row.more.get("linked") == Some(&Value::Bool(true)) {
            return Ok(linked(channel));
        }
        let why = row.last_error.clone().filter(|_| row.more.get("login").is_none());
        let text = shown(&row).map(|shown| told(&shown, &usual(channel)));
        text.ok_or_else(|| match why {
            Some(why) => format!("Failed to get QR: {why}"),
            None => "Failed to get QR: its program has shown none in time; openclaw logs shows more".into(),
        })
    })
}

/// Waits until the account is linked, or something else is to be scanned.
pub fn wait(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let asked: Wait = read(params)?;
    let (channel, login) = whose(state, asked.channel.as_deref(), asked.account_id.as_deref())?;
    let shared = state.shared.clone();
    let first = running(&shared, channel, &login)?;
    let seen = shown(&first).and_then(|shown| shown.get("qr").cloned());
    let until = within(asked.timeout_ms, 120_000, 1_000);
    later(call, until, move |is_last| {
        let row = shared.board.row(&login);
        let is_linked = row.more.get("linked") == Some(&Value::Bool(true));
        if is_linked {
            return Ok(linked(channel));
        }
        let now = shown(&row);
        let qr = now.as_ref().and_then(|shown| shown.get("qr").cloned());
        if let Some(shown) = now.as_ref().filter(|_| qr.is_some() && qr != seen) {
            let mut told = told(shown, "The code has changed: scan this one.");
            if let Some(told) = told.as_object_mut() {
                told.put("connected", false);
            }
            return Ok(told);
        }
        let message = match (row.more.contains_key("login"), row.last_error) {
            (false, Some(why)) if seen.is_some() || is_last => why,
            (false, None) if is_last => "No active login in progress.".to_string(),
            _ if is_last => "Still waiting for the scan.".to_string(),
            _ => return Err("waiting".to_string()),
        };
        Ok(json!({"connected": false, "message": message}))
    })
}

fn linked(channel: &Channel) -> Value {
    json!({"connected": true, "message": (format!("\u{2705} Linked! {} is ready.", channel.label))})
}

fn usual(channel: &Channel) -> String {
    format!("Scan this QR in {} \u{2192} Linked Devices.", channel.label)
}

/// Whose login is meant: an account of a channel that a program speaks for.
fn whose(state: &State, channel: Option<&str>, account: Option<&str>) -> Result<(&'static Channel, Login)> {
    let config = state.shared.config();
    let name = channel.unwrap_or(USUAL).trim().to_lowercase();
    let on = channels::on(&config).into_iter().find(|channel| channel.id == name && channel.is_program());
    let channel = on.ok_or_else(|| {
        Error::invalid(format!(
            "web login provider is not available: no channel {} is set up",
            crate::logging::quoted(&name)
        ))
    })?;
    let named = account.map(str::trim).filter(|id| !id.is_empty());
    let default = || accounts::default_id(&config, channel.id, &state.sessions.rules().default_agent);
    let account = Account::of(&config, channel.id, &named.map_or_else(default, str::to_lowercase));
    account.check_known()?;
    Ok((channel, Login { platform: channel.id.to_string(), account: account.id }))
}

fn running(shared: &Shared, channel: &Channel, login: &Login) -> Result<Row> {
    let row = shared.board.row(login);
    if row.is_running {
        return Ok(row);
    }
    let why = row.last_error.unwrap_or_else(|| "it is starting; try again".to_string());
    Err(Error::unavailable(format!("{} account {} does not run: {why}", channel.label, login.account)))
}

/// What is to be scanned or typed, while that holds.
fn shown(row: &Row) -> Option<Map<String, Value>> {
    let shown = row.more.get("login")?.as_object()?;
    let holds = shown.get("expiresAtMs").and_then(Value::as_u64).is_none_or(|until| until > clock::now_ms());
    let is_there = ["qr", "code"].iter().any(|name| shown.get(*name).is_some_and(Value::is_string));
    (holds && is_there).then(|| shown.clone())
}

fn told(shown: &Map<String, Value>, message: &str) -> Value {
    let text = shown.get("text").and_then(Value::as_str);
    let is_code = shown.get("code").is_some_and(Value::is_string);
    let mut told = json!({"message": (text.filter(|_| is_code).unwrap_or(message))});
    if let Some(told) = told.as_object_mut() {
        for (name, own) in [
            ("qrDataUrl", "picture"),
            ("qr", "qr"),
            ("code", "code"),
            ("terminal", "terminal"),
            ("terminalSmall", "terminalSmall"),
            ("expiresAtMs", "expiresAtMs"),
        ] {
            if let Some(value) = shown.get(own).filter(|value| !value.is_null()) {
                told.put(name, value.clone());
            }
        }
    }
    told
}

fn within(given: Option<u64>, usual: u64, least: u64) -> Instant {
    Instant::now() + Duration::from_millis(given.unwrap_or(usual).clamp(least, 180_000))
}

/// Asks again and again until there is an answer; the last time why there is none is the answer.
fn later(
    call: Call,
    until: Instant,
    ask: impl Fn(bool) -> std::result::Result<Value, String> + Send + 'static,
) -> Result<Answer> {
    let place = Place::take()?;
    let answer = call.clone();
    let work = move || {
        let _place = place;
        let told = loop {
            let is_last = Instant::now() >= until;
            match ask(is_last) {
                Ok(told) => break told,
                Err(why) if is_last => break json!({"message": why}),
                Err(_) => std::thread::sleep(LOOK),
            }
        };
        call.answer(Ok(told.into()));
    };
    let died =
        move |_| answer.answer(Err(Error::unavailable("waiting for the login failed; the log says more")));
    threads::spawn("gw-link", STACK, work, died)?;
    Ok(Answer::Later)
}

/// One of those who wait.
struct Place;

impl Place {
    fn take() -> Result<Place> {
        if WAITING.fetch_add(1, Ordering::SeqCst) >= MOST {
            WAITING.fetch_sub(1, Ordering::SeqCst);
            return Err(
                Error::unavailable("too many wait for logins: try again").retry_in(Duration::from_secs(5))
            );
        }
        Ok(Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}
