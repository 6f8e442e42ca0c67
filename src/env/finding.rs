//! Where the home, the state and the configuration are, by the variables and what is there.
use super::Env;
use crate::error::{Error, Result};
use std::path::PathBuf;

impl Env {
    pub(super) fn find_home(&self) -> Result<PathBuf> {
        let os_home = self.var("HOME").or_else(|| self.var("USERPROFILE"));
        let home = match (self.var("OPENCLAW_HOME"), os_home) {
            (Some(own), Some(os)) if own.starts_with('~') => PathBuf::from(own.replacen('~', os, 1)),
            (Some(own), _) => PathBuf::from(own),
            (None, Some(os)) => PathBuf::from(os),
            // Who says where the state lies needs no home, as in a container.
            (None, None) => match self.var_or_legacy("OPENCLAW_STATE_DIR").map(str::trim) {
                Some(dir) if !dir.starts_with('~') => PathBuf::from(dir),
                _ => {
                    return Err(Error::config(
                        "no home directory: set HOME or OPENCLAW_HOME, or OPENCLAW_STATE_DIR, to an absolute path of UTF-8 text",
                    ));
                }
            },
        };
        Ok(std::path::absolute(&home).unwrap_or(home))
    }

    pub(super) fn find_state_dir(&self) -> PathBuf {
        if let Some(dir) = self.var_or_legacy("OPENCLAW_STATE_DIR") {
            let dir = self.expand(dir.trim());
            return std::path::absolute(&dir).unwrap_or(dir);
        }
        if let Some(profile) = &self.profile {
            return self.home.join(format!(".openclaw-{profile}"));
        }
        let own = self.home.join(".openclaw");
        if own.exists() {
            return own;
        }
        LEGACY_STATE_DIRS.iter().map(|name| self.home.join(name)).find(|dir| dir.exists()).unwrap_or(own)
    }

    pub(super) fn find_config_path(&self) -> PathBuf {
        if let Some(path) = self.var_or_legacy("OPENCLAW_CONFIG_PATH") {
            let path = self.expand(path.trim());
            return std::path::absolute(&path).unwrap_or(path);
        }
        let own = self.state_dir.join("openclaw.json");
        let legacy = LEGACY_CONFIG_FILES.iter().map(|name| self.state_dir.join(name));
        std::iter::once(own.clone()).chain(legacy).find(|path| path.exists()).unwrap_or(own)
    }
}

/// State directories of earlier product names, used when `~/.openclaw` does not exist.
pub(super) const LEGACY_STATE_DIRS: [&str; 3] = [".clawdbot", ".moltbot", ".moldbot"];

pub(super) const LEGACY_CONFIG_FILES: [&str; 3] = ["clawdbot.json", "moltbot.json", "moldbot.json"];
