//! The configuration that a gateway ran with last, beside the file as `<name>.last-good`: a mistake by an editor, which keeps
//! no version, can be taken back too. Written by the config watcher, once a text that is in force without a mistake is
//! new; read by `config rollback`.
use super::edit::beside;
use crate::config::Config;
use crate::files;
use std::path::{Path, PathBuf};

pub fn path(config: &Path) -> PathBuf {
    beside(config, ".last-good")
}

/// Keeps what is in force, unless it has a mistake or is kept already. Included files are not part of it.
pub fn keep(config: &Config) {
    let Some(text) = config.text().filter(|_| config.is_valid()) else { return };
    let path = path(config.path());
    if files::read_text(&path).is_ok_and(|kept| kept == text) {
        return;
    }
    if let Err(e) = files::write_atomic(&path, text.as_bytes()) {
        log::warn!(target: "gateway/reload", "no copy of the configuration in force: {e}");
    }
}
