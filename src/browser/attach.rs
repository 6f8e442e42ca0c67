//! A browser that runs already, here or elsewhere: found at the address of its debugger, never started or ended. On the thread
//! of that browser's connection.
use super::cdp::Cdp;
use super::launch::{Plan, set_up};
use super::life::Run;
use super::world::Browser;
use crate::error::{Error, Result};
use crate::fetch::dial::{Timeouts, Watch};
use crate::fetch::http::{self, Call};
use crate::json;
use crate::parts::Parts;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connects to a browser that runs already, here or elsewhere.
pub fn attach(plan: &Plan) -> Result<Run> {
    let profile = &plan.profile;
    let url = profile.cdp_url();
    let absent = |why: &str| match profile.remote {
        Some(_) => Error::unavailable(format!(
            "the browser of profile {:?} at {url} is not reachable: {why}",
            profile.name
        )),
        None => Error::unavailable(format!(
            "Browser attachOnly is enabled and profile {:?} is not running: nothing answers at {url} ({why})",
            profile.name
        )),
    };
    let until = Instant::now() + plan.remote_time * 2;
    let socket = match url.split_once("://") {
        Some(("ws", _)) => url.clone(),
        Some(("http", _)) => asked(&url, plan.remote_time).map_err(|e| absent(e.message()))?,
        _ => {
            return Err(Error::config(format!(
                "browser.profiles.{}.cdpUrl: use an http:// or ws:// address; reach others by a tunnel (ssh -L)",
                profile.name
            )));
        }
    };
    let rest = socket.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // What it calls itself is what it was called by the client before; the address is the one that was asked.
    let asked_at = url.split_once("://").map_or("", |(_, rest)| rest);
    let host = asked_at.head(asked_at.find('/').unwrap_or(asked_at.len()));
    let with_port = if host.rsplit(']').next().is_some_and(|end| end.contains(':')) {
        host.to_string()
    } else {
        format!("{host}:80")
    };
    let address = with_port
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or_else(|| absent("its name has no address"))?;
    let stream =
        TcpStream::connect_timeout(&address, plan.remote_time).map_err(|e| absent(&e.to_string()))?;
    let (cdp, reader) = Cdp::open(stream, authority, if path.is_empty() { "/" } else { path }, until)
        .map_err(|e| absent(e.message()))?;
    let browser = Arc::new(Browser::new(cdp, None, None));
    set_up(&browser);
    Ok(Run {
        browser,
        reader,
        stderr: None,
        about: format!("attached to {url}"),
        _gate: None,
        _group: None,
        _lock: None,
    })
}

/// The address of the socket, as the debugger tells it.
fn asked(url: &str, time: Duration) -> Result<String> {
    let watch =
        Watch::new(&crate::cancel::Cancel::new(), Timeouts { connect: time, first_token: time, idle: time });
    let place = format!("{}/json/version", url.trim_end_matches('/'));
    let failed = |_| Error::unavailable("it did not answer");
    let mut answer = http::send(&Call { url: &place, headers: &[], body: None }, &watch).map_err(failed)?;
    let body = answer.read_all(64 << 10).map_err(failed)?;
    let told = json::read(&body, 1000, 10).unwrap_or_default();
    let url = told.get("webSocketDebuggerUrl").and_then(|url| url.as_str());
    url.map(str::to_string).ok_or_else(|| Error::unavailable("what answers is no debugger of a browser"))
}
