//! `image`: a picture looked at by a model that can see, where the one that asks cannot, or has only its name. Runs on a tool's
//! thread.
//!
//! The picture is a file of the workspace or of the media that came with messages, a data URL, or an address of the web, which
//! goes through the guard of `web_fetch` (SEC-30). What it is say its bytes.
use super::workspace;
use crate::agents::{Agents, own, profiles};
use crate::calls::Provenance;
use crate::config::Config;
use crate::device::encoding::{base64, from_base64};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::fetch::outbound::{self, Rules};
use crate::json::json;
use crate::models::catalogue::{self, IMAGE_MODEL};
use crate::models::provider::{BUILTIN, ChatRequest, Chunk, Provider, Thinking};
use crate::sessions::attachments::image_type;
use crate::sessions::message;
use crate::tools::{Context, Output, Tool, text};
use crate::untrusted;
use crate::workspace::beneath;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const USUAL_PROMPT: &str = "Describe the image.";
/// Megabytes of a picture, and those that a call may ask for.
const USUAL_MB: f64 = 5.0;
const MOST_MB: f64 = 20.0;
const TIME: Duration = Duration::from_secs(180);
/// Of the fetch alone.
const FETCH: Duration = Duration::from_secs(30);

pub const TOOL: Tool = Tool {
    name: "image",
    doc: "Have a picture looked at by a model that can see, and get its answer in words.",
    parameters: r#"{"type": "object", "required": ["image"], "properties": {
        "image": {"type": "string", "description": "Path in the workspace, or of a picture that came with a message; https:// address; data: URL"},
        "prompt": {"type": "string", "description": "What is to be found out; else it is described"},
        "model": {"type": "string"},
        "maxBytesMb": {"type": "number", "minimum": 0}}}"#,
    aliases: &[("path", "image"), ("file", "image"), ("url", "image"), ("question", "prompt")],
    changes: false,
    serves: Provenance::is_any,
    time: |_, _| TIME,
    run,
};

/// Whether some model can see: one for pictures is configured, or the one that answers is told of as one that can.
pub fn is_ready(config: &Config, env: &Env, provider_ref: &str) -> bool {
    let lists = |listed: catalogue::Listed| listed.input().contains(&"image");
    let can_see = || Provider::resolve(config, env, provider_ref).is_ok_and(|provider| provider.images);
    catalogue::primary(config, IMAGE_MODEL).is_some()
        || (catalogue::find(config, provider_ref).is_some_and(lists) && can_see())
}

fn run(context: &Context, arguments: &Value) -> Result<Output> {
    let given = text(arguments, "image")
        .ok_or_else(|| Error::invalid("image required: a path, address or data URL"))?;
    let given = given.trim_start_matches('@');
    let mb = arguments.get("maxBytesMb").and_then(Value::as_f64).filter(|mb| *mb > 0.0).unwrap_or(USUAL_MB);
    let most = (mb.min(MOST_MB) * 1024.0 * 1024.0) as usize;
    let (bytes, is_foreign) = read(context, given, most)?;
    if bytes.len() > most {
        let text = format!(
            "the picture has more than {most} bytes: take a smaller one, or raise maxBytesMb (at most {MOST_MB})"
        );
        return Err(Error::invalid(text));
    }
    let unknown = || Error::invalid("Unsupported media type: it is no PNG, JPEG, GIF or WebP picture");
    let kind = image_type(&bytes).ok_or_else(unknown)?;
    let prompt = text(arguments, "prompt").unwrap_or(USUAL_PROMPT);
    let content = vec![message::text(prompt), message::image(&base64(&bytes), kind)];
    let question = message::user(content, crate::clock::now_ms()).get_mut("message").map(Value::take);
    let (said, model, attempts) = look(context, &models(context, arguments)?, &question.unwrap_or_default())?;
    let said = if is_foreign { untrusted::wrap("words about a picture from the web", &said)? } else { said };
    let shown = if given.starts_with("data:") { "data:" } else { given };
    let details = json!({"model": model, "image": shown, "attempts": attempts});
    Ok(Output { details: Some(details), ..Output::text(said).about(model) })
}

/// The models that are asked, in their order.
fn models(context: &Context, arguments: &Value) -> Result<Vec<String>> {
    let config = &context.config;
    let own = Agents::of(config, &context.settings.env)
        .model(&context.agent)
        .unwrap_or_else(|| BUILTIN.to_string());
    if let Some(named) = text(arguments, "model") {
        let named = catalogue::unaliased(config, named);
        let is_for_pictures = catalogue::primary(config, IMAGE_MODEL) == Some(named);
        return match is_for_pictures || catalogue::permits(config, named, &own) {
            true => Ok(vec![named.to_string()]),
            false => Err(Error::invalid(format!(
                "model {named} is not used here: agents.defaults.models does not list it"
            ))),
        };
    }
    let set =
        catalogue::primary(config, IMAGE_MODEL).into_iter().chain(catalogue::fallbacks(config, IMAGE_MODEL));
    let set: Vec<String> = set.map(str::to_string).collect();
    Ok(if set.is_empty() { vec![own] } else { set })
}

/// What the first model says that answers, which it is, and what became of the others.
fn look(context: &Context, models: &[String], question: &Value) -> Result<(String, String, Vec<Value>)> {
    let mut attempts = Vec::new();
    let mut last = Error::new(Kind::Model, "no model can see");
    for model in models {
        match ask(context, model, question) {
            Ok(said) if !said.trim().is_empty() => return Ok((said, model.clone(), attempts)),
            Ok(_) => last = Error::new(Kind::Model, format!("model {model} said nothing about the picture")),
            Err(e) if e.kind == Kind::Aborted => return Err(e),
            Err(e) => last = e,
        }
        attempts.push(json!({"model": model, "error": (last.message())}));
    }
    Err(last)
}

fn ask(context: &Context, model: &str, question: &Value) -> Result<String> {
    let (config, env) = (&context.config, &context.settings.env);
    let provider = profiles::apply(Provider::resolve(config, env, model)?, config, env, &context.agent)?;
    if !provider.images {
        return Err(Error::new(
            Kind::Model,
            format!("model {model} takes no pictures: name one that can see in agents.defaults.imageModel"),
        ));
    }
    let request = ChatRequest {
        messages: std::slice::from_ref(question),
        thinking: Thinking::Off,
        ..ChatRequest::default()
    };
    let mut said = String::new();
    provider.stream(&request, &context.cancel, &mut |chunk| match chunk {
        Chunk::Text(text) => said += &text,
        Chunk::Unsaid => said.clear(),
        Chunk::Reasoning(_) | Chunk::Kept(_) => {}
    })?;
    Ok(said)
}

/// The bytes, one more than `most` at the most, and whether strangers may have chosen them.
fn read(context: &Context, given: &str, most: usize) -> Result<(Vec<u8>, bool)> {
    if let Some(rest) = given.strip_prefix("data:") {
        let content = rest.split_once(";base64,").map(|(_, content)| content);
        let bytes = content
            .filter(|content| content.len() / 4 <= most / 3 + 1)
            .and_then(|content| from_base64(content.trim()));
        let wrong = || Error::invalid("the data URL is no base64, or too long: data:image/png;base64,...");
        return bytes.map(|bytes| (bytes, false)).ok_or_else(wrong);
    }
    if given.starts_with("https://") || given.starts_with("http://") {
        return Ok((fetch(context, given, most)?, true));
    }
    let path = given.strip_prefix("file://").unwrap_or(given);
    if path.contains("://") {
        return Err(Error::invalid("give a path in the workspace, an https:// address or a data: URL"));
    }
    let missing = || Error::not_found(format!("ENOENT: there is no file {path}"));
    let media = context.settings.env.state_dir.join("media");
    if let (Ok(below), true) = (Path::new(path).strip_prefix(&media), context.provenance.is_own()) {
        let way = beneath::relative(&media, &below.to_string_lossy())?;
        let (config, env) = (&context.config, &context.settings.env);
        let bytes = own::read(config, env, &media, &way, most as u64 + 1)?.ok_or_else(missing)?;
        return Ok((bytes, false));
    }
    let way = workspace::relative(context, path)?;
    let bytes = workspace::read(context, &way, most as u64 + 1)?.ok_or_else(missing)?;
    Ok((bytes, false))
}

fn fetch(context: &Context, url: &str, most: usize) -> Result<Vec<u8>> {
    let rules = Rules {
        allow_hosts: context
            .config
            .strings("tools.web.fetch.allowHosts")
            .into_iter()
            .map(str::to_string)
            .collect(),
        max_redirects: 3,
        max_bytes: most + 1,
        time: FETCH,
        user_agent: None,
    };
    let fetched = outbound::get(url, &rules, &context.cancel)?;
    match fetched.status {
        200..300 => Ok(fetched.body),
        status => Err(Error::new(Kind::Unavailable, format!("the address answered HTTP {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;

    #[test]
    fn i13_3_what_is_no_picture_or_out_of_reach_is_refused_before_a_model_is_asked() {
        let (context, dir) = context("{agents: {defaults: {imageModel: 'p/eyes'}}}");
        dir.write("ws/a.png", "no picture");
        dir.write("ws/big.png", &"x".repeat(2 << 20));
        for (arguments, want) in [
            (json!({}), "image required"),
            (json!({"image": "a.png"}), "Unsupported media type"),
            (json!({"image": "none.png"}), "ENOENT"),
            (json!({"image": "../openclaw.json"}), ".."),
            (json!({"image": "/etc/passwd"}), "/etc/passwd"),
            (json!({"image": "ftp://h/a.png"}), "https:// address"),
            (json!({"image": "data:image/png;base64,@@"}), "no base64"),
            (json!({"image": "http://127.0.0.1:1/a.png"}), "127.0.0.1"),
            (json!({"image": "big.png", "maxBytesMb": 1}), "more than 1048576 bytes"),
        ] {
            let error = run(&context, &arguments).unwrap_err();
            assert!(error.message().contains(want), "{arguments}: {error}");
        }
    }

    #[test]
    fn i13_3_it_is_there_when_a_model_can_see() {
        let check = |config: &str, want: bool| {
            let (context, _dir) = context(config);
            assert_eq!(is_ready(&context.config, &context.settings.env, "p/m"), want, "{config}");
        };
        check("{}", false);
        check("{agents: {defaults: {imageModel: 'p/eyes'}}}", true);
        check("{agents: {defaults: {imageModel: {primary: 'p/eyes'}}}}", true);
        let listed = |input: &str| {
            format!(
                "{{models: {{providers: {{p: {{baseUrl: 'http://h/v1', models: [{{id: 'm', name: 'm', input: [{input}]}}]}}}}}}}}"
            )
        };
        check(&listed("'text', 'image'"), true);
        check(&listed("'text'"), false);
    }
}
