//! What belongs to a command is known by a mark, whatever it calls itself and however it leaves its group: a limit of the
//! kernel's that all its children inherit and that none of them can take off (`sys/filter.rs` refuses to change it). On the
//! thread that starts or ends a command, and at a start.
#[cfg(target_os = "linux")]
use crate::sys::cage::mark_of;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::collections::HashSet;
use std::io::ErrorKind;

/// The variable that says the same where the kernel has no such limit, with the name of the command's directory, which no
/// other has.
pub(super) const VARIABLE: &str = "OPENCLAW_EXEC";
/// How the kernel writes the limit: of the time that a process may run without a pause in real time, which none of ours does.
const LIMIT: &str = "Max realtime timeout";
/// A number that bounds nothing: a hundred thousand years.
const LEAST: u64 = 1 << 62;
/// Walks over all processes, for whoever starts others while they are ended.
const WALKS: usize = 64;

/// The limit of the command whose directory has this name, which begins with random letters.
pub(super) fn number(name: &str) -> u64 {
    let digits = name.chars().filter_map(|c| c.to_digit(16)).take(12);
    LEAST | digits.fold(0, |number, digit| number << 4 | u64::from(digit))
}

/// Whether a process that was just started has its mark: where the kernel refused it, it is known by its variable only.
pub(super) fn is_borne(pid: u32, name: &str) -> bool {
    i32::try_from(pid).is_ok_and(|pid| mark_of(pid).is_ok_and(|found| found == number(name)))
}

/// Ends all that bears one of the marks of these names. A process that is ended starts no other, so it is over when a walk
/// finds nobody new. `has_marks` where all of them were borne.
pub(super) fn sweep(names: &[String], has_marks: bool) {
    if names.is_empty() {
        return;
    }
    let variables = names.iter().map(|name| format!("{VARIABLE}={name}")).collect();
    let marks = Marks { numbers: names.iter().map(|name| number(name)).collect(), variables, has_marks };
    let mut ended = HashSet::new();
    for _ in 0..WALKS {
        let before = ended.len();
        marks.walk(&mut ended);
        if ended.len() == before {
            return;
        }
    }
}

struct Marks {
    numbers: Vec<u64>,
    variables: Vec<String>,
    has_marks: bool,
}

impl Marks {
    fn walk(&self, ended: &mut HashSet<i32>) {
        // A gateway that a command started is not ended by itself.
        let own = std::process::id() as i32;
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = pid.filter(|pid| *pid != own && !ended.contains(pid)) else { continue };
            if self.are_borne_by(pid) {
                ended.insert(pid);
                // It may have ended meanwhile.
                let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
            }
        }
    }

    /// One call of the kernel for nearly all: a text of its own is made for each process that is looked at in `/proc`, which
    /// costs ten milliseconds where a few hundred run.
    fn are_borne_by(&self, pid: i32) -> bool {
        let limit = match mark_of(pid) {
            // It is of another user, or this kernel has no such call.
            Err(e) if e.kind() != ErrorKind::NotFound => written(pid),
            found => found.ok(),
        };
        let Some(limit) = limit else { return false };
        // Whoever has a narrower limit could not be given the mark, or has taken another himself.
        let may_have_none = !self.has_marks || limit < LEAST;
        self.numbers.contains(&limit) || (may_have_none && self.is_named_by(pid))
    }

    fn is_named_by(&self, pid: i32) -> bool {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|it| self.variables.iter().any(|mark| it == mark.as_bytes()))
    }
}

/// The limit of one that could be ended, as the kernel writes it.
fn written(pid: i32) -> Option<u64> {
    test_kill_process(Pid::from_raw(pid)?).ok()?;
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix(LIMIT))?;
    limit.split_whitespace().nth(1).map(|hard| hard.parse().unwrap_or(u64::MAX))
}

#[cfg(not(target_os = "linux"))]
fn mark_of(_: i32) -> std::io::Result<u64> {
    Err(ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i13_a_marks_are_large_and_differ() {
        let (a, b) =
            (number("73422bc8-11aa-4000-8000-000000000000"), number("73422bc8-11ab-4000-8000-000000000000"));
        assert!(a != b && a >= LEAST && b >= LEAST && a < u64::MAX / 2, "{a} {b}");
        assert_eq!(number("73422bc8-11aa"), a);
    }
}
