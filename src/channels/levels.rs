//! What the configuration says of a group or a topic of it: its own entry, then that of `*`. Pure.
use super::accounts::Account;
use crate::config::Issue;
use serde_json::Value;

/// What the configuration says of one group, the most particular first.
pub struct Levels<'a> {
    pub(super) topics: Vec<(&'a Value, String)>,
    pub(super) groups: Vec<(&'a Value, String)>,
    /// The key by which the group could be listed, where it is not.
    pub(super) unlisted: Option<String>,
    /// The mistake for which a level is left out that may have been a restriction.
    pub(super) mistake: Option<&'a Issue>,
}

impl<'a> Levels<'a> {
    pub fn of(account: &Account<'a>, chat: &str, topic: Option<u64>) -> Levels<'a> {
        let mut levels = Levels { topics: Vec::new(), groups: Vec::new(), unlisted: None, mistake: None };
        let Some((groups, place)) = account.set("groups") else { return levels };
        for name in [chat, "*"] {
            levels.mistake = levels.mistake.or_else(|| account.config.mistake(&format!("{place}.{name}")));
            let Some(group) = groups.get(name) else { continue };
            let place = format!("{place}.{name}");
            if let Some(topic) = topic {
                let found = group.get("topics").and_then(|topics| topics.get(topic.to_string()));
                levels.topics.extend(found.map(|found| (found, format!("{place}.topics.{topic}"))));
            }
            levels.groups.push((group, place));
        }
        levels.unlisted = levels.groups.is_empty().then(|| format!("{place}.{chat}"));
        levels
    }

    /// A member of the first that has it, and where it is written.
    pub fn first(&self, key: &str) -> Option<(&'a Value, String)> {
        find(self.topics.iter().chain(&self.groups), key)
    }
}

/// A member of the first level that has it, and where it is written.
pub(super) fn find<'a, 'l>(
    mut levels: impl Iterator<Item = &'l (&'a Value, String)>,
    key: &str,
) -> Option<(&'a Value, String)>
where
    'a: 'l,
{
    levels.find_map(|(level, place)| Some((level.get(key)?, format!("{place}.{key}"))))
}
