//! The life of an account: its token, its name at Telegram, its threads. On the account's thread, which polls.
use super::api::{self, Bot, ROOT};
use super::line::{Line, Me};
use super::offset::{Position, claim};
use super::outcome::Outcome;
use super::refusal::Why;
use super::signs::{self, Signs};
use super::token::BotToken;
use super::{feed, menu, poll, sending, webhook};
use crate::channels::accounts::{self, Account};
use crate::channels::crew::Crew;
use crate::channels::doubt;
use crate::channels::house::House;
use crate::channels::token::{Source, told_twin, twins};
use crate::error::{Error, Result};
use crate::json::Put;
use crate::{clock, sys};
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A token that Telegram does not know is tried again after this; another token, at once.
pub const REFUSED: Duration = Duration::from_secs(5 * 60);
/// How often a file is looked at for a token, or another one.
const LOOK: Duration = Duration::from_secs(2);
/// How long messages wait for the first answer to the question who the bot is: by its name it is meant.
pub const MEET: Duration = Duration::from_secs(5);
const STACK: usize = 256 << 10;
/// Updates that are written and wait to be looked at; the poll waits while they are more.
const WAITING: usize = 128;

pub fn run(house: Arc<dyn House>) -> Result<()> {
    let settings = house.settings();
    let (config, login) = (settings.config(), house.login().clone());
    let account = Account::of(&config, "telegram", &login.account);
    let Some(token) = sign_in(&*house, &account)? else { return Ok(()) };
    let mut bot = Bot::new(token.clone(), account.str("apiRoot").unwrap_or(ROOT), account.str("proxy"))?;
    bot.listen(house.bells()?);
    let state = &settings.env.state_dir;
    let Some(_claim) = claim(state, token.id())? else {
        let text = "another gateway with this state directory polls for the same bot: stop one of them";
        return Err(Error::unavailable(text));
    };
    let (position, note) = Position::load(state, &login.account, token.id(), clock::now_ms());
    if let Some(note) = note {
        log::info!(target: "channels/telegram", "[{}] {note}", login.account);
    }
    let hook = webhook::open(&account)?;
    let mode = if hook.is_some() { "webhook" } else { "polling" };
    house.board().set(&login, |row| row.more.put("mode", mode));
    let open = house.begin()?;
    doubt::tell_all(&*house, &open.uncertain)?;
    let (signs, to_show) = Signs::new();
    let line = Arc::new(Line::new(house.clone(), token.id(), signs));
    let mut crew = Crew::new(house.clone());
    let (inbound, to_do) = crossbeam_channel::bounded(WAITING);
    let place = sending::Place::new();
    for _ in 0..sending::SENDERS {
        let (own, mut sender, place) = (line.clone(), bot.another()?, place.clone());
        crew.spawn("gw-tg-send", STACK, move || sending::run(&own, &mut sender, &place))?;
    }
    let (own, speaker) = (line.clone(), bot.another()?);
    // Ends when Telegram was asked once who the bot is.
    let (met, is_met) = crossbeam_channel::bounded(0);
    crew.spawn("gw-tg-in", STACK, move || feed::run(&own, speaker, open.inbound, &to_do, is_met))?;
    let (own, mut shower) = (line.clone(), bot.another()?);
    crew.spawn("gw-tg-signs", STACK, move || signs::run(&own, &mut shower, &to_show))?;
    let (own, mut setter, address) =
        (line.clone(), bot.another()?, hook.as_ref().map(|(_, address)| address.clone()));
    crew.spawn("gw-tg-set", STACK, move || settle(&own, &mut setter, address, met))?;
    let result = match hook {
        Some((hook, _)) => webhook::run(&line, &mut crew, hook, position, &inbound),
        None => poll::run(&line, &mut bot, position, &inbound),
    };
    // What waits for these has nothing more to wait for.
    drop(inbound);
    line.signs.end();
    crew.end(result)
}

/// The account's token; `None` when it has none, which is told.
fn sign_in(house: &dyn House, account: &Account) -> Result<Option<BotToken>> {
    let env = &house.settings().env;
    let all: Vec<_> = accounts::ids(account.config, "telegram")
        .into_iter()
        .map(|id| (id.clone(), Account::of(account.config, "telegram", &id).token(env)))
        .collect();
    if let Some((_, first)) = twins(&all).into_iter().find(|(second, _)| *second == account.id) {
        let text = told_twin(account, &first);
        log::error!(target: "channels/telegram", "{text}");
        house.board().set(house.login(), |row| row.last_error = Some(text));
        return Ok(None);
    }
    let mut token = account.token(env);
    while let Some(problem) = token.problem {
        told(house, &problem);
        // A file may get its token at any time. Another one in the configuration starts the account anew.
        let is_file = account.source(env) == Source::TokenFile;
        house.board().tries(house.login(), is_file.then(|| clock::now_ms() + LOOK.as_millis() as u64));
        if !is_file || !house.sleep(LOOK)? {
            return Ok(None);
        }
        token = account.token(env);
    }
    house.board().tries(house.login(), None);
    match token.secret {
        Some(secret) => BotToken::read(&secret).map(Some),
        None => {
            house.board().set(house.login(), |row| row.last_error = Some("not configured".into()));
            Ok(None)
        }
    }
}

/// What Telegram is asked of the account, and told, beside what it brings (R-07a): who the bot is, where its webhook is, the
/// menu of commands.
fn settle(line: &Line, bot: &mut Bot, webhook: Option<webhook::Address>, met: Sender<()>) -> Result<()> {
    meet(line, bot);
    drop(met);
    if let Some(address) = webhook {
        webhook::set(line, bot, &address)?;
    }
    let mut pause = Duration::from_millis(500);
    while !line.is_known() {
        if !line.house.sleep(pause)? {
            return Ok(());
        }
        // A token that Telegram does not know is tried by who fetches messages.
        match if line.rates.was_unknown() { None } else { Some(Me::ask(bot, &*line.house, api::CALL)) } {
            Some(Outcome::Done(me)) => line.know(me),
            Some(_) => pause = (pause * 2).min(Duration::from_secs(30)),
            None => pause = LOOK,
        }
    }
    menu::put(line, bot)?;
    // What only the account's beginning needed is let go of, as after the gateway's own.
    sys::release_memory();
    sys::release_code();
    Ok(())
}

/// Asks Telegram for the first time who the bot is.
fn meet(line: &Line, bot: &mut Bot) {
    let text = match Me::ask(bot, &*line.house, MEET) {
        Outcome::Done(me) => {
            line.know(me);
            return line.house.board().set(line.house.login(), |row| {
                row.is_connected |= row.last_error.is_none();
            });
        }
        // Who fetches messages finds that too, and waits for another token.
        Outcome::Refused(refusal) if matches!(refusal.why, Why::Unauthorized | Why::NotFound) => return,
        Outcome::Refused(refusal) => refusal.text,
        Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => trouble.text,
    };
    match line.house.board().row(line.house.login()).is_connected {
        _ if line.is_ending() => {}
        true => log::warn!(target: "channels/telegram", "[{}] {text}", line.name()),
        false => told(&*line.house, &text),
    }
}

/// Shows what is the matter; the log is told once.
pub fn told(house: &dyn House, what: &str) {
    let row = house.board().row(house.login());
    if row.last_error.as_deref() != Some(what) {
        log::warn!(target: "channels/telegram", "[{}] {what}", house.login().account);
        house.board().set(house.login(), |row| {
            (row.is_connected, row.last_error) = (false, Some(what.to_string()));
        });
    }
}

/// Shows that Telegram does not know the token; the log is told once.
pub fn tell_refused(house: &dyn House, account: &Account) -> String {
    let text = format!(
        "Telegram does not know this bot token (401 Unauthorized): set the one that @BotFather shows ({})",
        account.place("botToken")
    );
    if house.board().row(house.login()).last_error.as_ref() != Some(&text) {
        log::error!(target: "channels/telegram", "[{}] {text}; tried again in 5 minutes", account.id);
    }
    let next = clock::now_ms() + REFUSED.as_millis() as u64;
    house.board().set(house.login(), |row| {
        (row.is_connected, row.next_try) = (false, Some(next));
        row.last_error = Some(text.clone());
    });
    text
}

/// Waits, shown as such, before the token is tried again. Another token starts the account anew: that of the configuration
/// by the change there, that of a file by being looked for here.
pub fn refused(house: &dyn House, account: &Account, token: &BotToken) -> Result<()> {
    tell_refused(house, account);
    let until = Instant::now() + REFUSED;
    while Instant::now() < until && house.sleep(LOOK)? {
        if house.board().row(house.login()).next_try.is_none() {
            // Whoever was to send something has found that it is known again.
            return Ok(());
        }
        let now = account.token(&house.settings().env);
        if now.source == Source::TokenFile && now.secret.is_some_and(|now| !token.is(&now)) {
            return Err(Error::unavailable("its file holds another token now"));
        }
    }
    Ok(())
}
