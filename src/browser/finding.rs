//! Which browser is here: the one that the configuration names, the desktop's, or the first of those that are usually there.
//! Looks at files, on the thread of whoever asks.
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Programs, best known first, with the kind that clients know them by.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("chrome", &["/usr/bin/google-chrome", "/usr/bin/google-chrome-stable", "/usr/bin/chrome"]),
    (
        "brave",
        &["/usr/bin/brave-browser", "/usr/bin/brave-browser-stable", "/usr/bin/brave", "/snap/bin/brave"],
    ),
    ("edge", &["/usr/bin/microsoft-edge", "/usr/bin/microsoft-edge-stable"]),
    (
        "chromium",
        &[
            "/usr/bin/chromium",
            "/usr/bin/chromium-browser",
            "/snap/bin/chromium",
            "/usr/lib/chromium/chromium",
            "/usr/local/bin/chromium",
            "/usr/local/bin/chrome",
        ],
    ),
];
/// Words in the name of a desktop entry that tell a kind.
const NAMES: &[(&str, &str)] =
    &[("google-chrome", "chrome"), ("brave", "brave"), ("edge", "edge"), ("chromium", "chromium")];
const DESKTOP: &str = "text/html";
const KEY: &str = "browser.executablePath";

#[derive(Debug, Clone)]
pub struct Found {
    pub kind: &'static str,
    pub path: PathBuf,
}

/// The browser that would be started; an error names what helps.
pub fn find(config: &Config, env: &Env) -> Result<Found> {
    if let Some(named) = config.str(KEY).filter(|path| !path.trim().is_empty()) {
        let path = env.expand(named.trim());
        return match runs(&path) {
            Ok(()) => Ok(Found { kind: "custom", path }),
            Err(why) => Err(Error::unavailable(format!("{KEY} {why}: {}", path.display()))),
        };
    }
    let usual =
        PROGRAMS.iter().flat_map(|(kind, paths)| paths.iter().map(|path| (*kind, PathBuf::from(path))));
    let usual = usual.map(|(kind, path)| Found { kind, path });
    desktop(env).into_iter().chain(usual).find(|found| runs(&found.path).is_ok()).ok_or_else(|| {
        Error::unavailable(format!(
            "no browser is installed here: install Chromium (Debian, Ubuntu, Alpine: package chromium), Chrome, Brave or Edge, or name one in {KEY}"
        ))
    })
}

/// Why a file cannot be started, if it cannot.
fn runs(path: &Path) -> std::result::Result<(), &'static str> {
    match std::fs::metadata(path) {
        Ok(file) if !file.is_file() => Err("is no file"),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => Err("cannot be executed (chmod +x)"),
        Ok(_) => Ok(()),
        Err(_) => Err("not found"),
    }
}

/// The one that the desktop opens pages with, if it is of a kind that can be driven: as `mimeapps.list` says, which is what
/// `xdg-settings` reads.
fn desktop(env: &Env) -> Option<Found> {
    let lists = [env.home.join(".config/mimeapps.list"), PathBuf::from("/etc/xdg/mimeapps.list")];
    let entry = lists.iter().find_map(|list| {
        let text = crate::files::read_lossy(list).ok()?;
        let line =
            text.lines().find_map(|line| line.strip_prefix(DESKTOP)?.trim_start().strip_prefix('='))?;
        Some(line.split(';').next()?.trim().to_string())
    })?;
    let kind = NAMES.iter().find(|(word, _)| entry.contains(word)).map(|(_, kind)| *kind)?;
    if entry.contains('/') {
        return None;
    }
    let dirs = [
        env.home.join(".local/share/applications"),
        "/usr/local/share/applications".into(),
        "/usr/share/applications".into(),
        "/var/lib/snapd/desktop/applications".into(),
    ];
    let text = dirs.iter().find_map(|dir| crate::files::read_lossy(&dir.join(&entry)).ok())?;
    let exec = text.lines().find_map(|line| line.strip_prefix("Exec="))?;
    let program = exec.split_whitespace().find(|word| word.starts_with('/'))?;
    Some(Found { kind, path: PathBuf::from(program.trim_matches('"')) })
}
