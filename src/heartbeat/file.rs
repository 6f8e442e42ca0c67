//! Whether HEARTBEAT.md asks for anything. A file without a task costs no question to a model; one that was removed from a
//! workspace that was set up leaves the agent to itself. Reads files: not for the state thread.
use crate::agents::{Agents, own};
use crate::charset;
use crate::workspace::beneath;
use std::path::Path;

const FILE: &str = "HEARTBEAT.md";
/// As much of it as is looked at, bytes.
const MOST: u64 = 256 << 10;
/// What earlier versions put there, which is no task.
const EARLIER: &str = "Nothing to do as long as there is nothing below this line. Write one short task a line for things to look at\nregularly.";

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Tasks,
    /// There is no task in it.
    Empty,
    /// There is none, in a workspace that has been set up.
    Missing,
    /// There is none, and no text of the agent's either.
    Bare,
}

pub fn standing(agents: &Agents, agent: &str) -> Standing {
    let dir = agents.workspace(agent);
    match own::persona(agents.config(), agents.env(), &dir, FILE, MOST) {
        Ok(Some(bytes)) => {
            let text = charset::decode(bytes, None, true, usize::MAX).map(|decoded| decoded.text);
            if text.is_some_and(|text| is_empty(&text)) { Standing::Empty } else { Standing::Tasks }
        }
        Ok(None) if matches!(beneath::stat(&dir, Path::new("AGENTS.md")), Ok(Some(_))) => Standing::Missing,
        Ok(None) => Standing::Bare,
        // What cannot be read may hold one.
        Err(_) if dir.is_dir() => Standing::Tasks,
        Err(_) => Standing::Bare,
    }
}

/// Blank lines, headings, and points of a list without words.
fn is_empty(text: &str) -> bool {
    let text = text.replace("\r\n", "\n").replace(EARLIER, "");
    text.lines().map(str::trim).all(|line| line.is_empty() || is_heading(line) || is_bare_point(line))
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    rest.len() < line.len() && (rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn is_bare_point(line: &str) -> bool {
    let Some(rest) = line.strip_prefix(['-', '*', '+']) else { return false };
    ["", "[]", "[ ]", "[x]", "[X]"].contains(&rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::testing::Dir;

    #[test]
    fn i13_2_a_file_without_a_task_is_empty() {
        let new = include_str!("../workspace/HEARTBEAT.md");
        let earlier = format!("# Heartbeat\n\n{EARLIER}\n");
        for empty in [
            "",
            "\n\n",
            "# Heartbeat",
            "#",
            "## A\n\n### B\n",
            "- \n* [ ]\n+\n- [x]\n- []",
            "\t\r\n# x\r\n",
            new,
            &earlier,
        ] {
            assert!(is_empty(empty), "{empty}");
        }
        for task in [
            "look",
            "#look",
            "- look",
            "- [ ] look",
            "# x\nlook",
            "1.",
            "<!-- -->",
            "-- ",
            &format!("{earlier}look\n"),
        ] {
            assert!(!is_empty(task), "{task}");
        }
    }

    #[test]
    fn i13_2_a_missing_file_is_one_only_where_a_workspace_was_set_up() {
        let dir = Dir::new();
        let text = serde_json::json!({"agents": {"defaults": {"workspace": dir.path("w")}}}).to_string();
        dir.write("openclaw.json", &text);
        let mut env = dir.env(&[]);
        let config = Config::load(&mut env).unwrap();
        let agents = Agents::of(&config, &env);
        let place = agents.workspace("main");
        let standing = || standing(&agents, "main");
        assert_eq!(standing(), Standing::Bare);
        std::fs::create_dir_all(&place).unwrap();
        assert_eq!(standing(), Standing::Bare);
        std::fs::write(place.join("AGENTS.md"), "x").unwrap();
        assert_eq!(standing(), Standing::Missing);
        std::fs::write(place.join(FILE), "# Heartbeat\n").unwrap();
        assert_eq!(standing(), Standing::Empty);
        std::fs::write(place.join(FILE), "- look at the cellar\n").unwrap();
        assert_eq!(standing(), Standing::Tasks);
    }
}
