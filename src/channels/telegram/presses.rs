//! Buttons that were pressed: the press is acknowledged at once, so that the button does not go on turning; then the gate
//! says whether its data is read as the presser's message (SEC-33). What is slow or fails there delays nothing.
use super::api::Bot;
use super::joining::Joined;
use super::line::Line;
use super::message::Message;
use super::update::Press;
use crate::approvals::seal;
use crate::clock;
use crate::deliveries::Inbound;
use crate::json::json;
use crate::threads;
use crossbeam_channel::{Sender, TrySendError, bounded};
use std::sync::Arc;

/// Presses that wait to be acknowledged; those beyond are not.
const WAITING: usize = 64;
const STACK: usize = 256 << 10;

/// Acknowledges presses on a thread of its own, which the first one starts.
pub struct Presses {
    line: Arc<Line>,
    bot: Option<Bot>,
    queue: Option<Sender<String>>,
}

impl Presses {
    pub fn new(line: &Arc<Line>, bot: Bot) -> Presses {
        Presses { line: line.clone(), bot: Some(bot), queue: None }
    }

    /// Acknowledges it. Gives what it says as a message, where it says anything in a chat: a button of an inline message
    /// stands in none that the bot knows.
    pub fn pressed(&mut self, inbound: &Inbound, press: &Press, is_again: bool) -> Option<Joined> {
        if !is_again {
            self.acknowledge(&press.id);
        }
        let chat = press.chat.clone().filter(|_| !press.data.is_empty())?;
        let now = (clock::now_ms() / 1000) as i64;
        let sealed = seal::opened(&press.data);
        let words = sealed.unwrap_or(&press.data).to_string();
        let message = Message::of(chat, press.sender.clone(), press.topic, words, now);
        let mut joined = Joined::alone(inbound.clone(), message, is_again);
        joined.is_sealed = sealed.is_some();
        joined.press = Some(press.id.clone());
        Some(joined)
    }

    fn acknowledge(&mut self, press: &str) {
        if let Some(bot) = self.bot.take() {
            self.queue = start(&self.line, bot);
        }
        if let Some(queue) = &self.queue
            && let Err(TrySendError::Full(_)) = queue.try_send(press.to_string())
        {
            crate::logging::debug!(target: "channels/telegram", "[{}] too many presses wait to be acknowledged", self.line.name());
        }
    }
}

fn start(line: &Arc<Line>, mut bot: Bot) -> Option<Sender<String>> {
    let (queue, presses) = bounded::<String>(WAITING);
    let line = line.clone();
    let name = line.name().to_string();
    let work = move || {
        for press in presses {
            let params = json!({"callback_query_id": (press.as_str())});
            // Cosmetic: the button stops turning by itself.
            let _ = bot.call("answerCallbackQuery", &params, super::api::CALL, line.house.cancel());
        }
    };
    match threads::spawn("gw-tg-press", STACK, work, |_| {}) {
        Ok(_) => Some(queue),
        Err(e) => {
            log::warn!(target: "channels/telegram", "[{name}] {e}");
            None
        }
    }
}
