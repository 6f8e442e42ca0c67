//! Checks of the scheduled jobs: entries of their file that cannot run, or a file that cannot be read. Only looks.
use super::{Ctx, Finding};
use crate::clock;
use crate::cron::Book;
use crate::cron::store::{self, Place};
use crate::logging::quoted;

pub fn wrong(ctx: &Ctx) -> Vec<Finding> {
    if !ctx.is_readable() || ctx.config.str("gateway.mode") == Some("remote") {
        return Vec::new();
    }
    let place = Place::of(&ctx.config, &ctx.env);
    let (book, _) = Book::load(store::read(&place.jobs), clock::now_ms());
    let finding = |what: String| Finding::new(what).at(&place.jobs);
    let broken = book.broken.iter().map(|why| finding(why.clone()));
    let entries = book.wrong().map(|(id, why)| {
        finding(format!("job {} does not run: {why}", quoted(id)))
            .remedy("stop the gateway and mend the entry, or remove it: `openclaw cron rm`")
    });
    broken.chain(entries).collect()
}
