//! Where a text may be cut so that no character falls apart as a person sees it.
//!
//! Knows no more of Unicode than the standard library does and a few ranges beside; where it is in doubt, it does not
//! cut. So a text may be cut earlier than it had to be, never within a letter with its marks, a flag, or a family.

/// Whether there is a place to cut between `before` and `after`.
pub fn is_boundary(before: &str, after: &str) -> bool {
    let (Some(last), Some(next)) = (before.chars().next_back(), after.chars().next()) else { return true };
    if last.is_ascii() && next.is_ascii() {
        return (last, next) != ('\r', '\n');
    }
    let is_flag_half = |c: &char| matches!(c, '\u{1f1e6}'..='\u{1f1ff}');
    if is_flag_half(&last) && is_flag_half(&next) {
        return before.chars().rev().take_while(is_flag_half).count() % 2 == 0;
    }
    !(belongs_to_former(next) || holds_next(last) || is_syllable(last, next))
}

/// Marks, joiners, variations, tags, skin tones. Rust escapes what extends the character before it, and what cannot be
/// shown by itself.
fn belongs_to_former(c: char) -> bool {
    let is_escaped = !c.is_ascii() && c.escape_debug().len() > 1;
    is_escaped && !c.is_whitespace() || matches!(c, '\u{1f3fb}'..='\u{1f3ff}') || is_spacing_mark(c)
}

/// Vowel signs that take a place of their own.
fn is_spacing_mark(c: char) -> bool {
    match u32::from(c) {
        0xdcf..=0xddf => true,
        // The scripts of India are laid out alike.
        code @ 0x900..=0xdff => matches!(code & 0x7f, 0x02 | 0x03 | 0x3e..=0x4d | 0x55..=0x57 | 0x62 | 0x63),
        0xe33 | 0xeb3 | 0xf3e | 0xf3f | 0xf7f | 0x102b..=0x103e | 0x1056..=0x1064 | 0x17b6..=0x17d3 => true,
        0x1b04 | 0x1b35..=0x1b44 | 0xa823..=0xa827 | 0xa880 | 0xa881 | 0xa8b4..=0xa8c5 => true,
        _ => false,
    }
}

/// What is joined with whatever follows: the joiner, signs that bind consonants, signs before numbers.
fn holds_next(c: char) -> bool {
    let code = u32::from(c);
    let is_binding = matches!(code, 0x900..=0xdff) && code & 0x7f == 0x4d;
    is_binding || matches!(code, 0x200d | 0x1039 | 0x17d2 | 0x600..=0x605 | 0x6dd | 0x70f | 0x8e2 | 0x110bd)
}

/// Letters of Korean that are written as one.
fn is_syllable(last: char, next: char) -> bool {
    let is_letter =
        |c: char| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97c}' | '\u{d7b0}'..='\u{d7fb}');
    let is_whole = matches!(last, '\u{ac00}'..='\u{d7a3}');
    is_letter(next) && (is_letter(last) || is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        let whole = [
            "e\u{301}",
            "👨‍👩‍👧‍👦",
            "👍🏽",
            "❤️",
            "🇩🇪",
            "1️⃣",
            "🏴\u{e0067}\u{e0062}\u{e007f}",
            "नि",
            "क्ष",
            "நி",
            "กำ",
            "각",
            "가\u{11a8}",
            "\r\n",
            "a\u{200d}b",
            "ක්‍ෂ",
            "မြ",
            " \u{301}",
        ];
        for text in whole {
            for (at, _) in text.char_indices().skip(1) {
                assert!(!is_boundary(&text[..at], &text[at..]), "{text} at {at}");
            }
        }
    }

    #[test]
    fn between_characters_there_is_a_place() {
        for text in ["ab", "日本", "👍👍", "🇩🇪🇫🇷", "é日", "가나", "x👍", "กข", "ко", "a\u{a0}", "\n\u{3000}"]
        {
            let found =
                text.char_indices().skip(1).filter(|(at, _)| is_boundary(&text[..*at], &text[*at..])).count();
            assert_eq!(found, 1, "{text}");
        }
    }
}
