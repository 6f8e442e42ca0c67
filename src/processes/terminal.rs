//! A terminal for a command that wants one: the pair of a master, which the gateway holds, and what the command gets.
use crate::error::{Error, Result};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::fd::OwnedFd;

const COLUMNS: u16 = 120;
const ROWS: u16 = 30;

/// Master and the command's side.
pub fn open() -> Result<(OwnedFd, OwnedFd)> {
    let open = || {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty())?;
        tcsetwinsize(&slave, Winsize { ws_col: COLUMNS, ws_row: ROWS, ws_xpixel: 0, ws_ypixel: 0 })?;
        Ok((master, slave))
    };
    open().map_err(|e: rustix::io::Errno| Error::io("open a terminal for the command", e.into()))
}
