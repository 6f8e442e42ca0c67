//! Questions on a terminal, a line each: what `onboard` and `configure` ask with.
//!
//! Plain prompts that work on every terminal and over every line. An empty answer takes the default. What is typed
//! as a secret is not echoed, and a signal that ends the program meanwhile does so with the echo back. The end of the
//! input ends the command.
use crate::cli::print::Printer;
use crate::error::{Error, Kind, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::io::{BufRead, BufReader, Stdin, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Wrong answers in a row until the command gives up.
const TRIES: usize = 5;

pub struct Asker {
    input: Box<dyn BufRead>,
    out: Printer,
    ends: Ends,
}

impl Asker {
    /// Asks on the terminal. Fails when there is none; `instead` names what works without.
    pub fn terminal(out: Printer, instead: &str) -> Result<Asker> {
        if !isatty(stdin()) || !out.interactive {
            return Err(Error::usage(format!("this asks questions and needs a terminal; {instead}")));
        }
        let ends = Ends::watch().map_err(|e| Error::io("watch for signals", e))?;
        Ok(Asker { input: Box::new(BufReader::new(stdin())), out, ends })
    }

    /// A text; the default is shown in brackets, an empty one is not.
    pub fn text(&mut self, question: &str, default: &str) -> Result<String> {
        let hint = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        self.out.prompt(&format!("{question}{hint}"));
        let line = self.line()?;
        Ok(if line.is_empty() { default.to_string() } else { line })
    }

    /// A text that `accept` turns into a value, asked again when it does not.
    pub fn valid<T>(
        &mut self,
        question: &str,
        default: &str,
        accept: impl Fn(&str) -> Result<T>,
    ) -> Result<T> {
        self.again(question, |asker| accept(&asker.text(question, default)?))
    }

    /// The same for a text that is not shown.
    pub fn valid_secret<T>(&mut self, question: &str, accept: impl Fn(&str) -> Result<T>) -> Result<T> {
        self.again(question, |asker| accept(&asker.secret(question)?))
    }

    /// Asks until the answers will do, a few times; why they do not, is told.
    pub fn again<T>(&mut self, about: &str, mut ask: impl FnMut(&mut Asker) -> Result<T>) -> Result<T> {
        for _ in 0..TRIES {
            match ask(self) {
                Err(e) if e.kind != Kind::Aborted => {
                    self.out.line(format!("  {}", e.message().replace('\n', "\n  ")))
                }
                outcome => return outcome,
            }
        }
        Err(Error::usage(format!("no usable answer to {about:?}")))
    }

    pub fn yes(&mut self, question: &str, default: bool) -> Result<bool> {
        let hint = if default { "Y/n" } else { "y/N" };
        self.valid(&format!("{question} ({hint})"), "", |answer| match answer.to_ascii_lowercase().as_str() {
            "" => Ok(default),
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err(Error::usage("answer y or n")),
        })
    }

    /// One of several, by its number or its own text; gives its place.
    pub fn choice(&mut self, question: &str, options: &[String], default: usize) -> Result<usize> {
        self.out.line(question);
        for (place, option) in options.iter().enumerate() {
            self.out.line(format!("  {}) {}", place + 1, option));
        }
        let shown = (default + 1).to_string();
        self.valid("Number", &shown, |answer| {
            let by_number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let place = by_number.or_else(|| options.iter().position(|option| option == answer));
            let place = place.filter(|place| *place < options.len());
            place.ok_or_else(|| Error::usage(format!("answer a number from 1 to {}", options.len())))
        })
    }

    /// A text that is not shown while it is typed; may be empty.
    pub fn secret(&mut self, question: &str) -> Result<String> {
        self.out.prompt(question);
        self.ends.at_once.store(false, Ordering::SeqCst);
        let line = {
            let silent = Silence::begin();
            // Only a terminal is waited for; it gives one line at a time, so nothing was read ahead.
            if silent.before.is_none() || self.ends.wait() { self.line() } else { Ok(String::new()) }
        };
        self.out.line("");
        self.ends.at_once.store(true, Ordering::SeqCst);
        match self.ends.came.load(Ordering::SeqCst) {
            0 => line,
            signal => {
                // Ends the program as if nobody had waited; refused, the error does.
                let _ = low_level::emulate_default_handler(signal as i32);
                Err(Error::new(Kind::Aborted, "stopped by a signal"))
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.input.read_line(&mut line).map_err(|e| Error::io("read an answer", e))?;
        if read == 0 {
            return Err(Error::new(Kind::Aborted, "the input ended before all was asked; run it again"));
        }
        Ok(line.trim().to_string())
    }
}

/// The signals that end the program: while a secret is typed they wait until the terminal has its echo back.
#[derive(Default)]
struct Ends {
    /// Whether they do so at once.
    at_once: Arc<AtomicBool>,
    /// The one that came last, 0 for none.
    came: Arc<AtomicUsize>,
}

impl Ends {
    fn watch() -> std::io::Result<Ends> {
        let ends = Ends { at_once: Arc::new(AtomicBool::new(true)), ..Ends::default() };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            flag::register_conditional_default(signal, ends.at_once.clone())?;
            flag::register_usize(signal, ends.came.clone(), signal as usize)?;
        }
        Ok(ends)
    }

    /// Waits for a line on the terminal; `false` when one of the signals came instead.
    fn wait(&self) -> bool {
        // A signal interrupts the wait; one that comes right before it is seen after it.
        let pause = Some(Duration::from_millis(200));
        while self.came.load(Ordering::SeqCst) == 0 {
            let input = stdin();
            if crate::sys::poll(&mut [PollFd::new(&input, PollFlags::IN)], pause).is_ok_and(|ready| ready > 0)
            {
                return true;
            }
        }
        false
    }
}

/// The terminal without echo, until dropped.
struct Silence {
    terminal: Stdin,
    before: Option<Termios>,
}

impl Silence {
    fn begin() -> Silence {
        let terminal = stdin();
        let before = tcgetattr(&terminal).ok();
        if let Some(mut modes) = before.clone() {
            modes.local_modes.remove(LocalModes::ECHO);
            // Refused: the answer is seen while it is typed, which is no reason to stop.
            let _ = tcsetattr(&terminal, OptionalActions::Now, &modes);
        }
        Silence { terminal, before }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // As above.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, before);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One that gets these answers.
    pub fn answering(answers: &'static str) -> Asker {
        let (input, out) = (Box::new(answers.as_bytes()), Printer::new(None, true));
        Asker { input, out, ends: Ends::default() }
    }

    #[test]
    fn answers_and_defaults() {
        let mut asker = answering("\nmine\ny\n\nmaybe\nNO\n2\nb\n9\n\n");
        assert_eq!(asker.text("q", "d").unwrap(), "d");
        assert_eq!(asker.text("q", "d").unwrap(), "mine");
        assert!(asker.yes("q", false).unwrap());
        assert!(asker.yes("q", true).unwrap());
        assert!(!asker.yes("q", true).unwrap(), "asked again after nonsense");
        let options = ["a".to_string(), "b".to_string()];
        assert_eq!(asker.choice("q", &options, 0).unwrap(), 1);
        assert_eq!(asker.choice("q", &options, 0).unwrap(), 1);
        assert_eq!(asker.choice("q", &options, 0).unwrap(), 0, "asked again, then the default");
        assert_eq!(asker.text("q", "d").unwrap_err().kind, Kind::Aborted);
    }

    #[test]
    fn nonsense_does_not_ask_for_ever() {
        assert!(answering("x\nx\nx\nx\nx\nx\n").yes("q", true).is_err());
    }
}
