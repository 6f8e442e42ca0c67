//! `openclaw agent`: one message to the agent, its answer streamed or printed at the end.
//!
//! The idempotency key is made once and names the run. When the connection breaks during the run, the run is
//! looked up by that key over a new connection; the message is only sent again when the gateway still knows
//! the key, so that it cannot be answered twice (R-10b, R-20b).
use super::client::{self, Deadline};
use super::connect::{Session, connect};
use super::parse::Args;
use super::print::clean;
use super::stream::Stream;
use super::target::Target;
use super::{Command, Context, Flag, JSON, rpc};
use crate::error::{Error, Kind, Result};
use crate::ids;
use crate::json::json;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

pub const COMMAND: Command = Command {
    name: "agent",
    summary: "Send a message to the agent and print its answer",
    about: "Without --to, --session-id, --session-key or --agent the main session is used.\n\
            On a terminal the answer is streamed as it is written.\n\
            A failed run exits 1; an answer that never came exits 75 and prints the key to repeat with.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw agent --message \"hello\"", "Ask in the main session and stream the answer"),
        ("openclaw agent -m \"sum up\" --session-key notes --json", "Print the final response as JSON"),
        ("openclaw agent -m \"tidy up\" --no-wait", "Start a run and return at once"),
    ],
    failure: "",
    run,
};

const FLAGS: &[Flag] = &[
    Flag::value("message", "<text>", "Send this text").short('m'),
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
    Flag::value("timeout", "<seconds>", "End the run after this many seconds, 0 for never; default 600"),
    Flag::value("idempotency-key", "<key>", "Repeat a call safely: the same key takes effect once"),
    Flag::switch("no-wait", "Print the acceptance and do not wait for the answer"),
    Flag::switch("stream", "Stream the answer even when stdout is not a terminal"),
    Flag::switch("no-stream", "Print the answer when it is complete"),
    Flag::switch("deliver", "Refused for now: there are no channels to deliver to"),
    Flag::value("channel", "<channel>", "Deliver over this channel"),
    Flag::value("reply-to", "<destination>", "Deliver the answer to this destination"),
    Flag::value("reply-channel", "<channel>", "Deliver the answer over this channel"),
    Flag::value("reply-account", "<id>", "Deliver the answer with this channel account"),
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
    let (target, config) = rpc::target(context, args)?;
    let limit =
        args.number("timeout")?.or(config.u64("agents.defaults.timeoutSeconds")).unwrap_or(DEFAULT_TIMEOUT_S);
    let key = match args.value("idempotency-key") {
        Some(key) => key.to_string(),
        None => ids::uuid()?,
    };
    let call = Call {
        context,
        target,
        params: params(args, &key, limit)?,
        key,
        limit_ms: limit.saturating_mul(1000),
    };
    let mut stream = Stream::new(context.out, streams(context, args));
    let outcome = call.outcome(&mut stream, !args.has("no-wait"));
    stream.finish();
    let payload = outcome?;
    if let Some(note) = fallback_note(&payload) {
        context.out.warn(&clean(&note));
    }
    if args.has("json") {
        context.out.json(&payload);
    } else if args.has("no-wait") {
        context.out.line(format!("Run {} accepted", clean(&call.key)));
    } else {
        stream.rest(&answer(&payload));
    }
    Ok(())
}

fn streams(context: &Context, args: &Args) -> bool {
    let wanted = args.has("stream") || (context.out.interactive && !args.has("no-stream"));
    wanted && !args.has("json") && !args.has("no-wait")
}

/// What is sent as the `agent` method's parameters.
fn params(args: &Args, key: &str, limit_s: u64) -> Result<Value> {
    let mut params = Map::new();
    params.insert("message".into(), args.required("message")?.into());
    params.insert("idempotencyKey".into(), key.into());
    params.insert("timeout".into(), limit_s.into());
    let members = [
        ("to", "to"),
        ("session-id", "sessionId"),
        ("session-key", "sessionKey"),
        ("agent", "agentId"),
        ("thinking", "thinking"),
        ("channel", "channel"),
        ("reply-to", "replyTo"),
        ("reply-channel", "replyChannel"),
        ("reply-account", "replyAccountId"),
    ];
    for (long, member) in members {
        if let Some(value) = args.value(long) {
            params.insert(member.into(), value.into());
        }
    }
    if args.has("deliver") {
        let text =
            "this version has no channels to deliver to: leave out --deliver, the answer is printed here";
        return Err(Error::usage(text));
    }
    let names_one =
        ["to", "sessionId", "sessionKey", "agentId"].iter().any(|member| params.contains_key(*member));
    if !names_one {
        params.insert("sessionKey".into(), "main".into());
    }
    Ok(params.into())
}

/// One `agent` call, over one or more connections.
struct Call<'a> {
    context: &'a Context,
    target: Target,
    params: Value,
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
        self.context.out.progress("waiting for the agent ...");
        let id = session.client.send("agent", &self.params).map_err(|e| self.target.explain(e, false))?;
        let mut lost = match self.answer(&mut session, &id, stream, wait) {
            Err(error) if client::is_lost(&error) => error,
            answered => {
                session.client.close();
                return answered;
            }
        };
        self.context.out.progress("connection lost; looking for the run again ...");
        let patience = Deadline::after(Instant::now(), RESUME_MS);
        while !deadline.has_passed() && !patience.has_passed() {
            match self.resumed(deadline) {
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

    fn answer(&self, session: &mut Session, id: &str, stream: &mut Stream, wait: bool) -> Result<Value> {
        session.client.answer(id, wait, &mut |event, payload| {
            if payload.get("runId").and_then(Value::as_str) == Some(&self.key) {
                stream.event(event, payload);
            }
        })
    }

    /// Looks for the run on a new connection: its final payload when it ended, nothing when the gateway does
    /// not know it. Only a run that the gateway knows is asked for again.
    fn resumed(&self, deadline: Deadline) -> Result<Option<Value>> {
        let mut session = self.connect(deadline)?;
        let wait = deadline.left(Duration::from_secs(30)).unwrap_or_default();
        let params = json!({"runId": self.key, "timeoutMs": wait.as_millis() as u64});
        let state = rpc::request(&mut session, &self.target, "agent.wait", &params, false)?;
        if !matches!(state.get("status").and_then(Value::as_str), Some("ok" | "error")) {
            return Ok(None);
        }
        let last = rpc::request(&mut session, &self.target, "agent", &self.params, true)?;
        session.client.close();
        Ok(Some(last))
    }
}

/// Which model answered instead of the chosen one, and why.
fn fallback_note(payload: &Value) -> Option<String> {
    let fallback = payload.pointer("/result/meta/agentMeta/fallback")?;
    let text = |name: &str| fallback.get(name).and_then(Value::as_str);
    let why = text("error").map_or(String::new(), |error| format!(": {error}"));
    let (from, to) = (text("from")?, text("to")?);
    Some(format!("note: {to} answered, since {from} failed ({}){why}", text("reason").unwrap_or("unknown")))
}

/// The texts of a final payload, one a line, with the media lines existing scripts read.
fn answer(payload: &Value) -> String {
    let mut lines = Vec::new();
    for part in payload.pointer("/result/payloads").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| part.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        lines.extend(text("text").map(str::to_string));
        let more =
            part.get("mediaUrls").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        lines.extend(text("mediaUrl").into_iter().chain(more).map(|url| format!("MEDIA:{url}")));
    }
    if lines.is_empty() { "No reply from agent.".to_string() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_texts_and_media() {
        let payload =
            json!({"result": {"payloads": [{"text": "a", "mediaUrl": null}, {"text": "", "mediaUrl": "u"}]}});
        assert_eq!(answer(&payload), "a\nMEDIA:u");
        assert_eq!(answer(&json!({"summary": "completed"})), "No reply from agent.");
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
