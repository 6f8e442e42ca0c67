//! The certificate of the gateway's own port: whether it can be used, until when, who can read its key.
use super::{Ctx, Finding, one};
use crate::clock;
use crate::tls::Place;

/// From here on there is something to do.
const SOON_DAYS: i64 = 21;

/// The files of a gateway that runs on this machine.
fn place(ctx: &Ctx) -> Option<Place> {
    Place::of(&ctx.config, &ctx.env).filter(|_| ctx.config.str("gateway.mode") != Some("remote"))
}

pub fn unusable(ctx: &Ctx) -> Vec<Finding> {
    let place = place(ctx).filter(|place| !place.is_to_be_made());
    one(place.and_then(|place| place.read().err()).map(|error| {
        let (what, fix) =
            error.message().split_once("\nFix: ").unwrap_or((error.message(), "see docs/tls.md"));
        Finding::new(what.to_string()).remedy(fix.to_string())
    }))
}

pub fn expires(ctx: &Ctx) -> Vec<Finding> {
    let found = place(ctx).and_then(|place| Some((place.facts().ok()?, place)));
    let days = found.as_ref().and_then(|(facts, _)| facts.days_left(clock::now_ms()));
    one(days.filter(|days| *days < SOON_DAYS).zip(found).map(|(days, (facts, place))| {
        let when = if days < 0 { "it has expired".to_string() } else { format!("{days} days are left") };
        Finding::new(format!("{}: {when} ({})", place.cert.display(), facts.describe())).remedy(
            "put a new certificate and its key there; a running gateway takes them by itself (without both files it makes them at the next start, and whoever pinned the old one must pin the new one)",
        )
    }))
}

pub fn key_open(ctx: &Ctx) -> Vec<Finding> {
    one(place(ctx).filter(Place::is_open).map(|place| {
        let key = place.key.display();
        Finding::new(format!("{key} can be read by every user of this machine"))
            .remedy(format!("chmod o= {key}"))
    }))
}

/// What is to be pinned elsewhere.
pub fn shown(ctx: &Ctx) -> Vec<Finding> {
    one(place(ctx).and_then(|place| match place.is_to_be_made() {
        true => Some(Finding::new("a certificate is made at the next start of the gateway")),
        false => Some(Finding::new(place.facts().ok()?.describe())),
    }))
}
