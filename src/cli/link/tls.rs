//! Which certificate a `wss://` gateway may show, and the words when it shows another.
//!
//! With a pin only the pin counts: the SHA-256 of the certificate, whoever signed it and whatever names and
//! dates it bears. Without one the certificate must be good for the host by a public authority. Runs on the
//! command's thread.
use super::socket::{Bounded, Deadline, is_timeout};
use super::target::Target;
use crate::error::{Cause, Error, Kind, Result, TlsFault};
use crate::fetch::trust::Trust;
use crate::tls::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Brings the handshake to its end, so that no request is written before the certificate was checked.
pub fn handshake(target: &Target, socket: &mut Bounded, deadline: Deadline) -> Result<ClientConnection> {
    let trust = crate::fetch::tls::trusted().map_err(|e| broken(&e))?;
    let check = Arc::new(Check::new(target.pin.clone(), target.also.clone(), trust));
    let mut connection = client(&check, &target.host).map_err(|e| broken(&e))?;
    match connection.complete_io(socket) {
        Ok(_) => Ok(connection),
        Err(e) if is_timeout(&e) => Err(deadline.error()),
        Err(e) => Err(check.explain(&e)),
    }
}

fn client(check: &Arc<Check>, host: &str) -> std::result::Result<ClientConnection, rustls::Error> {
    let config = ClientConfig::builder_with_provider(check.provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(check.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_string())
        .map_err(|_| rustls::Error::General(format!("{host} is no name for a certificate")))?;
    ClientConnection::new(Arc::new(config), name)
}

fn broken(error: &rustls::Error) -> Error {
    Error::new(Kind::Unreachable, format!("gateway tls could not be set up: {error}"))
}

/// Checks the certificate and remembers what was shown.
#[derive(Debug)]
struct Check {
    pin: Option<Fingerprint>,
    also: Option<Fingerprint>,
    public: Trust,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Fingerprint>>,
}

impl Check {
    fn new(pin: Option<Fingerprint>, also: Option<Fingerprint>, public: Trust) -> Check {
        Check { pin, also, public, provider: crate::fetch::tls::provider(), shown: Mutex::new(None) }
    }

    fn explain(&self, error: &io::Error) -> Error {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let say = |text: String, fault: TlsFault| {
            Error::new(Kind::Unreachable, text).with("tls", fault.name()).because(Cause::Tls(fault))
        };
        match (cause, shown, &self.pin) {
            (Some(rustls::Error::InvalidCertificate(_)), Some(got), Some(pin)) if got != *pin => say(
                format!("gateway tls fingerprint mismatch: expected {pin}, got {got}"),
                TlsFault::Mismatch,
            )
            .with("expectedFingerprint", pin.to_string())
            .with("gotFingerprint", got.to_string()),
            (Some(rustls::Error::InvalidCertificate(why)), Some(got), _) => {
                say(format!("gateway tls certificate is not trusted: {}", reason(why)), TlsFault::Untrusted)
                    .with("gotFingerprint", got.to_string())
            }
            (Some(rustls::Error::InvalidMessage(_)), ..) => {
                say("gateway does not speak TLS there".into(), TlsFault::Plain)
            }
            _ => say(format!("gateway tls handshake failed: {error}"), TlsFault::Failed),
        }
    }
}

/// The common faults in plain words.
fn reason(why: &CertificateError) -> String {
    use CertificateError::*;
    match why {
        UnknownIssuer => "no public authority signed it".into(),
        NotValidForName | NotValidForNameContext { .. } => "it is for another host".into(),
        Expired | ExpiredContext { .. } => "it has expired".into(),
        NotValidYet | NotValidYetContext { .. } => "it is not valid yet".into(),
        // What webpki says of most self-signed ones.
        Other(_) => "it is self-signed or malformed".into(),
        other => other.to_string(),
    }
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(certificate);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
        match &self.pin {
            None => self.public.verify_server_cert(certificate, chain, name, ocsp, now),
            Some(pin) if *pin == shown || self.also.as_ref() == Some(&shown) => {
                Ok(ServerCertVerified::assertion())
            }
            Some(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    // A certificate is public: only the signature proves that the other side has its key.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
    use rustls::{RootCertStore, ServerConfig, ServerConnection};

    const LEAF: &[u8] = include_bytes!("../../../tests/data/tls-cert.pem");
    const AUTHORITY: &[u8] = include_bytes!("../../../tests/data/tls-ca.pem");
    const KEY: &[u8] = include_bytes!("../../../tests/data/tls-key.pem");
    /// As `openssl x509 -fingerprint -sha256` prints it.
    const PRINT: &str =
        "D0:00:B6:DD:A1:01:12:71:5E:6B:95:5C:4D:C5:F4:D2:1A:31:02:5E:99:D3:43:39:AF:FA:13:BF:4D:E5:39:5F";

    fn certificate(pem: &[u8]) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem).unwrap()
    }

    /// A handshake in memory with a server that shows the test certificate.
    fn meet(host: &str, pin: Option<&str>, roots: RootCertStore) -> std::result::Result<(), Error> {
        let pin = pin.map(|pin| Fingerprint::parse(pin, "pin").unwrap());
        let check = Arc::new(Check::new(pin, None, Trust::of(roots, Vec::new()).unwrap()));
        let mut client = client(&check, host).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate(LEAF)], PrivateKeyDer::from_pem_slice(KEY).unwrap())
            .unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().map_err(|e| check.explain(&io::Error::other(e)))?;
        }
        Ok(())
    }

    fn public() -> RootCertStore {
        RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
    }

    fn own() -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(AUTHORITY)).unwrap();
        roots
    }

    fn refused(host: &str, pin: Option<&str>, roots: RootCertStore) -> String {
        meet(host, pin, roots).unwrap_err().message().to_string()
    }

    #[test]
    fn without_a_pin_authority_and_name_count() {
        meet("localhost", None, own()).unwrap();
        meet("127.0.0.1", None, own()).unwrap();
        assert!(refused("gw.example", None, own()).ends_with("not trusted: it is for another host"));
        assert!(refused("localhost", None, public()).ends_with("not trusted: no public authority signed it"));
    }

    #[test]
    fn with_a_pin_only_the_pin_counts() {
        for host in ["localhost", "gw.example", "10.1.2.3"] {
            meet(host, Some(PRINT), public()).unwrap();
        }
        let other = "00".repeat(32);
        let got = Fingerprint::parse(PRINT, "").unwrap();
        let want = format!("gateway tls fingerprint mismatch: expected sha256:{other}, got {got}");
        assert_eq!(refused("localhost", Some(&other), own()), want);
    }
}
