//! The accounts of all channels as workers: one for each that the configuration switches on, started anew when what its
//! connection depends on changes, or when it failed. What it does is its channel's (`channels::CHANNELS`).
use super::carrier::Carrier;
use super::judge::Judge;
use super::workers::{Handle, House, Row};
use crate::channels::accounts::{self, Account};
use crate::channels::house::House as _;
use crate::channels::{self, Channel};
use crate::config::Config;
use crate::deliveries::Login;
use crate::error::{Error, Result};
use serde_json::Value;
use std::sync::Arc;

/// The thread that polls reads answers of some MiB; parsing them nests as deep as they do.
const STACK: usize = 512 << 10;

pub const ROW: Row = Row { name: "channel", mark, parts, rests, worked, stack: STACK, start: run };

/// `channel:account` of each that is on.
fn parts(config: &Config, _: &Judge) -> Vec<String> {
    let accounts = channels::on(config).into_iter().flat_map(|channel| {
        let ids = accounts::ids(config, channel.id).into_iter();
        ids.filter(|id| Account::of(config, channel.id, id).is_enabled())
            .map(|id| format!("{}:{id}", channel.id))
    });
    accounts.collect()
}

fn mark(config: &Config, part: &str) -> Value {
    let Some((channel, id)) = of(config, part) else { return Value::Null };
    channels::mark(channel, &Account::of(config, channel.id, id))
}

fn of<'a>(config: &Config, part: &'a str) -> Option<(&'static Channel, &'a str)> {
    let (channel, account) = part.split_once(':')?;
    Some((channels::of(config, channel)?, account))
}

/// Its row says when it is tried again.
fn rests(house: &House, part: &str, until: u64) {
    if let Some(login) = login(part) {
        house.shared.board.tries(&login, Some(until));
    }
}

/// Something came or went.
fn worked(house: &House, part: &str) -> bool {
    login(part).is_some_and(|login| house.shared.board.row(&login).has_worked())
}

fn login(part: &str) -> Option<Login> {
    let (platform, account) = part.split_once(':')?;
    Some(Login { platform: platform.to_string(), account: account.to_string() })
}

fn run(handle: Handle) -> Result<()> {
    let part = handle.part.clone();
    let Some((channel, account)) = of(&handle.config, &part) else {
        return Err(Error::unavailable(format!("there is no channel for {part}")));
    };
    let login = Login { platform: channel.id.to_string(), account: account.to_string() };
    let house = Arc::new(Carrier::new(handle, login.clone())?);
    house.board().started(&login);
    let result = (channel.run)(house.clone());
    house.end();
    house.board().stopped(&login, result.as_ref().err().map(ToString::to_string));
    result
}
