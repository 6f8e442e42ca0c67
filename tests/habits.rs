//! What the sources of the program do not do, found by reading them.
use super::floors::sources;
use std::path::Path;

/// The statements of a file that take a range and go on with something else where it is not there. A wrong position
/// would pass unseen; `src/parts.rs` has the ways that stop a debug build instead.
fn hidden_positions(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(str::trim).filter(|l| !l.starts_with("//")).collect::<Vec<_>>().join("\n");
    let ends = |rest: &str| {
        let mut depth = 0;
        rest.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth < 0
        })
    };
    let taken = code.match_indices(".get(").filter_map(|(at, get)| {
        let rest = &code[at + get.len()..];
        let end = ends(rest)?;
        let is_hidden = rest[..end].contains("..") && rest[end + 1..].trim_start().starts_with(".unwrap_or");
        is_hidden.then(|| format!(".get({})", &rest[..end]))
    });
    taken.collect()
}

#[test]
fn no_wrong_position_is_hidden() {
    let mut found = Vec::new();
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        if file != "parts.rs" {
            found.extend(hidden_positions(&text).iter().map(|what| format!("src/{file}: {what}")));
        }
    }
    assert!(found.is_empty(), "use `head`, `tail`, `part` or `first` of src/parts.rs:\n{}", found.join("\n"));
}

#[test]
fn hidden_positions_are_found_in_every_spelling() {
    let text = "a.get(..at(b)).unwrap_or_default(); // x\n c\n    .get(1..)\n    .unwrap_or(\"\");\n\
        // d.get(..2).unwrap_or(e)\n f.get(..2)?; g.get(&h).unwrap_or(i..j); k.get(..2).unwrap_or_else(l)";
    assert_eq!(hidden_positions(text), [".get(..at(b))", ".get(1..)", ".get(..2)"]);
}
