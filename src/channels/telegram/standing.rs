//! Whether what is to be sent may leave by this bot: Telegram knows its token, and it is the bot that got the message
//! which is answered. On the senders' threads.
use super::api::{Bot, CALL};
use super::line::{Line, Me};
use super::outcome::Outcome;
use super::refusal::Why;
use super::{poll, run};
use crate::deliveries::Delivery;

/// Asks Telegram, after a refusal; why nothing can be sent until the account knows better. One 401 may be a slip, and is no
/// answer to `getMe`.
pub fn unknown(line: &Line, bot: &mut Bot) -> Option<String> {
    match Me::ask(bot, &*line.house, CALL) {
        Outcome::Refused(refusal) if matches!(refusal.why, Why::Unauthorized | Why::NotFound) => {
            line.rates.is_unknown();
            let config = line.config();
            Some(run::tell_refused(&*line.house, &line.account(&config)))
        }
        Outcome::Done(_) if line.rates.was_unknown() => {
            poll::is_well(line);
            None
        }
        _ => None,
    }
}

/// The bot that got a message, as the name of the message says: another one than the account has by now. `id` is the
/// message's, or begins with its run's.
pub fn of_another(line: &Line, id: &str) -> Option<String> {
    let whose: i64 = id.split(':').next()?.parse().ok()?;
    (whose != line.id && id.contains(':')).then(|| {
        format!("it came by the bot {whose}, whose token the account has no more, and is not answered by another one")
    })
}

/// The same of an answer.
pub fn answers_another(line: &Line, delivery: &Delivery) -> Option<String> {
    let message = delivery.id.strip_prefix("telegram:")?.strip_prefix(line.name())?.strip_prefix(':')?;
    of_another(line, message).map(|why| format!("what it answers is another bot's: {why}"))
}
