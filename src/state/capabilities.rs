//! What opens the canvas to a client without the gateway's secret: one capability a connection, made when it is first
//! asked for. It ends with the connection, and before that when nobody has used it for a while (SEC-15).
//!
//! The state thread makes and ends them; connections that serve the canvas look one up. The capability is a part of an
//! address that goes to a page, so nothing but the canvas takes it.
use crate::clock;
use crate::device::secret_eq;
use crate::error::Result;
use crate::ids;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long one lasts that nobody uses, in milliseconds. Older apps on devices cannot ask for another, and open a page
/// only when an agent shows one.
pub const LASTS_MS: u64 = 24 * 3600 * 1000;

/// Random bytes in one.
const BYTES: usize = 24;

#[derive(Default)]
pub struct Capabilities(Mutex<BTreeMap<u64, Held>>);

/// No `Debug`: it is a secret.
struct Held {
    secret: String,
    until_ms: u64,
}

impl Capabilities {
    /// The capability of a connection, good for a while from now, and until when.
    pub fn of(&self, conn: u64) -> Result<(String, u64)> {
        let (fresh, until) = (ids::hex(BYTES)?, clock::now_ms() + LASTS_MS);
        let mut all = self.lock();
        let held = all.entry(conn).or_insert(Held { secret: fresh, until_ms: until });
        held.until_ms = until;
        Ok((format!("{conn}-{}", held.secret), until))
    }

    /// Whether it is one that holds; then it goes on holding.
    pub fn is_good(&self, shown: &str) -> bool {
        let Some((conn, secret)) = shown.split_once('-') else { return false };
        let (mut all, now) = (self.lock(), clock::now_ms());
        let held = conn.parse().ok().and_then(|conn: u64| all.get_mut(&conn));
        let good = held.filter(|held| secret_eq(&held.secret, secret) && held.until_ms > now);
        good.map(|held| held.until_ms = now + LASTS_MS).is_some()
    }

    /// The connection has ended.
    pub fn end(&self, conn: u64) {
        self.lock().remove(&conn);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Held>> {
        // Each change under the lock is complete in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_15_a_capability_is_one_connections_and_ends_with_it() {
        let all = Capabilities::default();
        let ((one, until), (other, _)) = (all.of(7).unwrap(), all.of(8).unwrap());
        assert!(one.starts_with("7-") && one.len() == 2 + 48 && one != other && until > clock::now_ms());
        assert_eq!(all.of(7).unwrap().0, one, "the same as long as the connection lives");
        assert!(all.is_good(&one) && all.is_good(&other));
        for wrong in ["", "7", "7-", &one.replace("7-", "8-"), &one[..49], &format!("{one}0"), "9-a"] {
            assert!(!all.is_good(wrong), "{wrong}");
        }
        all.lock().get_mut(&8).unwrap().until_ms = clock::now_ms();
        assert!(!all.is_good(&other), "it was not used for too long");
        all.end(7);
        assert!(!all.is_good(&one));
    }
}
