//! Texts in UTF-8 in which some bytes are bad. Pure.

/// Whether it is UTF-8 with some bad bytes: no more of them than characters that were right.
pub fn is_utf8(bytes: &[u8]) -> bool {
    let (mut right, mut wrong) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        right += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        wrong += usize::from(!chunk.invalid().is_empty());
    }
    right > 0 && right >= wrong || is_cut_ascii(bytes)
}

/// Whether it is ASCII but for half a character at the end, or for bytes that no character begins with and no Latin text
/// is full of.
fn is_cut_ascii(bytes: &[u8]) -> bool {
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        let bad = chunk.invalid();
        let is_half_at_end = bad.len() > 1 && chunks.peek().is_none();
        if !chunk.valid().is_ascii() || !(is_half_at_end || matches!(bad, [] | [0xfe | 0xff])) {
            return false;
        }
    }
    true
}
