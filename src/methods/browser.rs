//! `browser.request`: the browser control service for clients, this machine's or that of a node. Done by a thread of its own, `gw-browse`, for a page may let
//! one wait; whoever asks is answered when it is done.
use super::local;
use crate::browser::{self, Asked};
use crate::calls::{Call, Whom};
use crate::cancel::Cancel;
use crate::error::{Error, Kind, Result};
use crate::params::{self, params};
use crate::state::State;
use crate::state::event::Answer;
use crate::state::nodes::Link;
use crate::threads;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// Requests at a time; they wait for pages mostly.
const MOST: usize = 16;
/// How long one may take, milliseconds.
const USUAL: f64 = 60_000.0;
const LONGEST: f64 = 600_000.0;

/// Who tells a node that its browser is meant.
const WHOM: Whom = Whom { name: "browser", scopes: &["operator.write"], run: None };

static RUNNING: AtomicUsize = AtomicUsize::new(0);

params! {
    struct Request {
        method: Option<String>,
        path: Option<String>,
        query: Value,
        body: Value,
        timeout_ms: Value,
    }
}

pub fn request(state: &mut State, call: Call, params: Value) -> Result<Answer> {
    let asked: Request = params::read(params)?;
    let given = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_string)
    };
    let (Some(method), Some(path)) = (given(&asked.method), given(&asked.path)) else {
        return Err(Error::invalid("method and path are required"));
    };
    let method = method.to_ascii_uppercase();
    if !matches!(method.as_str(), "GET" | "POST" | "DELETE") {
        return Err(Error::invalid("method must be GET, POST, or DELETE"));
    }
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let place = Place::take()?;
    let shared = state.shared.clone();
    let may_evaluate = call.caller.provenance.is_owners();
    let answer = call.clone();
    let here = here(state);
    let work = move || {
        let _place = place;
        let time = asked.timeout_ms.as_f64().filter(|ms| *ms > 0.0).unwrap_or(USUAL).min(LONGEST);
        let until = Instant::now() + Duration::from_millis(time as u64);
        let cancel = Cancel::new();
        let (query, body) = (&asked.query, &asked.body);
        let asked = Asked { method: &method, path: &path, query, body, until, cancel: &cancel, may_evaluate };
        let config = shared.config();
        let invoke = |params: Value| local::ask(&shared, &WHOM, "node.invoke", params, &cancel);
        let told = browser::afar::chosen(&config, &here).and_then(|node| match node {
            Some(node) => browser::afar::ask(&shared.env, &node, &asked, &invoke),
            None => browser::ask(&config, &shared.env, &asked),
        });
        call.answer(told.map(Into::into).map_err(on_the_wire));
    };
    let died = move |_| {
        answer.answer(Err(Error::unavailable("the browser control service failed; the log says more")))
    };
    threads::spawn("gw-browse", STACK, work, died)?;
    Ok(Answer::Later)
}

/// Nodes that are here and have a browser: id, name.
fn here(state: &State) -> Vec<(String, String)> {
    let able = |(id, link): (String, Link)| {
        let offers = link.about.commands.iter().any(|command| command == browser::afar::COMMAND);
        offers.then(|| (id, link.about.display_name.clone().unwrap_or_default()))
    };
    state.nodes.here().into_iter().filter_map(able).collect()
}

/// What clients of the original know: a mistake of theirs, or something that is not to be had; with the words beside.
fn on_the_wire(error: Error) -> Error {
    let kind = match error.kind {
        Kind::NotFound | Kind::Conflict | Kind::Forbidden => Kind::Invalid,
        Kind::AgentTimeout => Kind::Unavailable,
        kind => kind,
    };
    let words = error.message().to_string();
    let mut told = Error::new(kind, words.clone()).with("error", words);
    for (name, value) in error.details().into_iter().flatten() {
        told = told.with(name, value.clone());
    }
    told
}

/// One of the requests under way.
struct Place;

impl Place {
    fn take() -> Result<Place> {
        if RUNNING.fetch_add(1, Ordering::SeqCst) >= MOST {
            RUNNING.fetch_sub(1, Ordering::SeqCst);
            let text = format!("{MOST} requests to browsers are under way: try again when one has ended");
            return Err(Error::unavailable(text).retry_in(Duration::from_secs(1)));
        }
        Ok(Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}
