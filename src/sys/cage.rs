//! What shuts a child in: Landlock says which files it reaches, a filter of system calls what it asks of the kernel, and it
//! has no privilege that root would have. Made before the child is, applied by it between fork and exec.
//!
//! Part of `sys` for its system calls, which no crate of ours offers. Which files those are is decided in
//! `processes/cage.rs`.
#![cfg(target_os = "linux")]
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Rights on files, as the kernel numbers them.
pub const EXECUTE: u64 = 1;
pub const WRITE_FILE: u64 = 1 << 1;
pub const READ_FILE: u64 = 1 << 2;
pub const READ_DIR: u64 = 1 << 3;
pub const REMOVE: u64 = 0b11 << 4;
const MAKE_CHAR: u64 = 1 << 6;
/// Directories, files, sockets, pipes and links, but no devices.
pub const MAKE: u64 = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12;
const MAKE_BLOCK: u64 = 1 << 11;
pub const REFER: u64 = 1 << 13;
pub const TRUNCATE: u64 = 1 << 14;
pub const IOCTL_DEV: u64 = 1 << 15;
/// What may be granted on something that is no directory.
pub const OF_FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
const ALL: u64 = OF_FILE | READ_DIR | REMOVE | MAKE_CHAR | MAKE | MAKE_BLOCK | REFER;

const SYS_CREATE: libc::c_long = 444;
const SYS_ADD: libc::c_long = 445;
const SYS_RESTRICT: libc::c_long = 446;

/// The largest number of a capability that there may be.
const MOST_CAPABILITIES: libc::c_ulong = 63;

#[repr(C)]
struct Handled {
    fs: u64,
    net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

/// Ready to be applied.
pub struct Cage {
    rules: Arc<OwnedFd>,
    filter: &'static [libc::sock_filter],
}

/// The version of Landlock that the kernel speaks; 0 where it does not.
pub fn version() -> u32 {
    // JUSTIFICATION: the C library has no function for it.
    // SAFETY: without a set of rules and with this flag the call reads and writes no memory.
    #[allow(unsafe_code, reason = "see above")]
    let version = unsafe { libc::syscall(SYS_CREATE, std::ptr::null::<Handled>(), 0_usize, 1_u32) };
    u32::try_from(version).unwrap_or(0)
}

/// The rights that this version knows.
fn known(version: u32) -> u64 {
    let later = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
    later.iter().filter(|(since, _)| version < *since).fold(ALL, |all, (_, right)| all & !right)
}

/// Rules to which places are added.
pub struct Rules {
    fd: Arc<OwnedFd>,
    known: u64,
}

impl Rules {
    /// All that is not allowed later is refused, and what is outside gets neither signals nor connections by a name.
    pub fn new() -> Result<Rules> {
        let version = version();
        if version == 0 {
            return Err(Error::from_raw_os_error(libc::EOPNOTSUPP));
        }
        let known = known(version);
        let scoped = if version >= 6 { 0b11 } else { 0 };
        let handled = Handled { fs: known, net: 0, scoped };
        // JUSTIFICATION: as above.
        // SAFETY: the kernel reads as many bytes as it is told, which are there; those that an older one does not know are 0.
        #[allow(unsafe_code, reason = "see above")]
        let fd = unsafe { libc::syscall(SYS_CREATE, &raw const handled, size_of::<Handled>(), 0_u32) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
        #[allow(unsafe_code, reason = "see above")]
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        Ok(Rules { fd: Arc::new(fd), known })
    }

    /// Allows `rights` on what was opened, and on all beneath it if it is a directory.
    pub fn allow(&self, place: BorrowedFd, rights: u64) -> Result<()> {
        let beneath = Beneath { allowed: rights & self.known, parent: place.as_raw_fd() };
        // JUSTIFICATION: as above.
        // SAFETY: the kernel reads the structure, which outlives the call, and both descriptors are open.
        #[allow(unsafe_code, reason = "see above")]
        let result = unsafe { libc::syscall(SYS_ADD, self.fd.as_raw_fd(), 1_u32, &raw const beneath, 0_u32) };
        if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
    }

    /// What is allowed later holds for nobody who is shut in already.
    pub fn with_filter(&self, filter: &'static [libc::sock_filter]) -> Cage {
        Cage { rules: self.fd.clone(), filter }
    }
}

impl Cage {
    /// For the child, between fork and exec: nothing is allocated, and an error keeps it from being one.
    pub(super) fn apply(&self) -> Result<()> {
        let is_root = drop_privileges();
        let program =
            libc::sock_fprog { len: self.filter.len() as u16, filter: self.filter.as_ptr().cast_mut() };
        // JUSTIFICATION: what a process is shut in by it has to ask for itself.
        // SAFETY: async-signal-safe system calls; the program's instructions live as long as `self`.
        #[allow(unsafe_code, reason = "see above")]
        let is_done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::syscall(SYS_RESTRICT, self.rules.as_raw_fd(), 0_u32) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if is_done && is_root { Ok(()) } else { Err(Error::last_os_error()) }
    }
}

/// Gives the child a limit that it and its children are known by and none of them comes near (`processes/mark.rs`), and has
/// it ended first where memory runs out. Where a narrower limit stands already, it is known by less. 0 is none of both.
pub(super) fn mark(number: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    if number == 0 {
        return;
    }
    let _ = setrlimit(Resource::Rttime, Rlimit { current: Some(number), maximum: Some(number) });
    // JUSTIFICATION: the kernel takes the largest process where memory runs out, which may be the gateway.
    // SAFETY: async-signal-safe system calls between fork and exec; the texts end with a zero and live for ever.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, c"1000".as_ptr().cast(), 4);
            libc::close(file);
        }
    }
}

/// The number of a process's mark, or of what it has in place of one. `NotFound` where there is no such process.
pub fn mark_of(pid: libc::pid_t) -> Result<u64> {
    // JUSTIFICATION: the crate that offers this call can only set a limit with it.
    // SAFETY: nothing is set, and the kernel writes two numbers of 64 bits, on all architectures, to where they belong.
    #[allow(unsafe_code, reason = "see above")]
    let (result, limit) = unsafe {
        let (none, mut limit) = (std::ptr::null::<u64>(), [0_u64; 2]);
        let what = libc::RLIMIT_RTTIME as libc::c_long;
        (libc::syscall(libc::SYS_prlimit64, pid, what, none, limit.as_mut_ptr()), limit)
    };
    match (result, Error::last_os_error()) {
        (0, _) => Ok(limit[1]),
        (_, e) if e.raw_os_error() == Some(libc::ESRCH) => Err(std::io::ErrorKind::NotFound.into()),
        (_, e) => Err(e),
    }
}

/// Of root's privileges none is left, and none comes back by an exec. `false` when they could not be dropped.
fn drop_privileges() -> bool {
    let header = [0x2008_0522_u32, 0];
    let none = [0_u32; 6];
    // JUSTIFICATION: a gateway in a container is often root, and root's privileges go around many rules.
    // SAFETY: async-signal-safe system calls; the kernel reads the two arrays, which outlive the call.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        if libc::geteuid() != 0 {
            return true;
        }
        for capability in 0..=MOST_CAPABILITIES {
            // One that this root does not have cannot be dropped; behind the last one that the kernel knows is none.
            let is_done = libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;
            if !is_done && Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
                break;
            }
        }
        // No privileges for root, and that for good. A root that may not say so has none to begin with.
        libc::prctl(libc::PR_SET_SECUREBITS, 0b11, 0, 0, 0);
        libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) == 0
    }
}
