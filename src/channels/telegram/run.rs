//! The life of an account: its token, its name at Telegram, its threads. On the account's thread, which polls.
use super::api::{Bot, ROOT};
use super::line::{Line, Me};
use super::offset::{Position, claim};
use super::outcome::Outcome;
use super::refusal::Why;
use super::signs::{self, Signs};
use super::token::BotToken;
use super::{feed, meant, menu, poll, sending, webhook};
use crate::channels::accounts::{self, Account};
use crate::channels::crew::Crew;
use crate::channels::doubt;
use crate::channels::house::House;
use crate::channels::token::{told_twin, twins};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use std::sync::Arc;
use std::time::Duration;

/// A token that Telegram does not know is tried again after this; another token, at once.
pub const REFUSED: Duration = Duration::from_secs(5 * 60);
const STACK: usize = 256 << 10;
/// Updates that are written and wait to be looked at; the poll waits while they are more.
const WAITING: usize = 1024;

pub fn run(house: Arc<dyn House>) -> Result<()> {
    let settings = house.settings();
    let (config, login) = (settings.config(), house.login().clone());
    let account = Account::of(&config, "telegram", &login.account);
    let Some(token) = sign_in(&*house, &account)? else { return Ok(()) };
    let mut bot = Bot::new(token.clone(), account.str("apiRoot").unwrap_or(ROOT), account.str("proxy"))?;
    let Some(me) = meet(&*house, &account, &mut bot, &token)? else { return Ok(()) };
    let state = &settings.env.state_dir;
    let Some(_claim) = claim(state, me.id)? else {
        let text = "another gateway with this state directory polls for the same bot: stop one of them";
        return Err(Error::unavailable(text));
    };
    let (position, note) = Position::load(state, &login.account, me.id, clock::now_ms());
    if let Some(note) = note {
        log::info!(target: "telegram", "[{}] {note}", login.account);
    }
    let hook = webhook::open(&account)?;
    house.board().set(&login, |row| {
        (row.is_connected, row.last_error, row.next_try) = (true, None, None);
        row.more.put("mode", if hook.is_some() { "webhook" } else { "polling" });
        row.more.put("bot", json!({"id": (me.id), "username": (me.username.as_str())}));
    });
    let how = if hook.is_some() { "listens" } else { "polls" };
    log::info!(target: "telegram", "[{}] {how} for @{}", login.account, me.username);
    let open = house.begin()?;
    doubt::tell_all(&*house, &open.uncertain)?;
    let (signs, to_show) = Signs::new();
    let line = Arc::new(Line::new(house.clone(), me, signs));
    meant::tell(&line, &account);
    let mut crew = Crew::new(house.clone());
    let (inbound, to_do) = crossbeam_channel::bounded(WAITING);
    let place = sending::Place::new();
    for _ in 0..sending::SENDERS {
        let (own, mut sender, place) = (line.clone(), bot.another()?, place.clone());
        crew.spawn("gw-tg-send", STACK, move || sending::run(&own, &mut sender, &place))?;
    }
    let (own, speaker) = (line.clone(), bot.another()?);
    crew.spawn("gw-tg-in", STACK, move || feed::run(&own, speaker, open.inbound, &to_do))?;
    let (own, mut shower) = (line.clone(), bot.another()?);
    crew.spawn("gw-tg-signs", STACK, move || signs::run(&own, &mut shower, &to_show))?;
    let (own, mut setter, address) =
        (line.clone(), bot.another()?, hook.as_ref().map(|(_, address)| address.clone()));
    crew.spawn("gw-tg-set", STACK, move || settle(&own, &mut setter, address))?;
    let result = match hook {
        Some((hook, _)) => webhook::run(&line, &mut crew, hook, position, &inbound),
        None => poll::run(&line, &mut bot, position, &inbound),
    };
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
        log::error!(target: "telegram", "{text}");
        house.board().set(house.login(), |row| row.last_error = Some(text));
        return Ok(None);
    }
    let token = account.token(env);
    if let Some(problem) = token.problem {
        return Err(Error::config(problem));
    }
    match token.secret {
        Some(secret) => BotToken::read(&secret).map(Some),
        None => {
            house.board().set(house.login(), |row| row.last_error = Some("not configured".into()));
            Ok(None)
        }
    }
}

/// What Telegram is told of the account, once it takes messages: where its webhook is, and the menu of commands.
fn settle(line: &Line, bot: &mut Bot, webhook: Option<webhook::Address>) -> Result<()> {
    if let Some(address) = webhook {
        webhook::set(line, bot, &address)?;
    }
    menu::put(line, bot)
}

/// Asks Telegram who the bot is, until it says so: without a network the account comes up by itself when there is one.
fn meet(house: &dyn House, account: &Account, bot: &mut Bot, token: &BotToken) -> Result<Option<Me>> {
    let mut pause = Duration::from_millis(500);
    loop {
        let text = match Me::ask(bot, token, house) {
            Outcome::Done(me) => return Ok(Some(me)),
            Outcome::Refused(refusal) if refusal.why == Why::Unauthorized || refusal.why == Why::NotFound => {
                refused(house, account)?;
                pause = Duration::ZERO;
                refusal.text
            }
            Outcome::Refused(refusal) => {
                if let Why::RetryAfter(time) = refusal.why {
                    pause = time;
                }
                refusal.text
            }
            Outcome::NotSent(trouble) | Outcome::Unknown(trouble) => trouble.text,
        };
        if house.cancel().reason().is_some() {
            return Ok(None);
        }
        told(house, &text);
        house.sleep(pause)?;
        pause = (pause * 2).clamp(Duration::from_millis(500), Duration::from_secs(30));
    }
}

/// Shows what is the matter; the log is told once.
pub fn told(house: &dyn House, what: &str) {
    let row = house.board().row(house.login());
    if row.last_error.as_deref() != Some(what) {
        log::warn!(target: "telegram", "[{}] {what}", house.login().account);
        house.board().set(house.login(), |row| {
            (row.is_connected, row.last_error) = (false, Some(what.to_string()));
        });
    }
}

/// Waits, shown as such, before the token is tried again. Another token starts the account anew.
pub fn refused(house: &dyn House, account: &Account) -> Result<()> {
    let text = format!(
        "Telegram does not know this bot token (401 Unauthorized): set the one that @BotFather shows ({})",
        account.place("botToken")
    );
    log::error!(target: "telegram", "[{}] {text}; tried again in 5 minutes", account.id);
    let next = clock::now_ms() + REFUSED.as_millis() as u64;
    house.board().set(house.login(), |row| {
        (row.is_connected, row.next_try) = (false, Some(next));
        row.last_error = Some(text.clone());
    });
    house.sleep(REFUSED)?;
    Ok(())
}
