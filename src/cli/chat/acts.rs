//! What a line does that was entered: a command of the chat itself, or a message to the session.
use super::chatting::Chat;
use super::complete::LOCAL;
use super::named;
use super::row::{BOLD, DIM, PLAIN, RED, Styled};
use super::way::What;
use crate::clean::one_line;
use crate::cli::agent::named_session;
use crate::cli::attach;
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{Put, json};
use serde_json::Value;
use std::path::PathBuf;

/// What the frame has besides its params, and more.
const FRAME: usize = 512;

impl Chat {
    pub(super) fn submit(&mut self) {
        let (text, mut files) = self.line.message();
        // What a long paste names nobody typed.
        let (words, found) = named::files_in(self.line.text(), &self.words.home);
        let words = self.line.whole(words).0;
        let typed = self.line.text().to_string();
        if text.trim().is_empty() && files.is_empty() {
            return;
        }
        let shown: String = typed.chars().map(|c| self.line.shown(c).unwrap_or(c.to_string())).collect();
        self.line.clear();
        if !self.screen.is_plain {
            self.talk.echo(shown.trim_end());
        }
        let is_private = typed.starts_with(' ');
        if let Err(error) = self.history.add(&if is_private { format!(" {text}") } else { text.clone() }) {
            self.hints = super::row::text(RED, error.message(), self.screen.width(), 2);
        }
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        match first {
            "/exit" | "/quit" => self.is_over = true,
            "/help" => self.help(),
            "/session" => self.go_to(rest.trim()),
            "/image" => {
                let (path, words) = named::first(rest, &self.words.home);
                files.push(path);
                self.say(words.trim().to_string(), files);
            }
            _ => {
                self.tell_files(&found);
                files.extend(found);
                self.say(words, files);
            }
        }
        // What could not be sent may be mended.
        if self.failed_to_say {
            self.failed_to_say = false;
            self.line.set(&text);
        }
    }

    /// Which files go along, where only their paths are to be seen.
    fn tell_files(&mut self, files: &[PathBuf]) {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let names: Vec<String> = files.iter().map(name).collect();
        if !names.is_empty() && !self.screen.is_plain {
            let text = format!("  with {}", one_line(&names.join(", ")));
            self.talk.below_echo(super::row::text(DIM, &text, self.screen.width(), 4));
        }
    }

    fn say(&mut self, text: String, files: Vec<PathBuf>) {
        match self.params(&text, &files) {
            Ok((id, params)) => {
                // Without a connection it is sent when there is one again.
                self.way.ask("chat.send", &params, What::Sent(id.clone()));
                self.talk.sent(id, params);
            }
            Err(error) => {
                self.talk.note(RED, &format!("Not sent: {}", error.message()));
                self.failed_to_say = true;
            }
        }
    }

    fn params(&self, text: &str, files: &[PathBuf]) -> Result<(String, Value)> {
        let id = ids::uuid()?;
        let mut params = json!({"sessionKey": self.talk.key, "message": text, "idempotencyKey": id});
        if !files.is_empty() {
            let read =
                files.iter().map(|path| attach::read(path, "the message")).collect::<Result<Vec<_>>>()?;
            if let Some(map) = params.as_object_mut() {
                map.put("attachments", attach::all(read)?);
            }
            let most = self.way.hello().and_then(|hello| hello.pointer("/policy/maxPayload")?.as_u64());
            let size = params.to_string().len() + FRAME;
            if most.is_some_and(|most| size as u64 > most) {
                let most = most.unwrap_or_default();
                return Err(Error::usage(format!(
                    "with its files it is {size} bytes long; this gateway takes {most}"
                )));
            }
        }
        Ok((id, params))
    }

    fn go_to(&mut self, name: &str) {
        if name.is_empty() {
            return self.talk.note(
                PLAIN,
                &format!("This session is {}; /session <key> goes to another one.", self.talk.key.clone()),
            );
        }
        let nothing = Value::Null;
        let key = named_session(Some(name), None, self.way.hello().unwrap_or(&nothing));
        self.talk.leave(key);
        self.open();
    }

    fn help(&mut self) {
        let width = self.screen.width();
        for (name, args, doc) in LOCAL {
            let mut line = Styled::of(BOLD, &format!("{:<22}", format!("/{name} {args}")));
            line.put(PLAIN, doc);
            self.talk.out.extend(line.rows(width, 22, false));
        }
        let mut line = Styled::of(PLAIN, "Of the gateway (/commands says what they do): ");
        line.put(BOLD, &self.words.names().join(" "));
        self.talk.out.extend(line.rows(width, 2, false));
        let keys = "Tab completes. Up, Down, Ctrl-R: what was said before. Alt-Enter, or \\ at the end: a new line. Ctrl-C: \
                    stops the turn, else clears the line. @path sends a file along.";
        self.talk.note(DIM, keys);
        self.talk.out.push(Vec::new());
    }
}
