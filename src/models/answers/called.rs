//! Tool calls as they come: in pieces that a number, an id, a name or nothing at all holds together.
//!
//! Runs on the run's thread, the part of `draft` that readers of the wire formats call for tools. Pieces are put
//! together only; whether arguments are any good is judged in `content`.
use crate::fetch::http::Fault;
use crate::models::draft::{Block, Draft, Stop, Taken};
use serde_json::{Map, Value};

const MAX_TOOL_CALLS: usize = 128;
/// The most values and levels of arguments that are looked at to tell whether they are complete.
const MAX_OPEN: usize = 10_000;

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

impl Draft<'_> {
    /// More of a tool call. Servers may send one number for several calls, told apart by their ids or because the
    /// first one is complete; others send a new id with each piece of one call.
    pub fn call(&mut self, key: u64, id: &str, name: &str, piece: &str) -> Taken {
        self.settle()?;
        self.grow(id.len() + name.len() + piece.len())?;
        let count = self.calls().count();
        match self.begun(key).filter(|call| call.goes_on_with(id, name, piece)) {
            Some(call) => {
                if call.id.is_empty() {
                    call.id = id.to_string();
                }
                call.add_name(name);
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

    /// The number of the call that a piece without a number belongs to: servers without numbers send each call
    /// whole, with an id or at least its name, or its pieces one after the other.
    pub fn number_of(&self, id: &str, name: &str) -> u64 {
        let same = self.calls().find(|call| !id.is_empty() && call.id == id).map(|call| call.key);
        let last = self.calls().last();
        let goes_on = |call: &&Call| {
            name.is_empty()
                || (id.is_empty() && call.name == name && call.is_open() && !call.arguments.is_empty())
        };
        same.or(last.filter(goes_on).map(|call| call.key))
            .unwrap_or_else(|| self.calls().map(|call| call.key.saturating_add(1)).max().unwrap_or(0))
    }

    /// A member that the server wants back with a call that was begun.
    pub fn keep_with_call(&mut self, key: u64, name: &str, member: &Value) -> Taken {
        self.grow(name.len() + member.to_string().len())?;
        if let Some(call) = self.begun(key) {
            call.extra.insert(name.to_string(), member.clone());
        }
        Ok(())
    }

    /// The whole arguments of a tool call that was begun.
    pub fn arguments(&mut self, key: u64, whole: &str) -> Taken {
        self.grow(whole.len())?;
        if let Some(call) = self.begun(key) {
            call.arguments = whole.to_string();
        }
        Ok(())
    }

    /// A step that the server took by itself.
    pub fn server(&mut self, block: &Value) -> Taken {
        self.grow(block.to_string().len())?;
        self.push(Block::Server { block: block.clone(), input: String::new() })
    }

    /// More of what the server asked its own tool, if that is what came last.
    pub fn server_input(&mut self, piece: &str) -> Taken {
        match self.blocks.last_mut() {
            Some(Block::Server { input, .. }) => input.push_str(piece),
            _ => return Ok(()),
        }
        self.grow(piece.len())
    }

    /// The latest call of a number.
    fn begun(&mut self, key: u64) -> Option<&mut Call> {
        self.blocks.iter_mut().rev().find_map(|block| match block {
            Block::Call(call) if call.key == key => Some(call),
            _ => None,
        })
    }

    fn calls(&self) -> impl Iterator<Item = &Call> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call(call) => Some(call),
            _ => None,
        })
    }
}

impl Call {
    /// Whether its arguments are not yet an object.
    fn is_open(&self) -> bool {
        !crate::json::read(&self.arguments, MAX_OPEN, MAX_OPEN).is_ok_and(|arguments| arguments.is_object())
    }

    /// Whether a piece with this id and name belongs to this call.
    fn goes_on_with(&self, id: &str, name: &str, piece: &str) -> bool {
        let has_other_id = !id.is_empty() && !self.id.is_empty() && self.id != id;
        if name.is_empty() || self.name.is_empty() || (!id.is_empty() && self.id == id) {
            return true;
        }
        // With a name of its own it is a new call, unless this one is still open and nothing else tells them apart.
        if has_other_id {
            self.name == name && self.is_open()
        } else {
            (self.name == name && piece.is_empty()) || self.is_open()
        }
    }

    /// Names come whole, once or with each piece, and sometimes in pieces, before the arguments.
    fn add_name(&mut self, name: &str) {
        if name.starts_with(self.name.as_str()) {
            self.name = name.to_string();
        } else if self.arguments.is_empty() {
            self.name.push_str(name);
        }
    }
}
