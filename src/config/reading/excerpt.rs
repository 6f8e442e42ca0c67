//! The line of a mistake and a caret beneath it, as a terminal of 80 columns shows them.
//!
//! Pure; any thread. The caller says what is to be hidden. A long line is cut around the caret, tabs become blanks, and
//! what steers a terminal is not shown, so that the caret stands where it is meant.
use crate::clean::is_unfit;
use crate::parts::within;
use std::ops::Range;

/// Most columns of a line, which is shown behind an indent of four.
const COLUMNS: usize = 76;
/// Most of them before the caret.
const BEFORE: usize = 50;
/// Bytes looked at on either side of the place: enough for any character that takes a column.
const REACH: usize = 4 * COLUMNS;
const TAB: &str = "    ";

/// The line of `text` in which `offset` lies, with `hidden` ranges replaced, and the caret's line.
pub fn excerpt(text: &str, offset: usize, hidden: &[(Range<usize>, String)]) -> String {
    // Between characters.
    let floor = |at| within(text, at).len();
    let offset = floor(offset);
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| offset + at);
    let (from, to) = (floor(start.max(offset.saturating_sub(REACH))), floor(end.min(offset + REACH)));
    // A hidden text in which the place lies is shown whole behind the caret.
    let split = hidden.iter().find(|(range, _)| range.start < offset && offset < range.end);
    let split = split.map_or(offset, |(range, _)| range.start.max(from));
    let before = shown(text, from..split, hidden);
    let after = shown(text, split..to, hidden);
    let (left, is_cut_left) =
        last(&before, BEFORE.max(COLUMNS.saturating_sub(columns(&after))), from > start);
    let taken = columns(&left) + usize::from(is_cut_left);
    let right = first(&after, COLUMNS.saturating_sub(taken), to < end);
    let mark = if is_cut_left { "…" } else { "" };
    format!("{mark}{left}{right}\n{}^", " ".repeat(taken))
}

/// What is shown of a range.
fn shown(text: &str, range: Range<usize>, hidden: &[(Range<usize>, String)]) -> String {
    let mut out = String::new();
    let mut at = range.start;
    let is_inside = |(span, _): &&(Range<usize>, String)| {
        !range.is_empty() && span.start < range.end && span.end > range.start
    };
    for (span, with) in hidden.iter().filter(is_inside) {
        out.extend(text.get(at..span.start).map(fit));
        out.push_str(with);
        at = span.end;
    }
    out.extend(text.get(at..range.end).map(fit));
    out
}

fn fit(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end_matches('\r').chars() {
        match c {
            '\t' => out.push_str(TAB),
            c if is_unfit(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The last columns of a text, and whether something before them is left out.
fn last(text: &str, most: usize, is_cut: bool) -> (String, bool) {
    if !is_cut && columns(text) <= most {
        return (text.to_string(), false);
    }
    let mut taken = 1;
    let fits = |c: &char| {
        taken += width(*c);
        taken <= most
    };
    let kept: Vec<char> = text.chars().rev().take_while(fits).collect();
    (kept.into_iter().rev().collect(), true)
}

/// The first columns of a text, with a mark behind them if something is left out.
fn first(text: &str, most: usize, is_cut: bool) -> String {
    if !is_cut && columns(text) <= most {
        return text.to_string();
    }
    let mut taken = 1;
    let fits = |c: &char| {
        taken += width(*c);
        taken <= most
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// How many columns a character takes.
fn width(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{200c}'
        | '\u{200d}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff01}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_11_the_caret_stands_beneath_the_place() {
        let check = |text: &str, want: &str| {
            let offset = text.find('@').unwrap();
            let text = text.replacen('@', "", 1);
            assert_eq!(excerpt(&text, offset, &[]), want, "{text:?}");
        };
        check("{\n  port: @'x',\n}", "  port: 'x',\n        ^");
        check("{\r\n  port: 1@\r\n  b: 2}", "  port: 1\n         ^");
        check("{\n\tport:\t@'x'", "    port:    'x'\n             ^");
        check("{'ключ': @1}", "{'ключ': 1}\n         ^");
        check("{'鍵e\u{301}😀': @1}", "{'鍵e\u{301}😀': 1}\n          ^");
        check("{a: '\u{1b}[2J\u{202e}', @b: 1}", "{a: '\u{fffd}[2J\u{fffd}', b: 1}\n             ^");
        check("@", "\n^");
        check("a\n@", "\n^");
    }

    #[test]
    fn n_11_a_long_line_is_cut_around_the_caret() {
        for (before, after) in [(0, 500), (500, 0), (500, 500), (70, 20), (40, 100), (100_000, 100_000)] {
            for c in ["x", "鍵", "\t", "e\u{301}"] {
                let text = format!("{}!{}", c.repeat(before), c.repeat(after));
                let shown = excerpt(&text, before * c.len(), &[]);
                let (line, caret) = shown.split_once('\n').unwrap();
                assert!(columns(line) <= COLUMNS, "{before} {after} {c:?}: {line}");
                let place = line.find('!').unwrap();
                assert_eq!(columns(&line[..place]) + 1, caret.len(), "{before} {after} {c:?}: {shown}");
            }
        }
    }

    #[test]
    fn n_11_what_is_hidden_moves_the_caret() {
        let text = "{a: 'secret', b: 'secret too', c: 1}";
        let hidden = [(4..12, "#".to_string()), (17..29, "##########".to_string())];
        assert_eq!(excerpt(text, 34, &hidden), "{a: #, b: ##########, c: 1}\n                         ^");
        assert_eq!(excerpt(text, 20, &hidden), "{a: #, b: ##########, c: 1}\n          ^");
        assert_eq!(excerpt(text, 29, &hidden), "{a: #, b: ##########, c: 1}\n                    ^");
        assert_eq!(excerpt("{/*\nx\ny*/ a: 1}", 5, &[(1..9, "/* # */".to_string())]), "/* # */\n^");
    }
}
