//! Skills: folders of the workspace that each hold a SKILL.md, which describes how to do one thing.
//!
//! The prompt names them with a line each; the model reads the file itself with the `read` tool. That tool reaches
//! the workspace only, so skills that lie elsewhere are not named. Read on the run's thread, bounded in number and
//! bytes; links are not followed (SEC-13).
use crate::agents::Agents;
use crate::agents::own;
use crate::config::Config;
use crate::workspace::beneath;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

const FOLDER: &str = "skills";
const MAX_SKILLS: usize = 100;
/// Bytes of a SKILL.md that may hold its head.
const MAX_HEAD: u64 = 8 << 10;
const MAX_DESCRIPTION: usize = 300;
/// Bytes of the whole list.
const MAX_LIST: usize = 12_000;

#[derive(Debug, PartialEq, Eq)]
pub struct Skill {
    pub name: String,
    pub description: String,
    /// Relative to the workspace.
    pub path: String,
}

/// The prompt's part about skills; empty when there are none.
pub fn section(config: &Config, agents: &Agents, agent: &str, workspace: &Path) -> String {
    let allowed = agents.entry(agent).and_then(|entry| entry.get("skills")?.as_array());
    let is_allowed = |skill: &Skill| {
        allowed.is_none_or(|list| list.iter().any(|name| name.as_str() == Some(&*skill.name)))
    };
    let is_wanted = |skill: &Skill| is_allowed(skill) && is_on(config, &skill.name);
    let skills: Vec<Skill> = find(agents, workspace).into_iter().filter(is_wanted).collect();
    if skills.is_empty() {
        return String::new();
    }
    let mut text =
        "\n\n# Skills\n\nWhen one of these fits the task, read its file before you begin.\n".to_string();
    for (place, Skill { name, description, path }) in skills.iter().enumerate() {
        let line = format!("\n- {name}: {description} ({path})");
        if text.len() + line.len() > MAX_LIST {
            let _infallible = write!(text, "\n[{} more in {FOLDER}/]", skills.len() - place);
            break;
        }
        text += &line;
    }
    text
}

/// Whether the configuration leaves a skill on.
pub fn is_on(config: &Config, name: &str) -> bool {
    config.get_in(&["skills", "entries", name, "enabled"]) != Some(&Value::Bool(false))
}

/// The skills of a workspace by the names of their folders; a folder without a description in it is none.
pub fn find(agents: &Agents, workspace: &Path) -> Vec<Skill> {
    let folders = beneath::list(workspace, Path::new(FOLDER)).unwrap_or_default();
    let folders = folders.into_iter().filter(|(_, stat)| stat.is_dir);
    let skill = |(folder, _): (String, beneath::Stat)| {
        let path = format!("{FOLDER}/{folder}/SKILL.md");
        let read = own::read(agents.config(), agents.env(), workspace, Path::new(&path), MAX_HEAD);
        let bytes = read.ok().flatten()?;
        let text = String::from_utf8_lossy(&bytes);
        let description = one_line(&member(&text, "description")?, MAX_DESCRIPTION);
        let name = member(&text, "name").unwrap_or(folder);
        Some(Skill { name: one_line(&name, 64), description, path }).filter(|s| !s.description.is_empty())
    };
    folders.filter_map(skill).take(MAX_SKILLS).collect()
}

/// A text member of the head between two `---` lines; its value may go on in indented lines.
fn member(text: &str, name: &str) -> Option<String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    lines.next().filter(|line| line.trim_end() == "---")?;
    let mut head = lines.take_while(|line| line.trim_end() != "---");
    let first = head.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.trim();
    let first = if matches!(first, ">" | "|" | ">-" | "|-") { "" } else { first };
    let further = head.take_while(|line| line.starts_with([' ', '\t']) || line.trim().is_empty());
    let whole = further.fold(first.to_string(), |whole, line| whole + " " + line.trim());
    let whole = whole.trim();
    let bare = ['"', '\''].iter().find_map(|q| whole.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(whole);
    Some(bare.to_string()).filter(|value| !value.is_empty())
}

/// The text in one line, cut at `max` characters.
fn one_line(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean = line.chars().filter(|c| !c.is_control());
    match line.chars().count() > max {
        true => clean.take(max).chain(['…']).collect(),
        false => clean.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    #[test]
    fn heads_are_read() {
        for (text, name, want) in [
            ("---\nname: a\ndescription: \"Do it: now\"\n---\nbody", "description", Some("Do it: now")),
            ("---\r\nname: a\r\n---\r\n", "name", Some("a")),
            ("---\ndescription: >\n  one\n  two\nname: x\n---\n", "description", Some("one two")),
            ("---\nname: a\n---\ndescription: body", "description", None),
            ("description: x", "description", None),
            ("---\ndescription:\n---\n", "description", None),
        ] {
            assert_eq!(member(text, name).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn skills_are_named_unless_switched_off_or_not_allowed_and_links_are_left_out() {
        let dir = Dir::new();
        let skill = |name: &str| format!("---\nname: {name}\ndescription: About {name}.\n---\n");
        for name in ["one", "two", "three"] {
            dir.write(&format!("w/skills/{name}/SKILL.md"), &skill(name));
        }
        dir.write("outside/SKILL.md", &skill("outside"));
        dir.write("w/skills/empty/readme", "");
        std::os::unix::fs::symlink(dir.path("outside"), dir.path("w/skills/link")).unwrap();
        dir.write(
            "openclaw.json",
            "{skills: {entries: {two: {enabled: false}}}, agents: {list: [{id: 'main'}, {id: 'b', skills: ['three']}]}}",
        );
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let agents = Agents::of(&config, &env);
        let of = |agent: &str| section(&config, &agents, agent, &dir.path("w"));
        let all = of("main");
        assert!(all.contains("\n- one: About one. (skills/one/SKILL.md)"), "{all}");
        assert!(all.contains("- three") && !all.contains("two") && !all.contains("outside"), "{all}");
        assert!(of("b").contains("- three") && !of("b").contains("- one"));
        assert_eq!(section(&config, &agents, "main", &dir.path("nowhere")), "");
    }

    #[test]
    fn the_list_is_bounded() {
        let dir = Dir::new();
        for n in 0..120 {
            let text = format!("---\ndescription: {}\n---\n", "x".repeat(1000));
            dir.write(&format!("w/skills/s{n}/SKILL.md"), &text);
        }
        dir.write("openclaw.json", "{}");
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        assert_eq!(find(&Agents::of(&config, &env), &dir.path("w")).len(), MAX_SKILLS);
        let text = section(&config, &Agents::of(&config, &env), "main", &dir.path("w"));
        assert!(text.len() < MAX_LIST + 100 && text.contains("more in skills/]"), "{}", text.len());
    }
}
