//! How one agent's heartbeat is set: `agents.defaults.heartbeat` with the agent's own section over it. Which agents have
//! one: those with a section of their own, else the default agent. Pure.
use super::hours::Hours;
use crate::agents::Agents;
use crate::config::{Config, duration_ms};
use crate::logging::quoted;
use crate::session_key::{KeyRules, id_of};
use serde_json::{Map, Value};

const EVERY: &str = "30m";
/// Where Anthropic is used by subscription, whose allowance a turn every half hour would use up.
const EVERY_BY_SIGN_IN: &str = "1h";
const ACK_MAX: u64 = 300;
const MINUTE: f64 = 60e3;
/// Below a second and above a year is no interval, milliseconds.
const SHORTEST: u64 = 1000;
const LONGEST: u64 = 366 * 24 * 60 * 60 * 1000;
const TOKEN: &str = super::ack::TOKEN;
const PROMPT: &str = "This is a regular look; nobody has written. Do what HEARTBEAT.md says, if there is one, and take up no \
                      old task of this conversation by yourself. If nothing needs the user's attention now, answer \
                      HEARTBEAT_OK and nothing else; otherwise say in a few words what does.";
const CALLED: &str = "Something came in that is noted above. See to it as far as your rules and the user's wishes say so. \
                      Tell the user in a few words if it matters to him now; if nothing does, answer HEARTBEAT_OK.";

/// The settings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat(Map<String, Value>, &'static str);

/// Those that have one by themselves, in their order; all may be woken.
pub fn agents(agents: &Agents) -> Vec<String> {
    let mut named: Vec<String> = own(agents.config()).filter_map(|(_, entry)| id_of(entry)).collect();
    if named.is_empty() {
        named.push(agents.default_id());
    }
    named
}

/// The agents with a section of their own, with their places in the list.
fn own(config: &Config) -> impl Iterator<Item = (usize, &Value)> {
    let list = config.get("agents.list").and_then(Value::as_array).into_iter().flatten().enumerate();
    list.filter(|(_, entry)| entry.get("heartbeat").is_some_and(Value::is_object))
}

/// The sections as they are written, by their places.
pub(super) fn sections(config: &Config) -> Vec<(String, &Map<String, Value>)> {
    let shared =
        config.get("agents.defaults.heartbeat").map(|own| ("agents.defaults.heartbeat".to_string(), own));
    let listed = own(config)
        .filter_map(|(n, entry)| Some((format!("agents.list.{n}.heartbeat"), entry.get("heartbeat")?)));
    shared.into_iter().chain(listed).filter_map(|(place, own)| Some((place, own.as_object()?))).collect()
}

/// Whether the profiles of the configuration say that Anthropic is asked by subscription: the first one in their order, or
/// all of them where there is none.
fn is_sign_in(config: &Config) -> bool {
    const PROVIDER: &str = "anthropic";
    let profiles = config.get("auth.profiles").and_then(Value::as_object);
    let mode = |id: &str| {
        let profile = profiles?.get(id)?;
        let is_its = profile.get("provider")?.as_str()?.trim().eq_ignore_ascii_case(PROVIDER);
        profile.get("mode").and_then(Value::as_str).filter(|_| is_its)
    };
    let order = config.get_in(&["auth", "order", PROVIDER]).and_then(Value::as_array);
    let first = order.into_iter().flatten().filter_map(Value::as_str).find_map(mode);
    let all = || profiles.into_iter().flatten().filter_map(|(id, _)| mode(id)).collect::<Vec<_>>();
    let modes = first.map_or_else(all, |mode| vec![mode]);
    !modes.is_empty() && modes.iter().all(|mode| matches!(*mode, "oauth" | "token"))
}

impl Beat {
    pub fn of(config: &Config, agent: &str) -> Beat {
        let shared = config.get("agents.defaults.heartbeat").and_then(Value::as_object);
        let mut own = own(config).filter(|(_, entry)| id_of(entry).as_deref() == Some(agent));
        let own = own.next().and_then(|(_, entry)| entry.get("heartbeat")?.as_object());
        let all = shared.into_iter().chain(own).flatten();
        let usual = if is_sign_in(config) { EVERY_BY_SIGN_IN } else { EVERY };
        Beat(all.map(|(name, value)| (name.clone(), value.clone())).collect(), usual)
    }

    /// Whether the owner has said anything of it.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn every(&self) -> &str {
        self.text("every").unwrap_or(self.1)
    }

    /// `None` when it does not come by itself.
    pub fn every_ms(&self) -> Option<u64> {
        duration_ms(self.every(), MINUTE).filter(|ms| *ms > 0).map(|ms| ms.clamp(SHORTEST, LONGEST))
    }

    /// What the model is asked; `is_called` when something is noted for it.
    pub fn prompt(&self, is_called: bool) -> String {
        match self.text("prompt") {
            None if is_called => CALLED.to_string(),
            None => PROMPT.to_string(),
            Some(own) if own.contains(TOKEN) => own.to_string(),
            Some(own) => text_with_ack(own),
        }
    }

    /// The message as it is set.
    pub fn message(&self) -> &str {
        self.text("prompt").unwrap_or(PROMPT)
    }

    pub fn ack_max(&self) -> usize {
        self.0.get("ackMaxChars").and_then(Value::as_u64).unwrap_or(ACK_MAX) as usize
    }

    pub fn target(&self) -> &str {
        self.text("target").unwrap_or("last")
    }

    pub fn includes_reasoning(&self) -> bool {
        self.0.get("includeReasoning") == Some(&Value::Bool(true))
    }

    /// `None` is the whole day.
    pub fn hours(&self) -> Option<Hours> {
        self.0.get("activeHours").and_then(Hours::of)
    }

    /// The session in which it takes place: the agent's own that is named, else its main one.
    pub fn session(&self, rules: &KeyRules, agent: &str) -> String {
        let main = rules.main_of(agent);
        let named = self.text("session").filter(|name| !["main", "global"].contains(&&*name.to_lowercase()));
        let Some(name) = named.filter(|_| !rules.global) else { return main };
        let name =
            if name.starts_with("agent:") { name.to_string() } else { format!("agent:{agent}:{name}") };
        rules.canonical(&name).ok().filter(|key| rules.owner(key) == agent).unwrap_or(main)
    }
}

/// The model is told by which word it says that there is nothing.
fn text_with_ack(own: &str) -> String {
    format!("{own}\nIf nothing needs the user's attention now, answer HEARTBEAT_OK and nothing else.")
}

/// What is shown of heartbeats on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shows {
    pub ok: bool,
    pub alerts: bool,
    pub indicator: bool,
}

impl Shows {
    /// By the first of `places` that says it (an account, then its channel), else by what holds for all channels.
    pub fn of(config: &Config, places: &[Option<&Value>]) -> Shows {
        let all = config.get("channels.defaults.heartbeat");
        let is = |name: &str, usual: bool| {
            let said =
                places.iter().copied().chain([all]).flatten().find_map(|place| place.get(name)?.as_bool());
            said.unwrap_or(usual)
        };
        Shows { ok: is("showOk", false), alerts: is("showAlerts", true), indicator: is("useIndicator", true) }
    }

    pub fn is_nothing(self) -> bool {
        !self.ok && !self.alerts && !self.indicator
    }
}

fn channels(config: &Config) -> impl Iterator<Item = &String> {
    let map = config.get("channels").and_then(Value::as_object).into_iter().flatten();
    map.map(|(name, _)| name).filter(|name| *name != "defaults")
}

pub(super) fn wrong_target(config: &Config, own: &Map<String, Value>) -> Option<String> {
    let target = own.get("target")?.as_str()?.trim();
    let is_known = ["", "last", "none"].contains(&target) || channels(config).any(|name| name == target);
    (!is_known).then(|| {
        format!(
            "{} is no channel that is configured; use last, none or a channel: nothing is sent",
            quoted(target)
        )
    })
}

pub(super) fn wrong_account(config: &Config, own: &Map<String, Value>) -> Option<String> {
    let account =
        own.get("accountId")?.as_str().map(str::trim).filter(|id| !id.is_empty() && *id != "default")?;
    let target = own.get("target").and_then(Value::as_str).unwrap_or("last");
    let mut meant = channels(config).filter(|name| target == "last" || *name == target).peekable();
    meant.peek()?;
    let has = |name: &String| config.get_in(&["channels", name, "accounts", account]).is_some();
    (!meant.any(has)).then(|| {
        format!("{} is no account of a channel that is configured: nothing is sent", quoted(account))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn config(text: &str) -> Config {
        let dir = Dir::new();
        dir.write("openclaw.json", text);
        Config::load(&mut dir.env(&[])).unwrap()
    }

    #[test]
    fn i13_2_agents_with_a_section_of_their_own_else_the_default_one() {
        let none = config("{agents: {list: [{id: 'a'}, {id: 'b', default: true}]}}");
        let env = Dir::new().env(&[]);
        assert_eq!(agents(&Agents::of(&none, &env)), ["b"]);
        let own = config(
            "{agents: {defaults: {heartbeat: {every: '2h', target: 'none'}}, list: [{id: 'A', heartbeat: {every: '1h'}}, {id: 'b', default: true}]}}",
        );
        assert_eq!(agents(&Agents::of(&own, &env)), ["a"]);
        let (a, b) = (Beat::of(&own, "a"), Beat::of(&own, "b"));
        assert_eq!((a.every(), a.every_ms(), a.target()), ("1h", Some(3_600_000), "none"));
        assert_eq!((b.every(), b.ack_max(), b.is_set()), ("2h", 300, true));
    }

    #[test]
    fn i13_2_intervals_count_minutes_and_none_is_none() {
        for (every, ms) in [
            ("'30m'", Some(1_800_000)),
            ("'1h30m'", Some(5_400_000)),
            ("'90'", Some(5_400_000)),
            ("90", Some(5_400_000)),
            ("'500ms'", Some(1000)),
            ("'0m'", None),
            ("'0'", None),
            ("0", None),
        ] {
            let config = config(&format!("{{agents: {{defaults: {{heartbeat: {{every: {every}}}}}}}}}"));
            assert_eq!(Beat::of(&config, "main").every_ms(), ms, "{every}");
        }
        assert_eq!(Beat::of(&config("{}"), "main").every_ms(), Some(1_800_000));
    }

    #[test]
    fn i13_2_the_prompt_is_the_owner_s_and_always_says_how_to_answer() {
        let own = config("{agents: {defaults: {heartbeat: {prompt: 'Look at the mail.'}}}}");
        let prompt = Beat::of(&own, "main").prompt(true);
        assert!(prompt.starts_with("Look at the mail.\n") && prompt.contains("HEARTBEAT_OK"), "{prompt}");
        let plain = Beat::of(&config("{}"), "main");
        assert_ne!(plain.prompt(true), plain.prompt(false));
        assert!([true, false].iter().all(|called| plain.prompt(*called).contains(TOKEN)));
    }

    #[test]
    fn i13_2_a_session_of_another_agent_is_not_taken() {
        let rules = KeyRules { default_agent: "main".into(), main_key: "main".into(), global: false };
        for (session, want) in [
            ("main", "agent:main:main"),
            ("Global", "agent:main:main"),
            ("telegram:group:-1", "agent:main:telegram:group:-1"),
            ("agent:main:x", "agent:main:x"),
            ("agent:ops:main", "agent:main:main"),
        ] {
            let config =
                config(&format!("{{agents: {{defaults: {{heartbeat: {{session: '{session}'}}}}}}}}"));
            assert_eq!(Beat::of(&config, "main").session(&rules, "main"), want, "{session}");
        }
    }

    #[test]
    fn i13_2_what_is_shown_says_the_account_then_the_channel_then_all() {
        let config = config("{channels: {defaults: {heartbeat: {showOk: true, useIndicator: false}}}}");
        let (account, channel) = (
            serde_json::json!({"showAlerts": false}),
            serde_json::json!({"showOk": false, "showAlerts": true}),
        );
        let shows = Shows::of(&config, &[Some(&account), Some(&channel)]);
        assert!(shows.is_nothing() && shows == Shows { ok: false, alerts: false, indicator: false });
        assert!(Shows::of(&config, &[None, None]).ok);
    }

    #[test]
    fn i13_2_what_cannot_be_taken_is_named_with_its_key() {
        let config = config("{channels: {telegram: {botToken: '1:a', accounts: {ops: {}}}}, agents: {defaults: {heartbeat: {target: 'pigeon', activeHours: {start: '08:00', end: '22:00', timezone: 'Mars/Base'}}},
            list: [{id: 'a', heartbeat: {target: 'telegram', accountId: 'nobody', model: 'nowhere/m'}}, {id: 'b', heartbeat: {accountId: 'ops', activeHours: {start: '24:00', end: '09:00'}}}, {id: 'c', heartbeat: {activeHours: {start: '08:00'}}}]}}");
        let told = super::super::wrong(&config, &Dir::new().env(&[]));
        let keys: Vec<&str> = told.iter().map(|(key, _)| key.as_str()).collect();
        let want = [
            "agents.defaults.heartbeat.activeHours.timezone",
            "agents.defaults.heartbeat.target",
            "agents.list.0.heartbeat.accountId",
            "agents.list.0.heartbeat.model",
            "agents.list.1.heartbeat.activeHours.start",
            "agents.list.2.heartbeat.activeHours.end",
        ];
        assert_eq!(keys, want, "{told:?}");
        assert!(told[0].1.contains("\"Mars/Base\"") && told[1].1.contains("\"pigeon\""), "{told:?}");
    }
}
