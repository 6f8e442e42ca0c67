//! The canvas: pages that agents make, and the page on which they build surfaces (A2UI). Below `/__openclaw__/`, on the
//! gateway's port and on that of the canvas. Runs on the connection's own thread.
//!
//! Whoever asks shows the gateway's secret, or the capability of a connection as a part of the path (`access.rs`). What
//! is shown was written by models, so each answer makes a page of its own origin that no other page counts as its like
//! (SEC-16): it reads nothing of the gateway, and an action of its user goes to the app around it and nowhere else.
mod live;
mod watch;

use crate::agents::{Agents, own};
use crate::config::Config;
use crate::config::canvas::is_on;
use crate::env::Env;
use crate::error::Result;
use crate::http::folder;
use crate::http::responder::Responder;
use crate::http::{Auth, Exchange, Path, Refusal, Route, Shape};
use crate::net::connection::PUSH;
use crate::percent;
use std::fs::File;
use std::io::Read;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

/// Of both ports.
pub const ROW: Route = Route {
    methods: &["GET"],
    path: Path::Below("/__openclaw__/"),
    auth: Auth::Canvas,
    max_body: 0,
    time: Duration::from_secs(10),
    handler: serve,
    shape: Shape::Bare,
};
/// All that the canvas's own port serves.
pub static ROUTES: &[Route] = &[ROW];

/// Before a path, behind it the capability.
const CAPABILITY: &str = "/__openclaw__/cap/";
const FILES: &str = "/__openclaw__/canvas";
const SURFACES: &str = "/__openclaw__/a2ui";

/// A page may run and show what it likes, as a stranger to the gateway.
const SANDBOX: &str =
    "sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads; frame-ancestors 'self'";
/// The page of surfaces runs its own program only; pictures and sounds may be anywhere.
const SURFACE_POLICY: &str = "sandbox allow-scripts allow-forms allow-popups; default-src 'none'; \
    script-src 'self'; style-src 'self'; img-src * data: blob:; media-src * data: blob:; font-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// Largest page that the bridge is put into, bytes.
const MAX_PAGE: u64 = 8 << 20;
/// How a page reaches the app around it; and how it hears of changes.
const BRIDGE: &str = include_str!("../../../a2ui/bridge.js");
const RELOAD: &str = include_str!("../../../a2ui/reload.js");

/// The files of the page of surfaces.
const PAGE: [(&str, &[u8]); 4] = [
    ("index.html", include_bytes!("../../../a2ui/index.html")),
    ("a2ui.css", include_bytes!("../../../a2ui/a2ui.css")),
    ("bridge.js", BRIDGE.as_bytes()),
    ("a2ui.bundle.js", include_bytes!("../../../a2ui/a2ui.bundle.js")),
];

/// The folder with the pages.
pub fn root(config: &Config, env: &Env) -> PathBuf {
    match config.str("canvasHost.root").map(str::trim).filter(|root| !root.is_empty()) {
        Some(root) => env.expand(root),
        None => {
            let agents = Agents::of(config, env);
            agents.workspace(&agents.default_id()).join("canvas")
        }
    }
}

/// A path with its capability, if it bears one.
pub fn capability(path: &str) -> Option<(&str, &str)> {
    let (capability, rest) = path.strip_prefix(CAPABILITY)?.split_once('/')?;
    Some((capability, path.get(path.len() - rest.len() - 1..)?))
}

/// A path as it may be shown: what stands in the place of a capability is taken for one.
pub fn without_capability(path: &str) -> &str {
    match capability(path) {
        Some((_, path)) => path,
        None if path.starts_with(CAPABILITY) => CAPABILITY,
        None => path,
    }
}

fn serve(exchange: Exchange) -> Result<()> {
    let config = exchange.shared.config();
    if !is_on(&config, &exchange.shared.env) {
        return refuse(exchange, 404, "the canvas is off: see canvasHost.enabled");
    }
    let path = capability(exchange.path).map_or(exchange.path, |(_, path)| path);
    if path == PUSH {
        let root = root(&config, &exchange.shared.env);
        return live::follow(exchange, &root);
    }
    let below =
        |folder: &str| path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below(FILES), below(SURFACES)) {
        (Some(""), _) | (_, Some("")) => into_folder(exchange, path),
        (Some(rest), _) => file(exchange, &config, rest.trim_start_matches('/')),
        (_, Some(rest)) => surface(exchange, rest.trim_start_matches('/')),
        _ => refuse(
            exchange,
            404,
            "no such path; the canvas has /__openclaw__/canvas/ and /__openclaw__/a2ui/",
        ),
    }
}

fn refuse(exchange: Exchange, status: u16, text: &str) -> Result<()> {
    exchange.out.refuse(Refusal::new(status, text))
}

/// One of the files that come with the program.
fn surface(exchange: Exchange, name: &str) -> Result<()> {
    let name = if name.is_empty() { "index.html" } else { name };
    let Some((_, bytes)) = PAGE.iter().find(|(known, _)| *known == name) else {
        return refuse(exchange, 404, "not found");
    };
    guarded(exchange.out, SURFACE_POLICY).bytes(200, folder::content_type(name), bytes)
}

/// What every page of the canvas is sent with. A capability is a part of the page's address, which goes to nobody.
fn guarded<'a>(out: Responder<'a>, policy: &str) -> Responder<'a> {
    out.with("Content-Security-Policy", policy)
        .with("Referrer-Policy", "no-referrer")
        .with("Cache-Control", "private, no-cache")
}

/// A file of the folder, or the page of one of its folders.
fn file(exchange: Exchange, config: &Config, path: &str) -> Result<()> {
    let env = &exchange.shared.env;
    let dir = root(config, env);
    if own::is_around(config, env, &dir) {
        return refuse(
            exchange,
            503,
            "canvasHost.root holds the gateway's own files: name a folder for pages alone",
        );
    }
    // What begins with a dot is not for others to see.
    if path.split('/').any(|part| part.starts_with('.')) {
        return refuse(exchange, 404, "not found");
    }
    let is_folder = path.is_empty() || path.ends_with('/');
    if !is_folder
        && dir.join(path).is_dir()
        && open(config, env, &dir, &format!("{path}/index.html")).is_some()
    {
        return into_folder(exchange, path);
    }
    let name = if is_folder { format!("{path}index.html") } else { path.to_string() };
    let Some(file) = open(config, env, &dir, &name) else {
        return match is_folder {
            true => guarded(exchange.out, SANDBOX).bytes(404, "text/html; charset=utf-8", MISSING.as_bytes()),
            false => refuse(exchange, 404, "not found"),
        };
    };
    let out = guarded(exchange.out, SANDBOX);
    // A page asks for its own data as a stranger; who has its address may read it.
    let is_by_address = capability(exchange.path).is_some();
    let out = if is_by_address { out.with("Access-Control-Allow-Origin", "*") } else { out };
    match folder::content_type(&name) {
        page if page.starts_with("text/html") => {
            send_page(out, exchange.head, file, config.bool("canvasHost.liveReload"))
        }
        other => folder::send(out, exchange.head, other, file),
    }
}

/// A file that may be shown; a link leads nowhere, and none of the gateway's own files is one of the canvas.
fn open(config: &Config, env: &Env, dir: &FilePath, name: &str) -> Option<File> {
    let opened = own::open(config, env, dir, FilePath::new(name));
    opened.inspect_err(|e| crate::logging::debug!(target: "canvas", "{e}")).ok().flatten()
}

/// A page with the bridge to its app put in at its end.
fn send_page(out: Responder, head: &crate::door::head::Head, file: File, reloads: bool) -> Result<()> {
    const TYPE: &str = "text/html; charset=utf-8";
    // What is put in is another with another program or setting.
    let bridge = format!("-{}-{}\"", crate::version::VERSION, u8::from(reloads));
    let tag = folder::tag(&file)?.trim_end_matches('"').to_string() + &bridge;
    if folder::is_known(head, &tag) {
        return out.with("ETag", tag).bytes(304, TYPE, &[]);
    }
    let mut page = Vec::new();
    let read = (&file).take(MAX_PAGE).read_to_end(&mut page);
    if read.is_err() || page.len() as u64 == MAX_PAGE {
        use std::io::Seek;
        (&file).rewind().map_err(|e| crate::error::Error::io("read a page of the canvas", e))?;
        return folder::send(out, head, TYPE, file);
    }
    let script = format!("<script>{BRIDGE}{}</script>", if reloads { RELOAD } else { "" });
    let end = page.windows(7).rposition(|part| part.eq_ignore_ascii_case(b"</body>")).unwrap_or(page.len());
    page.splice(end..end, script.into_bytes());
    out.with("ETag", tag).with("Accept-Ranges", "none").bytes(200, TYPE, &page)
}

/// Sends a browser to a folder, whose own links would lead elsewhere without its slash.
fn into_folder(exchange: Exchange, path: &str) -> Result<()> {
    let name = percent::escaped(path.rsplit('/').next().unwrap_or_default(), b"");
    let query = exchange.head.target.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
    exchange.out.with("Location", format!("{name}/{query}")).text(302, "")
}

const MISSING: &str = "<!doctype html><meta charset=\"utf-8\"><title>Canvas</title>\
<style>body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem}</style>\
<h1>Nothing is here yet</h1><p>This folder has no <code>index.html</code>. Agents put pages into the folder \
<code>canvas</code> of their workspace (or <code>canvasHost.root</code>).\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i12_3_a_capability_is_taken_off_the_path_once() {
        assert_eq!(
            capability("/__openclaw__/cap/1-a/__openclaw__/canvas/x"),
            Some(("1-a", "/__openclaw__/canvas/x"))
        );
        assert_eq!(capability("/__openclaw__/cap/1-a/"), Some(("1-a", "/")));
        assert_eq!(capability("/__openclaw__/cap/1-a"), None);
        assert_eq!(capability("/__openclaw__/canvas/x"), None);
    }

    #[test]
    fn i12_3_where_the_canvas_is() {
        let dir = crate::config::testing::Dir::new();
        let (env, config) = (|vars: &[(&str, &str)]| dir.env(vars), |text: &str| dir.config(text));
        let plain = env(&[]);
        assert_eq!(root(&config("{}"), &plain), plain.default_workspace().join("canvas"));
        assert_eq!(root(&config("{canvasHost: {root: '~/c'}}"), &plain), plain.home.join("c"));
    }
}
