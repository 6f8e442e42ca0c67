//! The one place with `unsafe`: calls of the C library that no safe crate offers. Each runs on the calling thread.
#[cfg(target_os = "linux")]
pub mod cage;
#[cfg(target_os = "linux")]
pub mod filter;
pub mod links;

use rustix::event::{PollFd, Timespec};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Least time between two times that connections have memory given back: it walks over all that is free.
const RELEASE_GAP: Duration = Duration::from_secs(1);

/// Waits until one of these is ready, at most for `time`.
pub fn poll(fds: &mut [PollFd], time: Option<Duration>) -> rustix::io::Result<usize> {
    // A time that the system cannot count to is as good as none.
    let time = time.and_then(|time| Timespec::try_from(time).ok());
    rustix::event::poll(fds, time.as_ref())
}

/// Gives a child a process group of its own and has it ended when the calling thread ends, by whatever (R-01d).
pub fn tie(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    end_with_thread(command, libc::SIGTERM);
}

/// What a child is held to from its first instant.
#[derive(Default)]
pub struct Bounds {
    /// Open files, and bytes of memory.
    pub files: u64,
    pub memory: u64,
    /// Processes of its user, and bytes of one file; 0 for as many as the system gives.
    pub processes: u64,
    pub file: u64,
    /// How much it stands back behind others.
    pub nice: i32,
    /// By which it and its children are known; 0 for none. It is ended first where memory runs out, too.
    pub mark: u64,
    /// It gets this terminal, its standard input, as its own.
    pub has_terminal: bool,
    #[cfg(target_os = "linux")]
    pub cage: Option<cage::Cage>,
}

/// The same without mercy, and with bounds: no image of its memory, and what `Bounds` says. It inherits no descriptor but
/// its standard ones.
pub fn confine(command: &mut Command, bounds: Bounds) {
    use std::os::unix::process::CommandExt;
    if !bounds.has_terminal {
        command.process_group(0);
    }
    end_with_thread(command, libc::SIGKILL);
    // JUSTIFICATION: bounds that a process is to have from its first instant are set before it is one.
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; these are, and nothing is allocated.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        command.pre_exec(move || bounds.apply());
    }
}

impl Bounds {
    fn apply(&self) -> std::io::Result<()> {
        let all = [
            (libc::RLIMIT_CORE, Some(0)),
            (libc::RLIMIT_NOFILE, Some(self.files)),
            (libc::RLIMIT_DATA, Some(self.memory)),
            (libc::RLIMIT_NPROC, Some(self.processes).filter(|n| *n > 0)),
            (libc::RLIMIT_FSIZE, Some(self.file).filter(|n| *n > 0)),
        ];
        // SAFETY: as in `confine`.
        #[allow(unsafe_code, reason = "see above")]
        unsafe {
            for (what, most) in all.into_iter().filter_map(|(what, most)| Some((what, most?))) {
                let most = most as libc::rlim_t;
                // A narrower bound stands already where it fails.
                libc::setrlimit(what, &libc::rlimit { rlim_cur: most, rlim_max: most });
            }
            if self.nice != 0 {
                libc::setpriority(libc::PRIO_PROCESS, 0, self.nice);
            }
            if self.has_terminal && (libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0) {
                return Err(std::io::Error::last_os_error());
            }
            #[cfg(target_os = "linux")]
            {
                cage::mark(self.mark);
                // Ours close by themselves; what a library forgot does too.
                libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 4_u32);
                if let Some(cage) = &self.cage {
                    libc::umask(0o077);
                    cage.apply()?;
                }
            }
        }
        Ok(())
    }
}

fn end_with_thread(command: &mut Command, signal: libc::c_int) {
    #[cfg(target_os = "linux")]
    use std::os::unix::process::CommandExt;
    // JUSTIFICATION: a process that is killed ends nothing itself; only the kernel can.
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl is one, and nothing is allocated.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        command.pre_exec(move || {
            // A child without it is one that may stay behind, not one that cannot work.
            libc::prctl(libc::PR_SET_PDEATHSIG, signal);
            Ok(())
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (command, signal);
}

/// Closes what a process was handed beside its standard input and outputs: for one that began with nothing open.
pub fn keep_standard_descriptors() {
    // JUSTIFICATION: a socket that is held elsewhere is not free when the gateway is gone.
    // SAFETY: called before anything is opened, so that nobody owns one of these descriptors.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) != 0 {
            // Before Linux 5.9: those that any program may have without asking for more.
            (3..1024).for_each(|fd| _ = libc::close(fd));
        }
    }
}

/// Ends the C library's cache of freed memory of the calling thread: for those that live long and may be many.
pub fn release_cache() {
    // JUSTIFICATION: nothing else ends it before the thread does, but a variable of the process's environment.
    // SAFETY: the C library calls it itself as a thread ends, and frees and takes memory behind it; again it does nothing.
    #[cfg(glibc_thread_cache)]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        unsafe extern "C" {
            fn __malloc_arena_thread_freeres();
        }
        __malloc_arena_thread_freeres();
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

/// The same for a connection that has freed something large at `freed`, at most once a second all together; `false` when
/// it is not time yet. What was given back since for another one was everybody's.
pub fn release_memory_since(freed: Instant) -> bool {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let Ok(mut last) = LAST.try_lock() else { return false };
    match *last {
        Some(last) if last > freed => return true,
        Some(last) if last.elapsed() < RELEASE_GAP => return false,
        _ => release_memory(),
    }
    *last = Some(Instant::now());
    true
}

/// Has the C library keep little for later: two heaps for all threads instead of eight a core, each of which takes 64 MB of
/// addresses; large blocks go back when they are freed, small ones join others. To be called before threads are started.
pub fn keep_little_memory() {
    // JUSTIFICATION: with little address space the heaps of some forty clients are all of it.
    // SAFETY: mallopt takes two numbers, and no other thread runs yet.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MXFAST, 0);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 10);
    }
}

/// Lets go of the pages of the program's own code and constants. The start walks through most of it (configuration, schemas, files),
/// and the pages around what it touched are mapped with it: three quarters of what an idle gateway holds. They stay in
/// the system's cache of files, where a machine with little memory may drop them; what is needed again is mapped again.
///
/// A debug build keeps its code, several times as large: tests that measure what an input costs would count its return.
pub fn release_code() {
    if cfg!(debug_assertions) {
        return;
    }
    // JUSTIFICATION: a mapped page is taken for one in use, so that a small machine drops others first.
    // SAFETY: the segments are those the loader names. They are code, never written and mapped from the program's
    // file, so that a page that is dropped is read again with the same bytes.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        libc::dl_iterate_phdr(Some(release_segments), std::ptr::null_mut());
    }
}

/// How large the pages of this machine's memory are, in bytes; where nobody says it, as large as they are anywhere.
#[cfg(target_os = "linux")]
fn page() -> usize {
    // SAFETY: sysconf takes a number and returns one.
    #[allow(unsafe_code, reason = "see above")]
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(64 << 10)
}

/// The first object that the loader names is the program itself; a value that is not zero ends the iteration.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "called by dl_iterate_phdr, with what that promises")]
unsafe extern "C" fn release_segments(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: `object` is valid for the call, and has `dlpi_phnum` headers at `dlpi_phdr`.
    let (base, headers) = unsafe {
        let object = &*object;
        (object.dlpi_addr as usize, std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    // Code, and constants: neither is ever written to.
    for header in headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0) {
        let (start, end) =
            (base + header.p_vaddr as usize, base + (header.p_vaddr + header.p_memsz) as usize);
        let page = page();
        let start = start.next_multiple_of(page);
        // SAFETY: whole pages within a segment that nobody may write to. Where it is refused the pages stay, which is all.
        unsafe {
            libc::madvise(start as *mut _, (end / page * page).saturating_sub(start), libc::MADV_DONTNEED)
        };
    }
    1
}

/// Gives back what the thread that calls has of its stack below its own frame. The C library hands the stacks of
/// threads that ended to new ones and leaves 16 KiB of each untouched by its own cleaning, which is more than an idle
/// client needs. For a thread that has just begun and whose stack is larger than `depth` bytes.
#[inline(never)]
pub fn release_stack(depth: usize) {
    // JUSTIFICATION: it is a third of the memory of an idle client.
    // SAFETY: whole pages below this frame, all within this thread's own stack, and nothing there is in use: the
    // page of this frame (small, because it is never part of a caller's) and the 512 bytes below it, of which the call
    // itself uses some, are left alone.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        let (frame, page) = (0_u8, page());
        let end = (&raw const frame).map_addr(|at| (at - 512) & !(page - 1));
        let start = end.map_addr(|at| at - depth / page * page);
        // Where it is refused the memory stays, which is all.
        libc::madvise(start.cast_mut().cast(), depth / page * page, libc::MADV_DONTNEED);
    }
}

/// Whether that many bytes of address space could be had now. They are taken and given back untouched.
pub fn has_room(bytes: usize) -> bool {
    // JUSTIFICATION: an allocation that fails ends the process, and one that is tried may come out of a heap that is
    // no room for a thread's stack.
    // SAFETY: a new private mapping at an address of the kernel's choice touches no other, and nobody else knows of
    // it when it is taken away.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        let room = libc::mmap(std::ptr::null_mut(), bytes.max(1), access, kind, -1, 0);
        room != libc::MAP_FAILED && libc::munmap(room, bytes.max(1)) == 0
    }
}

/// Bytes that were written to a socket and have not reached the other end; none where the system does not tell.
pub fn undelivered(stream: &TcpStream) -> u64 {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let mut bytes: libc::c_int = 0;
        // JUSTIFICATION: what the kernel has taken is not what the client has read; up to 4 MB lie between.
        // SAFETY: the descriptor is open as long as `stream` lives, and TIOCOUTQ writes one int to where it points.
        #[allow(unsafe_code, reason = "see above")]
        let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        if result == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        0
    }
}
