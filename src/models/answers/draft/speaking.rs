//! How a piece gets into its block, and to whoever listens.
use super::{Block, Draft, Stop, Taken, slices};
use crate::fetch::http::Fault;
use crate::models::provider::Chunk;
use crate::models::think::Step;
use crate::parts::make_room;

impl Draft<'_> {
    pub(super) fn follow(&mut self, steps: Vec<Step>) -> Taken {
        steps.into_iter().try_for_each(|step| match step {
            Step::Text(text) => self.say(text),
            Step::Thought(text) => self.think_on(&text),
            Step::Unsay => {
                for block in self.blocks.iter_mut().rev() {
                    let Block::Text(text) = block else { break };
                    let text = std::mem::take(text);
                    *block = Block::Thinking { text, signature: String::new(), redacted: false };
                }
                self.tell(Chunk::Unsaid);
                self.tell_blocks(|block| matches!(block, Block::Text(_)));
                Ok(())
            }
            Step::Resay(tag) => match self.blocks.pop() {
                Some(Block::Thinking { text, .. }) => self.say(tag + &text),
                // Nothing stood between the tags.
                other => {
                    let is_text = matches!(other, Some(Block::Text(_)));
                    self.blocks.extend(other);
                    if is_text { self.say(tag) } else { Ok(()) }
                }
            },
        })
    }

    /// What is taken is handed on at the end: a whole document may be large, and what is made of it for those who listen is
    /// not to stand beside what `take` holds.
    pub(in crate::models) fn quietly(&mut self, take: impl FnOnce(&mut Self) -> Taken) -> Taken {
        self.is_held = true;
        let taken = take(self);
        self.is_held = false;
        self.tell_blocks(|_| true);
        taken
    }

    fn tell_blocks(&mut self, which: impl Fn(&Block) -> bool) {
        if self.is_held {
            return;
        }
        for block in self.blocks.iter().filter(|block| which(block)) {
            match block {
                Block::Text(text) => slices(text).for_each(|text| (self.on)(Chunk::Text(text.to_string()))),
                Block::Thinking { text, .. } => {
                    slices(text).for_each(|text| (self.on)(Chunk::Reasoning(text.to_string())));
                }
                Block::Call(_) | Block::Server { .. } => {}
            }
        }
    }

    fn say(&mut self, piece: String) -> Taken {
        match self.blocks.last_mut() {
            Some(Block::Text(text)) if !self.apart => {
                make_room(text, piece.len());
                text.push_str(&piece);
            }
            _ => self.push(Block::Text(piece.clone()))?,
        }
        self.tell(Chunk::Text(piece));
        Ok(())
    }

    pub(super) fn think_on(&mut self, piece: &str) -> Taken {
        if !piece.is_empty() {
            self.thought()?.0.push_str(piece);
            self.tell(Chunk::Reasoning(piece.to_string()));
        }
        Ok(())
    }

    /// More of the proof that the server wants back with the present thinking block.
    pub fn sign(&mut self, piece: &str) -> Taken {
        self.grow(piece.len())?;
        self.thought()?.1.push_str(piece);
        Ok(())
    }

    /// The same, where all of it is known; nothing changes when there is no thinking block.
    pub fn sign_with(&mut self, proof: &str) {
        if let Some(Block::Thinking { signature, .. }) = self.blocks.last_mut() {
            *signature = proof.to_string();
        }
    }

    /// Thinking that the server keeps to itself, wanted back as it is.
    pub fn redacted(&mut self, data: &str) -> Taken {
        self.grow(data.len())?;
        self.apart = true;
        self.thought()?.1.push_str(data);
        if let Some(Block::Thinking { redacted, .. }) = self.blocks.last_mut() {
            *redacted = true;
        }
        self.apart = true;
        Ok(())
    }

    /// Text and proof of the present thinking block, begun if there is none.
    fn thought(&mut self) -> Result<(&mut String, &mut String), Stop> {
        if self.apart || !matches!(self.blocks.last(), Some(Block::Thinking { redacted: false, .. })) {
            self.push(Block::Thinking { text: String::new(), signature: String::new(), redacted: false })?;
        }
        match self.blocks.last_mut() {
            Some(Block::Thinking { text, signature, .. }) => Ok((text, signature)),
            _ => Err(Stop::Fault(Fault::TooLong)),
        }
    }
}
