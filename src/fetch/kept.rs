//! A connection that is kept from call to call: to a platform's API that is asked again and again.
//!
//! Runs on the thread of its owner, one call at a time. Above `dial`, beside `http::send`, whose rules hold here too: no
//! redirects, no proxies of the environment. An own proxy is asked to connect through (CONNECT) for every address.
//! Knows of a call that failed whether its request may have arrived.
use super::dial::{Dialer, Lookup, Timeouts, Watch};
use super::http::{self, Answer, Fault};
use super::port;
use super::tls::Tls;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, Transport,
};
use ureq::{Proxy, ProxyProtocol, SendBody};

/// Servers close what is silent for a minute or so; a call never goes out on what may be closed under it.
const MAX_SILENCE: Duration = Duration::from_secs(45);

/// One connection, made when it is needed.
pub struct Kept {
    agent: ureq::Agent,
    watch: Arc<Watch>,
}

/// A request: POST with a body, GET without.
pub struct Request<'u, 'b> {
    pub url: &'u str,
    pub body: Option<Body<'b>>,
}

/// A body of known length, read while it is sent.
pub struct Body<'a> {
    pub content_type: &'a str,
    pub length: u64,
    pub read: &'a mut dyn Read,
}

/// Why there is no answer, and whether the request may have arrived all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub fault: Fault,
    pub may_have_arrived: bool,
}

impl Kept {
    /// Through this proxy, where one is named: `http://` or `https://`, with user and password if it wants them.
    pub fn new(proxy: Option<&str>) -> Result<Kept> {
        // Replaced by each call.
        let none = Timeouts { connect: Duration::ZERO, first_token: Duration::ZERO, idle: Duration::ZERO };
        let watch = Watch::new(&Cancel::new(), none);
        let proxy = proxy.map(read_proxy).transpose()?;
        let counter = Counter { watch: watch.clone(), has_proxy: proxy.is_some() };
        let chain =
            ConnectProxyConnector::default().chain(Unless(Dialer(watch.clone()))).chain(Tls).chain(counter);
        let config = http::settings()
            .proxy(proxy)
            .accept("application/json")
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(MAX_SILENCE)
            .build();
        let agent = ureq::Agent::with_parts(config, chain, Lookup(watch.clone()));
        Ok(Kept { agent, watch })
    }

    /// What becomes readable when a call may have been cancelled, see `Watch::listen`.
    pub fn listen(&self, bells: Vec<OwnedFd>) {
        self.watch.listen(bells);
    }

    /// Sends the request and waits for the head of the answer. The connection is kept if the answer is read to its end.
    pub fn send(
        &mut self,
        request: Request,
        cancel: &Cancel,
        times: Timeouts,
    ) -> std::result::Result<Answer, Failed> {
        self.watch.restart(cancel, times);
        let is_https = request.url.starts_with("https:");
        let length = request.body.as_ref().map_or(0, |body| body.length);
        let answered = match request.body {
            Some(body) => {
                let call = self.agent.post(request.url).header(CONTENT_TYPE, body.content_type);
                call.header(CONTENT_LENGTH, body.length.to_string()).send(SendBody::from_reader(body.read))
            }
            None => self.agent.get(request.url).call(),
        };
        answered.map(|response| Answer::new(response, &self.watch)).map_err(|e| {
            let fault = http::fault(e, &self.watch, is_https);
            // What did not leave in full was not carried out.
            let given = u64::try_from(self.watch.given()).unwrap_or(u64::MAX);
            Failed { fault, may_have_arrived: given > length }
        })
    }
}

fn read_proxy(text: &str) -> Result<Proxy> {
    let proxy = Proxy::new(text.trim()).ok();
    // The text is not repeated: it may hold a password.
    let known = |proxy: &Proxy| {
        matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
            && port::of(proxy.uri()).is_some()
    };
    proxy.filter(known).ok_or_else(|| {
        Error::config("the proxy is no http:// or https:// address: write it as http://host:port")
    })
}

/// Whether an address is one that calls can be made to.
pub fn is_address(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && port::of(&uri).is_some()
    })
}

/// Connects where no proxy did.
#[derive(Debug)]
struct Unless(Dialer);

impl<In: Transport> Connector<In> for Unless {
    type Out = Either<In, super::dial::Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> std::result::Result<Option<Self::Out>, ureq::Error> {
        match chained {
            Some(tunnel) => Ok(Some(Either::A(tunnel))),
            None => Ok(self.0.connect(details, None)?.map(Either::B)),
        }
    }
}

/// Counts what is given to the connection once it stands: the request, not what TLS and the proxy are told before it.
#[derive(Debug)]
struct Counter {
    watch: Arc<Watch>,
    has_proxy: bool,
}

impl<In: Transport> Connector<In> for Counter {
    type Out = Counted<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> std::result::Result<Option<Counted<In>>, ureq::Error> {
        // The connection to the proxy itself is made by the same chain, without the proxy in its configuration.
        let is_leg = self.has_proxy && is_direct(details.config);
        let watch = (!is_leg).then(|| self.watch.clone());
        Ok(chained.map(|inner| Counted { inner, watch }))
    }
}

fn is_direct(config: &Config) -> bool {
    config.proxy().is_none()
}

#[derive(Debug)]
struct Counted<In> {
    inner: In,
    watch: Option<Arc<Watch>>,
}

impl<In: Transport> Transport for Counted<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(
        &mut self,
        amount: usize,
        timeout: NextTimeout,
    ) -> std::result::Result<(), ureq::Error> {
        if let Some(watch) = &self.watch {
            watch.give(amount);
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> std::result::Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
