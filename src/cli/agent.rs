//! `openclaw agent`: one message to the agent, its answer streamed or printed at the end.
//!
//! The idempotency key is made once and names the run. When the connection breaks during the run, the run is
//! looked up by that key over a new connection; the message is only sent again when the gateway still knows
//! the key, so that it cannot be answered twice (R-10b, R-20b).
mod answer;
mod asking;
use super::interrupt::{self, Interrupt};
use super::link::client;
use super::link::client::Deadline;
use super::link::connect::{Session, connect};
use super::link::rpc;
use super::link::target::Target;
use super::parse::Args;
use super::stream::Stream;
use super::{Command, Context, Flag, JSON, chat};
use crate::error::{Kind, Result};
use crate::ids;
use crate::json::json;
use answer::{answer, fallback_note, is_cut, waits};
pub(super) use asking::named_session;
use asking::{params, with_session};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

pub const COMMAND: Command = Command {
    name: "agent",
    summary: "Send a message to the agent and print its answer",
    about: "Without --to, --session-id, --session-key or --agent the main session is used.\n\
            A message that begins with a slash is a command, as in a chat: /stop ends what runs in the session,\n\
            /new begins a new conversation, /help lists them. Ctrl-C stops the run that is waited for; any\n\
            other end of the command (SIGTERM, SIGHUP) leaves it going on the gateway.\n\
            On a terminal the answer is streamed as it is written; without a message a chat begins (openclaw chat).\n\
            A failed run exits 1; an answer that never came exits 75 and prints the key to repeat with.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw agent --message \"hello\"", "Ask in the main session and stream the answer"),
        ("openclaw agent -m \"sum up\" --session-key notes --json", "Print the final response as JSON"),
        ("openclaw agent -m \"what is this?\" --file photo.jpg", "Ask about a picture or a file"),
        ("openclaw agent -m report --deliver --reply-to 1001", "Send the answer to a chat too"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value("message", "<text>", "Send this text; - or none reads it from standard input").short('m'),
    Flag::value("message-file", "<path>", "Send the text of this file"),
    Flag::value("file", "<path>", "Attach a picture or a text file; may be repeated"),
    Flag::value("to", "<destination>", "Use the session of this contact, as a phone number").short('t'),
    Flag::value("session-id", "<id>", "Use the session with this id"),
    Flag::value("session-key", "<key>", "Use the session with this key"),
    Flag::value("agent", "<id>", "Use this agent's main session"),
    Flag::choice(
        "thinking",
        "<level>",
        &["off", "minimal", "low", "medium", "high", "xhigh"],
        "Set how much the model thinks",
    ),
    Flag::value(
        "timeout",
        "<time>",
        "End the run after this time, as 10m or 90 (seconds), 0 for never; default 10m",
    ),
    Flag::value("idempotency-key", "<key>", "Repeat a call safely: the same key takes effect once"),
    Flag::switch("no-wait", "Print the acceptance and do not wait for the answer"),
    Flag::switch("stream", "Stream the answer even when stdout is not a terminal"),
    Flag::switch("no-stream", "Print the answer when it is complete"),
    Flag::switch("deliver", "Send the answer on a channel too: where the session was last, or as named"),
    Flag::value("reply-to", "<destination>", "Deliver to this chat"),
    Flag::value("reply-channel", "<channel>", "Deliver on this channel"),
    Flag::value("reply-account", "<id>", "Deliver by this account"),
    Flag::value("channel", "<channel>", "Mean this channel with --to, and with --deliver"),
    JSON,
];

const DEFAULT_TIMEOUT_S: u64 = 600;
/// How long connecting may take when the run itself has no limit.
const CONNECT_MS: u64 = 10_000;
/// How long a gateway that went away during a run is waited for.
const RESUME_MS: u64 = 10_000;
/// What the gateway may take longer than the run's limit to say that it ended.
const GRACE_MS: u64 = 80;

fn run(context: &Context, args: &Args) -> Result<()> {
    if is_chat(args) && chat::is_possible() {
        return chat::converse(context, args, args.filled("session-key")?);
    }
    let (target, config) = rpc::target(context, args)?;
    let configured = || config.u64("agents.defaults.timeoutSeconds").unwrap_or(DEFAULT_TIMEOUT_S);
    let limit_ms = args.millis("timeout", 1000)?.unwrap_or_else(|| configured().saturating_mul(1000));
    let key = match args.value("idempotency-key") {
        Some(key) => key.to_string(),
        None => ids::uuid()?,
    };
    let call = Call { context, target, params: params(args, &key, limit_ms.div_ceil(1000))?, key, limit_ms };
    let mut stream = Stream::new(context.out, streams(context, args));
    let payload = call.outcome(&mut stream, !args.has("no-wait"));
    let payload = payload.inspect_err(|_| stream.finish());
    // The next call has a key of its own anyway, unless this one was given.
    let is_given = args.has("idempotency-key");
    let payload = payload.map_err(|e| if is_given { e } else { e.reworded(rpc::NEW_KEY, "") })?;
    if args.has("json") {
        context.out.json(&payload);
    } else if args.has("no-wait") {
        context.out.line(format!("Run {} accepted", &call.key));
    } else {
        stream.rest(&answer(&payload));
        if is_cut(&payload) {
            context.out.warn("note: the answer was cut at the length that the model may answer with (stopReason length): raise its maxTokens, or ask for less");
        }
    }
    if let Some(note) = fallback_note(&payload) {
        context.out.warn(&note);
    }
    Ok(())
}

/// Whether there is nothing to send, and nothing that only a message can have.
fn is_chat(args: &Args) -> bool {
    let of_a_message = [
        "message",
        "message-file",
        "file",
        "to",
        "session-id",
        "thinking",
        "timeout",
        "idempotency-key",
        "no-wait",
        "deliver",
        "reply-to",
        "json",
    ];
    !of_a_message.iter().any(|long| args.has(long))
}

fn streams(context: &Context, args: &Args) -> bool {
    let wanted = args.has("stream") || (context.out.interactive && !args.has("no-stream"));
    wanted && !args.has("json") && !args.has("no-wait")
}

/// One `agent` call, over one or more connections.
struct Call<'a> {
    context: &'a Context,
    target: Target,
    params: Map<String, Value>,
    key: String,
    /// Milliseconds the run may take; zero for no limit.
    limit_ms: u64,
}

impl Call<'_> {
    /// The run's final payload, or with `wait` off its acceptance.
    fn outcome(&self, stream: &mut Stream, wait: bool) -> Result<Value> {
        let deadline = match self.limit_ms {
            0 => Deadline::after(Instant::now(), 0),
            ms => Deadline::after(self.context.started, ms.saturating_add(GRACE_MS)),
        };
        let mut session = self.connect(deadline)?;
        let params = with_session(&self.params, &session.hello);
        let interrupt = Interrupt::watch(interrupt::Stop {
            out: self.context.out,
            target: self.target.clone(),
            run: self.key.clone(),
        })?;
        interrupt.note(params.get("sessionKey").and_then(Value::as_str));
        stream.begin();
        let id = session.client.send("agent", &params).map_err(|e| self.target.explain(e, false))?;
        let mut lost = match self.answer(&mut session, &id, stream, &interrupt, wait) {
            _ if interrupt.came() => return Err(interrupt::stopped(&self.key)),
            Err(error) if client::is_lost(&error) => error,
            answered => {
                session.client.close();
                return answered;
            }
        };
        stream.wait_for("connection lost; looking for the run again");
        let patience = Deadline::after(Instant::now(), RESUME_MS);
        while !deadline.has_passed() && !patience.has_passed() {
            match self.resumed(&params, deadline) {
                Ok(Some(payload)) => return Ok(payload),
                Ok(None) => break,
                Err(error) if client::is_lost(&error) || error.kind == Kind::Unreachable => lost = error,
                Err(error) => return Err(error),
            }
            let Ok(pause) = deadline.left(Duration::from_secs(1)) else { break };
            std::thread::sleep(pause);
        }
        Err(rpc::unknown_outcome("agent", Some(&self.key), &lost))
    }

    fn connect(&self, deadline: Deadline) -> Result<Session> {
        // A run without a limit is no reason to wait forever for a gateway that does not answer at all.
        let connecting =
            if self.limit_ms == 0 { Deadline::after(Instant::now(), CONNECT_MS) } else { deadline };
        let mut session = connect(&self.target, &self.context.env.state_dir, &["tool-events"], connecting)?;
        rpc::check_state_dir(&self.target, &session.hello)?;
        session.client.set_deadline(deadline);
        Ok(session)
    }

    fn answer(
        &self,
        session: &mut Session,
        id: &str,
        stream: &mut Stream,
        interrupt: &Interrupt,
        wait: bool,
    ) -> Result<Value> {
        let mut own = None;
        session.client.answer(id, wait, &mut |event, payload| {
            interrupt.note_run(&self.key, payload);
            // Once it is stopped, its last words would run into what is said about that.
            if interrupt.came() {
                return;
            }
            let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
            if text("/runId") == Some(&self.key) {
                own = text("/sessionKey").map(str::to_string).or(own.take());
                stream.event(event, payload);
            } else if event == "exec.approval.requested" && text("/request/sessionKey") == own.as_deref() {
                stream.note(&waits(payload));
            }
        })
    }

    /// Looks for the run on a new connection: its final payload when it ended, nothing when the gateway does
    /// not know it. Only a run that the gateway knows is asked for again.
    fn resumed(&self, params: &Value, deadline: Deadline) -> Result<Option<Value>> {
        let mut session = self.connect(deadline)?;
        let wait = deadline.left(Duration::from_secs(30)).unwrap_or_default();
        let waited = json!({"runId": self.key, "timeoutMs": wait.as_millis() as u64});
        let state = rpc::request(&mut session, &self.target, "agent.wait", &waited, false)?;
        if !matches!(state.get("status").and_then(Value::as_str), Some("ok" | "error")) {
            return Ok(None);
        }
        let last = rpc::request(&mut session, &self.target, "agent", params, true)?;
        session.client.close();
        Ok(Some(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_texts_and_media() {
        let payload =
            json!({"result": {"payloads": [{"text": "a", "mediaUrl": null}, {"text": "", "mediaUrl": "u"}]}});
        assert_eq!(answer(&payload), ["a", "MEDIA:u"]);
        assert_eq!(answer(&json!({"summary": "completed"})), ["No reply from agent."]);
    }

    #[test]
    fn a_fallback_is_told_in_one_line() {
        let fallback = json!({"from": "a/x", "to": "b/y", "reason": "rate_limit", "error": "too many"});
        let payload = json!({"result": {"meta": {"agentMeta": {"fallback": fallback}}}});
        let note = fallback_note(&payload).unwrap();
        assert_eq!(note, "note: b/y answered, since a/x failed (rate_limit): too many");
        assert!(fallback_note(&json!({"result": {"meta": {"agentMeta": {}}}})).is_none());
    }
}
