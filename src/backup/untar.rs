//! Reading tar, compressed or not.
//!
//! Runs on the command line's thread. Takes only what `tar` writes: no links, no devices, no other headers. It judges
//! structure, not names; whether a name may be used is decided in `archive`.
use super::gzip::{self, Unpacker};
use super::tar::{BLOCK, Entry, MAX_PAX, NAME, checksum};
use crate::error::{Error, Result};
use crate::parts::Parts;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

/// Reads an archive from its start to its end; `Read` gives the content of the present entry.
pub struct Reader {
    input: Input,
    /// Length of the file, bytes.
    pub length: u64,
    /// Most bytes of the archive behind the present place.
    rest: u64,
    /// Bytes of the present entry's content that were not read yet.
    left: u64,
    padding: u64,
}

enum Input {
    Plain(BufReader<File>),
    Packed(Box<Unpacker>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::Plain(input) => input.read(buffer),
            Input::Packed(input) => input.read(buffer),
        }
    }
}

impl Input {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Input::Plain(input) => input.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?),
            // What is missing is found out at the next header.
            Input::Packed(input) => io::copy(&mut input.take(bytes), &mut io::sink()).map(drop),
        }
    }
}

impl Reader {
    /// Compressed or not, which its first bytes tell.
    pub fn new(file: File) -> io::Result<Reader> {
        let length = file.metadata()?.len();
        let mut input = BufReader::with_capacity(64 << 10, file);
        let is_packed = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let (input, rest) = match is_packed {
            true => (Input::Packed(Box::new(Unpacker::new(input))), length.saturating_mul(gzip::MOST)),
            false => (Input::Plain(input), length),
        };
        Ok(Reader { input, length, rest, left: 0, padding: 0 })
    }

    /// The next entry; `None` at the proper end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        let mut long = None;
        loop {
            self.skip(self.left + self.padding)?;
            let Some((entry, kind)) = self.head()? else { return Ok(None) };
            match kind {
                b'x' if entry.size <= MAX_PAX && long.is_none() => {
                    let mut record = vec![0; entry.size as usize];
                    self.read_exact(&mut record).map_err(|e| unread(&e))?;
                    long = Some(path_of(&record).ok_or_else(|| damaged("a long name cannot be read"))?);
                }
                b'0' | b'5' => {
                    let path = long.unwrap_or(entry.path);
                    let path = path.strip_suffix('/').filter(|_| kind == b'5').unwrap_or(&path).to_string();
                    return Ok(Some(Entry { path, is_dir: kind == b'5', ..entry }));
                }
                b'1' | b'2' => return Err(damaged("it holds a link, which no backup of this program does")),
                _ => return Err(damaged("it holds an entry that no backup of this program does")),
            }
        }
    }

    fn head(&mut self) -> Result<Option<(Entry, u8)>> {
        let block = self.raw_block()?;
        if block.iter().all(|byte| *byte == 0) {
            if self.raw_block()?.iter().any(|byte| *byte != 0) {
                return Err(damaged("it does not end as an archive"));
            }
            if let Input::Packed(input) = &mut self.input {
                // Its check sum comes behind its last byte.
                io::copy(input, &mut io::sink()).map_err(|e| unread(&e))?;
            }
            return Ok(None);
        }
        let field = |from: usize, to: usize| block.part(from..to);
        let number = |from, to| octal(field(from, to)).ok_or_else(|| damaged("a header cannot be read"));
        if number(148, 156)? != u64::from(checksum(&block)) {
            return Err(damaged("a header's checksum is wrong"));
        }
        let name = field(0, NAME);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let path = String::from_utf8_lossy(name).into_owned();
        let (mode, size, modified) = (number(100, 108)? as u32, number(124, 136)?, number(136, 148)?);
        if size > self.rest {
            return Err(cut_off());
        }
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK) - size;
        let kind = block.get(156).copied().unwrap_or_default();
        Ok(Some((Entry { path, is_dir: false, mode: mode & 0o777, size, modified }, kind)))
    }

    fn raw_block(&mut self) -> Result<[u8; BLOCK as usize]> {
        let mut block = [0; BLOCK as usize];
        self.input.read_exact(&mut block).map_err(|e| unread(&e))?;
        self.rest = self.rest.saturating_sub(BLOCK);
        Ok(block)
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        self.input.skip(bytes).map_err(|e| unread(&e))?;
        self.rest = self.rest.checked_sub(bytes).ok_or_else(cut_off)?;
        (self.left, self.padding) = (0, 0);
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.input.read(buffer.head_mut(most))?;
        self.left -= read as u64;
        self.rest = self.rest.saturating_sub(read as u64);
        Ok(read)
    }
}

/// The path of a pax header that holds nothing else.
fn path_of(record: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(record).ok()?;
    let (length, rest) = text.split_once(' ')?;
    let path = rest.strip_prefix("path=")?.strip_suffix('\n')?;
    (length.parse() == Ok(text.len()) && !path.contains('\n')).then(|| path.to_string())
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    u64::from_str_radix(if text.is_empty() { "0" } else { text }, 8).ok()
}

pub fn damaged(what: &str) -> Error {
    Error::invalid(format!("the archive is damaged or not a backup: {what}; use another one"))
}

fn cut_off() -> Error {
    damaged("it ends too early")
}

/// What it means that an archive's bytes cannot be read.
pub fn unread(e: &io::Error) -> Error {
    if e.kind() == io::ErrorKind::InvalidData {
        damaged("a compressed part cannot be read")
    } else {
        cut_off()
    }
}
