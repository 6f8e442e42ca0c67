//! The picture of an agent, `avatar/<agent>` below the control page: the address of one elsewhere (`?meta=1`), or a file
//! of its workspace. Runs on the connection's own thread. A picture is for everybody, as browsers show no secret for one.
use super::unknown;
use crate::agents::own;
use crate::error::Result;
use crate::http::{Exchange, folder};
use crate::json::json;

pub fn serve(exchange: Exchange, id: &str) -> Result<()> {
    let agents = exchange.shared.agents();
    let is_meta = exchange
        .head
        .target
        .split_once('?')
        .is_some_and(|(_, query)| query.split('&').any(|part| part == "meta=1"));
    if is_meta {
        return exchange.out.json(200, &json!({"avatarUrl": agents.picture_url(id)}));
    }
    let file = agents.picture_file(id).and_then(|path| {
        let (dir, config) = (agents.workspace(id), exchange.shared.config());
        Some((own::open(&config, &exchange.shared.env, &dir, &path).ok()??, path))
    });
    let Some((file, path)) = file else { return unknown(exchange) };
    // A drawing is a document too, when it is opened as one.
    let out = exchange
        .out
        .with("Content-Security-Policy", "default-src 'none'; sandbox")
        .with("Cache-Control", "no-cache");
    folder::send(out, exchange.head, folder::content_type(&path.to_string_lossy()), file)
}
