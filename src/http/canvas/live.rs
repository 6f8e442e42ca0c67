//! Live reload: a WebSocket on which the gateway says `reload` when a file of the canvas has changed, and the page
//! nothing. Runs on the connection's own thread for as long as the page is looked at; its place is one of those for
//! answers that go on (`limits.httpStreams`).
use super::capability;
use super::watch::{Seen, Watch};
use crate::error::{Error, Kind, Result};
use crate::http::{Exchange, Refusal};
use crate::net::connection;
use std::io::Write;
use std::path::Path;

/// Whole frames from a server: a text; the end, since the gateway goes away (1001).
const RELOAD: &[u8] = b"\x81\x06reload";
const BYE: &[u8] = b"\x88\x02\x03\xe9";

pub fn follow(exchange: Exchange, root: &Path) -> Result<()> {
    let Exchange { head, path, shared, out, turn, .. } = exchange;
    if !shared.config().bool("canvasHost.liveReload") {
        return out.refuse(Refusal::new(404, "live reload is off: see canvasHost.liveReload"));
    }
    if !head.is_upgrade() {
        return out.with("Upgrade", "websocket").text(426, "upgrade required");
    }
    let answer = match connection::switching(head) {
        Ok(answer) => answer,
        Err((status, text)) => return out.refuse(Refusal::new(status, text)),
    };
    let mut watch = Watch::of(root);
    let mut stream = out.switch(&answer)?;
    // What let the page in may end before it does.
    let is_held = || capability(path).is_none_or(|(shown, _)| shared.capabilities.is_good(shown));
    let failed = |e| Error::io("watch the files of the canvas", e);
    while stream.is_wanted() && is_held() {
        match watch.wait(turn.stream).map_err(failed)? {
            Seen::Change => {
                stream.write_all(RELOAD).map_err(|_| Error::new(Kind::Aborted, "the page is gone"))?
            }
            // Whatever a page says here, it is no more than a goodbye.
            Seen::Word => break,
            Seen::Nothing => {}
        }
    }
    // Who is gone needs no goodbye.
    let _ = stream.write_all(BYE);
    stream.finish();
    Ok(())
}
