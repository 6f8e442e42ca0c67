//! How updates leave the stand-in: `getUpdates` with its confirmations and conflicts, and the webhook's settings.
use super::super::{Value, json};
use super::Shared;
use super::params::Params;
use super::wire::{Answer, Refusal, bad, flood, refuse};
use super::world::Bot;
use std::time::{Duration, Instant};

const OTHER: &str = "terminated by other getUpdates request; make sure that only one bot instance is running";
const WEBHOOK: &str =
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
/// Within this time a repetition is slowed down, and a further conflict comes late.
const SOON: Duration = Duration::from_secs(3);
/// Answers are about this long at most.
const MAX_ANSWER: usize = 4 << 20;

pub fn get_updates(shared: &Shared, token: &str, params: &Params) -> Answer {
    let offset = params.number("offset").unwrap_or(0);
    let mut limit = params.number("limit").filter(|n| (1..=100).contains(n)).unwrap_or(100) as usize;
    let mut wait = Duration::from_secs(params.number("timeout").unwrap_or(0).clamp(0, 50) as u64);
    let allowed = params.nested("allowed_updates")?;
    let mut world = shared.lock();
    let bot = world.bots.get_mut(token).ok_or_else(|| refuse(401, "Unauthorized"))?;
    if bot.webhook.is_some() {
        return Err(refuse(409, WEBHOOK));
    }
    if let Some(kinds) = allowed.as_array() {
        bot.allowed = kinds.iter().filter_map(|kind| kind.as_str().map(str::to_string)).collect();
    }
    // The older one is ended, not this one.
    bot.poll += 1;
    let mine = bot.poll;
    let before = bot.last_offset.replace((offset, Instant::now()));
    if let Some((_, at)) = before.filter(|(last, at)| *last == offset && at.elapsed() < SOON) {
        wait = wait.max(SOON);
        if at.elapsed() < Duration::from_millis(50) {
            limit = 1;
        }
    }
    confirm(bot, offset);
    bot.waiting = Some(mine);
    shared.changed.notify_all();
    let until = Instant::now() + wait;
    loop {
        let bot = world.bots.get_mut(token).ok_or_else(|| refuse(401, "Unauthorized"))?;
        if bot.poll != mine || bot.webhook.is_some() {
            let why = if bot.webhook.is_some() { "terminated by setWebhook request" } else { OTHER };
            let is_late = bot.last_conflict.is_some_and(|at| at.elapsed() < SOON);
            bot.last_conflict = Some(Instant::now());
            drop(world);
            if is_late {
                std::thread::sleep(SOON);
            }
            return Err(refuse(409, why));
        }
        if bot.is_revoked {
            return Err(refuse(401, "Unauthorized"));
        }
        let left = until.saturating_duration_since(Instant::now());
        if !bot.queue.is_empty() || left.is_zero() || shared.is_stopped() {
            bot.waiting = None;
            return Ok(some(bot, limit));
        }
        world = shared.wait(world, left);
    }
}

/// Forgets what is below the offset; of a negative one all but the last so many.
fn confirm(bot: &mut Bot, offset: i64) {
    if offset < 0 {
        let keep = usize::try_from(-offset).unwrap_or(usize::MAX);
        let drop = bot.queue.len().saturating_sub(keep);
        bot.queue.drain(..drop);
    } else {
        bot.queue.retain(|(id, _)| *id >= offset);
    }
}

fn some(bot: &Bot, limit: usize) -> Value {
    let mut size = 0;
    let fits = bot.queue.iter().take(limit).take_while(|(_, update)| {
        size += update.to_string().len();
        size <= MAX_ANSWER
    });
    Value::Array(fits.map(|(_, update)| update.clone()).collect())
}

pub fn set_webhook(shared: &Shared, token: &str, params: &Params) -> Answer {
    let (url, secret) = (params.text("url"), params.text("secret_token"));
    let allowed = params.nested("allowed_updates")?;
    let mut world = shared.lock();
    let bot = world.bots.get_mut(token).ok_or_else(|| refuse(401, "Unauthorized"))?;
    if bot.webhook_set.is_some_and(|at| at.elapsed() < Duration::from_secs(1)) {
        return Err(flood(1));
    }
    bot.webhook_set = Some(Instant::now());
    if url.is_empty() {
        bot.webhook = None;
        return Ok(true.into());
    }
    check_webhook(&url, &secret)?;
    if let Some(kinds) = allowed.as_array() {
        bot.allowed = kinds.iter().filter_map(|kind| kind.as_str().map(str::to_string)).collect();
    }
    if params.flag("drop_pending_updates") {
        bot.queue.clear();
    }
    let most = params.number("max_connections").unwrap_or(40);
    bot.webhook = Some(json!({"url": url, "max_connections": most, "secret_token": secret}));
    shared.changed.notify_all();
    Ok(true.into())
}

fn check_webhook(url: &str, secret: &str) -> Result<(), Refusal> {
    let Some(rest) = url.strip_prefix("https://") else {
        return Err(bad("bad webhook: An HTTPS URL must be provided for webhook"));
    };
    let port = rest.split('/').next().and_then(|host| host.rsplit_once(':')).map_or("443", |(_, port)| port);
    if !["443", "80", "88", "8443"].contains(&port) {
        return Err(bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"));
    }
    if secret.len() > 256 || !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(bad("secret token contains unallowed characters"));
    }
    Ok(())
}

pub fn delete_webhook(shared: &Shared, token: &str, params: &Params) -> Answer {
    let mut world = shared.lock();
    let bot = world.bots.get_mut(token).ok_or_else(|| refuse(401, "Unauthorized"))?;
    if params.flag("drop_pending_updates") {
        bot.queue.clear();
    }
    bot.webhook = None;
    Ok(true.into())
}

pub fn webhook_info(shared: &Shared, token: &str) -> Answer {
    let world = shared.lock();
    let bot = world.bots.get(token).ok_or_else(|| refuse(401, "Unauthorized"))?;
    let mut info =
        json!({"url": "", "has_custom_certificate": false, "pending_update_count": bot.queue.len()});
    if let Some(webhook) = &bot.webhook {
        info["url"] = webhook["url"].clone();
        info["max_connections"] = webhook["max_connections"].clone();
    }
    if !bot.allowed.is_empty() {
        info["allowed_updates"] = json!(bot.allowed);
    }
    Ok(info)
}
