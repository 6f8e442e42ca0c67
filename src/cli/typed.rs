//! A value of the command line that may be too long for it, or written by another program: `-` is standard input,
//! `@file` a file.
use crate::error::{Error, Result};
use crate::files;
use std::io::{IsTerminal, Read, stdin};
use std::path::Path;

/// Bytes that are read.
const MOST: u64 = 16 << 20;

/// The text of `--option`: what was given, or standard input for `-`, and where nothing was given and somebody feeds it.
pub fn text(option: &str, given: Option<&str>) -> Result<Option<String>> {
    match given {
        Some("-") => piped(option).map(Some),
        None if !stdin().is_terminal() => piped(option).map(Some),
        given => Ok(given.map(str::to_string)),
    }
}

/// The same for a value of which `@file` names the place; nothing is read where nothing was given.
pub fn text_or_file(option: &str, given: Option<&str>) -> Result<Option<String>> {
    match given.and_then(|text| text.strip_prefix('@')) {
        Some(path) => file(option, path).map(Some),
        None if given.is_none() => Ok(None),
        None => text(option, given),
    }
}

/// The text of the file at `path`, which `--option` names.
pub fn file(option: &str, path: &str) -> Result<String> {
    let bytes = files::read_bytes(Path::new(path), MOST)
        .map_err(|e| Error::io(format_args!("read {path} of --{option}"), e))?;
    of(option, bytes)
}

fn piped(option: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let read = stdin().lock().take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::io(format_args!("read --{option} from standard input"), e))?;
    if bytes.len() as u64 > MOST {
        return Err(Error::usage(format!("--{option} from standard input is longer than {MOST} bytes")));
    }
    of(option, bytes)
}

/// Without the line break that `echo` puts behind it.
fn of(option: &str, bytes: Vec<u8>) -> Result<String> {
    let text =
        String::from_utf8(bytes).map_err(|_| Error::usage(format!("--{option} is no text in UTF-8")))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_string())
}
