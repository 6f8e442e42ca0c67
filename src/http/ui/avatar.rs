//! The picture of an agent, `avatar/<agent>` below the control page: the address of one elsewhere (`?meta=1`), or a file
//! of its workspace that is one. Runs on the connection's own thread. A picture is for everybody, as browsers show no secret for one.
use super::unknown;
use crate::agents::own;
use crate::error::Result;
use crate::http::{Exchange, folder};
use crate::json::json;
use crate::parts::Parts;
use crate::sessions::attachments::image_type;
use std::fs::File;
use std::os::unix::fs::FileExt;

pub fn serve(exchange: Exchange, id: &str) -> Result<()> {
    let agents = exchange.shared.agents();
    let is_meta = exchange
        .head
        .target
        .split_once('?')
        .is_some_and(|(_, query)| query.split('&').any(|part| part == "meta=1"));
    if is_meta {
        return exchange.out.json(200, json!({"avatarUrl": agents.picture_url(id)}));
    }
    let file = agents.picture_file(id).and_then(|path| {
        let (dir, config) = (agents.workspace(id), exchange.shared.config());
        Some((own::open(&config, &exchange.shared.env, &dir, &path).ok()??, path))
    });
    // Of a file of the gateway's own, another name stays when it is written anew: what no picture is, is not shown.
    let Some((file, path)) = file.filter(|(file, _)| is_picture(file)) else { return unknown(exchange) };
    // A drawing is a document too, when it is opened as one.
    let out = exchange
        .out
        .with("Content-Security-Policy", "default-src 'none'; sandbox")
        .with("Cache-Control", "no-cache");
    folder::send(out, exchange.head, folder::content_type(&path.to_string_lossy()), file)
}

/// Whether a file begins like a picture: one of those that agents are shown too, an icon, or a drawing.
fn is_picture(file: &File) -> bool {
    let mut bytes = [0; 256];
    let length = file.read_at(&mut bytes, 0).unwrap_or(0);
    let head = bytes.head(length);
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_drawing = ["<svg", "<?xml", "<!--", "<!doctype svg"]
        .iter()
        .any(|start| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)));
    image_type(head).is_some() || head.starts_with(&[0, 0, 1, 0]) || is_drawing
}
