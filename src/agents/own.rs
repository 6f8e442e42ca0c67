//! Files of a workspace, read and written so that none of the gateway's own comes out under another name.
//!
//! For the threads of tools, turns and connections. `beneath` keeps paths inside the workspace and follows no link;
//! here hard links are told from other files: one that is also a file of the state directory (outside of workspaces),
//! of the configuration or of its keys is refused, whatever it is called (SEC-42). Only a file with more than one
//! name costs a search. Besides, the texts an agent is made of may be links that the owner made (`persona`).
use crate::agents::Agents;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::workspace::beneath;
use rustix::fs::OFlags;
use serde_json::Value;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::{DirEntryExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Entries of the gateway's directories that are compared; with more of them a file of several names is refused.
const MOST: usize = 200_000;
const DEPTH: usize = 12;

/// Reads at most `max` bytes of a regular file of the workspace `dir`; `None` when there is none of that name.
pub fn read(config: &Config, env: &Env, dir: &Path, relative: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    let Some(file) = open(config, env, dir, relative)? else { return Ok(None) };
    taken(file, max).map(Some).map_err(|e| Error::io(format_args!("read {}", relative.display()), e))
}

/// The same, open for reading.
pub fn open(config: &Config, env: &Env, dir: &Path, relative: &Path) -> Result<Option<File>> {
    let Some(file) = beneath::open_file(dir, relative)? else { return Ok(None) };
    let found = file.metadata().map_err(|e| Error::io(format_args!("read {}", relative.display()), e))?;
    refuse(config, env, &found, relative)?;
    Ok(Some(file))
}

/// Whether a folder is, or holds, where the gateway's own files lie: such a one is shown to nobody.
pub fn is_around(config: &Config, env: &Env, dir: &Path) -> bool {
    let Ok(dir) = std::fs::canonicalize(dir) else { return false };
    let mut own = config.files().into_iter().chain([env.config_path.clone(), env.state_dir.clone()]);
    own.any(|path| std::fs::canonicalize(path).is_ok_and(|path| path.starts_with(&dir)))
}

/// Refuses a path that leads to a file of the gateway's own.
pub fn check(config: &Config, env: &Env, dir: &Path, relative: &Path) -> Result<()> {
    match std::fs::symlink_metadata(dir.join(relative)) {
        Ok(found) => refuse(config, env, &found, relative),
        // What is not there is nobody's.
        Err(_) => Ok(()),
    }
}

fn refuse(config: &Config, env: &Env, found: &Metadata, relative: &Path) -> Result<()> {
    if found.is_file() && found.nlink() > 1 && is_own(config, env, found) {
        return Err(Error::invalid(format!(
            "{} is another name of a file that belongs to the gateway: it is neither read nor written here",
            relative.display()
        )));
    }
    Ok(())
}

fn taken(file: File, max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One of the texts an agent is made of. A link is followed where whoever runs the gateway, or root, made it and it
/// leads to a Markdown or text file that is not the gateway's own. Commands of the agent run as that user too: what is
/// not root's leads only to where the configuration says that agents may read.
pub fn persona(config: &Config, env: &Env, dir: &Path, name: &str, max: u64) -> Result<Option<Vec<u8>>> {
    let path = dir.join(name);
    match std::fs::symlink_metadata(&path) {
        Ok(link) if link.is_symlink() => linked(config, env, &path, link.uid(), max).map(Some),
        _ => read(config, env, dir, Path::new(name), max),
    }
}

fn linked(config: &Config, env: &Env, path: &Path, maker: u32, max: u64) -> Result<Vec<u8>> {
    let name = path.file_name().unwrap_or_default().display();
    let refused = |why: &str| Error::invalid(format!("{name} is a link {why}; put the file itself there"));
    if maker != 0 && maker != rustix::process::geteuid().as_raw() {
        return Err(refused("that another user made"));
    }
    let target =
        std::fs::canonicalize(path).map_err(|_| refused("that leads nowhere, or to what cannot be read"))?;
    let end = target.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    if !["md", "markdown", "txt"].contains(&end.as_str()) {
        return Err(refused("to a file that is neither Markdown nor .txt"));
    }
    let state = files::real(&env.state_dir);
    let is_kept = target.strip_prefix(&state).is_ok_and(|rest| !rest.iter().any(is_workspace));
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    // Root's word counts where commands do not run as root.
    let is_of_root = maker == 0 && !rustix::process::geteuid().is_root();
    if !is_of_root && !readable(config, env, path).iter().any(|dir| target.starts_with(dir)) {
        return Err(refused("out of the workspaces and of the folders that skills.load.extraDirs names"));
    }
    let file = File::options().read(true).custom_flags(flags).open(&target);
    let file = file.map_err(|e| Error::io(format_args!("read {name}, a link to {}", target.display()), e))?;
    let found = file.metadata().map_err(|e| Error::io(format_args!("read {name}"), e))?;
    if !found.is_file() {
        return Err(refused("to what is no regular file"));
    }
    if is_kept || (found.nlink() > 1 && is_own(config, env, &found)) {
        return Err(refused("to a file of the gateway's own"));
    }
    taken(file, max).map_err(|e| Error::io(format_args!("read {name}"), e))
}

/// The folder that the link is in, all workspaces, and the folders of skills.
fn readable(config: &Config, env: &Env, link: &Path) -> Vec<PathBuf> {
    let extra = config.get("skills.load.extraDirs").and_then(Value::as_array).into_iter().flatten();
    let extra = extra.filter_map(Value::as_str).map(str::trim).filter(|dir| !dir.is_empty());
    let mut dirs = Agents::of(config, env).workspaces();
    dirs.extend(extra.map(|dir| env.expand(dir)).filter(|dir| dir.is_absolute()));
    dirs.extend(link.parent().map(Path::to_path_buf));
    dirs.iter().map(|dir| files::real(dir)).collect()
}

fn is_workspace(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"workspace")
}

/// Whether a file is one of the gateway's own by another name.
fn is_own(config: &Config, env: &Env, found: &Metadata) -> bool {
    let is_it = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|other| (other.dev(), other.ino()) == (found.dev(), found.ino()))
    };
    let agents = Agents::of(config, env);
    let providers = config.get("models.providers").and_then(Value::as_object).into_iter().flatten();
    let keys = providers.filter_map(|(_, provider)| provider.get("apiKeyFile")?.as_str());
    let own = ["gateway.tls.keyPath", "gateway.auth.tokenFile", "gateway.auth.passwordFile"];
    let named = keys.chain(own.into_iter().filter_map(|key| config.str(key)));
    let named = named.map(|path| env.expand(path)).chain(config.files()).chain([env.config_path.clone()]);
    if named.collect::<Vec<PathBuf>>().iter().any(|path| is_it(path)) {
        return true;
    }
    let ids = agents.ids();
    let stores = ids.iter().filter_map(|id| agents.session_store(id).parent().map(Path::to_path_buf));
    let mut roots = vec![env.state_dir.clone()];
    roots.extend(stores.filter(|dir| !dir.starts_with(&env.state_dir)));
    let mut left = MOST;
    roots.iter().any(|root| holds(root, (found.dev(), found.ino()), DEPTH, &mut left))
}

/// Whether a directory holds the file, workspaces in it left out; also when it is too large to tell.
fn holds(dir: &Path, file: (u64, u64), depth: usize, left: &mut usize) -> bool {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return true;
        }
        // The number alone says no; yes needs the device too.
        if entry.ino() == file.1 && entry.metadata().is_ok_and(|found| (found.dev(), found.ino()) == file) {
            return true;
        }
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir
            && !is_workspace(&entry.file_name())
            && (depth == 0 || holds(&entry.path(), file, depth - 1, left))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use std::os::unix::fs::symlink;

    fn at(dir: &Dir) -> (Config, Env) {
        let mut env = dir.env(&[]);
        (Config::inspect(&mut env), env)
    }

    #[test]
    fn s_l13_hard_links_to_the_gateways_own_files_are_not_read() {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            "{models: {providers: {p: {baseUrl: 'http://h/v1', apiKeyFile: '${HOME}/key'}}}}",
        );
        let other = Dir::new();
        other.write("plain", "x");
        let (config, env) = at(&dir);
        let workspace = env.state_dir.join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        let own = [
            "devices/paired.json",
            "identity/device.json",
            ".env",
            "agents/main/agent/auth-profiles.json",
            "agents/main/sessions/a.jsonl",
            "openclaw.json.bak",
        ];
        for (n, name) in own.iter().enumerate() {
            let path = env.state_dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "secret").unwrap();
            let link = format!("{n}.md");
            std::fs::hard_link(&path, workspace.join(&link)).unwrap();
            let error = read(&config, &env, &workspace, Path::new(&link), 99).unwrap_err();
            assert!(error.message().contains("belongs to the gateway"), "{name}: {error}");
            assert!(check(&config, &env, &workspace, Path::new(&link)).is_err(), "{name}");
            assert!(persona(&config, &env, &workspace, &link, 99).is_err(), "{name}");
        }
        std::fs::hard_link(other.path("plain"), workspace.join("plain.md")).unwrap();
        std::fs::hard_link(workspace.join("plain.md"), workspace.join("again.md")).unwrap();
        assert_eq!(read(&config, &env, &workspace, Path::new("again.md"), 99).unwrap().unwrap(), b"x");
        assert!(read(&config, &env, &workspace, Path::new("none.md"), 99).unwrap().is_none());
    }

    #[test]
    fn b_f37_links_of_the_owner_are_followed_to_plain_texts_only() {
        let dir = Dir::new();
        let other = Dir::new();
        let vault = other.path("vault");
        let config = serde_json::json!({"skills": {"load": {"extraDirs": [vault]}}});
        dir.write("openclaw.json", &config.to_string());
        other.write("vault/AGENTS.md", "mine");
        other.write("vault/key", "secret");
        // A command of the agent can make links as well, and shall read nothing by them.
        other.write("passwords.txt", "secret");
        other.write("vault-of-others/AGENTS.md", "secret");
        symlink(other.path("passwords.txt"), other.path("vault/out.md")).unwrap();
        let (config, env) = at(&dir);
        let workspace = env.state_dir.join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::write(workspace.join("notes.md"), "own").unwrap();
        std::fs::create_dir_all(env.state_dir.join("devices")).unwrap();
        std::fs::write(env.state_dir.join("devices/notes.md"), "secret").unwrap();
        std::fs::hard_link(env.state_dir.join("devices/notes.md"), other.path("vault/hard.md")).unwrap();
        for (target, want) in [
            (other.path("vault/AGENTS.md"), Some("mine")),
            (workspace.join("notes.md"), Some("own")),
            (other.path("passwords.txt"), None),
            (other.path("vault-of-others/AGENTS.md"), None),
            (other.path("vault/out.md"), None),
            (other.path("vault/key"), None),
            (other.path("vault/hard.md"), None),
            (env.state_dir.join("devices/notes.md"), None),
            (other.path("vault"), None),
            (other.path("nowhere.md"), None),
            (env.config_path.clone(), None),
        ] {
            let link = workspace.join("AGENTS.md");
            // The first time there is none.
            let _ = std::fs::remove_file(&link);
            symlink(&target, &link).unwrap();
            let got = persona(&config, &env, &workspace, "AGENTS.md", 99);
            match want {
                Some(text) => assert_eq!(got.unwrap().unwrap(), text.as_bytes()),
                None => assert!(got.unwrap_err().message().contains("AGENTS.md is a link"), "{target:?}"),
            }
        }
        symlink(other.path("vault/hard.md"), other.path("vault/soul.md")).unwrap();
        assert!(persona(&config, &env, &other.path("vault"), "soul.md", 99).is_err());
    }
}
