//! Texts as WhatsApp writes them: its own marks instead of Markdown's, pieces that are not too long. Pure.

/// Characters of a message where the configuration names no other number.
pub const MOST: usize = 4000;

/// `**b**` and `__b__` become `*b*`, `*i*` `_i_`, `~~s~~` `~s~`, a heading a bold line, a link its words and address. What
/// stands in code is left as it is.
pub fn marked(text: &str) -> String {
    let mut told = Vec::new();
    let mut is_code = false;
    for line in text.split('\n') {
        let is_fence = line.trim_start().starts_with("```");
        if is_fence {
            is_code = !is_code;
            told.push("```".to_string());
        } else if is_code {
            told.push(line.to_string());
        } else {
            told.push(marked_line(line));
        }
    }
    told.join("\n")
}

fn marked_line(line: &str) -> String {
    let heading = line.trim_start_matches('#');
    let level = line.len() - heading.len();
    if (1..=6).contains(&level) && heading.starts_with(' ') {
        return format!("*{}*", spans(heading.trim()).replace('*', ""));
    }
    for bullet in ["* ", "+ "] {
        let words = line.trim_start();
        if let Some(rest) = words.strip_prefix(bullet) {
            let indent = line.get(..line.len() - words.len()).unwrap_or_default();
            return format!("{indent}- {}", spans(rest));
        }
    }
    spans(line)
}

/// Marks within a line.
fn spans(line: &str) -> String {
    let mut told = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let (piece, after) = span(rest).unwrap_or_else(|| {
            let (one, after) = rest.split_at(first.len_utf8());
            (one.to_string(), after)
        });
        told += &piece;
        rest = after;
    }
    told
}

/// The mark that the text begins with, written anew, and what follows.
fn span(text: &str) -> Option<(String, &str)> {
    let within = |open: &str, close: &str| {
        let (words, after) = text.strip_prefix(open)?.split_once(close)?;
        let is_tight = !words.is_empty() && words.trim() == words;
        is_tight.then_some((words, after))
    };
    if let Some((words, after)) = within("`", "`") {
        return Some((format!("`{words}`"), after));
    }
    for (mark, own) in [("**", "*"), ("__", "*"), ("~~", "~")] {
        if let Some((words, after)) = within(mark, mark) {
            return Some((format!("{own}{}{own}", spans(words)), after));
        }
    }
    if !text.starts_with("**")
        && let Some((words, after)) = within("*", "*")
    {
        return Some((format!("_{}_", spans(words)), after));
    }
    let (words, after) = text.strip_prefix('[')?.split_once("](")?;
    let (address, after) = after.split_once(')')?;
    let is_link = !words.contains(['[', ']']) && !address.contains(' ');
    let told = if words == address { address.to_string() } else { format!("{words} ({address})") };
    is_link.then_some((told, after))
}

/// Pieces of at most so many characters, cut at a blank line, a line, a space, in that order, else where it must be.
pub fn pieces(text: &str, most: usize) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let end = rest.char_indices().nth(most.max(1)).map_or(rest.len(), |(at, _)| at);
        let (head, _) = rest.split_at(end);
        let at = match end == rest.len() {
            true => end,
            false => ["\n\n", "\n", " "]
                .iter()
                .filter_map(|at| head.rfind(at))
                .find(|at| *at > end / 3)
                .unwrap_or(end),
        };
        let (piece, after) = rest.split_at(at);
        all.push(piece.trim_end().to_string());
        rest = after.trim_start();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_what_whatsapp_shows() {
        for (given, want) in [
            ("hello **Ann**", "hello *Ann*"),
            ("*i* and **b _c_** and ~~s~~", "_i_ and *b _c_* and ~s~"),
            ("## A **heading**", "*A heading*"),
            ("* one\n  + two", "- one\n  - two"),
            ("[docs](https://example.org/a) `**x**`", "docs (https://example.org/a) `**x**`"),
            ("```rust\nlet **a** = 1;\n```", "```\nlet **a** = 1;\n```"),
            ("2 * 3 * 4, a ** b", "2 * 3 * 4, a ** b"),
            ("snake_case_name and #hash", "snake_case_name and #hash"),
            ("unfinished **bold", "unfinished **bold"),
        ] {
            assert_eq!(marked(given), want, "{given}");
        }
    }

    #[test]
    fn r_53d_pieces_say_everything_once_and_in_order() {
        let text = (0..900).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
        let all = pieces(&text, 1000);
        assert!(all.iter().all(|piece| piece.chars().count() <= 1000) && all.len() > 5);
        assert_eq!(all.join(" "), text);
        assert_eq!(pieces("a\n\nb", 4000), ["a\n\nb"]);
        assert_eq!(
            pieces(&"é".repeat(25), 10).iter().map(|p| p.chars().count()).collect::<Vec<_>>(),
            [10, 10, 5]
        );
        assert!(pieces(" \n", 10).is_empty());
    }
}
