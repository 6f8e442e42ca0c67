//! `openclaw nodes camera ...`, `screen record`, `canvas snapshot`: pictures and films of a node become files here, whose
//! paths are printed as `MEDIA:<path>`.
use super::invoke::{BASE, TELL, gathered, number, tell, tell_named};
use super::naming;
use super::rows::{items, text};
use crate::cli::link::rpc;
use crate::cli::link::talk::Talk;
use crate::cli::parse::Args;
use crate::cli::{Command, Context, Flag};
use crate::device::encoding::from_base64;
use crate::error::{Error, Result};
use crate::files;
use crate::ids;
use crate::json::{Put, json};
use crate::tools::picture_kind;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};

const OUT: Flag = Flag::value("out", "<path>", "Write it here; else into a new file in $TMPDIR or /tmp");
const WIDTH: Flag = Flag::value("max-width", "<px>", "Make it no wider than this");
const QUALITY: Flag = Flag::value("quality", "<0-1>", "Compress it so");
const DEVICE: Flag = Flag::value("device-id", "<id>", "Use this camera; `nodes camera list` shows them");
const LENGTH: Flag = Flag::value("duration", "<time>", "Record so long, as 10s");
const MUTE: Flag = Flag::switch("no-audio", "Record no sound");

pub const CAMERAS: Command = Command {
    name: "nodes camera list",
    summary: "List the cameras of a node",
    examples: &[("openclaw nodes camera list --node phone", "Show its cameras")],
    run: cameras,
    ..BASE
};

pub const SNAP: Command = Command {
    name: "nodes camera snap",
    summary: "Take a picture with a node's camera",
    about: "The gateway has to allow it (gateway.nodes.allowCommands). Prints MEDIA: and the path of each picture.",
    flags: &[
        TELL,
        &[
            Flag::choice("facing", "<side>", &["front", "back", "both"], "Use this camera; default both"),
            DEVICE,
            WIDTH,
            QUALITY,
            Flag::value("delay-ms", "<ms>", "Wait so long before"),
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes camera snap --node phone --facing back", "Take one picture")],
    run: snap,
    ..BASE
};

pub const CLIP: Command = Command {
    name: "nodes camera clip",
    summary: "Take a short film with a node's camera",
    about: "The gateway has to allow it (gateway.nodes.allowCommands). Prints MEDIA: and the path.",
    flags: &[
        TELL,
        &[
            Flag::choice("facing", "<side>", &["front", "back"], "Use this camera; default front"),
            DEVICE,
            LENGTH,
            MUTE,
            OUT,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes camera clip --node phone --duration 5s", "Film five seconds")],
    run: clip,
    ..BASE
};

pub const RECORD: Command = Command {
    name: "nodes screen record",
    summary: "Take a short film of a node's screen",
    about: "The gateway has to allow it (gateway.nodes.allowCommands). Prints MEDIA: and the path.",
    flags: &[
        TELL,
        &[
            Flag::value("screen", "<n>", "Record this screen; default 0"),
            LENGTH,
            Flag::value("fps", "<n>", "Take so many pictures a second; default 10"),
            MUTE,
            OUT,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[(
        "openclaw nodes screen record --node desk --duration 10s --out desk.mp4",
        "Film the screen",
    )],
    run: record,
    ..BASE
};

pub const SNAPSHOT: Command = Command {
    name: "nodes canvas snapshot",
    summary: "Take a picture of a node's canvas",
    about: "Prints MEDIA: and the path.",
    flags: &[
        TELL,
        &[
            Flag::choice("format", "<name>", &["png", "jpg", "jpeg"], "Take it so; default jpg"),
            WIDTH,
            QUALITY,
            OUT,
        ],
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw nodes canvas snapshot --node desk", "Take a picture of it")],
    run: snapshot,
    ..BASE
};

fn cameras(context: &Context, args: &Args) -> Result<()> {
    let answer = tell_named(&mut Talk::new(context, args), "camera.list", json!({}), 20_000)?;
    let empty = Value::Null;
    let payload = answer.get("payload").unwrap_or(&empty);
    if args.has("json") {
        context.out.json(&json!({"devices": (items(payload, "devices").collect::<Vec<_>>())}));
        return Ok(());
    }
    let row = |camera: &Value| ["/name", "/position", "/id"].map(|at| text(camera, at).to_string()).to_vec();
    let rows: Vec<Vec<String>> = items(payload, "devices").map(row).collect();
    match rows.is_empty() {
        true => context.out.line("It has no cameras."),
        false => context.out.table(&["Name", "Position", "ID"], &rows),
    }
    Ok(())
}

fn snap(context: &Context, args: &Args) -> Result<()> {
    let sides: &[&str] = match args.value("facing").unwrap_or("both") {
        "front" => &["front"],
        "back" => &["back"],
        _ => &["front", "back"],
    };
    let mut talk = Talk::new(context, args);
    let node = naming::node(&mut talk)?;
    let mut taken = Vec::new();
    for side in sides {
        let params = gathered(&[
            ("facing", Some((*side).into())),
            ("format", Some("jpg".into())),
            ("maxWidth", number(args, "max-width")?),
            ("quality", number(args, "quality")?),
            ("delayMs", number(args, "delay-ms")?),
            ("deviceId", args.filled("device-id")?.map(Value::from)),
        ]);
        let answer = tell(&mut talk, &node, "camera.snap", params, 20_000)?;
        let mut file =
            written(args, &answer, &format!("camera-snap-{side}"), What::Picture, &["width", "height"])?;
        if let Some(map) = file.as_object_mut() {
            map.put("facing", *side);
        }
        taken.push(file);
    }
    match args.has("json") {
        true => context.out.json(&json!({"files": taken})),
        false => taken.iter().for_each(|file| show(context, file)),
    }
    Ok(())
}

fn clip(context: &Context, args: &Args) -> Result<()> {
    let side = args.value("facing").unwrap_or("front");
    let params = gathered(&[
        ("facing", Some(side.into())),
        ("format", Some("mp4".into())),
        ("durationMs", Some(args.millis("duration", 1)?.unwrap_or(3000).into())),
        ("includeAudio", Some((!args.has("no-audio")).into())),
        ("deviceId", args.filled("device-id")?.map(Value::from)),
    ]);
    one(context, args, "camera.clip", params, 90_000, &format!("camera-clip-{side}"), What::Film)
}

fn record(context: &Context, args: &Args) -> Result<()> {
    let params = gathered(&[
        ("durationMs", Some(args.millis("duration", 1)?.unwrap_or(10_000).into())),
        ("screenIndex", number(args, "screen")?.or(Some(0.into()))),
        ("fps", number(args, "fps")?.or(Some(10.into()))),
        ("format", Some("mp4".into())),
        ("includeAudio", Some((!args.has("no-audio")).into())),
    ]);
    one(context, args, "screen.record", params, 120_000, "screen-record", What::Film)
}

fn snapshot(context: &Context, args: &Args) -> Result<()> {
    let format = if args.value("format") == Some("png") { "png" } else { "jpeg" };
    let params = gathered(&[
        ("format", Some(format.into())),
        ("maxWidth", number(args, "max-width")?),
        ("quality", number(args, "quality")?),
    ]);
    one(context, args, "canvas.snapshot", params, 20_000, "canvas-snapshot", What::Picture)
}

/// What a node is to send.
enum What {
    Picture,
    Film,
}

fn one(
    context: &Context,
    args: &Args,
    command: &str,
    params: Value,
    usual_ms: u64,
    name: &str,
    what: What,
) -> Result<()> {
    let answer = tell_named(&mut Talk::new(context, args), command, params, usual_ms)?;
    let file =
        written(args, &answer, name, what, &["format", "durationMs", "fps", "screenIndex", "hasAudio"])?;
    match args.has("json") {
        true => context.out.json(&json!({"file": file})),
        false => show(context, &file),
    }
    Ok(())
}

fn show(context: &Context, file: &Value) {
    context.out.whole(format!("MEDIA:{}", text(file, "/path")));
}

/// Puts what the node sent into a file, and says where, with what it said of it.
fn written(args: &Args, answer: &Value, name: &str, what: What, about: &[&str]) -> Result<Value> {
    let empty = Value::Null;
    let payload = answer.get("payload").unwrap_or(&empty);
    let bytes = from_base64(text(payload, "/base64").trim()).filter(|bytes| !bytes.is_empty());
    let bytes =
        bytes.ok_or_else(|| Error::unavailable(format!("the node sent no picture or film ({name})")))?;
    let end = match what {
        What::Picture => picture_kind(&bytes)?.1,
        // What it calls the form of it names a file, so only a known word does.
        What::Film if text(payload, "/format") == "mov" => "mov",
        What::Film => "mp4",
    };
    let path = match args.filled("out")? {
        Some(path) => std::path::absolute(path).map_err(|e| Error::io(format_args!("find {path}"), e))?,
        None => std::env::temp_dir().join(format!("openclaw-{name}-{}.{end}", ids::hex(8)?)),
    };
    write(&path, &bytes, args.has("out"))?;
    let mut file = json!({"path": (path.display().to_string())});
    if let Some(map) = file.as_object_mut() {
        about
            .iter()
            .filter_map(|name| Some((*name, payload.get(*name)?)))
            .for_each(|(name, value)| map.put(name, value.clone()));
    }
    Ok(file)
}

/// For its owner alone; a new one is nobody else's link.
fn write(path: &Path, bytes: &[u8], is_named: bool) -> Result<()> {
    let failed = |e| Error::io(format_args!("write {}", path.display()), e);
    if is_named {
        return files::write_atomic(path, bytes);
    }
    let mut file = files::private_options().create_new(true).open(PathBuf::from(path)).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}
