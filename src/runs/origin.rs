//! Where a turn comes from: the surface it was asked on, on whose authority, and where its answer belongs. Typed, set
//! at the entry, never read out of a text (SEC-34). Pure data.
use crate::calls::Provenance;
use crate::channels::house::Place;
use crate::deliveries::Login;
use crate::json::json;
use crate::sessions::message;
use serde_json::Value;

/// A way in for turns. What the ways differ in stands in its row and nowhere else.
#[derive(Debug)]
pub struct Surface {
    /// The kind of its records in the journal.
    pub journal: &'static str,
    pub answers: Answers,
    /// Where the conversation takes place, as sessions and settings name it.
    pub channel: Option<&'static str>,
    /// Whether a message to a busy session does what `/queue` says; otherwise it waits for a turn of its own.
    pub queues: bool,
    /// Whether the transcript names the message by its run.
    pub names_message: bool,
    pub commands: Commands,
    /// What a stream that follows a run is told.
    pub wants: Wants,
    /// Its turns have places of their own, beside those of all others.
    pub apart: bool,
    /// Its messages are the gateway's, not somebody's words.
    pub is_gateways: bool,
}

/// Which messages may be commands or hold directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    None,
    /// Those that begin with a slash. All else is text, whatever it says.
    Slashed,
    /// All, a stop word without a slash too.
    All,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// When the run is accepted, and again with its outcome.
    Twice,
    /// When it is accepted; what follows comes as events.
    Once,
    /// With its outcome.
    AtTheEnd,
}

/// How much of an answer on its way a stream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Each piece as it comes.
    Deltas,
    /// Each message when it is whole.
    Blocks,
    /// The same as messages that survive, and each piece as it comes to who follows by a stream.
    Drafts,
    /// The outcome only.
    End,
    /// The outcome only, and of messages that survive the last, if it ended well.
    Last,
}

/// The method `agent`: command line, apps, and tools that ask other sessions.
pub static AGENT: Surface = Surface {
    journal: "agent",
    answers: Answers::Twice,
    channel: None,
    queues: false,
    names_message: false,
    commands: Commands::Slashed,
    wants: Wants::Deltas,
    apart: false,
    is_gateways: false,
};

/// The methods `chat.*`: WebChat and the Control UI.
pub static CHAT: Surface = Surface {
    journal: "chat",
    answers: Answers::Once,
    channel: Some("webchat"),
    queues: true,
    names_message: true,
    commands: Commands::All,
    wants: Wants::Deltas,
    apart: false,
    is_gateways: false,
};

/// People on the messaging channels; which channel says the address.
pub static CHANNEL: Surface = Surface {
    journal: "channel",
    answers: Answers::Once,
    channel: None,
    queues: true,
    names_message: true,
    commands: Commands::All,
    wants: Wants::Drafts,
    apart: false,
    is_gateways: false,
};

/// Programs that ask as they would ask a model, by HTTP. What they send is text, whatever it looks like.
pub static OPENAI: Surface = Surface {
    journal: "openai",
    answers: Answers::AtTheEnd,
    channel: Some("webchat"),
    queues: false,
    names_message: false,
    commands: Commands::None,
    wants: Wants::Deltas,
    apart: false,
    is_gateways: false,
};

/// Webhooks, and the turns that they wake a session for.
pub static HOOK: Surface = Surface {
    journal: "hook",
    answers: Answers::Once,
    channel: None,
    queues: false,
    names_message: false,
    commands: Commands::None,
    wants: Wants::End,
    apart: false,
    is_gateways: true,
};

/// Scheduled jobs, when they are due.
pub static CRON: Surface = Surface {
    journal: "cron",
    answers: Answers::Once,
    channel: None,
    queues: false,
    names_message: false,
    commands: Commands::None,
    wants: Wants::Last,
    apart: false,
    is_gateways: true,
};

/// Subagents at their tasks.
pub static SUBAGENT: Surface = Surface {
    journal: "subagent",
    answers: Answers::Twice,
    channel: None,
    queues: false,
    names_message: false,
    commands: Commands::None,
    wants: Wants::End,
    apart: true,
    is_gateways: false,
};

/// What whoever asked for a subagent is told of its end; several that wait are told together.
pub static ANNOUNCE: Surface = Surface {
    journal: "announce",
    answers: Answers::Once,
    channel: None,
    queues: true,
    names_message: false,
    commands: Commands::None,
    wants: Wants::Last,
    apart: false,
    is_gateways: true,
};

/// Heartbeats: the clock, or somebody who wakes the agent.
pub static HEARTBEAT: Surface = Surface {
    journal: "heartbeat",
    answers: Answers::Once,
    channel: None,
    queues: false,
    names_message: false,
    commands: Commands::None,
    wants: Wants::End,
    apart: false,
    is_gateways: true,
};

/// What people say to nodes, and press on their screens.
pub static NODE: Surface = Surface {
    journal: "node",
    answers: Answers::Once,
    channel: None,
    queues: true,
    names_message: false,
    commands: Commands::None,
    wants: Wants::End,
    apart: false,
    is_gateways: false,
};

/// All ways in. A new one is a row here, and a caller of `Runs::ask`.
pub static SURFACES: [&Surface; 10] =
    [&AGENT, &ANNOUNCE, &CHAT, &CHANNEL, &CRON, &HEARTBEAT, &HOOK, &NODE, &OPENAI, &SUBAGENT];

/// The surface of a kind of records.
pub fn surface(journal: &str) -> Option<&'static Surface> {
    SURFACES.into_iter().find(|surface| surface.journal == journal)
}

impl Surface {
    /// The answer when a run is accepted, if it is answered then.
    pub(super) fn accepted(&self, run: &str, at: u64) -> Option<Value> {
        match self.answers {
            Answers::Twice => Some(json!({"runId": run, "status": "accepted", "acceptedAt": at})),
            Answers::Once => Some(json!({"runId": run, "status": "started"})),
            Answers::AtTheEnd => None,
        }
    }

    /// As transcripts name who asked, where nobody did.
    pub fn asked_by(&self) -> Option<&'static str> {
        self.is_gateways.then_some(self.journal)
    }

    /// The answer to the repetition of a request whose run goes on.
    pub(super) fn repeated(&self, run: &str, at: u64) -> Option<Value> {
        match self.answers {
            Answers::Once => Some(json!({"runId": run, "status": "in_flight"})),
            Answers::Twice | Answers::AtTheEnd => self.accepted(run, at),
        }
    }

    /// Whether those who asked are told the outcome.
    pub(super) fn tells_outcome(&self) -> bool {
        self.answers != Answers::Once
    }
}

/// Where one turn comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub surface: &'static Surface,
    pub provenance: Provenance,
    /// Who it was on a channel, and where the answer goes. Clients of the gateway have none of it.
    pub address: Option<Box<Address>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    pub channel: String,
    pub account: String,
    pub peer: String,
    pub thread: Option<String>,
    pub reply_to: Option<String>,
}

impl Address {
    /// As transcripts name the chat.
    pub fn chat(&self) -> String {
        message::chat(&self.channel, &self.account, &self.peer)
    }

    /// The same as channels know it.
    pub fn place(&self) -> (Login, Place) {
        let Address { channel, account, peer, thread, reply_to } = self.clone();
        (Login { platform: channel, account }, Place { peer, thread, reply_to })
    }
}

impl Origin {
    /// A client of the gateway, or a part of it that acts as one.
    pub fn client(surface: &'static Surface, provenance: Provenance) -> Origin {
        Origin { surface, provenance, address: None }
    }

    /// Whether words of both may be answered together: nobody's are on another's authority (SEC-34), nor where he is not.
    pub fn is_like(&self, other: &Origin) -> bool {
        let place = |origin: &Origin| {
            let Address { channel, account, peer, thread, .. } = origin.address.as_deref()?.clone();
            Some((channel, account, peer, thread))
        };
        self.provenance == other.provenance && place(self) == place(other)
    }

    pub fn channel(&self) -> &str {
        let of_address = || self.address.as_ref().map(|address| address.channel.as_str());
        self.surface.channel.or_else(of_address).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_records_are_one_surfaces() {
        for row in SURFACES {
            assert!(std::ptr::eq(surface(row.journal).unwrap(), row), "{}", row.journal);
        }
        assert!(surface("send").is_none());
    }

    #[test]
    fn a_surface_answers_in_its_stages() {
        let waits = Surface { answers: Answers::AtTheEnd, ..SILENT };
        assert_eq!(
            (waits.accepted("r", 1), waits.repeated("r", 1), waits.tells_outcome()),
            (None, None, true)
        );
        assert!(AGENT.accepted("r", 1).is_some() && AGENT.tells_outcome() && !CHAT.tells_outcome());
        assert_eq!(CHAT.repeated("r", 1).unwrap()["status"], "in_flight");
    }

    const SILENT: Surface = Surface {
        journal: "test",
        answers: Answers::AtTheEnd,
        channel: None,
        queues: false,
        names_message: false,
        commands: Commands::None,
        wants: Wants::End,
        apart: false,
        is_gateways: false,
    };
}
