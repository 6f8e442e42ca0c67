//! How often Telegram is asked to change something: one budget for each chat and one for the account, shared by
//! answers, edits, drafts and signs, whichever thread has them.
//!
//! Messages wait for their turn here by not being given out; what is a mere sign is left out while it would have to wait.
use super::run::REFUSED;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A chat takes so many at once, and one more after each pause.
const BURST: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// A group takes so many a minute.
const GROUP: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// The account may send so many a second.
const ACCOUNT: u32 = 30;
/// When so many chats are flooded within this time the account is meant.
const FLOODED: usize = 3;
const TOGETHER: Duration = Duration::from_secs(10);
/// The first and the longest pause of a chat that cannot be reached.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// What waited too long is told once in this time.
const TELLS_LATE: Duration = Duration::from_secs(10 * 60);

#[derive(Default)]
pub struct Rates(Mutex<Known>);

#[derive(Default)]
struct Known {
    chats: HashMap<String, Chat>,
    account: Option<Instant>,
    /// Nothing leaves before.
    held: Option<Instant>,
    /// Nor before this, because the bot itself was refused, so often in a row.
    refused: Option<Instant>,
    refusals: u32,
    /// Telegram does not know its token.
    is_unknown: bool,
    floods: Vec<(Instant, String)>,
}

#[derive(Default)]
struct Chat {
    /// When all that was sent is paid for.
    paid: Option<Instant>,
    /// Of a group: when the last ones were sent.
    sent: Vec<Instant>,
    /// Nothing goes there before.
    held: Option<Instant>,
    /// Because Telegram said so: nothing with an effect at all.
    is_flooded: bool,
    failures: u32,
    /// When it was told that something waited too long.
    told: Option<Instant>,
}

/// What may be sent now.
pub enum Free {
    /// To all chats but these; the first of them is free again after this time.
    But(Vec<String>, Option<Duration>),
    /// To none, for so long.
    None(Duration),
}

impl Rates {
    pub fn free(&self) -> Free {
        let (now, mut known) = (Instant::now(), self.lock());
        known.chats.retain(|_, chat| !chat.is_idle(now));
        let account = known.account.and_then(|paid| paid.checked_sub(pause(ACCOUNT - 1, ACCOUNT)));
        if let Some(until) =
            [account, known.held, known.refused].into_iter().flatten().max().filter(|until| *until > now)
        {
            return Free::None(until - now);
        }
        let waits =
            |(name, chat): (&String, &Chat)| Some((name.clone(), chat.free_at().filter(|at| *at > now)?));
        let waiting: Vec<(String, Instant)> = known.chats.iter().filter_map(waits).collect();
        let first = waiting.iter().map(|(_, at)| *at - now).min();
        Free::But(waiting.into_iter().map(|(name, _)| name).collect(), first)
    }

    /// A message goes to this chat.
    pub fn spend(&self, chat: &str) {
        let (now, mut known) = (Instant::now(), self.lock());
        known.account = Some(known.account.map_or(now, |paid| paid.max(now)) + pause(1, ACCOUNT));
        let is_group = chat.starts_with(['-', '@']);
        let chat = known.chats.entry(chat.to_string()).or_default();
        chat.paid = Some(chat.paid.map_or(now, |paid| paid.max(now)) + PAUSE);
        if is_group {
            chat.sent.retain(|at| *at + MINUTE > now);
            chat.sent.push(now);
        }
    }

    /// Whether a sign may go to this chat now: Telegram did not ask for a pause. It is not counted, so that none delays a message.
    pub fn takes_signs(&self, chat: &str) -> bool {
        let (now, known) = (Instant::now(), self.lock());
        let is_over = |at: Option<Instant>| at.is_none_or(|at| at <= now);
        let is_held = !is_over(known.held) || !is_over(known.refused);
        !is_held && known.chats.get(chat).is_none_or(|chat| !chat.is_flooded || is_over(chat.held))
    }

    /// Telegram wants nothing for this chat for so long; when it says so of several chats, it means the account.
    pub fn flooded(&self, chat: &str, time: Duration) {
        let (now, mut known) = (Instant::now(), self.lock());
        known.floods.retain(|(at, other)| *at + TOGETHER > now && other != chat);
        known.floods.push((now, chat.to_string()));
        if known.floods.len() >= FLOODED {
            known.held = known.held.max(Some(now + time));
        }
        let chat = known.chats.entry(chat.to_string()).or_default();
        chat.held = chat.held.max(Some(now + time));
        chat.is_flooded = true;
    }

    /// The bot itself is refused: nothing leaves for so long, and longer each time.
    pub fn refused(&self) -> Duration {
        let mut known = self.lock();
        let time = FIRST.saturating_mul(1 << known.refusals.min(16)).min(REFUSED);
        known.refusals += 1;
        known.refused = Some(Instant::now() + time);
        time
    }

    /// Telegram does not know the bot: nothing leaves until it does, and it is asked before anything is sent.
    pub fn is_unknown(&self) {
        let mut known = self.lock();
        (known.refused, known.is_unknown) = (Some(Instant::now() + REFUSED), true);
    }

    pub fn was_unknown(&self) -> bool {
        self.lock().is_unknown
    }

    /// It is not refused any more.
    pub fn is_believed(&self) {
        let mut known = self.lock();
        (known.refused, known.refusals, known.is_unknown) = (None, 0, false);
    }

    /// A message did not get through: the chat is left alone, longer each time.
    pub fn failed(&self, chat: &str) {
        let mut known = self.lock();
        let chat = known.chats.entry(chat.to_string()).or_default();
        let time = FIRST.saturating_mul(1 << chat.failures.min(8)).min(LONGEST);
        chat.failures += 1;
        chat.held = chat.held.max(Some(Instant::now() + time));
    }

    pub fn went(&self, chat: &str) {
        if let Some(chat) = self.lock().chats.get_mut(chat) {
            (chat.failures, chat.is_flooded) = (0, false);
        }
    }

    /// Whether a chat knows already that something for it waited too long: it is told once for all that did.
    pub fn has_told_late(&self, chat: &str) -> bool {
        let told = self.lock().chats.get(chat).and_then(|chat| chat.told);
        told.is_some_and(|at| at + TELLS_LATE > Instant::now())
    }

    pub fn told_late(&self, chat: &str) {
        self.lock().chats.entry(chat.to_string()).or_default().told = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chat {
    fn free_at(&self) -> Option<Instant> {
        let burst = self.paid.and_then(|paid| paid.checked_sub(PAUSE * (BURST - 1)));
        let minute =
            self.sent.len().checked_sub(GROUP).and_then(|at| self.sent.get(at)).map(|at| *at + MINUTE);
        [burst, minute, self.held].into_iter().flatten().max()
    }

    /// Nothing is known of it that a new one would not have. A failure is remembered a while after its pause.
    fn is_idle(&self, now: Instant) -> bool {
        let is_past = |at: &Instant| *at <= now;
        let is_forgotten = self.failures == 0 || self.held.is_none_or(|at| at + LONGEST <= now);
        self.paid.iter().chain(&self.held).all(is_past)
            && self.sent.iter().all(|at| *at + MINUTE <= now)
            && self.told.is_none_or(|at| at + TELLS_LATE <= now)
            && is_forgotten
    }
}

fn pause(parts: u32, of: u32) -> Duration {
    Duration::from_secs(1) * parts / of
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(rates: &Rates, chat: &str) -> Option<Duration> {
        match rates.free() {
            Free::But(held, first) => first.filter(|_| held.iter().any(|held| held == chat)),
            Free::None(time) => Some(time),
        }
    }

    #[test]
    fn r_31_a_chat_has_three_at_once_and_then_one_a_second() {
        let rates = Rates::default();
        for _ in 0..3 {
            assert_eq!(waits(&rates, "7"), None);
            rates.spend("7");
        }
        let wait = waits(&rates, "7").unwrap();
        assert!(wait <= PAUSE && wait > PAUSE / 2, "{wait:?}");
        assert_eq!(waits(&rates, "8"), None, "others go on");
        assert!(rates.takes_signs("7"), "a sign is no message");
    }

    #[test]
    fn r_31_a_group_has_twenty_a_minute_and_an_account_thirty_a_second() {
        let rates = Rates::default();
        for _ in 0..20 {
            rates.spend("-7");
        }
        let chat = |rates: &Rates| rates.lock().chats["-7"].free_at().unwrap() - Instant::now();
        assert!(chat(&rates) > Duration::from_secs(50), "{:?}", chat(&rates));
        assert!(!matches!(rates.free(), Free::None(_)));
        (0..11).for_each(|n| rates.spend(&n.to_string()));
        assert!(matches!(rates.free(), Free::None(time) if time <= pause(2, ACCOUNT)));
    }

    #[test]
    fn r_31_a_flood_is_the_chats_and_that_of_three_chats_the_accounts() {
        let rates = Rates::default();
        rates.flooded("1", Duration::from_secs(40));
        rates.flooded("1", Duration::from_secs(2));
        assert!(waits(&rates, "1").unwrap() > Duration::from_secs(39) && !rates.takes_signs("1"));
        assert!(waits(&rates, "2").is_none() && rates.takes_signs("2"));
        rates.flooded("2", Duration::from_secs(40));
        assert!(waits(&rates, "3").is_none());
        rates.flooded("3", Duration::from_secs(40));
        assert!(matches!(rates.free(), Free::None(_)) && !rates.takes_signs("4"));
    }

    #[test]
    fn r_46_a_bot_that_is_refused_tries_again_soon_and_then_more_seldom() {
        let rates = Rates::default();
        let times: Vec<u64> = (0..12).map(|_| rates.refused().as_secs()).collect();
        assert_eq!((&times[..4], times[11]), (&[1, 2, 4, 8][..], REFUSED.as_secs()));
        assert!(matches!(rates.free(), Free::None(_)) && !rates.takes_signs("1"));
        rates.is_believed();
        assert!(matches!(rates.free(), Free::But(..)) && rates.refused().as_secs() == 1);
    }

    #[test]
    fn r_30a_a_chat_that_cannot_be_reached_is_tried_within_half_a_minute() {
        let rates = Rates::default();
        (0..20).for_each(|_| rates.failed("1"));
        let wait = waits(&rates, "1").unwrap();
        assert!(wait <= LONGEST && wait > LONGEST / 2, "{wait:?}");
        assert!(rates.takes_signs("1"));
    }
}
