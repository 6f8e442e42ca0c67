//! Writing behind what a file holds, piece by piece: a line may be long, and its text need not stand in memory.
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

/// What is shorter is written at once, so that whoever reads meanwhile finds whole lines.
const TOGETHER: usize = 64 << 10;

/// The place at which a file is written next.
pub struct Behind<'a> {
    file: &'a File,
    at: u64,
}

/// To be flushed by who writes.
pub fn behind(file: &File, at: u64) -> BufWriter<Behind<'_>> {
    BufWriter::with_capacity(TOGETHER, Behind { file, at })
}

impl Write for Behind<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(bytes, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
