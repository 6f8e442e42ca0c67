//! An answer as far as it has come: its blocks in order, handed on piece by piece and bounded.
//!
//! Runs on the run's thread, filled by a format's `Reader`. Characters cut in two are joined (`halves`), reasoning
//! between tags is told from the text (`think`), tool calls are put together in `called`. Knows nothing of wire
//! formats, servers or whether the answer is any good; that is judged in `reply`.
mod speaking;

use crate::fetch::http::Fault;
use crate::models::called::Call;
pub use crate::models::ending::End;
use crate::models::failure::Failure;
use crate::models::halves;
use crate::models::provider::{Chunk, Usage};
use crate::models::think::Think;
use crate::parts::{Parts, within};
use serde_json::Value;

/// The most blocks: a server may not make many small ones out of few bytes.
const MAX_BLOCKS: usize = 4096;

/// Why reading an answer ended before it was complete.
pub enum Stop {
    Fault(Fault),
    Failure(Box<Failure>),
    /// The server reported this error inside a good answer.
    Reported(Value),
}

/// Most of a piece that is worked on at a time, in bytes: each step makes a copy of it, and a whole answer may come at once.
const SLICE: usize = 16 << 10;

fn slices(piece: &str) -> impl Iterator<Item = &str> {
    let mut rest = piece;
    std::iter::from_fn(move || {
        let slice = within(rest, SLICE);
        rest = rest.tail(slice.len());
        Some(slice).filter(|slice| !slice.is_empty())
    })
}

pub type Taken = Result<(), Stop>;

/// A piece of the answer of one kind.
pub enum Block {
    Thinking {
        text: String,
        signature: String,
        redacted: bool,
    },
    Text(String),
    Call(Call),
    /// A step of the server's own tools, as it came, with the input that came behind it.
    Server {
        block: Value,
        input: String,
    },
}

pub struct Draft<'a> {
    on: &'a mut dyn FnMut(Chunk),
    /// What is taken is handed on later, at the end of [`Draft::quietly`].
    is_held: bool,
    pub(in crate::models) blocks: Vec<Block>,
    /// The next piece starts a block of its own.
    apart: bool,
    size: usize,
    max: usize,
    spoke: bool,
    think: Think,
    /// Halves of characters at the end of the present text or reasoning, until the next piece completes them.
    cut: String,
    cut_in_thought: bool,
    /// Proofs that stand beside the blocks, as the server sent them.
    pub details: Vec<Value>,
    pub usage: Usage,
    pub end: Option<End>,
    /// More came behind `end`, so the server spoke of it too early.
    pub goes_on: bool,
    /// The stream said that nothing follows.
    pub done: bool,
}

impl<'a> Draft<'a> {
    /// Takes at most `max` bytes of text, reasoning, proofs and arguments together.
    pub fn new(max: usize, on: &'a mut dyn FnMut(Chunk)) -> Draft<'a> {
        Draft {
            on,
            is_held: false,
            max,
            blocks: Vec::new(),
            apart: false,
            size: 0,
            spoke: false,
            think: Think::default(),
            cut: String::new(),
            cut_in_thought: false,
            details: Vec::new(),
            usage: Usage::default(),
            end: None,
            goes_on: false,
            done: false,
        }
    }

    /// The model is known to reason.
    pub fn expect_reasoning(&mut self) {
        self.think.reasons = true;
    }

    /// Its answers began within reasoning before.
    pub fn expect_to_begin_inside(&mut self) {
        self.think.begin_inside();
    }

    /// Whether this one did, as far as it shows.
    pub fn began_inside(&self) -> Option<bool> {
        self.think.began_inside
    }

    /// Whether the model began to answer; nothing is tried again after that.
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// The next piece starts a block of its own.
    pub fn part(&mut self) -> Taken {
        self.settle()?;
        self.apart = true;
        Ok(())
    }

    pub fn text(&mut self, piece: &str) -> Taken {
        if piece.is_empty() {
            return Ok(());
        }
        self.grow(piece.len())?;
        slices(piece).try_for_each(|piece| {
            let piece = self.whole_characters(piece, false)?;
            let steps = self.think.push(&piece);
            self.follow(steps)
        })
    }

    pub fn thinking(&mut self, piece: &str) -> Taken {
        if piece.is_empty() {
            return Ok(());
        }
        self.grow(piece.len())?;
        self.think.reasons_elsewhere();
        slices(piece).try_for_each(|piece| {
            let piece = self.whole_characters(piece, true)?;
            self.think_on(&piece)
        })
    }

    /// What is whole of a piece and of what was kept before it.
    fn whole_characters(&mut self, piece: &str, thought: bool) -> Result<String, Stop> {
        if self.cut_in_thought != thought {
            self.settle()?;
            self.cut_in_thought = thought;
        }
        let mut text = std::mem::take(&mut self.cut) + piece;
        if halves::has_any(&text) {
            self.cut = text.split_off(halves::open_end(&text));
            text = halves::joined(&text).into_owned();
        }
        Ok(text)
    }

    /// Nothing completes any more what was held back.
    pub(in crate::models) fn settle(&mut self) -> Taken {
        let rest = halves::joined(&std::mem::take(&mut self.cut)).into_owned();
        if self.cut_in_thought {
            return self.think_on(&rest);
        }
        let mut steps = self.think.push(&rest);
        steps.extend(self.think.flush());
        self.follow(steps)
    }

    /// Nothing more comes.
    pub fn finish(&mut self) -> Taken {
        self.settle()?;
        let steps = self.think.end(self.end == Some(End::Length));
        self.follow(steps)?;
        // White space before reasoning that nothing followed is no part of the answer.
        if let [.., Block::Text(text), Block::Thinking { .. }] = self.blocks.as_mut_slice() {
            text.truncate(text.trim_end().len());
        }
        Ok(())
    }

    /// Whether the stream or the model said that all is there, and nothing came behind it.
    pub fn is_finished(&self) -> bool {
        self.done || (self.end.is_some() && !self.goes_on)
    }

    /// How much was taken, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether there is something to answer with, reasoning aside.
    pub fn has_answer(&self) -> bool {
        self.blocks.iter().any(|block| match block {
            Block::Thinking { .. } => false,
            Block::Text(text) => !text.trim().is_empty(),
            Block::Call(_) => true,
            Block::Server { .. } => self.end == Some(End::Paused),
        })
    }

    /// Whether the model reasoned.
    pub fn has_thought(&self) -> bool {
        self.blocks.iter().any(|b| matches!(b, Block::Thinking { text, .. } if !text.trim().is_empty()))
    }

    /// Whether nothing has come at all.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(in crate::models) fn push(&mut self, block: Block) -> Taken {
        self.apart = false;
        if self.blocks.len() >= MAX_BLOCKS {
            return Err(Stop::Fault(Fault::TooLong));
        }
        self.blocks.push(block);
        Ok(())
    }

    /// Counts what is taken, also what is kept outside of the blocks.
    pub fn grow(&mut self, by: usize) -> Taken {
        self.spoke = true;
        self.goes_on |= self.end.is_some();
        self.size += by;
        if self.size > self.max { Err(Stop::Fault(Fault::TooLong)) } else { Ok(()) }
    }

    /// The blocks so far, in order.
    pub fn take_blocks(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.blocks)
    }

    /// Hands on something about the answer.
    pub fn tell(&mut self, chunk: Chunk) {
        if !self.is_held {
            (self.on)(chunk);
        }
    }
}
