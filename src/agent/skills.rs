//! The prompt's part about skills: each that is for the agent with a line; the model reads the file itself with the `read`
//! tool. On the run's thread.
use crate::agents::Agents;
use crate::skills::{Found, Skill, ready};
use std::fmt::Write;
use std::path::Path;

/// Bytes of the whole list.
const MAX_LIST: usize = 12_000;

/// Empty when there are none. What is left out is told by `tell`.
pub fn section(agents: &Agents, agent: &str, tell: fn(&Path, &str)) -> String {
    let Found { skills, problems } = ready(agents, agent);
    for (path, why) in &problems {
        tell(path, why);
    }
    if skills.is_empty() {
        return String::new();
    }
    let mut text =
        "\n\n# Skills\n\nWhen one of these fits the task, read its file before you begin.\n".to_string();
    for (place, skill) in skills.iter().enumerate() {
        let Skill { name, description, .. } = skill;
        let line = format!("\n- {name}: {description} ({})", skill.shown());
        if text.len() + line.len() > MAX_LIST {
            let _infallible = write!(text, "\n[{} more skills]", skills.len() - place);
            break;
        }
        text += &line;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::testing::Dir;

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
        let config = "{skills: {entries: {two: {enabled: false}}}, agents: {list: [{id: 'main', workspace: 'W'}, {id: 'b', workspace: 'W', skills: ['three']}, {id: 'c', workspace: 'W/nowhere'}]}}";
        dir.write("openclaw.json", &config.replace("'W", &format!("'{}", dir.path("w").display())));
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let agents = Agents::of(&config, &env);
        let of = |agent: &str| section(&agents, agent, |_, _| ());
        let all = of("main");
        assert!(all.contains("\n- one: About one. (skills/one/SKILL.md)"), "{all}");
        assert!(all.contains("- three") && !all.contains("two") && !all.contains("outside"), "{all}");
        assert!(of("b").contains("- three") && !of("b").contains("- one"));
        assert_eq!(of("c"), "");
    }

    #[test]
    fn the_list_is_bounded() {
        let dir = Dir::new();
        for n in 0..220 {
            let text = format!("---\ndescription: {}\n---\n", "x".repeat(1000));
            dir.write(&format!("w/skills/s{n}/SKILL.md"), &text);
        }
        dir.write(
            "openclaw.json",
            &format!("{{agents: {{defaults: {{workspace: '{}'}}}}}}", dir.path("w").display()),
        );
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let agents = Agents::of(&config, &env);
        assert_eq!(ready(&agents, "main").skills.len(), 200);
        let text = section(&agents, "main", |_, _| ());
        assert!(text.len() < MAX_LIST + 100 && text.contains("more skills]"), "{}", text.len());
    }
}
