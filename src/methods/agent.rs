//! `agent` and `agent.wait`: ask for a turn and wait for one.
use super::agent_session::session_key;
use super::asking::read_thinking;
use crate::calls::Call;
use crate::error::{Error, Result};
use crate::params::{params, read};
use crate::runs::origin::{AGENT, Origin};
use crate::runs::{Ask, Observers, Wishes};
use crate::sessions::attachments::Attachments;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

/// Names that may stand for a channel in `channel` and `replyChannel`.
const CHANNELS: [&str; 10] = [
    "last",
    "webchat",
    "telegram",
    "whatsapp",
    "discord",
    "slack",
    "signal",
    "imessage",
    "mattermost",
    "msteams",
];
/// Of a target that names none, as clients of the Node gateway expect.
pub(super) const DEFAULT_CHANNEL: &str = "whatsapp";

params! {
    pub(super) struct Params {
        message: String,
        pub(super) agent_id: Option<String>,
        pub(super) session_id: Option<String>,
        pub(super) session_key: Option<String>,
        pub(super) to: Option<String>,
        pub(super) reply_to: Option<String>,
        pub(super) account_id: Option<String>,
        pub(super) group_id: Option<String>,
        pub(super) group_channel: Option<String>,
        pub(super) channel: Option<String>,
        reply_channel: Option<String>,
        images: Vec<Value>,
        texts: String,
        hash: String,
        deliver: bool,
        timeout: Option<u64>,
        extra_system_prompt: Option<String>,
        idempotency_key: String,
        label: Option<String>,
        thinking: Option<String>,
    }
}

impl Params {
    pub(super) fn chosen_id(&self) -> Option<&str> {
        self.session_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }

    /// A session that is found by who the message is for may be too old; one that is named goes on, however old it is.
    fn ages_by(&self) -> Option<String> {
        let names_none = self.session_key.is_none() && self.session_id.is_none() && self.agent_id.is_none();
        let channel = || self.channel.clone().unwrap_or_else(|| DEFAULT_CHANNEL.to_string());
        (names_none && self.to.is_some()).then(channel)
    }

    fn check_channels(&self) -> Result<()> {
        let named = [&self.channel, &self.reply_channel].into_iter().flatten();
        let is_known =
            |channel: &str| channel.is_empty() || CHANNELS.contains(&channel.to_lowercase().as_str());
        match named.into_iter().find(|channel| !is_known(channel.trim())) {
            Some(channel) => Err(Error::invalid(format!("invalid agent params: unknown channel: {channel}"))),
            None => Ok(()),
        }
    }
}

/// Answers twice under one id: accepted, then the outcome.
pub fn agent(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let params: Params = read(params)?;
    let message = params.message.trim().to_string();
    if message.is_empty() && params.texts.is_empty() && params.images.is_empty() {
        return Err(Error::invalid("message required"));
    }
    let thinking = read_thinking(params.thinking.as_deref())?;
    if params.deliver && !AGENT.delivers {
        return Err(Error::invalid("this version has no channels to deliver to; leave out deliver"));
    }
    params.check_channels()?;
    let session = session_key(state, &params)?;
    let wishes = Wishes {
        timeout_ms: params.timeout.map(|seconds| seconds.saturating_mul(1000)),
        ages_by: params.ages_by(),
        conversation: params.chosen_id().map(str::to_string),
        extra_system: params.extra_system_prompt,
        thinking,
        label: params.label,
        ..Wishes::default()
    };
    let ask = Ask {
        origin: Origin::client(&AGENT, call.caller.provenance),
        id: params.idempotency_key,
        hash: params.hash,
        session,
        message,
        attachments: Attachments { images: params.images, texts: params.texts },
        wishes,
        observers: Observers::of(&call.caller),
        reply: call,
    };
    state.with_runs(|runs, world| runs.ask(world, ask)).map(Answer::from)
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
