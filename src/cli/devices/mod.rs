//! `openclaw devices ...`: paired devices, their tokens and what waits for approval.
//!
//! Each command asks the running gateway, so that its clients hear of the change. Where no gateway answers,
//! or it does not let us in, and the target is this host's own, the command works on the state files
//! instead, under the same lock (R-05b); stderr says which way was taken.
pub mod local;
mod naming;
mod rows;
use super::link::connect::connect;
use super::link::rpc;
use super::parse::Args;
use super::waiting::Waiting;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::clock;
use crate::error::{Error, Result};
use crate::json::{Put, json};
use crate::parts::within;
use naming::{device, has_role, has_token, request, token};
use rows::{SHORT_ID, items, name, paired_row, pending_row, text};
use serde_json::Value;
use std::sync::Once;

const REQUEST: &[Positional] = &[Positional::optional("request-id")];
/// How requests are named.
const NAMING: &str = "The beginning of a request's id is enough, and the only one that waits needs none.";
/// A shorter name of a request is the beginning of one.
const WHOLE_ID: usize = 36;
const LOCAL: Flag = Flag::switch("local", "Work on the state files without asking a gateway");
const COMMON: &[Flag] = &[LOCAL, JSON];

const BASE: Command = Command {
    about: "Without a reachable gateway the state files of this host are used.",
    flags: &[COMMON, rpc::FLAGS, rpc::TIMEOUT],
    ..Command::of("devices", list)
};

pub const LIST: Command = Command {
    name: "devices list",
    summary: "List paired devices and pairing requests",
    examples: &[("openclaw devices list", "Show who may connect and who asks to")],
    run: list,
    ..BASE
};

pub const APPROVE: Command = Command {
    name: "devices approve",
    summary: "Approve a pairing request",
    about: NAMING,
    positionals: REQUEST,
    flags: &[
        &[
            Flag::switch("latest", "Approve the request that came last"),
            Flag::value("scopes", "<list>", "Grant only these of the scopes asked for, separated by commas"),
        ],
        COMMON,
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[
        ("openclaw devices approve", "Let the only device that waits connect"),
        ("openclaw devices approve --latest", "Let the device connect that asked last"),
        ("openclaw devices approve 3f0c2a --scopes operator.read", "Let a device look and do nothing"),
    ],
    run: approve,
    ..BASE
};

pub const REJECT: Command = Command {
    name: "devices reject",
    summary: "Refuse a pairing request",
    about: NAMING,
    positionals: REQUEST,
    examples: &[("openclaw devices reject 3f0c2a", "Drop this request")],
    run: reject,
    ..BASE
};

pub const RENAME: Command = Command {
    name: "devices rename",
    summary: "Give a paired device another name",
    about: "A device is named by its id, its name or a part of them.",
    positionals: &[Positional::required("device"), Positional::required("name")],
    examples: &[("openclaw devices rename 4be1 \"Kitchen tablet\"", "Call the device so from now on")],
    run: rename,
    ..BASE
};

pub const ROTATE: Command = Command {
    name: "devices rotate",
    summary: "Replace a device's token by a new one",
    about: "The token of this host's own client is stored before the old one ends.",
    flags: &[
        DEVICE,
        &[Flag::value("scope", "<scope>", "Limit the token to this scope; may be repeated")],
        COMMON,
        rpc::FLAGS,
        rpc::TIMEOUT,
    ],
    examples: &[("openclaw devices rotate --device 4be1 --role operator", "Give the device a new token")],
    run: rotate,
    ..BASE
};

pub const REVOKE: Command = Command {
    name: "devices revoke",
    summary: "End a device's token",
    flags: &[DEVICE, COMMON, rpc::FLAGS, rpc::TIMEOUT],
    examples: &[(
        "openclaw devices revoke --device 4be1 --role operator",
        "End the token; the device stays paired",
    )],
    run: revoke,
    ..BASE
};

pub const CLEAR: Command = Command {
    name: "devices clear",
    summary: "Forget all paired devices",
    about: "Works on the state files of this host. Devices with the shared token pair again by themselves.",
    flags: &[&[
        Flag::switch("pending", "Refuse all waiting requests as well"),
        Flag::switch("yes", "Do it without asking back"),
        JSON,
    ]],
    examples: &[("openclaw devices clear --yes", "Forget all devices")],
    run: clear,
    ..BASE
};

const DEVICE: &[Flag] = &[
    Flag::value("device", "<id>", "Name the device; the beginning of its id is enough"),
    Flag::value("role", "<role>", "Name the role of the token; default operator"),
];

/// The answer of the gateway, or of the state files where it cannot be asked.
fn ask(context: &Context, args: &Args, method: &str, params: &Value) -> Result<Value> {
    // A command may ask twice, and says once where.
    static TOLD: Once = Once::new();
    let on_files = |why: &str| {
        let place = context.env.display(&context.env.state_dir);
        TOLD.call_once(|| context.out.warn(&format!("{why}; working on the state files in {place}")));
        local::apply(&context.env.state_dir, method, params, clock::now_ms())
    };
    if args.has("local") {
        return on_files("no gateway asked");
    }
    // The files here are not those of a gateway elsewhere.
    let is_elsewhere = far::look(context, args).is_some();
    let (target, _) = match rpc::target(context, args) {
        Ok(found) => found,
        Err(error) if is_elsewhere => return Err(error),
        Err(_) => return on_files("the config cannot be read"),
    };
    let is_here = target.bind.is_some() && !is_elsewhere;
    let waiting = Waiting::begin(context.out, &format!("asking the gateway at {}", target.url));
    let mut session = match connect(&target, &context.env.state_dir, &[], rpc::deadline(context, args)?) {
        Ok(session) => session,
        Err(error) if is_here && rpc::keeps_out(error.kind) => {
            let why = error.message().lines().next().unwrap_or_default().to_string();
            drop(waiting);
            return on_files(&why);
        }
        Err(error) => return Err(error),
    };
    let answered = rpc::request(&mut session, &target, method, params, false);
    drop(waiting);
    match answered {
        Err(error) if is_here && rpc::keeps_out(error.kind) => on_files(error.message()),
        answered => {
            session.client.close();
            answered
        }
    }
}

fn list(context: &Context, args: &Args) -> Result<()> {
    let all = ask(context, args, "device.pair.list", &json!({}))?;
    if args.has("json") {
        context.out.json(&all);
        return Ok(());
    }
    let rows = |key: &str, row: fn(&Value) -> Vec<String>| -> Vec<Vec<String>> {
        items(&all, key).map(row).collect()
    };
    let (pending, paired) = (rows("pending", pending_row), rows("paired", paired_row));
    if pending.is_empty() && paired.is_empty() {
        context.out.line("No device pairing entries.");
    }
    if !pending.is_empty() {
        context.out.line(format!("Pending ({})", pending.len()));
        context.out.table(
            &["Request", "Name", "Platform", "Device", "Role", "Scopes", "IP", "Age", "Flags"],
            &pending,
        );
        context.out.progress(&format!("Approve with: {}", context.env.command("devices approve <request>")));
    }
    if !paired.is_empty() {
        context.out.line(format!("Paired ({})", paired.len()));
        context
            .out
            .table(&["Device", "Name", "Platform", "Roles", "Scopes", "Tokens", "Token used", "IP"], &paired);
    }
    Ok(())
}

fn approve(context: &Context, args: &Args) -> Result<()> {
    let mut params = request(context, args)?;
    if let Some(scopes) = args.filled("scopes")? {
        let scopes: Vec<&str> = scopes.split([',', ' ']).filter(|scope| !scope.is_empty()).collect();
        params.put("scopes", json!(scopes));
    }
    let answer = ask(context, args, "device.pair.approve", &params.into())?;
    let device = answer.get("device").unwrap_or(&answer);
    told(context, args, &answer, &format!("Approved {} {}", text(device, "/deviceId"), name(device)))
}

fn rename(context: &Context, args: &Args) -> Result<()> {
    let name = args.positional(1).map(str::trim).unwrap_or_default();
    if name.is_empty() {
        return Err(Error::usage("the new name is empty"));
    }
    let device = device(context, args, args.positional(0).unwrap_or_default())?;
    let id = text(&device, "/deviceId");
    let answer = ask(context, args, "device.pair.rename", &json!({"deviceId": id, "displayName": name}))?;
    told(context, args, &answer, &format!("{} is {name} now", within(id, SHORT_ID)))
}

fn reject(context: &Context, args: &Args) -> Result<()> {
    let answer = ask(context, args, "device.pair.reject", &request(context, args)?.into())?;
    told(context, args, &answer, &format!("Rejected {}", text(&answer, "/deviceId")))
}

fn rotate(context: &Context, args: &Args) -> Result<()> {
    let mut params = token(context, args, has_role)?;
    let scopes = args.all("scope");
    if let (Some(map), false) = (params.as_object_mut(), scopes.is_empty()) {
        map.insert("scopes".into(), scopes.into());
    }
    let answer = ask(context, args, "device.token.rotate", &params)?;
    if let Some(gateway) = rpc::target_to_read(context, args)?.origin {
        local::keep_own(&context.env.state_dir, &gateway, &answer, clock::now_ms())?;
    }
    context.out.json(&answer);
    Ok(())
}

fn revoke(context: &Context, args: &Args) -> Result<()> {
    let answer = ask(context, args, "device.token.revoke", &token(context, args, has_token)?)?;
    context.out.json(&answer);
    Ok(())
}

fn clear(context: &Context, args: &Args) -> Result<()> {
    if !args.has("yes") {
        return Err(Error::usage("this forgets every paired device; repeat it with --yes"));
    }
    if let Some(address) = far::look(context, args) {
        let why = "its paired devices are kept there";
        return Err(far::refusal(&context.env, &address, why, Some("device.pair.list")));
    }
    let params = json!({"pending": args.has("pending")});
    let answer = local::apply(&context.env.state_dir, "clear", &params, clock::now_ms())?;
    let count = answer.get("devices").and_then(Value::as_array).map_or(0, Vec::len);
    told(context, args, &answer, &format!("Forgot {count} devices"))
}

fn told(context: &Context, args: &Args, answer: &Value, line: &str) -> Result<()> {
    if args.has("json") {
        context.out.json(answer);
    } else {
        context.out.line(line);
    }
    Ok(())
}
