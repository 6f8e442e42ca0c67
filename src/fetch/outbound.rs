//! The one way in which an agent's tools fetch from the web: every hop is checked, nothing is sent along.
//!
//! Runs on a tool's thread. Above `http::send`, below `web_fetch`: it follows a few redirects, each judged anew by
//! the `guard` (SEC-30), each a fresh request that carries no credentials, cookies or referrer (SEC-31). One
//! deadline holds for all of it, and the body is cut at a number of bytes.
use super::dial::{Phase, Timeouts, Watch};
use super::guard::Guard;
use super::http::{self, Answer, Call, Fault};
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::parts::Parts;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::Uri;

/// What a fetch may cost.
pub struct Rules<'a> {
    pub allow_hosts: Vec<String>,
    pub max_redirects: usize,
    pub max_bytes: usize,
    /// For everything together.
    pub time: Duration,
    pub user_agent: Option<&'a str>,
}

/// What came.
pub struct Fetched {
    pub status: u16,
    /// Where it came from in the end.
    pub url: String,
    pub content_type: String,
    pub body: Vec<u8>,
    /// Whether there was more than `max_bytes`.
    pub is_cut: bool,
}

impl Rules<'_> {
    fn guard(&self) -> Guard {
        Guard { allow_hosts: self.allow_hosts.clone(), deadline: Instant::now() + self.time }
    }

    fn watch(&self, guard: &Guard, cancel: &Cancel) -> Arc<Watch> {
        let times = Timeouts { connect: self.time, first_token: self.time, idle: self.time };
        Watch::guarded(cancel, times, guard.clone())
    }
}

/// Fetches by GET. Statuses other than redirects are the caller's to judge.
pub fn get(url: &str, rules: &Rules, cancel: &Cancel) -> Result<Fetched> {
    let mut body = Vec::new();
    let fetched = get_into(url, rules, cancel, &mut body)?;
    Ok(Fetched { body, ..fetched })
}

/// One request to a service that whoever runs the gateway chose, with its key among the headers: never led elsewhere.
pub fn ask(call: &Call, rules: &Rules, cancel: &Cancel) -> Result<Fetched> {
    let guard = rules.guard();
    let uri = guard.check_url(call.url)?;
    let failed = |fault: Fault| failure(&uri, &fault, rules.time, cancel);
    let mut answer = http::send(call, &rules.watch(&guard, cancel)).map_err(failed)?;
    let mut body = Vec::new();
    let is_cut = read_body(&mut answer, rules.max_bytes, &mut body).map_err(failed)?;
    let (status, content_type) = (answer.status, std::mem::take(&mut answer.content_type));
    Ok(Fetched { status, url: call.url.to_string(), content_type, body, is_cut })
}

/// The same with the body written away as it comes.
pub fn get_into(url: &str, rules: &Rules, cancel: &Cancel, out: &mut dyn Write) -> Result<Fetched> {
    let guard = rules.guard();
    let agent = rules.user_agent.map(|name| ("user-agent".to_string(), name.to_string()));
    let accept = ("accept".to_string(), "text/html, application/json, text/*;q=0.9, */*;q=0.5".to_string());
    let headers: Vec<(String, String)> = std::iter::once(accept).chain(agent).collect();
    let mut url = url.trim().to_string();
    for _ in 0..=rules.max_redirects {
        let uri = guard.check_url(&url)?;
        let plain = uri.to_string();
        let watch = rules.watch(&guard, cancel);
        let failed = |fault: Fault| failure(&uri, &fault, rules.time, cancel);
        let mut answer =
            http::send(&Call { url: &plain, headers: &headers, body: None }, &watch).map_err(failed)?;
        let redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        match answer.location.take().filter(|_| redirect) {
            Some(location) => url = join(&uri, &location),
            None => {
                let is_cut = read_body(&mut answer, rules.max_bytes, out).map_err(failed)?;
                let (status, content_type) = (answer.status, std::mem::take(&mut answer.content_type));
                return Ok(Fetched { status, url: plain, content_type, body: Vec::new(), is_cut });
            }
        }
    }
    let max = rules.max_redirects;
    Err(Error::invalid(format!("the page redirects more than {max} times: fetch its final address directly")))
}

/// Whether there was more than `max` bytes.
fn read_body(answer: &mut Answer, max: usize, out: &mut dyn Write) -> std::result::Result<bool, Fault> {
    let (mut left, mut buf) = (max, [0; 8192]);
    loop {
        let n = answer.read(&mut buf)?;
        let taken = n.min(left);
        let kept = |e: std::io::Error| Fault::Unreachable(format!("what came cannot be kept ({e})"));
        out.write_all(buf.head(taken)).map_err(kept)?;
        left -= taken;
        if n == 0 || taken < n {
            return Ok(taken < n);
        }
    }
}

fn failure(uri: &Uri, fault: &Fault, time: Duration, cancel: &Cancel) -> Error {
    let host = uri.host().unwrap_or_default();
    let seconds = time.as_secs();
    let what = match fault {
        Fault::Cancelled => return cancel.error(),
        Fault::NoSuchHost => "its host name does not resolve; check the spelling".to_string(),
        Fault::Refused => "it refused the connection".to_string(),
        // The guard's refusal comes this way too, with its own sentence.
        Fault::Unreachable(text) => text.clone(),
        Fault::Tls(text) => format!("the TLS handshake failed ({text})"),
        Fault::Late(Phase::Connect) => format!("no connection within {seconds} s"),
        Fault::Late(_) => format!("the answer was not complete after {seconds} s"),
        Fault::Dropped => "it closed the connection before the answer was complete".to_string(),
        Fault::Coded(coding) => {
            format!("its answer is compressed as {coding:?}, which nobody asked for and which is not read")
        }
        Fault::Protocol(text) => format!("its answer is not proper HTTP ({text})"),
        Fault::TooLong => "its answer is too long".to_string(),
    };
    Error::new(Kind::Unavailable, format!("fetch from {host}: {what}"))
}

/// The absolute URL that `location` names for a page at `base`.
pub fn join(base: &Uri, location: &str) -> String {
    let location = location.split('#').next().unwrap_or_default().trim();
    let scheme = base.scheme_str().unwrap_or("https");
    let origin = format!("{scheme}://{}", base.authority().map_or("", |a| a.as_str()));
    let has_scheme = location.split(['/', '?']).next().is_some_and(|start| start.contains(':'));
    if has_scheme {
        location.to_string()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{origin}{location}")
    } else if location.is_empty() || location.starts_with('?') {
        format!("{origin}{}{location}", base.path())
    } else {
        let dir = base.path().rsplit_once('/').map_or("", |(dir, _)| dir);
        format!("{origin}{dir}/{location}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    /// Answers each connection with the next text and tells what was asked.
    fn serve(answers: Vec<String>) -> (u16, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tx, rx) = channel();
        let work = move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let n = stream.read(&mut request).unwrap();
                // The test may be over.
                let _ = tx.send(String::from_utf8_lossy(&request[..n]).into_owned());
                let _ = stream.write_all(answer.as_bytes());
            }
        };
        crate::threads::bare("test-web", 64 * 1024, work).unwrap();
        (port, rx)
    }

    fn rules(hosts: &[&str]) -> Rules<'static> {
        let allow_hosts = hosts.iter().map(|h| h.to_string()).collect();
        Rules {
            allow_hosts,
            max_redirects: 2,
            max_bytes: 10,
            time: Duration::from_secs(5),
            user_agent: Some("t/1"),
        }
    }

    fn page(head: &str, body: &str) -> String {
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[test]
    fn relative_addresses_are_joined() {
        let base: Uri = "http://h.com:81/a/b?c=d".parse().unwrap();
        for (location, want) in [
            ("https://x.com/y", "https://x.com/y"),
            ("javascript:x", "javascript:x"),
            ("//x.com/y#z", "http://x.com/y"),
            ("/y", "http://h.com:81/y"),
            ("y?u=http://q", "http://h.com:81/a/y?u=http://q"),
            ("?q", "http://h.com:81/a/b?q"),
            ("", "http://h.com:81/a/b"),
        ] {
            assert_eq!(join(&base, location), want, "{location}");
        }
    }

    #[test]
    fn sec_30_a_host_that_was_not_opted_in_is_never_asked() {
        let (port, asked) = serve(vec![page("200 OK", "secret")]);
        for host in ["127.0.0.1", "localhost", "0x7f.1"] {
            let error = get(&format!("http://{host}:{port}/"), &rules(&[]), &Cancel::new()).err().unwrap();
            assert!(
                error.message().contains("cannot fetch") || error.message().contains("not public"),
                "{error}"
            );
        }
        assert!(asked.try_recv().is_err());
    }

    #[test]
    fn sec_30_each_redirect_is_checked_and_they_are_counted() {
        let to = |url: &str| page(&format!("302 Found\r\nlocation: {url}"), "");
        let (port, asked) =
            serve(vec![to("/two"), page("200 OK\r\ncontent-type: Text/Plain", "0123456789abc")]);
        let url = format!("http://127.0.0.1:{port}/one");
        let got = get(&url, &rules(&["127.0.0.1"]), &Cancel::new()).unwrap();
        assert_eq!((got.status, got.content_type.as_str(), got.is_cut), (200, "text/plain", true));
        assert_eq!(
            (got.body.as_slice(), got.url),
            (&b"0123456789"[..], format!("http://127.0.0.1:{port}/two"))
        );
        let first = asked.recv().unwrap().to_lowercase();
        assert!(first.contains("get /one") && first.contains("user-agent: t/1"), "{first}");
        assert!(!first.contains("authorization") && !first.contains("cookie"), "{first}");

        let (port, _asked) = serve(vec![to("http://localhost/")]);
        let error =
            get(&format!("http://127.0.0.1:{port}/"), &rules(&["127.0.0.1"]), &Cancel::new()).err().unwrap();
        assert!(error.message().contains("localhost is or leads to"), "{error}");

        let (port, _asked) = serve(vec![to("/"), to("/"), to("/"), to("/")]);
        let error =
            get(&format!("http://127.0.0.1:{port}/"), &rules(&["127.0.0.1"]), &Cancel::new()).err().unwrap();
        assert!(error.message().contains("more than 2 times"), "{error}");
    }

    #[test]
    fn sec_30_a_slow_body_ends_at_the_deadline() {
        let slow = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let work = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let started = Instant::now();
            // A byte now and then, which is progress but no end.
            let mut sent = stream.write_all(slow.as_bytes()).is_ok();
            while sent && started.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(900));
                sent = stream.write_all(b"x").is_ok();
            }
        };
        crate::threads::bare("test-slow", 64 * 1024, work).unwrap();
        let rules = Rules { time: Duration::from_millis(300), ..rules(&["127.0.0.1"]) };
        let started = Instant::now();
        let error = get(&format!("http://127.0.0.1:{port}/"), &rules, &Cancel::new()).err().unwrap();
        assert!(
            started.elapsed() < Duration::from_secs(2) && error.message().contains("not complete"),
            "{error}"
        );
    }
}
