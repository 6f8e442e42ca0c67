//! The way to the gateway: what is asked and what comes, and a new connection when one breaks.
//!
//! Reading waits for nothing; whoever owns this waits for its socket beside the keys. A new connection is made on a thread of
//! its own, `cli-connect`, since looking up, dialling and the handshakes block, and what is being typed must not wait.
use super::terminal::Signals;
use crate::cli::link::client::{self, Deadline};
use crate::cli::link::connect::{Session, connect};
use crate::cli::link::rpc;
use crate::cli::link::target::{Secret, Target};
use crate::error::{Error, Kind, Result};
use crate::threads;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

const STACK: usize = 256 << 10;
/// How long one try to connect, and one write, may take.
const TRY_MS: u64 = 10_000;
const WRITE_MS: u64 = 10_000;
/// Between tries: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// How often a gateway says that it is there, unless it tells.
const TICK_MS: u64 = 30_000;

/// What a request was for.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Opened,
    Sent(String),
    Stopped,
    Sessions,
    Waiting,
    /// How a run ended whose end was not heard.
    Ended(String),
    /// What it said.
    Missed(String),
}

/// What has come.
pub enum News {
    Event(String, Value),
    Answer(What, Result<Value>),
    /// The connection is gone; another one is being made.
    Lost(Error),
    Back,
    /// There will be none.
    Refused(Error),
}

/// Which gateway it is by now, and with which secret: its configuration may change while a chat goes on.
pub type Again = Arc<dyn Fn() -> Result<Target> + Send + Sync>;

/// What a try came to, and where it went.
type Came = (Target, Result<Session>);

pub struct Way {
    pub target: Target,
    state_dir: PathBuf,
    session: Option<Session>,
    asked: Vec<(String, What)>,
    news: VecDeque<News>,
    signals: std::os::unix::net::UnixStream,
    again: Again,
    coming: Option<Receiver<Came>>,
    pause: Duration,
    next_try: Option<Instant>,
    lost_at: Instant,
    heard_at: Instant,
}

/// Connects for a chat; the tools of its turns are told.
pub fn open(target: &Target, state_dir: &Path, deadline: Deadline) -> Result<Session> {
    let mut session = connect(target, state_dir, &["tool-events"], deadline)?;
    rpc::check_state_dir(target, &session.hello)?;
    session.client.set_deadline(Deadline::after(Instant::now(), 0));
    Ok(session)
}

/// Connects by what the configuration says now, or said last if it cannot be read; where the secret is refused that was
/// changed just then, by the new one.
fn open_again(last: Target, again: &Again, state_dir: &Path) -> Came {
    let deadline = || Deadline::after(Instant::now(), TRY_MS);
    let target = again().unwrap_or(last);
    let session = open(&target, state_dir, deadline());
    let is_refused = session.as_ref().is_err_and(|error| error.kind == Kind::Unauthorized);
    let changed = is_refused.then(|| again().ok()).flatten().filter(|newer| !is_same(newer, &target));
    match changed {
        Some(newer) => (newer.clone(), open(&newer, state_dir, deadline())),
        None => (target, session),
    }
}

/// Whether both are reached by the same address and secrets.
fn is_same(one: &Target, other: &Target) -> bool {
    let value = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.value.clone());
    let of = |target: &Target| (target.url.to_string(), value(&target.token), value(&target.password));
    of(one) == of(other)
}

impl Way {
    pub fn new(
        target: Target,
        again: Again,
        state_dir: PathBuf,
        session: Session,
        signals: &Signals,
    ) -> Result<Way> {
        let now = Instant::now();
        let signals = signals.waker().map_err(|e| Error::io("make a pair of sockets", e))?;
        let (asked, news, coming) = (Vec::new(), VecDeque::new(), None);
        let (session, pause) = (Some(session), PAUSE);
        Ok(Way {
            target,
            state_dir,
            session,
            asked,
            news,
            signals,
            again,
            coming,
            pause,
            next_try: None,
            lost_at: now,
            heard_at: now,
        })
    }

    /// What is waited for, while there is a connection.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.session.as_ref().map(|session| session.client.as_fd())
    }

    pub fn hello(&self) -> Option<&Value> {
        self.session.as_ref().map(|session| &session.hello)
    }

    /// Since when there is no connection.
    pub fn lost_since(&self) -> Option<Instant> {
        self.session.is_none().then_some(self.lost_at)
    }

    /// Asks; false where there is no connection.
    pub fn ask(&mut self, method: &str, params: &Value, what: What) -> bool {
        let Some(session) = &mut self.session else { return false };
        session.client.set_deadline(Deadline::after(Instant::now(), WRITE_MS));
        let sent = session.client.send(method, params);
        session.client.set_deadline(Deadline::after(Instant::now(), 0));
        match sent {
            Ok(id) => self.asked.push((id, what)),
            Err(error) => self.lose(error),
        }
        self.session.is_some()
    }

    /// What has come since the last time.
    pub fn news(&mut self) -> Vec<News> {
        match self.session.as_mut().map(|session| session.client.arrived()) {
            Some(Ok(frames)) => {
                if !frames.is_empty() {
                    self.heard_at = Instant::now();
                }
                frames.into_iter().for_each(|frame| self.take(frame));
            }
            Some(Err(error)) => self.lose(error),
            None => self.connect_again(),
        }
        let silence = self.patience();
        if self.session.is_some() && self.heard_at.elapsed() > silence {
            self.lose(Error::new(Kind::Unreachable, format!("nothing heard for {} s", silence.as_secs())));
        }
        self.news.drain(..).collect()
    }

    /// When to look again though nothing has come.
    pub fn next_look(&self) -> Option<Instant> {
        match self.session {
            Some(_) => Some(self.heard_at + self.patience() + Duration::from_secs(1)),
            None => self.next_try,
        }
    }

    /// Two of the gateway's signs of life may be late.
    fn patience(&self) -> Duration {
        let tick = self.hello().and_then(|hello| hello.pointer("/policy/tickIntervalMs")?.as_u64());
        Duration::from_millis(3 * tick.unwrap_or(TICK_MS).max(1000))
    }

    fn take(&mut self, mut frame: Value) {
        let text = |frame: &Value, name: &str| {
            frame.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
        };
        match text(&frame, "type").as_str() {
            "event" => {
                let payload = frame.get_mut("payload").map(Value::take).unwrap_or_default();
                self.news.push_back(News::Event(text(&frame, "event"), payload));
            }
            "res" => {
                let id = text(&frame, "id");
                if let Some(place) = self.asked.iter().position(|(asked, _)| *asked == id) {
                    let (_, what) = self.asked.remove(place);
                    self.news.push_back(News::Answer(what, client::outcome(&frame).cloned()));
                }
            }
            _ => {}
        }
    }

    fn lose(&mut self, error: Error) {
        let now = Instant::now();
        (self.session, self.lost_at, self.pause) = (None, now, PAUSE);
        self.next_try = Some(now + PAUSE);
        self.asked.clear();
        self.news.push_back(News::Lost(error));
    }

    fn connect_again(&mut self) {
        match self.coming.as_ref().map(|coming| coming.try_recv()) {
            Some(Ok((target, Ok(session)))) => {
                (self.session, self.coming, self.heard_at) = (Some(session), None, Instant::now());
                self.target = target;
                self.news.push_back(News::Back);
            }
            Some(Ok((target, Err(error)))) => {
                (self.target, self.coming) = (target, None);
                // Whoever starts may not know its clients yet, or have no room for them.
                let passes = matches!(
                    error.kind,
                    Kind::Unreachable | Kind::Unavailable | Kind::RateLimited | Kind::Io
                );
                match passes || client::is_lost(&error) {
                    true => self.try_later(),
                    false => self.news.push_back(News::Refused(error)),
                }
            }
            Some(Err(mpsc::TryRecvError::Disconnected)) => {
                self.coming = None;
                self.try_later();
            }
            Some(Err(mpsc::TryRecvError::Empty)) => {}
            None if self.next_try.is_some_and(|at| Instant::now() >= at) => self.begin(),
            None => {}
        }
    }

    fn try_later(&mut self) {
        self.next_try = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }

    fn begin(&mut self) {
        self.next_try = None;
        let (sender, receiver) = mpsc::channel();
        let (target, again, dir) = (self.target.clone(), self.again.clone(), self.state_dir.clone());
        let Ok(mut waker) = self.signals.try_clone() else { return self.try_later() };
        let work = move || {
            // The chat may have ended meanwhile.
            let _ = sender.send(open_again(target, &again, &dir));
            let _ = waker.write_all(&[1]);
        };
        match threads::bare("cli-connect", STACK, work) {
            Ok(_) => self.coming = Some(receiver),
            Err(_) => self.try_later(),
        }
    }
}
