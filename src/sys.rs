//! The one place with `unsafe`: calls of the C library that no safe crate offers. Each runs on the calling thread.
use std::process::Command;

/// Gives a child a process group of its own and has it ended when the calling thread ends, by whatever (R-01d).
pub fn tie(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    // JUSTIFICATION: a process that is killed ends nothing itself; only the kernel can.
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl is one, and nothing is allocated.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        command.pre_exec(|| {
            // A child without it is one that may stay behind, not one that cannot work.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

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
