//! Base64 in its two alphabets, and PEM around DER. Pure functions; nothing here knows what the bytes mean.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = encode(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Base64url without padding, as the wire writes keys and signatures.
pub fn base64url(bytes: &[u8]) -> String {
    encode(bytes, URL)
}

/// Reads either alphabet, with or without padding; `None` when a character or the length does not fit.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let (mut out, mut bits, mut held) = (Vec::with_capacity(digits.len() * 3 / 4), 0u32, 0u32);
    for c in digits.bytes() {
        bits = (bits << 6) | sextet(c)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// `-----BEGIN label-----`, the base64 in lines of 64, `-----END label-----`, as Node's crypto writes it.
pub fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----");
    for (i, c) in base64(der).chars().enumerate() {
        if i % 64 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text + &format!("\n-----END {label}-----\n")
}

/// The DER of the first PEM block with that label.
pub fn from_pem(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    from_base64(&body.split_whitespace().collect::<String>())
}

fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |n, b| (n << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            let digit = (group >> (18 - 6 * i)) & 63;
            text.extend(alphabet.get(digit as usize).map(|c| char::from(*c)));
        }
    }
    text
}

fn sextet(c: u8) -> Option<u32> {
    let value = match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_what_it_writes() {
        let check = |bytes: &[u8], standard: &str, url: &str| {
            assert_eq!(base64(bytes), standard);
            assert_eq!(base64url(bytes), url);
            assert_eq!(from_base64(standard).unwrap(), bytes);
            assert_eq!(from_base64(url).unwrap(), bytes);
        };
        check(b"", "", "");
        check(b"f", "Zg==", "Zg");
        check(b"fo", "Zm8=", "Zm8");
        check(b"foo", "Zm9v", "Zm9v");
        check(b"foobar", "Zm9vYmFy", "Zm9vYmFy");
        check(&[0xfb, 0xff, 0xfe, 0xff], "+//+/w==", "-__-_w");
    }

    #[test]
    fn malformed_base64_is_refused() {
        for text in ["A", "AAAAA", "AA A", "A=A=", "AA===", "ä", "AA\n"] {
            assert_eq!(from_base64(text), None, "{text:?}");
        }
    }

    #[test]
    fn pem_survives_line_breaks_of_any_kind() {
        let der: Vec<u8> = (0..100).collect();
        let text = pem("PUBLIC KEY", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(from_pem("PUBLIC KEY", &text).unwrap(), der);
        assert_eq!(from_pem("PUBLIC KEY", &text.replace('\n', "\r\n")).unwrap(), der);
        assert_eq!(from_pem("PRIVATE KEY", &text), None);
    }
}
