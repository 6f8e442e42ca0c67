//! Which system calls a child that is shut in may not make, or not with every argument. A table.
use super::Then::{
    self, Bits, Is, Nothing, OnlyPairs, OnlySmallShared, Refuse, Sets, Times, Unknown, Unless0, Unsupported,
};
use libc::c_long;

/// New namespaces: mounts, cgroups, names, queues, users, processes, networks.
const NEW: u32 = 0x7E02_0000;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;
/// `utimensat` with times of 64 bits.
#[cfg(target_arch = "arm")]
const UTIMENSAT_64: c_long = 412;
/// The C library of ARM has no name for it.
#[cfg(target_arch = "arm")]
const MIGRATE_PAGES: c_long = 400;
#[cfg(not(target_arch = "arm"))]
const MIGRATE_PAGES: c_long = libc::SYS_migrate_pages;
/// The limit that a command is known by (`processes/mark.rs`).
const MARK: u32 = 15;

pub const CALLS: &[(c_long, Then)] = &[
    (libc::SYS_ptrace, Refuse),
    (libc::SYS_process_vm_readv, Refuse),
    (libc::SYS_process_vm_writev, Refuse),
    (libc::SYS_kcmp, Refuse),
    (libc::SYS_mount, Refuse),
    (libc::SYS_umount2, Refuse),
    (libc::SYS_pivot_root, Refuse),
    (libc::SYS_chroot, Refuse),
    (libc::SYS_unshare, Refuse),
    (libc::SYS_setns, Refuse),
    (libc::SYS_clone, Bits(0, NEW)),
    (libc::SYS_bpf, Refuse),
    (libc::SYS_perf_event_open, Refuse),
    (libc::SYS_userfaultfd, Refuse),
    (libc::SYS_add_key, Refuse),
    (libc::SYS_request_key, Refuse),
    (libc::SYS_keyctl, Refuse),
    (libc::SYS_name_to_handle_at, Refuse),
    (libc::SYS_open_by_handle_at, Refuse),
    (libc::SYS_init_module, Refuse),
    (libc::SYS_finit_module, Refuse),
    (libc::SYS_delete_module, Refuse),
    (libc::SYS_kexec_load, Refuse),
    (libc::SYS_reboot, Refuse),
    (libc::SYS_swapon, Refuse),
    (libc::SYS_swapoff, Refuse),
    (libc::SYS_acct, Refuse),
    (libc::SYS_quotactl, Refuse),
    (libc::SYS_settimeofday, Refuse),
    (libc::SYS_clock_settime, Refuse),
    (libc::SYS_sethostname, Refuse),
    (libc::SYS_setdomainname, Refuse),
    (libc::SYS_syslog, Refuse),
    (libc::SYS_ioctl, Is(1, TIOCSTI)),
    (libc::SYS_ioctl, Is(1, TIOCLINUX)),
    // Of other processes.
    (libc::SYS_prlimit64, Unless0(0)),
    (libc::SYS_prlimit64, Sets(1, MARK, 2)),
    (SYS_SETRLIMIT, Is(0, MARK)),
    (libc::SYS_setpriority, Unless0(0)),
    (libc::SYS_setpriority, Unless0(1)),
    (libc::SYS_ioprio_set, Refuse),
    (libc::SYS_sched_setscheduler, Unless0(0)),
    (libc::SYS_sched_setparam, Unless0(0)),
    (libc::SYS_sched_setattr, Unless0(0)),
    (libc::SYS_sched_setaffinity, Unless0(0)),
    (MIGRATE_PAGES, Refuse),
    (libc::SYS_move_pages, Refuse),
    // From 424 on all architectures number alike: rings that go around this filter, mounts, descriptors of others.
    (425, Refuse),
    (426, Refuse),
    (427, Refuse),
    (428, Refuse),
    (429, Refuse),
    (430, Refuse),
    (431, Refuse),
    (432, Refuse),
    (433, Refuse),
    (435, Unknown),
    (438, Refuse),
    (440, Refuse),
    (442, Refuse),
    (443, Refuse),
    (467, Refuse),
    // Modes, owners, attributes and times.
    (452, Nothing),
    (463, Unsupported),
    (466, Unsupported),
    (469, Refuse),
    (libc::SYS_fchmodat, Nothing),
    (libc::SYS_fchownat, Nothing),
    (libc::SYS_setxattr, Unsupported),
    (libc::SYS_lsetxattr, Unsupported),
    (libc::SYS_removexattr, Unsupported),
    (libc::SYS_lremovexattr, Unsupported),
    (libc::SYS_utimensat, Times(Some(1), 2)),
    (libc::SYS_fchmod, Nothing),
    (libc::SYS_fchown, Nothing),
    (libc::SYS_fsetxattr, Unsupported),
    (libc::SYS_fremovexattr, Unsupported),
    (libc::SYS_socketpair, OnlyPairs),
    // Of places that are out of reach they would tell names and moments. What follows files looks at them instead.
    (libc::SYS_inotify_init1, Unknown),
    (libc::SYS_fanotify_init, Refuse),
    // Memory in files without a place, which no limit counts.
    (libc::SYS_memfd_create, Unknown),
    (447, Unknown),
    (SYS_MAP, OnlySmallShared),
];

#[cfg(target_arch = "x86_64")]
const SYS_SETRLIMIT: c_long = 160;
#[cfg(any(target_arch = "arm", target_arch = "x86"))]
const SYS_SETRLIMIT: c_long = 75;
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm", target_arch = "x86")))]
const SYS_SETRLIMIT: c_long = 164;
#[cfg(any(target_arch = "arm", target_arch = "x86"))]
const SYS_MAP: c_long = libc::SYS_mmap2;
#[cfg(not(any(target_arch = "arm", target_arch = "x86")))]
const SYS_MAP: c_long = libc::SYS_mmap;

/// Those that newer architectures never had.
#[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm"))]
pub const OLDER: &[(c_long, Then)] = &[
    (libc::SYS_chmod, Nothing),
    (libc::SYS_chown, Nothing),
    (libc::SYS_lchown, Nothing),
    (libc::SYS_utimes, Times(None, 1)),
    (libc::SYS_futimesat, Times(Some(1), 2)),
    (libc::SYS_inotify_init, Unknown),
    #[cfg(target_arch = "arm")]
    (UTIMENSAT_64, Times(Some(1), 2)),
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    (libc::SYS_utime, Times(None, 1)),
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm")))]
pub const OLDER: &[(c_long, Then)] = &[];

/// What of memory, queues and semaphores outlives every process, and is shared with whoever knows a number.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm", target_arch = "riscv64"))]
pub const SHARED: &[(c_long, Then)] = &[
    (libc::SYS_shmget, Refuse),
    (libc::SYS_shmat, Refuse),
    (libc::SYS_shmctl, Refuse),
    (libc::SYS_msgget, Refuse),
    (libc::SYS_msgsnd, Refuse),
    (libc::SYS_msgrcv, Refuse),
    (libc::SYS_msgctl, Refuse),
    (libc::SYS_semget, Refuse),
    (libc::SYS_semop, Refuse),
    (libc::SYS_semtimedop, Refuse),
    (libc::SYS_semctl, Refuse),
    (libc::SYS_mq_open, Refuse),
];
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64"
)))]
pub const SHARED: &[(c_long, Then)] = &[];
