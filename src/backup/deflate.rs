//! Compressing (RFC 1951), as much of it as a backup needs: one chunk is one block, with the fixed code or stored.
//!
//! Pure. It is the house's own because miniz_oxide's costs 31 kB of program for archives a third smaller.
use crate::parts::{Parts, first};

/// A chunk's longest content, which is that of a stored block.
pub const CHUNK: usize = 65_535;
const FAR: usize = 32_768;
const SHORT: usize = 4;
const LONG: usize = 258;
const HASH_BITS: u32 = 14;
/// How many earlier places are compared.
const TRIES: usize = 12;

/// Where four bytes were seen in a chunk: the newest place by their hash, and for each place the one before it; a place
/// is told one higher, 0 is none.
pub struct Places {
    newest: Vec<u16>,
    before: Vec<u16>,
}

impl Places {
    pub fn new() -> Places {
        Places { newest: vec![0; 1 << HASH_BITS], before: vec![0; CHUNK] }
    }

    /// The longest earlier run that is the same as what begins at `at`: how long it is and how far back.
    fn find(&mut self, data: &[u8], at: usize) -> Option<(usize, usize)> {
        let here = first(data.tail(at), LONG);
        let mut place = self.note(here, at)?;
        let mut best = None;
        for _ in 0..TRIES {
            let Some(from) = usize::from(place).checked_sub(1).filter(|from| at - from <= FAR) else { break };
            let length = here.iter().zip(data.tail(from)).take_while(|(a, b)| a == b).count();
            if length >= SHORT && best.is_none_or(|(longest, _)| length > longest) {
                best = Some((length, at - from));
            }
            place = self.before.get(from).copied().unwrap_or_default();
        }
        best
    }

    /// Remembers the place where `here` begins; gives the one before it.
    fn note(&mut self, here: &[u8], at: usize) -> Option<u16> {
        let (&four, _) = here.split_first_chunk::<SHORT>()?;
        let hash = u32::from_le_bytes(four).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let newest = self.newest.get_mut(hash as usize)?;
        let place = std::mem::replace(newest, (at + 1) as u16);
        *self.before.get_mut(at)? = place;
        Some(place)
    }
}

/// Bits in the order of deflate: the lowest of a byte first.
#[derive(Default)]
pub struct Bits {
    /// Those that are whole.
    pub bytes: Vec<u8>,
    waiting: u32,
    count: u32,
}

impl Bits {
    /// Behind whole bytes.
    pub fn after(bytes: &[u8]) -> Bits {
        Bits { bytes: bytes.to_vec(), ..Bits::default() }
    }

    /// A block of a chunk, in the shorter way.
    pub fn add(&mut self, chunk: &[u8], is_last: bool, places: &mut Places) {
        let start = (self.bytes.len(), self.waiting, self.count);
        self.pack(chunk, is_last, places);
        if self.bytes.len() - start.0 > chunk.len() {
            self.bytes.truncate(start.0);
            (self.waiting, self.count) = (start.1, start.2);
            self.store(chunk, is_last);
        }
    }

    fn put(&mut self, value: u32, count: u32) {
        self.waiting |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.waiting as u8);
            self.waiting >>= 8;
            self.count -= 8;
        }
    }

    /// A code of Huffman's, whose highest bit comes first.
    fn code(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    /// To the next whole byte.
    pub fn align(&mut self) {
        self.put(0, (8 - self.count) % 8);
    }

    /// A block of a chunk as it is.
    pub fn store(&mut self, chunk: &[u8], is_last: bool) {
        self.put(u32::from(is_last), 3);
        self.align();
        let length = chunk.len() as u16;
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend((!length).to_le_bytes());
        self.bytes.extend_from_slice(chunk);
    }

    fn pack(&mut self, chunk: &[u8], is_last: bool, places: &mut Places) {
        places.newest.fill(0);
        self.put(u32::from(is_last) | 2, 3);
        let mut at = 0;
        while let Some(byte) = chunk.get(at) {
            let found = places.find(chunk, at);
            match found {
                Some((length, distance)) => {
                    self.length(length as u32 - 3);
                    self.distance(distance as u32 - 1);
                    // Every place counts for those to come.
                    for at in at + 1..at + length {
                        places.note(chunk.tail(at), at);
                    }
                    at += length;
                }
                None => {
                    self.symbol(u32::from(*byte));
                    at += 1;
                }
            }
        }
        self.symbol(256);
    }

    /// A literal or the code of a length.
    fn symbol(&mut self, symbol: u32) {
        match symbol {
            0..144 => self.code(0x30 + symbol, 8),
            144..256 => self.code(0x190 + symbol - 144, 9),
            256..280 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// A length, less three.
    fn length(&mut self, length: u32) {
        if length == LONG as u32 - 3 {
            return self.symbol(285);
        }
        let extra = length.checked_ilog2().unwrap_or_default().saturating_sub(2);
        self.symbol(257 + (extra << 2) + (length >> extra));
        self.put(length & ((1 << extra) - 1), extra);
    }

    /// A distance, less one.
    fn distance(&mut self, distance: u32) {
        let extra = distance.checked_ilog2().unwrap_or_default().saturating_sub(1);
        self.code((extra << 1) + (distance >> extra), 5);
        self.put(distance & ((1 << extra) - 1), extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::decompress_to_vec;

    #[test]
    fn what_is_packed_is_what_comes_out() {
        let mut seed = 1u32;
        let mut next = |most: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % most
        };
        let mut places = Places::new();
        for turn in 0..200 {
            let length = if turn % 20 == 0 { CHUNK } else { next(3000) as usize };
            let letters = [1, 2, 4, 256][turn % 4];
            let mut data: Vec<u8> = Vec::new();
            while data.len() < length {
                // Runs of earlier bytes, near and far, and new ones.
                let run = next(400) as usize;
                match data.len() {
                    n if n > 0 && next(3) > 0 => {
                        let from = next(n as u32) as usize;
                        (from..from + run).for_each(|at| data.push(data[at]));
                    }
                    _ => (0..run).for_each(|_| data.push(next(letters) as u8)),
                }
            }
            data.truncate(length);
            let mut bits = Bits::default();
            let half = length / 2;
            bits.add(&data[..half], false, &mut places);
            bits.add(&data[half..], true, &mut places);
            bits.align();
            assert!(bits.bytes.len() <= length + 20, "{length} became {}", bits.bytes.len());
            assert!(decompress_to_vec(&bits.bytes).unwrap() == data, "turn {turn}, {length} bytes");
        }
    }
}
