//! What a node says of itself when it connects, cut to what is kept, and how it is shown. Pure.
use super::allowed::{Platform, Rules};
use crate::json::{Put, json};
use crate::order;
use crate::parts::within;
use serde_json::{Map, Value};

/// Bytes of a name, of a path, and how much of a list is kept.
const MAX_NAME: usize = 200;
const MAX_PATH: usize = 4096;
const MAX_ITEMS: usize = 256;

/// As it introduced itself. Its platform and family are those that were approved, where it is a paired device.
#[derive(Debug, Clone, Default)]
pub struct Announced {
    pub display_name: Option<String>,
    pub version: String,
    pub platform: String,
    pub device_family: Option<String>,
    pub model_identifier: Option<String>,
    pub caps: Vec<String>,
    /// Sorted, each once; of a node that was let in those that it may be told.
    pub commands: Vec<String>,
    pub permissions: Map<String, Value>,
    pub path_env: Option<String>,
    /// It named commands, of which all may have been left out.
    pub names_commands: bool,
}

impl Announced {
    /// Cut to what is kept.
    pub fn bounded(mut self) -> Announced {
        let cut = |text: &mut String, most: usize| {
            if text.len() > most {
                *text = within(text, most).to_string();
            }
        };
        cut(&mut self.version, MAX_NAME);
        cut(&mut self.platform, MAX_NAME);
        for text in [&mut self.display_name, &mut self.device_family, &mut self.model_identifier] {
            text.iter_mut().for_each(|text| cut(text, MAX_NAME));
        }
        self.path_env.iter_mut().for_each(|text| cut(text, MAX_PATH));
        for list in [&mut self.caps, &mut self.commands] {
            list.iter_mut().for_each(|name| *name = name.trim().to_string());
            list.retain(|name| !name.is_empty() && name.len() <= MAX_NAME);
            order::sort(list);
            list.dedup();
            list.truncate(MAX_ITEMS);
        }
        self.names_commands = !self.commands.is_empty();
        self.permissions.retain(|name, value| name.len() <= MAX_NAME && value.is_boolean());
        self
    }

    pub fn kind(&self) -> Platform {
        Platform::of(&self.platform, self.device_family.as_deref().unwrap_or_default())
    }

    /// Leaves out the commands that it may not be told.
    pub fn restrict(&mut self, rules: &Rules) {
        let platform = self.kind();
        self.commands.retain(|command| rules.allow(platform, command));
    }

    /// Why it is not told this command.
    pub fn refusal(&self, rules: &Rules, command: &str) -> Option<&'static str> {
        match () {
            () if !rules.allow(self.kind(), command) => Some("command not allowlisted"),
            () if self.commands.iter().any(|known| known == command) => None,
            () if self.names_commands => Some("command not declared by node"),
            () => Some("node did not declare commands"),
        }
    }

    /// Its members in `node.list`.
    pub fn show(&self, row: &mut Map<String, Value>) {
        let mut some = |name: &str, text: Option<&str>| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                row.put(name, text);
            }
        };
        some("displayName", self.display_name.as_deref());
        some("platform", Some(&self.platform));
        some("version", Some(&self.version));
        some("deviceFamily", self.device_family.as_deref());
        some("modelIdentifier", self.model_identifier.as_deref());
        some("pathEnv", self.path_env.as_deref());
        row.put("caps", json!(self.caps));
        row.put("commands", json!(self.commands));
        if !self.permissions.is_empty() {
            row.put("permissions", Value::Object(self.permissions.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i15_1_why_a_command_is_refused() {
        let node = |commands: &[&str]| {
            let commands = commands.iter().map(|c| c.to_string()).collect();
            let mut node = Announced { platform: "linux".into(), commands, ..Announced::default() }.bounded();
            node.restrict(&Rules::default());
            node
        };
        let some = node(&[" system.run ", "canvas.eval", "foo.bar", "system.run", "system.which", ""]);
        assert_eq!(some.commands, ["system.run", "system.which"]);
        for (node, command, want) in [
            (&some, "system.run", None),
            (&some, "canvas.eval", Some("command not allowlisted")),
            (&some, "foo.bar", Some("command not allowlisted")),
            (&some, "system.notify", Some("command not declared by node")),
            (&node(&[]), "system.run", Some("node did not declare commands")),
        ] {
            assert_eq!(node.refusal(&Rules::default(), command), want, "{command}");
        }
    }
}
