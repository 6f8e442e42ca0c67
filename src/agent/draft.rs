//! An answer as far as it has come: its blocks in order, handed on piece by piece and bounded.
//!
//! Runs on the run's thread, filled by a format's `Reader`. Knows nothing of wire formats, servers or
//! whether the answer is any good; that is judged in `reply`.
use super::failure::Failure;
use super::http::Fault;
use super::provider::{Chunk, Usage};
use serde_json::Value;

/// The most text, reasoning and tool arguments taken in one answer, in bytes.
pub const MAX_ANSWER: usize = 16 << 20;
const MAX_TOOL_CALLS: usize = 128;
/// The most blocks: a server may not make many small ones out of few bytes.
const MAX_BLOCKS: usize = 4096;

/// Why reading an answer ended before it was complete.
pub enum Stop {
    Fault(Fault),
    Failure(Box<Failure>),
    /// The server reported this error inside a good answer.
    Reported(Value),
}

pub type Taken = Result<(), Stop>;

/// How the model says it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Stop,
    Length,
    /// It would not answer.
    Refused,
}

/// A piece of the answer of one kind.
pub enum Block {
    Thinking { text: String, signature: String, redacted: bool },
    Text(String),
    Call { key: u64, id: String, name: String, arguments: String },
}

pub struct Draft<'a> {
    on: &'a mut dyn FnMut(Chunk),
    blocks: Vec<Block>,
    /// The next piece starts a block of its own.
    apart: bool,
    size: usize,
    spoke: bool,
    pub usage: Usage,
    pub end: Option<End>,
    /// The stream said that nothing follows.
    pub done: bool,
}

impl<'a> Draft<'a> {
    pub fn new(on: &'a mut dyn FnMut(Chunk)) -> Draft<'a> {
        let (blocks, usage) = (Vec::new(), Usage::default());
        Draft { on, blocks, apart: false, size: 0, spoke: false, usage, end: None, done: false }
    }

    /// Whether the model began to answer; nothing is tried again after that.
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// The next piece starts a block of its own.
    pub fn part(&mut self) {
        self.apart = true;
    }

    pub fn text(&mut self, piece: &str) -> Taken {
        if piece.is_empty() {
            return Ok(());
        }
        self.grow(piece.len())?;
        match self.blocks.last_mut() {
            Some(Block::Text(text)) if !self.apart => text.push_str(piece),
            _ => self.push(Block::Text(piece.to_string()))?,
        }
        (self.on)(Chunk::Text(piece.to_string()));
        Ok(())
    }

    pub fn thinking(&mut self, piece: &str) -> Taken {
        if piece.is_empty() {
            return Ok(());
        }
        self.grow(piece.len())?;
        self.thought()?.0.push_str(piece);
        (self.on)(Chunk::Reasoning(piece.to_string()));
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

    /// More of a tool call. Servers may send one number for several calls, told apart by their ids.
    pub fn call(&mut self, key: u64, id: &str, name: &str, piece: &str) -> Taken {
        self.grow(id.len() + name.len() + piece.len())?;
        let count = self.calls().count();
        let known = self.blocks.iter_mut().rev().find_map(|block| match block {
            Block::Call { key: k, id: i, name, arguments }
                if *k == key && (id.is_empty() || i.is_empty() || i == id) =>
            {
                Some((i, name, arguments))
            }
            _ => None,
        });
        match known {
            Some((known_id, known_name, arguments)) => {
                if known_id.is_empty() {
                    *known_id = id.to_string();
                }
                if known_name.is_empty() {
                    *known_name = name.to_string();
                }
                arguments.push_str(piece);
                Ok(())
            }
            None if count >= MAX_TOOL_CALLS => Err(Stop::Fault(Fault::TooLong)),
            None => {
                let (id, name) = (id.to_string(), name.to_string());
                self.push(Block::Call { key, id, name, arguments: piece.to_string() })
            }
        }
    }

    /// The whole arguments of a tool call that was begun.
    pub fn arguments(&mut self, key: u64, whole: &str) -> Taken {
        self.grow(whole.len())?;
        for block in self.blocks.iter_mut().rev() {
            match block {
                Block::Call { key: k, arguments, .. } if *k == key => {
                    *arguments = whole.to_string();
                    break;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Number and id of the latest tool call.
    pub fn last_call(&self) -> Option<(u64, &str)> {
        self.calls().last()
    }

    fn calls(&self) -> impl Iterator<Item = (u64, &str)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call { key, id, .. } => Some((*key, id.as_str())),
            _ => None,
        })
    }

    /// Whether there is something to answer with, reasoning aside.
    pub fn has_answer(&self) -> bool {
        self.blocks.iter().any(|block| !matches!(block, Block::Thinking { .. }))
    }

    /// Whether nothing has come at all.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    fn push(&mut self, block: Block) -> Taken {
        self.apart = false;
        if self.blocks.len() >= MAX_BLOCKS {
            return Err(Stop::Fault(Fault::TooLong));
        }
        self.blocks.push(block);
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Taken {
        self.spoke = true;
        self.size += by;
        if self.size > MAX_ANSWER { Err(Stop::Fault(Fault::TooLong)) } else { Ok(()) }
    }

    /// The blocks so far, in order.
    pub fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }
}
