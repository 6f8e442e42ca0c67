//! The one outbound HTTP function: a request over `ureq`, answered as soon as the head is there.
//!
//! Runs on the calling thread (an agent run, the CLI). One connection per call: nothing is pooled, so no
//! stale connection can fail a run. Redirects are not followed, because the credentials in the headers
//! belong to one origin (SEC-31). Proxies of the environment are not used. Names the fault; the sentence
//! for people is made in `failure`.
use super::dial::{Connected, Dialer, Lookup, Phase, Trip, Watch};
use super::inflate::inflate;
use super::tls::Tls;
use super::trust::is_of_authority;
use crate::parts::Parts;
use crate::version::VERSION;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;
use ureq::BodyReader;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use ureq::unversioned::transport::Connector;

/// The most bytes of a coded body, and of what it holds.
const MAX_CODED: usize = 2 << 20;
const MAX_PLAIN: usize = 8 << 20;

/// A request: POST with a JSON body, GET without.
pub struct Call<'a> {
    pub url: &'a str,
    pub headers: &'a [(String, String)],
    pub body: Option<&'a [u8]>,
}

/// The head of the answer, and its body still to be read.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<Duration>,
    pub location: Option<String>,
    /// How the body is coded although nobody asked for it; empty where it is not.
    coding: String,
    /// What a coded body holds, as far as it was not read yet.
    plain: Option<Cursor<Vec<u8>>>,
    body: BodyReader<'static>,
    watch: Arc<Watch>,
}

/// What kept a call from being answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Cancelled,
    NoSuchHost,
    Refused,
    /// No route, or another failure of the network below TCP.
    Unreachable(String),
    Tls(String),
    Late(Phase),
    /// Closed or reset by the server.
    Dropped,
    /// Not HTTP, or not a request that can be made.
    Protocol(String),
    /// Compressed in this way, which is not read.
    Coded(String),
    /// Longer than the caller takes.
    TooLong,
}

/// Sends the request and waits for the head of the answer.
pub fn send(call: &Call, watch: &Arc<Watch>) -> Result<Answer, Fault> {
    let https = call.url.starts_with("https:");
    exchange(call, watch).map_err(|e| fault(e, watch, https))
}

/// What holds for every call, whatever its connection.
pub fn settings() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    ureq::config::Config::builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .input_buffer_size(16 * 1024)
        .output_buffer_size(16 * 1024)
        .user_agent(format!("openclaw/{VERSION}"))
        .accept("text/event-stream, application/json")
        .accept_encoding("identity")
}

fn exchange(call: &Call, watch: &Arc<Watch>) -> Result<Answer, ureq::Error> {
    let chain = Dialer(watch.clone()).chain(Tls).chain(Connected(watch.clone()));
    let agent = ureq::Agent::with_parts(settings().build(), chain, Lookup(watch.clone()));
    let response = match call.body {
        Some(body) => {
            let request = agent.post(call.url).header(CONTENT_TYPE, "application/json");
            call.headers.iter().fold(request, |r, (name, value)| r.header(name, value)).send(body)?
        }
        None => {
            call.headers.iter().fold(agent.get(call.url), |r, (name, value)| r.header(name, value)).call()?
        }
    };
    Ok(Answer::new(response, watch))
}

impl Answer {
    pub fn new(response: ureq::http::Response<ureq::Body>, watch: &Arc<Watch>) -> Answer {
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_string);
        let in_ms = header("retry-after-ms").and_then(|v| v.trim().parse().ok()).map(Duration::from_millis);
        let after = || retry_after(&header(RETRY_AFTER.as_str())?, crate::clock::now_ms());
        Answer {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase(),
            retry_after: in_ms.or_else(after),
            location: header(LOCATION.as_str()),
            coding: header(CONTENT_ENCODING.as_str()).unwrap_or_default().trim().to_ascii_lowercase(),
            plain: None,
            body: response.into_body().into_reader(),
            watch: watch.clone(),
        }
    }

    /// Reads what is there, waiting for at least one byte; 0 is the end. A coded body comes once it is complete.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, Fault> {
        let is_coded = !matches!(self.coding.as_str(), "" | "identity");
        if is_coded && self.plain.is_none() {
            self.plain = Some(Cursor::new(self.decoded()?));
        }
        match &mut self.plain {
            Some(plain) => plain.read(buf).map_err(|e| Fault::Protocol(e.to_string())),
            None => self.read_coded(buf),
        }
    }

    fn read_coded(&mut self, buf: &mut [u8]) -> Result<usize, Fault> {
        self.body.read(buf).map_err(|e| fault(e.into(), &self.watch, false))
    }

    /// Needs more stack than all who listen to a model together.
    #[inline(never)]
    fn decoded(&mut self) -> Result<Vec<u8>, Fault> {
        let (mut coded, mut buf) = (Vec::new(), [0; 8192]);
        loop {
            match self.read_coded(&mut buf)? {
                0 => break,
                n => coded.extend_from_slice(buf.head(n)),
            }
            if coded.len() > MAX_CODED {
                return Err(Fault::TooLong);
            }
        }
        let known = ["gzip", "x-gzip", "deflate"].contains(&self.coding.as_str());
        let plain = if known { inflate(&coded, MAX_PLAIN) } else { None };
        plain.ok_or_else(|| Fault::Coded(self.coding.chars().take(40).collect()))
    }

    /// Reads to the end, at most `max` bytes.
    pub fn read_all(&mut self, max: usize) -> Result<Vec<u8>, Fault> {
        let (mut all, mut buf) = (Vec::new(), [0; 8192]);
        loop {
            let n = self.read(&mut buf)?;
            if n == 0 {
                return Ok(all);
            }
            all.extend_from_slice(buf.head(n));
            if all.len() > max {
                return Err(Fault::TooLong);
            }
        }
    }

    /// The call's clock, to enter the next phase.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }
}

/// What the TLS library has a name for only.
fn words(text: &str) -> String {
    match is_of_authority(text) {
        true => "its certificate is that of an authority (CA:TRUE), which is taken from a server only where the file that NODE_EXTRA_CA_CERTS \
                 or SSL_CERT_FILE names holds the same"
            .to_string(),
        false => text.to_string(),
    }
}

/// What an error of a call means, by what its watch saw.
pub fn fault(e: ureq::Error, watch: &Watch, https: bool) -> Fault {
    use io::ErrorKind::*;
    match watch.trip() {
        Some(Trip::Cancelled) => return Fault::Cancelled,
        Some(Trip::Late(phase)) => return Fault::Late(phase),
        None => {}
    }
    let connecting = watch.phase() == Phase::Connect;
    match e {
        ureq::Error::HostNotFound => Fault::NoSuchHost,
        ureq::Error::Tls(text) => Fault::Tls(text.to_string()),
        ureq::Error::Rustls(e) => Fault::Tls(words(&e.to_string())),
        ureq::Error::Io(e) => match e.kind() {
            ConnectionRefused if connecting => Fault::Refused,
            ConnectionReset | ConnectionAborted | UnexpectedEof | BrokenPipe | WriteZero => Fault::Dropped,
            InvalidData if https => Fault::Tls(words(&e.to_string())),
            _ if connecting => Fault::Unreachable(e.to_string()),
            _ => Fault::Protocol(e.to_string()),
        },
        e => Fault::Protocol(e.to_string()),
    }
}

/// `Retry-After` as seconds or as an HTTP date; a day at most.
fn retry_after(text: &str, now_ms: u64) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse().map(Duration::try_from_secs_f64) {
        Ok(seconds) => seconds.ok()?,
        Err(_) => {
            let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?.as_millisecond();
            Duration::from_millis(u64::try_from(at).ok()?.saturating_sub(now_ms))
        }
    };
    Some(wait.min(Duration::from_secs(24 * 60 * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 1_795_224_708_000;
        let check = |text: &str, want: Option<u64>| {
            assert_eq!(retry_after(text, now), want.map(Duration::from_secs), "{text:?}");
        };
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("99999999", Some(86_400));
        check("Sat, 21 Nov 2026 01:31:58 GMT", Some(10));
        check("Sat, 21 Nov 2020 01:31:58 GMT", Some(0));
        check("soon", None);
        check("-3", None);
    }
}
