//! What another program has written into an index since this one read or wrote it, so that saving loses neither's work.
//!
//! Asked by the thread that saves, before it replaces the file, and by threads that ask for sessions or a turn
//! (`state::looking`). Of an entry that was changed here since the last save each member is taken from who changed it,
//! ours first; any other is taken as the file has it, and what the other has removed is gone here too. All is handed to
//! the state thread. A file that cannot be read is left to its writer for a moment; then it is copied aside and replaced.
use crate::config::Stamp;
use crate::sessions::entry::Entry;
use crate::sessions::index::{Index, Snapshot};
use crate::sessions::kept::Kept;
use crate::sessions::rebuild;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often, and after which pause, a file that cannot be read is read again before it counts as damaged: a program
/// that writes in place is in the middle of it.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// The file as it was when it was read or written last, and when it was looked at last; shared by an index and its
/// snapshots.
#[derive(Debug, Default)]
pub struct Seen {
    stamps: Mutex<(Stamp, Stamp)>,
    /// Held while the file is compared or replaced.
    turn: Mutex<()>,
}

impl Seen {
    pub fn of(path: &Path) -> Seen {
        let stamp = Stamp::of(path);
        Seen { stamps: Mutex::new((stamp, stamp)), turn: Mutex::default() }
    }

    pub fn set(&self, stamp: Stamp) {
        *self.stamps() = (stamp, stamp);
    }

    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing was read or written here since the file looked like this.
    pub fn is(&self, stamp: Stamp) -> bool {
        self.stamps().0 == stamp
    }

    fn stamps(&self) -> MutexGuard<'_, (Stamp, Stamp)> {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of an index, by which a change is seen without the index.
#[derive(Debug, Clone)]
pub struct IndexFile {
    pub(in crate::sessions) path: Arc<Path>,
    pub(in crate::sessions) seen: Arc<Seen>,
}

impl IndexFile {
    /// The state of the file, if nobody here has seen it; one that is not there tells nothing.
    fn news(&self) -> Option<Stamp> {
        let now = Stamp::of(&self.path);
        let seen = *self.seen.stamps();
        (now != Stamp::default() && now != seen.0 && now != seen.1).then_some(now)
    }

    pub fn is_changed(&self) -> bool {
        self.news().is_some()
    }
}

/// What another program did.
#[derive(Debug, Default)]
pub struct Theirs {
    /// The entries to be taken over from the file.
    pub changed: Vec<Arc<Kept>>,
    /// The keys of those that it removed.
    pub gone: Vec<String>,
}

impl Theirs {
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

/// Looks at the file, if nobody has since it changed, and tells what is to be taken over, with the state of the file
/// that it was compared with: what a save has seen since counts more. Who asks meanwhile waits until it is told. What
/// cannot be read now may be half written; it is looked at again when it has changed.
pub fn look(ours: &Snapshot, tell: impl FnOnce(Theirs, Stamp)) {
    let file = ours.file();
    let _turn = file.seen.turn();
    let Some(now) = file.news() else { return };
    let known = file.seen.stamps().0;
    if let Some(theirs) = Index::look(ours.path(), ours.rules()) {
        tell(difference(ours, &theirs), known);
    }
    file.seen.stamps().1 = now;
}

/// What is to be taken over before the file, which looks like `now`, is replaced.
pub fn written(ours: &Snapshot, now: Stamp) -> Theirs {
    let path = ours.path();
    if ours.seen().is(now) || now == Stamp::default() {
        return Theirs::default();
    }
    let read = |n| {
        if n > 0 {
            std::thread::sleep(PAUSE);
        }
        Index::look(path, ours.rules())
    };
    let Some(theirs) = (0..TRIES).find_map(read) else {
        let mut notes = vec![format!("session index {} was damaged by another program", path.display())];
        rebuild::keep_aside(path, &mut notes);
        notes.iter().for_each(|note| log::warn!(target: "gateway/sessions", "{note}"));
        return Theirs::default();
    };
    difference(ours, &theirs)
}

fn difference(ours: &Snapshot, (theirs, unusable): &(Index, Vec<String>)) -> Theirs {
    let own: HashMap<&str, &Arc<Kept>> = ours.iter().map(|kept| (kept.key(), kept)).collect();
    let taken = |kept: &Arc<Kept>| match own.get(kept.key()) {
        Some(own) if own.text() == kept.text() => None,
        Some(own) if own.is_saved() => (own.open() != kept.open()).then(|| kept.clone()),
        Some(own) => merged(own, kept),
        None => (!ours.has_removed(kept)).then(|| kept.clone()),
    };
    let changed: Vec<Arc<Kept>> = theirs.iter().filter_map(taken).collect();
    let is_gone =
        |own: &&Arc<Kept>| theirs.get(own.key()).is_none() && !unusable.iter().any(|key| key == own.key());
    let gone = ours.iter().filter(is_gone).filter(|own| goes(own)).map(|own| own.key().to_string()).collect();
    let theirs = Theirs { changed, gone };
    if !theirs.is_empty() {
        log::info!(target: "gateway/sessions", "another program wrote {} sessions in {} and removed {}; they are taken over", theirs.changed.len(), ours.path().display(), theirs.gone.len());
    }
    theirs
}

/// Whether an entry goes when another program has removed it: it stood in the file, and no conversation has begun
/// anew in it since.
pub fn goes(own: &Kept) -> bool {
    own.is_saved() || (own.has_base() && own.base().session_id() == own.session_id())
}

/// What ours and theirs make together of what the file had before both; `None` where that is ours. A conversation that
/// they began anew is theirs as a whole, unless we did too.
pub fn merged(own: &Kept, theirs: &Arc<Kept>) -> Option<Arc<Kept>> {
    let (base, ours, other) = (own.base(), own.open(), theirs.open());
    if other == base || other == ours {
        return None;
    }
    let is_new = |entry: &Entry| entry.session_id() != base.session_id();
    match (is_new(&ours), is_new(&other)) {
        (false, true) => return Some(theirs.clone()),
        (true, true) if ours.session_id() != other.session_id() => {
            let key = crate::logging::quoted(own.key());
            log::warn!(target: "gateway/sessions", "session {key} was begun anew by another program too; its conversation stays in its file, and this one goes on");
        }
        _ => {}
    }
    let mut all = other.as_map().clone();
    let changed = ours.as_map().iter().filter(|(name, value)| base.get(name) != Some(*value));
    all.extend(changed.map(|(name, value)| (name.clone(), value.clone())));
    all.retain(|name, _| ours.get(name).is_some() || base.get(name).is_none());
    let merged = Entry::from_map(all);
    match merged == other {
        true => Some(theirs.clone()),
        false => (merged != ours).then(|| Arc::new(Kept::of(own.key(), &merged).after(theirs))),
    }
}

#[cfg(test)]
#[path = "others_tests.rs"]
mod tests;
