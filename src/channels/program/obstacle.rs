//! Why an account's program cannot be started as it lies there, and what helps: for `doctor`. Looks at files, starts nothing.
use super::child::command;
use crate::channels::accounts::Account;
use crate::channels::issues::Told;
use crate::env::Env;
use rustix::fs::{Access, access};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const PUT: &str = "put the program there or correct the path; it is tried again by itself";

/// The first thing that is in its way.
pub fn of(account: &Account, env: &Env) -> Option<Told> {
    let program = match command(account, env) {
        Err(e) => return Some((e.message().to_string(), "")),
        Ok(words) => words?.into_iter().next()?,
    };
    let place = account.place("command");
    let path = match program.contains('/') {
        true => PathBuf::from(&program),
        false => match env.program_dirs(&[]).iter().map(|dir| dir.join(&program)).find(|file| file.is_file())
        {
            Some(path) => path,
            None => {
                return Some((
                    format!("{place}: {program} is not in PATH"),
                    "give its whole path, from / on",
                ));
            }
        },
    };
    wrong_with(&path).map(|(what, fix)| (format!("{place}: {} {what}", path.display()), fix))
}

fn wrong_with(path: &Path) -> Option<Told> {
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(("does not exist".into(), PUT)),
        Err(e) => return Some((format!("cannot be looked at: {e}"), PUT)),
        Ok(found) if !found.is_file() => return Some(("is no file".into(), PUT)),
        Ok(_) => {}
    }
    if access(path, Access::EXEC_OK).is_err() {
        return Some(("is not executable".into(), "run chmod +x on it"));
    }
    let interpreter = interpreter(path).filter(|named| !named.is_file())?;
    let what = format!("is a script for {}, which is not there", interpreter.display());
    Some((what, "install that, or correct the script's first line"))
}

/// What the first line of a script names.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut first = Vec::new();
    File::open(path).ok()?.take(256).read_to_end(&mut first).ok()?;
    let line = first.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let named = std::str::from_utf8(line).ok()?.split_whitespace().next()?;
    named.starts_with('/').then(|| PathBuf::from(named))
}
