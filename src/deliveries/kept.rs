//! Which lines of the journal still count, found and copied line by line: a long journal is never in memory as a whole.
//! For the start and the store thread, by `journal`.
use super::dedupe::MAX_KEYS;
use super::journal::Found;
use super::line::{Line, Name};
use crate::parts::Parts;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes that are kept of what is over, the newest first.
pub const MOST_OVER: u64 = 16 << 20;

/// A journal as it is read: what an earlier release left, which ends a line, and the file.
pub struct Source {
    pub before: Vec<u8>,
    pub file: File,
}

impl Source {
    /// Each line that is not blank, with its place.
    fn each(&self, mut see: impl FnMut(Range<u64>, &[u8])) -> io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        let mut all = BufReader::with_capacity(64 << 10, self.before.as_slice().chain(file));
        let (mut line, mut start) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = all.read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                return Ok(());
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            if !text.is_empty() {
                see(start..start + text.len() as u64, text);
            }
            start += read;
        }
    }

    /// The bytes of a place into `line`.
    fn get(&self, at: &Range<u64>, line: &mut Vec<u8>) -> io::Result<()> {
        let before = self.before.len() as u64;
        line.clear();
        if at.start < before {
            line.extend_from_slice(self.before.part(at.start as usize..at.end as usize));
            return Ok(());
        }
        line.resize((at.end - at.start) as usize, 0);
        self.file.read_exact_at(line, at.start - before)
    }
}

pub struct Kept {
    pub lines: Vec<Range<u64>>,
    /// Lines that are not blank.
    pub read: usize,
}

struct Place {
    at: Range<u64>,
    ts: u64,
    is_open: bool,
}

impl Kept {
    /// The newest line of every name that is not too old, at most 10,000 of a kind, and of what is over no more than a
    /// bound of bytes; oldest first.
    pub fn of(source: &Source, now: u64) -> io::Result<Kept> {
        let mut by_name: HashMap<Name, Place> = HashMap::new();
        let mut read = 0;
        source.each(|at, text| {
            read += 1;
            if let Some(line) = Line::read(text).filter(|line| !line.is_expired(now)) {
                by_name.insert(line.name(), Place { at, ts: line.ts(), is_open: line.is_open() });
            }
        })?;
        let mut places: Vec<(&'static str, Place)> =
            by_name.into_iter().map(|((kind, ..), place)| (kind, place)).collect();
        crate::order::by(&mut places, |(_, a), (_, b)| (b.ts, b.at.start).cmp(&(a.ts, a.at.start)));
        let (mut counts, mut bytes) = (HashMap::new(), 0);
        places.retain(|(kind, place)| {
            let count = counts.entry(*kind).or_insert(0);
            *count += 1;
            bytes += if place.is_open { 0 } else { place.at.end - place.at.start };
            place.is_open || (*count <= MAX_KEYS && bytes <= MOST_OVER)
        });
        Ok(Kept { lines: places.into_iter().rev().map(|(_, place)| place.at).collect(), read })
    }

    pub fn write(&self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let (mut out, mut line) = (BufWriter::with_capacity(64 << 10, out), Vec::new());
        for at in &self.lines {
            source.get(at, &mut line)?;
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    pub fn found(&self, source: &Source) -> io::Result<Found> {
        let (mut found, mut line) = (Found::default(), Vec::new());
        for at in &self.lines {
            source.get(at, &mut line)?;
            match Line::read(&line) {
                Some(Line::Run(record)) => found.runs.push(record),
                Some(Line::Inbound(inbound)) => found.inbound.push(inbound),
                Some(Line::Delivery(delivery)) => found.deliveries.push(delivery),
                None => {}
            }
        }
        Ok(found)
    }
}
