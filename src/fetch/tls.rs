//! Outgoing TLS, to model services, platforms and `wss://` gateways: its cryptography, whom it trusts, and the layer that
//! `fetch` puts over a connection.
//!
//! No connection shows a client certificate, so the code that reads private keys and signs with them (RSA, ECDSA) is
//! left out of the program. Trusted are the public authorities that were built in, and those of one file that the
//! environment names: of a company's proxy, of a server of one's own; `trust` says how far. Runs on any thread; one set of rules, and one
//! memory of sessions to take up again, for the whole process.
use super::buffers::Room;
use super::trust::Trust;
use crate::env::Env;
use crate::files;
use crate::parts::Parts;
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, OnceLock};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport, TransportAdapter,
};

/// The variables that name a file of authorities: the original's, and the one that most programs know.
const VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];
/// All public authorities are a quarter of this.
const MAX_FILE: u64 = 1 << 20;

static MORE: OnceLock<(&str, PathBuf)> = OnceLock::new();

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

/// From now on the authorities that this environment names are trusted too; the first that is given counts.
pub fn trust(env: &Env) {
    let named = VARIABLES.into_iter().find_map(|name| Some((name, PathBuf::from(env.var(name)?))));
    named.map(|named| MORE.set(named));
}

/// Whom to trust. Reads the file that was named, if one was.
pub fn trusted() -> Result<Trust, Error> {
    Trust::of(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, own())
}

/// The certificates of the file that was named; what is wrong with it is told.
fn own() -> Vec<CertificateDer<'static>> {
    let Some((variable, file)) = MORE.get() else { return Vec::new() };
    let read = files::read_bytes(file, MAX_FILE)
        .map(|bytes| CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect::<Vec<_>>());
    let why = match read {
        Ok(all) if all.is_empty() => "holds no certificate".to_string(),
        Ok(all) => return all,
        Err(e) => format!("cannot be read: {e}"),
    };
    let file = file.display();
    log::warn!(target: "tls", "{variable}: {file} {why}; name a file of certificates in PEM form");
    Vec::new()
}

fn config() -> Result<Arc<ClientConfig>, Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(trusted()?));
    let made = Arc::new(builder.with_no_client_auth());
    Ok(CONFIG.get_or_init(|| made).clone())
}

/// Puts TLS over a connection to an `https://` address.
#[derive(Debug)]
pub struct Tls;

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Secured>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(below) = chained else { return Ok(None) };
        if !details.needs_tls() || below.is_tls() {
            return Ok(Some(Either::A(below)));
        }
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_string();
        let name = ServerName::try_from(host)
            .map_err(|_| ureq::Error::Tls("the host's name can stand in no certificate"))?;
        let mut connection = ClientConnection::new(config()?, name)?;
        let mut socket = TransportAdapter::new(below.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let stream = StreamOwned::new(connection, socket);
        Ok(Some(Either::B(Secured { stream, buffers: Room::default() })))
    }
}

/// A connection with TLS over it.
pub struct Secured {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: Room,
}

impl std::fmt::Debug for Secured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secured")
    }
}

impl Transport for Secured {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        Ok(self.stream.write_all(self.buffers.output().head(amount))?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let n = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(n);
        Ok(n > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
