//! Programs that only filter what comes in by their standard input, and the options with which they do nothing else. Pure.
//!
//! No option that names a file is among them, and no argument that could be one: what is not in this table is not safe,
//! whatever the configuration calls it.

/// Options without and with a value, by letter; long ones in full, with a `=` where they have a value; and how many
/// arguments may stand beside them.
struct Filter {
    name: &'static str,
    flags: &'static str,
    valued: &'static str,
    long: &'static [&'static str],
    arguments: usize,
}

const FILTERS: &[Filter] = &[
    Filter {
        name: "cut",
        flags: "ns",
        valued: "bcdf",
        long: &["--complement", "--delimiter=", "--fields=", "--characters="],
        arguments: 0,
    },
    Filter {
        name: "grep",
        flags: "EFGPabchilnoqsvwxyz",
        valued: "ABCem",
        long: &[
            "--count",
            "--fixed-strings",
            "--extended-regexp",
            "--ignore-case",
            "--invert-match",
            "--line-number",
            "--max-count=",
            "--only-matching",
            "--word-regexp",
        ],
        arguments: 1,
    },
    Filter { name: "head", flags: "qvz", valued: "cn", long: &["--bytes=", "--lines="], arguments: 0 },
    Filter {
        name: "jq",
        flags: "CMSacejnrs",
        valued: "",
        long: &[
            "--compact-output",
            "--raw-output",
            "--slurp",
            "--sort-keys",
            "--null-input",
            "--exit-status",
            "--tab",
        ],
        arguments: 1,
    },
    Filter {
        name: "sort",
        flags: "MRVbcdfghinrsuz",
        valued: "kt",
        long: &["--numeric-sort", "--reverse", "--unique", "--key=", "--field-separator="],
        arguments: 0,
    },
    Filter { name: "tail", flags: "qvz", valued: "cn", long: &["--bytes=", "--lines="], arguments: 0 },
    Filter {
        name: "tr",
        flags: "Ccdst",
        valued: "",
        long: &["--complement", "--delete", "--squeeze-repeats"],
        arguments: 2,
    },
    Filter {
        name: "uniq",
        flags: "Dcdiuz",
        valued: "fsw",
        long: &["--count", "--repeated", "--unique", "--ignore-case"],
        arguments: 0,
    },
    Filter {
        name: "wc",
        flags: "Lclmw",
        valued: "",
        long: &["--bytes", "--chars", "--lines", "--words"],
        arguments: 0,
    },
];

/// Words of a filter of `jq` by which it reads more than its input.
const READS: &[&str] =
    &["import", "include", "env", "ENV", "input_filename", "get_search_list", "modulemeta", "$__prog"];

/// The names of the original's list.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.name)
}

/// Whether a program of this name does nothing but filter when it is given these arguments. `is_file` says whether a text
/// is the name of one, seen from where it runs.
pub fn only_filters(name: &str, arguments: &[String], is_file: &dyn Fn(&str) -> bool) -> bool {
    let Some(filter) = FILTERS.iter().find(|filter| filter.name == name) else { return false };
    let (mut others, mut has_pattern, mut rest) = (Vec::new(), false, arguments.iter());
    while let Some(argument) = rest.next() {
        let Some(option) = argument.strip_prefix('-').filter(|option| !option.is_empty()) else {
            others.push(argument);
            continue;
        };
        if option.starts_with('-') {
            let has_value = |long: &&&str| match long.strip_suffix('=') {
                Some(_) => argument.starts_with(**long),
                None => argument == **long,
            };
            if !filter.long.iter().any(|long| has_value(&long)) {
                return false;
            }
        } else if matches!(name, "head" | "tail") && option.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        } else {
            let Some((valued, is_last)) = letters(filter, option) else { return false };
            has_pattern |= valued == Some('e') && name == "grep";
            // Its value is the next word.
            if is_last && rest.next().is_none() {
                return false;
            }
        }
    }
    let most = if has_pattern { 0 } else { filter.arguments };
    let is_text = |text: &&String| name == "tr" || !(looks_like_path(text) || is_file(text));
    let reads_more = name == "jq" && others.iter().any(|text| READS.iter().any(|word| text.contains(word)));
    others.len() <= most && others.iter().all(is_text) && !reads_more
}

/// Whether all letters of a bundle are known: the one that takes a value, if one does, and whether that is the next word.
fn letters(filter: &Filter, option: &str) -> Option<(Option<char>, bool)> {
    for (at, c) in option.char_indices() {
        if filter.valued.contains(c) {
            return Some((Some(c), at + c.len_utf8() == option.len()));
        }
        if !filter.flags.contains(c) {
            return None;
        }
    }
    Some((None, false))
}

fn looks_like_path(text: &str) -> bool {
    ["/", "./", "../", "~"].iter().any(|start| text.starts_with(start)) || text == "." || text == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_41_filters_filter_and_do_nothing_else() {
        let check = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_string).collect();
            only_filters(&words[0], &words[1..], &|name| name == "notes.md")
        };
        for line in [
            "head -n 5",
            "head -5",
            "head -c 40",
            "head -n5",
            "tail -n +2",
            "grep foo",
            "grep -in foo",
            "grep -e foo",
            "grep -A2 foo",
            "grep -m 1 foo",
            "cut -d , -f 1",
            "cut -d, -f1-3",
            "cut --fields=2",
            "sort -rn",
            "sort -k 2",
            "uniq -c",
            "tr a-z A-Z",
            "tr -d /",
            "wc -l",
            "jq .a",
            "jq -r .a.b",
            "jq -n 1",
            "head",
            "grep -- -",
        ] {
            assert_eq!(check(line), line != "grep -- -", "{line}");
        }
        for line in [
            "head notes.md",
            "head -c 40 notes.md",
            "head /etc/passwd",
            "head -n 5 ./x",
            "grep -f/etc/hostname x",
            "grep -f notes.md",
            "grep -r foo",
            "grep foo notes.md",
            "grep foo bar",
            "grep -e foo bar",
            "grep --file=/etc/passwd",
            "grep --fil=/etc/passwd",
            "sort -o/tmp/x",
            "sort -o x",
            "sort -ro x",
            "sort --output=x",
            "sort -T/tmp",
            "sort --compress-program=sh",
            "sort --files0-from=x",
            "wc --files0-from=x",
            "uniq a b",
            "tail -f",
            "tail -F x",
            "tail --follow=name",
            "jq -f x",
            "jq -L. .",
            "jq env",
            "jq $ENV.X",
            "jq input_filename",
            "jq --slurpfile a b",
            "jq --rawfile a b",
            "jq --args",
            "jq .a notes.md",
            "head -n",
            "cut -f",
            "tr a b c",
            "ls",
            "find",
            "cat",
            "grep /etc",
            "cut -f1 x",
            "awk 1",
        ] {
            assert!(!check(line), "{line}");
        }
    }
}
