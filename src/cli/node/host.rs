//! The loop of the node host: connect, answer what is invoked, connect again. One thread, the command's own; while a
//! command runs it has one of its own (`processes/`).
use super::answer::{self, Outcome};
use super::bell::Bell;
use super::calls::{self, Answer, Call};
use super::place::Me;
use super::stats;
use super::work::{Told, Work};
use crate::cli::link::client::Deadline;
use crate::cli::link::connect::{Part, Session, connect_as};
use crate::cli::link::target::Target;
use crate::cli::print::Printer;
use crate::clock;
use crate::device::identity::Identity;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::json::{Put, json};
use rustix::event::{PollFd, PollFlags};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How long one try to connect, and one write, may take.
const TRY_MS: u64 = 10_000;
const WRITE_MS: u64 = 15_000;
/// Between tries: the first, the longest where nobody answers, and where a person has to do something.
const PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);
const APPROVAL: Duration = Duration::from_secs(5);
/// A connection that lived for less counts as a try.
const SHORT: Duration = Duration::from_secs(10);
/// How often the machine's state is told, which a gateway that is there answers, and how long nothing may be heard.
const TELL: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(90);
/// After its last work; what that needed is not kept until the next.
const CALM: Duration = Duration::from_millis(500);
/// Bytes of a frame where the gateway does not say.
const MAX_FRAME: u64 = 512 << 10;

/// What this machine's side knows of itself.
pub struct Own {
    pub env: Env,
    pub bell: Bell,
    pub has_browser: bool,
    out: Printer,
}

impl Own {
    pub fn say(&self, text: &str) {
        self.out.line(text);
    }
}

pub struct Host {
    own: Own,
    target: Target,
    me: Me,
    /// What was told last, so that each try does not tell it again.
    told: String,
}

impl Host {
    pub fn new(out: &Printer, env: Env, target: Target, me: Me, has_browser: bool) -> Result<Host> {
        let own = Own { env, bell: Bell::new()?, has_browser, out: *out };
        Ok(Host { own, target, me, told: String::new() })
    }

    /// Until a signal comes.
    pub fn serve(mut self) -> Result<()> {
        let mut pause = PAUSE;
        self.own.say(&format!("node host {}: connecting to {}", self.me.name, self.target.url));
        while !self.own.bell.is_over() {
            self.own.bell.set_free(true);
            let deadline = Deadline::after(Instant::now(), TRY_MS);
            let met = connect_as(&self.target, &self.own.env.state_dir, &self.part(), deadline);
            self.own.bell.set_free(false);
            let begun = Instant::now();
            let error = match met {
                Ok(session) => match self.attend(session) {
                    None => return Ok(()),
                    Some(error) => error,
                },
                Err(error) => error,
            };
            if begun.elapsed() > SHORT {
                pause = PAUSE;
            }
            self.own.bell.set_free(true);
            let wait = self.tell(&error, &mut pause);
            rest();
            self.own.bell.pause(wait);
            self.own.bell.set_free(false);
        }
        Ok(())
    }

    fn part(&self) -> Part {
        let own = &self.own;
        let caps: &[&str] = if own.has_browser { &["system", "browser"] } else { &["system"] };
        let path = own.env.program_dirs(&[]);
        let path = path.iter().map(|dir| dir.to_string_lossy().into_owned()).collect::<Vec<_>>().join(":");
        let (mut client, mut members) = (Map::new(), Map::new());
        client.put("displayName", self.me.name.as_str());
        client.put("instanceId", self.me.instance.as_str());
        members.put("caps", json!(caps));
        members.put("commands", json!(calls::commands(own)));
        members.put("pathEnv", path);
        Part { role: "node", id: "node-host", mode: "node", scopes: &[], client, members }
    }

    /// Says what went wrong, once, and how long to wait.
    fn tell(&mut self, error: &Error, pause: &mut Duration) -> Duration {
        let mut text = error.message().to_string();
        let mut wait = *pause;
        if error.kind == Kind::NotPaired {
            wait = APPROVAL;
            let id = error.details().and_then(|details| details.get("requestId")?.as_str());
            text = format!(
                "this machine waits to be approved as a node: on the gateway's host run `openclaw devices approve {}`",
                id.unwrap_or("--latest")
            );
        } else {
            *pause = (*pause * 2).min(MAX_PAUSE);
        }
        if let Some(after) = error.retry_after() {
            wait = wait.max(after);
        }
        if self.told != text {
            let shown = self.own.env.display_all(&text);
            self.own.out.warn(&format!("node host: {shown}"));
            self.told = text;
        }
        wait
    }

    /// Serves one connection; `None` at the end of the host, else why it is over.
    fn attend(&mut self, session: Session) -> Option<Error> {
        let link = Identity::load_or_create(&self.own.env.state_dir, clock::now_ms())
            .map(|identity| Link::new(session, identity.device_id));
        let mut link = match link {
            Ok(link) => link,
            Err(error) => return Some(error),
        };
        self.told.clear();
        self.own.say(&format!("node host connected to {} as {}", self.target.url, link.node));
        let mut work = Work::new();
        let over = link.serve(&self.own, &mut work);
        work.end();
        if over.is_none() {
            link.session.client.close();
        }
        over
    }
}

/// What the last work needed is let go of.
fn rest() {
    crate::sys::release_memory();
    crate::sys::release_code();
}

struct Link {
    session: Session,
    /// This device, as the gateway knows the node.
    node: String,
    max: usize,
    heard: Instant,
    tells: Instant,
    /// When what its last work needed is let go of.
    rests: Option<Instant>,
}

impl Link {
    fn new(mut session: Session, node: String) -> Link {
        let max = session.hello.pointer("/policy/maxPayload").and_then(Value::as_u64).unwrap_or(MAX_FRAME);
        session.hello = Value::Null;
        session.client.set_deadline(Deadline::after(Instant::now(), 0));
        let now = Instant::now();
        Link {
            session,
            node,
            max: usize::try_from(max).unwrap_or(usize::MAX),
            heard: now,
            tells: now,
            rests: None,
        }
    }

    fn serve(&mut self, own: &Own, work: &mut Work) -> Option<Error> {
        loop {
            if let Err(error) = self.turn(own, work) {
                return Some(error);
            }
            if own.bell.is_over() {
                return None;
            }
        }
    }

    fn turn(&mut self, own: &Own, work: &mut Work) -> Result<()> {
        let now = Instant::now();
        if now >= self.tells {
            self.tells = now + TELL;
            self.event(stats::EVENT, &stats::gather(&own.env))?;
            self.rests = Some(now + CALM);
        }
        if self.rests.take_if(|at| now >= *at).is_some() {
            rest();
        }
        let until = self.tells.min(self.heard + SILENCE);
        let until = self.rests.map_or(until, |at| at.min(until));
        let wait = until.saturating_duration_since(now).max(Duration::from_millis(1));
        {
            let client = self.session.client.as_fd();
            let mut fds = [PollFd::new(&client, PollFlags::IN), PollFd::new(&own.bell, PollFlags::IN)];
            // A wait that a signal ends is a turn without news.
            let _ = crate::sys::poll(&mut fds, Some(wait));
        }
        own.bell.clear();
        let frames = self.session.client.arrived()?;
        if !frames.is_empty() {
            self.heard = Instant::now();
            self.rests = Some(self.heard + CALM);
        } else if self.heard.elapsed() >= SILENCE {
            let text = format!("nothing heard of the gateway for {} s", SILENCE.as_secs());
            return Err(Error::new(Kind::Unreachable, text));
        }
        for frame in frames {
            self.take(&frame, own, work)?;
        }
        for Told { call, outcome, event } in work.take(self.max) {
            if let Some(event) = event {
                self.event("exec.finished", &event)?;
            }
            self.answer(&call, &outcome)?;
        }
        Ok(())
    }

    fn take(&mut self, frame: &Value, own: &Own, work: &mut Work) -> Result<()> {
        if frame.get("event").and_then(Value::as_str) != Some("node.invoke.request") {
            return Ok(());
        }
        let call = frame.get("payload").and_then(|payload| Call::read(payload, &self.node));
        match call {
            // Nobody could be answered.
            None => Ok(()),
            Some(Err((call, error))) => self.answer(&call, &Err(error)),
            Some(Ok(call)) => match calls::take(own, work, &call) {
                Answer::Now(outcome) => self.answer(&call, &outcome),
                Answer::Later => Ok(()),
            },
        }
    }

    fn answer(&mut self, call: &Call, outcome: &Outcome) -> Result<()> {
        self.send("node.invoke.result", &answer::result(call, outcome, self.max))
    }

    fn event(&mut self, name: &str, payload: &Value) -> Result<()> {
        self.send("node.event", &json!({"event": name, "payloadJSON": (payload.to_string())}))
    }

    /// What the gateway says to it changes nothing here.
    fn send(&mut self, method: &str, params: &Value) -> Result<()> {
        let client = &mut self.session.client;
        client.set_deadline(Deadline::after(Instant::now(), WRITE_MS));
        let sent = client.send(method, params);
        client.set_deadline(Deadline::after(Instant::now(), 0));
        sent.map(drop)
    }
}
