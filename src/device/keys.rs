//! Ed25519 keys in the forms the wire and the files use, and the device id that follows from a key.
//!
//! Pure functions. Private keys are read and written as PKCS8 version 1 (48 bytes, without the public key),
//! which is what Node's crypto writes and expects.
use super::encoding::{base64url, from_base64, from_pem, pem};
use crate::error::{Error, Result};
use crate::ids;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// DER in front of the 32 raw bytes of an Ed25519 public key.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER in front of the 32 raw bytes of an Ed25519 private key.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Ordinates of the points of order 2, 4 and 8, little-endian, besides 0 and 1; a negative abscissa changes none.
const SMALL_ORDER: [[u8; 32]; 2] = [
    [
        38, 232, 149, 143, 194, 178, 39, 176, 69, 195, 244, 137, 242, 239, 152, 240, 213, 223, 172, 5, 211,
        198, 51, 57, 177, 56, 2, 136, 109, 83, 252, 5,
    ],
    [
        199, 23, 106, 112, 61, 77, 216, 79, 186, 60, 11, 118, 13, 16, 103, 15, 42, 32, 83, 250, 44, 57, 204,
        198, 78, 199, 253, 119, 146, 172, 3, 122,
    ],
];
const PUBLIC: &str = "PUBLIC KEY";
const PRIVATE: &str = "PRIVATE KEY";

/// Lower-case hex of the SHA-256 of the raw public key.
pub fn device_id(public_key: &[u8]) -> String {
    ids::encode(digest(&SHA256, public_key).as_ref())
}

/// The bytes of a public key given as base64url, as base64 or as SPKI PEM. The length is not checked, so
/// that a wrong id and a wrong key can be told apart.
pub fn public_key_bytes(text: &str) -> Option<Vec<u8>> {
    if text.contains("BEGIN ") {
        return from_pem(PUBLIC, text)?.strip_prefix(&SPKI_PREFIX).map(<[u8]>::to_vec);
    }
    from_base64(text.trim())
}

/// Whether 32 bytes can be the public half of somebody's key. A point of small order is nobody's: one signature of
/// zeros is good for every text. One that is not written in the one canonical way would give a key several ids.
pub fn is_sound(public_key: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(public_key) else { return false };
    let [first, middle @ .., last] = &mut y;
    *last &= 0x7f;
    let is_small = *first <= 1 && middle.iter().all(|b| *b == 0) && *last == 0;
    // 2^255 - 20 (which is -1, of order 2) and all above it, which are 0 and so on written again.
    let is_high = *first >= 0xec && middle.iter().all(|b| *b == 0xff) && *last == 0x7f;
    !is_small && !is_high && !SMALL_ORDER.contains(&y)
}

/// A raw public key as SPKI PEM.
pub fn public_key_pem(raw: &[u8]) -> String {
    pem(PUBLIC, &[&SPKI_PREFIX, raw].concat())
}

/// A raw public key as the wire writes it.
pub fn public_key_text(pair: &Ed25519KeyPair) -> String {
    base64url(pair.public_key().as_ref())
}

/// A new key pair and its private part as PKCS8 PEM.
pub fn generate() -> Result<(Ed25519KeyPair, String)> {
    let mut seed = [0u8; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| Error::unavailable("the system's random source failed"))?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
        .map_err(|e| Error::unavailable(format!("make a device key: {e}")))?;
    Ok((pair, pem(PRIVATE, &[PKCS8_PREFIX.as_slice(), &seed].concat())))
}

/// A key pair from PKCS8 PEM, version 1 or 2.
pub fn from_private_pem(text: &str) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&from_pem(PRIVATE, text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::encoding::base64;

    #[test]
    fn all_three_forms_of_a_public_key_are_the_same_key() {
        let (pair, _) = generate().unwrap();
        let raw = pair.public_key().as_ref();
        for text in [public_key_text(&pair), base64(raw), public_key_pem(raw)] {
            assert_eq!(public_key_bytes(&text).unwrap(), raw, "{text}");
        }
        assert_eq!(public_key_bytes("not a key"), None);
    }

    #[test]
    fn a_private_key_reads_back_from_its_version_1_pem() {
        let (pair, private) = generate().unwrap();
        assert_eq!(from_pem(PRIVATE, &private).unwrap().len(), 48);
        let read = from_private_pem(&private).unwrap();
        assert_eq!(read.public_key().as_ref(), pair.public_key().as_ref());
    }

    #[test]
    fn s_l4_keys_of_small_order_are_nobodys() {
        let (pair, _) = generate().unwrap();
        assert!(is_sound(pair.public_key().as_ref()));
        let low = |first: u8| [&[first][..], &[0; 31]].concat();
        let high = |first: u8| [&[first][..], &[0xff; 30], &[0x7f]].concat();
        let mut bad: Vec<Vec<u8>> = SMALL_ORDER.iter().map(|y| y.to_vec()).collect();
        bad.extend([low(0), low(1)]);
        bad.extend((0xec..=0xff).map(high));
        for key in bad {
            assert!(!is_sound(&key), "{key:?}");
            let negative: Vec<u8> =
                key.iter().enumerate().map(|(n, b)| if n == 31 { b | 0x80 } else { *b }).collect();
            assert!(!is_sound(&negative), "{negative:?}");
        }
        assert!(is_sound(&low(9)) && !is_sound(&[7; 31]) && !is_sound(&[]));
    }

    #[test]
    fn a_private_key_of_version_2_is_read_too() {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        assert!(from_private_pem(&pem(PRIVATE, der.as_ref())).is_some());
    }
}
