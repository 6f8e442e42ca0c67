//! `openclaw nodes invoke|notify|location get`: a node is told to do something, once, and its answer is shown.
use super::{NODE, naming};
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag, JSON};
use crate::error::{Error, Result};
use crate::ids;
use crate::json::{self, Put, json};
use serde_json::{Map, Value};

/// What the answer of the gateway takes beside the node's.
const BESIDE_MS: u64 = 10_000;
const MAX_VALUES: usize = 50_000;

pub(super) const WITHIN: Flag = Flag::value("invoke-timeout", "<time>", "Wait so long for the node, as 20s");
pub(super) const TELL: &[Flag] = &[NODE, WITHIN, JSON];
pub(super) const BASE: Command =
    Command { flags: &[TELL, rpc::FLAGS, rpc::TIMEOUT], ..Command::of("nodes invoke", invoke) };

pub const INVOKE: Command = Command {
    name: "nodes invoke",
    summary: "Tell a node to do something, by the name of the command",
    about: "Prints the answer as JSON. With the same --idempotency-key it is done once. `nodes describe` shows what a node can be told.",
    flags: &[
        TELL,
        &[
            Flag::value("command", "<command>", "The command, as canvas.eval"),
            Flag::value("params", "<json>", "Its params; none when left out"),
            Flag::value("idempotency-key", "<key>", "Repeat a call safely: the same key takes effect once"),
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[(
        "openclaw nodes invoke --node kitchen --command system.which --params '{\"bins\":[\"git\"]}'",
        "Ask a node where git lies",
    )],
    ..BASE
};

pub const NOTIFY: Command = Command {
    name: "nodes notify",
    summary: "Show a notification on a node",
    flags: &[
        TELL,
        &[
            Flag::value("title", "<text>", "Its title"),
            Flag::value("body", "<text>", "Its text"),
            Flag::value("sound", "<name>", "Play this sound"),
            Flag::choice(
                "priority",
                "<name>",
                &["passive", "active", "timeSensitive"],
                "Say how urgent it is",
            ),
            Flag::choice("delivery", "<mode>", &["system", "overlay", "auto"], "Show it so; default system"),
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes notify --node phone --title Dinner --body \"It is ready\"", "Tell a phone")],
    run: notify,
    ..BASE
};

pub const LOCATION: Command = Command {
    name: "nodes location get",
    summary: "Ask a node where it is",
    flags: &[
        TELL,
        &[
            Flag::choice(
                "accuracy",
                "<name>",
                &["coarse", "balanced", "precise"],
                "Say how exact it should be",
            ),
            Flag::value("max-age", "<time>", "Take a place that is known for less than this, as 5m"),
            Flag::value("location-timeout", "<time>", "Look for the place so long; default 10s"),
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes location get --node phone", "Show latitude and longitude")],
    run: location,
    ..BASE
};

/// Tells the node to do it and gives the gateway's answer; `usual_ms` is how long the node has where nothing else is said.
pub(super) fn tell(
    talk: &mut Talk,
    node: &str,
    command: &str,
    params: Value,
    usual_ms: u64,
) -> Result<Value> {
    let args = talk.args;
    let within = args.millis("invoke-timeout", 1)?.unwrap_or(usual_ms);
    let key = args.filled("idempotency-key")?.map_or_else(ids::uuid, |key| Ok(key.to_string()))?;
    let mut asked = json!({"nodeId": node, "command": command, "timeoutMs": within, "idempotencyKey": key});
    if let (Some(map), false) = (asked.as_object_mut(), params.is_null()) {
        map.put("params", params);
    }
    talk.call_within("node.invoke", &asked, within.saturating_add(BESIDE_MS))
}

/// The same for the node that `--node` names.
pub(super) fn tell_named(talk: &mut Talk, command: &str, params: Value, usual_ms: u64) -> Result<Value> {
    let node = naming::node(talk)?;
    tell(talk, &node, command, params, usual_ms)
}

/// The params that options hold.
pub(super) fn gathered(given: &[(&str, Option<Value>)]) -> Value {
    let given = given.iter().filter_map(|(name, value)| Some((name.to_string(), value.clone()?)));
    Value::Object(Map::from_iter(given))
}

pub(super) fn number(args: &Args, name: &str) -> Result<Option<Value>> {
    let Some(text) = args.filled(name)? else { return Ok(None) };
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let number = number.ok_or_else(|| Error::usage(format!("--{name} must be a number, not {text:?}")))?;
    // Whole ones stay whole.
    Ok(Some(if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }))
}

fn invoke(context: &Context, args: &Args) -> Result<()> {
    let command = args.required("command")?;
    let params = match args.value("params") {
        None => Value::Null,
        Some(text) => json::read(text, MAX_VALUES, json::DEEPEST)
            .map_err(|e| Error::usage(format!("--params cannot be read as JSON: {e}")))?,
    };
    let mut talk = Talk::new(context, args);
    context.out.json(&tell_named(&mut talk, command, params, 15_000)?);
    Ok(())
}

/// The answer for scripts, or a word for people.
pub(super) fn done(context: &Context, args: &Args, answer: &Value, what: &str) {
    match args.has("json") {
        true => context.out.json(answer),
        false => context.out.line(format!("{what} ok")),
    }
}

fn notify(context: &Context, args: &Args) -> Result<()> {
    let text = |name: &str| args.value(name).map(Value::from);
    if text("title").is_none() && text("body").is_none() {
        return Err(Error::usage("name what is to be shown: --title, --body or both"));
    }
    let delivery = text("delivery").or(Some("system".into()));
    let params = gathered(&[
        ("title", text("title")),
        ("body", text("body")),
        ("sound", text("sound")),
        ("priority", text("priority")),
        ("delivery", delivery),
    ]);
    let answer = tell_named(&mut Talk::new(context, args), "system.notify", params, 15_000)?;
    done(context, args, &answer, "notify");
    Ok(())
}

fn location(context: &Context, args: &Args) -> Result<()> {
    let millis = |name: &str| args.millis(name, 1).map(|ms| ms.map(Value::from));
    let params = gathered(&[
        ("maxAgeMs", millis("max-age")?),
        ("desiredAccuracy", args.value("accuracy").map(Value::from)),
        ("timeoutMs", millis("location-timeout")?.or(Some(10_000.into()))),
    ]);
    let answer = tell_named(&mut Talk::new(context, args), "location.get", params, 20_000)?;
    let part = |name: &str| answer.get("payload")?.get(name)?.as_f64();
    match (args.has("json"), part("lat"), part("lon")) {
        (false, Some(lat), Some(lon)) => {
            let about =
                part("accuracyMeters").map(|meters| format!(" ± {}m", meters.round())).unwrap_or_default();
            context.out.line(format!("{lat},{lon}{about}"));
        }
        _ => context.out.json(&answer),
    }
    Ok(())
}
