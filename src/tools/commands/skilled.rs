//! What the skills of an agent give its commands: the variables that the configuration keeps for them, and programs that run
//! unasked where the rules say so (`autoAllowSkills`). Reads the folders of skills only where one of both is set, and once
//! for a command.
use super::wish::is_forbidden;
use crate::agents::Agents;
use crate::skills::{self, Skill};
use crate::tools::Context;
use serde_json::Value;
use std::sync::OnceLock;

/// The skills of one command's agent that are ready, once somebody asks for them.
#[derive(Default)]
pub struct Skilled(OnceLock<Vec<Skill>>);

impl Skilled {
    fn ready(&self, context: &Context) -> impl Iterator<Item = &Skill> {
        let read =
            || skills::ready(&Agents::of(&context.config, &context.settings.env), &context.agent).skills;
        self.0.get_or_init(read).iter()
    }

    /// `skills.entries.*`: `env`, and `apiKey` by the name that the skill gives it. Never one that steers programs.
    pub fn variables(&self, context: &Context) -> Vec<(String, String)> {
        let entries = context.config.get_in(&["skills", "entries"]).and_then(Value::as_object);
        let has_some = |entry: &Value| entry.get("env").is_some() || entry.get("apiKey").is_some();
        if !entries.is_some_and(|entries| entries.values().any(has_some)) {
            return Vec::new();
        }
        let all = self.ready(context).flat_map(|skill| skill.variables(&context.config));
        all.filter(|(name, value)| !is_forbidden(name) && !value.contains('\0')).collect()
    }

    /// Names of programs that ready skills need. Those of a skill that the agent itself could have written are nobody's word.
    pub fn programs(&self, context: &Context) -> Vec<String> {
        let ready = self.ready(context).filter(|skill| skill.source != "openclaw-workspace");
        ready.flat_map(skills::programs).collect()
    }
}
