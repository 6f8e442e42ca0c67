//! The count of wrong credentials, by network. Under the door's lock.
use crate::protocol::limits::Limits;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Networks remembered; above it the oldest are forgotten first.
const MAX_NETWORKS: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Failures(HashMap<IpAddr, OfNetwork>);

/// Wrong credentials of one network.
#[derive(Debug, Default)]
struct OfNetwork {
    times: Vec<Instant>,
    last: String,
}

/// What there is to tell about a wrong credential.
#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    /// It was counted as so many.
    Counted(u64),
    /// There were too many already: for how long, and who was counted last.
    TooMany { wait: Duration, last: String },
}

impl Failures {
    /// Counts one, of whom `last` tells.
    pub fn count(&mut self, network: IpAddr, last: String, limits: &Limits, now: Instant) -> Failed {
        if self.0.len() >= MAX_NETWORKS && !self.0.contains_key(&network) {
            let window = Duration::from_millis(limits.auth_window_ms);
            self.forget(|t| now.duration_since(*t) < window);
        }
        let failures = self.0.entry(network).or_default();
        failures.times.push(now);
        failures.last = last;
        Failed::Counted(failures.times.len() as u64)
    }

    /// Whether those of a network failed too often: for how long, and who was the last.
    pub fn too_many(&mut self, network: IpAddr, limits: &Limits, now: Instant) -> Option<(Duration, String)> {
        let window = Duration::from_millis(limits.auth_window_ms);
        let failures = self.0.get_mut(&network)?;
        failures.times.retain(|t| now.duration_since(*t) < window);
        let excess = (failures.times.len() as u64).checked_sub(limits.auth_failures)?;
        let frees = failures.times.get(excess as usize)?;
        Some((window.saturating_sub(now.duration_since(*frees)), failures.last.clone()))
    }

    fn forget(&mut self, is_recent: impl Fn(&Instant) -> bool) {
        self.0.retain(|_, failures| failures.times.last().is_some_and(&is_recent));
        if self.0.len() >= MAX_NETWORKS {
            let oldest = self.0.iter().min_by_key(|(_, f)| f.times.last().copied()).map(|(n, _)| *n);
            oldest.map(|network| self.0.remove(&network));
        }
    }
}
