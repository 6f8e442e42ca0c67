//! Texts and tables for the width of a terminal. Pure; `print.rs` and `help.rs` print what comes out.

/// The lines of `text`, none wider than `width` columns.
pub fn fold(text: &str, width: usize) -> Vec<String> {
    text.split('\n').flat_map(|paragraph| hanging(paragraph, width, 0)).collect()
}

/// The lines of one that may be wider than `width`: broken between words, a word that has no room in a line of its own
/// behind one of its separators. Further lines begin `indent` columns in.
pub fn hanging(text: &str, width: usize, indent: usize) -> Vec<String> {
    if columns(text) <= width {
        return vec![text.to_string()];
    }
    let words = text.trim_start_matches(' ');
    let mut line = " ".repeat(text.len() - words.len());
    let mut lines = Vec::new();
    let mut is_bare = true;
    let next = " ".repeat(indent.min(width / 2));
    for word in words.split(' ') {
        if !is_bare && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::replace(&mut line, next.clone()));
            is_bare = true;
        } else if !is_bare {
            line.push(' ');
        }
        let mut rest = word;
        while columns(&line) + columns(rest) > width {
            let (head, tail) = rest.split_at(cut(rest, width.saturating_sub(columns(&line))));
            line.push_str(head);
            lines.push(std::mem::replace(&mut line, next.clone()));
            rest = tail;
        }
        line.push_str(rest);
        is_bare &= word.is_empty();
    }
    lines.push(line);
    lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

/// How much of a long word stands in `room` columns: up to a separator where that is half of it or more, at least one
/// character.
fn cut(word: &str, room: usize) -> usize {
    let (mut used, mut end, mut good) = (0, 0, 0);
    for (at, c) in word.char_indices() {
        used += width(c);
        if used > room && end > 0 {
            break;
        }
        end = at + c.len_utf8();
        if matches!(c, '/' | ',' | ';' | ':' | '=' | '&' | '-' | '_' | '·') {
            good = end;
        }
    }
    if good * 2 >= end { good } else { end }
}

/// Columns that a terminal needs for `text`.
pub fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Columns of a character: East Asian letters and pictures take two, what is drawn over the one before it none.
pub fn width(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        _ if is_over(c) => 0,
        _ => 1 + usize::from(is_wide(c)),
    }
}

/// Accents, vowel signs, joiners and selectors of the scripts that are written most.
fn is_over(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}'
        | '\u{6df}'..='\u{6e4}' | '\u{6e7}'..='\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{901}'..='\u{902}' | '\u{93a}' | '\u{93c}'
        | '\u{941}'..='\u{948}' | '\u{94d}' | '\u{951}'..='\u{957}' | '\u{981}' | '\u{9bc}' | '\u{9c1}'..='\u{9c4}' | '\u{9cd}'
        | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}' | '\u{eb4}'..='\u{ebc}' | '\u{ec8}'..='\u{ece}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200b}'..='\u{200f}' | '\u{20d0}'..='\u{20ff}'
        | '\u{302a}'..='\u{302d}' | '\u{3099}'..='\u{309a}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{e0100}'..='\u{e01ef}')
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

/// A table as lines no wider than `width`, the heads first. Columns are as wide as their widest cell. Those that do
/// not fit beside the others stand in further lines below, indented, under heads of their own.
pub fn table(head: &[&str], rows: &[Vec<String>], width: usize) -> (Vec<String>, Vec<String>) {
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| columns(&cell(row, column)));
        // A column that nobody fills is left out.
        cells
            .max()
            .filter(|most| *most > 0)
            .map(|most| most.max(head.get(column).map_or(0, |name| columns(name))))
    };
    let mut groups: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
    let mut used = 0;
    for (column, wide) in (0..head.len()).filter_map(|column| Some((column, widest(column)?))) {
        if used > 0 && used + GAP.len() + wide > width {
            groups.push(Vec::new());
            used = INDENT.len();
        } else if used > 0 {
            used += GAP.len();
        }
        used += wide;
        if let Some(group) = groups.last_mut() {
            group.push((column, wide));
        }
    }
    let line = |place: usize, group: &Vec<(usize, usize)>, text: &dyn Fn(usize) -> String| {
        let cells = group.iter().map(|(column, wide)| padded(&text(*column), *wide)).collect::<Vec<_>>();
        format!("{}{}", if place == 0 { "" } else { INDENT }, cells.join(GAP)).trim_end().to_string()
    };
    let lines = |text: &dyn Fn(usize) -> String| -> Vec<String> {
        let each = groups.iter().enumerate().map(|(place, group)| line(place, group, text));
        each.enumerate()
            .filter(|(place, line)| *place == 0 || !line.is_empty())
            .map(|(_, line)| line)
            .collect()
    };
    let names = lines(&|column| head.get(column).map(ToString::to_string).unwrap_or_default());
    (names, rows.iter().flat_map(|row| lines(&|column| cell(row, column))).collect())
}

const GAP: &str = "  ";
const INDENT: &str = "    ";

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_34_words_are_folded_and_long_ones_broken_at_their_separators() {
        assert_eq!(fold("a bb ccc\ndd", 5), ["a bb", "ccc", "dd"]);
        assert_eq!(fold("abcdefgh ij", 5), ["abcde", "fgh", "ij"]);
        assert_eq!(fold("", 5), [""]);
        assert_eq!(
            hanging("  Log: /var/log/openclaw/x", 12, 4),
            ["  Log:", "    /var/", "    log/", "    openclaw", "    /x"]
        );
        assert_eq!(hanging("日本語日本", 5, 0), ["日本", "語日", "本"]);
        assert_eq!(hanging("a  b cccc", 6, 2), ["a  b", "  cccc"]);
    }

    #[test]
    fn n_34_a_table_goes_on_below_where_it_is_too_wide() {
        let rows = vec![
            vec!["key-1".to_string(), "日本".to_string(), "id-1".to_string(), String::new()],
            vec!["k".to_string(), "b".to_string(), "id-2".to_string(), String::new()],
        ];
        let (head, lines) = table(&["Key", "Name", "Id", "Flags"], &rows, 80);
        assert_eq!(head, ["Key    Name  Id"]);
        assert_eq!(lines, ["key-1  日本  id-1", "k      b     id-2"]);
        let (head, lines) = table(&["Key", "Name", "Id", "Flags"], &rows, 12);
        assert_eq!(head, ["Key    Name", "    Id"]);
        assert_eq!(lines, ["key-1  日本", "    id-1", "k      b", "    id-2"]);
    }
}
