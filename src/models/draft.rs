//! An answer as far as it has come: its blocks in order, handed on piece by piece and bounded.
//!
//! Runs on the run's thread, filled by a format's `Reader`. Characters cut in two are joined (`halves`), reasoning
//! between tags is told from the text (`think`). Knows nothing of wire formats, servers or whether the answer is
//! any good; that is judged in `reply`.
use super::failure::Failure;
use super::halves;
use super::provider::{Chunk, Usage};
use super::think::{Step, Think};
use crate::fetch::http::Fault;
use serde_json::{Map, Value};

const MAX_TOOL_CALLS: usize = 128;
/// The most blocks: a server may not make many small ones out of few bytes.
const MAX_BLOCKS: usize = 4096;
/// The most values and levels of arguments that are looked at to tell whether they are complete.
const MAX_OPEN: usize = 10_000;

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
    /// The server gave up in the middle.
    Broken,
}

/// A piece of the answer of one kind.
pub enum Block {
    Thinking { text: String, signature: String, redacted: bool },
    Text(String),
    Call(Call),
}

/// A tool call as far as it has come.
#[derive(Default)]
pub struct Call {
    key: u64,
    pub id: String,
    pub name: String,
    pub arguments: String,
    /// Members that the server wants back with this call.
    pub extra: Map<String, Value>,
}

pub struct Draft<'a> {
    on: &'a mut dyn FnMut(Chunk),
    blocks: Vec<Block>,
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
        let piece = self.whole_characters(piece, false)?;
        let steps = self.think.push(&piece);
        self.follow(steps)
    }

    pub fn thinking(&mut self, piece: &str) -> Taken {
        if piece.is_empty() {
            return Ok(());
        }
        self.grow(piece.len())?;
        let piece = self.whole_characters(piece, true)?;
        self.think_on(&piece)
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
    fn settle(&mut self) -> Taken {
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

    fn follow(&mut self, steps: Vec<Step>) -> Taken {
        steps.into_iter().try_for_each(|step| match step {
            Step::Text(text) => self.say(text),
            Step::Thought(text) => self.think_on(&text),
            Step::Unsay => {
                for block in self.blocks.iter_mut().rev() {
                    let Block::Text(text) = block else { break };
                    let text = std::mem::take(text);
                    *block = Block::Thinking { text, signature: String::new(), redacted: false };
                }
                (self.on)(Chunk::Unsaid);
                for block in &self.blocks {
                    if let Block::Text(text) = block {
                        (self.on)(Chunk::Text(text.clone()));
                    }
                }
                Ok(())
            }
            Step::Resay(tag) => match self.blocks.pop() {
                Some(Block::Thinking { text, .. }) => self.say(tag + &text),
                other => {
                    self.blocks.extend(other);
                    Ok(())
                }
            },
        })
    }

    fn say(&mut self, piece: String) -> Taken {
        match self.blocks.last_mut() {
            Some(Block::Text(text)) if !self.apart => text.push_str(&piece),
            _ => self.push(Block::Text(piece.clone()))?,
        }
        (self.on)(Chunk::Text(piece));
        Ok(())
    }

    fn think_on(&mut self, piece: &str) -> Taken {
        if !piece.is_empty() {
            self.thought()?.0.push_str(piece);
            (self.on)(Chunk::Reasoning(piece.to_string()));
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

    /// More of a tool call. Servers may send one number for several calls, told apart by their ids; others send a
    /// new id with each piece of one call.
    pub fn call(&mut self, key: u64, id: &str, name: &str, piece: &str) -> Taken {
        self.settle()?;
        self.grow(id.len() + name.len() + piece.len())?;
        let count = self.calls().count();
        match self.begun(key).filter(|call| call.goes_on_with(id, name)) {
            Some(call) => {
                for (known, new) in [(&mut call.id, id), (&mut call.name, name)] {
                    if known.is_empty() {
                        *known = new.to_string();
                    }
                }
                call.arguments.push_str(piece);
                Ok(())
            }
            None if count >= MAX_TOOL_CALLS => Err(Stop::Fault(Fault::TooLong)),
            None => {
                let (id, name, arguments) = (id.to_string(), name.to_string(), piece.to_string());
                self.push(Block::Call(Call { key, id, name, arguments, extra: Map::new() }))
            }
        }
    }

    /// A member that the server wants back with a call that was begun.
    pub fn keep_with_call(&mut self, key: u64, name: &str, member: &Value) -> Taken {
        self.grow(name.len() + member.to_string().len())?;
        if let Some(call) = self.begun(key) {
            call.extra.insert(name.to_string(), member.clone());
        }
        Ok(())
    }

    /// The latest call of a number.
    fn begun(&mut self, key: u64) -> Option<&mut Call> {
        self.blocks.iter_mut().rev().find_map(|block| match block {
            Block::Call(call) if call.key == key => Some(call),
            _ => None,
        })
    }

    /// The whole arguments of a tool call that was begun.
    pub fn arguments(&mut self, key: u64, whole: &str) -> Taken {
        self.grow(whole.len())?;
        if let Some(call) = self.begun(key) {
            call.arguments = whole.to_string();
        }
        Ok(())
    }

    /// Number and id of the latest tool call.
    pub fn last_call(&self) -> Option<(u64, &str)> {
        self.calls().last()
    }

    fn calls(&self) -> impl Iterator<Item = (u64, &str)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call(call) => Some((call.key, call.id.as_str())),
            _ => None,
        })
    }

    /// Whether there is something to answer with, reasoning aside.
    pub fn has_answer(&self) -> bool {
        self.blocks.iter().any(|block| match block {
            Block::Thinking { .. } => false,
            Block::Text(text) => !text.trim().is_empty(),
            Block::Call(_) => true,
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

    fn push(&mut self, block: Block) -> Taken {
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
        (self.on)(chunk);
    }
}

impl Call {
    /// Whether a piece with this id and name belongs to this call.
    fn goes_on_with(&self, id: &str, name: &str) -> bool {
        if id.is_empty() || self.id.is_empty() || self.id == id || name.is_empty() {
            return true;
        }
        // With a name and an id of its own it is a new call, unless this one is still open.
        let is_whole = || crate::json::read(&self.arguments, MAX_OPEN, MAX_OPEN).is_ok_and(|a| a.is_object());
        self.name == name && !is_whole()
    }
}
