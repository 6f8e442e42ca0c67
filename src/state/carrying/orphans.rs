//! Deliveries that nobody carries: their account is not in the configuration any more, or has no token. They are told of at
//! once, where people look, and have failed when they are too old to be worth saying; an account that comes back before
//! that sends them. What somebody who ended had in his hands is told as uncertain (R-10c). What people wrote to such an
//! account is given up when an answer would be a surprise.
//!
//! Part of `State`, on the state thread; looked for while anything is to be delivered, else now and then.
use crate::channels::accounts::{Account, ids};
use crate::channels::outgoing::Outgoing;
use crate::channels::token::Source;
use crate::channels::{self, doubt, kept};
use crate::config::Config;
use crate::deliveries::{Delivery, Inbound, Line, Login, Stage, Step};
use crate::env::Env;
use crate::metrics::{self, Metric};
use crate::state::State;
use serde_json::Value;

/// How often, milliseconds.
const LOOK: u64 = 5000;
/// The same where nothing is on its way.
const SELDOM: u64 = 10 * 60 * 1000;
/// After how many minutes one has failed, where its channel does not say; where it says never.
const MINUTES: u64 = 10;
const NEVER: u64 = 24 * 60;

const GONE: &str = "it is not in the configuration; what waits goes out if it is added again before that is too old (dropAfterMinutes)";
const NO_TOKEN: &str =
    "it has no token; what waits goes out if it gets one before that is too old (dropAfterMinutes)";

/// Who carries for a login.
#[derive(Clone, Copy, PartialEq)]
enum Carrier {
    Account,
    /// It is switched off.
    Nobody,
    /// Nobody will, and why.
    Gone(&'static str),
}

impl Carrier {
    fn of(config: &Config, env: &Env, login: &Login) -> Carrier {
        let Login { platform, account } = login;
        let is_on = channels::is_on(config, platform);
        let has_section = config.whole().get("channels").is_some_and(|all| all.get(platform).is_some());
        if !(is_on || has_section) || !ids(config, platform).contains(account) {
            return Carrier::Gone(GONE);
        }
        let account = Account::of(config, platform, account);
        match account.source(env) {
            Source::None => Carrier::Gone(NO_TOKEN),
            _ if is_on && account.is_enabled() => Carrier::Account,
            _ => Carrier::Nobody,
        }
    }
}

impl State {
    pub(in crate::state) fn look_for_orphans(&mut self) -> Option<u64> {
        let is_first = self.post.look_at == 0;
        let is_late = self.mono >= self.post.look_at + SELDOM;
        let is_wanted = is_first || is_late || self.post.ledger.is_going() || self.post.has_orphans;
        if is_wanted && self.mono >= self.post.look_at && !self.is_stopping() {
            self.post.look_at = self.mono + LOOK;
            self.look(is_first);
        }
        (self.post.ledger.is_going() && !self.is_stopping()).then_some(self.post.look_at)
    }

    fn look(&mut self, is_first: bool) {
        let shared = self.shared.clone();
        let config = shared.config();
        let mut carriers: Vec<(Login, Carrier)> = Vec::new();
        let mut of = |login: &Login| {
            let known = carriers.iter().find(|(known, _)| known == login).map(|(_, carrier)| *carrier);
            known.unwrap_or_else(|| {
                let carrier = Carrier::of(&config, &shared.env, login);
                carriers.push((login.clone(), carrier));
                carrier
            })
        };
        let (mut gone, mut old, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in self.post.ledger.going() {
            let login = delivery.login();
            match (of(&login), delivery.stage) {
                (Carrier::Gone(why), Stage::Accepted) => match waited(&config, delivery, self.now) {
                    Some(minutes) => old.push((delivery.clone(), minutes)),
                    None => gone.push((login, why)),
                },
                (Carrier::Account, _) => {}
                (_, Stage::Handed) if !shared.board.row(&login).is_running => left.push(login),
                _ => {}
            }
        }
        let is_stale = |message: &&Inbound| self.now.saturating_sub(message.ts) >= kept::RECENT;
        let mut unheard: Vec<Inbound> =
            self.post.ledger.unhandled().into_iter().filter(is_stale).cloned().collect();
        unheard.retain(|message| matches!(of(&message.login()), Carrier::Gone(_)));
        crate::order::by(&mut gone, |(a, _), (b, _)| {
            (&a.platform, &a.account).cmp(&(&b.platform, &b.account))
        });
        gone.dedup();
        self.post.has_orphans = !gone.is_empty();
        for (login, why) in shared.board.set_gone(gone) {
            log::warn!(target: "channels", "{login}: something is to be said by this account, and nobody can: {why}");
        }
        old.into_iter().for_each(|(delivery, minutes)| self.has_failed(&delivery, minutes));
        unheard.iter().for_each(|message| self.is_unheard(message));
        let is_anybody_left = !left.is_empty();
        left.iter().for_each(|login| self.abandon(login));
        if is_first || is_anybody_left {
            let uncertain = self.post.ledger.deliveries(Stage::Uncertain).into_iter();
            let is_ours = |d: &&Delivery| !outgoing(d).is_told() && of(&d.login()) != Carrier::Account;
            let untold: Vec<Delivery> = uncertain.filter(is_ours).cloned().collect();
            untold.into_iter().for_each(|delivery| self.tell_uncertain(&delivery));
        }
    }

    /// Too old to be said, and nobody says it.
    fn has_failed(&mut self, delivery: &Delivery, minutes: u64) {
        let (login, id) = (delivery.login(), delivery.id.clone());
        let why = format!("nobody carries for its account any more, and it waited for {minutes} minutes");
        let step = Step { stage: Stage::Failed, error: Some(why.clone()), ..Step::default() };
        let Some(line) = self.post.ledger.go(&delivery.name(), step) else { return };
        metrics::count(Metric::DeliveriesFailed);
        log::error!(target: "channels", "{login}: {id} is not sent: {why}");
        self.tell_session(delivery, &format!("This message of yours was not delivered ({why})"));
        self.hold(vec![line], move |state, _| state.answer_delivery(&id));
    }

    /// Nobody will answer it.
    fn is_unheard(&mut self, message: &Inbound) {
        let Some(line) = self.post.ledger.handled(&message.name()) else { return };
        let (login, id) = (message.login(), &message.id);
        log::warn!(target: "channels", "{login}: {id} is not answered any more: its account is gone, and it is old");
        self.write_for_good(vec![line]);
    }

    /// Who had these in his hands has ended.
    pub(super) fn abandon(&mut self, login: &Login) {
        let lines = self.post.ledger.abandon(login);
        let ids: Vec<String> = lines.iter().map(|line| line.name().2).collect();
        self.write_for_good(lines);
        ids.iter().for_each(|id| self.answer_delivery(id));
    }

    fn tell_uncertain(&mut self, delivery: &Delivery) {
        let why = delivery.error.as_deref().unwrap_or(doubt::STOPPED);
        log::error!(target: "channels", "{}", doubt::uncertain(&delivery.login(), delivery, why));
        self.tell_session(delivery, doubt::UNKNOWN);
        let told = |message: &Value| Outgoing::of(message).with(&[("isTold", true.into())]);
        let rest = delivery.message.as_ref().map(told);
        let step = Step { rest, error: Some(why.to_string()), stage: Stage::Uncertain, ..Step::default() };
        let line: Option<Line> = self.post.ledger.go(&delivery.name(), step);
        self.write_for_good(line.into_iter().collect());
    }

    fn tell_session(&mut self, delivery: &Delivery, text: &str) {
        if let Some((key, note)) = doubt::noted(delivery, text) {
            let (key, note) = self.heard_at(key, note);
            self.add_note(Some(key), note);
        }
    }
}

fn outgoing(delivery: &Delivery) -> Outgoing<'_> {
    Outgoing::of(delivery.message.as_ref().unwrap_or(&Value::Null))
}

/// For how many minutes it has waited, if that is too long.
fn waited(config: &Config, delivery: &Delivery, now: u64) -> Option<u64> {
    let account = Account::of(config, &delivery.platform, &delivery.account);
    let most = match account.get("dropAfterMinutes").and_then(Value::as_u64) {
        Some(0) => NEVER,
        most => most.unwrap_or(MINUTES),
    };
    let waited = now.saturating_sub(delivery.ts) / 60_000;
    (waited >= most).then_some(waited)
}
