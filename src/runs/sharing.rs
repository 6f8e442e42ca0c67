//! Who has how much of the queue of runs, and of that of a session. Part of `Runs`, on the state thread.
//!
//! Nobody has more than is left, so there is as much again for the next one, however many they are. That holds twice:
//! among those that the gateway itself tells apart (a device that came by its own token; a secret together with the
//! address it was shown from), and below a secret among the devices and connections that show it. So whoever opens many
//! connections, or makes a device for each, has one share with all of them; and two people with the same secret at the
//! same address do not count as one.
use super::Runs;
use super::left::END;
use super::run::{NewRun, Run};
use crate::calls::{Call, Caller, Provenance};
use crate::door;
use crate::error::{Error, Result};
use std::net::IpAddr;
use std::time::Duration;

/// Runs in all, and bytes of their messages.
const MAX_RUNS: usize = 500;
const MAX_RUN_BYTES: usize = 32 << 20;
/// Of a hundred, for the owner.
const KEPT: usize = 10;

/// Whose share a run counts to.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Sender {
    /// What the client cannot choose.
    principal: String,
    /// What it can: its device or connection, where others may come as the same principal.
    member: Option<String>,
    /// It is the owner's, for whom the last places are kept.
    is_owners: bool,
}

impl Sender {
    pub(super) fn of(caller: &Caller) -> Sender {
        let has_own_token = caller.method == "device-token";
        let is_owners = match caller.provenance {
            Provenance::Owner => true,
            Provenance::Operator => !has_own_token || caller.scopes.has("operator.admin"),
            _ => false,
        };
        match &caller.device_id {
            Some(device) if has_own_token => Sender { principal: device.clone(), member: None, is_owners },
            device => {
                let address = caller.remote.as_deref().unwrap_or_default();
                // A host has as many addresses of one network as it likes.
                let network = address.parse::<IpAddr>().map(|ip| door::network(ip).to_string());
                let network = network.as_deref().unwrap_or(address);
                let member = device.clone().unwrap_or_else(|| caller.conn.to_string());
                // However many strangers write by the channels, the owner's share is his.
                // Nor do turns that the gateway asks for itself take it.
                let whose = match caller.provenance {
                    Provenance::Guest | Provenance::Hook => " guest",
                    Provenance::Agent | Provenance::Cron => " gateway",
                    Provenance::Operator | Provenance::Owner | Provenance::Node => "",
                };
                Sender {
                    principal: format!("{} {network}{whose}", caller.method),
                    member: Some(member),
                    is_owners,
                }
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Held {
    runs: usize,
    bytes: usize,
}

impl Held {
    fn add(&mut self, bytes: usize) {
        self.runs += 1;
        self.bytes += bytes;
    }

    fn less(self, other: Held) -> Held {
        let (runs, bytes) = (self.runs.saturating_sub(other.runs), self.bytes.saturating_sub(other.bytes));
        Held { runs, bytes }
    }

    /// Whether one more run of `bytes` stays within `left`.
    fn may_add(self, bytes: usize, left: Held) -> bool {
        self.runs < left.runs && self.bytes + bytes <= left.bytes
    }
}

impl Runs {
    /// Whose share a run counts to; a nested run counts to who sent the first one, one that a command's end begins to the
    /// gateway.
    pub(super) fn sender(&self, call: &Call) -> Sender {
        let parent = call.caller.run.as_ref().filter(|_| call.method != END);
        let parent = parent.and_then(|id| self.map.get(id));
        parent.map_or_else(|| Sender::of(&call.caller), |parent| parent.sender.clone())
    }

    /// Refuses a run beyond what all may have, or beyond its sender's share of that or of its session's queue. A command is
    /// often the way out of a full queue, so it is refused only when nothing is left at all.
    pub(super) fn refuse_beyond_share(&self, new: &NewRun, sender: &Sender) -> Result<()> {
        let refused = |text: String| Err(Error::unavailable(text).retry_in(Duration::from_secs(5)));
        let shares = Shares::of(self.map.values(), sender);
        let (size, free) = (new.size(), shares.free(MAX_RUNS));
        if free.runs == 0 || size > free.bytes {
            return refused(
                "too many turns are waiting on this gateway; try again when some have ended".into(),
            );
        }
        if new.command.is_some() {
            return Ok(());
        }
        if !shares.leave(MAX_RUNS, sender, size) {
            return refused(format!(
                "{} wait here already, which is its share; try again when some have ended",
                shares.told(sender)
            ));
        }
        let is_counted = |run: &&Run| run.new.key == new.key && !run.is_aside() && run.new.command.is_none();
        let shares = Shares::of(self.map.values().filter(is_counted), sender);
        if !shares.leave(3 * (self.max_queued + 1), sender, 0) {
            return refused(format!(
                "session {} has {} waiting already, of {} in all; wait for one to end or abort it",
                new.key,
                shares.told(sender),
                shares.all.runs
            ));
        }
        Ok(())
    }
}

/// Who has how much of a queue, seen from a sender.
#[derive(Default)]
struct Shares {
    all: Held,
    group: Held,
    own: Held,
}

impl Shares {
    fn of<'r>(runs: impl Iterator<Item = &'r Run>, sender: &Sender) -> Shares {
        let mut shares = Shares::default();
        for run in runs {
            let size = run.new.size();
            shares.all.add(size);
            if run.sender.principal == sender.principal {
                shares.group.add(size);
            }
            if run.sender == *sender {
                shares.own.add(size);
            }
        }
        shares
    }

    fn free(&self, runs: usize) -> Held {
        Held { runs, bytes: MAX_RUN_BYTES }.less(self.all)
    }

    /// What is left for a sender: however many others there are, a tenth is the owner's alone.
    fn free_for(&self, runs: usize, sender: &Sender) -> Held {
        let kept = if sender.is_owners { 0 } else { KEPT };
        self.free(runs).less(Held { runs: runs * kept / 100, bytes: MAX_RUN_BYTES * kept / 100 })
    }

    /// Whether one more run of the sender leaves as much again for others, of so many in all. So one client with a secret
    /// has a third: half is its group's, of which half is left for others of it.
    fn leave(&self, runs: usize, sender: &Sender, size: usize) -> bool {
        let free = self.free_for(runs, sender);
        self.group.may_add(size, free)
            && (sender.member.is_none() || self.own.may_add(size, free.less(self.group)))
    }

    fn told(&self, sender: &Sender) -> String {
        let (runs, of) = match sender.member {
            Some(_) if self.own.runs < self.group.runs => {
                (self.group.runs, "this client and others with its secret and address")
            }
            _ => (self.own.runs, "this client"),
        };
        format!("{runs} turns of {of}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(method: &'static str, device: Option<&str>, remote: Option<&str>, conn: u64) -> Sender {
        let (device_id, remote) = (device.map(str::to_string), remote.map(str::to_string));
        Sender::of(&Caller { method, device_id, remote, conn, ..Caller::default() })
    }

    #[test]
    fn s_m9_what_a_client_can_choose_makes_no_new_share() {
        let principal = |sender: Sender| sender.principal;
        let first = principal(sender("token", None, Some("2001:db8::1"), 1));
        assert_eq!(
            principal(sender("token", None, Some("2001:db8::2"), 2)),
            first,
            "another address of the host"
        );
        assert_eq!(
            principal(sender("token", Some("d"), Some("2001:db8::1"), 3)),
            first,
            "a device of its own making"
        );
        assert_ne!(principal(sender("token", None, Some("2001:db8:0:1::1"), 4)), first);
        let by_channel =
            |provenance| Sender::of(&Caller { method: "local", provenance, ..Caller::default() });
        let (guest, owner) = (by_channel(Provenance::Guest), by_channel(Provenance::Owner));
        assert_ne!(principal(guest), principal(owner), "guests have no part of the owner's");
        assert_ne!(principal(sender("password", None, None, 5)), principal(sender("token", None, None, 5)));
        assert!(
            sender("token", None, None, 1) != sender("token", None, None, 2),
            "two people with one secret"
        );
        let paired = |conn| sender("device-token", Some("d"), None, conn);
        assert!(paired(1) == paired(2), "a device is one client");
    }
}
