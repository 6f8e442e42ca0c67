//! Readers without a server, for the tests of the formats.
use super::*;
use crate::error::Error;
use crate::fetch::http::Fault;
use crate::models::provider::Completion;
use serde_json::{Value, json};

type Read = (Result<Completion, Error>, Vec<Chunk>);

fn end(mut reply: Reply, taken: Result<(), Stop>) -> Result<Completion, Error> {
    let failed = |failure: Failure| Err(failure.error);
    match taken {
        Ok(()) => reply.complete().or_else(failed),
        Err(Stop::Failure(failure)) => failed(*failure),
        Err(Stop::Reported(error)) => failed(reply.reported(&error)),
        Err(Stop::Fault(Fault::Dropped)) => failed(reply.cut_off()),
        Err(Stop::Fault(_)) => failed(Failure::too_long(reply.p)),
    }
}

/// Reads a stream that comes in these pieces.
pub fn read(format: &Format, pieces: &[&[u8]]) -> Read {
    let (p, mut chunks, mut parser) = (Provider::builtin(), Vec::new(), Parser::new());
    let mut on = |chunk| chunks.push(chunk);
    let mut reply = Reply::new(&p, format, &mut on);
    let mut stop = None;
    let mut take = |event: Event| {
        stop = stop.take().or(reply.event(event).err());
        stop.is_none()
    };
    for piece in pieces {
        // A line without end is no concern here.
        let _ = parser.push(piece, &mut take);
    }
    let _ = parser.finish(&mut take);
    let done = end(*reply, stop.map_or(Ok(()), Err));
    (done, chunks)
}

/// Reads an answer that is one document.
pub fn read_whole(format: &Format, json: &Value) -> Read {
    let (p, mut chunks) = (Provider::builtin(), Vec::new());
    let mut on = |chunk| chunks.push(chunk);
    let mut reply = Reply::new(&p, format, &mut on);
    let taken = reply.whole(json.to_string().into_bytes());
    (end(*reply, taken), chunks)
}

/// Reads the stream of these events cut at every place, and gives what all cuts agree on.
pub fn read_every_cut(format: &Format, events: &[Value]) -> Completion {
    let stream: String = events.iter().map(|e| format!("event: x\ndata: {e}\n\n")).collect();
    let whole = read(format, &[stream.as_bytes()]).0.unwrap();
    for cut in 0..=stream.len() {
        let (first, second) = stream.as_bytes().split_at(cut);
        let (done, chunks) = read(format, &[first, second]);
        assert_eq!(done.unwrap(), whole, "cut at {cut}");
        let said = |chunk: &Chunk| if let Chunk::Text(t) = chunk { t.clone() } else { String::new() };
        assert_eq!(chunks.iter().map(said).collect::<String>(), whole.text());
    }
    whole
}

/// The failure of an answer that is one document, with what is kept of it handed on.
pub fn fail(reply: &mut Reply, json: &Value) -> Error {
    assert!(reply.whole(json.to_string().into_bytes()).is_ok());
    let failed = reply.complete().err().unwrap();
    reply.keep(false);
    failed.error
}

/// A block of thinking.
pub fn thinking(text: &str, signature: &str) -> Value {
    json!({"type": "thinking", "thinking": text, "thinkingSignature": signature})
}

/// A block of text.
pub fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A block that calls a tool.
pub fn call(id: &str, name: &str, arguments: Value) -> Value {
    json!({"type": "toolCall", "id": id, "name": name, "arguments": arguments})
}
