//! `openclaw models test`: asks a model one short question, as a turn would, and says how long it took.
//!
//! The model's server is asked from this process with the provider's own time-outs; the gateway need not run.
use super::super::waiting::Waiting;
use super::{load, resolve};
use crate::agents::Agents;
use crate::agents::profiles;
use crate::cancel::Cancel;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, JSON, Positional};
use crate::error::{Error, Result};
use crate::models::catalogue;
use crate::models::provider::{ChatRequest, Completion, Provider, Thinking, key_variable};
use crate::sessions::message;
use serde_json::json;
use std::time::{Duration, Instant};

pub const COMMAND: Command = Command {
    name: "models test",
    summary: "Ask a model one short question",
    about: "Without a model the one that answers is asked. Prints how long it took, or why it failed.\n\
            The gateway need not run; the provider's own time-outs and retries hold.",
    positionals: &[Positional::optional("model")],
    flags: &[&[JSON]],
    examples: &[
        ("openclaw models test", "Ask the model that answers"),
        ("openclaw models test ollama/llama3.2 --json", "Print times and tokens of this one as JSON"),
    ],
    failure: "",
    run,
};

const QUESTION: &str = "Reply with the one word OK.";
/// Characters of the answer that are shown.
const SHOWN: usize = 200;

fn run(context: &Context, args: &Args) -> Result<()> {
    let (config, env) = load(context)?;
    let word = args.positional(0).unwrap_or_else(|| catalogue::chosen(&config));
    let (reference, provider) = resolve(&config, &env, word)?;
    let agent = Agents::of(&config, &env).default_id();
    let provider = profiles::apply(provider, &config, &env, &agent)?;
    if catalogue::lacks_key(&provider) {
        let (id, variable) = (&provider.id, key_variable(&provider.id));
        return Err(Error::invalid(format!(
            "there is no key for {id}: set {variable} or models.providers.{id}.apiKey"
        )));
    }
    let server = if provider.base_url.is_empty() { "built in".into() } else { provider.shown_url() };
    let waiting = Waiting::begin(context.out, &format!("asking {reference} ({server})"));
    let started = Instant::now();
    let (completion, first) = ask(&provider, started)?;
    drop(waiting);
    let (first, total) = (first.as_millis() as u64, started.elapsed().as_millis() as u64);
    let answer: String = completion.text().trim().chars().take(SHOWN).collect();
    let usage = &completion.usage;
    if args.has("json") {
        context.out.json(&json!({
            "ok": true, "model": reference, "api": provider.api.name(), "server": server,
            "firstTokenMs": first, "totalMs": total,
            "usage": {"input": usage.input, "output": usage.output, "total": usage.total},
            "stopReason": completion.stop_reason, "answer": answer,
        }));
        return Ok(());
    }
    let tokens = match usage.total {
        0 => "not told by the server".to_string(),
        _ => format!("{} in, {} out", usage.total.saturating_sub(usage.output), usage.output),
    };
    context.out.line(format!("{reference} answers ({server})"));
    for (name, value) in [
        ("First token", format!("{first} ms")),
        ("Total", format!("{total} ms")),
        ("Tokens", tokens),
        ("Answer", answer.replace('\n', " ")),
    ] {
        context.out.line(format!("{name:<12} {value}"));
    }
    Ok(())
}

/// The answer, and the time until its first piece.
fn ask(provider: &Provider, started: Instant) -> Result<(Completion, Duration)> {
    let messages = [json!({"role": "user", "content": [message::text(QUESTION)]})];
    let request = ChatRequest {
        system: "This is a test of the connection. Answer as briefly as you can.",
        messages: &messages,
        tools: &[],
        thinking: Thinking::Off,
        has_acted: false,
        wanted: None,
    };
    let mut first = None;
    let completion = provider.stream(&request, &Cancel::new(), &mut |_| {
        first.get_or_insert_with(|| started.elapsed());
    })?;
    Ok((completion, first.unwrap_or_else(|| started.elapsed())))
}
