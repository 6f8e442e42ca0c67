//! What a JSON parser says of a text that is none, in words for people. Pure.

/// What the parser's sentence begins with, and what it means.
const MEANT: [(&str, &str); 11] = [
    (
        "expected value",
        "a value should stand here: an object, a list, a text in double quotes, a number, true, false or null",
    ),
    ("EOF while parsing", "the text ends before it is whole"),
    ("trailing characters", "something stands behind its end"),
    ("trailing comma", "a comma stands before the end of a list or an object"),
    ("key must be a string", "the name of a member must stand in double quotes"),
    ("expected `:`", "a colon should stand here, behind the name of a member"),
    ("expected `,`", "a comma should stand here, or the end of the list or object"),
    ("control character", "a text holds a line end or another control character; it is written as \\n"),
    ("invalid escape", "a backslash stands before what it cannot stand before"),
    ("invalid number", "this is no number"),
    ("expected ident", "this is none of true, false and null"),
];

/// The parser's words with their place put first; words that are not known stay as they are.
pub fn plain(why: &str) -> String {
    let Some((said, place)) = why.rsplit_once(" at line ") else { return why.to_string() };
    let meant = MEANT.iter().find(|(start, _)| said.starts_with(start)).map_or(said, |(_, meant)| meant);
    format!("line {}: {meant}", place.replace(" column", ", column"))
}

#[cfg(test)]
mod tests {
    use crate::json::read;

    /// Issue 12: what is wrong with a body is told in plain words.
    #[test]
    fn i12_what_is_no_json_is_told_in_plain_words() {
        for (text, want) in [
            ("nonsense", "line 1, column 2: this is none of"),
            ("<html>", "line 1, column 1: a value should stand here"),
            ("", "line 1, column 0: the text ends"),
            ("{\"a\": 1", "line 1, column 7: the text ends"),
            ("{a: 1}", "line 1, column 2: the name of a member"),
            ("{\"a\" 1}", "line 1, column 6: a colon"),
            ("[1 2]", "line 1, column 4: a comma should"),
            ("[1,]", "line 1, column 4: a comma stands"),
            ("{} x", "line 1, column 4: something stands behind"),
            ("\"\\x\"", "line 1, column 3: a backslash"),
            ("[\"a\nb\"]", "line 2, column 0: a text holds a line end"),
        ] {
            let told = read(text, 99, 9).unwrap_err().to_string();
            assert!(told.starts_with(want), "{text}: {told}");
        }
    }
}
