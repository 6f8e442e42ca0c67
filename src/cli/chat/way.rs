//! The way to the gateway: what is asked and what comes, and a new connection when one breaks.
//!
//! Reading waits for nothing; whoever owns this waits for its socket beside the keys. A new connection is made on a thread of
//! its own, `cli-connect`, since looking up, dialling and the handshakes block, and what is being typed must not wait.
use super::terminal::Signals;
use crate::cli::link::client::{self, Deadline};
use crate::cli::link::connect::{Session, connect};
use crate::cli::link::rpc;
use crate::cli::link::target::Target;
use crate::error::{Error, Kind, Result};
use crate::threads;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
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

pub struct Way {
    pub target: Target,
    state_dir: PathBuf,
    session: Option<Session>,
    asked: Vec<(String, What)>,
    news: VecDeque<News>,
    signals: std::os::unix::net::UnixStream,
    coming: Option<Receiver<Result<Session>>>,
    pause: Duration,
    next_try: Option<Instant>,
    lost_at: Instant,
    heard_at: Instant,
}

/// Connects for a chat; the tools of its turns are told.
pub fn open(target: &Target, state_dir: &std::path::Path, deadline: Deadline) -> Result<Session> {
    let mut session = connect(target, state_dir, &["tool-events"], deadline)?;
    rpc::check_state_dir(target, &session.hello)?;
    session.client.set_deadline(Deadline::after(Instant::now(), 0));
    Ok(session)
}

impl Way {
    pub fn new(target: Target, state_dir: PathBuf, session: Session, signals: &Signals) -> Result<Way> {
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
            Some(Ok(Ok(session))) => {
                (self.session, self.coming, self.heard_at) = (Some(session), None, Instant::now());
                self.news.push_back(News::Back);
            }
            Some(Ok(Err(error))) => {
                self.coming = None;
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
        let (target, dir) = (self.target.clone(), self.state_dir.clone());
        let Ok(mut waker) = self.signals.try_clone() else { return self.try_later() };
        let work = move || {
            // The chat may have ended meanwhile.
            let _ = sender.send(open(&target, &dir, Deadline::after(Instant::now(), TRY_MS)));
            let _ = waker.write_all(&[1]);
        };
        match threads::bare("cli-connect", STACK, work) {
            Ok(_) => self.coming = Some(receiver),
            Err(_) => self.try_later(),
        }
    }
}
