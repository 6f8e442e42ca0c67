//! Messages that say something else after they were taken up: before their turn has begun they are answered as they
//! are now; later nothing is done again, and the next turn of the chat is told. Those that wait in `feed` never come here.
//! The same gate as for messages stands before (SEC-33).
use super::envelope::{Envelope, indented, text};
use super::joining::Joined;
use super::judge::{Doer, judge, passed_over};
use super::line::Line;
use super::memory::Fate;
use super::message::Message;
use super::{meant, place, typed};
use crate::channels::gate::{Kind, Verdict};
use crate::deliveries::Inbound;
use crate::error::Result;

/// Gives it back when it is to be answered as a new message: it means the bot now, and meant nobody before.
pub fn edited(line: &Line, inbound: &Inbound, message: Message) -> Result<Option<Joined>> {
    // Some edits change nothing that can be seen, such as the place that somebody shares.
    if message.is_business || message.text.is_empty() || line.memory.says_the_same(&message) {
        return Ok(None);
    }
    let config = line.config();
    let account = line.account(&config);
    match judge(line, &account, &Doer::of(&message), Kind::Edit)? {
        Verdict::Admit(_) => {}
        Verdict::Pair => return Ok(None),
        Verdict::Drop(dropped) => {
            passed_over(line, &message.chat, &dropped);
            return Ok(None);
        }
    }
    let fate = line.memory.fate(message.chat.id, message.id).map(|(fate, _)| fate);
    if let Some(Fate::Asked(run)) = fate {
        if !line.house.reword(&run, text(&message))? {
            tell_later(line, &message);
        }
        line.memory.know(&message, Fate::Asked(run));
        return Ok(None);
    }
    if message.chat.is_direct() {
        tell_later(line, &message);
        return Ok(None);
    }
    let place = place::of(line, &config, &message)?;
    let typed = typed::read(&config, &line.me().username, &message);
    let is_meant = meant::judge(line, &account, &place, &message, &typed).is_none();
    if is_meant && fate.is_some() {
        line.memory.forget(&message);
        return Ok(Some(Joined::alone(inbound.clone(), message, false)));
    }
    let said = Envelope::of(&config, &message, None).past();
    if !line.memory.correct(&message, &said) && is_meant {
        tell_later(line, &message);
    }
    Ok(None)
}

fn tell_later(line: &Line, message: &Message) {
    line.memory.edit(message, format!("[edited message {}: {}]", message.id, indented(&text(message))));
}
