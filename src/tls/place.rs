//! The files of `gateway.tls`: where they lie, whether they changed, and what is in them. Runs on any thread but the
//! state thread: it reads files.
use super::facts::Facts;
use super::fingerprint::Fingerprint;
use super::make;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use rustix::fs::{Access, access};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A chain of a dozen certificates is a tenth of this.
const MAX_FILE: u64 = 1 << 20;

/// Where certificate and key lie.
pub struct Place {
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Further certificates of the chain.
    more: Option<PathBuf>,
    /// In which a running gateway says what it shows: in the middle of a renewal that is not the certificate of the file.
    told: PathBuf,
    /// Whether a missing certificate is made, with its key where there is none.
    makes: bool,
}

/// What files look like from outside; another one of the same content is another.
pub type Stamp = Vec<Option<[i64; 6]>>;

/// A certificate with its key.
pub struct Pair {
    pub key: Arc<CertifiedKey>,
    pub facts: Facts,
}

impl Place {
    /// `None` where the port speaks no TLS.
    pub fn of(config: &Config, env: &Env) -> Option<Place> {
        let dir = env.state_dir.join("gateway/tls");
        let named = |key: &str| {
            let path = config.str(key).map(str::trim).filter(|path| !path.is_empty())?;
            Some(env.expand(path))
        };
        config.bool("gateway.tls.enabled").then(|| Place {
            cert: named("gateway.tls.certPath").unwrap_or_else(|| dir.join("gateway-cert.pem")),
            key: named("gateway.tls.keyPath").unwrap_or_else(|| dir.join("gateway-key.pem")),
            more: named("gateway.tls.caPath"),
            told: dir.join("shown"),
            makes: config.bool("gateway.tls.autoGenerate"),
        })
    }

    /// Whether there is no certificate, and one is to be made.
    pub fn is_to_be_made(&self) -> bool {
        self.makes && files::is_missing(&self.cert)
    }

    /// Why what is to be made cannot be made, where that is to be seen; makes nothing.
    pub fn check_makeable(&self) -> Result<()> {
        if !self.is_to_be_made() {
            return Ok(());
        }
        let has_key = !files::is_missing(&self.key);
        if has_key {
            self.for_the_key()?;
        }
        let made = [(&self.key, "gateway.tls.keyPath"), (&self.cert, "gateway.tls.certPath")];
        made.into_iter().skip(has_key.into()).try_for_each(|(path, key)| {
            let there = path.ancestors().skip(1).find(|dir| !files::is_missing(dir));
            let why = there.and_then(|dir| access(dir, Access::WRITE_OK | Access::EXEC_OK).err());
            why.map_or(Ok(()), |why| {
                Err(unusable(
                    path,
                    key,
                    &format!("is not there and cannot be made: {}", std::io::Error::from(why)),
                ))
            })
        })
    }

    /// Makes what is to be made. The key comes first: who stopped in between finds it, and makes its certificate.
    pub fn make_missing(&self) -> Result<()> {
        if !self.is_to_be_made() {
            return Ok(());
        }
        let has_key = !files::is_missing(&self.key);
        let (certificate, key) = match has_key {
            false => make::self_signed(None)?,
            true => self.for_the_key()?,
        };
        for (path, text) in [(&self.key, key), (&self.cert, certificate)].into_iter().skip(has_key.into()) {
            if let Some(dir) = path.parent() {
                files::private_dir(dir)?;
            }
            files::write_atomic(path, text.as_bytes())?;
        }
        log::info!(target: "gateway/tls", "made the self-signed certificate {}", self.cert.display());
        Ok(())
    }

    /// A certificate for the key that is there alone, as a crash may leave it, or its owner.
    fn for_the_key(&self) -> Result<(String, String)> {
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key, "gateway.tls.keyPath")?);
        let made = key.map_err(|_| Error::unavailable("it holds no private key that can be read"));
        made.and_then(|key| make::self_signed(Some(key.secret_der()))).map_err(|e| {
            let (cert, key) = (self.cert.display(), self.key.display());
            Error::config(format!(
                "gateway.tls: there is no certificate {cert}, and none can be made for {key}: {}\n\
                 Fix: put the certificate of that key there, or move the key away and both are made at the next start",
                e.message()
            ))
        })
    }

    pub fn stamp(&self) -> Stamp {
        let look = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            let (id, size) = (found.ino().cast_signed(), found.len().cast_signed());
            // Who may read it is a change of its own.
            Some([id, size, found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()])
        };
        [Some(&self.cert), Some(&self.key), self.more.as_ref()].into_iter().map(|path| look(path?)).collect()
    }

    /// Reads both; an error says which file is wrong, and what helps.
    pub fn read(&self) -> Result<Pair> {
        let mut chain = certificates(&self.cert, "gateway.tls.certPath")?;
        let first = chain.first().map(Facts::of);
        let facts =
            first.ok_or_else(|| unusable(&self.cert, "gateway.tls.certPath", "holds no certificate"))?;
        if let Some(more) = &self.more {
            let authorities = certificates(more, "gateway.tls.caPath")?;
            if authorities.is_empty() {
                return Err(unusable(more, "gateway.tls.caPath", "holds no certificate"));
            }
            for certificate in authorities {
                if !chain.contains(&certificate) {
                    chain.push(certificate);
                }
            }
        }
        let wrong = |what: &str| unusable(&self.key, "gateway.tls.keyPath", what);
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key, "gateway.tls.keyPath")?)
            .map_err(|_| wrong("holds no private key that can be read (a passphrase is not asked for)"))?;
        let key = any_supported_type(&key).map_err(|_| {
            wrong("holds a key of a kind that is not known: RSA, ECDSA P-256 or P-384, Ed25519")
        })?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Pair { key: Arc::new(key), facts })
            }
            Err(TlsError::InconsistentKeys(_)) => {
                Err(wrong(&format!("is not the key of {}", self.cert.display())))
            }
            Err(_) => {
                Err(unusable(&self.cert, "gateway.tls.certPath", "holds no certificate that can be read"))
            }
        }
    }

    /// What is to be told of the certificate in the file.
    pub fn facts(&self) -> Result<Facts> {
        let chain = certificates(&self.cert, "gateway.tls.certPath")?;
        let first = chain.first().map(Facts::of);
        first.ok_or_else(|| unusable(&self.cert, "gateway.tls.certPath", "holds no certificate"))
    }

    /// Says what is shown, to the commands of this machine. In the state directory, where only the gateway's own user writes.
    pub fn tell(&self, facts: &Facts) {
        let written = self.told.parent().map_or(Ok(()), files::private_dir);
        let text = format!("{}\n", facts.fingerprint);
        if let Err(e) = written.and_then(|()| files::write_atomic(&self.told, text.as_bytes())) {
            log::warn!(target: "gateway/tls", "{e}: while a certificate is renewed, commands of this machine may not know it");
        }
    }

    /// The certificates by which commands of this machine know its gateway: what it said that it shows, and what it would
    /// show if it read its file now.
    pub fn pins(self) -> impl Iterator<Item = Fingerprint> {
        let told = files::read_bytes(&self.told, 1024).ok().and_then(|text| String::from_utf8(text).ok());
        let told = told.and_then(|text| Fingerprint::parse(&text, "gateway/tls/shown").ok());
        told.into_iter().chain(self.facts().ok().map(|facts| facts.fingerprint))
    }

    /// Whether others than the owner may read the key.
    pub fn is_open(&self) -> bool {
        std::fs::metadata(&self.key).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
    }
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path, key)?).collect();
    all.map_err(|_| unusable(path, key, "is no text of PEM certificates"))
}

fn read(path: &Path, key: &str) -> Result<Vec<u8>> {
    files::read_bytes(path, MAX_FILE).map_err(|e| unusable(path, key, &format!("cannot be read: {e}")))
}

fn unusable(path: &Path, key: &str, what: &str) -> Error {
    Error::config(format!(
        "gateway.tls: {} {what}\nFix: put the right file there, or set {key}",
        path.display()
    ))
}
