//! The one table of configuration keys: one row a key.
//!
//! From a row come the type check, the default, the reload class, redaction, the JSON Schema and the hints
//! for forms. To add a key, add a row in its alphabetical place; keys of a channel that is built in stand in its file of
//! `config/channels/`. Pure data; `lookup.rs` searches it.
//!
//! In a path `*` stands for a map key or a list item. An object whose keys have rows needs a row of its own
//! only to carry a doc line, a reload class or a type other than `Object`.
use super::apis;
use crate::config::action::Action;
use crate::config::channels;
use Type::{
    Any, AnyOf, Bool, Clock, Duration, Enum, Fingerprint, IdList, Int, Like, List, Map, Number, Object, Text,
    TextList,
};

/// What a key's value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    Bool,
    /// A whole number, bounds included.
    Int {
        min: i64,
        max: i64,
    },
    /// Any number, bounds included.
    Number {
        min: f64,
        max: f64,
    },
    /// Text of at least `min` characters.
    Text {
        min: usize,
    },
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A length of time: `30m`, `1h30m`, `500ms`; a bare number counts minutes.
    Duration,
    /// A time of day, `00:00` to `24:00`.
    Clock,
    /// The SHA-256 of a certificate, or blank for none.
    Fingerprint,
    /// A list of texts.
    TextList,
    /// A list of chat or sender ids, which people write as numbers too.
    IdList,
    /// Exactly the keys that have rows.
    Object,
    /// The same, whose rows are those of `LIMITS` below it.
    Limits,
    /// Any keys; their values are described by the rows below `*`.
    Map,
    /// A list; its items are described by the rows below `*`.
    List,
    /// Accepted as it is.
    Any,
    /// What the rows below another path describe, without their defaults.
    Like(&'static str),
    /// Any one of these.
    AnyOf(&'static [Type]),
}

/// What a running gateway does when the key changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reload {
    /// Nothing: the value is read where it is used.
    None,
    /// Nothing, for nothing in this version reads it.
    Unread,
    /// This action.
    Hot(Action),
    /// An in-process restart.
    Restart,
}

/// One row. Types and reload classes are shared by rows, which keeps the table small.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub path: &'static str,
    pub kind: &'static Type,
    /// The default as JSON text.
    pub default: Option<&'static str>,
    pub reload: &'static Reload,
    /// Whether the value is a secret, hidden wherever configuration is shown.
    pub sensitive: bool,
    /// Whether the value names a file, a directory or a program of the host, or where its secrets go, so that only a
    /// person there changes it.
    pub host_only: bool,
    /// What the key is for, as one line without a full stop; the program has it from `schemas/config.json`.
    #[cfg(test)]
    pub doc: &'static str,
}

impl Key {
    pub const fn or(mut self, default: &'static str) -> Key {
        self.default = Some(default);
        self
    }

    pub const fn secret(mut self) -> Key {
        self.sensitive = true;
        self
    }

    pub const fn host(mut self) -> Key {
        self.host_only = true;
        self
    }
}

pub const fn key(
    path: &'static str,
    kind: &'static Type,
    reload: &'static Reload,
    _doc: &'static str,
) -> Key {
    Key {
        path,
        kind,
        default: None,
        reload,
        sensitive: false,
        host_only: false,
        #[cfg(test)]
        doc: _doc,
    }
}

const NONE: &Reload = &Reload::None;
const UNREAD: &Reload = &Reload::Unread;
const RESTART: &Reload = &Reload::Restart;
const RELOAD_BROWSER: &Reload = &Reload::Hot(Action::Browser);
pub const RELOAD_CHANNELS: &Reload = &Reload::Hot(Action::Channels);
const RELOAD_CRON: &Reload = &Reload::Hot(Action::Cron);
const RELOAD_GMAIL: &Reload = &Reload::Hot(Action::Gmail);
const RELOAD_HOOKS: &Reload = &Reload::Hot(Action::Hooks);
const RELOAD_LOGGING: &Reload = &Reload::Hot(Action::Logging);
const RELOAD_SECRET: &Reload = &Reload::Hot(Action::Secret);
const RELOAD_WEB: &Reload = &Reload::Hot(Action::Web);
const RESTART_HEARTBEAT: &Reload = &Reload::Hot(Action::Heartbeat);

pub const BOOL: &Type = &Bool;
pub const OBJECT: &Type = &Object;
pub const TEXT: &Type = &Text { min: 0 };
const NAME: &Type = &Text { min: 1 };
pub const TEXTS: &Type = &TextList;
pub const COUNT: &Type = &Int { min: 0, max: i64::MAX };
pub const POSITIVE: &Type = &Int { min: 1, max: i64::MAX };
const PORT: &Type = &Int { min: 1, max: 65535 };
const NUMBER: &Type = &Number { min: f64::MIN, max: f64::MAX };
pub const ABOVE_ZERO: &Type = &Number { min: f64::MIN_POSITIVE, max: f64::MAX };
pub const AUTO_BOOL: &Type = &AnyOf(&[Bool, Enum(&["auto"])]);
/// `provider/model` alone, or an object with fallbacks.
pub const MODEL: &Type = &AnyOf(&[Text { min: 1 }, Object]);
pub const IDS: &Type = &IdList;
const ON_OFF: &Type = &Enum(&["off", "on"]);
const ALLOW_DENY: &Type = &Enum(&["allow", "deny"]);
pub const BREAK: &Type = &Enum(&["paragraph", "newline", "sentence"]);
pub const CHUNK_MODE: &Type = &Enum(&["length", "newline"]);
pub const DM_POLICY: &Type = &Enum(&["pairing", "allowlist", "open", "disabled"]);
pub const GROUP_POLICY: &Type = &Enum(&["open", "disabled", "allowlist"]);
pub const TABLES: &Type = &Enum(&["off", "bullets", "code"]);
const TYPING: &Type = &Enum(&["never", "instant", "thinking", "message"]);
const THINKING: &Type = &Enum(&["off", "minimal", "low", "medium", "high", "xhigh"]);
const LEVEL: &Type = &Enum(&["silent", "fatal", "error", "warn", "info", "debug", "trace"]);
const TOOL_PROFILE: &Type = &Enum(&["minimal", "coding", "messaging", "full"]);
const QUEUE: &Type =
    &Enum(&["steer", "followup", "collect", "steer-backlog", "steer+backlog", "queue", "interrupt"]);
const API: &Type = &Enum(apis::ALL);

macro_rules! limit_rows {
    ($($(#[doc = $doc:literal])+ $field:ident $name:literal = $default:literal, $min:literal..=$max:literal;)+) => {
        /// The rows below `gateway` that the table of limits makes.
        pub static LIMITS: &[Key] = &[$(
            key(concat!("gateway.", $name), &Int { min: $min, max: $max }, RESTART, concat!($($doc),+))
                .or(stringify!($default)),
        )+];
    };
}
crate::protocol::limits::each_limit!(limit_rows);

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().chain(LIMITS)
}

/// Every key, ordered by the segments of its path.
pub static KEYS: &[Key] = &channels::joined::<{ ROWS.len() + channels::KEYS }>(ROWS);

/// The same without those of channels that are built in (`config/channels/`).
#[rustfmt::skip]
const ROWS: &[Key] = &[
    key("$schema", TEXT, UNREAD, "Address of a schema for editors"),

    key("agents", OBJECT, NONE, "Agents and their defaults"),
    key("agents.defaults", OBJECT, NONE, "What every agent starts from"),
    key("agents.defaults.blockStreamingBreak", &Enum(&["text_end", "message_end"]), NONE, "Where a streamed block ends").or("\"text_end\""),
    key("agents.defaults.blockStreamingChunk.breakPreference", BREAK, NONE, "Where a block is cut first"),
    key("agents.defaults.blockStreamingChunk.maxChars", POSITIVE, NONE, "Most characters of a streamed block").or("1200"),
    key("agents.defaults.blockStreamingChunk.minChars", POSITIVE, NONE, "Fewest characters of a streamed block").or("800"),
    key("agents.defaults.blockStreamingCoalesce.idleMs", COUNT, NONE, "Silence in ms after which a block is sent").or("1000"),
    key("agents.defaults.blockStreamingCoalesce.maxChars", POSITIVE, NONE, "Most characters of a joined block"),
    key("agents.defaults.blockStreamingCoalesce.minChars", POSITIVE, NONE, "Fewest characters of a joined block"),
    key("agents.defaults.blockStreamingDefault", ON_OFF, NONE, "Whether replies are sent block by block").or("\"off\""),
    key("agents.defaults.bootstrapMaxChars", POSITIVE, NONE, "Most characters taken from one workspace file").or("20000"),
    key("agents.defaults.cliBackends", &Any, UNREAD, "Command line model backends, accepted and not checked"),
    key("agents.defaults.compaction.maxHistoryShare", &Number { min: 0.1, max: 0.9 }, NONE, "Share of the context that history may fill"),
    key("agents.defaults.compaction.memoryFlush", &Any, UNREAD, "Memory flush before compaction, accepted and not checked"),
    key("agents.defaults.compaction.mode", &Enum(&["default", "safeguard"]), UNREAD, "How long histories are shortened").or("\"safeguard\""),
    key("agents.defaults.compaction.reserveTokensFloor", COUNT, NONE, "Tokens kept free for the answer"),
    key("agents.defaults.contextPruning", &Any, UNREAD, "Pruning of old tool results, accepted and not checked"),
    key("agents.defaults.contextTokens", POSITIVE, NONE, "Context window in tokens, else the model's own"),
    key("agents.defaults.elevatedDefault", &Enum(&["off", "on", "ask", "full"]), NONE, "How far /elevated is on where a session says nothing, for who may switch it on"),
    key("agents.defaults.envelopeElapsed", ON_OFF, NONE, "Whether messages carry the time since the last one"),
    key("agents.defaults.envelopeTimestamp", ON_OFF, NONE, "Whether messages carry their time"),
    key("agents.defaults.envelopeTimezone", TEXT, NONE, "Time zone of message times"),
    key("agents.defaults.heartbeat", OBJECT, RESTART_HEARTBEAT, "Regular turns without a message"),
    key("agents.defaults.heartbeat.accountId", TEXT, RESTART_HEARTBEAT, "Channel account that heartbeat answers go out by"),
    key("agents.defaults.heartbeat.ackMaxChars", COUNT, RESTART_HEARTBEAT, "Longest answer still taken as nothing to report").or("300"),
    key("agents.defaults.heartbeat.activeHours.end", &Clock, RESTART_HEARTBEAT, "End of the active hours, HH:MM"),
    key("agents.defaults.heartbeat.activeHours.start", &Clock, RESTART_HEARTBEAT, "Start of the active hours, HH:MM"),
    key("agents.defaults.heartbeat.activeHours.timezone", TEXT, RESTART_HEARTBEAT, "Time zone of the active hours"),
    key("agents.defaults.heartbeat.every", &Duration, RESTART_HEARTBEAT, "Time between heartbeats, 0m for none").or("\"30m\""),
    key("agents.defaults.heartbeat.includeReasoning", BOOL, RESTART_HEARTBEAT, "Whether the model's reasoning is delivered too").or("false"),
    key("agents.defaults.heartbeat.model", TEXT, RESTART_HEARTBEAT, "Model of heartbeat turns"),
    key("agents.defaults.heartbeat.prompt", TEXT, RESTART_HEARTBEAT, "Message of a heartbeat turn"),
    key("agents.defaults.heartbeat.session", TEXT, RESTART_HEARTBEAT, "Session of heartbeat turns").or("\"main\""),
    key("agents.defaults.heartbeat.target", TEXT, RESTART_HEARTBEAT, "Channel that heartbeat answers go to").or("\"last\""),
    key("agents.defaults.heartbeat.to", TEXT, RESTART_HEARTBEAT, "Recipient of heartbeat answers"),
    key("agents.defaults.humanDelay.maxMs", COUNT, UNREAD, "Longest pause before a block in ms"),
    key("agents.defaults.humanDelay.minMs", COUNT, UNREAD, "Shortest pause before a block in ms"),
    key("agents.defaults.humanDelay.mode", &Enum(&["off", "natural", "custom"]), UNREAD, "Pauses between blocks").or("\"off\""),
    key("agents.defaults.imageModel", MODEL, NONE, "Model for pictures"),
    key("agents.defaults.imageModel.fallbacks", TEXTS, NONE, "Models tried when the picture model fails"),
    key("agents.defaults.imageModel.primary", NAME, NONE, "Picture model, as provider/model"),
    key("agents.defaults.maxConcurrent", POSITIVE, NONE, "Most agent runs at once").or("4"),
    key("agents.defaults.mediaMaxMb", ABOVE_ZERO, NONE, "Largest outgoing media file in MB").or("5"),
    key("agents.defaults.memorySearch", &Any, NONE, "Memory search, accepted and not checked"),
    key("agents.defaults.model", MODEL, NONE, "Model of every agent"),
    key("agents.defaults.model.fallbacks", TEXTS, NONE, "Models tried when the first fails"),
    key("agents.defaults.model.primary", NAME, NONE, "Model, as provider/model"),
    key("agents.defaults.models", &Map, NONE, "Models offered, by provider/model"),
    key("agents.defaults.models.*.alias", TEXT, NONE, "Short name of the model"),
    key("agents.defaults.models.*.params", &Any, UNREAD, "Parameters sent with each request"),
    key("agents.defaults.models.*.streaming", BOOL, UNREAD, "Whether answers are streamed"),
    key("agents.defaults.repoRoot", TEXT, UNREAD, "Repository shown to the agent").host(),
    key("agents.defaults.sandbox", OBJECT, NONE, "Isolation of tools"),
    key("agents.defaults.sandbox.browser", &Any, UNREAD, "Sandboxed browser, accepted and not checked"),
    key("agents.defaults.sandbox.docker", &Any, UNREAD, "Container settings, accepted and not checked"),
    key("agents.defaults.sandbox.mode", &Enum(&["off", "non-main", "all"]), NONE, "Which sessions run tools in a sandbox").or("\"off\""),
    key("agents.defaults.sandbox.perSession", BOOL, UNREAD, "One sandbox a session, older spelling of scope"),
    key("agents.defaults.sandbox.prune", &Any, UNREAD, "Removal of old sandboxes, accepted and not checked"),
    key("agents.defaults.sandbox.scope", &Enum(&["session", "agent", "shared"]), UNREAD, "Who shares a sandbox"),
    key("agents.defaults.sandbox.sessionToolsVisibility", TEXT, UNREAD, "Which sessions sandboxed tools may see"),
    key("agents.defaults.sandbox.workspaceAccess", &Enum(&["none", "ro", "rw"]), UNREAD, "What a sandbox may do to the workspace"),
    key("agents.defaults.sandbox.workspaceRoot", TEXT, UNREAD, "Directory of sandbox workspaces").host(),
    key("agents.defaults.skipBootstrap", BOOL, NONE, "Whether no template files are written to a workspace").or("false"),
    key("agents.defaults.subagents.archiveAfterMinutes", POSITIVE, NONE, "Minutes after which a finished subagent session is archived").or("60"),
    key("agents.defaults.subagents.maxConcurrent", POSITIVE, NONE, "Most subagent runs at once").or("8"),
    key("agents.defaults.subagents.model", MODEL, NONE, "Model of subagents"),
    key("agents.defaults.subagents.model.fallbacks", TEXTS, NONE, "Models tried when the subagent model fails"),
    key("agents.defaults.subagents.model.primary", NAME, NONE, "Subagent model, as provider/model"),
    key("agents.defaults.subagents.thinking", TEXT, NONE, "Thinking level of subagents"),
    key("agents.defaults.thinkingDefault", THINKING, NONE, "Thinking level of a new session, else the model's own"),
    key("agents.defaults.timeFormat", &Enum(&["auto", "12", "24"]), UNREAD, "Clock format shown to the agent").or("\"auto\""),
    key("agents.defaults.timeoutSeconds", POSITIVE, NONE, "Longest agent run in seconds").or("600"),
    key("agents.defaults.typingIntervalSeconds", POSITIVE, UNREAD, "Seconds between typing signs"),
    key("agents.defaults.typingMode", TYPING, UNREAD, "When typing is shown"),
    key("agents.defaults.userTimezone", TEXT, NONE, "Time zone of the user, else the host's"),
    key("agents.defaults.verboseDefault", &Enum(&["off", "on", "full"]), NONE, "Verbosity of a new session").or("\"off\""),
    key("agents.defaults.workspace", TEXT, NONE, "Working directory of the agents, else ~/.openclaw/workspace").host(),
    key("agents.list", &List, NONE, "The agents"),
    key("agents.list.*.agentDir", TEXT, NONE, "Directory of the agent's own state").host(),
    key("agents.list.*.default", BOOL, NONE, "Whether this is the default agent").or("false"),
    key("agents.list.*.groupChat", &Like("messages.groupChat"), NONE, "Group chat rules of this agent"),
    key("agents.list.*.heartbeat", &Like("agents.defaults.heartbeat"), RESTART_HEARTBEAT, "Heartbeat of this agent"),
    key("agents.list.*.humanDelay", &Like("agents.defaults.humanDelay"), UNREAD, "Pauses of this agent"),
    key("agents.list.*.id", NAME, NONE, "Identifier of the agent"),
    key("agents.list.*.identity.avatar", TEXT, NONE, "Picture: workspace path, address or data URI"),
    key("agents.list.*.identity.emoji", TEXT, NONE, "Emoji of the agent"),
    key("agents.list.*.identity.name", TEXT, NONE, "Name the agent goes by"),
    key("agents.list.*.identity.theme", TEXT, NONE, "Character of the agent"),
    key("agents.list.*.memorySearch", &Any, NONE, "Memory search of this agent, accepted and not checked"),
    key("agents.list.*.model", MODEL, NONE, "Model of this agent"),
    key("agents.list.*.model.fallbacks", TEXTS, NONE, "Models tried when the first fails"),
    key("agents.list.*.model.primary", NAME, NONE, "Model, as provider/model"),
    key("agents.list.*.name", TEXT, NONE, "Name in lists"),
    key("agents.list.*.params", &Any, UNREAD, "Model parameters of this agent"),
    key("agents.list.*.sandbox", &Like("agents.defaults.sandbox"), NONE, "Isolation of this agent's tools"),
    key("agents.list.*.skills", TEXTS, NONE, "Skills this agent may use"),
    key("agents.list.*.subagents.allowAgents", TEXTS, NONE, "Agents that may be started as subagents"),
    key("agents.list.*.subagents.model", MODEL, NONE, "Model of this agent's subagents"),
    key("agents.list.*.subagents.model.fallbacks", TEXTS, NONE, "Models tried when the subagent model fails"),
    key("agents.list.*.subagents.model.primary", NAME, NONE, "Subagent model, as provider/model"),
    key("agents.list.*.subagents.thinking", TEXT, NONE, "Thinking level of this agent's subagents"),
    key("agents.list.*.tools", &Like("tools"), NONE, "Tool rules of this agent"),
    key("agents.list.*.workspace", TEXT, NONE, "Working directory of this agent").host(),

    key("approvals", &Any, RESTART, "Forwarding of exec approvals to chats"),

    key("audio", &Any, UNREAD, "Audio transcription, accepted and not checked"),

    key("auth", OBJECT, RESTART, "Model credentials, described here and kept elsewhere"),
    key("auth.cooldowns.billingBackoffHours", NUMBER, RESTART, "Pause in hours after a billing failure").or("5"),
    key("auth.cooldowns.billingBackoffHoursByProvider", &Map, RESTART, "The same for one provider"),
    key("auth.cooldowns.billingBackoffHoursByProvider.*", NUMBER, RESTART, "Pause in hours after a billing failure"),
    key("auth.cooldowns.billingMaxHours", NUMBER, RESTART, "Longest pause after billing failures in hours").or("24"),
    key("auth.cooldowns.failureWindowHours", NUMBER, RESTART, "Hours after which failures are forgotten").or("24"),
    key("auth.order", &Map, RESTART, "Order of the profiles by provider"),
    key("auth.order.*", TEXTS, RESTART, "Profiles in the order they are tried"),
    key("auth.profiles", &Map, RESTART, "Credential profiles"),
    key("auth.profiles.*.email", TEXT, RESTART, "Account of the profile"),
    key("auth.profiles.*.mode", &Enum(&["api_key", "oauth", "token"]), RESTART, "Kind of credential"),
    key("auth.profiles.*.provider", TEXT, RESTART, "Provider of the profile"),

    key("bindings", &List, NONE, "Which agent answers which conversation"),
    key("bindings.*.agentId", NAME, NONE, "Agent that answers"),
    key("bindings.*.match.accountId", TEXT, NONE, "Channel account"),
    key("bindings.*.match.channel", NAME, NONE, "Channel"),
    key("bindings.*.match.guildId", TEXT, NONE, "Server of the channel"),
    key("bindings.*.match.peer.id", TEXT, NONE, "Conversation"),
    key("bindings.*.match.peer.kind", &Enum(&["direct", "group", "channel", "dm"]), NONE, "Kind of conversation"),
    key("bindings.*.match.roles", TEXTS, NONE, "Roles of the sender"),
    key("bindings.*.match.teamId", TEXT, NONE, "Team of the channel"),

    key("broadcast", &Map, RESTART, "Conversations answered by several agents"),
    key("broadcast.*", TEXTS, RESTART, "Agents that answer this conversation"),
    key("broadcast.strategy", &Enum(&["parallel", "sequential"]), RESTART, "Whether the agents run at once or in turn").or("\"parallel\""),

    key("browser", &Map, RESTART, "Browser control"),
    key("browser.*", &Any, RELOAD_BROWSER, "Setting of newer versions, accepted and not checked"),
    key("browser.attachOnly", BOOL, RELOAD_BROWSER, "Whether browsers are used that run already and none is started").or("false"),
    key("browser.cdpUrl", TEXT, RELOAD_BROWSER, "Debugger of a browser that runs elsewhere, for the profile openclaw").host(),
    key("browser.color", TEXT, RELOAD_BROWSER, "Colour of the profile openclaw").or("\"#FF4500\""),
    key("browser.defaultProfile", TEXT, RELOAD_BROWSER, "Profile that is meant when none is named").or("\"openclaw\""),
    key("browser.enabled", BOOL, RESTART, "Whether browsers can be driven").or("true"),
    key("browser.evaluateEnabled", BOOL, RELOAD_BROWSER, "Whether code may be run in pages").or("true"),
    key("browser.executablePath", TEXT, RELOAD_BROWSER, "Browser that is started, else one is looked for").host(),
    key("browser.headless", BOOL, RELOAD_BROWSER, "Whether browsers have no window; where there is no screen they have none").or("false"),
    key("browser.noSandbox", BOOL, RELOAD_BROWSER, "Whether browsers run without their own walls, as root has to").or("false").host(),
    key("browser.profiles", &Map, RELOAD_BROWSER, "Browsers by name, each with its own directory"),
    key("browser.profiles.*", &Map, RELOAD_BROWSER, "One of them"),
    key("browser.profiles.*.cdpPort", PORT, RELOAD_BROWSER, "Port of its debugger, else one is kept for it").host(),
    key("browser.profiles.*.cdpUrl", TEXT, RELOAD_BROWSER, "Debugger of a browser that runs elsewhere").host(),
    key("browser.profiles.*.color", TEXT, RELOAD_BROWSER, "Its colour"),
    key("browser.profiles.*.driver", TEXT, RELOAD_BROWSER, "How it is driven; extension is not here"),
    key("browser.remoteCdpTimeoutMs", &Int { min: 100, max: 60_000 }, RELOAD_BROWSER, "How long a browser elsewhere may take to answer, milliseconds").or("1500"),
    key("browser.snapshotDefaults.mode", &Enum(&["efficient"]), RELOAD_BROWSER, "How snapshots are made when nothing is said"),
    key("browser.ssrfPolicy", &Map, RELOAD_BROWSER, "Where pages may go beside the public web"),
    key("browser.ssrfPolicy.allowedHostnames", TEXTS, RELOAD_BROWSER, "Hosts that pages may be opened from wherever they are").host(),
    key("browser.ssrfPolicy.dangerouslyAllowPrivateNetwork", BOOL, RELOAD_BROWSER, "Whether pages of private networks may be opened").or("false").host(),

    key("canvasHost", OBJECT, RESTART, "Canvas file server"),
    key("canvasHost.enabled", BOOL, RESTART, "Whether canvas files are served").or("true"),
    key("canvasHost.liveReload", BOOL, RESTART, "Whether pages reload when files change").or("true"),
    key("canvasHost.port", PORT, RESTART, "Port of the canvas server, else the gateway's plus 4"),
    key("canvasHost.root", TEXT, RESTART, "Directory of canvas files").host(),

    key("channels", OBJECT, RESTART, "Messaging channels"),
    key("channels.*", &Any, RELOAD_CHANNELS, "Channel by the program that its command names"),
    key("channels.bluebubbles", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.defaults.groupPolicy", GROUP_POLICY, RESTART, "Group rule of channels that set none"),
    key("channels.defaults.heartbeat.showAlerts", BOOL, RESTART_HEARTBEAT, "Whether heartbeat alerts are delivered").or("true"),
    key("channels.defaults.heartbeat.showOk", BOOL, RESTART_HEARTBEAT, "Whether quiet heartbeats are delivered").or("false"),
    key("channels.defaults.heartbeat.useIndicator", BOOL, RESTART_HEARTBEAT, "Whether heartbeats show an indicator").or("true"),
    key("channels.discord", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.feishu", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.googlechat", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.imessage", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.irc", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.line", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.matrix", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.mattermost", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.msteams", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.nextcloud-talk", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.nostr", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.signal", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.slack", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.tlon", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.twitch", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.whatsapp", OBJECT, RELOAD_CHANNELS, "WhatsApp"),
    key("channels.whatsapp.accounts", &Map, RELOAD_CHANNELS, "Further numbers, by account id"),
    key("channels.whatsapp.accounts.*", &Like("channels.whatsapp"), RELOAD_CHANNELS, "One number, with the keys of the channel"),
    key("channels.whatsapp.accounts.*.authDir", TEXT, RELOAD_CHANNELS, "Directory of the linked device").host(),
    key("channels.whatsapp.accounts.*.name", TEXT, RELOAD_CHANNELS, "Name in lists"),
    key("channels.whatsapp.ackReaction.direct", BOOL, RELOAD_CHANNELS, "Whether direct chats are acknowledged").or("true"),
    key("channels.whatsapp.ackReaction.emoji", TEXT, RELOAD_CHANNELS, "Emoji of the acknowledgement"),
    key("channels.whatsapp.ackReaction.group", &Enum(&["always", "mentions", "never"]), RELOAD_CHANNELS, "Which group messages are acknowledged").or("\"mentions\""),
    key("channels.whatsapp.actions.polls", BOOL, RELOAD_CHANNELS, "Whether the agent may send polls").or("true"),
    key("channels.whatsapp.actions.reactions", BOOL, RELOAD_CHANNELS, "Whether the agent may react").or("true"),
    key("channels.whatsapp.actions.sendMessage", BOOL, RELOAD_CHANNELS, "Whether the agent may send messages").or("true"),
    key("channels.whatsapp.allowFrom", TEXTS, RELOAD_CHANNELS, "Numbers allowed in direct chats, E.164"),
    key("channels.whatsapp.blockStreaming", BOOL, RELOAD_CHANNELS, "Whether replies are sent block by block"),
    key("channels.whatsapp.blockStreamingCoalesce", OBJECT, RELOAD_CHANNELS, "Joining of streamed blocks"),
    key("channels.whatsapp.blockStreamingCoalesce.idleMs", COUNT, RELOAD_CHANNELS, "Silence in ms after which a block is sent"),
    key("channels.whatsapp.blockStreamingCoalesce.maxChars", POSITIVE, RELOAD_CHANNELS, "Most characters of a joined block"),
    key("channels.whatsapp.blockStreamingCoalesce.minChars", POSITIVE, RELOAD_CHANNELS, "Fewest characters of a joined block"),
    key("channels.whatsapp.capabilities", TEXTS, RELOAD_CHANNELS, "Capabilities of the channel"),
    key("channels.whatsapp.chunkMode", CHUNK_MODE, RELOAD_CHANNELS, "How long messages are cut").or("\"length\""),
    key("channels.whatsapp.command", &AnyOf(&[TextList, Text { min: 1 }]), RELOAD_CHANNELS, "Program that speaks for the channel").host(),
    key("channels.whatsapp.configWrites", BOOL, RELOAD_CHANNELS, "Whether chat commands may change the configuration").or("true"),
    key("channels.whatsapp.debounceMs", COUNT, RELOAD_CHANNELS, "Wait for further messages in ms").or("0"),
    key("channels.whatsapp.dmHistoryLimit", COUNT, RELOAD_CHANNELS, "Messages of a direct chat given to the agent"),
    key("channels.whatsapp.dmPolicy", DM_POLICY, RELOAD_CHANNELS, "Who may write in direct chats").or("\"pairing\""),
    key("channels.whatsapp.dms", &Map, RELOAD_CHANNELS, "Direct chats, by number"),
    key("channels.whatsapp.dms.*.historyLimit", COUNT, RELOAD_CHANNELS, "Messages of this chat given to the agent"),
    key("channels.whatsapp.enabled", BOOL, RELOAD_CHANNELS, "Whether the channel runs once linked").or("true"),
    key("channels.whatsapp.groupAllowFrom", TEXTS, RELOAD_CHANNELS, "Numbers allowed in groups, E.164"),
    key("channels.whatsapp.groupPolicy", GROUP_POLICY, RELOAD_CHANNELS, "Who may write in groups").or("\"allowlist\""),
    key("channels.whatsapp.groups", &Map, RELOAD_CHANNELS, "Groups, by id, * for all others"),
    key("channels.whatsapp.groups.*.requireMention", BOOL, RELOAD_CHANNELS, "Whether the number must be mentioned"),
    key("channels.whatsapp.groups.*.tools", OBJECT, RELOAD_CHANNELS, "Tool rules of this group"),
    key("channels.whatsapp.groups.*.tools.allow", TEXTS, RELOAD_CHANNELS, "Tools allowed in this group"),
    key("channels.whatsapp.groups.*.tools.alsoAllow", TEXTS, RELOAD_CHANNELS, "Tools allowed in addition"),
    key("channels.whatsapp.groups.*.tools.deny", TEXTS, RELOAD_CHANNELS, "Tools refused in this group"),
    key("channels.whatsapp.groups.*.toolsBySender", &Map, RELOAD_CHANNELS, "Tool rules by sender"),
    key("channels.whatsapp.groups.*.toolsBySender.*", &Like("channels.whatsapp.groups.*.tools"), RELOAD_CHANNELS, "Tool rules of this sender"),
    key("channels.whatsapp.heartbeat", &Like("channels.defaults.heartbeat"), RELOAD_CHANNELS, "Heartbeat delivery of this channel"),
    key("channels.whatsapp.historyLimit", COUNT, RELOAD_CHANNELS, "Messages of a group given to the agent"),
    key("channels.whatsapp.markdown.tables", TABLES, RELOAD_CHANNELS, "How tables are written"),
    key("channels.whatsapp.mediaMaxMb", POSITIVE, RELOAD_CHANNELS, "Largest media file in MB").or("50"),
    key("channels.whatsapp.messagePrefix", TEXT, RELOAD_CHANNELS, "Text in front of every incoming message"),
    key("channels.whatsapp.responsePrefix", TEXT, RELOAD_CHANNELS, "Text in front of every reply"),
    key("channels.whatsapp.selfChatMode", BOOL, RELOAD_CHANNELS, "Whether the number is the user's own").or("false"),
    key("channels.whatsapp.sendReadReceipts", BOOL, RELOAD_CHANNELS, "Whether messages are marked as read").or("true"),
    key("channels.whatsapp.textChunkLimit", POSITIVE, RELOAD_CHANNELS, "Most characters of a message").or("4000"),
    key("channels.zalo", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),
    key("channels.zalouser", &Any, RELOAD_CHANNELS, "Channel by a program, accepted and not checked"),

    key("commands", OBJECT, NONE, "Commands in chats"),
    key("commands.bash", BOOL, UNREAD, "Whether ! runs a host command").or("false"),
    key("commands.bashForegroundMs", &Int { min: 0, max: 30000 }, UNREAD, "Wait for a host command in ms").or("2000"),
    key("commands.config", BOOL, UNREAD, "Whether /config works").or("false"),
    key("commands.debug", BOOL, UNREAD, "Whether /debug works").or("false"),
    key("commands.native", AUTO_BOOL, NONE, "Whether channels get command menus").or("\"auto\""),
    key("commands.nativeSkills", AUTO_BOOL, UNREAD, "Whether skills are in command menus").or("\"auto\""),
    key("commands.ownerAllowFrom", IDS, NONE, "Owners of the gateway"),
    key("commands.restart", BOOL, NONE, "Whether /restart and SIGUSR1 from outside restart the gateway").or("false"),
    key("commands.text", BOOL, UNREAD, "Whether /commands in chat text are read").or("true"),
    key("commands.useAccessGroups", BOOL, NONE, "Whether commands follow the channel's access lists").or("true"),

    key("cron", OBJECT, RELOAD_CRON, "Scheduled jobs"),
    key("cron.enabled", BOOL, RELOAD_CRON, "Whether jobs run").or("true"),
    key("cron.maxConcurrentRuns", POSITIVE, RELOAD_CRON, "Most jobs at once").or("1"),
    key("cron.store", TEXT, RESTART, "File of the jobs").host(),

    key("diagnostics", &Any, RESTART, "Diagnostics and tracing, accepted and not checked"),

    key("discovery", OBJECT, RESTART, "Announcement of the gateway"),
    key("discovery.mdns.mode", &Enum(&["off", "minimal", "full"]), RESTART, "What is announced on the local network").or("\"off\""),
    key("discovery.wideArea.domain", TEXT, RESTART, "Domain of wide-area discovery"),
    key("discovery.wideArea.enabled", BOOL, RESTART, "Whether wide-area discovery is on").or("false"),

    key("env", &Map, RESTART, "Variables set where the environment lacks them"),
    key("env.*", TEXT, RESTART, "Value of the variable").secret(),
    key("env.shellEnv.enabled", BOOL, RESTART, "Whether variables of the login shell are read").or("false"),
    key("env.shellEnv.timeoutMs", COUNT, RESTART, "Wait for the login shell in ms").or("15000"),
    key("env.vars", &Map, RESTART, "Variables set where the environment lacks them"),
    key("env.vars.*", TEXT, RESTART, "Value of the variable").secret(),

    key("gateway", OBJECT, RESTART, "The gateway itself"),
    key("gateway.auth.allowTailscale", BOOL, RESTART, "Whether Tailscale identities are accepted, by default with tailscale.mode serve").or("false"),
    key("gateway.auth.mode", &Enum(&["token", "password"]), RESTART, "Kind of the shared secret, else the one that is set, else token"),
    key("gateway.auth.password", TEXT, RELOAD_SECRET, "Shared password").secret(),
    key("gateway.auth.passwordFile", NAME, RELOAD_SECRET, "File that holds nothing but the password, before gateway.auth.password").host(),
    key("gateway.auth.rateLimit", &Type::Limits, RESTART, "Wrong credentials from one address before it must wait"),
    key("gateway.auth.token", TEXT, RELOAD_SECRET, "Shared token").secret(),
    key("gateway.auth.tokenFile", NAME, RELOAD_SECRET, "File that holds nothing but the token, before gateway.auth.token").host(),
    key("gateway.bind", &Enum(&["auto", "lan", "loopback", "custom", "tailnet"]), RESTART, "Addresses the gateway listens on").or("\"loopback\""),
    key("gateway.controlUi.allowInsecureAuth", BOOL, RESTART, "Whether a token alone opens the control page").or("false"),
    key("gateway.controlUi.allowedOrigins", TEXTS, RESTART, "Browser origins that may connect").or("[]"),
    key("gateway.controlUi.basePath", TEXT, RESTART, "URL prefix of the control page"),
    key("gateway.controlUi.dangerouslyDisableDeviceAuth", BOOL, RESTART, "Whether the control page needs no device identity").or("false"),
    key("gateway.controlUi.enabled", BOOL, RESTART, "Whether the control page is served").or("true"),
    key("gateway.controlUi.root", TEXT, RESTART, "Directory of the control page").host(),
    key("gateway.customBindHost", TEXT, RESTART, "Address for bind custom"),
    key("gateway.http.endpoints.chatCompletions.enabled", BOOL, NONE, "Whether /v1/chat/completions is served").or("false"),
    key("gateway.http.endpoints.chatCompletions.images.allowUrl", BOOL, NONE, "Whether pictures may be given by address").or("true"),
    key("gateway.http.endpoints.chatCompletions.images.allowedMimes", TEXTS, NONE, "Picture types accepted"),
    key("gateway.http.endpoints.chatCompletions.images.maxBytes", POSITIVE, NONE, "Largest picture in bytes").or("10485760"),
    key("gateway.http.endpoints.chatCompletions.images.maxRedirects", COUNT, NONE, "Most redirects followed for a picture").or("3"),
    key("gateway.http.endpoints.chatCompletions.images.timeoutMs", POSITIVE, NONE, "Wait for a picture in ms").or("10000"),
    key("gateway.http.endpoints.chatCompletions.maxBodyBytes", POSITIVE, NONE, "Largest request in bytes").or("20000000"),
    key("gateway.http.endpoints.responses.enabled", BOOL, NONE, "Whether /v1/responses is served").or("false"),
    key("gateway.http.endpoints.responses.files.allowUrl", BOOL, NONE, "Whether files may be given by address").or("true"),
    key("gateway.http.endpoints.responses.files.allowedMimes", TEXTS, NONE, "File types accepted"),
    key("gateway.http.endpoints.responses.files.maxBytes", POSITIVE, NONE, "Largest file in bytes").or("5242880"),
    key("gateway.http.endpoints.responses.files.maxChars", POSITIVE, NONE, "Most characters taken from a file").or("200000"),
    key("gateway.http.endpoints.responses.files.maxRedirects", COUNT, NONE, "Most redirects followed for a file").or("3"),
    key("gateway.http.endpoints.responses.files.pdf.maxPages", POSITIVE, UNREAD, "Most pages of a PDF").or("4"),
    key("gateway.http.endpoints.responses.files.pdf.maxPixels", POSITIVE, UNREAD, "Most pixels of a PDF page").or("4000000"),
    key("gateway.http.endpoints.responses.files.pdf.minTextChars", COUNT, UNREAD, "Text below which a PDF is read as pictures").or("200"),
    key("gateway.http.endpoints.responses.files.timeoutMs", POSITIVE, NONE, "Wait for a file in ms").or("10000"),
    key("gateway.http.endpoints.responses.images.allowUrl", BOOL, NONE, "Whether pictures may be given by address").or("true"),
    key("gateway.http.endpoints.responses.images.allowedMimes", TEXTS, NONE, "Picture types accepted"),
    key("gateway.http.endpoints.responses.images.maxBytes", POSITIVE, NONE, "Largest picture in bytes").or("10485760"),
    key("gateway.http.endpoints.responses.images.maxRedirects", COUNT, NONE, "Most redirects followed for a picture").or("3"),
    key("gateway.http.endpoints.responses.images.timeoutMs", POSITIVE, NONE, "Wait for a picture in ms").or("10000"),
    key("gateway.http.endpoints.responses.maxBodyBytes", POSITIVE, NONE, "Largest request in bytes").or("20000000"),
    key("gateway.http.securityHeaders.strictTransportSecurity", &AnyOf(&[Text { min: 1 }, Bool]), NONE, "Header by which browsers remember to use https only; false for none"),
    key("gateway.limits", &Type::Limits, RESTART, "Limits of sizes, times and counts, by name"),
    key("gateway.mode", &Enum(&["local", "remote"]), RESTART, "Whether the gateway runs here or elsewhere"),
    key("gateway.nodes.allowCommands", TEXTS, RESTART, "Node commands allowed in addition").or("[]"),
    key("gateway.nodes.browser.mode", &Enum(&["auto", "manual", "off"]), RESTART, "How a node's browser is chosen").or("\"auto\""),
    key("gateway.nodes.browser.node", TEXT, RESTART, "Node whose browser is used"),
    key("gateway.nodes.denyCommands", TEXTS, RESTART, "Node commands refused").or("[]"),
    key("gateway.nodes.pairing.autoApproveCidrs", TEXTS, RESTART, "Addresses from which new nodes that show the secret are paired unasked").or("[]"),
    key("gateway.nodes.pairing.autoApproveLocal", BOOL, RESTART, "Whether nodes on this host that show the secret are paired unasked").or("true"),
    key("gateway.port", PORT, RESTART, "Port of WebSocket and HTTP").or("18789"),
    key("gateway.reload", OBJECT, NONE, "Reaction to changes of this file"),
    key("gateway.reload.debounceMs", COUNT, NONE, "Quiet time in ms before a change is read").or("300"),
    key("gateway.reload.mode", &Enum(&["off", "restart", "hot", "hybrid"]), NONE, "What a change of this file does").or("\"hybrid\""),
    key("gateway.remote", OBJECT, NONE, "Gateway elsewhere, for the command line"),
    key("gateway.remote.password", TEXT, NONE, "Password of the remote gateway").secret(),
    key("gateway.remote.sshIdentity", TEXT, NONE, "Key file for SSH").host(),
    key("gateway.remote.sshTarget", TEXT, NONE, "Host reached by SSH").host(),
    key("gateway.remote.tlsFingerprint", &Fingerprint, NONE, "Fingerprint of the remote certificate"),
    key("gateway.remote.token", TEXT, NONE, "Token of the remote gateway").secret(),
    key("gateway.remote.transport", &Enum(&["ssh", "direct"]), NONE, "Way to the remote gateway").or("\"ssh\""),
    key("gateway.remote.url", TEXT, NONE, "Address of the remote gateway").host(),
    key("gateway.tailscale.mode", &Enum(&["off", "serve", "funnel"]), RESTART, "Publication by Tailscale").or("\"off\""),
    key("gateway.tailscale.resetOnExit", BOOL, RESTART, "Whether publication ends with the gateway").or("false"),
    key("gateway.tls.autoGenerate", BOOL, RESTART, "Whether a missing certificate is made").or("true"),
    key("gateway.tls.caPath", TEXT, RESTART, "File of further authorities").host(),
    key("gateway.tls.certPath", TEXT, RESTART, "File of the certificate").host(),
    key("gateway.tls.enabled", BOOL, RESTART, "Whether the port speaks TLS").or("false"),
    key("gateway.tls.keyPath", TEXT, RESTART, "File of the private key").host(),
    key("gateway.tools.allow", TEXTS, NONE, "Tools that /tools/invoke calls although it usually does not"),
    key("gateway.tools.deny", TEXTS, NONE, "Tools that /tools/invoke does not call"),
    key("gateway.trustedProxies", TEXTS, RESTART, "Addresses or ranges of the proxies whose forwarded addresses are believed").or("[]"),

    key("hooks", OBJECT, RELOAD_HOOKS, "Webhooks"),
    key("hooks.allowRequestSessionKey", BOOL, RELOAD_HOOKS, "Whether a request may name its session").or("false"),
    key("hooks.allowedAgentIds", TEXTS, RELOAD_HOOKS, "Agents that a request may name; none given: each"),
    key("hooks.allowedSessionKeyPrefixes", TEXTS, RELOAD_HOOKS, "How sessions must begin that requests and templates name").or("[\"hook:\"]"),
    key("hooks.defaultSessionKey", TEXT, RELOAD_HOOKS, "Session of requests that name none; not given: one for each"),
    key("hooks.enabled", BOOL, RELOAD_HOOKS, "Whether webhooks are served").or("false"),
    key("hooks.gmail", &Any, RELOAD_GMAIL, "Gmail watcher, accepted and not checked"),
    key("hooks.internal", &Any, RELOAD_HOOKS, "Hook programs, accepted and not checked"),
    key("hooks.mappings", &List, RELOAD_HOOKS, "What a webhook does"),
    key("hooks.mappings.*.action", &Enum(&["wake", "agent"]), RELOAD_HOOKS, "What the hook starts"),
    key("hooks.mappings.*.agentId", TEXT, RELOAD_HOOKS, "Agent that is run"),
    key("hooks.mappings.*.allowUnsafeExternalContent", BOOL, RELOAD_HOOKS, "Whether the content is passed on unmarked").or("false"),
    key("hooks.mappings.*.channel", TEXT, RELOAD_HOOKS, "Channel of the answer"),
    key("hooks.mappings.*.deliver", BOOL, RELOAD_HOOKS, "Whether the answer is delivered"),
    key("hooks.mappings.*.id", TEXT, RELOAD_HOOKS, "Name of the mapping"),
    key("hooks.mappings.*.match", &Any, RELOAD_HOOKS, "Which requests it takes, by path and source"),
    key("hooks.mappings.*.messageTemplate", TEXT, RELOAD_HOOKS, "Message made from the request"),
    key("hooks.mappings.*.model", TEXT, RELOAD_HOOKS, "Model of the run"),
    key("hooks.mappings.*.name", TEXT, RELOAD_HOOKS, "Name shown for the hook"),
    key("hooks.mappings.*.sessionKey", TEXT, RELOAD_HOOKS, "Session of the run"),
    key("hooks.mappings.*.textTemplate", TEXT, RELOAD_HOOKS, "Wake text made from the request"),
    key("hooks.mappings.*.thinking", TEXT, RELOAD_HOOKS, "Thinking level of the run"),
    key("hooks.mappings.*.timeoutSeconds", POSITIVE, RELOAD_HOOKS, "Longest run in seconds"),
    key("hooks.mappings.*.to", TEXT, RELOAD_HOOKS, "Recipient of the answer"),
    key("hooks.mappings.*.transform.export", TEXT, RELOAD_HOOKS, "Function of the module"),
    key("hooks.mappings.*.transform.module", TEXT, RELOAD_HOOKS, "Module that changes the request").host(),
    key("hooks.mappings.*.wakeMode", &Enum(&["now", "next-heartbeat"]), RELOAD_HOOKS, "When the agent wakes").or("\"now\""),
    key("hooks.maxBodyBytes", POSITIVE, RELOAD_HOOKS, "Largest webhook request in bytes").or("262144"),
    key("hooks.path", TEXT, RELOAD_HOOKS, "URL prefix of webhooks").or("\"/hooks\""),
    key("hooks.presets", TEXTS, RELOAD_HOOKS, "Built-in mappings that are on"),
    key("hooks.token", TEXT, RELOAD_HOOKS, "Token webhooks must carry").secret(),
    key("hooks.transformsDir", TEXT, RELOAD_HOOKS, "Directory of transform modules").host(),

    key("logging", OBJECT, RELOAD_LOGGING, "Logs"),
    key("logging.consoleLevel", LEVEL, RELOAD_LOGGING, "Least severe line on the console").or("\"info\""),
    key("logging.consoleStyle", &Enum(&["pretty", "compact", "json"]), RELOAD_LOGGING, "Look of console lines"),
    key("logging.file", TEXT, RELOAD_LOGGING, "Log file").host(),
    key("logging.level", LEVEL, RELOAD_LOGGING, "Least severe line in the file").or("\"info\""),
    key("logging.maxFileBytes", &Int { min: 65536, max: i64::MAX }, RELOAD_LOGGING, "Size in bytes at which the log file is rotated").or("5242880"),
    key("logging.redactPatterns", TEXTS, RELOAD_LOGGING, "Patterns of text hidden in logs"),
    key("logging.redactSensitive", &Enum(&["off", "tools"]), RELOAD_LOGGING, "Whether secrets are hidden in tool output").or("\"tools\""),

    key("media", &Any, RESTART, "Media files, accepted and not checked"),

    key("memory", &Any, RESTART, "Memory, accepted and not checked"),

    key("messages", OBJECT, NONE, "Messages in and out"),
    key("messages.ackReaction", TEXT, NONE, "Emoji that acknowledges a message"),
    key("messages.ackReactionScope", &Enum(&["group-mentions", "group-all", "direct", "all"]), NONE, "Which messages are acknowledged").or("\"group-mentions\""),
    key("messages.groupChat.historyLimit", POSITIVE, NONE, "Messages of a group given to the agent").or("50"),
    key("messages.groupChat.mentionPatterns", TEXTS, NONE, "Patterns that count as a mention"),
    key("messages.inbound.byChannel", &Map, NONE, "Wait for further messages by channel"),
    key("messages.inbound.byChannel.*", COUNT, NONE, "Wait in ms"),
    key("messages.inbound.debounceMs", COUNT, NONE, "Wait for further messages in ms"),
    key("messages.messagePrefix", TEXT, UNREAD, "Text in front of every incoming message"),
    key("messages.queue.byChannel", &Map, NONE, "Queue mode by channel"),
    key("messages.queue.byChannel.*", QUEUE, NONE, "What a message does while a run goes on"),
    key("messages.queue.cap", POSITIVE, NONE, "Most waiting messages of a session").or("20"),
    key("messages.queue.debounceMs", COUNT, NONE, "Quiet time in ms before waiting messages are taken").or("1000"),
    key("messages.queue.debounceMsByChannel", &Map, NONE, "Quiet time by channel"),
    key("messages.queue.debounceMsByChannel.*", COUNT, NONE, "Quiet time in ms"),
    key("messages.queue.drop", &Enum(&["old", "new", "summarize"]), NONE, "What is dropped when too many wait").or("\"summarize\""),
    key("messages.queue.mode", QUEUE, NONE, "What a message does while a run goes on").or("\"collect\""),
    key("messages.removeAckAfterReply", BOOL, NONE, "Whether the acknowledgement goes with the reply").or("false"),
    key("messages.responsePrefix", TEXT, NONE, "Text in front of every reply"),
    key("messages.tts", &Any, UNREAD, "Spoken replies, accepted and not checked"),

    key("meta", &Any, UNREAD, "Marks of programs that wrote this file, not read"),

    key("models", OBJECT, NONE, "Model servers"),
    key("models.bedrockDiscovery", &Any, UNREAD, "Bedrock discovery, accepted and not checked"),
    key("models.mode", &Enum(&["merge", "replace"]), UNREAD, "Whether these add to the built-in models").or("\"merge\""),
    key("models.providers", &Map, NONE, "Model servers, by name"),
    key("models.providers.*.api", API, NONE, "Protocol of the server"),
    key("models.providers.*.apiKey", TEXT, NONE, "Key sent to the server").secret(),
    key("models.providers.*.apiKeyFile", NAME, NONE, "File that holds the key, readable by its owner only").host(),
    key("models.providers.*.auth", &Enum(&["api-key", "aws-sdk", "oauth", "token"]), NONE, "Kind of credential").or("\"api-key\""),
    key("models.providers.*.authHeader", BOOL, NONE, "Whether the key is sent as a bearer token"),
    key("models.providers.*.baseUrl", NAME, NONE, "Address of the server"),
    key("models.providers.*.headers", &Map, NONE, "Further request headers"),
    key("models.providers.*.headers.*", TEXT, NONE, "Value of the header").secret(),
    key("models.providers.*.models", &List, NONE, "Models of the server"),
    key("models.providers.*.models.*.api", API, NONE, "Protocol for this model"),
    key("models.providers.*.models.*.compat.maxTokensField", TEXT, NONE, "Name of the field for the answer's length"),
    key("models.providers.*.models.*.compat.requiresAssistantAfterToolResult", BOOL, NONE, "Whether an answer must stand between a tool's result and the user's words"),
    key("models.providers.*.models.*.compat.requiresMistralToolIds", BOOL, NONE, "Whether ids of tool calls must be nine letters and digits"),
    key("models.providers.*.models.*.compat.requiresReasoningContentOnAssistantMessages", BOOL, NONE, "Whether tool calls must carry their reasoning in later turns"),
    key("models.providers.*.models.*.compat.requiresThinkingAsText", BOOL, NONE, "Whether reasoning is given back as text"),
    key("models.providers.*.models.*.compat.requiresToolResultName", BOOL, NONE, "Whether a tool's result must name the tool"),
    key("models.providers.*.models.*.compat.supportsDeveloperRole", BOOL, NONE, "Whether the server knows the developer role"),
    key("models.providers.*.models.*.compat.supportsReasoningEffort", BOOL, NONE, "Whether the server knows reasoning effort"),
    key("models.providers.*.models.*.compat.supportsStore", BOOL, NONE, "Whether the server knows the store flag"),
    key("models.providers.*.models.*.compat.supportsStrictMode", BOOL, UNREAD, "Whether the server knows strict tool schemas, not read"),
    key("models.providers.*.models.*.compat.supportsTools", BOOL, NONE, "Whether the model may be offered tools").or("true"),
    key("models.providers.*.models.*.compat.supportsUsageInStreaming", BOOL, NONE, "Whether the server counts tokens in a stream").or("true"),
    key("models.providers.*.models.*.compat.thinkingFormat", TEXT, NONE, "How the server is told to reason"),
    key("models.providers.*.models.*.contextWindow", ABOVE_ZERO, NONE, "Context window in tokens").or("200000"),
    key("models.providers.*.models.*.cost.cacheRead", NUMBER, NONE, "Price of a million cached tokens read").or("0"),
    key("models.providers.*.models.*.cost.cacheWrite", NUMBER, NONE, "Price of a million tokens cached").or("0"),
    key("models.providers.*.models.*.cost.input", NUMBER, NONE, "Price of a million input tokens").or("0"),
    key("models.providers.*.models.*.cost.output", NUMBER, NONE, "Price of a million output tokens").or("0"),
    key("models.providers.*.models.*.headers", &Map, NONE, "Further request headers for this model"),
    key("models.providers.*.models.*.headers.*", TEXT, NONE, "Value of the header").secret(),
    key("models.providers.*.models.*.id", NAME, NONE, "Name the server knows"),
    key("models.providers.*.models.*.input", TEXTS, NONE, "What the model takes in").or("[\"text\"]"),
    key("models.providers.*.models.*.maxTokens", ABOVE_ZERO, NONE, "Longest answer in tokens").or("8192"),
    key("models.providers.*.models.*.name", TEXT, NONE, "Name in lists"),
    key("models.providers.*.models.*.reasoning", BOOL, NONE, "Whether the model reasons before it answers").or("false"),
    key("models.providers.*.retries", COUNT, NONE, "Tries after the first failed one").or("2"),
    key("models.providers.*.timeouts.connectMs", POSITIVE, NONE, "Wait for a connection in ms").or("10000"),
    key("models.providers.*.timeouts.firstTokenMs", POSITIVE, NONE, "Wait for the first piece of an answer in ms, else 60000, 600000 nearby"),
    key("models.providers.*.timeouts.idleMs", POSITIVE, NONE, "Wait between two pieces of an answer in ms, else 60000, 120000 nearby"),

    key("nodeHost", &Any, RESTART, "Node host, accepted and not checked"),

    key("plugins", OBJECT, RESTART, "Plugins"),
    key("plugins.allow", TEXTS, RESTART, "Plugins allowed"),
    key("plugins.deny", TEXTS, RESTART, "Plugins refused"),
    key("plugins.enabled", BOOL, RESTART, "Whether plugins are loaded"),
    key("plugins.entries", &Map, RESTART, "Settings by plugin"),
    key("plugins.entries.*.config", &Any, RESTART, "The plugin's own settings, not checked"),
    key("plugins.entries.*.enabled", BOOL, RESTART, "Whether the plugin is on"),
    key("plugins.installs", &Any, RESTART, "Records of installed plugins, not read"),
    key("plugins.load", &Any, RESTART, "Where plugins are looked for, accepted and not checked"),
    key("plugins.slots", &Any, RESTART, "Plugins that fill a role, accepted and not checked"),

    key("session", OBJECT, NONE, "Sessions"),
    key("session.agentToAgent.maxPingPongTurns", &Int { min: 0, max: 5 }, UNREAD, "Most turns of two agents with each other").or("5"),
    key("session.dmScope", &Enum(&["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]), NONE, "Which direct chats share a session").or("\"main\""),
    key("session.identityLinks", &Map, NONE, "Peers that are one person"),
    key("session.identityLinks.*", TEXTS, NONE, "Peers of this person"),
    key("session.idleMinutes", POSITIVE, NONE, "Minutes of silence after which a session starts anew"),
    key("session.mainKey", TEXT, UNREAD, "Always main").or("\"main\""),
    key("session.maintenance.maxEntries", POSITIVE, NONE, "Most sessions of an agent, the least active go first").or("500"),
    key("session.maintenance.mode", &Enum(&["warn", "enforce"]), NONE, "Whether old sessions are only reported or taken out").or("\"warn\""),
    key("session.maintenance.pruneAfter", &Duration, NONE, "Time without activity after which a session is old").or("\"30d\""),
    key("session.reset.atHour", &Int { min: 0, max: 23 }, NONE, "Hour of the daily new start").or("4"),
    key("session.reset.idleMinutes", POSITIVE, NONE, "Minutes of silence before a new start"),
    key("session.reset.mode", &Enum(&["daily", "idle"]), NONE, "When a session starts anew").or("\"daily\""),
    key("session.resetByChannel", &Map, NONE, "New start by channel"),
    key("session.resetByChannel.*", &Like("session.reset"), NONE, "New start in this channel"),
    key("session.resetByType.direct", &Like("session.reset"), NONE, "New start of direct chats"),
    key("session.resetByType.dm", &Like("session.reset"), NONE, "New start of direct chats"),
    key("session.resetByType.group", &Like("session.reset"), NONE, "New start of groups"),
    key("session.resetByType.thread", &Like("session.reset"), NONE, "New start of threads"),
    key("session.resetTriggers", TEXTS, NONE, "Messages that start a session anew").or("[\"/new\",\"/reset\"]"),
    key("session.scope", &Enum(&["per-sender", "global"]), NONE, "Who shares a session").or("\"per-sender\""),
    key("session.sendPolicy.default", ALLOW_DENY, NONE, "Whether replies are sent when no rule fits").or("\"allow\""),
    key("session.sendPolicy.rules", &List, NONE, "Rules, the first that fits decides"),
    key("session.sendPolicy.rules.*.action", ALLOW_DENY, NONE, "What the rule decides"),
    key("session.sendPolicy.rules.*.match.channel", TEXT, NONE, "Channel of the session"),
    key("session.sendPolicy.rules.*.match.chatType", &Enum(&["direct", "group", "channel", "dm"]), NONE, "Kind of conversation"),
    key("session.sendPolicy.rules.*.match.keyPrefix", TEXT, NONE, "Start of the session key"),
    key("session.store", TEXT, RESTART, "File of the session index, with {agentId} in it").host(),
    key("session.typingIntervalSeconds", POSITIVE, UNREAD, "Seconds between typing signs").or("6"),
    key("session.typingMode", TYPING, UNREAD, "When typing is shown"),

    key("skills", OBJECT, NONE, "Skills"),
    key("skills.allowBundled", TEXTS, UNREAD, "Bundled skills that may be used"),
    key("skills.entries", &Map, NONE, "Settings by skill"),
    key("skills.entries.*.apiKey", TEXT, NONE, "Key the skill needs").secret(),
    key("skills.entries.*.config", &Any, NONE, "The skill's own settings, not checked"),
    key("skills.entries.*.enabled", BOOL, NONE, "Whether the skill is on"),
    key("skills.entries.*.env", &Map, NONE, "Variables of the skill"),
    key("skills.entries.*.env.*", TEXT, NONE, "Value of the variable").secret(),
    key("skills.install", &Any, UNREAD, "How skills are installed, accepted without effect"),
    key("skills.load", &Any, NONE, "Where skills are looked for: extraDirs, a list of folders that hold skills"),

    key("talk", &Any, UNREAD, "Voice talk, accepted and not checked"),

    key("tools", OBJECT, NONE, "Tools of the agents"),
    key("tools.agentToAgent.allow", TEXTS, NONE, "Agents that may be written to"),
    key("tools.agentToAgent.enabled", BOOL, NONE, "Whether agents may write to each other").or("false"),
    key("tools.allow", TEXTS, NONE, "Tools allowed, * for all"),
    key("tools.alsoAllow", TEXTS, NONE, "Tools allowed on top of the profile"),
    key("tools.byProvider", &Map, NONE, "Tool rules by provider or model"),
    key("tools.byProvider.*.allow", TEXTS, NONE, "Tools allowed"),
    key("tools.byProvider.*.alsoAllow", TEXTS, NONE, "Tools allowed in addition"),
    key("tools.byProvider.*.deny", TEXTS, NONE, "Tools refused"),
    key("tools.byProvider.*.profile", TOOL_PROFILE, NONE, "Base set of tools"),
    key("tools.deny", TEXTS, NONE, "Tools refused, stronger than allowed"),
    key("tools.elevated.allowFrom", &Map, NONE, "Senders that may use elevated mode, by channel"),
    key("tools.elevated.allowFrom.*", IDS, NONE, "Senders of this channel"),
    key("tools.elevated.enabled", BOOL, NONE, "Whether elevated mode exists").or("true"),
    key("tools.exec.applyPatch.allowModels", TEXTS, NONE, "Models that get the patch tool"),
    key("tools.exec.applyPatch.enabled", BOOL, NONE, "Whether the patch tool exists"),
    key("tools.exec.approvalRunningNoticeMs", COUNT, UNREAD, "Wait in ms before a running notice"),
    key("tools.exec.ask", &Enum(&["off", "on-miss", "always"]), NONE, "When a command needs approval"),
    key("tools.exec.backgroundMs", COUNT, NONE, "Wait in ms before a command goes on in the background").or("10000"),
    key("tools.exec.cleanupMs", COUNT, NONE, "Time in ms finished commands are remembered").or("1800000"),
    key("tools.exec.host", &Enum(&["sandbox", "gateway", "node"]), NONE, "Where commands run"),
    key("tools.exec.node", TEXT, NONE, "Node that runs commands"),
    key("tools.exec.notifyOnExit", BOOL, NONE, "Whether the end of a background command wakes the agent").or("true"),
    key("tools.exec.pathPrepend", TEXTS, NONE, "Directories put in front of PATH").host(),
    key("tools.exec.safeBins", TEXTS, NONE, "Programs that need no approval").host(),
    key("tools.exec.sandbox.mode", &Enum(&["on", "off"]), NONE, "Whether commands are shut in by the kernel").or("\"on\""),
    key("tools.exec.sandbox.network", BOOL, NONE, "Whether commands that are shut in reach the network").or("false"),
    key("tools.exec.sandbox.read", TEXTS, NONE, "Directories that commands read beside the system's").host(),
    key("tools.exec.sandbox.write", TEXTS, NONE, "Directories that commands write beside the workspace").host(),
    key("tools.exec.security", &Enum(&["deny", "allowlist", "full"]), NONE, "Which commands may run"),
    key("tools.exec.timeoutSec", POSITIVE, NONE, "Longest command in seconds").or("1800"),
    key("tools.fs", &Any, UNREAD, "File tools, accepted and not checked"),
    key("tools.links", &Any, UNREAD, "Link reading, accepted and not checked"),
    key("tools.media", &Any, UNREAD, "Media reading, accepted and not checked"),
    key("tools.message", &Any, UNREAD, "Message tool, accepted and not checked"),
    key("tools.profile", TOOL_PROFILE, NONE, "Base set of tools, all when unset"),
    key("tools.sandbox.tools", &Like("channels.whatsapp.groups.*.tools"), UNREAD, "Tool rules in a sandbox"),
    key("tools.sessions", &Any, UNREAD, "Session tools, accepted and not checked"),
    key("tools.subagents.model", MODEL, NONE, "Model of subagents"),
    key("tools.subagents.model.fallbacks", TEXTS, NONE, "Models tried when the subagent model fails"),
    key("tools.subagents.model.primary", NAME, NONE, "Subagent model, as provider/model"),
    key("tools.subagents.tools", &Like("channels.whatsapp.groups.*.tools"), NONE, "Tool rules of subagents"),
    key("tools.surfaces.agents", TEXTS, NONE, "Tools for turns that other agents ask for, beside those that anybody has"),
    key("tools.surfaces.cron", TEXTS, NONE, "The same for scheduled turns"),
    key("tools.surfaces.guests", TEXTS, NONE, "The same for people on channels who are not the owner"),
    key("tools.surfaces.hooks", TEXTS, NONE, "The same for turns of webhooks"),
    key("tools.surfaces.nodes", TEXTS, NONE, "The same for turns that nodes ask for"),
    key("tools.web.fetch.allowHosts", TEXTS, NONE, "Hosts outside the public internet that pages may be fetched from").host(),
    key("tools.web.fetch.cacheTtlMinutes", NUMBER, UNREAD, "Minutes a page is remembered").or("15"),
    key("tools.web.fetch.enabled", BOOL, NONE, "Whether pages can be fetched").or("true"),
    key("tools.web.fetch.maxChars", POSITIVE, NONE, "Characters taken from a page").or("50000"),
    key("tools.web.fetch.maxCharsCap", POSITIVE, NONE, "Most characters a call may ask for").or("50000"),
    key("tools.web.fetch.maxRedirects", COUNT, NONE, "Most redirects followed").or("3"),
    key("tools.web.fetch.timeoutSeconds", POSITIVE, NONE, "Wait for a page in seconds").or("30"),
    key("tools.web.fetch.userAgent", TEXT, NONE, "Name sent to web servers"),
    key("tools.web.search.apiKey", TEXT, NONE, "Key of the search service").secret(),
    key("tools.web.search.brave.baseUrl", TEXT, NONE, "Address to ask instead of Brave's own").host(),
    key("tools.web.search.cacheTtlMinutes", NUMBER, UNREAD, "Minutes a result is remembered").or("15"),
    key("tools.web.search.enabled", BOOL, NONE, "Whether the web can be searched"),
    key("tools.web.search.grok", &Any, UNREAD, "Grok search, accepted and not checked"),
    key("tools.web.search.maxResults", POSITIVE, NONE, "Most results").or("5"),
    key("tools.web.search.perplexity.apiKey", TEXT, NONE, "Key of Perplexity or OpenRouter").secret(),
    key("tools.web.search.perplexity.baseUrl", TEXT, NONE, "Address to ask instead of Perplexity's own").host(),
    key("tools.web.search.perplexity.model", TEXT, NONE, "Model that searches").or("\"perplexity/sonar-pro\""),
    key("tools.web.search.provider", &Enum(&["brave", "searxng", "perplexity", "grok"]), NONE, "Search service"),
    key("tools.web.search.searxng.baseUrl", TEXT, NONE, "Address of your own SearXNG server").host(),
    key("tools.web.search.timeoutSeconds", POSITIVE, NONE, "Wait for a result in seconds").or("30"),

    key("ui", OBJECT, NONE, "Look of the control page"),
    key("ui.assistant.avatar", TEXT, NONE, "Picture of the assistant"),
    key("ui.assistant.name", TEXT, NONE, "Name of the assistant"),
    key("ui.seamColor", TEXT, UNREAD, "Accent colour"),

    key("update", OBJECT, RESTART, "Updates"),
    key("update.channel", &Enum(&["stable", "beta", "dev"]), RESTART, "Versions that are offered").or("\"stable\""),
    key("update.checkOnStart", BOOL, RESTART, "Whether the original looks for updates at start").or("true"),

    key("web", OBJECT, RELOAD_WEB, "WhatsApp connection"),
    key("web.enabled", BOOL, RELOAD_WEB, "Whether WhatsApp runs").or("true"),
    key("web.heartbeatSeconds", POSITIVE, RELOAD_WEB, "Seconds between signs of life").or("60"),
    key("web.reconnect.factor", NUMBER, RELOAD_WEB, "Growth of the pause").or("1.4"),
    key("web.reconnect.initialMs", COUNT, RELOAD_WEB, "First pause in ms").or("2000"),
    key("web.reconnect.jitter", &Number { min: 0.0, max: 1.0 }, RELOAD_WEB, "Random share of a pause").or("0.2"),
    key("web.reconnect.maxAttempts", COUNT, RELOAD_WEB, "Most tries, 0 for no end").or("0"),
    key("web.reconnect.maxMs", COUNT, RELOAD_WEB, "Longest pause in ms").or("120000"),

    key("wizard", &Any, UNREAD, "Marks of the setup wizard, not read"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_ordered_and_unique() {
        for pair in KEYS.windows(2) {
            let before = pair[0].path.split('.').lt(pair[1].path.split('.'));
            assert!(before, "{} must come after {}", pair[0].path, pair[1].path);
        }
    }

    #[test]
    fn doc_lines_are_plain() {
        for key in KEYS {
            let doc = key.doc;
            assert!(key.path.is_ascii() && doc.is_ascii(), "{}: ASCII only", key.path);
            let starts_well = doc.starts_with(|c: char| c.is_ascii_uppercase());
            assert!(starts_well && !doc.ends_with('.') && doc.len() <= 80, "{}: {doc}", key.path);
        }
    }
}
