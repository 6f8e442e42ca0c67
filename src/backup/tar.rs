//! Plain tar (ustar, with pax headers for long names), as much of it as a backup needs: files and directories.
//!
//! Runs on the command line's thread. Writes archives; `untar` reads them.
use super::gzip::{self, Packer};
use crate::parts::first;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

pub const BLOCK: u64 = 512;
/// Longest name a plain header holds.
pub const NAME: usize = 100;
/// A pax header may be this long, bytes.
pub const MAX_PAX: u64 = 16 << 10;
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
    out: Out,
    at: u64,
    reserved: Option<(Entry, u64)>,
}

enum Out {
    Plain(BufWriter<File>),
    Packed(Box<Packer>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(out) => out.write(bytes),
            Out::Packed(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writer {
    /// Compressed where `is_packed` says so.
    pub fn new(file: File, is_packed: bool) -> Writer {
        let out = BufWriter::with_capacity(64 << 10, file);
        let out = if is_packed { Out::Packed(Box::new(Packer::new(out))) } else { Out::Plain(out) };
        Writer { out, at: 0, reserved: None }
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

    /// Adds an entry of at most `size` bytes, with a short name, whose content is given at the end. The first one only:
    /// it has a length of its own in what is compressed, too.
    pub fn reserve(&mut self, path: &str, size: u64) -> io::Result<()> {
        let entry = Entry::file(path, 0o600, size, 0);
        let bytes = whole(&entry, b"");
        match &mut self.out {
            Out::Plain(out) => out.write_all(&bytes)?,
            Out::Packed(out) => out.add_member(&gzip::stored(&bytes))?,
        }
        self.reserved = Some((entry, self.at));
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Ends the archive, puts the content where a place was reserved and waits for the disk.
    pub fn finish(mut self, content: &[u8]) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK as usize])?;
        let (out, is_packed) = match self.out {
            Out::Plain(out) => (out, false),
            Out::Packed(out) => (out.finish()?, true),
        };
        let file = out.into_inner().map_err(|e| e.into_error())?;
        if let Some((entry, start)) = self.reserved {
            let bytes = whole(&entry, content);
            file.write_all_at(&if is_packed { gzip::stored(&bytes) } else { bytes }, start)?;
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
        self.at += BLOCK;
        self.out.write_all(&header(name, mode, size, modified, kind))
    }

    fn pad(&mut self) -> io::Result<()> {
        let missing = self.at.next_multiple_of(BLOCK) - self.at;
        self.at += missing;
        io::copy(&mut io::repeat(0).take(missing), &mut self.out).map(drop)
    }
}

/// A file's header, its content, blanks up to its size, and its padding.
fn whole(entry: &Entry, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(entry.path.as_bytes(), entry.mode, entry.size, entry.modified, b'0');
    bytes.extend_from_slice(content);
    bytes.resize(BLOCK as usize + entry.size as usize, b' ');
    bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), 0);
    bytes
}

fn header(name: &[u8], mode: u32, size: u64, modified: u64, kind: u8) -> Vec<u8> {
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
    block
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
pub fn checksum(block: &[u8]) -> u32 {
    let own = |place: usize| (148..156).contains(&place);
    block.iter().enumerate().map(|(place, byte)| if own(place) { 32 } else { u32::from(*byte) }).sum()
}

#[cfg(test)]
mod tests {
    use super::super::untar::Reader;
    use super::*;
    use crate::error::Result;
    use crate::sessions::TestDir;

    fn write(path: &std::path::Path, entries: &[(Entry, &[u8])]) {
        let is_packed = path.extension().is_some_and(|end| end == "gz");
        let mut writer = Writer::new(File::create(path).unwrap(), is_packed);
        writer.reserve("first", 12).unwrap();
        for (entry, content) in entries {
            writer.add(entry, &mut &content[..]).unwrap();
        }
        writer.finish(b"0123456789").unwrap();
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
        let long = format!("{}/{}", "d".repeat(90), "ü".repeat(60));
        let entries: Vec<(Entry, &[u8])> = vec![
            (Entry::directory("a", 0o700), b""),
            (Entry::file("a/b", 0o600, 3, 1_700_000_000), b"xyz"),
            (Entry::file("skip", 0o644, 513, 0), &[7; 513]),
            (Entry::file(&long, 0o755, 512, 5), &[1; 512]),
            (Entry::file("empty", 0o600, 0, 0), b""),
        ];
        for name in ["a.tar", "a.tar.gz"] {
            let archive = dir.0.join(name);
            write(&archive, &entries);
            let found = read(&archive).unwrap();
            assert_eq!(found[0], (Entry::file("first", 0o600, 12, 0), b"0123456789  ".to_vec()));
            assert_eq!(found.len(), entries.len() + 1);
            for ((want, content), (got, bytes)) in entries.iter().zip(&found[1..]) {
                assert_eq!(want, got);
                assert!(want.path == "skip" || content == bytes);
            }
            if let Ok(listed) = std::process::Command::new("tar").arg("tf").arg(&archive).output() {
                let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
                assert!(listed.contains("a/b\n") && listed.lines().count() == 6, "{listed}");
            }
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
