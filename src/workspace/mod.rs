//! An agent's workspace on disk: where it may lie, the texts it starts with.
//!
//! For the threads of connections and the command line. A workspace asked for over the wire lies inside the user's
//! home or the state directory, apart from what the gateway keeps for itself there, and no link leads to it
//! (SEC-13). What exists is never overwritten.
pub mod beneath;
pub mod links;

use crate::config::channels;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
use rustix::io::Errno;
use std::path::{Component, Path, PathBuf};

/// The texts a new workspace starts with.
const TEXTS: [(&str, &str); 6] = [
    ("AGENTS.md", include_str!("AGENTS.md")),
    ("SOUL.md", include_str!("SOUL.md")),
    ("TOOLS.md", include_str!("TOOLS.md")),
    ("IDENTITY.md", include_str!("IDENTITY.md")),
    ("USER.md", include_str!("USER.md")),
    ("HEARTBEAT.md", include_str!("HEARTBEAT.md")),
];

/// The files that tell an agent about itself and its owner, in the order in which it reads them.
pub const PERSONA: [&str; 7] =
    ["AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md", "BOOTSTRAP.md", "MEMORY.md"];
/// What it reads when it is woken.
pub const HEARTBEAT: &str = "HEARTBEAT.md";

/// Directories of the state directory that hold what no agent is to read or change: no workspace lies there, and one that
/// holds them or lies in one of them all the same has none of their files.
pub fn reserved() -> impl Iterator<Item = &'static str> {
    RESERVED.iter().copied().chain(channels::folders())
}

const RESERVED: &[&str] = &[
    "agents",
    "channels",
    "credentials",
    "cron",
    "device-auth",
    "devices",
    "extensions",
    "gateway",
    "hooks",
    "identity",
    "logs",
    "nodes",
    "pairing",
    "plugins",
    "settings",
    "subagents",
    "trash",
];

/// Adds those texts that are missing; gives their names. The directory must exist.
pub fn fill(dir: &Path) -> Result<Vec<&'static str>> {
    let mut created = Vec::new();
    for (name, text) in TEXTS {
        // A link counts as existing, wherever it leads.
        if std::fs::symlink_metadata(dir.join(name)).is_err() {
            beneath::write(dir, Path::new(name), text.as_bytes())?;
            created.push(name);
        }
    }
    Ok(created)
}

/// Refuses a directory outside of the home in which somebody keeps other things, such as `/etc`: an agent's texts would
/// lie among them, and it could change them all.
pub fn check_unused(env: &Env, dir: &Path) -> Result<()> {
    let is_theirs = || TEXTS.iter().any(|(name, _)| std::fs::symlink_metadata(dir.join(name)).is_ok());
    let holds_more = || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if base(env, dir).is_some() || is_theirs() || !holds_more() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "workspace {0} holds other files and is outside of your home; name an empty directory, or say that an agent may work there: touch {1}",
        dir.display(),
        env.pasted(&dir.join("AGENTS.md"))
    )))
}

/// The path that `text` asks for, if a workspace may lie there. Only names are looked at.
pub fn allowed(env: &Env, text: &str) -> Result<PathBuf> {
    inside(env, text).map_err(|why| refusal(env, text, why))
}

fn inside(env: &Env, text: &str) -> std::result::Result<PathBuf, &'static str> {
    let dir = judged(env, text)?;
    base(env, &dir).map(|_| ()).ok_or("is not inside the user's home or the state directory")?;
    Ok(dir)
}

fn refusal(env: &Env, text: &str, why: &str) -> Error {
    Error::invalid(format!(
        "workspace {} {why}; name a directory of its own below {} or {}",
        crate::logging::quoted(text.trim()),
        env.home.display(),
        env.state_dir.display()
    ))
}

/// The same for a person at the shell, who may choose any place but those that are the gateway's own.
pub fn chosen(env: &Env, text: &str) -> Result<PathBuf> {
    judged(env, text).map_err(|why| refusal(env, text, why))
}

/// The path that is meant, or why no workspace may lie there.
fn judged(env: &Env, text: &str) -> std::result::Result<PathBuf, &'static str> {
    let dir = env.expand(text.trim());
    if !dir.is_absolute() {
        return Err("is not an absolute path");
    }
    if dir.components().any(|part| matches!(part, Component::ParentDir)) {
        return Err("has .. in it");
    }
    // Without doubled slashes, dots and a slash at the end.
    let dir: PathBuf = dir.components().collect();
    if dir.as_os_str().as_encoded_bytes().iter().any(|b| *b < b' ') {
        return Err("holds control characters");
    }
    match () {
        () if env.state_dir.starts_with(&dir) || env.config_path.starts_with(&dir) => {
            Err("holds the gateway's own files")
        }
        () if dir.strip_prefix(&env.state_dir).is_ok_and(is_reserved) => {
            Err("is where the gateway keeps its own files")
        }
        () => Ok(dir),
    }
}

/// The same for one that is asked for over the wire, by somebody who need not be on the host: below `workspace*` in the
/// state directory, or where one of those `named` is already, not by a link, and not in a hidden directory of the home, where programs
/// of the user look for their settings.
pub fn allowed_from_afar(env: &Env, named: &[PathBuf], text: &str) -> Result<PathBuf> {
    let dir = inside(env, text).map_err(|why| far_refusal(env, text, why))?;
    let parts = |base: &Path| {
        let rest = dir.strip_prefix(base).ok()?;
        Some(
            rest.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>(),
        )
    };
    let is_ours = |base: &Path| {
        parts(base).is_some_and(|parts| {
            parts.first().is_some_and(|first| first.starts_with("workspace"))
                && !parts.iter().any(|part| part.starts_with('.'))
        })
    };
    let default = env.default_workspace();
    let is_hidden = parts(&env.home).is_some_and(|parts| parts.first().is_some_and(|p| p.starts_with('.')));
    let is_named = !is_hidden && named.iter().any(|named| dir.starts_with(named));
    if is_ours(&env.state_dir) || default.parent().is_some_and(is_ours) || is_named {
        // One that is somebody's already may be a link that its owner made; what is below it may not.
        let is_owners = |part: &&Path| is_named && named.iter().any(|named| named.starts_with(part));
        let mut way = dir.ancestors().take_while(|part| base(env, part).is_some());
        let is_link = |part: &Path| std::fs::symlink_metadata(part).is_ok_and(|it| it.is_symlink());
        return match way.any(|part| !is_owners(&part) && is_link(part)) {
            true => Err(far_refusal(env, text, "is a symbolic link, or has one on the way")),
            false => Ok(dir),
        };
    }
    Err(far_refusal(env, text, "cannot be chosen from afar"))
}

/// Names what somebody may choose who is not on the host, and how the rest is chosen there.
fn far_refusal(env: &Env, text: &str, why: &str) -> Error {
    let here = judged(env, text).map(|dir| env.pasted(&dir).to_string());
    let command = format!("agents add NAME --workspace {}", here.as_deref().unwrap_or("DIRECTORY"));
    Error::invalid(format!(
        "workspace {} {why}; name one below {}, or make the agent on the gateway's host: {}",
        crate::logging::quoted(text.trim()),
        env.state_dir.join("workspace-NAME").display(),
        env.command(&command)
    ))
}

/// The directory below which `dir` lies, and the rest of the way.
fn base<'d>(env: &Env, dir: &'d Path) -> Option<(PathBuf, &'d Path)> {
    let below = |base: &Path| {
        let rest = dir.strip_prefix(base).ok().filter(|rest| !rest.as_os_str().is_empty())?;
        Some((base.to_path_buf(), rest))
    };
    below(&env.state_dir).or_else(|| below(&env.home))
}

/// Whether this place in the state directory is the gateway's own.
fn is_reserved(rest: &Path) -> bool {
    let mut parts = rest.components().map(|part| part.as_os_str().to_string_lossy());
    let first = parts.next().unwrap_or_default();
    if first == "agents" {
        return !parts.nth(1).is_some_and(|third| third != "agent" && third != "sessions");
    }
    reserved().any(|name| name == first)
}

/// Makes the directory at a path that `allowed` or `chosen` gave, 0700 where it is missing; a link on the way is refused.
pub fn make(env: &Env, dir: &Path) -> Result<()> {
    let failed = |e: Errno| match e {
        Errno::LOOP | Errno::NOTDIR => Error::invalid(format!(
            "workspace {}: a symbolic link or a file is on the way there; name the directory itself",
            dir.display()
        )),
        e => Error::io(format_args!("create workspace {}", dir.display()), e.into()),
    };
    // A person chose a place of another kind.
    let Some((base, rest)) = base(env, dir) else { return files::private_dir(dir) };
    files::private_dir(&base)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = open(&base, flags, Mode::empty()).map_err(failed)?;
    for part in rest.components() {
        match mkdirat(&at, part.as_os_str(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(failed(e)),
        }
        at = openat(&at, part.as_os_str(), flags | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;
    use std::os::unix::fs::PermissionsExt;

    fn env(dir: &Path) -> Env {
        let home = dir.join("home").display().to_string();
        Env::from_vars([("HOME".to_string(), home)], None).unwrap()
    }

    #[test]
    fn a_workspace_is_filled_once_and_own_texts_stay() {
        let dir = TestDir::new();
        std::fs::write(dir.0.join("SOUL.md"), "mine").unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.0.join("USER.md")).unwrap();
        assert_eq!(fill(&dir.0).unwrap().len(), TEXTS.len() - 2);
        assert!(fill(&dir.0).unwrap().is_empty());
        assert_eq!(std::fs::read_to_string(dir.0.join("SOUL.md")).unwrap(), "mine");
        assert!(TEXTS.iter().map(|(_, text)| text.len()).sum::<usize>() < 6 << 10);
    }

    #[test]
    fn sec_13_where_a_workspace_may_lie() {
        let env = env(Path::new("/h"));
        for (path, want) in [
            ("~/agent", Some("/h/home/agent")),
            ("/h/home//agent/./x/", Some("/h/home/agent/x")),
            ("/h/home/.openclaw/workspace-two", Some("/h/home/.openclaw/workspace-two")),
            ("/h/home/.openclaw/agents/two/workspace", Some("/h/home/.openclaw/agents/two/workspace")),
            ("agent", None),
            ("", None),
            ("~", None),
            ("/h/home", None),
            ("/h/home/../../etc", None),
            ("/etc", None),
            ("/h/homes/x", None),
            ("/h/home/.openclaw", None),
            ("/h/home/.openclaw/identity", None),
            ("/h/home/.openclaw/credentials/x", None),
            ("/h/home/.openclaw/agents", None),
            ("/h/home/.openclaw/agents/main", None),
            ("/h/home/.openclaw/agents/main/sessions/x", None),
            ("/h/home/a\nb", None),
        ] {
            assert_eq!(allowed(&env, path).ok().as_deref(), want.map(Path::new), "{path:?}");
        }
    }

    #[test]
    fn s_h1_from_afar_no_directory_of_other_programs_is_a_workspace() {
        let env = env(Path::new("/h"));
        let named = [PathBuf::from("/h/home/ours"), PathBuf::from("/h/home/.config/ours")];
        for (path, want) in [
            ("~/.openclaw/workspace", true),
            ("~/.openclaw/workspace-two/x", true),
            ("~/ours", true),
            ("~/ours/two", true),
            ("~/two", false),
            ("~/oursx", false),
            ("~/.openclaw/workspace/.git", false),
            ("~/.openclaw/canvas", false),
            ("~/.config/ours", false),
            ("~/.ssh", false),
            ("~/.config/autostart", false),
            ("~/.config/systemd/user", false),
            ("~/.local/bin", false),
            ("~/bin", false),
            ("~/.aws", false),
            ("~/.docker", false),
        ] {
            assert_eq!(allowed_from_afar(&env, &named, path).is_ok(), want, "{path:?}");
        }
    }

    #[test]
    fn s_h1_from_afar_no_link_is_a_workspace() {
        let dir = TestDir::new();
        let env = env(&dir.0);
        let (home, state) = (dir.0.join("home"), dir.0.join("home/.openclaw"));
        for name in [home.join(".ssh"), home.join("real/x"), state.join("workspace/x")] {
            std::fs::create_dir_all(name).unwrap();
        }
        let link = |to: &str, at: PathBuf| std::os::unix::fs::symlink(home.join(to), at).unwrap();
        link(".ssh", state.join("workspace-link"));
        link(".ssh", state.join("workspace/in"));
        link("real", home.join("mine"));
        link(".ssh", home.join("real/out"));
        let named = [home.join("mine")];
        for (path, want) in [
            ("~/.openclaw/workspace-link", false),
            ("~/.openclaw/workspace-link/x", false),
            ("~/.openclaw/workspace/in", false),
            ("~/.openclaw/workspace/x", true),
            ("~/.openclaw/workspace/new/y", true),
            ("~/mine", true),
            ("~/mine/x", true),
            ("~/mine/out", false),
        ] {
            let found = allowed_from_afar(&env, &named, path);
            assert_eq!(found.is_ok(), want, "{path}");
        }
    }

    #[test]
    fn sec_13_no_link_on_the_way_is_followed() {
        let dir = TestDir::new();
        let env = env(&dir.0);
        let home = dir.0.join("home");
        make(&env, &home.join("a/b")).unwrap();
        make(&env, &home.join("a/b")).unwrap();
        assert_eq!(std::fs::metadata(home.join("a/b")).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::create_dir(dir.0.join("outside")).unwrap();
        std::os::unix::fs::symlink(dir.0.join("outside"), home.join("link")).unwrap();
        std::fs::write(home.join("file"), "x").unwrap();
        for path in ["link", "link/x", "file", "file/x"] {
            let error = make(&env, &home.join(path)).unwrap_err();
            assert!(error.message().contains("on the way"), "{path}: {error}");
        }
        assert_eq!(std::fs::read_dir(dir.0.join("outside")).unwrap().count(), 0);
    }
}
