//! Words: what was meant by a mistyped one, and choices in a sentence. Pure.
use crate::error::{Error, Result};
use std::ffi::OsString;

/// `"a"`, `"a" or "b"`, `"a", "b", or "c"`.
pub fn either(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    match quoted.as_slice() {
        [first, second] => format!("{first} or {second}"),
        [most @ .., last] if !most.is_empty() => format!("{}, or {last}", most.join(", ")),
        _ => quoted.join(", "),
    }
}

/// The candidate that a slip of at most a third of its letters explains.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = candidates.map(|candidate| (distance(word, candidate), candidate)).min_by_key(|(d, _)| *d);
    near.filter(|(d, candidate)| *d <= candidate.chars().count().div_ceil(3)).map(|(_, candidate)| candidate)
}

/// Edit distance: insertions, deletions, replacements, and two neighbours in the wrong order.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or_default();
    let (mut before, mut last) = (Vec::new(), (0..=b.len()).collect::<Vec<_>>());
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = cell(&last, j) + usize::from(x != y);
            let best = replaced.min(cell(&last, j + 1) + 1).min(cell(&row, j) + 1);
            let is_swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            row.push(if is_swapped { best.min(cell(&before, j - 1) + 1) } else { best });
        }
        before = std::mem::replace(&mut last, row);
    }
    cell(&last, b.len())
}

pub(super) fn text(word: OsString) -> Result<String> {
    word.into_string().map_err(|word| Error::usage(format!("argument {word:?} is not UTF-8 text")))
}

pub(super) fn explain(error: lexopt::Error) -> Error {
    Error::usage(error.to_string())
}
