//! The filter of system calls for a child that is shut in: a program for the kernel, made of one table.
//!
//! It refuses what Landlock does not govern and what reaches other processes or the kernel's own settings. What is
//! written down about files is not changed: Landlock lets everybody change modes, owners and times of what he owns,
//! wherever it lies, so these calls do nothing and say that all is well, which archivers and installers can live with.
#![cfg(target_os = "linux")]
mod calls;

use calls::{CALLS, OLDER, SHARED};
use libc::{c_long, sock_filter};
use std::sync::OnceLock;

/// What comes of a call that is named.
#[derive(Clone, Copy)]
enum Then {
    Refuse,
    /// As on a file system that has nothing of the kind.
    Unsupported,
    /// As if the kernel did not know it, so that the C library does without.
    Unknown,
    /// Nothing happens, and that is said to be well.
    Nothing,
    /// Refused where this argument has one of these bits.
    Bits(u32, u32),
    /// Refused where this argument is this.
    Is(u32, u32),
    /// Refused unless this argument is 0.
    Unless0(u32),
    /// Refused unless it makes a pair that is connected for good: others can be spoken through to whoever listens.
    OnlyPairs,
    /// The times of a file that is named: nothing happens to given ones; where none are given it is a touch, by which a file
    /// is to be there, and none is. The arguments of its name, if that may be missing, and of the times.
    Times(Option<u32>, u32),
    /// Refused where the first argument is this and the second, an address, is given.
    Sets(u32, u32, u32),
    /// No memory that is shared without a file, but for small pieces.
    OnlySmallShared,
}
use Then::{
    Bits, Is, Nothing, OnlyPairs, OnlySmallShared, Refuse, Sets, Times, Unknown, Unless0, Unsupported,
};

/// Bytes of a piece of shared memory: the kernel counts no such memory, but a process has at most 65,530 pieces of any, so
/// that it gets no more of this than of its own.
const PIECE: u32 = 64 << 10;
/// Of a mapping: how it is shared and whether it has no file; and both.
const SHARES: u32 = 0x2F;
const SHARED_MEMORY: u32 = 0x21;

/// How the kernel calls this architecture; where it is not known there is no filter.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_00B7);
#[cfg(target_arch = "arm")]
const ARCHITECTURE: Option<u32> = Some(0x4000_0028);
#[cfg(target_arch = "riscv64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_00F3);
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64"
)))]
const ARCHITECTURE: Option<u32> = None;

const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_BITS: u16 = 0x45;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const AND: u16 = 0x54;

const ALLOW: u32 = 0x7FFF_0000;
const FAIL: u32 = 0x0005_0000;
const EPERM: u32 = FAIL | libc::EPERM as u32;
const ENOSYS: u32 = FAIL | libc::ENOSYS as u32;
const ENOMEM: u32 = FAIL | libc::ENOMEM as u32;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Where the lower half of an argument stands, and the upper one.
fn argument(n: u32) -> u32 {
    16 + 8 * n
}

fn upper(n: u32) -> u32 {
    argument(n) + 4
}

/// The program, made once; `None` on an architecture that is not known here. Without the network there is no way to speak
/// to anybody but by descriptors that were handed over.
pub fn program(has_network: bool) -> Option<&'static [sock_filter]> {
    static WITH: OnceLock<Option<Vec<sock_filter>>> = OnceLock::new();
    static WITHOUT: OnceLock<Option<Vec<sock_filter>>> = OnceLock::new();
    let made = if has_network { &WITH } else { &WITHOUT };
    made.get_or_init(|| make(has_network)).as_deref()
}

fn make(has_network: bool) -> Option<Vec<sock_filter>> {
    let mut all = vec![step(LOAD, 0, 0, 4), step(IF_EQUAL, 1, 0, ARCHITECTURE?), step(RETURN, 0, 0, EPERM)];
    all.push(step(LOAD, 0, 0, 0));
    if cfg!(target_arch = "x86_64") {
        // The same calls by other numbers.
        all.extend([step(IF_AT_LEAST, 0, 1, 0x4000_0000), step(RETURN, 0, 0, ENOSYS)]);
    }
    // Before this version files were cut by their names without asking.
    let older: &[(c_long, Then)] =
        if super::cage::version() < 3 { &[(libc::SYS_truncate, Refuse)] } else { &[] };
    for (call, then) in [CALLS, OLDER, SHARED, older].into_iter().flatten() {
        add(&mut all, *call as u32, *then);
    }
    sockets(&mut all, has_network);
    all.push(step(RETURN, 0, 0, ALLOW));
    Some(all)
}

/// A call's steps; behind them the call's number is looked at again.
fn add(all: &mut Vec<sock_filter>, call: u32, then: Then) {
    let when = |n, test, said| {
        vec![step(LOAD, 0, 0, argument(n)), test, step(RETURN, 0, 0, said), step(LOAD, 0, 0, 0)]
    };
    let steps = match then {
        Refuse => vec![step(RETURN, 0, 0, EPERM)],
        Unsupported => vec![step(RETURN, 0, 0, FAIL | libc::EOPNOTSUPP as u32)],
        Unknown => vec![step(RETURN, 0, 0, ENOSYS)],
        Nothing => vec![step(RETURN, 0, 0, FAIL)],
        Bits(n, bits) => when(n, step(IF_BITS, 0, 1, bits), EPERM),
        Is(n, value) => when(n, step(IF_EQUAL, 0, 1, value), EPERM),
        Unless0(n) => when(n, step(IF_EQUAL, 1, 0, 0), EPERM),
        Times(name, given) => times(name, given),
        Sets(what, value, given) => vec![
            step(LOAD, 0, 0, argument(what)),
            step(IF_EQUAL, 0, 5, value),
            step(LOAD, 0, 0, argument(given)),
            step(IF_EQUAL, 0, 2, 0),
            step(LOAD, 0, 0, upper(given)),
            step(IF_EQUAL, 1, 0, 0),
            step(RETURN, 0, 0, EPERM),
            step(LOAD, 0, 0, 0),
        ],
        OnlySmallShared => vec![
            step(LOAD, 0, 0, argument(3)),
            step(AND, 0, 0, SHARES),
            step(IF_EQUAL, 0, 5, SHARED_MEMORY),
            step(LOAD, 0, 0, upper(1)),
            step(IF_EQUAL, 0, 2, 0),
            step(LOAD, 0, 0, argument(1)),
            step(IF_AT_LEAST, 0, 1, PIECE + 1),
            step(RETURN, 0, 0, ENOMEM),
            step(LOAD, 0, 0, 0),
        ],
        OnlyPairs => vec![
            step(LOAD, 0, 0, argument(1)),
            step(AND, 0, 0, 0xF),
            step(IF_EQUAL, 2, 0, libc::SOCK_STREAM as u32),
            step(IF_EQUAL, 1, 0, libc::SOCK_SEQPACKET as u32),
            step(RETURN, 0, 0, EPERM),
            step(LOAD, 0, 0, 0),
        ],
    };
    all.push(step(IF_EQUAL, 0, steps.len() as u8, call));
    all.extend(steps);
}

fn times(name: Option<u32>, given: u32) -> Vec<sock_filter> {
    let mut steps = Vec::new();
    if let Some(name) = name {
        steps.extend([
            step(LOAD, 0, 0, argument(name)),
            step(IF_EQUAL, 0, 2, 0),
            step(LOAD, 0, 0, upper(name)),
            step(IF_EQUAL, 6, 0, 0),
        ]);
    }
    steps.extend([
        step(LOAD, 0, 0, argument(given)),
        step(IF_EQUAL, 0, 2, 0),
        step(LOAD, 0, 0, upper(given)),
        step(IF_EQUAL, 1, 0, 0),
        step(RETURN, 0, 0, FAIL),
        step(RETURN, 0, 0, FAIL | libc::ENOENT as u32),
        step(LOAD, 0, 0, 0),
    ]);
    steps
}

/// Sockets of the network only, where it is let in, and those by which the C library looks at it. Those with a place among
/// the files would lead to whoever listens there: the session's bus, a terminal multiplexer, a container engine.
fn sockets(all: &mut Vec<sock_filter>, has_network: bool) {
    let families: &[i32] = match has_network {
        true => &[libc::AF_NETLINK, libc::AF_INET, libc::AF_INET6],
        false => &[libc::AF_NETLINK],
    };
    let n = families.len() as u8;
    all.push(step(IF_EQUAL, 0, n + 3, libc::SYS_socket as u32));
    all.push(step(LOAD, 0, 0, argument(0)));
    for (at, family) in families.iter().enumerate() {
        all.push(step(IF_EQUAL, n - at as u8, 0, *family as u32));
    }
    all.push(step(RETURN, 0, 0, FAIL | libc::EACCES as u32));
    all.push(step(LOAD, 0, 0, 0));
}
