//! The loop of a chat: waits for keys, signals and frames at once, does what they ask for, draws what has changed.
use super::complete::Words;
use super::history::History;
use super::keys::{Key, Keys};
use super::line::Line;
use super::row::{DIM, Row};
use super::screen::{Live, Screen};
use super::talk::Talk;
use super::terminal::{Signals, Terminal};
use super::typing::Search;
use super::view::View;
use super::way::{News, Way};
use crate::cli::Context;
use crate::error::{Error, Result};
use crate::sys;
use rustix::event::{PollFd, PollFlags};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGWINCH};
use std::io::stdin;
use std::time::{Duration, Instant};

/// How long a lone Escape may be the beginning of something.
const ESCAPE: Duration = Duration::from_millis(50);
/// How often seconds are looked at, while they are shown.
const TICK: Duration = Duration::from_millis(200);

pub struct Chat {
    pub(super) way: Way,
    pub(super) talk: Talk,
    pub(super) screen: Screen,
    pub(super) line: Line,
    pub(super) history: History,
    pub(super) words: Words,
    pub(super) hints: Vec<Row>,
    pub(super) is_over: bool,
    /// How it ends if it ends badly.
    pub(super) failed: Option<Error>,
    /// What was entered last could not be sent.
    pub(super) failed_to_say: bool,
    keys: Keys,
    typed_at: Instant,
    pub(super) search: Option<Search>,
    /// Ctrl-C was pressed with nothing to stop or take away.
    pub(super) is_leaving: bool,
    pub(super) drawn: Live,
}

impl Chat {
    pub fn new(context: &Context, way: Way, key: String, is_plain: bool) -> Chat {
        let mut screen = Screen::new(context.out.color, is_plain);
        let (columns, rows) = Terminal::size();
        screen.resize(columns, rows);
        Chat {
            talk: Talk::new(key, screen.width(), context.out.color),
            history: History::load(&context.env.state_dir),
            words: Words::new(context.env.home.clone()),
            keys: Keys::new(is_plain),
            line: Line::default(),
            hints: Vec::new(),
            search: None,
            typed_at: Instant::now(),
            is_over: false,
            failed_to_say: false,
            is_leaving: false,
            failed: None,
            drawn: Live::default(),
            screen,
            way,
        }
    }

    pub fn is_answering(&self) -> bool {
        self.talk.under_way().is_some() && self.way.lost_since().is_none()
    }

    /// Until the end: the signal that brought it, if one did.
    pub fn converse(&mut self, mut terminal: Terminal, mut signals: Signals) -> Result<Option<i32>> {
        self.open();
        let mut ended = None;
        while !self.is_over && self.show() {
            let (typed, gone) = self.wait(&signals);
            let is_late = self.keys.is_open() && self.typed_at.elapsed() >= ESCAPE;
            for signal in signals.take() {
                match signal {
                    SIGTERM | SIGHUP => (self.is_over, ended) = (true, Some(signal)),
                    SIGINT => self.key(Key::Stop, &mut terminal)?,
                    SIGWINCH => self.resize(),
                    SIGCONT => self.resume(&mut terminal)?,
                    _ => {}
                }
            }
            if typed || gone {
                let bytes = Terminal::read();
                // A closed terminal, or the end of what was typed into one.
                self.is_over |= bytes.is_empty();
                self.keys.feed(&bytes);
                self.typed_at = Instant::now();
            }
            while let Some(key) = self.keys.next(is_late).filter(|_| !self.is_over) {
                self.key(key, &mut terminal)?;
            }
            let news = self.way.news();
            news.into_iter().for_each(|news| self.hear(news));
        }
        self.talk.end_message();
        self.show();
        self.screen.erase();
        self.screen.flush();
        drop(terminal);
        self.failed.take().map_or(Ok(ended), Err)
    }

    /// Waits for something: whether a key came, and whether the terminal is gone.
    fn wait(&self, signals: &Signals) -> (bool, bool) {
        let (input, wake) = (stdin(), PollFlags::IN);
        let mut fds = vec![PollFd::new(&input, wake), PollFd::new(&signals.wake, wake)];
        let socket = self.way.as_fd();
        fds.extend(socket.as_ref().map(|socket| PollFd::new(socket, wake)));
        let now = Instant::now();
        let shows_seconds = self.talk.under_way().is_some() || self.way.lost_since().is_some();
        let times = [
            self.keys.is_open().then_some(ESCAPE),
            (shows_seconds && !self.screen.is_plain).then_some(TICK),
            self.way.next_look().map(|at| at.saturating_duration_since(now)),
        ];
        // Interrupted by a signal, of which the flags tell.
        let _ = sys::poll(&mut fds, times.into_iter().flatten().min());
        let flags = fds.first().map_or(PollFlags::empty(), PollFd::revents);
        (flags.contains(PollFlags::IN), flags.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
    }

    /// Shows what has changed; whether the terminal is still there.
    fn show(&mut self) -> bool {
        let rows = std::mem::take(&mut self.talk.out);
        let live = self.live();
        if !rows.is_empty() || live != self.drawn {
            self.screen.put(&rows);
            self.screen.draw(&live);
            self.drawn = live;
        }
        if self.talk.under_way().is_none() && self.way.lost_since().is_none() {
            self.screen.ask("> ");
        }
        self.screen.flush()
    }

    fn live(&self) -> Live {
        let lost = self.way.lost_since().map(|since| {
            format!("connecting to {} ... {} s", self.way.target.url, since.elapsed().as_secs())
        });
        let prompt = match &self.search {
            Some(search) => &format!("(search: {}) ", search.what),
            None => "> ",
        };
        let view = View {
            open: self.talk.open(),
            status: lost.or(self.talk.status()),
            prompt,
            line: &self.line,
            hints: &self.hints,
            width: self.screen.width(),
            rows: self.screen.rows,
        };
        view.live()
    }

    /// What is being typed is not lost with a chat that ends by itself.
    fn keep_unsent(&mut self) {
        let (text, _) = self.line.message();
        let is_private = self.line.text().starts_with(' ');
        if !text.trim().is_empty() && !is_private && self.history.add(&text).is_ok() {
            self.talk
                .note(DIM, "What you were typing is in the history: Up brings it back in the next chat.");
        }
    }

    fn resize(&mut self) {
        let (columns, rows) = Terminal::size();
        self.screen.resize(columns, rows);
        self.screen.erase();
        self.drawn = Live::default();
        self.hints.clear();
        self.talk.set_width(self.screen.width());
    }

    pub(super) fn resume(&mut self, terminal: &mut Terminal) -> Result<()> {
        terminal.again()?;
        self.screen.begin_anew();
        self.drawn = Live::default();
        self.resize();
        Ok(())
    }

    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Event(event, payload) => self.talk.event(&event, &payload),
            News::Answer(what, answer) => self.answered(what, answer),
            News::Lost(error) => self.lost(&error),
            News::Back => self.back(),
            News::Refused(error) => {
                self.keep_unsent();
                self.failed = Some(error);
                self.is_over = true;
            }
        }
    }
}
