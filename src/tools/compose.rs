//! Letters and their marks: one character, or two of which the second is a mark, as some systems and editors write
//! them. Both look the same.
//!
//! Pure; used by `likeness`. Knows the scripts of Latin, Greek, Cyrillic, Arabic letters, kana and hangul. The table
//! is Unicode's: a line for each mark, behind a circle and the mark pairs of a letter and what both make.

const TABLE: &str = include_str!("composed.txt");
/// Hangul: its first syllable, first sounds, vowels and last sounds, and how many there are of these.
const SYLLABLES: u32 = 0xac00;
const FIRSTS: (u32, u32) = (0x1100, 19);
const VOWELS: (u32, u32) = (0x1161, 21);
const LASTS: (u32, u32) = (0x11a7, 28);

/// The one character for a letter and the mark behind it.
pub fn composed(letter: char, mark: char) -> Option<char> {
    if mark < '\u{300}' {
        return None;
    }
    let line = TABLE.lines().find_map(|line| line.strip_prefix('\u{25cc}')?.strip_prefix(mark));
    match line {
        Some(pairs) => {
            let mut pairs = pairs.chars();
            while let (Some(from), Some(both)) = (pairs.next(), pairs.next()) {
                if from == letter {
                    return Some(both);
                }
            }
            None
        }
        None => syllable(letter, mark),
    }
}

/// The hangul of a first sound and a vowel, or of these two and a last sound.
fn syllable(letter: char, mark: char) -> Option<char> {
    let number = |c: char, (from, count): (u32, u32)| (c as u32).checked_sub(from).filter(|n| *n < count);
    if let (Some(first), Some(vowel)) = (number(letter, FIRSTS), number(mark, VOWELS)) {
        return char::from_u32(SYLLABLES + (first * VOWELS.1 + vowel) * LASTS.1);
    }
    let open = number(letter, (SYLLABLES, FIRSTS.1 * VOWELS.1 * LASTS.1)).filter(|n| n % LASTS.1 == 0)?;
    let last = number(mark, LASTS).filter(|n| *n > 0)?;
    char::from_u32(SYLLABLES + open + last)
}

#[cfg(test)]
mod tests {
    use super::composed;

    #[test]
    fn b_f40_letters_and_marks_are_one_character() {
        let all = |text: &str| {
            let mut out = String::new();
            for c in text.chars() {
                match out.chars().next_back().and_then(|last| composed(last, c)) {
                    Some(both) => {
                        out.pop();
                        out.push(both);
                    }
                    None => out.push(c),
                }
            }
            out
        };
        assert_eq!(all("cafe\u{301} A\u{30a}ngstro\u{308}m"), "caf\u{e9} \u{c5}ngstr\u{f6}m");
        assert_eq!(all("Vie\u{323}\u{302}t"), "Vi\u{1ec7}t");
        assert_eq!(all("\u{438}\u{306} \u{3b1}\u{301}"), "\u{439} \u{3ac}");
        assert_eq!(all("\u{304b}\u{3099}\u{30d5}\u{309a}"), "\u{304c}\u{30d7}");
        assert_eq!(all("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"), "\u{d55c}\u{ae00}");
        // What has no character of its own stays.
        assert_eq!(all("q\u{301} ab"), "q\u{301} ab");
    }
}
