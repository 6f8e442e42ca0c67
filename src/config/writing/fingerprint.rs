//! Pins of certificates as people write them. Pure text.
/// The 64 small digits of a certificate's SHA-256, read as people and `openssl` write it: with or without `sha256:`,
/// colons and spaces.
pub fn fingerprint(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("sha256").or_else(|| lower.strip_prefix("sha-256")).unwrap_or(&lower);
    let bare = bare.trim_start().strip_prefix("fingerprint=").unwrap_or(bare);
    let digits: String = bare.chars().filter(|c| *c != ':' && !c.is_whitespace()).collect();
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}
