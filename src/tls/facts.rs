//! What people are told of a certificate: its SHA-256, and until when it is good. Pure: bytes in, facts out.
//!
//! Of X.509 only the way to the dates is known here; whether a certificate is sound is for who checks it.
use super::fingerprint::Fingerprint;
use crate::clock;
use crate::json::json;
use rustls::pki_types::CertificateDer;
use serde_json::Value;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const SHORT_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;

/// A day, milliseconds.
const DAY: u64 = 24 * 3600 * 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub fingerprint: Fingerprint,
    /// Milliseconds; `None` where that cannot be read.
    pub until: Option<u64>,
}

impl Facts {
    pub fn of(certificate: &CertificateDer) -> Facts {
        Facts { fingerprint: Fingerprint::of(certificate), until: until(certificate) }
    }

    /// Whole days that it is still good; below zero once it is not.
    pub fn days_left(&self, now: u64) -> Option<i64> {
        let until = self.until?;
        Some(match until.checked_sub(now) {
            Some(left) => (left / DAY) as i64,
            None => -(((now - until) / DAY) as i64) - 1,
        })
    }

    pub fn to_json(&self) -> Value {
        json!({"fingerprint": self.fingerprint.to_string(), "validTo": self.until})
    }

    /// `sha256:..., good until 2036-11-27`
    pub fn describe(&self) -> String {
        let until = self.until.map(clock::iso).and_then(|iso| Some(iso.split_once('T')?.0.to_string()));
        format!("{}, good until {}", self.fingerprint, until.as_deref().unwrap_or("nobody knows when"))
    }
}

fn until(der: &[u8]) -> Option<u64> {
    let (certificate, _) = tagged(der, SEQUENCE)?;
    let (mut rest, _) = tagged(certificate, SEQUENCE)?;
    if let Some((_, behind)) = tagged(rest, VERSION) {
        rest = behind;
    }
    // Serial number, algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, rest) = tagged(rest, tag)?;
    }
    let (dates, _) = tagged(rest, SEQUENCE)?;
    let (_, _, last) = element(dates)?;
    let (tag, text, _) = element(last)?;
    moment(tag, std::str::from_utf8(text).ok()?)
}

fn tagged(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// Tag, content, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match (length & 0x80, usize::from(length & 0x7f)) {
        (0, length) => (length, rest),
        (_, count @ 1..=3) => {
            let (digits, rest) = rest.split_at_checked(count)?;
            (digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ`, of this century up to 49, or `YYYYMMDDHHMMSSZ`.
fn moment(tag: u8, text: &str) -> Option<u64> {
    let (year, rest) = match tag {
        SHORT_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        LONG_TIME => text.split_at_checked(4).map(|(year, rest)| (year.to_string(), rest))?,
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2);
    let (month, day, hour, minute, second) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    (rest.get(10..)? == "Z").then_some(())?;
    clock::parse_iso(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn dates_are_read_in_both_forms_and_nothing_else_is() {
        let at = |iso: &str| clock::parse_iso(iso);
        assert_eq!(moment(SHORT_TIME, "491231235959Z"), at("2049-12-31T23:59:59Z"));
        assert_eq!(moment(SHORT_TIME, "700101000000Z"), at("1970-01-01T00:00:00Z"));
        assert_eq!(moment(LONG_TIME, "20500101000000Z"), at("2050-01-01T00:00:00Z"));
        for (tag, text) in [
            (SHORT_TIME, ""),
            (SHORT_TIME, "491231235959"),
            (SHORT_TIME, "4912312359Z"),
            (SHORT_TIME, "491331235959Z"),
            (SHORT_TIME, "49\u{e9}231235959Z"),
            (LONG_TIME, "491231235959Z"),
            (0x05, "491231235959Z"),
        ] {
            assert_eq!(moment(tag, text), None, "{text}");
        }
    }

    #[test]
    fn a_certificate_tells_until_when_it_is_good() {
        let pem = include_bytes!("../../tests/data/tls-cert.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        let facts = Facts::of(&certificate);
        assert!(facts.describe().starts_with("sha256:d000b6dd"), "{}", facts.describe());
        let until = facts.until.unwrap();
        assert_eq!(facts.days_left(until), Some(0));
        assert_eq!(facts.days_left(until - 3 * DAY), Some(3));
        assert_eq!(facts.days_left(until + 1), Some(-1));
    }

    #[test]
    fn fuzz_no_bytes_are_read_beyond_their_end() {
        let pem = include_bytes!("../../tests/data/tls-cert.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        for length in 0..certificate.len() {
            let mut cut = certificate[..length].to_vec();
            assert_eq!(until(&cut), None);
            if let Some(byte) = cut.get_mut(length / 2) {
                *byte ^= 0x80;
                let _ = until(&cut);
            }
        }
    }
}
