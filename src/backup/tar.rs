//! Plain tar (ustar, with pax headers for long names), as much of it as a backup needs: files and directories.
//!
//! Runs on the command line's thread. The reader takes only what the writer writes: no links, no devices, no other
//! headers. It judges structure, not names; whether a name may be used is decided in `archive`.
use crate::error::{Error, Result};
use crate::parts::{Parts, first};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

const BLOCK: u64 = 512;
/// Longest name a plain header holds.
const NAME: usize = 100;
/// A pax header may be this long, bytes.
const MAX_PAX: u64 = 16 << 10;
/// What eleven octal digits can say: 8 GiB less one byte.
pub const MAX_FILE: u64 = 0o77777777777;

/// What one entry of an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub is_dir: bool,
    /// Permission bits.
    pub mode: u32,
    /// Bytes of content that follow.
    pub size: u64,
    /// Time of change, seconds since the epoch.
    pub modified: u64,
}

impl Entry {
    pub fn file(path: &str, mode: u32, size: u64, modified: u64) -> Entry {
        Entry { path: path.to_string(), is_dir: false, mode, size, modified }
    }

    pub fn directory(path: &str, mode: u32) -> Entry {
        Entry { path: path.to_string(), is_dir: true, mode, size: 0, modified: 0 }
    }
}

pub struct Writer {
    out: BufWriter<File>,
    at: u64,
}

impl Writer {
    pub fn new(file: File) -> Writer {
        Writer { out: BufWriter::with_capacity(64 << 10, file), at: 0 }
    }

    /// Adds an entry and exactly `entry.size` bytes of `content`; fails when there are fewer.
    pub fn add(&mut self, entry: &Entry, content: &mut dyn Read) -> io::Result<()> {
        self.head(entry)?;
        let copied = io::copy(&mut content.take(entry.size), &mut self.out)?;
        if copied < entry.size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.at += copied;
        self.pad()
    }

    /// Adds an entry whose content is written at the end; gives where it lies.
    pub fn reserve(&mut self, path: &str, size: u64) -> io::Result<u64> {
        self.head(&Entry::file(path, 0o600, size, 0))?;
        let start = self.at;
        io::copy(&mut io::repeat(b' ').take(size), &mut self.out)?;
        self.at += size;
        self.pad()?;
        Ok(start)
    }

    /// Ends the archive, puts bytes where a place was reserved and waits for the disk.
    pub fn finish(mut self, reserved: Option<(u64, &[u8])>) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK as usize])?;
        let file = self.out.into_inner().map_err(|e| e.into_error())?;
        if let Some((start, bytes)) = reserved {
            file.write_all_at(bytes, start)?;
        }
        file.sync_all()
    }

    fn head(&mut self, entry: &Entry) -> io::Result<()> {
        let path = if entry.is_dir { format!("{}/", entry.path) } else { entry.path.clone() };
        if path.len() > NAME {
            let record = pax_record(&path);
            self.block(b"pax", 0o600, record.len() as u64, 0, b'x')?;
            self.out.write_all(record.as_bytes())?;
            self.at += record.len() as u64;
            self.pad()?;
        }
        let name = first(path.as_bytes(), NAME);
        let kind = if entry.is_dir { b'5' } else { b'0' };
        self.block(name, entry.mode, entry.size, entry.modified, kind)
    }

    fn block(&mut self, name: &[u8], mode: u32, size: u64, modified: u64, kind: u8) -> io::Result<()> {
        let mut block = Vec::with_capacity(BLOCK as usize);
        block.extend_from_slice(name);
        block.resize(NAME, 0);
        // Mode, owner, group, size, time, and blanks where the checksum will stand.
        let fields = format!("{mode:07o}\0{:07o}\0{:07o}\0{size:011o}\0{modified:011o}\0        ", 0, 0);
        block.extend_from_slice(fields.as_bytes());
        block.push(kind);
        block.resize(257, 0);
        block.extend_from_slice(b"ustar\x0000");
        block.resize(BLOCK as usize, 0);
        let sum = format!("{:06o}\0 ", checksum(&block));
        for (to, from) in block.iter_mut().skip(148).zip(sum.bytes()) {
            *to = from;
        }
        self.at += BLOCK;
        self.out.write_all(&block)
    }

    fn pad(&mut self) -> io::Result<()> {
        let missing = self.at.next_multiple_of(BLOCK) - self.at;
        self.at += missing;
        io::copy(&mut io::repeat(0).take(missing), &mut self.out).map(drop)
    }
}

/// `<length> path=<path>\n`, where the length counts its own digits.
fn pax_record(path: &str) -> String {
    let rest = format!(" path={path}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// The sum of all bytes, those of the checksum's own field counted as blanks.
fn checksum(block: &[u8]) -> u32 {
    let own = |place: usize| (148..156).contains(&place);
    block.iter().enumerate().map(|(place, byte)| if own(place) { 32 } else { u32::from(*byte) }).sum()
}

/// Reads an archive from its start to its end; `Read` gives the content of the present entry.
pub struct Reader {
    input: BufReader<File>,
    /// Bytes of the archive behind the present place.
    rest: u64,
    /// Bytes of the present entry's content that were not read yet.
    left: u64,
    padding: u64,
}

impl Reader {
    pub fn new(file: File) -> io::Result<Reader> {
        let rest = file.metadata()?.len();
        Ok(Reader { input: BufReader::with_capacity(64 << 10, file), rest, left: 0, padding: 0 })
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
                    self.read_exact(&mut record).map_err(|_| cut_off())?;
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
            return match self.raw_block()?.iter().all(|byte| *byte == 0) {
                true => Ok(None),
                false => Err(damaged("it does not end as an archive")),
            };
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
        self.input.read_exact(&mut block).map_err(|_| cut_off())?;
        self.rest = self.rest.saturating_sub(BLOCK);
        Ok(block)
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        let offset = i64::try_from(bytes).map_err(|_| cut_off())?;
        self.input.seek_relative(offset).map_err(|_| cut_off())?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    fn write(path: &std::path::Path, entries: &[(Entry, &[u8])]) {
        let mut writer = Writer::new(File::create(path).unwrap());
        let at = writer.reserve("first", 10).unwrap();
        for (entry, content) in entries {
            writer.add(entry, &mut &content[..]).unwrap();
        }
        writer.finish(Some((at, b"0123456789"))).unwrap();
    }

    fn read(path: &std::path::Path) -> Result<Vec<(Entry, Vec<u8>)>> {
        let mut reader = Reader::new(File::open(path).unwrap()).unwrap();
        let mut found = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut content = Vec::new();
            if !entry.path.starts_with("skip") {
                reader.read_to_end(&mut content).unwrap();
            }
            found.push((entry, content));
        }
        Ok(found)
    }

    #[test]
    fn what_is_written_is_read_back_and_by_other_programs_too() {
        let dir = TestDir::new();
        let archive = dir.0.join("a.tar");
        let long = format!("{}/{}", "d".repeat(90), "ü".repeat(60));
        let entries: Vec<(Entry, &[u8])> = vec![
            (Entry::directory("a", 0o700), b""),
            (Entry::file("a/b", 0o600, 3, 1_700_000_000), b"xyz"),
            (Entry::file("skip", 0o644, 513, 0), &[7; 513]),
            (Entry::file(&long, 0o755, 512, 5), &[1; 512]),
            (Entry::file("empty", 0o600, 0, 0), b""),
        ];
        write(&archive, &entries);
        let found = read(&archive).unwrap();
        assert_eq!(found[0], (Entry::file("first", 0o600, 10, 0), b"0123456789".to_vec()));
        for ((want, content), (got, bytes)) in entries.iter().zip(&found[1..]) {
            assert_eq!(want, got);
            assert!(want.path == "skip" || content == bytes);
        }
        if let Ok(listed) = std::process::Command::new("tar").arg("tf").arg(&archive).output() {
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            assert!(listed.contains("a/b\n") && listed.lines().count() == 6, "{listed}");
        }
    }

    #[test]
    fn r_27a_what_is_cut_off_changed_or_foreign_is_refused() {
        let dir = TestDir::new();
        let archive = dir.0.join("a.tar");
        write(&archive, &[(Entry::file("f", 0o600, 1000, 0), &[1; 1000])]);
        let whole = std::fs::read(&archive).unwrap();
        let refused = |bytes: &[u8]| {
            std::fs::write(&archive, bytes).unwrap();
            read(&archive).is_err()
        };
        for length in [0, 100, 512, 1024, 1500, 2048, whole.len() - 1024, whole.len() - 1] {
            assert!(refused(&whole[..length]), "{length} bytes");
        }
        let mut changed = whole.clone();
        changed[1024] ^= 1;
        assert!(refused(&changed), "a header");
        for kind in [b'1', b'2', b'3', b'6', b'L', b'g', b'S'] {
            let mut foreign = whole.clone();
            foreign[1024 + 156] = kind;
            let sum = format!("{:06o}\0 ", checksum(&foreign[1024..1536]));
            foreign[1024 + 148..1024 + 156].copy_from_slice(sum.as_bytes());
            assert!(refused(&foreign), "{}", kind as char);
        }
        // A size that the archive cannot hold is not believed.
        let mut bomb = whole.clone();
        bomb[1024 + 124..1024 + 135].copy_from_slice(b"77777777777");
        let sum = format!("{:06o}\0 ", checksum(&bomb[1024..1536]));
        bomb[1024 + 148..1024 + 156].copy_from_slice(sum.as_bytes());
        assert!(refused(&bomb), "a bomb");
        assert!(!refused(&whole));
    }
}
