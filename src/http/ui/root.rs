//! A control page of the owner's choice, such as that of the original: files of `gateway.controlUi.root`. Runs on the
//! connection's own thread.
//!
//! The page is an application of one document: a path without an end such as `.js` that names no file is that document.
//! Nothing is put into it (SEC-39): what it wants to know it asks for. Its scripts that stand in the document may run
//! because their hashes are in the policy, and no others.
use super::unknown;
use crate::agents::own;
use crate::config::Config;
use crate::device::encoding::base64;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::responder::Responder;
use crate::http::{Exchange, Refusal, folder};
use ring::digest::{SHA256, digest};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest document, bytes.
const MAX_DOCUMENT: u64 = 1 << 20;
/// Folders of a deep address that are looked past.
const MOST_FOLDERS: usize = 8;
const DOCUMENT: &str = "index.html";
/// What belongs to others than the page, when it is at the root of all paths.
const OTHERS: [&str; 5] = ["__openclaw__/", "api/", "hooks/", "tools/", "v1/"];

/// Serves `below`, the path behind `gateway.controlUi.basePath`.
pub fn serve(exchange: Exchange, root: &Path, base: &str, below: &str) -> Result<()> {
    let is_others = base.is_empty() && OTHERS.iter().any(|start| below.starts_with(start));
    if is_others || below.split('/').any(|part| part.starts_with('.')) {
        return unknown(exchange);
    }
    let (config, env) = (exchange.shared.config(), &exchange.shared.env);
    if own::is_around(&config, env, root) {
        let text =
            "gateway.controlUi.root holds the gateway's own files: name a folder that has the page alone";
        return exchange.out.refuse(Refusal::new(503, text));
    }
    let open = |name: &str| open(&config, env, root, name);
    if let Some((name, file)) = beside(below).find_map(|name| Some((name, open(name)?))) {
        let out = guarded(exchange.out, "");
        return folder::send(out, exchange.head, folder::content_type(name), file);
    }
    if below != DOCUMENT && Path::new(below).extension().is_some() {
        return unknown(exchange);
    }
    match open(DOCUMENT) {
        Some(file) => document(exchange, file),
        None => {
            let text = "the folder of gateway.controlUi.root has no index.html: name the folder that has it";
            exchange.out.refuse(Refusal::new(503, text))
        }
    }
}

/// Where the file may be that a path means. A deep address of the application names its parts, which have an end such as
/// `.js`, as if they lay beside it.
fn beside(below: &str) -> impl Iterator<Item = &str> {
    let is_part = Path::new(below).extension().is_some();
    let names =
        std::iter::successors(Some(below), move |name| Some(name.split_once('/')?.1).filter(|_| is_part));
    names.take(MOST_FOLDERS).filter(|name| *name != DOCUMENT)
}

fn open(config: &Config, env: &Env, root: &Path, name: &str) -> Option<File> {
    if name.is_empty() || name.ends_with('/') {
        return None;
    }
    own::open(config, env, root, Path::new(name)).ok().flatten()
}

fn document(exchange: Exchange, file: File) -> Result<()> {
    let tag = folder::tag(&file)?;
    let mut text = String::new();
    let read = file.take(MAX_DOCUMENT).read_to_string(&mut text);
    read.map_err(|e| Error::io("read the control page", e))?;
    let out = guarded(exchange.out, &hashes(&text)).with("ETag", tag.clone());
    match folder::is_known(exchange.head, &tag) {
        true => out.bytes(304, "text/html; charset=utf-8", &[]),
        false => out.bytes(200, "text/html; charset=utf-8", text.as_bytes()),
    }
}

fn guarded<'a>(out: Responder<'a>, hashes: &str) -> Responder<'a> {
    let policy = format!(
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; \
         style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; font-src 'self' data: https://fonts.gstatic.com; \
         img-src 'self' data: blob: https:; media-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' ws: wss: data: blob:"
    );
    out.with("Content-Security-Policy", policy)
        .with("Cache-Control", "no-cache")
        .with("Referrer-Policy", "no-referrer")
        .with("X-Frame-Options", "DENY")
}

/// The scripts that stand in a document, as a policy names them.
fn hashes(text: &str) -> String {
    let mut hashes = String::new();
    let mut rest = text;
    while let Some((tag, behind)) = rest.split_once("<script").and_then(|(_, rest)| rest.split_once('>')) {
        let Some((script, behind)) = behind.split_once("</script") else { break };
        if !tag.contains("src=") {
            let hash = base64(digest(&SHA256, script.as_bytes()).as_ref());
            hashes.push_str(" 'sha256-");
            hashes.push_str(&hash);
            hashes.push('\'');
        }
        rest = behind;
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::hashes;

    #[test]
    fn i12_5_scripts_of_the_document_are_named_by_their_hashes() {
        assert_eq!(hashes("<p>none</p><script src=\"./a.js\"></script>"), "");
        // As `printf 'a()' | openssl dgst -sha256 -binary | base64` says.
        let want = " 'sha256-qVpDBgj7bpq5hMAcGp3AOc79J3Y1Z4HvySTwKrWDoy4='";
        assert_eq!(hashes("<html><script data-x=\"false\">a()</script><script>"), want);
    }
}
