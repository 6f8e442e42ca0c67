//! Deliveries of which nobody knows whether they arrived, and those that never will: told once, in the log and in the
//! session that they belong to (R-10c, R-30c). None of them is sent again.
use super::house::{Became, House};
use super::outgoing::Outgoing;
use crate::deliveries::Delivery;
use crate::error::Result;
use serde_json::Value;

/// What an earlier life of the account left open, and has not told yet.
pub fn tell_all(house: &dyn House, uncertain: &[Delivery]) -> Result<()> {
    let number = uncertain.len();
    if number > 0 {
        house.board().set(house.login(), |row| drop(row.more.insert("uncertain".into(), number.into())));
    }
    for delivery in uncertain.iter().filter(|delivery| !outgoing(delivery).is_told()) {
        tell_uncertain(house, delivery, "the gateway stopped after it was handed over")?;
        house.became(delivery, Became::Uncertain)?;
    }
    Ok(())
}

pub fn tell_uncertain(house: &dyn House, delivery: &Delivery, why: &str) -> Result<()> {
    let login = house.login();
    log::error!(target: "channels", "{login}: {} to {} may have arrived, and is not sent again: {why}", delivery.id, delivery.to);
    // It is told once: the log has it before the journal says so, also when the process is killed then.
    crate::logging::flush();
    let text = "It is not known whether this message of yours has arrived; it is not sent again by itself";
    note(house, delivery, text)
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

/// In the session, with the beginning of what was to be said.
fn note(house: &dyn House, delivery: &Delivery, text: &str) -> Result<()> {
    let out = outgoing(delivery);
    let Some(session) = out.session() else { return Ok(()) };
    let start: String = out.text().chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    house.note(session, format!("{text}, to {}: {start:?}", delivery.to))
}

fn outgoing(delivery: &Delivery) -> Outgoing<'_> {
    Outgoing::of(delivery.message.as_ref().unwrap_or(&Value::Null))
}
