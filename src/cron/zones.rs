//! Time zones by name: IANA names from the host's zone database, `UTC`, offsets as `+02:00`. Who may wait reads them; the
//! state thread goes by what was read, which is kept as long as the process lives.
use crate::clock;
use crate::error::{Error, Result};
use jiff::tz::{Offset, TimeZone};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Zones that are kept; more than any gateway's jobs name.
const MOST: usize = 256;

static KNOWN: Mutex<BTreeMap<String, TimeZone>> = Mutex::new(BTreeMap::new());

/// The zone of this name; may read a file, so not for the state thread.
pub fn read(name: &str) -> Result<TimeZone> {
    if let Some(zone) = known(name) {
        return Ok(zone);
    }
    let zone = offset(name).or_else(|| clock::named_zone(name)).ok_or_else(|| {
        Error::invalid(format!(
            "schedule.tz {} is not known on the gateway's host: name one as Europe/Berlin, UTC or +02:00 (the names come \
             with the system's package tzdata, on OpenWrt zoneinfo-core and its continents)",
            crate::logging::quoted(name)
        ))
    })?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() < MOST {
        known.insert(name.to_string(), zone.clone());
    }
    Ok(zone)
}

/// The same as it was read; reads nothing.
pub fn known(name: &str) -> Option<TimeZone> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

/// `+02:00`, `-0330`, `+2`.
fn offset(name: &str) -> Option<TimeZone> {
    let sign = match name.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = name.chars().skip(1).filter(|c| *c != ':').collect();
    let (hours, minutes) = digits.split_at_checked(if digits.len() > 2 { 2 } else { digits.len() })?;
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i32>().ok() };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))?;
    Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
}
