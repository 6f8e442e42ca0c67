//! What the gateway has answered, and what its going and coming back mean for the conversation.
use super::chatting::Chat;
use super::row::{BOLD, DIM, RED, Styled, YELLOW};
use super::said::message_text;
use super::way::What;
use crate::error::{Error, Result};
use crate::json::json;
use serde_json::Value;

impl Chat {
    /// Asks for what a chat begins with.
    pub(super) fn open(&mut self) {
        let session = json!({"sessionKey": self.talk.key, "limit": 8});
        self.way.ask("chat.startup", &session, What::Opened);
        self.way.ask("exec.approval.list", &json!({}), What::Waiting);
    }

    pub(super) fn answered(&mut self, what: What, answer: Result<Value>) {
        match (what, answer) {
            (What::Opened, Ok(told)) => self.opened(&told),
            // Another gateway, which knows no such method.
            (What::Opened, Err(_)) => self.head(""),
            (What::Sent(id), Ok(answer)) => self.sent(&id, &answer),
            (What::Sent(id), Err(error)) => {
                self.fail(&error);
                self.talk.end_run(&id, true);
            }
            (What::Stopped, Ok(answer)) => {
                // It has ended elsewhere, or with a gateway that was killed.
                if answer.get("aborted") == Some(&Value::Bool(false))
                    && let Some(run) = self.talk.under_way().map(str::to_string)
                {
                    self.talk.note(DIM, "(it does not run any more)");
                    self.talk.end_run(&run, true);
                }
            }
            (What::Sessions, Ok(list)) => {
                let rows = list.get("sessions").and_then(Value::as_array).into_iter().flatten();
                let keys = rows.filter_map(|row| row.get("key").and_then(Value::as_str));
                self.words.sessions = keys.map(str::to_string).collect();
                self.offer_again();
            }
            (What::Waiting, Ok(list)) => {
                list.as_array().into_iter().flatten().for_each(|request| self.talk.asks(request));
            }
            (What::Ended(id), Ok(state)) => self.ended(&id, &state),
            (What::Missed(id), Ok(history)) => {
                let messages = history.get("messages").and_then(Value::as_array).into_iter().flatten();
                let is_said = |message: &&Value| message.get("role").is_some_and(|role| role == "assistant");
                let last = messages.rev().find(is_said).map(message_text).unwrap_or_default();
                self.talk.missed(&id, &last);
            }
            (What::Stopped | What::Sessions, Err(error)) => self.fail(&error),
            // Who may not see what waits is not asked; how a run ended is told by its events too.
            (What::Waiting | What::Ended(_) | What::Missed(_), Err(_)) => {}
        }
    }

    fn fail(&mut self, error: &Error) {
        self.talk.note(RED, &format!("Error: {}", error.message()));
    }

    fn opened(&mut self, told: &Value) {
        let text = |pointer: &str| told.pointer(pointer).and_then(Value::as_str);
        let model = match (text("/sessionInfo/modelProvider"), text("/sessionInfo/model")) {
            (Some(provider), Some(model)) => format!("{provider}/{model}"),
            _ => match (text("/defaults/modelProvider"), text("/defaults/model")) {
                (Some(provider), Some(model)) => format!("{provider}/{model}"),
                _ => String::new(),
            },
        };
        if let Some(key) = text("/sessionInfo/key") {
            self.talk.key = key.to_string();
        }
        self.words.learn(told.get("metadata").unwrap_or(&Value::Null));
        self.head(&model);
        let messages = told.get("messages").and_then(Value::as_array);
        self.talk.remind(messages.map_or(&[], Vec::as_slice));
    }

    fn head(&mut self, model: &str) {
        let mut line = Styled::of(BOLD, "openclaw chat");
        line.put(DIM, &format!("  {}  {model}", self.talk.key));
        self.talk.out.extend(line.rows(self.screen.width(), 2, false));
        self.talk.note(DIM, "/help: what there is; Ctrl-C stops a turn, Ctrl-D ends the chat");
        self.talk.out.push(Vec::new());
    }

    /// The gateway has a message, or had it already.
    fn sent(&mut self, id: &str, answer: &Value) {
        match answer.get("status").and_then(Value::as_str) {
            Some("ok" | "error") => {
                self.ask_for_the_end(id);
            }
            Some(_) => {
                self.talk.runs.iter_mut().filter(|run| run.id == id).for_each(|run| run.is_taken = true)
            }
            // A word that stops all is no turn.
            None => {
                if answer.get("aborted") == Some(&Value::Bool(false)) {
                    self.talk.note(DIM, "(nothing is running)");
                }
                self.talk.end_run(id, true);
            }
        }
    }

    pub(super) fn lost(&mut self, error: &Error) {
        let text = match std::mem::take(&mut self.talk.ends) {
            true => "The gateway restarts or ends; the chat goes on when it is back.".to_string(),
            false => format!("The connection is lost: {}", error.message()),
        };
        self.talk.note(YELLOW, &text);
    }

    /// A new connection: what was not taken is sent again by the same key, so that it is answered once; how the others
    /// went is asked.
    pub(super) fn back(&mut self) {
        self.talk.note(DIM, "Connected again.");
        self.talk.forget_speaker();
        self.way.ask("exec.approval.list", &json!({}), What::Waiting);
        let (taken, untaken): (Vec<_>, Vec<_>) = self.talk.runs.iter().partition(|run| run.is_taken);
        for run in untaken {
            self.way.ask("chat.send", &run.params, What::Sent(run.id.clone()));
        }
        let taken: Vec<String> = taken.into_iter().map(|run| run.id.clone()).collect();
        taken.iter().for_each(|id| self.ask_for_the_end(id));
    }

    fn ask_for_the_end(&mut self, id: &str) {
        self.way.ask("agent.wait", &json!({"runId": id, "timeoutMs": 0}), What::Ended(id.to_string()));
    }

    fn ended(&mut self, id: &str, state: &Value) {
        // One that ended in the meantime has told so itself.
        if !self.talk.runs.iter().any(|run| run.id == id) {
            return;
        }
        match state.get("status").and_then(Value::as_str) {
            Some("ok") => {
                let params = json!({"sessionKey": self.talk.key, "limit": 4});
                self.way.ask("chat.history", &params, What::Missed(id.to_string()));
            }
            Some("error") => {
                let why = state.get("error").and_then(Value::as_str).unwrap_or("the turn failed");
                self.talk.note(RED, &format!("Error: {why}"));
                self.talk.end_run(id, true);
            }
            // It goes on; its events come.
            _ => {}
        }
    }
}
