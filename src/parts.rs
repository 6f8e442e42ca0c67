//! Parts of texts, bytes and lists by position, where the position was just found in the same value: by a search in it, or
//! by the call that filled it.
//!
//! A position that is not there is a defect of ours. Debug builds, and so the tests, stop at it; elsewhere the part is
//! empty, since nothing panics on purpose. Where a position may honestly be beyond the end, `min` or `first` says so;
//! `tests/habits.rs` finds the ranges that would hide it.
use std::ops::Range;

pub trait Parts {
    /// Before `end`.
    fn head(&self, end: usize) -> &Self;
    /// From `start` on.
    fn tail(&self, start: usize) -> &Self;
    fn part(&self, range: Range<usize>) -> &Self;
    fn head_mut(&mut self, end: usize) -> &mut Self;
    fn tail_mut(&mut self, start: usize) -> &mut Self;
}

macro_rules! parts {
    ($($of:ty $(, $item:ident)?);+) => { $(
        impl $(<$item>)? Parts for $of {
            #[track_caller]
            fn head(&self, end: usize) -> &Self {
                found(self.get(..end))
            }

            #[track_caller]
            fn tail(&self, start: usize) -> &Self {
                found(self.get(start..))
            }

            #[track_caller]
            fn part(&self, range: Range<usize>) -> &Self {
                found(self.get(range))
            }

            #[track_caller]
            fn head_mut(&mut self, end: usize) -> &mut Self {
                found(self.get_mut(..end))
            }

            #[track_caller]
            fn tail_mut(&mut self, start: usize) -> &mut Self {
                found(self.get_mut(start..))
            }
        }
    )+ };
}

parts! { str; [T], T }

/// The first `most` items, or all where there are no more.
pub fn first<T>(items: &[T], most: usize) -> &[T] {
    items.get(..most).unwrap_or(items)
}

/// The longest beginning of at most `most` bytes that ends between characters.
pub fn within(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.head(end)
}

/// A text of at most `most` characters, with a mark where more followed.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.head(end)),
        None => text.to_string(),
    }
}

/// Room for `more` bytes at the end of a text that grows by small pieces and is kept while it does: an eighth of it more
/// than is needed, where the text itself would take as much again.
pub fn make_room(text: &mut String, more: usize) {
    if text.capacity() - text.len() < more {
        text.reserve_exact(more.max(text.len() / 8).max(512));
    }
}

#[track_caller]
fn found<P: Default>(part: Option<P>) -> P {
    debug_assert!(part.is_some(), "a position outside of its value, or inside of a character");
    part.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_what_lies_between_positions() {
        assert_eq!(("äb".head(2), "äb".tail(2), "abc".part(1..2)), ("ä", "b", "b"));
        assert_eq!(
            ([1, 2, 3].as_slice().head(0), [1, 2, 3].as_slice().tail(3)),
            ([].as_slice(), [].as_slice())
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(within("aé", 2), "a");
        assert_eq!(within("abc", 9), "abc");
        assert_eq!(
            [shortened("äöü", 3), shortened("äöü", 2), String::new()],
            ["äöü", "äö…", &shortened("", 0)]
        );
    }

    #[test]
    fn what_grows_takes_an_eighth_more_and_moves_seldom() {
        let (mut text, mut moves) = (String::new(), 0);
        for _ in 0..20_000 {
            let before = text.capacity();
            make_room(&mut text, 6);
            text.push_str("words ");
            moves += usize::from(text.capacity() != before);
        }
        assert_eq!(text.len(), 120_000);
        assert!(text.capacity() < 120_000 + 120_000 / 8 + 512, "{}", text.capacity());
        assert!(moves < 50, "{moves}");
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_wrong_position_stops_a_debug_build() {
        for wrong in [|| "äb".head(1).len(), || "ab".tail(3).len(), || [1_u8].as_slice().head(2).len()] {
            assert!(std::panic::catch_unwind(wrong).is_err());
        }
    }
}
