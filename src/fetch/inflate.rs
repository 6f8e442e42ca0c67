//! Bodies that a server compressed although nobody asked it to: gzip, zlib and bare deflate (RFC 1950 to 1952).
//!
//! Pure. Whole bodies only, bounded before memory is spent. Check sums are not compared: what is read here is judged
//! by its words afterwards.

/// Order in which the lengths of the code of lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The longest code, in bits.
const MAX_BITS: usize = 15;
/// The symbol that ends a block, and the first that stands for a repetition.
const END: u16 = 256;

/// What a body holds, at most `most` bytes of it; `None` where it is broken, cut or longer.
pub fn inflate(body: &[u8], most: usize) -> Option<Vec<u8>> {
    let start = match body {
        [0x1f, 0x8b, 8, flags, ..] => after_gzip_head(body, *flags)?,
        [head, flags, ..] if head & 15 == 8 && (u16::from(*head) << 8 | u16::from(*flags)) % 31 == 0 => 2,
        _ => 0,
    };
    let mut bits = Bits { bytes: body.get(start..)?, at: 0 };
    let mut out = Vec::new();
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, most)?,
            1 => block(&mut bits, &mut out, most, &fixed_literals(), &Code::of(&[5; 30]))?,
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, &mut out, most, &literals, &distances)?;
            }
            _ => return None,
        }
        if is_last {
            return Some(out);
        }
    }
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

/// Bits from the lowest of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }
}

/// A canonical prefix code: how many codes have each length, and their symbols in order.
struct Code {
    counts: [u16; MAX_BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    fn of(lengths: &[u8]) -> Code {
        let mut counts = [0; MAX_BITS + 1];
        let mut symbols = Vec::with_capacity(lengths.len());
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let before = symbols.len();
            symbols.extend(
                (0u16..).zip(lengths).filter(|(_, own)| usize::from(**own) == length).map(|(n, _)| n),
            );
            *count = (symbols.len() - before) as u16;
        }
        Code { counts, symbols }
    }

    fn read(&self, bits: &mut Bits) -> Option<u16> {
        let (mut code, mut first, mut index) = (0usize, 0usize, 0usize);
        for count in self.counts.iter().skip(1).map(|count| usize::from(*count)) {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code.checked_sub(first)?).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

fn fixed_literals() -> Code {
    let mut lengths = [8; 288];
    lengths.iter_mut().take(256).skip(144).for_each(|length| *length = 9);
    lengths.iter_mut().take(280).skip(256).for_each(|length| *length = 7);
    Code::of(&lengths)
}

/// The codes of a block that brings its own.
fn codes(bits: &mut Bits) -> Option<(Code, Code)> {
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let count = bits.take(4)? + 4;
    let mut lengths = [0u8; 19];
    for place in ORDER.iter().take(count) {
        *lengths.get_mut(*place)? = bits.take(3)? as u8;
    }
    let code = Code::of(&lengths);
    let mut all: Vec<u8> = Vec::with_capacity(literals + distances);
    while all.len() < literals + distances {
        let (length, times) = match code.read(bits)? {
            length @ ..16 => (length as u8, 1),
            16 => (*all.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            _ => (0, bits.take(7)? + 11),
        };
        all.extend(std::iter::repeat_n(length, times));
    }
    let (first, second) = all.get(..literals + distances)?.split_at_checked(literals)?;
    Some((Code::of(first), Code::of(second)))
}

fn block(bits: &mut Bits, out: &mut Vec<u8>, most: usize, literals: &Code, distances: &Code) -> Option<()> {
    loop {
        match literals.read(bits)? {
            END => return Some(()),
            byte @ ..END => out.push(byte as u8),
            symbol => {
                let length = length(bits, usize::from(symbol) - 257)?;
                let row = usize::from(distances.read(bits)?);
                let distance = distance(bits, row)?;
                let from = out.len().checked_sub(distance)?;
                for at in from..from + length {
                    out.push(*out.get(at)?);
                }
            }
        }
        if out.len() > most {
            return None;
        }
    }
}

/// How many bytes a repetition has: from eight lengths on, each four share one more bit.
fn length(bits: &mut Bits, row: usize) -> Option<usize> {
    match row {
        ..8 => Some(row + 3),
        28 => Some(258),
        8..28 => {
            let extra = row / 4 - 1;
            Some(((4 + row % 4) << extra) + 3 + bits.take(extra)?)
        }
        _ => None,
    }
}

/// How far back it begins: each two share one more bit.
fn distance(bits: &mut Bits, row: usize) -> Option<usize> {
    match row {
        ..4 => Some(row + 1),
        4..30 => {
            let extra = row / 2 - 1;
            Some(((2 + row % 2) << extra) + 1 + bits.take(extra)?)
        }
        _ => None,
    }
}

fn stored(bits: &mut Bits, out: &mut Vec<u8>, most: usize) -> Option<()> {
    let at = bits.at.div_ceil(8);
    let [low, high, ..] = *bits.bytes.get(at..)? else { return None };
    let length = usize::from(low) | usize::from(high) << 8;
    out.extend_from_slice(bits.bytes.get(at + 4..at + 4 + length).filter(|_| out.len() + length <= most)?);
    bits.at = (at + 4 + length) * 8;
    Some(())
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
