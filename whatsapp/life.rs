//! The life of an account: waits to be linked, connects, says what ended a connection and what helps, and tries again where
//! that is right. One client at a time; reconnects within its life are the crate's.
use crate::account::Account;
use crate::inbound::Hook;
use crate::lines::{Line, log, say};
use crate::link;
use crate::socket::{Factory, VARIABLE};
use crate::{http, socket};
use serde_json::json;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use wacore::store::device::DevicePropsOverride;
use wacore::types::events::{ConnectFailureReason, Event, EventHandler, EventInterest, EventKind};
use waproto::whatsapp::device_props::PlatformType;
use whatsapp_rust::Client;
use whatsapp_rust::anyhow::Result;
use whatsapp_rust::async_channel::{Receiver, Sender, unbounded};
use whatsapp_rust::futures::channel::oneshot;
use whatsapp_rust::futures::future::{Either, select};
use whatsapp_rust::store::persistence_manager::PersistenceManager;

/// Waits after another program took the connection over; then it is left to that one (R-52a).
const REPLACED: [u64; 3] = [30, 120, 300];
/// After so long the next takeover counts as the first one.
const STABLE: Duration = Duration::from_secs(30 * 60);
/// For a login, from the first picture to the link; WhatsApp shows six in 160 s.
const LOGIN: Duration = Duration::from_secs(200);
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Keys for first messages that WhatsApp keeps of us.
const PREKEYS: usize = 30;

/// What ended a session.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    LoggedOut {
        status: u16,
        why: String,
    },
    Replaced,
    /// Until when, epoch seconds, where it is known.
    Banned {
        until: Option<i64>,
        why: String,
    },
    Outdated,
    /// Nobody scanned or typed in time, or it cannot be linked so.
    NotLinked(String),
    Closed,
}

pub async fn live(account: Arc<Account>) {
    let (mut takeovers, mut outdated, mut why_not) = (0, 0, None);
    loop {
        let wish = match link::own(&account) {
            Some((pn, lid, name)) => {
                account.linked(&pn, lid.as_ref(), &name);
                // A wish without force changes nothing of a link that stands.
                account.lock().login = None;
                None
            }
            None => {
                let why =
                    why_not.take().unwrap_or_else(|| format!("not linked: {}", account.login_command()));
                account.not_linked(&why);
                Some(account.await_login().await)
            }
        };
        let begun = std::time::Instant::now();
        let end = session(&account, wish).await.unwrap_or_else(|e| {
            log("error", &format!("{e:#}"));
            End::Closed
        });
        if begun.elapsed() > STABLE {
            takeovers = 0;
        }
        if end != End::Outdated {
            outdated = 0;
        }
        let wait = match end {
            End::LoggedOut { status, why } => {
                // Its owner's own wish needs no cause and no cure.
                if !std::mem::take(&mut account.lock().is_logging_out) {
                    account.is_down(Some(status), &why, true);
                    why_not = Some(why);
                }
                forget(&account);
                continue;
            }
            End::NotLinked(why) => {
                why_not = Some(why);
                continue;
            }
            End::Replaced => {
                let next = REPLACED.get(takeovers).copied();
                takeovers += 1;
                let then = next.map_or("openclaw gateway restart takes it back".to_string(), |s| {
                    format!("tried again in {s} s")
                });
                let why = format!(
                    "another program uses this link (440): stop that one, such as the original's gateway; {then}"
                );
                account.is_down(Some(440), &why, false);
                next
            }
            End::Banned { until, why } => {
                account.is_down(Some(402), &why, false);
                let left = until.map_or(24 * 3600, |at| at - wacore::time::now_secs()).max(60);
                Some(left as u64 + 5)
            }
            End::Outdated => {
                outdated += 1;
                let why = "WhatsApp takes this program for too old (405): install a newer openclaw-whatsapp";
                account.is_down(Some(405), why, false);
                link::forget_version(&account).await;
                Some(if outdated == 1 { 5 } else { 6 * 3600 })
            }
            End::Closed => Some(10),
        };
        pause(&account, wait).await;
    }
}

/// Waits so many seconds, else for ever; a link that is taken away meanwhile ends it.
async fn pause(account: &Account, seconds: Option<u64>) {
    let mut left = seconds.unwrap_or(u64::MAX);
    while left > 0 && account.lock().is_linked {
        account.exec.sleep(Duration::from_secs(1)).await;
        left -= 1;
    }
}

/// The link is over: its keys stand aside, and nothing is tried with them again (R-50b).
pub fn forget(account: &Account) {
    if let Err(e) = account.store.set_aside("logged-out") {
        log("error", &format!("the keys of the old link cannot be set aside: {e}"));
        std::process::exit(1);
    }
    account.lock().is_linked = false;
    say(&json!({"type": "logged_out"}));
}

struct Ear(Sender<Arc<Event>>);

impl EventHandler for Ear {
    fn handle_event(&self, event: Arc<Event>) {
        let _ = self.0.try_send(event);
    }
}

/// Large events are built for nobody.
fn interest() -> EventInterest {
    use EventKind::*;
    EventInterest::of(&[
        Connected,
        Disconnected,
        PairSuccess,
        PairError,
        LoggedOut,
        PairingQrCode,
        PairingCode,
        PairingCodeError,
        PairingQrCodesExhausted,
        QrScannedWithoutMultidevice,
        ClientOutdated,
        UndecryptableMessage,
        StreamReplaced,
        TemporaryBan,
        ConnectFailure,
        StreamError,
        PairPasskeyRequest,
        PairPasskeyError,
        ServerAck,
        SelfPushNameUpdated,
    ])
}

/// One client, from its first connection to its last.
async fn session(account: &Arc<Account>, wish: Option<Line>) -> Result<End> {
    let keeper = Arc::new(PersistenceManager::new(account.store.clone()).await?);
    let props = DevicePropsOverride::new().with_os("openclaw").with_platform_type(PlatformType::CHROME);
    keeper.modify_device(|device| device.set_device_props(props.with_require_full_sync(false))).await;
    let factory = Factory { url: socket::url()?, keeper: OnceLock::new(), account: Arc::downgrade(account) };
    let _ = factory.keeper.set(Arc::downgrade(&keeper));
    let mut builder = Client::builder()
        .with_runtime(crate::runtime::Runtime(account.exec.clone()))
        .with_persistence_manager(keeper.clone())
        .with_transport_factory(factory)
        .with_http_client(http::Http::new())
        .with_skip_history_sync(true)
        .with_wanted_pre_key_count(PREKEYS)
        .with_background_saver_interval(Duration::from_secs(30))
        .with_inbound_durability_hook(Hook(Arc::downgrade(account)));
    if std::env::var_os(VARIABLE).is_some() {
        let device = keeper.get_device_snapshot();
        builder = builder.with_version_override((2, 3000, device.app_version_tertiary));
    }
    let client = builder.build().await?.into_client();
    let (ear, events) = unbounded();
    let subscription = client.subscribe(interest(), Arc::new(Ear(ear)));
    account.lock().client = Some(client.clone());
    let running = client.clone();
    let (done, over) = oneshot::channel();
    account.exec.spawn(async move {
        running.run().await;
        let _ = done.send(());
    });
    let end = listen(account, &client, &events, over, wish.as_ref()).await;
    drop(subscription);
    {
        let mut shared = account.lock();
        (shared.client, shared.is_connected) = (None, false);
    }
    client.disconnect().await;
    keeper.flush().await?;
    Ok(end.unwrap_or(End::Closed))
}

/// Hears what happens until the session is over: by what it said, by itself, or because nobody linked it in time.
async fn listen(
    account: &Arc<Account>,
    client: &Arc<Client>,
    events: &Receiver<Arc<Event>>,
    over: oneshot::Receiver<()>,
    wish: Option<&Line>,
) -> Option<End> {
    let late = account.exec.sleep(if wish.is_some() { LOGIN } else { FOR_EVER });
    let mut over = select(over, late);
    loop {
        match select(Box::pin(events.recv()), over).await {
            Either::Left((event, still)) => {
                over = still;
                let event = event.ok()?;
                let end = heard(account, client, &event, wish).await;
                if end.is_some() {
                    return end;
                }
            }
            Either::Right((Either::Left(_), _)) => {
                // What it said before it ended counts.
                while let Ok(event) = events.try_recv() {
                    let end = heard(account, client, &event, wish).await;
                    if end.is_some() {
                        return end;
                    }
                }
                return None;
            }
            // One that was linked meanwhile is no login any more.
            Either::Right((Either::Right((_, still)), _)) if account.lock().is_linked => {
                over = select(still, account.exec.sleep(FOR_EVER));
            }
            Either::Right((Either::Right(_), _)) => {
                let trouble =
                    account.lock().last_disconnect.get("error").and_then(|e| e.as_str()).map(str::to_string);
                let why = trouble.unwrap_or_else(|| "nobody scanned or typed the code in time".into());
                return Some(End::NotLinked(format!(
                    "not linked: {why}; again: {}",
                    account.login_command()
                )));
            }
        }
    }
}

/// What an event means for the session; an end when it is over.
async fn heard(
    account: &Arc<Account>,
    client: &Arc<Client>,
    event: &Event,
    wish: Option<&Line>,
) -> Option<End> {
    match event {
        Event::Connected(_) => {
            if let Some(pn) = client.pn() {
                account.linked(&pn, client.lid().as_ref(), &client.push_name());
            }
            account.is_up();
            step_back(account, client);
        }
        // With a name the crate says that somebody is here.
        Event::SelfPushNameUpdated(_) => step_back(account, client),
        Event::Disconnected(told) => {
            account.is_down(None, &format!("the connection ended: {}", told.reason), false)
        }
        Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => {
            let waits = account.lock().sent.remove(&ack.id);
            waits.into_iter().for_each(|waits| drop(waits.send(ack.error.clone())));
        }
        Event::LoggedOut(told) => {
            return Some(logged_out(account, told.reason, told.logout_message.as_ref()));
        }
        Event::StreamReplaced(_) => return Some(End::Replaced),
        Event::ClientOutdated(_) => return Some(End::Outdated),
        Event::TemporaryBan(ban) => {
            let seconds = ban.expire.num_seconds();
            let until = (seconds > 0).then(|| wacore::time::now_secs() + seconds);
            return Some(banned(until, ban.message.as_deref()));
        }
        Event::ConnectFailure(told) => match told.reason {
            ConnectFailureReason::TempBanned => return Some(banned(None, told.message.as_deref())),
            ConnectFailureReason::ClientOutdated => return Some(End::Outdated),
            reason if reason.is_logged_out() => return Some(logged_out(account, reason, None)),
            reason => {
                let code = reason.code();
                let why = format!("WhatsApp is not available ({code}): tried again by itself");
                account.is_down(u16::try_from(code).ok(), &why, false);
            }
        },
        Event::StreamError(told) => {
            log("warn", &format!("WhatsApp told of an error of the stream: {}", told.code))
        }
        Event::UndecryptableMessage(_) => {
            log("warn", "a message could not be read; its sender is asked for it again")
        }
        event => return link::heard(account, client, event, wish).await,
    }
    None
}

/// Nobody is here: the phone goes on notifying its owner.
fn step_back(account: &Account, client: &Arc<Client>) {
    let client = client.clone();
    account.exec.spawn(async move { drop(client.presence().set_unavailable().await) });
}

fn banned(until: Option<i64>, message: Option<&str>) -> End {
    let when = until.map_or("for a time that it does not say".to_string(), |at| {
        let at = wacore::chrono::DateTime::from_timestamp(at, 0)
            .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        format!("until {}", at.unwrap_or_default())
    });
    let said = message.map_or(String::new(), |text| format!(" ({text})"));
    End::Banned {
        until,
        why: format!(
            "WhatsApp has banned this number {when} (402){said}: it is tried again after that; see WhatsApp on the phone"
        ),
    }
}

fn logged_out(
    account: &Account,
    reason: ConnectFailureReason,
    said: Option<&wacore::types::events::LogoutMessage>,
) -> End {
    let relink = account.login_command();
    let said = said.and_then(|said| said.header.clone().or_else(|| said.subtext.clone()));
    let said = said.map_or(String::new(), |text| format!(" WhatsApp says: {text}"));
    let (status, why) = match reason {
        ConnectFailureReason::AccountLocked => (
            403,
            format!(
                "WhatsApp has locked this account (403): open WhatsApp on the phone, then link anew: {relink}"
            ),
        ),
        ConnectFailureReason::UnknownLogout => {
            (406, format!("WhatsApp has ended the link (406): link anew: {relink}"))
        }
        _ => (401, format!("the phone or WhatsApp has taken the link away (401): link anew: {relink}")),
    };
    End::LoggedOut { status, why: why + &said }
}
