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
/// yet, of such as the request has. The model would never see others.
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
    let is_known =
        |one: &&Answered| made.as_ref().map_or(one.is_sent, |made| made.iter().any(|id| *id == one.call));
    match answered.iter().find(|one| !is_known(one)) {
        None => Ok(()),
        Some(lost) => {
            let (call, param) = (within(&lost.call, 100), &lost.param);
            let text = format!(
                "`{param}` {call:?} is the id of no call in this conversation: send the call before its output, or go on from the answer that made it."
            );
            Err(wrong(text, param))
        }
    }
}
