//! Skills as methods and commands show them: what each needs, what is missing, how to get it. No value of a variable or
//! of the configuration is in it (SEC-25). Reads files; any thread but the state's.
use super::{KINDS, Skill, find, is_allowed, needs};
use crate::agents::Agents;
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// All skills of an agent.
pub fn report(agents: &Agents, agent: &str) -> Value {
    let found = find(agents, agent);
    let rows: Vec<Value> = found.skills.iter().map(|skill| row(skill, agents, agent)).collect();
    let problem = |(path, why): &(std::path::PathBuf, String)| format!("{}: {why}", path.display());
    let problems: Vec<String> = found.problems.iter().map(problem).collect();
    json!({
        "workspaceDir": text(agents.workspace(agent)),
        "managedSkillsDir": text(agents.env().state_dir.join(super::FOLDER)),
        "skills": rows, "problems": problems,
    })
}

fn text(path: std::path::PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

fn row(skill: &Skill, agents: &Agents, agent: &str) -> Value {
    let (missing, is_on) = (needs::all_missing(skill, agents, agent), skill.is_on(agents.config()));
    let is_allowed = is_allowed(agents, agent, skill);
    let by_hand = needs::by_hand(skill, agents.env(), &missing);
    let lacks = missing.values().any(|names| names.as_array().is_some_and(|names| !names.is_empty()));
    let is_ready = is_allowed && is_on && skill.problem.is_none() && !lacks;
    let all: Map<String, Value> =
        KINDS.iter().map(|kind| (kind.to_string(), needs::wanted(skill, kind).into())).collect();
    let check = |path: String| json!({"satisfied": needs::is_set(agents, &path), "path": path});
    let checks: Vec<Value> = needs::wanted(skill, "config").into_iter().map(check).collect();
    let mut row = json!({
        "name": skill.name, "description": skill.description, "source": skill.source, "bundled": false,
        "filePath": text(skill.file()), "baseDir": text(skill.dir()), "skillKey": skill.key,
        "always": skill.meta.get("always") == Some(&Value::Bool(true)), "disabled": !is_on,
        "blockedByAllowlist": !is_allowed, "eligible": is_ready, "requirements": all, "missing": missing,
        "configChecks": checks, "install": needs::installers(skill, agents.env()),
        "byHand": by_hand,
    });
    let emoji = skill.meta.get("emoji").and_then(Value::as_str).map(|text| super::one_line(text, 8));
    let more = [
        ("primaryEnv", needs::primary(skill).map(str::to_string)),
        ("emoji", emoji),
        ("homepage", skill.homepage.clone()),
        ("problem", skill.problem.clone()),
    ];
    if let Some(map) = row.as_object_mut() {
        more.into_iter().filter_map(|(name, value)| Some((name, value?))).for_each(|(name, value)| {
            map.put(name, value);
        });
    }
    row
}
