//! The sections of channels by programs: what the gateway itself reads there, and where in one a key stands. Pure.
use crate::config::lookup::Node;

/// What the gateway itself reads of an account whose channel is a program. All else is the program's, and may be a secret
/// under whatever name.
pub const OF_PROGRAMS: &[&str] = &[
    "accounts",
    "actions",
    "allowFrom",
    "blockStreaming",
    "blockStreamingCoalesce",
    "command",
    "dmHistoryLimit",
    "dmPolicy",
    "dms",
    "enabled",
    "groupAllowFrom",
    "groupPolicy",
    "groups",
    "historyLimit",
];
/// Of what programs are told, the gateway reads these too.
pub const SHARED_WITH_PROGRAMS: &[&str] = &["capabilities", "name", "textChunkLimit"];

/// Where in the section of a channel by a program a place is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Program {
    /// Not where its keys stand.
    No,
    /// The section, or an account of it.
    Account,
    Accounts,
}

impl Program {
    pub fn member(self, name: &str, node: Option<Node>) -> Program {
        match self {
            Program::Account if name == "accounts" => Program::Accounts,
            Program::Accounts => Program::Account,
            _ if node.is_some_and(|node| node.is_program()) => Program::Account,
            _ => Program::No,
        }
    }

    /// Whether the member `name` is for the program alone.
    pub fn is_told(self, name: &str) -> bool {
        self == Program::Account && !OF_PROGRAMS.contains(&name) && !SHARED_WITH_PROGRAMS.contains(&name)
    }
}
