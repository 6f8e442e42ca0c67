//! Bodies that a server compressed although nobody asked it to: gzip, zlib and bare deflate (RFC 1950 to 1952).
//!
//! Pure. Finds where the deflate data begin; reading them is miniz_oxide's. Whole bodies only, bounded before memory is
//! spent. Check sums are not compared: what is read here is judged by its words afterwards.
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// What a body holds, at most `most` bytes of it; `None` where it is broken, cut or longer.
pub fn inflate(body: &[u8], most: usize) -> Option<Vec<u8>> {
    let start = match body {
        [0x1f, 0x8b, 8, flags, ..] => after_gzip_head(body, *flags)?,
        [head, flags, ..] if head & 15 == 8 && (u16::from(*head) << 8 | u16::from(*flags)) % 31 == 0 => 2,
        _ => 0,
    };
    decompress_to_vec_with_limit(body.get(start..)?, most).ok()
}

fn after_gzip_head(body: &[u8], flags: u8) -> Option<usize> {
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(*body.get(at)?) + (usize::from(*body.get(at + 1)?) << 8);
    }
    for text in [8, 16] {
        if flags & text != 0 {
            at += body.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
        }
    }
    Some(at + if flags & 2 != 0 { 2 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    const TEXT: &str = "{\"error\":{\"message\":\"canary canary canary\",\"code\":400}}";

    #[test]
    fn b_f17_every_way_of_compressing_is_read() {
        for (name, coded) in [
            (
                "gzip",
                "1f8b08080000000002ff782e6a736f6e00ab564a2d2aca2f52b2aa56ca4d2d2e4e4c4f55b2524a4ecc4b2caa5440a194749492f35380b2260606b5b500e0071f0537000000",
            ),
            (
                "zlib",
                "78daab564a2d2aca2f52b2aa56ca4d2d2e4e4c4f55b2524a4ecc4b2caa5440a194749492f35380b2260606b5b5001d5112d3",
            ),
            (
                "bare",
                "ab564a2d2aca2f52b2aa56ca4d2d2e4e4c4f55b2524a4ecc4b2caa5440a194749492f35380b2260606b5b500",
            ),
            (
                "stored",
                "1f8b0800000000000403013700c8ff7b226572726f72223a7b226d657373616765223a2263616e6172792063616e6172792063616e617279222c22636f6465223a3430307d7de0071f0537000000",
            ),
            (
                "fixed",
                "ab564a2d2aca2f52b2aa56ca4d2d2e4e4c4f55b2524a4ecc4b2caa5440a194749492f35380b2260606b5b500",
            ),
        ] {
            let coded = bytes(coded);
            assert_eq!(inflate(&coded, 100).as_deref(), Some(TEXT.as_bytes()), "{name}");
            assert_eq!(inflate(&coded, TEXT.len() - 1), None, "{name}");
            (0..coded.len())
                .for_each(|cut| assert_ne!(inflate(&coded[..cut], 100).as_deref(), Some(&b""[..])));
        }
    }

    #[test]
    fn codes_of_their_own_and_long_repetitions_are_read() {
        let coded = include_bytes!("../../tests/data/letters.gz");
        let got = inflate(coded, 1 << 20).unwrap();
        let (mut x, mut want) = (1u32, Vec::new());
        for _ in 0..3000 {
            x = x.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
            want.push(if (x >> 20) % 5 > 0 { b'a' + ((x >> 16) % 7) as u8 } else { b' ' });
        }
        want.extend_from_slice(&b"abc".repeat(700));
        assert!(got == want, "{}", String::from_utf8_lossy(&got));
    }

    #[test]
    fn nothing_breaks_it() {
        let coded = include_bytes!("../../tests/data/letters.gz");
        for at in 0..coded.len() {
            let mut broken = coded.to_vec();
            broken[at] ^= 0x55;
            // Anything but a panic or more than was asked for.
            assert!(inflate(&broken, 10_000).is_none_or(|out| out.len() <= 10_000));
        }
    }
}
