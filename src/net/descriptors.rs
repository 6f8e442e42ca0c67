//! How many descriptors are left, for those who hold some for strangers. Pure but for one question to the kernel.
use rustix::process::{Resource, getrlimit};
use std::os::fd::{AsFd, AsRawFd};

/// Most that are kept for clients that prove themselves, and for the files that they need.
const RESERVE: u64 = 32;

/// Whether few are left. A new descriptor has the lowest free number, so its own tells how many there are.
pub fn are_scarce(newest: &impl AsFd) -> bool {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let used = u64::try_from(newest.as_fd().as_raw_fd()).unwrap_or(0) + 1;
    used.saturating_add((limit / 4).min(RESERVE)) > limit
}
