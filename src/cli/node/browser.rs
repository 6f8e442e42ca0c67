//! `browser.proxy`: a request to the browser control service of this machine, if one listens: its answer, and the files that
//! this names. Each waits on a thread of its own, `node-browser`.
use super::answer::Outcome;
use super::calls::{Answer, Call};
use super::host::Own;
use super::work::{Item, Over, What, Work};
use crate::config::{
    Config,
    ports::{self, Ports},
};
use crate::device::encoding::base64;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files;
use crate::http::folder;
use crate::json::{self, Put, json};
use crate::percent;
use crate::settings::Auth;
use crate::threads;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

const STACK: usize = 256 << 10;
/// Requests at a time, the usual and the longest time of one, bytes of an answer and of a file.
const MOST: usize = 4;
const USUAL: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(120);
const MAX_ANSWER: u64 = 8 << 20;
const MAX_FILE: u64 = 10 << 20;

fn address(env: &Env, config: &Config) -> SocketAddr {
    let own = Ports::of(ports::configured(env, config), env, config);
    SocketAddr::from((Ipv4Addr::LOCALHOST, own.browser_control))
}

/// Whether requests would be answered: announced is what is there.
pub fn is_there(env: &Env, config: &Config) -> bool {
    let is_off = |key: &str| config.get(key) == Some(&Value::Bool(false));
    let is_wanted = !is_off("browser.enabled") && !is_off("nodeHost.browserProxy.enabled");
    is_wanted && TcpStream::connect_timeout(&address(env, config), Duration::from_millis(300)).is_ok()
}

pub fn proxy(own: &Own, work: &mut Work, call: &Call) -> Answer {
    if work.count(|what| matches!(what, What::Browser)) >= MOST {
        return Answer::Now(Err(Error::unavailable(format!("{MOST} requests to the browser are under way"))));
    }
    let begun = (|| {
        let request = Request::of(&own.env, &call.params)?;
        let (sender, ringer, id) = (work.sender(), own.bell.ringer()?, call.id.clone());
        threads::bare("node-browser", STACK, move || {
            // The host may be at its end.
            let _ = sender.try_send(Over::Said(id, request.answer()));
            ringer.ring();
        })
    })();
    match begun {
        Ok(_) => {
            work.add(Item { call: call.bare(), process: None, what: What::Browser });
            Answer::Later
        }
        Err(error) => Answer::Now(Err(error)),
    }
}

struct Request {
    address: SocketAddr,
    head: String,
    body: String,
    time: Duration,
}

impl Request {
    fn of(env: &Env, params: &Value) -> Result<Request> {
        let config = Config::load(&mut env.clone())?;
        let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let path = text("path");
        let is_fit = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if path.is_empty() || !is_fit(path) {
            return Err(Error::invalid("INVALID_REQUEST: path required"));
        }
        let profile = text("profile");
        let allowed = config.get("nodeHost.browserProxy.allowProfiles").and_then(Value::as_array);
        let allowed: Vec<&str> = allowed.into_iter().flatten().filter_map(Value::as_str).collect();
        if !allowed.is_empty() && !allowed.contains(&profile) {
            return Err(Error::invalid("INVALID_REQUEST: browser profile not allowed"));
        }
        let query = params.get("query").and_then(Value::as_object).into_iter().flatten();
        let query =
            query.filter(|(name, value)| !value.is_null() && *name != "profile").map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
                format!("{}={}", percent::escaped(name, b""), percent::escaped(&value, b""))
            });
        let profile = Some(profile)
            .filter(|name| !name.is_empty())
            .map(|name| format!("profile={}", percent::escaped(name, b"")));
        let query = query.chain(profile).collect::<Vec<_>>().join("&");
        let method = match text("method").to_ascii_uppercase().as_str() {
            "POST" => "POST",
            "DELETE" => "DELETE",
            _ => "GET",
        };
        let body =
            params.get("body").filter(|body| !body.is_null()).map(Value::to_string).unwrap_or_default();
        let secret =
            Auth::resolve(&config, env, None, None, None)?.secret.map(|secret| secret.reveal().to_string());
        let address = address(env, &config);
        let bearer = secret.map(|secret| format!("Authorization: Bearer {secret}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} /{}{}{query} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{bearer}\r\n",
            path.trim_start_matches('/'),
            if query.is_empty() { "" } else { "?" },
            body.len(),
        );
        let millis = params.get("timeoutMs").and_then(Value::as_u64).filter(|ms| *ms > 0);
        Ok(Request { address, head, body, time: millis.map_or(USUAL, Duration::from_millis).min(LONGEST) })
    }

    fn answer(&self) -> Outcome {
        let failed = |e: std::io::Error| {
            Error::unavailable(format!("the browser control service of this machine ({}): {e}", self.address))
        };
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(2)).map_err(failed)?;
        stream.set_read_timeout(Some(self.time)).map_err(failed)?;
        stream.set_write_timeout(Some(self.time)).map_err(failed)?;
        stream.write_all([self.head.as_bytes(), self.body.as_bytes()].concat().as_slice()).map_err(failed)?;
        let mut bytes = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut bytes).map_err(failed)?;
        let (status, result) =
            parsed(&bytes).ok_or_else(|| failed(std::io::Error::other("its answer cannot be read")))?;
        if status >= 400 {
            let said = result.get("error").and_then(Value::as_str).map(str::to_string);
            return Err(Error::invalid(format!("Error: {}", said.unwrap_or(format!("HTTP {status}")))));
        }
        let mut files = Vec::new();
        for pointer in ["/path", "/imagePath", "/download/path"] {
            if let Some(path) =
                result.pointer(pointer).and_then(Value::as_str).filter(|path| path.starts_with('/'))
            {
                files.push(file(path)?);
            }
        }
        let mut payload = json!({"result": result});
        if let (Some(map), false) = (payload.as_object_mut(), files.is_empty()) {
            map.put("files", files);
        }
        Ok(payload)
    }
}

/// The status and the body of a whole answer.
fn parsed(bytes: &[u8]) -> Option<(u16, Value)> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(end) = answer.parse(bytes).ok()? else { return None };
    let body = bytes.get(end..)?;
    Some((answer.code?, json::read(body, 500_000, json::DEEPEST).unwrap_or_default()))
}

fn file(path: &str) -> Result<Value> {
    let bytes = files::read_bytes(Path::new(path), MAX_FILE)
        .map_err(|e| Error::invalid(format!("Error: browser proxy file read failed for {path}: {e}")))?;
    Ok(json!({"path": path, "base64": (base64(&bytes)), "mimeType": (folder::content_type(path))}))
}
