//! gzip (RFC 1952) for archives: members one after the other, with their check sums. Reads whatever the program gzip
//! writes.
//!
//! Runs on the command line's thread. What compresses is `deflate`, chunk by chunk, and what would become longer is
//! stored; what reads is miniz_oxide.
use super::deflate::{Bits, CHUNK, Places};
use crate::parts::{Parts, first};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};

/// Nothing packed this way becomes longer than this when it is unpacked.
pub const MOST: u64 = 1032;
/// No name, no time, written under Unix.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// The check sum of gzip, as it stands after some bytes.
#[derive(Clone, Copy, Default)]
struct Sum {
    crc: u32,
    length: u32,
}

/// The check sums of half bytes.
#[rustfmt::skip]
const TABLE: [u32; 16] = [
    0x0000_0000, 0x1db7_1064, 0x3b6e_20c8, 0x26d9_30ac,
    0x76dc_4190, 0x6b6b_51f4, 0x4db2_6158, 0x5005_713c,
    0xedb8_8320, 0xf00f_9344, 0xd6d6_a3e8, 0xcb61_b38c,
    0x9b64_c2b0, 0x86d3_d2d4, 0xa00a_e278, 0xbdbd_f21c,
];

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let step = |crc: u32| crc >> 4 ^ TABLE.get((crc & 15) as usize).copied().unwrap_or_default();
        self.crc = !bytes.iter().fold(!self.crc, |crc, byte| step(step(crc ^ u32::from(*byte))));
        self.length = self.length.wrapping_add(bytes.len() as u32);
    }

    /// What ends a member.
    fn tail(self) -> [u8; 8] {
        (u64::from(self.length) << 32 | u64::from(self.crc)).to_le_bytes()
    }
}

/// A member that holds `bytes` as they are, so that its length depends on theirs alone.
pub fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut bits = Bits::after(&HEAD);
    let mut chunks = bytes.chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        bits.store(chunk, chunks.peek().is_none());
    }
    let mut sum = Sum::default();
    sum.add(bytes);
    bits.bytes.extend(sum.tail());
    bits.bytes
}

/// Packs what is written to it.
pub struct Packer {
    out: BufWriter<File>,
    chunk: Vec<u8>,
    bits: Bits,
    places: Places,
    sum: Sum,
}

impl Packer {
    pub fn new(out: BufWriter<File>) -> Packer {
        let bits = Bits::after(&HEAD);
        Packer { out, chunk: Vec::with_capacity(CHUNK), bits, places: Places::new(), sum: Sum::default() }
    }

    /// Adds a member of its own before the first byte.
    pub fn add_member(&mut self, member: &[u8]) -> io::Result<()> {
        self.out.write_all(member)
    }

    /// Ends the stream.
    pub fn finish(mut self) -> io::Result<BufWriter<File>> {
        self.block(true)?;
        self.bits.align();
        self.out.write_all(&self.bits.bytes)?;
        self.out.write_all(&self.sum.tail())?;
        Ok(self.out)
    }

    fn block(&mut self, is_last: bool) -> io::Result<()> {
        self.sum.add(&self.chunk);
        self.bits.add(&self.chunk, is_last, &mut self.places);
        self.out.write_all(&self.bits.bytes)?;
        self.bits.bytes.clear();
        self.chunk.clear();
        Ok(())
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = first(bytes, CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(taken);
        if self.chunk.len() == CHUNK {
            self.block(false)?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what is packed in a file.
pub struct Unpacker {
    input: BufReader<File>,
    state: Box<InflateState>,
    sum: Sum,
    is_within: bool,
}

impl Unpacker {
    pub fn new(input: BufReader<File>) -> Unpacker {
        Unpacker {
            input,
            state: InflateState::new_boxed(DataFormat::Raw),
            sum: Sum::default(),
            is_within: false,
        }
    }

    /// Begins the next member; `false` where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut head = [0; 10];
        self.input.read_exact(&mut head)?;
        match head {
            [0x1f, 0x8b, 8, 0, ..] => {}
            // With the name that the program gzip writes.
            [0x1f, 0x8b, 8, 8, ..] => drop(self.input.skip_until(0)?),
            _ => return Err(broken()),
        }
        self.state.reset(DataFormat::Raw);
        (self.sum, self.is_within) = (Sum::default(), true);
        Ok(true)
    }

    fn end(&mut self) -> io::Result<()> {
        let mut tail = [0; 8];
        self.input.read_exact(&mut tail)?;
        self.is_within = false;
        if tail == self.sum.tail() { Ok(()) } else { Err(broken()) }
    }
}

impl Read for Unpacker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() && (self.is_within || self.begin()?) {
            let input = self.input.fill_buf()?;
            let is_over = input.is_empty();
            let done = inflate(&mut self.state, input, buffer, MZFlush::None);
            self.input.consume(done.bytes_consumed);
            self.sum.add(buffer.head(done.bytes_written));
            match done.status {
                Ok(MZStatus::StreamEnd) => self.end()?,
                Ok(_) | Err(MZError::Buf) if !is_over || done.bytes_written > 0 => {}
                Ok(_) | Err(MZError::Buf) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(_) => return Err(broken()),
            }
            if done.bytes_written > 0 {
                return Ok(done.bytes_written);
            }
        }
        Ok(0)
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "what is compressed in it is damaged")
}
