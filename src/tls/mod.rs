//! TLS on the gateway's own port: which certificate it shows, from which files, and how another is taken up.
//!
//! The files are looked at whenever somebody comes, so a renewed certificate is shown to the next who does, without a
//! watcher and without a restart; while the files do not fit together the last good ones are shown. Runs on the
//! connections' threads. What goes over a connection is `net/tls`.
pub mod facts;
pub mod fingerprint;
mod make;
mod place;

pub use fingerprint::Fingerprint;
pub use place::{Pair, Place};

use crate::error::{Error, Kind, Result};
use crate::{clock, fetch};
use place::Stamp;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ServerConfig, ServerConnection};
use std::sync::{Arc, Mutex, PoisonError};

/// A port that speaks TLS.
pub struct Port {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

impl Port {
    /// With the certificate of these files, which are made first if that is wanted and there are none.
    pub fn open(place: Place) -> Result<Port> {
        place.make_missing()?;
        let (stamp, pair) = (place.stamp(), place.read()?);
        if pair.facts.until.is_some_and(|until| until < clock::now_ms()) {
            log::warn!(target: "gateway/tls", "the certificate {} has expired: no client takes it but those that pin it", place.cert.display());
        }
        place.tell(&pair.facts);
        let shown = Arc::new(Shown { place, held: Mutex::new((stamp, Arc::new(pair))) });
        let failed = |e| Error::new(Kind::Config, format!("TLS could not be set up: {e}"));
        // As the original: nothing older than 1.3. Sessions are not kept, which would cost memory for each client.
        let mut config = ServerConfig::builder_with_provider(fetch::tls::provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Port { shown, config: Arc::new(config) })
    }

    /// The server's side of a new connection.
    pub fn connection(&self) -> std::result::Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.config.clone())
    }

    /// What is shown at present, as far as it was looked at.
    pub fn pair(&self) -> Arc<Pair> {
        self.shown.lock().1.clone()
    }
}

/// The certificate that is shown.
struct Shown {
    place: Place,
    /// With what the files looked like when they were last read, in vain or not.
    held: Mutex<(Stamp, Arc<Pair>)>,
}

impl Shown {
    fn lock(&self) -> std::sync::MutexGuard<'_, (Stamp, Arc<Pair>)> {
        // Replaced in one step.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificate of the files as they are now, or the last good one. Reads without the lock: who comes at the same
    /// time may read too.
    fn look(&self) -> Arc<Pair> {
        let stamp = self.place.stamp();
        {
            let held = self.lock();
            if held.0 == stamp {
                return held.1.clone();
            }
        }
        let read = self.place.read();
        let mut held = self.lock();
        let is_told = held.0 == stamp;
        held.0 = stamp;
        let new = read.as_ref().ok().filter(|_| !is_told).map(|pair| pair.facts.describe());
        match read {
            Ok(pair) => held.1 = Arc::new(pair),
            Err(e) if !is_told => {
                log::warn!(target: "gateway/tls", "{}; the certificate of before is still shown", e.message().replace('\n', " "));
            }
            Err(_) => {}
        }
        let pair = held.1.clone();
        drop(held);
        if let Some(new) = new {
            self.place.tell(&pair.facts);
            log::info!(target: "gateway/tls", "shows the certificate {new}");
        }
        pair
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.look().key.clone())
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown(..)")
    }
}
