//! HTTP on the gateway's port: a table of routes and the worker that serves it.
//!
//! A route is one row: methods, path, who may ask, how much may be sent and how long it may take, handler. A handler
//! gets an `Exchange` and answers through its `Responder`, on the connection's own thread; it never sees the socket.
//! What no row has is a JSON 404. The worker takes its table as an argument, so that tests serve rows of their own.
mod access;
mod body;
pub mod canvas;
mod connection;
mod control;
mod exchange;
pub mod folder;
pub mod hooks;
mod invoke;
mod metrics;
mod openai;
mod out;
pub mod path;
mod probes;
mod refusal;
mod responder;
mod rpc;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod turn;
mod ui;

pub use exchange::Exchange;
pub use refusal::{Refusal, Shape};

use crate::config::Config;
use crate::door::Ticket;
use crate::door::head::Head;
use crate::error::Result;
use crate::net::peer::Ends;
use crate::state::shared::Shared;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Anybody, by whatever name he calls this machine: it says nothing but that it lives.
    Probe,
    /// Anybody who calls this machine by a name of its own. Who shows the secret is known to the handler all the same, and
    /// a wrong one is refused.
    Open,
    /// The same, and pages of other origins too: what is there is the same for everybody. Scripts of a page name their
    /// origin, and a page must be there to say why its origin may not connect.
    Page,
    /// Who shows the gateway's token or password.
    Secret,
    /// Who shows `hooks.token`, where webhooks are on; else there is no such path.
    Hook,
    /// Who shows the gateway's token or password, or as a part of the path the capability of a connection. Pages of any
    /// origin may ask.
    Canvas,
}

/// Which paths a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    Exact(&'static str),
    /// All below a folder, whose name ends in a slash.
    Below(&'static str),
    /// The folder of webhooks and all below it, where they are on.
    Hooks,
    Any,
}

pub struct Route {
    /// Who takes GET is asked by HEAD too.
    pub methods: &'static [&'static str],
    pub path: Path,
    pub auth: Auth,
    /// Largest body taken, bytes.
    pub max_body: usize,
    /// Within which the whole body must be there, and an answer of the gateway's state.
    pub time: Duration,
    pub handler: fn(Exchange) -> Result<()>,
    /// How its refusals look.
    pub shape: Shape,
}

static ROUTES: &[Route] = &[
    canvas::ROW,
    probe("/health", probes::live),
    probe("/healthz", probes::live),
    probe("/ready", probes::ready),
    probe("/readyz", probes::ready),
    probe("/startup", probes::startup),
    probe("/startupz", probes::startup),
    asks(Path::Exact("/v1/models"), openai::list),
    asks(Path::Below(path::NAMES), openai::one),
    takes("/v1/chat/completions", LARGE, openai::chat),
    takes("/v1/responses", LARGE, openai::responses),
    nothing_else("/v1/", Shape::Api),
    Route { shape: Shape::NotOk, ..takes("/tools/invoke", SMALL, invoke::invoke) },
    Route { shape: Shape::NotOk, ..takes("/api/v1/rpc", SMALL, rpc::rpc) },
    Route {
        methods: &["POST"],
        path: Path::Hooks,
        auth: Auth::Hook,
        max_body: 0,
        time: Duration::from_secs(30),
        handler: hooks::serve,
        shape: Shape::Flat,
    },
    secret("/metrics", metrics::serve),
    secret("/api/diagnostics/prometheus", metrics::serve),
    // Behind all others, for its paths begin with what is configured.
    page(Path::Exact("/")),
    page(Path::Any),
];

/// Bytes of a body: of a conversation with its pictures, twice of which fit beside all other work; and of a call.
const LARGE: usize = 8_000_000;
const SMALL: usize = 2 << 20;

/// For who shows the secret, by GET, in OpenAI's API.
const fn asks(path: Path, handler: fn(Exchange) -> Result<()>) -> Route {
    Route { methods: &["GET"], path, auth: Auth::Secret, max_body: 0, time: TIME, handler, shape: Shape::Api }
}

/// The same by POST, with a body.
const fn takes(path: &'static str, max_body: usize, handler: fn(Exchange) -> Result<()>) -> Route {
    Route { methods: &["POST"], max_body, ..asks(Path::Exact(path), handler) }
}

/// What is below this folder and in no row before is not there, and that is said in its shape.
const fn nothing_else(folder: &'static str, shape: Shape) -> Route {
    Route { methods: &[], path: Path::Below(folder), shape, ..probe(folder, probes::live) }
}

const TIME: Duration = Duration::from_secs(30);

const fn probe(path: &'static str, handler: fn(Exchange) -> Result<()>) -> Route {
    let (path, time) = (Path::Exact(path), Duration::from_secs(10));
    Route { methods: &["GET"], path, auth: Auth::Probe, max_body: 0, time, handler, shape: Shape::Bare }
}

const fn secret(path: &'static str, handler: fn(Exchange) -> Result<()>) -> Route {
    Route { auth: Auth::Secret, ..probe(path, handler) }
}

const fn page(path: Path) -> Route {
    Route { path, auth: Auth::Page, ..probe("", ui::serve) }
}

/// Serves the product's routes on a connection whose head is read.
pub fn serve(
    stream: &TcpStream,
    head: Head,
    ends: Ends,
    ticket: Ticket,
    until: Instant,
    shared: Arc<Shared>,
) {
    connection::serve(stream, head, ends, ticket, until, shared, ROUTES);
}

/// The same on the canvas's own port.
pub fn serve_canvas(
    stream: &TcpStream,
    head: Head,
    ends: Ends,
    ticket: Ticket,
    until: Instant,
    shared: Arc<Shared>,
) {
    connection::serve(stream, head, ends, ticket, until, shared, canvas::ROUTES);
}

/// The same on the port that controls browsers.
pub fn serve_control(
    stream: &TcpStream,
    head: Head,
    ends: Ends,
    ticket: Ticket,
    until: Instant,
    shared: Arc<Shared>,
) {
    connection::serve(stream, head, ends, ticket, until, shared, control::ROUTES);
}

impl Route {
    fn is_for(&self, path: &str, config: &Config) -> bool {
        match self.path {
            Path::Exact(own) => own == path,
            Path::Below(folder) => path.len() > folder.len() && path.starts_with(folder),
            Path::Hooks => hooks::is_below(config, path),
            Path::Any => true,
        }
    }

    fn takes(&self, method: &str) -> bool {
        self.methods.contains(&method) || (method == "HEAD" && self.methods.contains(&"GET"))
    }
}

/// How refusals of a request for this path look, by whatever method it asks.
fn shape(routes: &[Route], path: Option<&str>, config: &Config) -> Shape {
    let row = path.and_then(|path| routes.iter().find(|route| route.is_for(path, config)));
    row.map_or(Shape::Bare, |row| row.shape)
}

/// No row is for this path: what there is.
fn unknown(routes: &[Route], config: &Config) -> Refusal {
    let page = || format!("the control page at {}/", ui::base_path(config));
    let has_page = config.bool("gateway.controlUi.enabled");
    let named =
        routes.iter().filter(|route| !route.methods.is_empty()).filter_map(|route| match route.path {
            Path::Exact("/") | Path::Hooks => None,
            Path::Exact(path) => Some(path.to_string()),
            Path::Below(folder) => Some(format!("{folder}...")),
            Path::Any => (has_page && route.auth == Auth::Page).then(page),
        });
    let named: Vec<String> = named.collect();
    Refusal::new(
        404,
        format!("no such path; this port serves the WebSocket protocol and {}", named.join(", ")),
    )
}

/// The first row for this path and method.
fn find<'a>(
    routes: &'a [Route],
    method: &str,
    path: Option<&str>,
    config: &Config,
) -> std::result::Result<&'a Route, Refusal> {
    let rows = || routes.iter().filter(|route| path.is_some_and(|path| route.is_for(path, config)));
    // A row for any path does not make one known, and has none that is another's.
    let known = || rows().filter(|route| route.path != Path::Any);
    let others = || rows().filter(|_| known().next().is_none());
    if let Some(route) = known().chain(others()).find(|route| route.takes(method)) {
        return Ok(route);
    }
    let mut taken: Vec<&str> = known().flat_map(|route| route.methods.iter().copied()).collect();
    if let [only] = routes
        && only.path == Path::Any
    {
        taken = only.methods.to_vec();
    }
    if taken.is_empty() {
        let is_off = path.is_some_and(|path| hooks::is_off(config, path));
        return Err(if is_off { hooks::off(config) } else { unknown(routes, config) });
    }
    if taken.contains(&"GET") {
        taken.push("HEAD");
    }
    Err(Refusal::new(405, format!("use {}", taken.join(" or "))).with("Allow", taken.join(", ")))
}
