//! Deliveries of which nobody knows whether they arrived, and those that never will: told once, in the log and in the
//! session that they belong to (R-10c, R-30c). None of them is sent again.
use super::house::{Became, House};
use super::outgoing::Outgoing;
use crate::deliveries::{Delivery, Login};
use crate::error::Result;
use crate::json::Put;
use serde_json::Value;

/// Why nobody knows, where nothing else is said.
pub const STOPPED: &str = "the gateway stopped after it was handed over";

/// What the session is told then.
pub const UNKNOWN: &str =
    "It is not known whether this message of yours has arrived; it is not sent again by itself";

/// What an earlier life of the account left open, and has not told yet.
pub fn tell_all(house: &dyn House, uncertain: &[Delivery]) -> Result<()> {
    let (told, untold): (Vec<_>, Vec<_>) =
        uncertain.iter().partition(|delivery| outgoing(delivery).is_told());
    if !told.is_empty() {
        house.board().set(house.login(), |row| row.more.put("uncertain", told.len()));
    }
    for delivery in untold {
        // The ledger knows why where the process lived on.
        let why = delivery.error.as_deref().unwrap_or(STOPPED);
        tell_uncertain(house, delivery, why)?;
        house.became(delivery, Became::Uncertain(why.to_string()))?;
    }
    Ok(())
}

pub fn tell_uncertain(house: &dyn House, delivery: &Delivery, why: &str) -> Result<()> {
    let login = house.login();
    house.board().set(login, |row| {
        let before = row.more.get("uncertain").and_then(Value::as_u64).unwrap_or_default();
        row.more.put("uncertain", before + 1);
    });
    log::error!(target: "channels", "{}", uncertain(login, delivery, why));
    // It is told once: the log has it before the journal says so, also when the process is killed then.
    crate::logging::flush();
    note(house, delivery, UNKNOWN)
}

/// The line of the log.
pub fn uncertain(login: &Login, delivery: &Delivery, why: &str) -> String {
    let Delivery { id, to, .. } = delivery;
    format!("{login}: {id} to {to} may have arrived, and is not sent again: {why}")
}

pub fn tell_refused(house: &dyn House, delivery: &Delivery, why: &str) -> Result<()> {
    let (login, id) = (house.login(), &delivery.id);
    if outgoing(delivery).error().is_some() {
        log::info!(target: "channels", "{login}: {id} is not sent: {why}");
        return Ok(());
    }
    log::error!(target: "channels", "{login}: {id} is not sent: {why}");
    note(house, delivery, &format!("This message of yours was not delivered ({why})"))
}

/// The rest of it arrived.
pub fn tell_lacking(house: &dyn House, delivery: &Delivery, lacks: &str) -> Result<()> {
    log::warn!(target: "channels", "{}: {} is sent without a file: {lacks}", house.login(), delivery.id);
    note(house, delivery, &format!("A file of this message of yours was not delivered ({lacks})"))
}

fn note(house: &dyn House, delivery: &Delivery, text: &str) -> Result<()> {
    match noted(delivery, text) {
        Some((session, note)) => house.note(&session, note),
        None => Ok(()),
    }
}

/// The session that is told, and what it is told, with the beginning of what was to be said.
pub fn noted(delivery: &Delivery, text: &str) -> Option<(String, String)> {
    let out = outgoing(delivery);
    let session = out.session()?.to_string();
    let start: String = out.text().chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some((session, format!("{text}, to {}: {start:?}", delivery.to)))
}

fn outgoing(delivery: &Delivery) -> Outgoing<'_> {
    Outgoing::of(delivery.message.as_ref().unwrap_or(&Value::Null))
}
