//! `agent` and `agent.wait`: ask for a turn and wait for one.
use super::agent_session::session_key;
use super::asking::Asked;
use super::destination::destination;
use crate::calls::Call;
use crate::channels;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::params::{params, read};
use crate::runs::Wishes;
use crate::runs::origin::AGENT;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

/// What may stand in `channel` and `replyChannel` beside the names of channels.
const NO_CHANNELS: [&str; 3] = ["", "last", "webchat"];
/// Of a target that names none, as clients of the Node gateway expect.
pub(super) const DEFAULT_CHANNEL: &str = "whatsapp";

params! {
    #[derive(Default)]
    pub(super) struct Params {
        pub(super) agent_id: Option<String>,
        pub(super) session_key: Option<String>,
        pub(super) to: Option<String>,
        pub(super) reply_to: Option<String>,
        pub(super) account_id: Option<String>,
        pub(super) group_id: Option<String>,
        pub(super) group_channel: Option<String>,
        pub(super) channel: Option<String>,
        pub(super) reply_channel: Option<String>,
        pub(super) reply_account_id: Option<String>,
        pub(super) thread_id: Option<String>,
        pub(super) deliver: bool,
        pub(super) timeout: Option<u64>,
        pub(super) extra_system_prompt: Option<String>,
        pub(super) label: Option<String>,
    }
}

impl Params {
    /// A session that is found by who the message is for may be too old; one that is named goes on, however old it is.
    fn ages_by(&self, conversation: Option<&str>) -> Option<String> {
        let names_none = self.session_key.is_none() && conversation.is_none() && self.agent_id.is_none();
        let channel = || self.channel.clone().unwrap_or_else(|| DEFAULT_CHANNEL.to_string());
        (names_none && self.to.is_some()).then(channel)
    }

    fn check(&self, config: &Config) -> Result<()> {
        let named = [&self.channel, &self.reply_channel].into_iter().flatten();
        let is_known = |channel: &str| {
            let name = channel.trim().to_lowercase();
            NO_CHANNELS.contains(&name.as_str()) || channels::is_known(config, &name)
        };
        match named.into_iter().find(|channel| !is_known(channel)) {
            Some(channel) => Err(Error::invalid(format!("invalid agent params: unknown channel: {channel}"))),
            None => Ok(()),
        }
    }
}

/// Answers twice under one id: accepted, then the outcome.
pub fn agent(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let (asked, own): (Asked, Params) = read(params)?;
    let wishes = asked.wishes("message required")?;
    own.check(&state.shared.config())?;
    let conversation = wishes.conversation.as_deref();
    let session = session_key(state, &own, conversation)?;
    let to = destination(state, &own, &session)?;
    let wishes = Wishes {
        timeout_ms: own.timeout.map(|seconds| seconds.saturating_mul(1000)),
        ages_by: own.ages_by(conversation),
        extra_system: own.extra_system_prompt,
        label: own.label,
        ..wishes
    };
    asked.turn(state, &AGENT, session, wishes, call, to)
}

params! {
    struct Wait {
        run_id: String,
        timeout_ms: Option<u64>,
    }
}

pub fn wait(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let Wait { run_id, timeout_ms } = read(params)?;
    let timeout_ms = timeout_ms.unwrap_or(30_000);
    state.with_runs(|runs, world| runs.wait(world, call, run_id, timeout_ms)).map(Answer::from)
}
