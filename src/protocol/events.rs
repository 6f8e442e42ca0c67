//! The events table: name, who may see it, whether a slow client may miss it.
//!
//! One row an event. `hello-ok.features.events` lists these rows, the state thread emits nothing else.
use crate::protocol::frame::Scopes;

/// Which connections get an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every connection after its `connect`.
    All,
    /// Every operator after its `connect`.
    Operators,
    /// Operators that may read.
    Readers,
    /// Operators with the pairing scope.
    Pairing,
    /// Operators with the approvals scope.
    Approvals,
    /// Operators with the admin scope.
    Admins,
    /// One connection, by address; never broadcast.
    Direct,
}

/// What happens to an event that a slow client has not yet been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// It is kept; a client over its limit is closed.
    Keep,
    /// A client over its limit misses it and sees the gap in `seq`.
    Drop,
    /// A newer event of the same kind takes its place in the queue: only the latest matters.
    Replace,
}

#[derive(Debug)]
pub struct Event {
    pub name: &'static str,
    pub audience: Audience,
    pub backlog: Backlog,
    /// The file of its schema, which follows from its name.
    pub schema: &'static str,
}

macro_rules! events {
    ($($konst:ident $name:literal $audience:ident $backlog:ident;)+) => {
        $(pub static $konst: Event = Event { name: $name, audience: Audience::$audience, backlog: Backlog::$backlog, schema: concat!("schemas/events/", $name, ".json") };)+
        /// All events, in the order of `hello-ok.features.events`.
        pub static EVENTS: &[&Event] = &[$(&$konst),+];
    };
}

events! {
    CHALLENGE "connect.challenge" Direct Keep;
    AGENT "agent" Readers Keep;
    AGENT_TEXT "agent" Readers Drop;
    AGENT_TOOL "agent" Direct Drop;
    CHAT "chat" Readers Keep;
    CHAT_DELTA "chat" Readers Drop;
    SESSIONS_CHANGED "sessions.changed" Direct Drop;
    SESSION_MESSAGE "session.message" Direct Keep;
    PRESENCE "presence" Operators Replace;
    TICK "tick" All Replace;
    SHUTDOWN "shutdown" All Keep;
    HEALTH "health" Operators Replace;
    HEARTBEAT "heartbeat" Readers Drop;
    CRON "cron" Readers Drop;
    CONFIG_CHANGED "config.changed" Admins Replace;
    APPROVAL_REQUESTED "exec.approval.requested" Approvals Keep;
    APPROVAL_RESOLVED "exec.approval.resolved" Approvals Drop;
    NODE_INVOKE "node.invoke.request" Direct Keep;
    NODE_PAIR_REQUESTED "node.pair.requested" Pairing Drop;
    NODE_PAIR_RESOLVED "node.pair.resolved" Pairing Drop;
    NODE_STATS "node.hostStats" Readers Drop;
    PAIR_REQUESTED "device.pair.requested" Pairing Drop;
    PAIR_RESOLVED "device.pair.resolved" Pairing Drop;
}

/// The distinct event names, in table order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = EVENTS.iter().map(|e| e.name).collect();
    names.dedup();
    names
}

impl Event {
    /// Whether a connection with this role and these scopes gets the event.
    pub fn is_for(&self, role_is_node: bool, scopes: &Scopes) -> bool {
        match self.audience {
            Audience::All => true,
            Audience::Operators => !role_is_node,
            Audience::Readers => !role_is_node && scopes.can_read(),
            Audience::Pairing => !role_is_node && scopes.has("operator.pairing"),
            Audience::Approvals => !role_is_node && scopes.has("operator.approvals"),
            Audience::Admins => !role_is_node && scopes.has("operator.admin"),
            Audience::Direct => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_once() {
        let names = names();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn pairing_events_need_the_scope_and_admin_has_it() {
        let scopes = |s: &str| Scopes::new(vec![s.to_string()]);
        assert!(!PAIR_REQUESTED.is_for(false, &scopes("operator.read")));
        assert!(PAIR_REQUESTED.is_for(false, &scopes("operator.admin")));
        assert!(!PAIR_REQUESTED.is_for(true, &scopes("operator.admin")));
        assert!(
            AGENT.is_for(false, &scopes("operator.write"))
                && !AGENT.is_for(false, &scopes("operator.pairing"))
        );
    }
}
