//! Which tools an agent may use: the rules of the configuration, over names. Pure.
//!
//! Every rule set that applies must let a tool through: the profile, the general rules, those of the model, of the
//! agent, of the group the session belongs to, of groups at all, and of subagents. In each, `deny` wins; an `allow` that is missing or
//! empty lets everything through. Lists may name tools that do not exist here, groups, and `*` patterns.
use crate::config::{Config, join};
use crate::session_key::{kind_of, normalise_agent_id};
use serde_json::Value;

/// Names that stand for several tools, those of other builds included.
const GROUPS: &[(&str, &[&str])] = &[
    ("group:automation", &["cron", "gateway"]),
    ("group:fs", &["read", "write", "edit", "apply_patch"]),
    ("group:memory", &["memory_search", "memory_get"]),
    ("group:messaging", &["message"]),
    ("group:nodes", &["nodes"]),
    (
        "group:openclaw",
        &[
            "browser",
            "canvas",
            "nodes",
            "cron",
            "message",
            "gateway",
            "agents_list",
            "sessions_*",
            "session_status",
            "memory_search",
            "memory_get",
            "web_search",
            "web_fetch",
            "image",
        ],
    ),
    ("group:runtime", &["exec", "process"]),
    (
        "group:sessions",
        &["sessions_list", "sessions_history", "sessions_send", "sessions_spawn", "session_status"],
    ),
    ("group:ui", &["browser", "canvas"]),
    ("group:web", &["web_search", "web_fetch"]),
];

/// What a subagent does without.
const NOT_FOR_SUBAGENTS: &[&str] = &[
    "sessions_*",
    "gateway",
    "agents_list",
    "session_status",
    "cron",
    "memory_search",
    "memory_get",
    "whatsapp_login",
];

/// The names of `all` that are allowed. `model` is `provider/model`.
pub fn allowed<'n>(
    config: &Config,
    agent: &str,
    model: &str,
    session_key: &str,
    all: &[&'n str],
) -> Vec<&'n str> {
    // Rules that a mistake has taken out may have forbidden anything.
    let is_off = |section: &&str| is_off(config, section, session_key);
    if config.bars(agent).is_some() || ["tools", "agents", "channels"].iter().any(is_off) {
        return Vec::new();
    }
    let rules = gather(config, agent, model, session_key);
    let passes =
        |name: &&&str| rules.iter().all(|rule| rule.passes(name)) && is_on(config, agent, model, name);
    all.iter().filter(passes).copied().collect()
}

/// Whether a section with rules for this session is disabled; a channel's section may be named alone.
fn is_off(config: &Config, section: &str, session_key: &str) -> bool {
    match section {
        "channels" => group_of(session_key).is_some_and(|(channel, group)| {
            let channel = format!("channels.{channel}");
            let accounts = config.get(&format!("{channel}.accounts")).and_then(Value::as_object);
            let own = accounts.into_iter().flat_map(|all| all.keys());
            let places = own.map(|id| join(&format!("{channel}.accounts"), id)).chain([channel.clone()]);
            let groups = places.map(|place| join(&place, "groups"));
            // What all groups inherit may have been a rule of this one.
            let mut rules = groups.flat_map(|all| [join(&all, &group), join(&all, "*")]);
            config.is_disabled(section)
                || config.is_disabled(&channel)
                || rules.any(|at| config.is_disabled(&at))
        }),
        section => config.is_disabled(section),
    }
}

/// One set of rules.
#[derive(Debug, Default)]
struct Rule {
    allow: Vec<String>,
    deny: Vec<String>,
}

impl Rule {
    /// The rules of an object with `allow`, `alsoAllow` and `deny`. Additions to nothing are additions to all.
    fn of(section: &Value) -> Rule {
        let mut allow = list(section, "allow");
        let more = list(section, "alsoAllow");
        if !more.is_empty() && !allow.is_empty() {
            allow.extend(more);
        }
        Rule { allow: expand(&allow), deny: expand(&list(section, "deny")) }
    }

    /// A profile's rules and what was added to it. An unknown one counts as `minimal`.
    fn of_profile(name: &str, more: &[String]) -> Rule {
        let base: &[&str] = match name {
            "full" => return Rule::default(),
            "coding" => &["group:fs", "group:runtime", "group:sessions", "group:memory", "image"],
            "messaging" => {
                &["group:messaging", "sessions_list", "sessions_history", "sessions_send", "session_status"]
            }
            _ => &["session_status"],
        };
        let allow: Vec<String> =
            base.iter().map(|name| name.to_string()).chain(more.iter().cloned()).collect();
        Rule { allow: expand(&allow), deny: Vec::new() }
    }

    fn passes(&self, name: &str) -> bool {
        let in_list = |list: &[String]| list.iter().any(|pattern| matches(pattern, name));
        !in_list(&self.deny) && (self.allow.is_empty() || in_list(&self.allow))
    }
}

fn gather(config: &Config, agent: &str, model: &str, session_key: &str) -> Vec<Rule> {
    let general = config.get("tools").unwrap_or(&Value::Null);
    let listed = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
    let is_this = |entry: &&Value| {
        entry.get("id").and_then(Value::as_str).is_some_and(|id| normalise_agent_id(id) == agent)
    };
    let own = listed.clone().find(is_this).and_then(|entry| entry.get("tools")).unwrap_or(&Value::Null);
    let (general_model, own_model) = (by_model(general, model), by_model(own, model));
    let mut rules: Vec<Rule> = [general, own, general_model, own_model].into_iter().map(Rule::of).collect();
    rules.extend(profile(own, general));
    rules.extend(profile(own_model, general_model));
    let group = group_of(session_key).and_then(|(channel, group)| group_tools(config, &channel, &group));
    rules.extend(group.map(Rule::of));
    if kind_of(session_key) == "group" {
        rules.push(no_memory(&[general, own, group.unwrap_or(&Value::Null)]));
    }
    if session_key.contains(":subagent:") {
        let section = config.get("tools.subagents.tools").unwrap_or(&Value::Null);
        let mut rule = Rule::of(section);
        rule.deny.extend(NOT_FOR_SUBAGENTS.iter().map(|name| name.to_string()));
        rules.push(rule);
    }
    rules
}

/// The profile that holds: the agent's, else the general one, with the additions found first.
fn profile(own: &Value, general: &Value) -> Option<Rule> {
    let name = [own, general].into_iter().find_map(|section| section.get("profile")?.as_str())?;
    let more = [own, general].into_iter().find(|section| section.get("alsoAllow").is_some());
    Some(Rule::of_profile(name, &more.map(|section| list(section, "alsoAllow")).unwrap_or_default()))
}

/// The rules below `byProvider` for exactly this model, else for its provider.
fn by_model<'v>(section: &'v Value, model: &str) -> &'v Value {
    let model = model.trim().to_lowercase();
    let (provider, name) = model.split_once('/').unwrap_or((model.as_str(), ""));
    let entries = section.get("byProvider").and_then(Value::as_object);
    let find = |wanted: &str| {
        entries
            .into_iter()
            .flatten()
            .find(|(key, _)| key.trim().to_lowercase() == wanted)
            .map(|(_, value)| value)
    };
    let full = || if name.contains('/') { find(name) } else { None };
    find(&model).or_else(full).or_else(|| find(provider)).unwrap_or(&Value::Null)
}

/// Channel and group of a group session: `agent:<id>:<channel>:group:<group>`, with or without a thread.
fn group_of(session_key: &str) -> Option<(String, String)> {
    let rest = session_key.strip_prefix("agent:").and_then(|rest| rest.split_once(':')).map(|(_, rest)| rest);
    let rest = rest.unwrap_or(session_key);
    let rest = rest.strip_prefix("subagent:").unwrap_or(rest);
    let (channel, rest) = rest.split_once(':')?;
    let (kind, group) = rest.split_once(':')?;
    let group = group.split(":thread:").next()?.split(":topic:").next()?;
    (matches!(kind, "group" | "channel") && !group.is_empty())
        .then(|| (channel.to_string(), group.to_string()))
}

/// What the owner told the agent in confidence is not for groups, unless one of these sections names it for use.
fn no_memory(sections: &[&Value]) -> Rule {
    let lists = sections.iter().flat_map(|section| [list(section, "allow"), list(section, "alsoAllow")]);
    // `*` and larger groups of tools were not written with the memory in mind.
    let is_memory = |name: &String| {
        let name = name.trim().to_lowercase();
        name == "group:memory" || name.starts_with("memory")
    };
    let named = expand(&lists.flatten().filter(is_memory).collect::<Vec<String>>());
    let is_denied = |name: &String| !named.iter().any(|pattern| matches(pattern, name));
    Rule {
        allow: Vec::new(),
        deny: expand(&["group:memory".to_string()]).into_iter().filter(is_denied).collect(),
    }
}

/// The rules' section of one group, else that of the group `*`.
fn group_tools<'c>(config: &'c Config, channel: &str, group: &str) -> Option<&'c Value> {
    let groups = config.get("channels")?.get(channel)?.get("groups")?.as_object()?;
    // Keys are in lower case, ids in the configuration as people write them.
    let own =
        groups.iter().find(|(id, _)| id.to_lowercase() == group).and_then(|(_, value)| value.get("tools"));
    own.or_else(|| groups.get("*")?.get("tools"))
}

/// Switches beside the lists.
fn is_on(config: &Config, agent: &str, model: &str, name: &str) -> bool {
    let is_false = |value: Option<&Value>| value.and_then(|v| v.get("enabled")) == Some(&Value::Bool(false));
    match name {
        "apply_patch" => {
            let models = config.strings("tools.exec.applyPatch.allowModels");
            let id = model.split_once('/').map_or(model, |(_, id)| id);
            let is_named = |named: &&str| named.eq_ignore_ascii_case(model) || named.eq_ignore_ascii_case(id);
            config.bool("tools.exec.applyPatch.enabled") && (models.is_empty() || models.iter().any(is_named))
        }
        "web_fetch" => config.bool("tools.web.fetch.enabled"),
        "memory_search" | "memory_get" => {
            let mut listed = config.get("agents.list").and_then(Value::as_array).into_iter().flatten();
            let of_agent = listed.find(|entry| {
                entry.get("id").and_then(Value::as_str).is_some_and(|id| normalise_agent_id(id) == agent)
            });
            let own = of_agent.and_then(|entry| entry.get("memorySearch"));
            match own.is_some_and(|own| own.get("enabled").is_some()) {
                true => !is_false(own),
                false => !is_false(config.get("agents.defaults.memorySearch")),
            }
        }
        _ => true,
    }
}

fn list(section: &Value, name: &str) -> Vec<String> {
    let items = section.get(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_string).collect()
}

/// Names in lower case, groups taken apart, names of other programs replaced.
pub(super) fn expand(names: &[String]) -> Vec<String> {
    let mut expanded = Vec::new();
    for name in names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()) {
        match GROUPS.iter().find(|(group, _)| *group == name) {
            Some((_, members)) => expanded.extend(members.iter().map(|member| member.to_string())),
            None => expanded.push(match name.as_str() {
                "bash" => "exec".to_string(),
                "apply-patch" => "apply_patch".to_string(),
                _ => name,
            }),
        }
    }
    expanded
}

/// `*` stands for any text, anything else for itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            name.char_indices()
                .map(|(at, _)| at)
                .chain([name.len()])
                .any(|at| name.get(at..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    const ALL: [&str; 5] = ["memory_get", "read", "session_status", "sessions_list", "web_fetch"];

    fn check(config: &str, agent: &str, session: &str, want: &str) {
        let dir = Dir::new();
        dir.write("openclaw.json", config);
        let loaded = Config::inspect(&mut dir.env(&[]));
        let found = allowed(&loaded, agent, "openai/gpt-5", session, &ALL).join(" ");
        assert_eq!(found, want, "{config} {agent} {session}");
    }

    const EVERYTHING: &str = "memory_get read session_status sessions_list web_fetch";
    const MAIN: &str = "agent:main:main";

    #[test]
    fn lists_profiles_and_patterns() {
        for (tools, want) in [
            ("{}", EVERYTHING),
            ("{profile: 'full'}", EVERYTHING),
            ("{profile: 'minimal'}", "session_status"),
            ("{profile: 'coding'}", "memory_get read session_status sessions_list"),
            ("{profile: 'messaging'}", "session_status sessions_list"),
            ("{profile: 'minimal', alsoAllow: ['group:web', 'exec']}", "session_status web_fetch"),
            ("{profile: 'coding', allow: ['group:fs', 'group:web']}", "read"),
            ("{allow: ['Group:FS', 'session*']}", "read session_status sessions_list"),
            ("{allow: ['read'], alsoAllow: ['web_*']}", ""),
            ("{alsoAllow: ['read']}", EVERYTHING),
            ("{allow: ['exec', 'process', 'browser']}", ""),
            ("{allow: ['*'], deny: ['*_*']}", "read"),
            ("{allow: ['read'], deny: ['group:fs']}", ""),
            ("{allow: [], deny: ['group:openclaw']}", "read"),
            ("{web: {fetch: {enabled: false}}}", "memory_get read session_status sessions_list"),
            ("{byProvider: {OpenAI: {profile: 'minimal'}}}", "session_status"),
            (
                "{byProvider: {'openai/gpt-5': {deny: ['read']}, openai: {allow: ['x']}}}",
                "memory_get session_status sessions_list web_fetch",
            ),
            ("{byProvider: {anthropic: {profile: 'minimal'}}}", EVERYTHING),
        ] {
            check(&format!("{{tools: {tools}}}"), "main", MAIN, want);
        }
    }

    #[test]
    fn agents_groups_and_subagents_have_rules_of_their_own() {
        let agents = "{tools: {profile: 'coding', deny: ['memory_get']}, agents: {list: [{id: 'Ops', tools: {profile: 'full', deny: ['read']}},
            {id: 'b', memorySearch: {enabled: false}}]}}";
        check(agents, "main", MAIN, "read session_status sessions_list");
        check(agents, "ops", "agent:ops:main", "session_status sessions_list web_fetch");
        check(
            "{agents: {list: [{id: 'b', memorySearch: {enabled: false}}]}}",
            "b",
            "agent:b:main",
            "read session_status sessions_list web_fetch",
        );
        let groups = "{channels: {telegram: {groups: {'-5': {tools: {allow: ['read']}}, '*': {tools: {deny: ['read']}}}}}}";
        check(groups, "main", "agent:main:telegram:group:-5", "read");
        check(groups, "main", "agent:main:telegram:group:-5:topic:9", "read");
        check(groups, "main", "agent:main:telegram:group:-6", "session_status sessions_list web_fetch");
        check(groups, "main", MAIN, EVERYTHING);
        check("{}", "main", "agent:main:subagent:x", "read web_fetch");
    }

    #[test]
    fn groups_do_without_memory_unless_it_is_named() {
        let rest = "read session_status sessions_list web_fetch";
        let group = "agent:main:telegram:group:-5";
        for (config, want) in [
            ("{}", rest),
            ("{tools: {profile: 'full'}}", rest),
            ("{tools: {allow: ['*']}}", rest),
            ("{tools: {alsoAllow: ['group:openclaw']}}", rest),
            ("{tools: {alsoAllow: ['group:memory']}}", EVERYTHING),
            ("{tools: {alsoAllow: ['memory_search']}}", rest),
            ("{tools: {allow: ['memory_*']}}", "memory_get"),
            ("{tools: {allow: ['Memory_Get'], deny: ['group:memory']}}", ""),
            ("{agents: {list: [{id: 'main', tools: {alsoAllow: ['memory_get']}}]}}", EVERYTHING),
            ("{channels: {telegram: {groups: {'-5': {tools: {alsoAllow: ['memory_get']}}}}}}", EVERYTHING),
            ("{channels: {telegram: {groups: {'-6': {tools: {alsoAllow: ['memory_get']}}}}}}", rest),
        ] {
            check(config, "main", group, want);
        }
        check("{}", "main", "agent:main:discord:channel:7", rest);
        check("{}", "main", "agent:main:telegram:direct:5", EVERYTHING);
    }

    #[test]
    fn a_mistake_among_the_rules_means_no_tools() {
        check("{tools: {deny: {}}}", "main", MAIN, "");
        check("{agents: {list: [{id: 'main', tools: {deny: {}}}]}}", "main", MAIN, "");
        let broken = "{channels: {telegram: {groups: {'-5': {tools: {deny: {}}}}}}}";
        check(broken, "main", "agent:main:telegram:group:-5", "");
        check(broken, "main", "agent:main:telegram:group:-6", "read session_status sessions_list web_fetch");
        for broken in [
            "{channels: {telegram: {groups: {'*': {tools: {deny: {}}}}}}}",
            "{channels: {telegram: {accounts: {a: {groups: {'-5': {tools: {deny: {}}}}}}}}}",
        ] {
            check(broken, "main", "agent:main:telegram:group:-5", "");
        }
        check(broken, "main", MAIN, EVERYTHING);
    }
}
