//! The words that begin commands, by task, and what those say that only group commands: the first page of help. Data only.

/// Words that begin commands, by task. Together they are all there are.
pub const TASKS: &[(&str, &[&str])] = &[
    ("Start here", &["onboard", "chat", "agent", "status", "usage", "doctor"]),
    ("The gateway", &["gateway", "health", "logs", "clients", "who", "dashboard", "profiles", "daemon"]),
    ("Nodes", &["nodes", "node"]),
    ("Channels", &["channels", "message", "pairing"]),
    ("Agents", &["models", "agents", "sessions", "skills", "cron", "browser", "system"]),
    (
        "Settings",
        &[
            "setup",
            "configure",
            "config",
            "approvals",
            "devices",
            "security",
            "backup",
            "migrate",
            "uninstall",
        ],
    ),
    #[cfg(not(conformance))]
    ("For scripts", &["completion", "protocol"]),
    #[cfg(conformance)]
    ("For scripts", &["completion", "conformance", "protocol"]),
];

/// Words that say what others say, for who is used to them: `openclaw help all` has them.
pub const ALIASES: &[&str] = &["daemon", "who"];

/// Words that only group commands, for the list in the root help.
pub const GROUPS: &[(&str, &str)] = &[
    ("approvals", "Say which commands agents may run"),
    ("approvals allowlist", "List programs that are not asked for"),
    ("backup", "Keep configuration, state and workspaces"),
    ("browser", "Drive a browser: open pages, read and use them"),
    ("config", "Read, check and edit the configuration"),
    ("cron", "Let jobs run at their times"),
    ("daemon", "The same as gateway install, uninstall, start, stop, restart"),
    ("devices", "Manage paired devices and their tokens"),
    ("gateway diagnostics", "Gather what a bug report needs"),
    ("message", "Send, edit and take back messages on a channel"),
    ("node", "Be a node: let a gateway elsewhere run commands here"),
    ("nodes", "Let nodes in, and tell them what to do"),
    ("nodes camera", "Take pictures and films with a node's camera"),
    ("nodes canvas", "Say what a node's screen shows"),
    ("nodes canvas a2ui", "Show surfaces in a node's canvas"),
    ("nodes location", "Ask where a node is"),
    ("nodes screen", "Take films of a node's screen"),
    ("pairing", "Let in strangers who write to a bot"),
    ("protocol", "Show the wire protocol's schemas"),
    ("security", "Look for what others could get at"),
    ("system", "Wake the agent, switch heartbeats, show who is here"),
    ("system heartbeat", "Show the last heartbeat, or switch them"),
];
