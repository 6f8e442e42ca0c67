//! The SHA-256 by which a certificate is pinned, as `gateway.remote.tlsFingerprint` and `--tls-fingerprint` give
//! it and errors print it. Pure.
use crate::config::fingerprint::fingerprint;
use crate::error::{Error, Result};
use rustls::pki_types::CertificateDer;
use std::fmt::Write as _;

/// The SHA-256 of a certificate: 64 small hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Reads a fingerprint as [`fingerprint`] does; `source` is the option or key it comes from.
    pub fn parse(text: &str, source: &str) -> Result<Fingerprint> {
        fingerprint(text).map(Fingerprint).ok_or_else(|| {
            Error::config(format!(
                "{source} is no SHA-256 fingerprint of a certificate\nFix: give its 64 hexadecimal digits, as \
                 `openssl x509 -in cert.pem -noout -fingerprint -sha256` prints them"
            ))
        })
    }

    pub fn of(certificate: &CertificateDer) -> Fingerprint {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut digits = String::with_capacity(64);
        for byte in digest.as_ref() {
            // Writing to a string cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Fingerprint(digits)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `openssl x509 -fingerprint -sha256` prints it.
    const PRINT: &str =
        "D0:00:B6:DD:A1:01:12:71:5E:6B:95:5C:4D:C5:F4:D2:1A:31:02:5E:99:D3:43:39:AF:FA:13:BF:4D:E5:39:5F";

    #[test]
    fn fingerprints_as_people_write_them() {
        let plain = PRINT.replace(':', "").to_lowercase();
        let openssl = format!("sha256 Fingerprint={PRINT}");
        for text in [PRINT, &plain, &format!(" SHA256:{PRINT} "), &format!("sha-256 {plain}"), &openssl] {
            let got = Fingerprint::parse(text, "x").map(|f| f.to_string());
            assert_eq!(got.unwrap(), format!("sha256:{plain}"), "{text}");
        }
        for text in ["", "sha256:", "sha1:00", &plain[1..], &format!("{plain}0"), &plain.replace('0', "g")] {
            let error = Fingerprint::parse(text, "gateway.remote.tlsFingerprint").unwrap_err();
            assert!(error.message().starts_with("gateway.remote.tlsFingerprint is no SHA-256"), "{text}");
        }
    }
}
