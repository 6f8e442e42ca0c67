//! What of an answer has gone out, so that the rest of the whole can follow where words were left out on the way
//! (`calls/stream.rs`): a model's server may give a long answer faster than any client takes it. Pure.
use crate::parts::{Parts, within};

/// Bytes of its end by which what was said is known again.
const TAIL: usize = 64;
/// Bytes of the rest that go out at once.
const SLICE: usize = 16 << 10;

#[derive(Default)]
pub struct Said {
    bytes: usize,
    tail: String,
}

impl Said {
    pub fn more(&mut self, text: &str) {
        self.bytes += text.len();
        self.tail = match text.len() < 2 * TAIL {
            true => last(&(std::mem::take(&mut self.tail) + text)).to_string(),
            // A long one leaves nothing of what was before.
            false => last(text).to_string(),
        };
    }

    /// What follows it in the whole answer, piece by piece; `None` where that goes on otherwise than was said.
    pub fn rest_of<'t>(&self, whole: &'t str) -> Option<impl Iterator<Item = &'t str> + use<'t>> {
        let (said, mut rest) = whole.split_at_checked(self.bytes)?;
        said.ends_with(&self.tail).then_some(std::iter::from_fn(move || {
            let slice = within(rest, SLICE);
            rest = rest.tail(slice.len());
            Some(slice).filter(|slice| !slice.is_empty())
        }))
    }
}

fn last(text: &str) -> &str {
    let mut from = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.tail(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_follows_what_was_said_or_nothing_does() {
        let whole: String = (0..9000).map(|n| format!("ä{n} ")).collect();
        let rest = |said: &Said, whole: &str| said.rest_of(whole).map(|rest| rest.collect::<String>());
        let mut said = Said::default();
        assert!(rest(&said, &whole).as_deref() == Some(&*whole));
        let mut from = 0;
        for to in [1, 2, 5, 300, 40_000, whole.len()].map(|to| within(&whole, to).len()) {
            said.more(&whole[from..to]);
            from = to;
            assert!(rest(&said, &whole).as_deref() == Some(&whole[to..]), "{to}");
        }
        assert!(said.rest_of(&whole).unwrap().next().is_none());
        assert!(said.rest_of(&whole[2..]).is_none() && said.rest_of(&whole.replace('8', "9")).is_none());
        let mut other = Said::default();
        other.more("ää");
        assert!(other.rest_of(&whole).is_none(), "no place between characters, or other words");
        let most = Said::default().rest_of(&whole).unwrap().map(str::len).max();
        assert!(most <= Some(SLICE), "{most:?}");
    }
}
