//! An account that goes: what it knew of people goes with it, and nobody else loses by that. For the command line.
use super::lock::Held;
use super::store::{ALLOWED, REQUESTS};
use super::{Login, Pairing, default};
use crate::error::{Error, Result};

impl Pairing {
    /// Writes whom `default` let in down for each of these accounts that went by that: it can be forgotten without them.
    pub fn hand_down(&self, channel: &str, heirs: &[String]) -> Result<()> {
        let let_in = self.allowed(&default(channel))?;
        for account in heirs.iter().filter(|_| !let_in.is_empty()) {
            let login = Login { platform: channel.to_string(), account: account.clone() };
            let path = ALLOWED.path(&self.dir, &login);
            let mut held = Held::begin(&self.dir)?;
            held.take(&path)?;
            if !path.exists() {
                let mut kept = ALLOWED.read_to_write(&path, &mut Vec::new())?;
                kept.list = let_in.iter().map(|id| id.as_str().into()).collect();
                kept.write(&ALLOWED)?;
            }
        }
        Ok(())
    }

    /// From now on nobody waits at this login or was let in there.
    pub fn forget(&self, login: &Login) -> Result<()> {
        for path in [REQUESTS, ALLOWED].map(|kind| kind.path(&self.dir, login)) {
            if path.exists() {
                let mut held = Held::begin(&self.dir)?;
                held.take(&path)?;
                let failed = |e| Error::io(format_args!("remove {}", path.display()), e);
                std::fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }
}
