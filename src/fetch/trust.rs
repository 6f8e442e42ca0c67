//! Whom outgoing TLS believes to be who they say: whom an authority vouches for, and a certificate that the owner's own file
//! names as it is.
//!
//! `openssl req -x509` marks what it makes as an authority's (CA:TRUE), and no authority's certificate is taken from a server
//! by itself. Where it is one of those in the owner's file, whoever holds its key could sign any other, so that refusing it
//! would keep nobody out; its name and its dates count all the same. Pure; any thread.
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What the TLS library says of an authority's certificate that a server shows; it comes behind the check of the dates.
const OF_AUTHORITY: &str = "CaUsedAsEndEntity";

#[derive(Debug)]
pub struct Trust {
    public: Arc<WebPkiServerVerifier>,
    /// Those of the owner's file.
    own: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// By these authorities, and those of the owner's file.
    pub fn of(mut authorities: RootCertStore, own: Vec<CertificateDer<'static>>) -> Result<Trust, Error> {
        authorities.add_parsable_certificates(own.iter().cloned());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), super::tls::provider());
        let public = builder.build().map_err(|e| Error::General(e.to_string()))?;
        Ok(Trust { public, own })
    }
}

/// Whether a certificate was refused only for being an authority's.
pub fn is_of_authority(why: &str) -> bool {
    why.contains(OF_AUTHORITY)
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.public.verify_server_cert(certificate, chain, name, ocsp, now);
        match &verified {
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if is_of_authority(&format!("{why:?}")) && self.own.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.public.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.public.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.public.supported_verify_schemes()
    }
}
