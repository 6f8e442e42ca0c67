//! Runs that an earlier generation or process accepted and did not finish: their message is kept, their end recorded. And
//! commands that waited for approval: who asked is told.
//!
//! Runs on the main thread before the state thread starts; reads and writes the journal and transcripts.
use crate::agent::mailbox::Said;
use crate::agent::run::question;
use crate::approvals::left::{self, CUT, END, Left};
use crate::deliveries::{Delivery, Inbound, Journal, Ledger, Line, Record, Spool};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::logging;
use crate::methods::approvals;
use crate::methods::send::{self, Route};
use crate::parts::within;
use crate::runs::origin;
use crate::sessions::Transcript;
use crate::state::State;
use crate::state::sessions::Sessions;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Bytes of a note about a command.
const NOTE: usize = 600;

/// Ends the runs that are open in the journal; gives all records. Those that are asked for `again`, by messages that a
/// platform was told are safe, are as if they had not been asked for.
pub fn settle(
    mut records: Vec<Record>,
    again: &HashSet<String>,
    sessions: &mut Sessions,
    journal: &mut Journal,
    spool: &Spool,
) -> Vec<Record> {
    records.retain(|record| record.result.is_some() || !again.contains(&record.key));
    for record in records.iter_mut().filter(|r| r.result.is_none()) {
        if let Err(e) = keep_message(record, sessions, spool) {
            log::error!(target: "gateway/agent", "keep the message of run {}: {e}", logging::quoted(&record.key));
        }
        let error = Error::unavailable(
            "the gateway stopped before this run ended; send it again with a new idempotency key",
        );
        let payload = json!({"runId": record.key, "status": "error", "summary": error.message()});
        record.message = None;
        record.result = Some(json!({"ok": false, "payload": payload, "error": error.to_wire(4)}).into());
        log::warn!(target: "gateway/agent", "run {} was cut off by the last stop", logging::quoted(&record.key));
        if let Err(e) = journal.append(&Line::Run(record.clone())) {
            log::error!(target: "gateway/store", "{e}");
        }
    }
    records
}

/// The messages that were on their way in or out, as they are to be taken up again.
pub fn resume(inbound: Vec<Inbound>, deliveries: Vec<Delivery>, journal: &mut Journal) -> Ledger {
    let (ledger, uncertain) = Ledger::resume(inbound, deliveries);
    if !uncertain.is_empty()
        && let Err(e) = journal.append_all(uncertain.iter())
    {
        log::error!(target: "gateway/store", "{e}; it is found uncertain again at the next start");
    }
    if let Some(told) = ledger.told() {
        log::warn!(target: "gateway/deliveries", "{told}");
    }
    ledger
}

/// Whoever asked for commands that nobody had answered, or that ran, when the gateway stopped is told with the next message,
/// and the chats that wait for them are told once, by the journal of deliveries. Where no chat waits the end of what was
/// cut begins a turn, as every end of an allowed command does.
pub fn tell_left(state: &mut State, is_later: bool) {
    for it in left::take(&state.shared.env.state_dir, is_later) {
        let (id, session) = (&it.id, logging::quoted(&it.session));
        let (how, why) = match it.is_running {
            true => ("cut off", "the gateway stopped while it ran; what it has done is not known"),
            false => {
                ("denied", "the gateway restarted before anybody answered; ask again if it is still wanted")
            }
        };
        log::warn!(target: "gateway/exec", "approval {id} is {how}: {why}; session {session} is told");
        let text = format!("Exec {how} (gateway id={id}, {why}): {}", it.command);
        let text = within(&text, NOTE).to_string();
        match it.is_running && it.chats.is_empty() {
            true => approvals::cut(state, &it.session, &it.provenance, text),
            false => state.add_note(Some(it.session.clone()), text),
        }
        for (n, chat) in it.chats.iter().enumerate() {
            if let Err(e) = tell_chat(state, chat, &it, n) {
                log::warn!(target: "gateway/exec", "a chat could not be told that approval {id} ended with a restart: {e}");
            }
        }
    }
}

fn tell_chat(state: &mut State, chat: &Map<String, Value>, left: &Left, n: usize) -> Result<()> {
    let text = |name: &str| chat.get(name).and_then(Value::as_str);
    let to = text("to").unwrap_or_default();
    let Route { channel, account, place } = send::named(state, text("channel"), text("accountId"), to)?;
    let id = left.id.as_str();
    let (key, what) = match left.is_running {
        true => {
            (CUT, "Exec cut off: the gateway stopped while the command ran; what it has done is not known.")
        }
        false => {
            (END, "Exec approval ended: the gateway restarted before anybody answered; nothing was run.")
        }
    };
    let words = format!("\u{274c} {what} ID: {}", within(id, 8));
    let mut message = Map::new();
    message.put("text", words);
    message.put("isPlain", true);
    text("threadId")
        .map(str::to_string)
        .or(place.thread)
        .into_iter()
        .for_each(|it| message.put("thread", it));
    let delivery = Delivery {
        id: format!("send:{key}{id}-{n}"),
        platform: channel.id.to_string(),
        account,
        to: place.peer,
        ts: state.now,
        message: Some(message.into()),
        ..Delivery::default()
    };
    state.promise(delivery, crossbeam_channel::bounded(1).0);
    Ok(())
}

/// Puts the message of a run into its transcript unless it is there already.
fn keep_message(record: &Record, sessions: &mut Sessions, spool: &Spool) -> Result<()> {
    let (Some(key), Some(text)) = (&record.session_key, &record.message) else { return Ok(()) };
    let id = record.session_id.as_deref();
    if sessions.begun(key).is_none() && id.is_none() {
        return Err(Error::not_found(format!("session {key} is gone")));
    }
    // The stop may have come before the new session's index was saved; the journal knows its transcript.
    let entry = sessions.begin(key, id, record.ts, 0)?;
    let transcript: Transcript = sessions.transcript(key, &entry)?;
    if transcript.contains_run(&record.key)? {
        return Ok(());
    }
    transcript.repair()?;
    let surface = origin::surface(&record.family);
    let said = Said {
        run: record.key.clone(),
        text: text.clone(),
        images: spool.read(&record.family, &record.key).into(),
        names_message: surface.is_some_and(|surface| surface.names_message),
        asked_by: surface.and_then(|surface| surface.asked_by()),
        ..Said::default()
    };
    transcript.append(&[question(said, record.ts, None)]).map(drop)
}
