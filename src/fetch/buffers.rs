//! What passes through an outgoing connection: as much room as is used, because a model that speaks holds it for long.
//!
//! The room for a request is there while it is sent. That for the answer grows while pieces fill it, or a head must be
//! read as a whole, and is small again when they do not. Used on the calling thread, by `dial` and by `tls`.
use crate::parts::Parts;
use ureq::unversioned::transport::Buffers;

/// The most either way: also of an answer's head.
const MOST: usize = 16 << 10;
/// For an answer that comes in small pieces.
const LEAST: usize = 1 << 10;

#[derive(Debug, Default)]
pub struct Room {
    output: Vec<u8>,
    input: Vec<u8>,
    /// Where in `input` that begins which was not used yet, and where it ends.
    from: usize,
    to: usize,
    was_used: bool,
}

impl Room {
    fn resize(&mut self, size: usize) {
        self.input.resize(size, 0);
        self.input.shrink_to_fit();
    }
}

impl Buffers for Room {
    fn output(&mut self) -> &mut [u8] {
        self.output.resize(MOST, 0);
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.part(self.from..self.to)
    }

    /// Whoever reads has sent his request.
    fn input_append_buf(&mut self) -> &mut [u8] {
        self.output = Vec::new();
        let was_filled = !self.input.is_empty() && self.to == self.input.len();
        self.input.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        if was_filled {
            self.resize((self.input.len() * 2).min(MOST));
        } else if self.to == 0 && self.input.len() != LEAST {
            self.resize(LEAST);
        }
        self.input.tail_mut(self.to)
    }

    fn input_appended(&mut self, amount: usize) {
        self.to += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.was_used = amount > 0;
        self.from = (self.from + amount).min(self.to);
    }

    /// A body is read where later the answer comes.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.output.resize(MOST, 0);
        let room = self.to + MOST;
        if self.input.len() < room {
            self.input.resize(room, 0);
        }
        (self.input.tail_mut(self.to), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.was_used && self.from < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue 12, memory of a stream: what a model that speaks holds is small.
    #[test]
    fn room_is_as_large_as_what_passes_through() {
        let mut room = Room::default();
        assert!(room.tmp_and_output().0.len() >= MOST && room.output().len() == MOST);
        let read = |room: &mut Room, bytes: &[u8]| {
            room.input_append_buf()[..bytes.len()].copy_from_slice(bytes);
            room.input_appended(bytes.len());
        };
        assert_eq!(room.input_append_buf().len(), LEAST, "a request that was sent takes no room");
        assert_eq!(room.output.capacity(), 0);
        read(&mut room, b"abc");
        room.input_consume(1);
        assert_eq!((room.input(), room.can_use_input()), (&b"bc"[..], true));
        read(&mut room, b"d");
        room.input_consume(0);
        assert_eq!((room.input(), room.can_use_input()), (&b"bcd"[..], false), "more is needed first");
        room.input_consume(3);
        for size in [LEAST, 2 * LEAST, 4 * LEAST, 8 * LEAST, MOST, MOST] {
            let given = room.input_append_buf();
            given.fill(7);
            assert_eq!(given.len(), size, "it grows while it is filled");
            room.input_appended(size);
            room.input_consume(size);
        }
        read(&mut room, b"x");
        room.input_consume(1);
        assert_eq!(room.input_append_buf().len(), LEAST, "and is small again");
        read(&mut room, &[7; LEAST]);
        assert_eq!(room.input_append_buf().len(), LEAST, "a head that does not fit has room behind it");
        read(&mut room, &[8; LEAST]);
        assert_eq!(room.input().len(), 2 * LEAST);
    }
}
