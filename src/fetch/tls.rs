//! The cryptography of outgoing TLS, to model services and to `wss://` gateways: `ring`'s, without keys of our own.
//!
//! No connection shows a client certificate, so the code that reads private keys and signs with them (RSA, ECDSA) is
//! left out of the program. Runs on any thread. Which certificates are trusted is decided by the callers.
use rustls::Error;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use std::sync::{Arc, LazyLock};

/// One for the whole process.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() }));
    PROVIDER.clone()
}

#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("client certificates are not supported".into()))
    }
}
