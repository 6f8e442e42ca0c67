//! What a command finds around itself: its variables, its walls, its own directory.
use super::skilled::Skilled;
use super::wish::{Wish, path};
use super::{number, setting, texts, workspace};
use crate::approvals::Rules;
use crate::approvals::judge::Place;
use crate::approvals::words::Part;
use crate::approvals::{judge, words};
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::processes::cage::{self, Walls};
use crate::processes::{Plan, Process, list};
use crate::tools::Context;
use crate::{files, ids};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Of the gateway's variables those that say who and where it is.
const VARIABLES: &[&str] = &["LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME"];
/// Those that say how the network is reached; one with a password in it is not handed on.
const PROXIES: &[&str] = &["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
const SHELLS: &[&str] = &["/bin/bash", "/usr/bin/bash", "/bin/sh"];

pub struct Surroundings {
    pub path: Vec<PathBuf>,
    writable: Vec<PathBuf>,
    safe: Vec<String>,
    skilled: Skilled,
    /// Programs that run unasked as skills need them.
    allowed: Vec<String>,
    /// The owner wants commands to run as the gateway does.
    is_off: bool,
}

impl Surroundings {
    pub fn of(context: &Context, rules: &Rules) -> Surroundings {
        let env = &context.settings.env;
        let also = texts(context, "sandbox.write").into_iter().map(|dir| env.expand(&dir));
        let writable: Vec<PathBuf> = std::iter::once(workspace(context)).chain(also).collect();
        let safe = setting(context, "safeBins").and_then(Value::as_array).map(|_| texts(context, "safeBins"));
        let skilled = Skilled::default();
        Surroundings {
            path: path(context, &writable),
            safe: judge::safe_names(safe),
            allowed: if rules.allows_skills { skilled.programs(context) } else { Vec::new() },
            skilled,
            is_off: setting(context, "sandbox.mode").and_then(Value::as_str) == Some("off"),
            writable,
        }
    }

    /// Whether a command is shut in, or is not to be.
    pub fn is_shut_in(&self) -> bool {
        self.is_off || cage::is_possible()
    }

    /// What is said of it to who allows commands.
    pub fn sandbox(&self) -> &'static str {
        match (self.is_off, cage::is_possible()) {
            (true, _) => "off",
            (false, true) => "on",
            (false, false) => "not possible on this kernel",
        }
    }

    pub fn place<'a>(&'a self, context: &'a Context, wish: &'a Wish) -> Place<'a> {
        let home = &context.settings.env.home;
        Place {
            cwd: &wish.cwd,
            path: &self.path,
            home,
            writable: &self.writable,
            safe: &self.safe,
            skilled: &self.allowed,
        }
    }

    /// What is to be started: the text by a shell, or what the rules have read of it.
    pub fn plan(
        &self,
        context: &Context,
        wish: &Wish,
        judged: Option<&[Part]>,
        then: Box<dyn FnOnce(&Process) + Send>,
    ) -> Result<Plan> {
        let env = &context.settings.env;
        let temp = list::dir(&env.state_dir).join(ids::uuid()?);
        let shell = SHELLS.iter().find(|shell| Path::new(shell).exists()).copied().unwrap_or("/bin/sh");
        let by_shell = |text: &str| [shell, "-c", text].iter().map(|word| word.to_string()).collect();
        let words = match judged {
            None => by_shell(&wish.command),
            Some([(_, words)]) => words.clone(),
            Some(parts) => by_shell(&words::line(parts)),
        };
        let walls = (!self.is_off && cage::is_possible()).then(|| self.walls(context));
        let has_network = walls.as_ref().is_none_or(|walls| walls.has_network);
        Ok(Plan {
            agent: context.agent.clone(),
            session: context.session_key.clone(),
            command: wish.command.clone(),
            words,
            cwd: wish.cwd.clone(),
            dir: None,
            env: self.variables(context, wish, shell, walls.is_some().then_some(temp.as_path()), has_network),
            has_terminal: wish.has_terminal,
            has_input: wish.is_background,
            is_split: false,
            timeout: wish.timeout,
            walls,
            temp,
            then,
        })
    }

    fn variables(
        &self,
        context: &Context,
        wish: &Wish,
        shell: &str,
        shut_in: Option<&Path>,
        has_network: bool,
    ) -> Vec<(String, String)> {
        let env = &context.settings.env;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let path: Vec<String> = self.path.iter().map(|dir| text(dir)).collect();
        let mut all = vec![("PATH".to_string(), path.join(":")), ("SHELL".to_string(), shell.to_string())];
        // A home that it cannot read would fail many programs.
        all.push(("HOME".to_string(), text(shut_in.unwrap_or(&env.home))));
        all.extend(shut_in.map(|temp| ("TMPDIR".to_string(), text(temp))));
        let kept = |name: &&'static str| Some((name.to_string(), env.var(name)?.to_string()));
        all.extend(VARIABLES.iter().filter_map(kept));
        if has_network {
            all.extend(PROXIES.iter().filter_map(kept).filter(|(_, value)| !value.contains('@')));
        }
        let kept = self.skilled.variables(context).into_iter();
        all.extend(kept.filter(|(name, _)| wish.env.iter().all(|(set, _)| set != name)));
        all.extend(wish.env.iter().cloned());
        all
    }

    fn walls(&self, context: &Context) -> Walls {
        let env = &context.settings.env;
        let named = texts(context, "sandbox.read").into_iter().map(|dir| env.expand(&dir));
        let read = named.chain([env.state_dir.join("skills")]);
        let mut hidden = vec![env.state_dir.clone(), env.config_path.clone(), env.home.join(".openclaw")];
        hidden.extend([".ssh", ".gnupg", ".aws", ".netrc"].map(|name| env.home.join(name)));
        // Where the home itself is a workspace, what programs keep there is not a part of it.
        let home = files::real(&env.home);
        if self.writable.iter().any(|dir| home.starts_with(files::real(dir))) {
            hidden.extend(dotted(&home));
        }
        named_files(context.config.whole(), &mut |text| {
            hidden.extend(Some(env.expand(text)).filter(|path| path.is_file()))
        });
        Walls {
            // What the agent may always do to its own directory it may here, wherever that lies.
            write: self.writable.clone(),
            read: read.collect(),
            path: self.path.clone(),
            hidden,
            has_network: setting(context, "sandbox.network") == Some(&Value::Bool(true)),
        }
    }

    pub fn keeps_ms(context: &Context) -> u64 {
        number(context, "cleanupMs", 1_800_000).clamp(60_000, 3 * 3_600_000)
    }
}

fn dotted(home: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b".")).map(|e| e.path()).collect()
}

/// The files that a configuration names: keys, tokens, certificates.
fn named_files(value: &Value, found: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) if text.starts_with('/') || text.starts_with("~/") => found(text),
        Value::Array(list) => list.iter().for_each(|value| named_files(value, found)),
        Value::Object(map) => map.values().for_each(|value| named_files(value, found)),
        _ => {}
    }
}

/// The original's sandboxes are containers; without an engine for them it would run everything on the host. And walls around
/// a command that may write everywhere are none: no program would be left that it may start.
pub fn check(config: &Config, env: &Env) -> Result<()> {
    let agents = config.get("agents.list").and_then(Value::as_array).into_iter().flatten().enumerate();
    let agents = agents.map(|(at, agent)| {
        let own = agent.pointer("/tools/exec/sandbox/write");
        (format!("agents.list[{at}]"), agent.pointer("/sandbox/mode"), own)
    });
    let general = ("agents.defaults".to_string(), config.get("agents.defaults.sandbox.mode"), None);
    let tools = (String::new(), None, config.get("tools.exec.sandbox.write"));
    for (place, mode, written) in [general, tools].into_iter().chain(agents) {
        if let Some(mode) = mode.and_then(Value::as_str).filter(|mode| *mode != "off") {
            let text = format!(
                "{place}.sandbox.mode is \"{mode}\", and this version has no container engine: set it to \"off\"; commands of agents are shut in by the kernel all the same (tools.exec.sandbox, docs/exec.md)"
            );
            return Err(Error::config(text));
        }
        let mut written = written.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        if written.any(|path| files::real(&env.expand(path.trim())) == Path::new("/")) {
            let place = if place.is_empty() { place } else { format!("{place}.") };
            let text = format!(
                "{place}tools.exec.sandbox.write names the whole machine, so that commands could change every program that they start: name the directories that they are to write, or set tools.exec.sandbox.mode to \"off\""
            );
            return Err(Error::config(text));
        }
    }
    Ok(())
}
