//! What belongs to a command is known by a mark, whatever it calls itself and however it leaves its group: a limit of the
//! kernel's that all its children inherit and that none of them can take off (`sys/filter.rs` refuses to change it). On the
//! thread that starts or ends a command, and at a start.
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashSet;
use std::path::Path;

/// The variable that says the same where the kernel has no such limit, with the name of the command's directory, which no
/// other has.
pub(super) const VARIABLE: &str = "OPENCLAW_EXEC";
/// How the kernel names the limit: of the time that a process may run without a pause in real time, which none of ours does.
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

/// Ends all that bears one of the marks of these names. A process that is ended starts no other, so it is over when a walk
/// finds nobody new.
pub(super) fn sweep(names: &[String]) {
    if names.is_empty() {
        return;
    }
    let marks: Vec<(String, String)> =
        names.iter().map(|name| (format!("{VARIABLE}={name}"), number(name).to_string())).collect();
    let mut ended = HashSet::new();
    for _ in 0..WALKS {
        let before = ended.len();
        walk(&marks, &mut ended);
        if ended.len() == before {
            return;
        }
    }
}

fn walk(marks: &[(String, String)], ended: &mut HashSet<i32>) {
    // A gateway that a command started is not ended by itself.
    let own = std::process::id() as i32;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        let Some(pid) = pid.filter(|pid| *pid != own && !ended.contains(pid)) else { continue };
        if bears(&entry.path(), marks) {
            ended.insert(pid);
            // It may have ended meanwhile.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

fn bears(process: &Path, marks: &[(String, String)]) -> bool {
    let limits = std::fs::read_to_string(process.join("limits")).unwrap_or_default();
    let limit = limits.lines().find_map(|line| line.strip_prefix(LIMIT)).unwrap_or_default();
    let is_marked = |number: &str| limit.split_whitespace().nth(1).is_some_and(|hard| hard == number);
    if marks.iter().any(|(_, number)| is_marked(number)) {
        return true;
    }
    let environment = std::fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|it| marks.iter().any(|(mark, _)| it == mark.as_bytes()))
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
