//! Texts as parts of an address (RFC 3986): what an address cannot hold stands as `%` and two digits. Pure.

/// `text` as a name, a value of a query or, with `b"/"` in `also`, a path. Of ASCII, letters, digits and `-._~` stand as they
/// are, and what is in `also`.
pub fn escaped(text: &str, also: &[u8]) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte);
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_plain(byte) {
            true => escaped.push(char::from(byte)),
            false => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

/// What stands there for it; nothing where it is no text, or a `%` has no digits.
pub fn plain(escaped: &str) -> Option<String> {
    plain_but(escaped, b"")
}

/// The same; nothing either where one of these bytes is escaped.
pub fn plain_but(escaped: &str, refused: &[u8]) -> Option<String> {
    let (mut plain, mut bytes) = (Vec::with_capacity(escaped.len()), escaped.bytes());
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        plain.push(match byte {
            b'%' => Some((digit()? * 16 + digit()?) as u8).filter(|byte| !refused.contains(byte))?,
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::{escaped, plain};

    #[test]
    fn what_an_address_cannot_hold_is_a_number() {
        assert_eq!(escaped("a-._~Z9", b""), "a-._~Z9");
        assert_eq!(escaped("a b/ü&\"+%", b""), "a%20b%2F%C3%BC%26%22%2B%25");
        assert_eq!(escaped("photos/a b", b"/"), "photos/a%20b");
        assert_eq!(plain("a%20b%2F%C3%BC%26").as_deref(), Some("a b/ü&"));
        assert_eq!((plain("a%2"), plain("%zz"), plain("%ff")), (None, None, None));
    }
}
