//! The gateway's own newcomers: descriptors that run short, and whom the gateway has no room for.
use super::{Newcomers, let_go, spawn, turn_away};
use crate::door::parked::{BUSY, GRACE, Newcomer};
use crate::net::connection::Service;
use crate::state::shared::Shared;
use crate::state::succession::{Now, Succession};
use crate::threads;
use std::sync::Arc;
use std::time::Duration;

impl Newcomers {
    /// Whether one of those who are here goes before long.
    pub(super) fn may_shrink(&self, succession: &Succession) -> bool {
        let has_strangers = || matches!(succession.within(Duration::ZERO), Now::Serving(shared) if shared.door.has_strangers());
        !self.parked.all.is_empty() || has_strangers()
    }

    /// Whether more may be taken in; where they are scarce, when somebody was let go or all have gone.
    pub(super) fn has_descriptors(&mut self, succession: &Succession) -> bool {
        if self.is_short
            && (self.parked.make_room(GRACE) || let_go(succession) || !self.may_shrink(succession))
        {
            self.is_short = false;
        }
        !self.is_short
    }

    /// Gives places to those who have spoken.
    pub(super) fn admit(&mut self, shared: &Arc<Shared>, service: Service) {
        self.parked.admit(&shared.door, &shared.limits, &mut |newcomer, ticket| {
            let Newcomer { stream, since, .. } = newcomer;
            let most = shared.limits.connections;
            let full = match shared.door.connections() > most {
                true => Some(format!("{most} are open")),
                false if !threads::has_room() => Some("no memory is left for one more".to_string()),
                false => None,
            };
            match &full {
                Some(why) => {
                    log::warn!(target: "gateway/net", "refused a connection: {why}");
                    turn_away(stream, BUSY);
                }
                None => spawn(stream.clone(), *since, ticket, shared, service),
            }
            full.is_none()
        });
    }
}
