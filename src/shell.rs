//! Words as a POSIX shell reads them. Ground; pure.

/// The words as one line that a shell takes apart into the same words again.
pub fn line<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    let quoted = |word: &str| match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn words_that_a_shell_would_read_otherwise_are_quoted() {
        assert_eq!(line(["ls", "-la", "a b", "", "it's", "$HOME"]), r"ls -la 'a b' '' 'it'\''s' '$HOME'");
    }
}
