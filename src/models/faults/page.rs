//! What a web page says, where an answer of a model server was expected: its words without marks, scripts and styles.
//!
//! Pure and small: the words are shown in an error, shortened there. Pages for agents are read by `tools/html`.
use crate::parts::Parts;

/// Entities that pages of errors use.
const ENTITIES: [(&str, &str); 6] =
    [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
/// Elements whose text is for no reader.
const DROPPED: [&str; 2] = ["script", "style"];

/// Whether a text is a web page, or at least no JSON.
pub fn is_one(text: &str) -> bool {
    text.trim_start().trim_start_matches('\u{feff}').trim_start().starts_with('<')
}

/// The words of a page, in one line.
pub fn words(page: &str) -> String {
    let (mut out, mut rest) = (String::new(), page);
    while let Some((text, after)) = rest.split_once('<') {
        out.push_str(text);
        out.push(' ');
        let name = after.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let dropped = DROPPED.iter().find(|dropped| name.eq_ignore_ascii_case(dropped));
        let end = match dropped {
            Some(name) => end_of(after, name),
            None if after.starts_with("!--") => after.find("-->").map(|at| at + 2),
            None => after.find('>'),
        };
        rest = end.map_or("", |at| after.tail(at + 1));
    }
    out.push_str(rest);
    let text = ENTITIES.iter().fold(out, |text, (entity, c)| text.replace(entity, c));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The title of a page in one line; empty where it has none.
pub fn title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let begin = lower.find("<title").and_then(|at| Some(at + lower.get(at..)?.find('>')? + 1));
    let end = begin.and_then(|at| Some(at + lower.get(at..)?.find("</title")?));
    begin.zip(end).map(|(begin, end)| words(page.part(begin..end))).unwrap_or_default()
}

/// Where the closing tag of a dropped element ends.
fn end_of(text: &str, name: &str) -> Option<usize> {
    let close = format!("</{name}");
    let at = text.to_ascii_lowercase().find(&close)?;
    Some(at + text.get(at..)?.find('>')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_f17_a_page_says_its_words_only() {
        let page = "<!DOCTYPE html><html><head><title>502 Bad</title><STYLE>p {}</STYLE></head><!-- a > b -->\
                    <body class=\"x\"><h1>No\n upstream</h1><script>if (a < b) {}</script>a &lt; b";
        assert!(is_one(page) && is_one("\u{feff} <p>") && !is_one("{}"));
        assert_eq!(words(page), "502 Bad No upstream a < b");
        assert_eq!(
            (title(page).as_str(), title("<p>a</p>").as_str(), title("<title").as_str()),
            ("502 Bad", "", "")
        );
        for cut in ["<", "<script", "<!--", "a<b"] {
            assert!(words(cut).len() < 2, "{cut}");
        }
    }
}
