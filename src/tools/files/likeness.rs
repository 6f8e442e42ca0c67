//! Where a text stands in a file though it is not there byte for byte: curly quotes, dashes and spaces of typography,
//! blanks at the ends of lines, ellipses, CRLF, a BOM, letters apart from their marks.
//!
//! Pure. Both texts are made plain and compared; the place is then found in the file's own bytes, so that whatever
//! is not to be replaced stays as it is. Memory: one copy of the file.
use crate::parts::Parts;
use crate::tools::compose::composed;
use std::ops::Range;

/// What one character of a text is in the plain text; `'\0'` for nothing.
fn plain(c: char) -> char {
    match c {
        '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{ff07}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{2033}' | '\u{ff02}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        '\u{feff}' | '\u{200b}' | '\u{ad}' | '\u{2060}' => '\0',
        c => c,
    }
}

/// Goes through a text and tells each character of the plain text with its place in the given one. Blanks are told
/// when it is clear that something follows them on their line.
fn walk(text: &str, on: &mut dyn FnMut(char, Range<usize>)) {
    // Where blanks began that may be the last of their line.
    let mut blanks: Option<usize> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let mut c = match plain(c) {
            '\0' => continue,
            '.' if text.tail(at).starts_with("...") => {
                chars.next();
                chars.next();
                '\u{2026}'
            }
            '\r' if chars.peek().is_none_or(|(_, next)| *next == '\n') => continue,
            c => c,
        };
        if matches!(c, ' ' | '\t') {
            blanks.get_or_insert(at);
            continue;
        }
        if let Some(from) = blanks.take().filter(|_| c != '\n') {
            for (offset, blank) in text.part(from..at).char_indices() {
                let (start, blank_plain) = (from + offset, plain(blank));
                if matches!(blank_plain, ' ' | '\t') {
                    on(blank_plain, start..start + blank.len_utf8());
                }
            }
        }
        while let Some(both) = chars.peek().and_then(|(_, mark)| composed(c, *mark)) {
            c = both;
            chars.next();
        }
        let end = chars.peek().map_or(text.len(), |(next, _)| *next);
        on(c, at..end);
    }
}

/// The plain text.
pub fn plainly(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    walk(text, &mut |c, _| out.push(c));
    out
}

/// Where bytes of the plain text stand in the given one.
fn place(text: &str, wanted: Range<usize>) -> Range<usize> {
    let (mut at, mut found) = (0, text.len()..text.len());
    walk(text, &mut |c, range| {
        if at == wanted.start {
            found.start = range.start;
        }
        at += c.len_utf8();
        if at == wanted.end {
            found.end = range.end;
        }
    });
    if wanted.is_empty() { found.start..found.start } else { found }
}

/// A change of the file: these bytes are to be replaced by this text.
#[derive(Debug, PartialEq)]
pub struct Change<'n> {
    pub range: Range<usize>,
    pub text: &'n str,
}

/// Where the one place like `old` stands and what of `new` is to stand there: what is alike in both at the beginning
/// and the end is left as the file has it, whole lines first and then characters. `Err` is the number of places when it
/// is not one.
pub fn find<'n>(content: &str, old: &str, new: &'n str) -> Result<Change<'n>, usize> {
    let (in_file, wanted) = (plainly(content), plainly(old));
    if wanted.trim().is_empty() {
        return Err(0);
    }
    let mut places = in_file.match_indices(&wanted).map(|(at, _)| at);
    let (Some(at), None) = (places.next(), places.next()) else {
        return Err(in_file.matches(&wanted).count());
    };
    drop(places);
    let lines = |text: &str| text.split_inclusive('\n').map(plainly).collect::<Vec<String>>();
    let (old_lines, new_lines) = (lines(old), lines(new));
    let (first, last) = alike(old_lines.iter(), new_lines.iter());
    let length = |lines: Option<&[String]>| lines.unwrap_or_default().iter().map(String::len).sum::<usize>();
    let (before, after) = (length(old_lines.get(..first)), length(old_lines.get(old_lines.len() - last..)));
    let (from, to) = (length(new_lines.get(..first)), length(new_lines.get(new_lines.len() - last..)));
    let of_old = wanted.part(before..wanted.len() - after);
    let plain_new = new_lines.concat();
    let of_new = plain_new.part(from..plain_new.len() - to);
    let (head, tail) = alike(of_old.chars(), of_new.chars());
    let head: usize = of_old.chars().take(head).map(char::len_utf8).sum();
    let tail: usize = of_old.chars().rev().take(tail).map(char::len_utf8).sum();
    let range = place(content, at + before + head..at + wanted.len() - after - tail);
    let text = place(new, from + head..plain_new.len() - to - tail);
    // Blanks that are not in the plain text are what is wanted where nothing is left as it was.
    let start = if from + head == 0 { 0 } else { text.start };
    let end = if to + tail == 0 { new.len() } else { text.end };
    Ok(Change { range, text: new.part(start..end.max(start)) })
}

/// How many items are alike at the beginning of both, and how many of the others at the end.
fn alike<T: PartialEq>(
    old: impl DoubleEndedIterator<Item = T> + Clone,
    new: impl DoubleEndedIterator<Item = T> + Clone,
) -> (usize, usize) {
    let first = old.clone().zip(new.clone()).take_while(|(old, new)| old == new).count();
    let most = old.clone().count().min(new.clone().count()) - first;
    (first, old.rev().zip(new.rev()).take(most).take_while(|(old, new)| old == new).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(content: &str, old: &str, new: &str) -> Result<String, usize> {
        let change = find(content, old, new)?;
        Ok(format!("{}{}{}", &content[..change.range.start], change.text, &content[change.range.end..]))
    }

    #[test]
    fn b_f40_typography_and_blanks_do_not_hide_a_place() {
        for (content, old, new, want) in [
            ("It’s “fine” – ok now", "It's \"fine\" - ok", "It is", "It is now"),
            ("a  \nb\t\nc\n", "a\nb", "x\ny", "x\ny\t\nc\n"),
            ("a\nb\n", "a  \nb ", "x", "x\n"),
            ("\u{feff}a\r\nb\r\nc", "\u{feff}a\nb\n", "x\n", "\u{feff}x\r\nc"),
            ("1\u{a0}000 €", "1 000 €", "2", "2"),
            // T2-15
            ("wait\u{2026} now", "wait... now", "wait.. now", "wait.. now"),
            ("wait... now", "wait\u{2026} now", "wait\u{2026} then", "wait... then"),
            ("soft\u{ad}hyphen", "softhyphen", "x", "x"),
            (
                "say “hi”\nkeep “this”\nend – it",
                "say \"hi\"\nkeep \"this\"\nend - it",
                "say \"ho\"\nkeep \"this\"\nend - it",
                "say “ho”\nkeep “this”\nend – it",
            ),
            // Letters and marks in one character or in two; what stays is as the file has it.
            ("un cafe\u{301} noir", "un caf\u{e9} noir", "un th\u{e9} noir", "un the\u{301} noir"),
            ("cafe\u{301} a\u{300} Paris", "caf\u{e9} \u{e0} Paris", "caf\u{e9} \u{e0} Lyon", {
                "cafe\u{301} a\u{300} Lyon"
            }),
            ("caf\u{e9} 1", "cafe\u{301} 1", "cafe\u{301} 2", "caf\u{e9} 2"),
            ("Vi\u{1ec7}t Nam", "Vie\u{323}\u{302}t Nam", "Vie\u{323}\u{302}t", "Vi\u{1ec7}t"),
            ("\u{1112}\u{1161}\u{11ab} a", "\u{d55c} a", "\u{d55c} b", "\u{1112}\u{1161}\u{11ab} b"),
            ("a “b”\nc", "a \"b\"\nc", "a \"b\"\nnew\nc", "a “b”\nnew\nc"),
            ("‘a’\n‘b’\n", "'a'\n'b'\n", "'b'\n", "‘b’\n"),
        ] {
            assert_eq!(changed(content, old, new).as_deref(), Ok(want), "{content:?} {old:?}");
        }
        assert_eq!(changed("“a” \"a\"", "“a”", "x"), Err(2));
        assert_eq!(changed("a", "b", "x"), Err(0));
        assert_eq!(changed("caf\u{e9} e\u{301}", "cafe a", "x"), Err(0));
        assert_eq!(changed("a", " \n", "x"), Err(0));
    }
}
