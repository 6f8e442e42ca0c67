//! Where something goes that a caller names: the channel, the account, the place, and the session that is told.
use crate::agents::routing::{self, Inbound, PeerKind};
use crate::channels::accounts::{self, Account};
use crate::channels::house::Place;
use crate::channels::ids::bare;
use crate::channels::{self, Channel};
use crate::config::Config;
use crate::deliveries::Login;
use crate::error::{Error, Kind, Result};
use crate::state::State;

/// What is sent again within this time is waited for, milliseconds.
const SOON: u64 = 10_000;

/// A place on a channel, and the account that goes there.
pub struct Route {
    pub channel: &'static Channel,
    pub account: String,
    pub place: Place,
}

/// What a parameter says, if it says anything.
pub fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A place that somebody names, and whose it is.
pub fn named(state: &State, channel: Option<&str>, account: Option<&str>, to: &str) -> Result<Route> {
    let shared = &state.shared;
    let config = shared.config();
    let channel = match filled(channel).map(str::to_lowercase) {
        Some(name) => {
            let known = channels::on(&config).into_iter().find(|channel| channel.id == name);
            known.ok_or_else(|| unsupported(&config, &name))?
        }
        None => the_only(&mut channels::on(&config).into_iter())?,
    };
    let default = || accounts::default_id(&config, channel.id, &state.sessions.rules().default_agent);
    let account = Account::of(&config, channel.id, &filled(account).map_or_else(default, str::to_lowercase));
    account.check_known()?;
    let place = (channel.target)(bare(channel.id, to))?;
    Ok(Route { channel, account: account.id, place })
}

/// Who carries what goes to this place, now or when its platform is reached again.
pub fn kept(state: &State, channel: Option<&str>, account: Option<&str>, to: &str) -> Result<Route> {
    let route = named(state, channel, account, to)?;
    let (label, config) = (route.channel.label, state.shared.config());
    let account = Account::of(&config, route.channel.id, &route.account);
    if let Some(mistake) = account.mistake() {
        let why = config.told_with_place(mistake);
        return Err(Error::unavailable(format!("{label} account {} is shut: {why}", account.id)));
    }
    if !account.is_enabled() {
        let place = account.place("enabled");
        return Err(Error::unavailable(format!(
            "{label} account {} is switched off: set {place} to true",
            account.id
        )));
    }
    Ok(route)
}

/// The same. Fails when nobody carries it just now.
pub fn route(state: &State, channel: Option<&str>, account: Option<&str>, to: &str) -> Result<Route> {
    let route = kept(state, channel, account, to)?;
    is_carried(state, route.channel, &route.account)?;
    Ok(route)
}

/// Fails when nobody carries anything for this account just now.
pub fn is_carried(state: &State, channel: &Channel, account: &str) -> Result<()> {
    let (shared, label) = (&state.shared, channel.label);
    let login = Login { platform: channel.id.to_string(), account: account.to_string() };
    let row = shared.board.row(&login);
    if row.is_running && row.more.get("linked") == Some(&false.into()) {
        let command = shared.env.command(&format!("channels login --channel {}", channel.id));
        let text = format!("{label} account {account} is not linked: {command}");
        return Err(Error::new(Kind::NotLinked, text));
    }
    let is_soon = |at: u64| row.is_connected && at < state.now.saturating_add(SOON);
    if !row.is_running || row.next_try.is_some_and(|at| !is_soon(at)) {
        let refused = || row.more.get("lastSendError")?.as_str().map(str::to_string);
        let why = row.last_error.or_else(refused).unwrap_or_else(|| "it is starting; try again".to_string());
        let status = shared.env.command("channels status");
        let text = format!("{label} account {account} cannot send now: {why} ({status} shows more)");
        return Err(Error::unavailable(text));
    }
    Ok(())
}

fn unsupported(config: &Config, name: &str) -> Error {
    let quoted = crate::logging::quoted(name);
    let text = format!("unsupported channel: {quoted}");
    match channels::of(config, name) {
        Some(channel) => Error::invalid(format!(
            "{text}: it is not configured; openclaw channels add --channel {}",
            channel.id
        )),
        None => Error::invalid(text),
    }
}

fn the_only(on: &mut dyn Iterator<Item = &'static Channel>) -> Result<&'static Channel> {
    match (on.next(), on.next()) {
        (Some(channel), None) => Ok(channel),
        (None, _) => Err(Error::invalid(
            "Channel is required (no configured channels detected): add one with openclaw channels add",
        )),
        (Some(a), Some(b)) => Err(Error::invalid(format!(
            "Channel is required: several are configured ({}, {}, ...)",
            a.id, b.id
        ))),
    }
}

/// The session that is told what was said: the one named, else that of the person or group.
pub fn mirror_of(state: &State, route: &Route, named: Option<&str>) -> Result<Option<String>> {
    let key = match filled(named) {
        Some(key) => state.sessions.rules().canonical(key)?,
        None => match derived(state, route)? {
            Some(key) => key,
            None => return Ok(None),
        },
    };
    state.sessions.owner(&key)?;
    Ok(Some(key))
}

fn derived(state: &State, route: &Route) -> Result<Option<String>> {
    let peer = route.place.peer.as_str();
    // Whom a public name means is not known here.
    if peer.starts_with('@') || route.channel.is_program() {
        return Ok(None);
    }
    let kind = if peer.starts_with('-') { PeerKind::Group } else { PeerKind::Direct };
    key_of(state, route, kind).map(Some)
}

pub fn key_of(state: &State, route: &Route, kind: PeerKind) -> Result<String> {
    let inbound = Inbound {
        channel: route.channel.id,
        account: &route.account,
        kind,
        peer: &route.place.peer,
        thread: route.place.thread.as_deref().unwrap_or_default(),
        has_topics: route.channel.has_topics,
        ..Inbound::default()
    };
    let found = routing::route(&state.shared.config(), &state.shared.agents(), &inbound)?;
    Ok(found.session_key)
}
