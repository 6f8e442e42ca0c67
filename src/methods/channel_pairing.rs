//! `channels.pairing.list` and `channels.pairing.approve`: strangers who wrote to a bot, were told a code and wait.
//! The files are read and written on the connection's thread; the channels read them at the next message.
use crate::calls::Caller;
use crate::channels::pairing::{LIFE_MS, MOST, Pairing};
use crate::channels::{accounts, is_known, paired};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use serde_json::Value;

pub fn list(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    let (config, pairing) = (shared.config(), Pairing::new(&shared.env.state_dir));
    let (mut requests, mut logins) = (Vec::new(), Vec::new());
    for channel in &paired(&config, &pairing) {
        let is_there = config.whole().get("channels").is_some_and(|all| all.get(channel).is_some());
        for id in accounts::ids(&config, channel).into_iter().filter(|_| is_there) {
            logins.push(json!({"channel": (channel.as_str()), "accountId": id}));
        }
        for request in pairing.pending(channel, None, clock::now_ms())? {
            let mut row = request.value;
            row.put("channel", channel.as_str());
            row.put("accountId", request.account);
            requests.push(Value::Object(row));
        }
    }
    let is_owned = config.is_set("commands.ownerAllowFrom");
    Ok(json!({
        "accounts": logins, "requests": requests, "commandOwnerConfigured": is_owned,
        "limits": {"pendingPerAccount": MOST, "ttlMs": LIFE_MS},
    })
    .into())
}

params! {
    struct Approval {
        channel: String,
        code: String,
        account_id: Option<String>,
    }
}

/// Lets in whom this code was told.
pub fn approve(shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Approval { channel, code, account_id } = read(params)?;
    let pairing = Pairing::new(&shared.env.state_dir);
    if !is_known(&shared.config(), &channel) && !pairing.is_known(&channel) {
        return Err(Error::invalid("invalid channels.pairing.approve channel"));
    }
    let mut notes = Vec::new();
    let approved = pairing.approve(&channel, account_id.as_deref(), &code, clock::now_ms(), &mut notes);
    notes.iter().for_each(|note| log::warn!(target: "gateway/channels", "{note}"));
    let unknown = || Error::not_found("nobody waits with this code; it may be older than an hour");
    let approved = approved?.ok_or_else(unknown)?;
    Ok(json!({"channel": channel, "accountId": approved.account, "id": approved.id}).into())
}
