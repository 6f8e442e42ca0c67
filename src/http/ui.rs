//! The control page: the program's own files (`ui/`) below `gateway.controlUi.basePath`, and what the page asks before it
//! may connect. Runs on the connection's own thread.
//!
//! What it serves is the same for everybody and holds no secret; whoever looks at it must prove himself on the WebSocket.
//! `index.html` names the other files by their version, so that those are kept for ever and an old page never loads a
//! part of a new one.
mod avatar;
mod pack;
mod root;

use crate::config::Config;
use crate::error::Result;
use crate::http::{Exchange, Refusal};
use crate::json::json;
use crate::net::origin;
use pack::File;

/// Only the page's own files, nothing inline, no text taken for HTML (SEC-39), framed by nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";
/// What pages ask for before they connect.
const ABOUT: &str = "control-ui-config.json";
const NO_CACHE: &str = "no-cache";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// All paths that no other row has.
pub fn serve(exchange: Exchange) -> Result<()> {
    let config = exchange.shared.config();
    if !config.bool("gateway.controlUi.enabled") {
        return unknown(exchange);
    }
    let base = base_path(&config);
    let path = exchange.path;
    let query = exchange.head.target.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
    let Some(below) = path.strip_prefix(&base).and_then(|rest| rest.strip_prefix('/')) else {
        return match path == base || path == "/" {
            true => {
                exchange.out.with("Location", format!("{base}/{query}")).text(302, "The page is below.\n")
            }
            false => unknown(exchange),
        };
    };
    let versioned =
        below.strip_prefix("a/").and_then(|rest| rest.strip_prefix(pack::VERSION)?.strip_prefix('/'));
    if let Some(id) = below.strip_prefix("avatar/") {
        return avatar::serve(exchange, id);
    }
    let root = config.str("gateway.controlUi.root").map(str::trim).filter(|root| !root.is_empty());
    if let Some(root) = root.filter(|_| below != ABOUT) {
        let root = exchange.shared.env.expand(root);
        return root::serve(exchange, &root, &base, below);
    }
    match (below, versioned) {
        (ABOUT, _) => about(exchange, &base),
        ("door.json", _) => door(exchange),
        ("" | "index.html", _) => send(exchange, "index.html", NO_CACHE),
        (_, Some(name)) => send(exchange, name, FOR_EVER),
        (name, None) => send(exchange, name, NO_CACHE),
    }
}

/// `/x`, or nothing.
pub fn base_path(config: &Config) -> String {
    let base = config.str("gateway.controlUi.basePath").unwrap_or_default().trim_matches('/');
    if base.is_empty() { String::new() } else { format!("/{base}") }
}

fn unknown(exchange: Exchange) -> Result<()> {
    let config = exchange.shared.config();
    exchange.out.refuse(super::unknown(super::ROUTES, &config))
}

fn send(exchange: Exchange, name: &str, cache: &'static str) -> Result<()> {
    let Some(file) = pack::find(name) else { return unknown(exchange) };
    let head = exchange.head;
    let etag = format!("\"{}\"", pack::VERSION);
    let is_known = head.all("if-none-match").flat_map(|v| v.split(',')).any(|v| v.trim().ends_with(&etag));
    let mut out = exchange
        .out
        .with("Cache-Control", cache)
        .with("ETag", etag)
        .with("Vary", "Accept-Encoding")
        .with("Content-Security-Policy", POLICY)
        .with("Referrer-Policy", "no-referrer")
        .with("X-Frame-Options", "DENY");
    if is_known {
        return out.bytes(304, file.content_type(), &[]);
    }
    if head.all("accept-encoding").flat_map(|v| v.split(',')).any(takes_gzip) {
        out = out.with("Content-Encoding", "gzip");
        return out.bytes(200, file.content_type(), file.gzip);
    }
    out.bytes(200, file.content_type(), &File::inflated(file))
}

/// Whether a part of `Accept-Encoding` allows gzip.
fn takes_gzip(part: &str) -> bool {
    let (name, weight) = part.split_once(';').unwrap_or((part, ""));
    let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
    name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
}

/// What a page may know before it connects, so that it can say why it will not be let in: how one proves oneself, and
/// whether its origin (`?origin=`) may connect. The WebSocket would tell the same.
fn door(exchange: Exchange) -> Result<()> {
    let (config, auth) = (exchange.shared.config(), exchange.shared.auth());
    let (_, query) = exchange.head.target.split_once('?').unwrap_or_default();
    let origin = query.split('&').find_map(|pair| pair.strip_prefix("origin=")).unwrap_or_default();
    let allowed = config.strings("gateway.controlUi.allowedOrigins");
    let host = exchange.head.get("host").unwrap_or_default();
    let is_allowed = origin::judge(origin, host, &allowed, &exchange.shared.own_names).is_ok();
    let body = json!({
        "mode": auth.mode.name(),
        "isConfigured": auth.secret.is_some(),
        "isOriginAllowed": is_allowed,
        "version": pack::VERSION,
    });
    exchange.out.json(200, body)
}

/// What the original's page asks for; it says what only the owner may know.
fn about(exchange: Exchange, base: &str) -> Result<()> {
    if exchange.caller.is_none() {
        let text = "Unauthorized: send the gateway's token or password as Authorization: Bearer <secret>";
        return exchange.out.refuse(Refusal::new(401, text).with("WWW-Authenticate", "Bearer"));
    }
    let agents = exchange.shared.agents();
    let id = agents.default_id();
    let identity = agents.identity(&id);
    let body = json!({
        "basePath": base,
        "assistantName": identity.get("name"),
        "assistantAvatar": identity.get("avatar"),
        "assistantAgentId": id,
        "serverVersion": crate::version::VERSION,
        "embedSandbox": "scripts",
        "terminalEnabled": false,
        "cliAgentsEnabled": false,
        "pluginAssetsRequireAuth": false,
        "pluginFrameGrants": [],
    });
    exchange.out.json(200, body)
}

#[cfg(test)]
mod tests {
    use super::takes_gzip;

    #[test]
    fn gzip_is_sent_to_whom_takes_it() {
        for part in ["gzip", " GZIP ", "gzip;q=0.5", "gzip; q=1"] {
            assert!(takes_gzip(part), "{part}");
        }
        for part in ["br", "gzip;q=0", "gzip; q=0.0", "xgzip", ""] {
            assert!(!takes_gzip(part), "{part}");
        }
    }
}
