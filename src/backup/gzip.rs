//! gzip (RFC 1952) for archives: members one after the other, with their check sums. Reads whatever the program gzip
//! writes.
//!
//! Runs on the command line's thread. What compresses and what reads is miniz_oxide.
use crate::parts::Parts;
use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};

/// Nothing packed this way becomes longer than this when it is unpacked.
pub const MOST: u64 = 1032;
/// As hard as the program gzip tries, without the frame of zlib, written out in pieces of so many bytes.
const LEVEL: i32 = 6;
const RAW: i32 = -15;
const PIECE: usize = 64 << 10;
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
    let mut member = HEAD.to_vec();
    let mut chunks = bytes.chunks(usize::from(u16::MAX)).peekable();
    while let Some(chunk) = chunks.next() {
        member.push(u8::from(chunks.peek().is_none()));
        let length = chunk.len() as u16;
        member.extend(length.to_le_bytes());
        member.extend((!length).to_le_bytes());
        member.extend_from_slice(chunk);
    }
    let mut sum = Sum::default();
    sum.add(bytes);
    member.extend(sum.tail());
    member
}

/// Packs what is written to it.
pub struct Packer {
    out: BufWriter<File>,
    /// The head of the member, until it is written.
    head: &'static [u8],
    state: Box<CompressorOxide>,
    packed: Vec<u8>,
    sum: Sum,
}

impl Packer {
    pub fn new(out: BufWriter<File>) -> Packer {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        let state = Box::new(CompressorOxide::new(flags));
        Packer { out, head: &HEAD, state, packed: vec![0; PIECE], sum: Sum::default() }
    }

    /// Adds a member of its own before the first byte.
    pub fn add_member(&mut self, member: &[u8]) -> io::Result<()> {
        self.out.write_all(member)
    }

    /// Ends the stream.
    pub fn finish(mut self) -> io::Result<BufWriter<File>> {
        while !self.step(&[], MZFlush::Finish)?.1 {}
        self.out.write_all(&self.sum.tail())?;
        Ok(self.out)
    }

    /// Packs the next bytes; how many were taken, and whether the stream is at its end.
    fn step(&mut self, bytes: &[u8], flush: MZFlush) -> io::Result<(usize, bool)> {
        self.out.write_all(std::mem::take(&mut self.head))?;
        let done = deflate(&mut self.state, bytes, &mut self.packed, flush);
        self.out.write_all(self.packed.head(done.bytes_written))?;
        match done.status {
            Ok(status) => Ok((done.bytes_consumed, status == MZStatus::StreamEnd)),
            Err(e) => Err(io::Error::other(format!("compress: {e:?}"))),
        }
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            let (taken, _) = self.step(bytes, MZFlush::None)?;
            // What was taken before may have to go out first.
            if taken > 0 {
                self.sum.add(bytes.head(taken));
                return Ok(taken);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn what_is_packed_is_what_comes_out() {
        let mut seed = 1u32;
        let mut next = |most: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % most
        };
        let dir = TestDir::new();
        let path = dir.0.join("packed");
        for turn in 0..200 {
            let length = if turn % 20 == 0 { 65_535 } else { next(3000) as usize };
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
            let mut packer = Packer::new(BufWriter::new(File::create(&path).unwrap()));
            let half = length / 2;
            packer.write_all(&data[..half]).unwrap();
            packer.write_all(&data[half..]).unwrap();
            packer.finish().unwrap().flush().unwrap();
            let packed = std::fs::metadata(&path).unwrap().len() as usize - HEAD.len() - 8;
            assert!(packed <= length + 20, "{length} became {packed}");
            let mut out = Vec::new();
            Unpacker::new(BufReader::new(File::open(&path).unwrap())).read_to_end(&mut out).unwrap();
            assert!(out == data, "turn {turn}, {length} bytes");
        }
    }
}
