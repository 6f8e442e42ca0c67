//! Files that are named in what one types: as a shell would read a path, after `@`, dragged there, pasted, below `~`. Pure but
//! for looking whether a file is there.
use crate::parts::Parts;
use crate::percent;
use std::path::{Path, PathBuf};

/// What may stand behind a path in a sentence.
const BEHIND: [char; 8] = ['?', '!', '.', ',', ';', ':', ')', ']'];

/// A path as it was typed, dragged or pasted: quoted, escaped, as an address, below `~`.
pub fn path(typed: &str, home: &Path) -> PathBuf {
    let typed = typed.trim();
    let (said, end) = word(typed);
    // One with blanks in it, that nobody quoted.
    place(if end == typed.len() { &said } else { typed }, home)
}

/// The same, if a picture lies there.
pub fn picture(typed: &str, home: &Path) -> Option<PathBuf> {
    let path = path(typed, home);
    (!typed.trim().contains('\n') && is_picture(&path) && path.is_file()).then_some(path)
}

/// The path at the beginning of a text, and what follows it.
pub fn first<'t>(text: &'t str, home: &Path) -> (PathBuf, &'t str) {
    let text = text.trim_start();
    let (said, end) = word(text);
    (place(&said, home), text.tail(end))
}

/// The files that a text names, wherever in it: `@path`, or a picture by its path alone. One of these at the beginning goes
/// out of the text; the others stay, for the words around them are about them.
pub fn files_in<'t>(text: &'t str, home: &Path) -> (&'t str, Vec<PathBuf>) {
    let (mut words, mut files, mut at) = (text, Vec::new(), 0);
    while at < text.len() {
        let rest = text.tail(at).trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == '[');
        let start = text.len() - rest.len();
        let named = rest.strip_prefix('@');
        let (said, end) = word(named.unwrap_or(rest));
        let plain = [said.as_str(), said.trim_end_matches(BEHIND)];
        let mut paths = plain.iter().filter(|said| !said.is_empty()).map(|said| place(said, home));
        match paths.find(|path| (named.is_some() || is_picture(path)) && path.is_file()) {
            Some(path) => {
                at = start + end + usize::from(named.is_some());
                if named.is_none() && text.head(start).trim().is_empty() {
                    words = text.tail(at).trim();
                }
                if !files.contains(&path) {
                    files.push(path);
                }
            }
            None => at = start + rest.find(char::is_whitespace).unwrap_or(rest.len()),
        }
    }
    (words, files)
}

/// Where the last word of a text begins.
pub fn last_word(text: &str) -> usize {
    let ends = |(at, c): &(usize, char)| c.is_whitespace() && !text.head(*at).ends_with('\\');
    text.char_indices().rfind(ends).map_or(0, |(at, c)| at + c.len_utf8())
}

/// A name as it has to be typed for `word` to read it.
pub fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_whitespace() || matches!(c, '\\' | '\'' | '"') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

pub fn is_picture(path: &Path) -> bool {
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default().to_ascii_lowercase();
    matches!(kind.as_str(), "png" | "jpg" | "jpeg" | "gif" | "webp")
}

/// The first word as a shell reads it, and how much of the text it takes. Apostrophes within a word are its own: people
/// write sentences.
fn word(text: &str) -> (String, usize) {
    let has_quotes = text.starts_with(['\'', '"']);
    let (mut said, mut quote, mut chars) = (String::new(), None, text.char_indices());
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                let next = chars.next().map(|(_, next)| next);
                // Within these it stands for itself, but before such a one.
                if quote.is_some() && !matches!(next, Some('"' | '\\')) {
                    said.push(c);
                }
                said.extend(next);
            }
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) if has_quotes => quote = Some(c),
            (c, None) if c.is_whitespace() => return (said, at),
            (c, _) => said.push(c),
        }
    }
    (said, text.len())
}

/// Where a path leads that may be an address, or below `~`.
fn place(said: &str, home: &Path) -> PathBuf {
    match (said.strip_prefix("file://"), said.strip_prefix("~/")) {
        (Some(address), _) => {
            let path = address.strip_prefix("localhost").unwrap_or(address);
            PathBuf::from(percent::plain(path).unwrap_or_else(|| path.to_string()))
        }
        (_, Some(rest)) => home.join(rest),
        _ => PathBuf::from(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_where_a_shell_would_say() {
        let home = Path::new("/home/x");
        let check = |text: &str, want: &str, rest: &str| {
            assert_eq!(first(text, home), (PathBuf::from(want), rest), "{text}");
        };
        check("/a/b.png what is it", "/a/b.png", " what is it");
        check(" '/a b.png' x", "/a b.png", " x");
        check("/a\\ b.png x", "/a b.png", " x");
        check("\"/a \\\"b\\\" \\c.png\" x", "/a \"b\" \\c.png", " x");
        check("'it'\\''s.png' x", "it's.png", " x");
        check("~/c.png", "/home/x/c.png", "");
        check("file:///a%20b.png x", "/a b.png", " x");
        check("", "", "");
        assert_eq!(path("'/a b/c.png' ", home), PathBuf::from("/a b/c.png"));
        assert_eq!(path("/a b/c.png", home), PathBuf::from("/a b/c.png"));
        assert_eq!((last_word("see a\\ b"), last_word("ab"), last_word("a ")), (4, 0, 2));
        assert_eq!(path(&escaped("a 'b\".png"), home), PathBuf::from("a 'b\".png"));
    }

    #[test]
    fn i14_1_files_are_found_wherever_they_stand() {
        let home = std::env::temp_dir().join(format!("named-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        for name in ["a.png", "my pic.JPG", "notes.md"] {
            std::fs::write(home.join(name), "x").unwrap();
        }
        let check = |text: &str, want: &str, names: &[&str]| {
            let (words, files) = files_in(text, &home);
            let found: Vec<PathBuf> = names.iter().map(|name| home.join(name)).collect();
            assert_eq!((words, files), (want, found), "{text}");
        };
        check("~/a.png what is it", "what is it", &["a.png"]);
        for text in [
            "what is ~/a.png?",
            "is it (~/a.png), or not",
            "what's on ~/a.png and don't tell @ann",
            "see @~/a.png.",
            "twice ~/a.png ~/a.png",
        ] {
            check(text, text, &["a.png"]);
        }
        let quoted = format!("see @\"{}\" and @~/notes.md", home.join("my pic.JPG").display());
        check(&quoted, &quoted, &["my pic.JPG", "notes.md"]);
        check("see ~/my\\ pic.JPG now", "see ~/my\\ pic.JPG now", &["my pic.JPG"]);
        check("~/notes.md says", "~/notes.md says", &[]);
        check("'tis @nobody ~/none.png", "'tis @nobody ~/none.png", &[]);
        std::fs::remove_dir_all(&home).unwrap();
    }
}
