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
    let gets = [".get(", ".get_mut("].into_iter().flat_map(|get| code.match_indices(get));
    let taken = gets.filter_map(|(at, get)| {
        let rest = &code[at + get.len()..];
        let end = ends(rest)?;
        let after = rest[end + 1..].trim_start();
        let is_hidden = [".unwrap_or", ".map_or("].iter().any(|hides| after.starts_with(hides));
        let is_range = ["..", "span", "range", ".clone()"].iter().any(|range| rest[..end].contains(range));
        (is_hidden && is_range).then(|| format!("{get}{})", &rest[..end]))
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
        // d.get(..2).unwrap_or(e)\n f.get(..2)?; g.get(&h).unwrap_or(i..j); k.get(..2).unwrap_or_else(l);\n\
        m.get(n..).map_or(0, o); p.get_mut(..q).unwrap_or_default(); r.get(span).unwrap_or(s); t.get(u.clone()).unwrap_or(v)";
    let want = [
        ".get(..at(b))",
        ".get(1..)",
        ".get(..2)",
        ".get(n..)",
        ".get(span)",
        ".get(u.clone())",
        ".get_mut(..q)",
    ];
    assert_eq!(hidden_positions(text), want);
}

/// Lines of a file without its tests, and of a function. Most files have 80 to 250.
const MOST_OF_A_FILE: usize = 300;
const MOST_OF_A_FUNCTION: usize = 60;

/// Files that are longer: tables, and those whose parts still wait for files of their own. No other one joins them.
const LONG: &[(&str, &str)] = &[
    (
        "agent/turn.rs",
        "a turn from its first question to its last answer; what it sets up is a part of its own",
    ),
    ("cli/mod.rs", "a row a command"),
    ("config/table/keys.rs", "a row a key of the configuration"),
    (
        "config/writing/edit.rs",
        "a draft, how it is written, and the splicing of its text, which is a part of its own",
    ),
    ("deliveries/line.rs", "a struct a kind of record"),
    ("fetch/dial.rs", "lookup, dialling, and the watch over one request, which is a part of its own"),
    (
        "sessions/indexes/index.rs",
        "an index in memory, and how it is read and mended, which is a part of its own",
    ),
    ("methods/mod.rs", "a row a method"),
    ("state/sessions.rs", "the indexes, and when they are saved, which is a part of its own"),
];

/// The lines that are no tests; `None` for a file of tests.
fn own_lines<'t>(file: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let is_test = file.split('/').any(|part| part.trim_end_matches(".rs").ends_with("tests"));
    if is_test || matches!(file, "config/random.rs" | "config/testing.rs") {
        return None;
    }
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod "));
    Some(lines[..tests.unwrap_or(lines.len())].to_vec())
}

/// The functions longer than a screen, with their lines.
fn long_functions(lines: &[&str]) -> Vec<(String, usize)> {
    let begins = |line: &str| {
        let words = line.trim_start().split([' ', '(']);
        let mut before = words.clone().take_while(|word| *word != "fn");
        let is_one = before.all(|word| {
            matches!(word, "pub" | "super)" | "const" | "unsafe" | "in" | "crate)")
                || word.starts_with("crate::")
        });
        let name = words.skip_while(|word| *word != "fn").nth(1)?;
        is_one.then(|| name.split('<').next().unwrap_or(name).to_string())
    };
    let found = lines.iter().enumerate().filter_map(|(at, line)| {
        let name = begins(line)?;
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = lines[at..].iter().position(|line| line.strip_prefix(indent) == Some("}"))?;
        let is_whole = line.ends_with('{') || line.ends_with('(');
        (is_whole && end >= MOST_OF_A_FUNCTION).then_some((name, end + 1))
    });
    found.collect()
}

#[test]
fn files_and_functions_are_read_at_a_glance() {
    let mut found = Vec::new();
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let Some(lines) = own_lines(&file, &text) else { continue };
        let is_excused = LONG.iter().any(|(long, _)| *long == file);
        if (lines.len() > MOST_OF_A_FILE) != is_excused {
            found.push(format!("src/{file}: {} lines", lines.len()));
        }
        let functions = long_functions(&lines);
        found.extend(functions.iter().map(|(name, n)| format!("src/{file}: fn {name}: {n} lines")));
    }
    assert!(found.is_empty(), "part them by what they own (or, of files, `LONG`):\n{}", found.join("\n"));
}

#[test]
fn long_functions_are_found_wherever_they_stand() {
    let body = "    x();\n".repeat(MOST_OF_A_FUNCTION);
    let text = format!(
        "fn a() {{\n{body}}}\nimpl B {{\n    pub(super) fn c<T>(\n{body}    }}\n\n    fn d() {{}}\n}}"
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(long_functions(&lines), [("a".to_string(), 62), ("c".to_string(), 62)]);
}

/// Invariant 19: threads are begun by `threads.rs`, but for those of one command that live as long as its call.
/// The crate's own macros for details are left out of release builds, and the lines with them.
#[test]
fn details_are_logged_by_the_programs_own_macro() {
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let is_lost = ["log::debug!", "log::trace!"].iter().any(|lost| line.contains(lost));
            assert!(!is_lost, "src/{file}:{}: use crate::logging::debug!", at + 1);
        }
    }
}

#[test]
fn i10_threads_have_one_door() {
    // Builders of other things have longer names.
    let builds = |line: &str| {
        let before = line.split_once("Builder::new()").map(|(before, _)| before);
        before.is_some_and(|before| !before.ends_with(char::is_alphanumeric))
    };
    let starts =
        |line: &str| builds(line) || line.contains("thread::scope(") || line.contains("spawn_scoped(");
    let all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let own = all.iter().filter_map(|(file, text)| Some((file.as_str(), own_lines(file, text)?)));
    let mut found: Vec<&str> =
        own.filter(|(_, lines)| lines.iter().any(|line| starts(line))).map(|(file, _)| file).collect();
    found.sort_unstable();
    assert_eq!(found, ["models/choosing/scan.rs", "threads.rs"]);
}
