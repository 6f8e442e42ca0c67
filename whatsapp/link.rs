//! Linking: what is scanned or typed, how long it holds, and what comes in between.
use crate::account::Account;
use crate::life::End;
use crate::lines::{Line, log};
use crate::qr;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use wacore::store::traits::DeviceStore;
use wacore::types::events::Event;
use wacore_binary::Jid;
use whatsapp_rust::Client;
use whatsapp_rust::pair_code::PairCodeOptions;

/// Whose device the store is: number, hidden id and name; none before a phone has signed it (R-50a).
pub fn own(account: &Account) -> Option<(Jid, Option<Jid>, String)> {
    let device = futures_now(account.store.load())?;
    let device = device.filter(|device| device.account.is_some())?;
    Some((device.pn.clone()?, device.lid.clone(), device.push_name.clone()))
}

/// The store answers at once: nothing in it waits.
fn futures_now<T, E: std::fmt::Display>(future: impl Future<Output = Result<T, E>>) -> Option<T> {
    use whatsapp_rust::futures::FutureExt;
    match std::pin::pin!(future).now_or_never()? {
        Ok(value) => Some(value),
        Err(e) => {
            log("error", &format!("the link cannot be read from its store: {e}"));
            std::process::exit(1);
        }
    }
}

/// The version of WhatsApp's page is looked up anew before the next connection.
pub async fn forget_version(account: &Account) {
    if let Ok(Some(mut device)) = account.store.load().await {
        device.app_version_last_fetched_ms = 0;
        if let Err(e) = account.store.save(&device).await {
            log("error", &format!("the store cannot be written: {e}"));
        }
    }
}

/// What an event means for a login.
pub async fn heard(
    account: &Arc<Account>,
    client: &Arc<Client>,
    event: &Event,
    wish: Option<&Line>,
) -> Option<End> {
    let relink = account.login_command();
    match event {
        Event::PairingQrCode(told) => {
            let phone = wish.map(|wish| wish.text("phone").to_string()).unwrap_or_default();
            match phone.is_empty() {
                true => show(account, &told.code, told.timeout.as_millis() as i64),
                // Asked once: later ones of the same login are for scanning.
                false if std::mem::replace(&mut account.lock().has_asked_code, true) => {}
                false => ask_code(account, client, phone),
            }
        }
        Event::PairingCode(told) => {
            let half = told.code.len() / 2;
            let code = match told.code.split_at_checked(half) {
                Some((first, last)) => format!("{first}-{last}"),
                None => told.code.clone(),
            };
            let until = wacore::time::now_millis() + told.timeout.as_millis() as i64;
            account.ask(object(json!({"code": code, "expiresAtMs": until,
                "text": "WhatsApp on the phone: Linked devices, Link a device, Link with phone number instead"})));
        }
        Event::PairingCodeError(told) => {
            return Some(End::NotLinked(format!(
                "WhatsApp gives no code: {}; scan instead: {relink}",
                told.error
            )));
        }
        Event::PairSuccess(told) => {
            log("info", "linked: WhatsApp restarts the connection once");
            account.linked(&told.id, Some(&told.lid), &client.push_name());
        }
        Event::PairError(told) => {
            return Some(End::NotLinked(format!("linking failed: {}; try again: {relink}", told.error)));
        }
        Event::PairingQrCodesExhausted(_) => {
            return Some(End::NotLinked(format!(
                "not linked: nobody scanned the code in time; again: {relink}"
            )));
        }
        Event::QrScannedWithoutMultidevice(_) => {
            log("warn", "the phone that scanned has an old WhatsApp: update it, then scan again");
        }
        Event::PairPasskeyRequest(_) | Event::PairPasskeyError(_) => {
            return Some(End::NotLinked(
                "WhatsApp asks this account for a passkey before it links, which only a phone or browser that holds it can \
                 answer: link elsewhere and bring that link (docs/whatsapp.md, Passkeys)"
                    .into(),
            ));
        }
        _ => {}
    }
    None
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn show(account: &Account, code: &str, time: i64) {
    let until = wacore::time::now_millis() + time;
    account.ask(object(json!({"qr": code, "terminal": qr::terminal(code), "terminalSmall": qr::small(code),
        "picture": qr::data_url(code), "expiresAtMs": until,
        "text": "WhatsApp on the phone: Linked devices, Link a device, then scan this"})));
}

fn ask_code(account: &Arc<Account>, client: &Arc<Client>, phone_number: String) {
    let client = client.clone();
    let options = PairCodeOptions { phone_number, display_os: None, ..PairCodeOptions::default() };
    // What comes of it comes as an event.
    account.exec.spawn(async move { drop(client.pair_with_code(options).await) });
}

/// Its owner wishes to link the account. A link that stands stays, unless he wants another in its place (R-50c, R-52c).
pub async fn wished(account: Arc<Account>, line: Line) {
    let is_linked = account.lock().is_linked;
    if is_linked && !line.is("force") {
        return;
    }
    account.wish_login(line);
    match account.client() {
        _ if is_linked => logout(account).await,
        // Another login is under way, which ends for this one.
        Some(client) => client.disconnect().await,
        None => {}
    }
}

/// How long WhatsApp is asked to remove the device.
const LOGOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// Its owner takes the link away: WhatsApp is told where it can be, then the keys go (R-50d).
pub async fn logout(account: Arc<Account>) {
    use whatsapp_rust::futures::future::select;
    let is_linked = account.lock().is_linked;
    let client = account.client();
    match client.filter(|_| is_linked) {
        Some(client) => {
            account.lock().is_logging_out = true;
            // Its session ends by what it says of this, and sets the keys aside.
            let asked = Box::pin(client.logout());
            select(asked, account.exec.sleep(LOGOUT)).await;
        }
        None if is_linked => crate::life::forget(&account),
        None => crate::lines::say(&json!({"type": "logged_out"})),
    }
}
