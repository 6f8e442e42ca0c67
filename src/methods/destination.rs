//! Where the words of an `agent` run go besides to who asked for it: the place that is named, or where the session was
//! last talked to. Pure over `State`.
use super::agent::Params;
use super::send::{self, filled};
use crate::channels;
use crate::error::{Error, Result};
use crate::runs::origin::Address;
use crate::sessions::Entry;
use crate::state::State;
use serde_json::Value;

/// A place as it is named: what is missing is as it was when the session was last talked to.
#[derive(Default)]
pub(super) struct Named {
    pub(super) channel: Option<String>,
    pub(super) to: Option<String>,
    pub(super) account: Option<String>,
    pub(super) thread: Option<String>,
}

/// `None` when nothing is to be delivered. Fails when nobody would carry it just now.
pub(super) fn destination(state: &State, params: &Params, session: &str) -> Result<Option<Address>> {
    let first = |one: &Option<String>, other: &Option<String>| {
        filled(one.as_deref()).map(str::to_string).or(other.clone())
    };
    let named = || Named {
        channel: first(&params.reply_channel, &params.channel),
        to: first(&params.reply_to, &params.to),
        account: first(&params.reply_account_id, &params.account_id),
        thread: params.thread_id.clone(),
    };
    if !params.deliver {
        return Ok(None);
    }
    // Who asks is there to hear that nothing goes out just now.
    let to = address(state, named(), session)?;
    if let Some(channel) = channels::named(&to.channel) {
        send::is_carried(state, channel, &to.account)?;
    }
    Ok(Some(to))
}

/// The place that is meant in a session. What goes there while its platform is away waits for it. Fails when nobody would
/// ever carry it.
pub(super) fn address(state: &State, named: Named, session: &str) -> Result<Address> {
    let own = |text: Option<String>| filled(text.as_deref()).map(str::to_string);
    let (account, thread) = (own(named.account), own(named.thread));
    let channel = own(named.channel).filter(|channel| channel != "last");
    let last = match own(named.to) {
        Some(to) => Last { channel, to, account, thread },
        None => {
            let entry = state.sessions.get(session).unwrap_or_default();
            let is_meant = |last: &Last| channel.is_none() || last.channel == channel;
            let last = last_of(&entry).filter(is_meant).ok_or_else(|| {
                Error::invalid(format!(
                    "nowhere to deliver to: nobody has written to {} on {} yet; name a place by replyChannel and replyTo",
                    crate::logging::quoted(session),
                    channel.as_deref().unwrap_or("a channel")
                ))
            })?;
            Last { account: account.or(last.account), thread: thread.or(last.thread), ..last }
        }
    };
    let route = send::kept(state, last.channel.as_deref(), last.account.as_deref(), &last.to)?;
    Ok(Address {
        channel: route.channel.id.to_string(),
        account: route.account,
        peer: route.place.peer,
        thread: last.thread.or(route.place.thread),
        reply_to: None,
    })
}

/// The channel on which somebody was heard of last in a session.
pub(super) fn last_channel(state: &State, session: &str) -> Option<String> {
    last_of(&state.sessions.get(session)?)?.channel
}

/// Where somebody was last.
struct Last {
    channel: Option<String>,
    to: String,
    account: Option<String>,
    thread: Option<String>,
}

/// The members that the original program keeps in an entry.
fn last_of(entry: &Entry) -> Option<Last> {
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let of = |flat: &str, name: &str| {
        let context = || entry.get("deliveryContext")?.get(name).and_then(text);
        entry.get(flat).and_then(text).or_else(context)
    };
    Some(Last {
        channel: of("lastChannel", "channel"),
        to: of("lastTo", "to")?,
        account: of("lastAccountId", "accountId"),
        thread: of("lastThreadId", "threadId"),
    })
}
