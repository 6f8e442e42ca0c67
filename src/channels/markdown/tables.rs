//! Tables: as a block of code with columns of equal width, or as points under each row's first cell.
use super::blocks::Blocks;
use super::{Style, Tables, Writer, inline};
use crate::parts::Parts;

pub struct Table<'t> {
    rows: Vec<Vec<&'t str>>,
    /// The lines it takes.
    pub lines: usize,
}

/// A row of names, a row of dashes with as many cells, and the rows until a blank line.
pub fn read<'t>(lines: &[&'t str]) -> Option<Table<'t>> {
    let [head, dashes, ..] = lines else { return None };
    let is_dashes = |cell: &&str| {
        let inner = cell.strip_prefix(':').unwrap_or(cell);
        let inner = inner.strip_suffix(':').unwrap_or(inner);
        !inner.is_empty() && inner.bytes().all(|b| b == b'-')
    };
    if !head.contains('|') || !dashes.contains('-') {
        return None;
    }
    let (names, below) = (cells(head), cells(dashes));
    if names.len() != below.len() || !below.iter().all(is_dashes) {
        return None;
    }
    let body = lines.iter().skip(2).take_while(|line| line.contains('|'));
    let width = names.len();
    let body = body.map(|line| {
        let mut row = cells(line);
        row.resize(width, "");
        row
    });
    let rows: Vec<Vec<&str>> = [names].into_iter().chain(body).collect();
    Some(Table { lines: rows.len() + 1, rows })
}

/// What stands between the bars; the outer ones may be missing.
fn cells(line: &str) -> Vec<&str> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = Vec::new();
    let (mut from, mut is_escaped) = (0, false);
    for (at, c) in line.char_indices() {
        if c == '|' && !is_escaped {
            cells.push(line.part(from..at).trim());
            from = at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    let last = line.tail(from).trim();
    if !last.is_empty() || cells.is_empty() {
        cells.push(last);
    }
    cells
}

pub fn write(table: &Table, blocks: &mut Blocks) {
    match blocks.tables {
        Tables::Code => write_code(table, blocks),
        _ => write_points(table, blocks),
    }
}

/// A cell as it is read, without styles: nothing is styled in code.
fn plain(cell: &str, blocks: &Blocks) -> String {
    let mut out = Writer::default();
    inline::read(cell, &blocks.references, &mut out);
    out.text.plain.replace('\n', " ")
}

fn write_code(table: &Table, blocks: &mut Blocks) {
    let rows: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.iter().map(|cell| plain(cell, blocks)).collect()).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0).max(1)).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}", cells.collect::<String>())
    };
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| line(row)).collect();
    lines.insert(lines.len().min(1), line(&dashes));
    blocks.code(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

fn write_points(table: &Table, blocks: &mut Blocks) {
    let Some((names, rows)) = table.rows.split_first() else { return };
    for row in rows {
        let first = row.first().copied().unwrap_or_default();
        let has_label = names.len() > 1;
        if has_label && !first.is_empty() {
            blocks.out.begin();
            blocks.out.open(Style::Bold);
            inline::read(first, &blocks.references, &mut blocks.out);
            blocks.out.close();
            blocks.gap(1);
        }
        for (name, cell) in names.iter().zip(row).skip(usize::from(has_label)) {
            if cell.is_empty() {
                continue;
            }
            blocks.out.begin();
            blocks.out.push("• ");
            if !name.is_empty() {
                inline::read(name, &blocks.references, &mut blocks.out);
                blocks.out.push(": ");
            }
            inline::read(cell, &blocks.references, &mut blocks.out);
            blocks.gap(1);
        }
        blocks.gap(2);
    }
}
