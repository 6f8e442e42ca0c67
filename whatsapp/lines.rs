//! The lines between the gateway and this program (docs/channel-programs.md). Any thread speaks; one listens.
use serde_json::{Map, Value, json};
use std::io::{BufRead, Write};

/// What the gateway says.
#[derive(Debug, Clone, PartialEq)]
pub struct Line(pub Map<String, Value>);

impl Line {
    pub fn read(text: &str) -> Option<Line> {
        serde_json::from_str::<Map<String, Value>>(text).ok().map(Line)
    }

    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn is(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    pub fn kind(&self) -> &str {
        self.text("type")
    }
}

/// Says a line. Without a gateway that hears it there is nothing more to do.
pub fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    let text = format!("{line}\n");
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

pub fn log(level: &str, text: &str) {
    say(&json!({"type": "log", "level": level, "text": text}));
}

/// Listens until the gateway ends or goes; what it says is given on, questions of life are answered here.
pub fn listen(mut heard: impl FnMut(Line)) {
    for text in std::io::stdin().lock().lines() {
        let Ok(text) = text else { return };
        match Line::read(&text) {
            Some(line) if line.kind() == "ping" => say(&json!({"type": "pong"})),
            Some(line) if line.kind() == "end" => return,
            Some(line) => heard(line),
            None => log("warn", "the gateway said a line that is no JSON object"),
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Became {
    Confirmed(String),
    /// It may be handed over again after so many milliseconds.
    NotTaken(u64),
    /// Nothing can go out now, and why.
    NotNow(String),
    Refused(String),
    Unknown,
}

pub fn tell(id: &str, became: &Became) {
    let mut line = json!({"type": "result", "id": id});
    let more = match became {
        Became::Confirmed(message) => json!({"state": "confirmed", "messageId": message}),
        Became::NotTaken(ms) => json!({"state": "not_taken", "retryAfterMs": ms}),
        Became::NotNow(why) => json!({"state": "not_now", "why": why}),
        Became::Refused(why) => json!({"state": "refused", "why": why}),
        Became::Unknown => json!({"state": "unknown"}),
    };
    if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    say(&line);
}
