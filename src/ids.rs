//! Random identifiers: UUIDs, tokens, short hex ids. The randomness is the operating system's, by `ring`.
use crate::error::{Error, Result};
use crate::parts::Parts;
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0u8; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::unavailable("the system's random source failed"))?;
    Ok(bytes)
}

/// `n` random bytes as lower-case hex (2 n characters).
pub fn hex(n: usize) -> Result<String> {
    let mut bytes = vec![0u8; n];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::unavailable("the system's random source failed"))?;
    Ok(encode(&bytes))
}

/// A random UUID (version 4).
pub fn uuid() -> Result<String> {
    let b = random::<16>()?;
    let n = (u128::from_be_bytes(b) & !(0xf000 << 64) & !(0xc000 << 48)) | (0x4000 << 64) | (0x8000 << 48);
    let h = format!("{n:032x}");
    let part = |from, to| h.part(from..to);
    Ok(format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

/// Bytes as lower-case hex.
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_carry_version_and_variant() {
        let id = uuid().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_ne!(id, uuid().unwrap());
    }
}
