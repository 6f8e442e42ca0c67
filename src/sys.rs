//! The one place with `unsafe`: a call of the C library that no safe crate offers. Runs on the calling thread.

/// Gives freed memory back to the system. The C library keeps what a thread has freed for the next one, and with
/// many threads keeps it many times: after a long conversation that is tens of megabytes (a run calls this at its end).
pub fn release_memory() {
    // JUSTIFICATION: without it a gateway on a machine with 32 MB keeps the memory of its largest turns.
    // SAFETY: malloc_trim takes no pointer, may be called by any thread at any time, and only returns free pages.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        libc::malloc_trim(0);
    }
}
