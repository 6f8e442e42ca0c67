//! What keys do in a chat: edit the line, look for what was said, complete, stop.
use super::chatting::Chat;
use super::complete::common;
use super::keys::Key;
use super::line::Part;
use super::named;
use super::row::{DIM, text};
use super::screen::Live;
use super::terminal::{Terminal, suspend};
use super::view::words;
use super::way::What;
use crate::error::Result;
use crate::json::json;
use crate::parts::Parts;

/// What is looked for, and where it was found.
pub(super) struct Search {
    pub(super) what: String,
    found: Option<usize>,
}

impl Chat {
    pub(super) fn key(&mut self, key: Key, terminal: &mut Terminal) -> Result<()> {
        self.hints.clear();
        let was_leaving = std::mem::take(&mut self.is_leaving);
        let key = match self.search.take() {
            Some(search) => match self.searching(search, key) {
                Some(key) => key,
                None => return Ok(()),
            },
            None => key,
        };
        match key {
            Key::Enter if self.screen.is_plain => {
                self.screen.answered();
                self.submit();
            }
            Key::Enter if self.line.before().ends_with('\\') && self.line.at() == self.line.text().len() => {
                self.line.take(&Key::Backspace);
                self.line.take(&Key::NewLine);
            }
            Key::Enter => self.submit(),
            Key::Paste(pasted) => match named::picture(&pasted, &self.words.home) {
                Some(picture) => self.line.put_part(Part::File(picture)),
                None => self.line.insert(&pasted),
            },
            Key::Tab => self.complete(),
            Key::Up | Key::Down => self.up_or_down(key == Key::Down),
            Key::Search => self.search = Some(Search { what: String::new(), found: None }),
            Key::Redraw => {
                self.screen.clear();
                self.drawn = Live::default();
            }
            Key::Suspend => {
                self.screen.erase();
                self.screen.flush();
                terminal.leave();
                suspend();
                self.resume(terminal)?;
            }
            Key::Close if self.line.is_empty() => self.is_over = true,
            Key::Close => drop(self.line.take(&Key::Delete)),
            Key::Stop => self.stop(was_leaving),
            key => drop(self.line.take(&key)),
        }
        Ok(())
    }

    /// Ctrl-C: the turn, the line, or the second time the chat.
    fn stop(&mut self, was_leaving: bool) {
        if let Some(run) = self.talk.under_way().map(str::to_string) {
            return self.abort(&run);
        }
        if !self.line.is_empty() {
            self.line.clear();
            return self.history.rewind();
        }
        self.is_over = was_leaving;
        self.is_leaving = true;
        self.hints = text(DIM, "Ctrl-C again ends the chat; so do Ctrl-D and /exit", self.screen.width(), 0);
    }

    fn abort(&mut self, run: &str) {
        let params = json!({"sessionKey": self.talk.key, "runId": run});
        if !self.way.ask("chat.abort", &params, What::Stopped) {
            self.talk.note(DIM, "(not sent)");
            self.talk.end_run(run, true);
        }
    }

    fn up_or_down(&mut self, is_down: bool) {
        if self.line.go(is_down) {
            return;
        }
        let now = self.line.message().0;
        if let Some(text) = self.history.go(is_down, &now).map(str::to_string) {
            self.line.set(&text);
        }
    }

    /// A key while something is looked for; gives it back where that ends the search and means something else.
    fn searching(&mut self, mut search: Search, key: Key) -> Option<Key> {
        let mut before = usize::MAX;
        match key {
            Key::Char(c) => search.what.push(c),
            Key::Paste(text) => search.what += text.lines().next().unwrap_or_default(),
            Key::Backspace => drop(search.what.pop()),
            Key::Search => before = search.found.unwrap_or(usize::MAX),
            Key::Stop | Key::Escape => {
                self.line.clear();
                return None;
            }
            Key::Enter | Key::Tab => return None,
            key => return Some(key),
        }
        let found = self.history.find(&search.what, before).map(|(at, text)| (at, text.to_string()));
        if let Some((at, text)) = found.filter(|_| !search.what.is_empty()) {
            search.found = Some(at);
            self.line.set(&text);
        }
        self.search = Some(search);
        None
    }

    /// Tab: as much of the word as is certain, else what there is.
    fn complete(&mut self) {
        let before = self.line.before().to_string();
        if before.starts_with("/session ") && self.words.sessions.is_empty() {
            self.way.ask("sessions.list", &json!({"limit": 100}), What::Sessions);
        }
        self.offer(&before);
    }

    /// The sessions have come that Tab asked for, unless something else was typed meanwhile.
    pub(super) fn offer_again(&mut self) {
        let before = self.line.before().to_string();
        if before.starts_with("/session ") {
            self.offer(&before);
        }
    }

    fn offer(&mut self, before: &str) {
        let (from, offered) = self.words.offer(before, &self.talk.waiting);
        let shared = common(&offered);
        if shared.len() > before.len() - from {
            self.line.complete(from, &shared);
        }
        match offered.as_slice() {
            [] => {}
            [one] if one.ends_with('/') => {}
            [_] => self.line.insert(" "),
            _ if shared.len() > before.tail(from).len() => {}
            _ => self.hints = words(&offered, self.screen.width()),
        }
    }
}
