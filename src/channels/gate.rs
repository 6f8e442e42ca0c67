//! Who may talk: one gate for messages, edits, commands, buttons, reactions and inline queries (SEC-33).
//!
//! Pure: from what the configuration and the pairing store say to a verdict. Whoever is not let in is told to the owner
//! with the key that would change it. Whether the bot was meant at all is `mention`.
use super::accounts::Account;
use super::ids::{self, Senders, Who, bare};
use super::levels::{Levels, find};
use crate::calls::Provenance;
use serde_json::Value;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Message,
    Edit,
    Command,
    /// A button of a message was pressed.
    Callback,
    Reaction,
    #[cfg_attr(not(test), expect(dead_code, reason = "no channel of this version has them"))]
    Inline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chat<'a> {
    /// Also where there is no chat, as for an inline query.
    Direct,
    Group {
        id: &'a str,
        topic: Option<u64>,
    },
}

/// Somebody who wants something; without an id for those who hide theirs.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub chat: Chat<'a>,
    pub sender: Option<Who<'a>>,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Admit(Provenance),
    /// A stranger, who may get a code.
    Pair,
    Drop(Dropped),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub reason: Reason,
    /// The key of the configuration that would change it.
    pub key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A mistake in the section: what it would say is not known.
    Mistake,
    DirectDisabled,
    NotAllowed,
    ChatNotListed,
    GroupDisabled,
    TopicDisabled,
    GroupsDisabled,
    ButtonsOff,
    NoMention,
}

type Gate<T> = std::result::Result<T, Dropped>;

/// `paired` are those who were let in at this account, in order; none when that cannot be read.
pub fn judge(account: &Account, asking: &Asking, paired: &Senders) -> Verdict {
    if let Some(mistake) = account.mistake() {
        return Verdict::Drop(drop(Reason::Mistake, mistake.path.clone()));
    }
    let passed = match asking.chat {
        Chat::Direct => match direct(account, asking, paired) {
            Some(passed) => passed,
            None => return Verdict::Pair,
        },
        Chat::Group { id, topic } => group(account, asking, &Levels::of(account, id, topic)),
    };
    match passed.and_then(|list| may(account, asking, &list)) {
        Ok(()) => Verdict::Admit(provenance(account, asking.sender, paired)),
        Err(dropped) => Verdict::Drop(dropped),
    }
}

/// How somebody passed: named by a list, or by a policy that asks for none.
struct Passed {
    is_listed: bool,
    /// The list that would name him.
    list: String,
}

/// `None` for a stranger who may ask for a code.
fn direct(account: &Account, asking: &Asking, paired: &Senders) -> Option<Gate<Passed>> {
    let list = account.place("allowFrom");
    let allowed = senders(account, account.get("allowFrom"));
    // `open` without `*` is a mistake of the configuration, and lets in nobody else.
    let is_listed = allowed.has(asking.sender);
    let is_paired = paired.names(asking.sender);
    Some(match account.str("dmPolicy").unwrap_or("pairing") {
        "disabled" => Err(drop(Reason::DirectDisabled, account.place("dmPolicy"))),
        "open" | "allowlist" | "pairing" if is_listed => Ok(Passed { is_listed, list }),
        "allowlist" | "pairing" if is_paired => Ok(Passed { is_listed: true, list }),
        "pairing" if asking.kind == Kind::Message && asking.sender.is_some() => return None,
        _ => Err(drop(Reason::NotAllowed, list)),
    })
}

fn group(account: &Account, asking: &Asking, levels: &Levels) -> Gate<Passed> {
    check(levels)?;
    let (policy, key) = group_policy(account, levels);
    if policy == "disabled" {
        return Err(drop(Reason::GroupsDisabled, key));
    }
    // A list of the group's or the topic's own counts under every policy, an empty one too.
    let (allowed, list) = match levels.first("allowFrom") {
        Some((list, place)) => (senders(account, Some(list)), place),
        None => {
            let (allowed, list) = group_list(account);
            if policy == "open" {
                return Ok(Passed { is_listed: allowed.has(asking.sender), list });
            }
            (allowed, list)
        }
    };
    match allowed.has(asking.sender) {
        true => Ok(Passed { is_listed: true, list }),
        false => Err(drop(Reason::NotAllowed, list)),
    }
}

/// Whether the group and the topic are there and not switched off.
fn check(levels: &Levels) -> Gate<()> {
    if let Some(mistake) = levels.mistake {
        return Err(drop(Reason::Mistake, mistake.path.clone()));
    }
    if let Some(key) = &levels.unlisted {
        return Err(drop(Reason::ChatNotListed, key.clone()));
    }
    for (level, reason) in [(&levels.groups, Reason::GroupDisabled), (&levels.topics, Reason::TopicDisabled)]
    {
        if let Some((Value::Bool(false), key)) = find(level.iter(), "enabled") {
            return Err(drop(reason, key));
        }
    }
    Ok(())
}

/// The account's list for groups; without one those whom the list for direct chats names, but not all of its `*`.
fn group_list(account: &Account) -> (Senders, String) {
    if let Some((list, place)) = account.set("groupAllowFrom") {
        return (senders(account, Some(list)), place);
    }
    let direct = senders(account, account.get("allowFrom")).by_name();
    (direct, account.place("groupAllowFrom"))
}

/// The first that is written: of the topic, the group, the account, all channels.
fn group_policy<'a>(account: &Account<'a>, levels: &Levels<'a>) -> (&'a str, String) {
    let common = || {
        let key = "channels.defaults.groupPolicy";
        account.config.is_set(key).then(|| Some((account.config.get(key)?, key.to_string())))?
    };
    let found = levels.first("groupPolicy").or_else(|| account.set("groupPolicy")).or_else(common);
    let (policy, place) = found.unwrap_or((&Value::Null, account.place("groupPolicy")));
    (policy.as_str().unwrap_or("allowlist"), place)
}

/// What is asked of some kinds besides.
fn may(account: &Account, asking: &Asking, passed: &Passed) -> Gate<()> {
    let not_listed =
        || if passed.is_listed { Ok(()) } else { Err(drop(Reason::NotAllowed, passed.list.clone())) };
    match asking.kind {
        Kind::Command if account.config.bool("commands.useAccessGroups") => not_listed(),
        Kind::Callback => match (buttons_of(account), asking.chat) {
            ("all", _) | ("dm", Chat::Direct) | ("group", Chat::Group { .. }) => Ok(()),
            ("allowlist", _) => not_listed(),
            _ => {
                let key = account.place("capabilities");
                let key = if account.get("capabilities").is_some_and(Value::is_array) {
                    key
                } else {
                    key + ".inlineButtons"
                };
                Err(drop(Reason::ButtonsOff, key))
            }
        },
        _ => Ok(()),
    }
}

/// Where buttons may be pressed.
pub fn buttons_of<'a>(account: &Account<'a>) -> &'a str {
    match account.get("capabilities") {
        Some(Value::Array(list)) => {
            let has =
                list.iter().filter_map(Value::as_str).any(|item| item.eq_ignore_ascii_case("inlineButtons"));
            if has { "all" } else { "off" }
        }
        Some(set) => set.get("inlineButtons").and_then(Value::as_str).unwrap_or("allowlist"),
        None => "allowlist",
    }
}

/// The owner is who is listed as one, else who is named for direct chats, else the first who was let in (SEC-34).
fn provenance(account: &Account, sender: Option<Who>, paired: &Senders) -> Provenance {
    let owners = account.config.get("commands.ownerAllowFrom").and_then(Value::as_array);
    let allowed = senders(account, account.get("allowFrom"));
    // In the name of a group several may write, and which of them it is nobody knows.
    if matches!(sender, Some(Who::Chat(_))) {
        return Provenance::Guest;
    }
    let is_owner = match owners.filter(|list| !list.is_empty()) {
        Some(list) => owners_of(account.channel, list).names(sender),
        None if allowed.first().is_some() => allowed.names(sender),
        None => sender.is_some() && paired.first() == sender,
    };
    if is_owner { Provenance::Owner } else { Provenance::Guest }
}

/// Bare ids are numbers: the same text may be somebody else's elsewhere, so those of other channels have theirs before them.
fn owners_of(channel: &str, list: &[Value]) -> Senders {
    let is_its = |entry: &&Value| {
        let text = entry.as_str().unwrap_or_default();
        ids::of(channel).are_numbers || bare(channel, text) != text.trim()
    };
    Senders::of(channel, list.iter().filter(is_its))
}

fn senders(account: &Account, list: Option<&Value>) -> Senders {
    Senders::of(account.channel, list.and_then(Value::as_array).into_iter().flatten())
}

fn drop(reason: Reason, key: String) -> Dropped {
    Dropped { reason, key }
}

impl Reason {
    /// As logs and `channels.status` name it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Mistake => "config-mistake",
            Reason::DirectDisabled => "direct-disabled",
            Reason::NotAllowed => "sender-not-allowed",
            Reason::ChatNotListed => "not-allowed",
            Reason::GroupDisabled => "group-disabled",
            Reason::TopicDisabled => "topic-disabled",
            Reason::GroupsDisabled => "groups-disabled",
            Reason::ButtonsOff => "buttons-off",
            Reason::NoMention => "no-mention",
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
