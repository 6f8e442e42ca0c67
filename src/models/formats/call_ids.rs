//! Ids of tool calls as the server that is asked takes them: its own come back unchanged, others are made to fit.
//!
//! Pure. A call and its result get the same id, no two calls of a conversation do.
use crate::models::provider::Provider;
use std::collections::HashSet;

/// The longest id every server takes.
const MAX_ID: usize = 40;
/// The length of an id that Mistral takes.
const SHORT: usize = 9;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Gives ids out, in the order of the conversation.
pub struct Ids<'a> {
    p: &'a Provider,
    taken: HashSet<String>,
}

impl Ids<'_> {
    pub fn new(p: &Provider) -> Ids<'_> {
        Ids { p, taken: HashSet::new() }
    }

    /// The id to send for a call of this id; `is_own` when the model that is asked made it.
    pub fn give(&mut self, id: &str, is_own: bool) -> String {
        let fitting = match self.p.compat.short_ids {
            true if is_short(id) => id.to_string(),
            true => short(id, 0),
            // The original adds an item's id behind a bar.
            false if is_own && !id.contains('|') => id.to_string(),
            false => plain(id),
        };
        let other = |n: usize| match self.p.compat.short_ids {
            true => short(id, n),
            false => format!("{}_{n}", tail(&fitting, MAX_ID - 5)),
        };
        let mut candidates = std::iter::once(fitting.clone()).chain((2..).map(other));
        let id = candidates.find(|id| !id.is_empty() && !self.taken.contains(id)).unwrap_or_default();
        self.taken.insert(id.clone());
        id
    }
}

fn is_short(id: &str) -> bool {
    id.len() == SHORT && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Other programs write longer ids with other characters.
fn plain(id: &str) -> String {
    let id = id.split('|').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    tail(id, MAX_ID).chars().map(plain).collect()
}

/// Ids that are alike at the start differ at the end.
fn tail(id: &str, max: usize) -> String {
    id.chars().skip(id.chars().count().saturating_sub(max)).collect()
}

/// The same nine letters and digits for the same id and number.
fn short(id: &str, n: usize) -> String {
    // FNV-1a; ids that meet by chance are told apart by the number.
    let bytes = id.bytes().chain(n.to_le_bytes());
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let digit = |_| {
        let digit = DIGITS.get((hash % 62) as usize).copied().unwrap_or(b'0');
        hash /= 62;
        char::from(digit)
    };
    (0..SHORT).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::compat::Compat;

    #[test]
    fn b_f06_ids_fit_the_server_that_is_asked() {
        let p = Provider::builtin();
        let mut ids = Ids::new(&p);
        assert_eq!(ids.give("call_1|fc_2", true), "call_1");
        assert_eq!(ids.give("a.b:ü", false), "a_b__");
        assert_eq!(ids.give("a/b:ü", false), "a_b___2");
        let long = format!("{}end", "x".repeat(60));
        let cut = ids.give(&long, false);
        assert!(cut.len() == 40 && cut.ends_with("end"));
        assert_eq!(ids.give(&format!("{long}__thought__A+/="), true), format!("{long}__thought__A+/="));
        assert_eq!([ids.give("c", true), ids.give("c", true), ids.give("c", false)], ["c", "c_2", "c_3"]);
    }

    #[test]
    fn b_f06_mistral_gets_nine_letters_and_digits() {
        let compat = Compat { short_ids: true, ..Compat::default() };
        let p = Provider { compat, ..Provider::builtin() };
        let mut ids = Ids::new(&p);
        let given: Vec<String> =
            (0..2000).map(|n| ids.give(&format!("toolu_01ABC{}", n % 1000), true)).collect();
        assert!(given.iter().all(|id| is_short(id)));
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), 2000);
        assert_eq!(ids.give("aB3dE6gH9", false), "aB3dE6gH9");
        assert_eq!(Ids::new(&p).give("toolu_01ABC0", false), given[0]);
    }
}
