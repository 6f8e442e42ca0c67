//! What stands already in the session that a request goes on from. Runs on the connection's own thread, which asks the
//! state for the transcript and reads it.
use super::talk::Answered;
use super::{Judged, wrong};
use crate::cancel::SLICE;
use crate::error::Error;
use crate::http::{Exchange, Refusal};
use crate::parts::within;
use crate::sessions::Transcript;
use crate::state::carrying::Carry;
use crate::state::event::Event;
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::collections::HashSet;
use std::time::Instant;

/// The transcript of a session; `None` where there is no such session.
pub fn transcript(exchange: &Exchange, key: &str) -> Judged<Option<Transcript>> {
    let (told, answer) = bounded(1);
    let shared = exchange.shared;
    let restarting = || Refusal::from(Error::unavailable("the gateway is restarting; try again")).of_api();
    let asked = Carry::Transcript { key: key.to_string(), told };
    shared.state.send(Event::Carry(Box::new(asked))).map_err(|_| restarting())?;
    loop {
        let is_over = shared.published.is_over() || Instant::now() > exchange.until;
        match answer.recv_timeout(SLICE) {
            Ok(found) => return found.map_err(Refusal::from),
            Err(RecvTimeoutError::Timeout) if !is_over => {}
            Err(_) => return Err(restarting()),
        }
    }
}

/// Results that were sent are those of calls: of such as the session's answers made, or, where nothing was said in it
/// yet, of such as the request has before them; and each call has one, which may be sent again when the answer was lost.
/// The model would never see others.
pub fn check_results(exchange: &Exchange, session: &str, answered: &[Answered]) -> Judged<()> {
    if answered.is_empty() {
        return Ok(());
    }
    let transcript = transcript(exchange, session)?.filter(|transcript| transcript.path().exists());
    let made = match &transcript {
        Some(transcript) => {
            let ids: Vec<&str> = answered.iter().map(|one| one.call.as_str()).collect();
            Some(transcript.calls_among(&ids).map_err(Refusal::from)?)
        }
        None => None,
    };
    let mut seen = HashSet::new();
    for one in answered {
        let call = match &made {
            Some(made) => made.iter().find(|call| call.id == one.call).map(|call| call.over),
            None => one.is_sent.then_some(None),
        };
        let is_first = one.is_past || seen.insert(one.call.as_str());
        let why = match call {
            None => {
                "is the id of no call in this conversation: send the call before its output, or go on from the answer that made it"
            }
            Some(Some(before)) if !one.is_past && before != one.digest => {
                "has another output already, and the conversation went on: go on from the answer that came then"
            }
            _ if !is_first => "has two outputs here: send one for each call",
            _ => continue,
        };
        let text = format!("`{}` {:?} {why}.", one.param, within(&one.call, 100));
        return Err(wrong(text, &one.param));
    }
    Ok(())
}
