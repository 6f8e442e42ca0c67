//! A self-signed certificate, as the original has `openssl` make one: by the name `openclaw-gateway`, for ten years.
//!
//! Pure but for random numbers. The key is ECDSA P-256, which all clients know; key and signature are `ring`'s. The forty
//! lines of DER around them are our own: `rcgen` would add 160 kB to the program for this one certificate.
use crate::clock;
use crate::device::encoding::base64;
use crate::error::{Error, Result};
use crate::ids;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

const YEARS: u64 = 10;
const YEAR: u64 = 365 * 24 * 3600 * 1000;
/// A clock that was wrong by a day when it was made does no harm.
const DAY: u64 = 24 * 3600 * 1000;

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const BYTES: u8 = 0x04;
const UTF8: u8 = 0x0c;
const SHORT_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const NAME_DNS: u8 = 0x82;
const NAME_IP: u8 = 0x87;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

// Object identifiers, with their tag and length.
const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: &[u8] = &[0x06, 3, 0x55, 4, 3];
const ALTERNATIVE_NAMES: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x11];
const KEY_USAGE: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x25];
const FOR_SERVERS: &[u8] = &[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];

/// Certificate and key, as PEM. With a key in PKCS #8 the certificate is for that one.
pub fn self_signed(key: Option<&[u8]>) -> Result<(String, String)> {
    let failed = |_| Error::unavailable("a key for TLS could not be made");
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let made = key.is_none().then(|| EcdsaKeyPair::generate_pkcs8(algorithm, &random)).transpose();
    let made = made.map_err(failed)?;
    let document = key.or(made.as_ref().map(AsRef::as_ref)).unwrap_or_default();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document, &random)
        .map_err(|_| Error::unavailable("it is no key of the kind that is made here (ECDSA P-256)"))?;
    let body = body(pair.public_key().as_ref())?;
    let signature = pair.sign(&random, &body).map_err(failed)?;
    let certificate = put(SEQUENCE, &[&body, &put(SEQUENCE, &[ECDSA_SHA256]), &bits(signature.as_ref())]);
    Ok((pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", document)))
}

/// What is signed.
fn body(public_key: &[u8]) -> Result<Vec<u8>> {
    let mut serial = ids::random::<16>()?;
    // Neither negative nor beginning with a byte that says nothing.
    serial[0] = serial[0] & 0x7f | 0x40;
    let name = put(SEQUENCE, &[COMMON_NAME, &put(UTF8, &[b"openclaw-gateway"])]);
    let name = put(SEQUENCE, &[&put(SET, &[&name])]);
    let now = clock::now_ms();
    let dates = [now.saturating_sub(DAY), now + YEARS * YEAR].map(moment);
    let key = put(SEQUENCE, &[&put(SEQUENCE, &[EC_KEY, P256]), &bits(public_key)]);
    let extension = |id: &[u8], value: Vec<u8>| put(SEQUENCE, &[id, &put(BYTES, &[&value])]);
    let extensions =
        [extension(ALTERNATIVE_NAMES, names()), extension(KEY_USAGE, put(SEQUENCE, &[FOR_SERVERS]))].concat();
    Ok(put(
        SEQUENCE,
        &[
            &put(VERSION, &[&put(INTEGER, &[&[2]])]),
            &put(INTEGER, &[&serial]),
            &put(SEQUENCE, &[ECDSA_SHA256]),
            &name,
            &put(SEQUENCE, &[&dates.concat()]),
            &name,
            &key,
            &put(EXTENSIONS, &[&put(SEQUENCE, &[&extensions])]),
        ],
    ))
}

/// What this machine is called, for clients that are told to trust the certificate instead of pinning it.
fn names() -> Vec<u8> {
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    let mut names = vec!["localhost".to_string()];
    names.extend(is_name(&host).then(|| [host.clone(), format!("{host}.local")]).into_iter().flatten());
    let mut all: Vec<Vec<u8>> = names.iter().map(|name| put(NAME_DNS, &[name.as_bytes()])).collect();
    let mut six = [0; 16];
    six[15] = 1;
    all.extend([put(NAME_IP, &[&[127, 0, 0, 1]]), put(NAME_IP, &[&six])]);
    put(SEQUENCE, &[&all.concat()])
}

/// A moment in UTC: until 2049 without the century, as the standard wants it.
fn moment(ms: u64) -> Vec<u8> {
    let digits = clock::iso(ms).bytes().filter(u8::is_ascii_digit).take(14).chain(*b"Z").collect::<Vec<u8>>();
    match digits.as_slice() {
        [b'2', b'0', short @ ..] if short < b"5".as_slice() => put(SHORT_TIME, &[short]),
        long => put(LONG_TIME, &[long]),
    }
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    put(BITS, &[&[0], bytes])
}

/// One element of DER: tag, length, content.
fn put(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match content.len() {
        short @ 0..=0x7f => element.push(short as u8),
        long @ 0x80..=0xff => element.extend([0x81, long as u8]),
        long => {
            let digits = (long as u16).to_be_bytes();
            element.extend([0x82, digits[0], digits[1]]);
        }
    }
    element.extend(content);
    element
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::facts::Facts;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::{RootCertStore, client::WebPkiServerVerifier, client::danger::ServerCertVerifier};
    use std::sync::Arc;

    /// It is checked as a client does that was told to trust it.
    #[test]
    fn i12_6_the_certificate_that_is_made_is_sound_and_for_this_machine() {
        let (certificate, key) = self_signed(None).unwrap();
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let days = Facts::of(&certificate).days_left(clock::now_ms()).unwrap();
        assert!((3649..=3650).contains(&days), "{days}");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = crate::fetch::tls::provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        for (name, is_meant) in
            [("localhost", true), ("127.0.0.1", true), ("::1", true), ("example.org", false)]
        {
            let host = ServerName::try_from(name).unwrap();
            let verdict = verifier.verify_server_cert(&certificate, &[], &host, &[], UnixTime::now());
            assert_eq!(verdict.is_ok(), is_meant, "{name}: {verdict:?}");
        }
    }

    #[test]
    fn lengths_are_written_as_they_are_read() {
        assert_eq!(put(BYTES, &[&[7; 3]]), [BYTES, 3, 7, 7, 7]);
        assert_eq!(&put(BYTES, &[&[7; 300]])[..4], [BYTES, 0x82, 1, 44]);
        // DER wants the shortest form.
        assert_eq!(&put(BYTES, &[&[7; 200]])[..3], [BYTES, 0x81, 200]);
    }
}
