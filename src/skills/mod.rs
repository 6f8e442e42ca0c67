//! Skills: folders that each hold a SKILL.md, which describes how to do one thing. Which there are, for whom, and where.
//!
//! They lie in the workspace, in the state directory (managed) and in `skills.load.extraDirs`; of two with one name the
//! first of these counts. Bounded in number and bytes; links are not followed (SEC-13). For threads of runs, tools and
//! connections and for the command line, never the state thread. Nothing is fetched or installed.
mod head;
mod needs;
mod status;

use crate::agents::{Agents, inside, own};
use crate::config::Config;
use crate::env::Env;
use crate::workspace::beneath;
pub use needs::{KINDS, all_missing, by_hand, programs};
use serde_json::Value;
pub use status::report;
use std::path::{Path, PathBuf};

/// In the workspace and in the state directory.
pub const FOLDER: &str = "skills";
const MAX_SKILLS: usize = 200;
/// Bytes of a SKILL.md that may hold its head.
const MAX_HEAD: u64 = 8 << 10;
const MAX_DESCRIPTION: usize = 300;
const MAX_NAME: usize = 64;
const MAX_DIRS: usize = 20;
const MAX_PROBLEMS: usize = 20;

pub struct Skill {
    pub name: String,
    /// Its name in `skills.entries`.
    pub key: String,
    pub description: String,
    pub source: &'static str,
    /// The directory that `path` is relative to, and how its owner names it.
    pub root: PathBuf,
    pub path: String,
    pub homepage: Option<String>,
    /// Its author keeps it from the model.
    pub is_hidden: bool,
    /// What its author says to this program; null if nothing.
    pub meta: Value,
    /// Why what it needs is not known.
    pub problem: Option<String>,
}

/// What there is, and what is left out and why.
#[derive(Default)]
pub struct Found {
    pub skills: Vec<Skill>,
    pub problems: Vec<(PathBuf, String)>,
}

const LINKED: &str = "it is a link, which is not followed here; put the file itself there";
/// Of a file that does not say what it is for, so that no agent would know when to read it.
const NAMELESS: &str =
    "it must begin with a line ---, then description: what the skill is for, then a line ---";

/// One directory of skills.
struct Place {
    source: &'static str,
    root: PathBuf,
    below: &'static str,
}

impl Skill {
    pub fn file(&self) -> PathBuf {
        self.root.join(&self.path)
    }

    /// The folder of the skill.
    pub fn dir(&self) -> PathBuf {
        self.file().parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// As the tool `read` takes it.
    pub fn shown(&self) -> String {
        match self.source {
            "openclaw-workspace" => self.path.clone(),
            _ => self.file().to_string_lossy().into_owned(),
        }
    }

    /// Whether the configuration leaves it on.
    pub fn is_on(&self, config: &Config) -> bool {
        self.setting(config, "enabled") != Some(&Value::Bool(false))
    }

    fn setting<'c>(&self, config: &'c Config, name: &str) -> Option<&'c Value> {
        config.get_in(&["skills", "entries", &self.key, name])
    }
}

/// All skills that an agent could have, by name.
pub fn find(agents: &Agents, agent: &str) -> Found {
    let mut found = Found::default();
    let places = places(agents, agent, &mut found.problems);
    for place in places {
        gather(agents, &place, &mut found);
    }
    found.problems.truncate(MAX_PROBLEMS);
    crate::order::by(&mut found.skills, |a, b| a.name.cmp(&b.name));
    found
}

/// Those that are for the model: switched on, nothing missing, and the agent may use them.
pub fn ready(agents: &Agents, agent: &str) -> Found {
    let mut found = find(agents, agent);
    found.skills.retain(|skill| {
        !skill.is_hidden && is_allowed(agents, agent, skill) && needs::is_ready(skill, agents, agent)
    });
    found
}

fn is_allowed(agents: &Agents, agent: &str, skill: &Skill) -> bool {
    let list = agents.entry(agent).and_then(|entry| entry.get("skills")?.as_array());
    list.is_none_or(|list| list.iter().any(|name| name.as_str() == Some(&*skill.name)))
}

/// Where a file of a skill outside of the workspace is that `path` names: a directory, and the way from it. Only skills
/// that are named to the agent.
pub fn elsewhere(agents: &Agents, agent: &str, path: &str) -> Option<(PathBuf, PathBuf)> {
    let path = agents.env().expand(path.trim());
    if !path.is_absolute() {
        return None;
    }
    let root = ready(agents, agent).skills.into_iter().find(|skill| path.starts_with(skill.dir()))?.root;
    let way = inside::relative(agents.config(), agents.env(), &root, path.to_str()?).ok()?;
    Some((root, way))
}

/// Whoever comes first counts.
fn places(agents: &Agents, agent: &str, problems: &mut Vec<(PathBuf, String)>) -> Vec<Place> {
    let env: &Env = agents.env();
    let mut places = vec![
        Place { source: "openclaw-workspace", root: agents.workspace(agent), below: FOLDER },
        Place { source: "openclaw-managed", root: env.state_dir.join(FOLDER), below: "" },
    ];
    let listed = agents.config().get_in(&["skills", "load", "extraDirs"]);
    if listed.is_some_and(|list| !list.is_array()) {
        problems.push(("skills.load.extraDirs".into(), "it is no list of folders".into()));
    }
    let dirs = listed.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let dirs = dirs.map(str::trim).filter(|dir| !dir.is_empty()).take(MAX_DIRS);
    let mut extra: Vec<Place> = Vec::new();
    for dir in dirs {
        let root = env.expand(dir);
        let wrong = match () {
            () if !root.is_absolute() => "give its whole path, from / or ~ on",
            () if !root.is_dir() => "there is no such folder",
            () => {
                extra.push(Place { source: "openclaw-extra", root, below: "" });
                continue;
            }
        };
        problems.push((root, format!("{wrong} (skills.load.extraDirs)")));
    }
    // Of these the last counts.
    places.extend(extra.into_iter().rev());
    places
}

/// The skills of one directory by the names of their folders; a folder without SKILL.md is none, and one whose SKILL.md does
/// not describe itself is a problem.
fn gather(agents: &Agents, place: &Place, found: &mut Found) {
    if place.below.is_empty() {
        tell_links(&place.root, &mut found.problems);
    }
    let folders = beneath::list(&place.root, Path::new(place.below)).unwrap_or_default();
    let is_fit = |name: &String| !name.starts_with('.') && !name.contains(char::is_control);
    for (folder, _) in folders.into_iter().filter(|(name, stat)| stat.is_dir && is_fit(name)) {
        if found.skills.len() >= MAX_SKILLS {
            return;
        }
        let skill = match read(agents, place, folder) {
            Ok(Some(skill)) => skill,
            Ok(None) => continue,
            Err((file, why)) => {
                found.problems.push((file, why.to_string()));
                continue;
            }
        };
        if let Some(problem) = &skill.problem {
            found.problems.push((skill.file(), problem.clone()));
        }
        if found.skills.iter().all(|other| other.name != skill.name) {
            found.skills.push(skill);
        }
    }
}

fn tell_links(root: &Path, problems: &mut Vec<(PathBuf, String)>) {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten().take(MAX_SKILLS);
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let why = "it is a link, which is not followed here; put the folder itself there, or the one that holds it into skills.load.extraDirs";
    problems.extend(links.map(|entry| (entry.path(), why.to_string())));
}

/// A file, and why it describes no skill.
type Problem = (PathBuf, &'static str);

/// The skill of a folder; a file that says too little to be one as the error.
fn read(agents: &Agents, place: &Place, folder: String) -> std::result::Result<Option<Skill>, Problem> {
    let path = Path::new(place.below).join(&folder).join("SKILL.md");
    let (config, env) = (agents.config(), agents.env());
    let Some(shown) = path.to_str() else { return Ok(None) };
    // A further folder may be a directory that holds the gateway's own.
    if place.source == "openclaw-extra" && inside::relative(config, env, &place.root, shown).is_err() {
        return Ok(None);
    }
    let Some(bytes) = own::read(config, env, &place.root, &path, MAX_HEAD).ok().flatten() else {
        let file = place.root.join(&path);
        return if file.is_symlink() { Err((file, LINKED)) } else { Ok(None) };
    };
    let skill = told(place, folder, shown, &String::from_utf8_lossy(&bytes));
    skill.map(Some).ok_or_else(|| (place.root.join(&path), NAMELESS))
}

/// What a SKILL.md says of itself.
fn told(place: &Place, folder: String, path: &str, text: &str) -> Option<Skill> {
    let member = |name: &str| head::member(text, name);
    let description = one_line(&member("description")?, MAX_DESCRIPTION);
    let name = one_line(&member("name").unwrap_or(folder), MAX_NAME);
    let (meta, problem) = match head::metadata(text) {
        Ok(meta) => (meta, None),
        Err(problem) => (Value::Null, Some(problem)),
    };
    let said =
        |name: &str| meta.get(name).and_then(Value::as_str).map(|text| one_line(text, MAX_DESCRIPTION));
    let key = said("skillKey").filter(|key| !key.is_empty()).unwrap_or_else(|| name.clone());
    let homepage = said("homepage").or_else(|| Some(one_line(&member("homepage")?, MAX_DESCRIPTION)));
    let is_hidden = member("disable-model-invocation").is_some_and(|said| is_yes(&said));
    let (source, root, path) = (place.source, place.root.clone(), path.to_string());
    let skill = Skill { name, key, description, source, root, path, homepage, is_hidden, meta, problem };
    (!skill.description.is_empty() && !skill.name.is_empty()).then_some(skill)
}

fn is_yes(said: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|yes| said.eq_ignore_ascii_case(yes))
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
