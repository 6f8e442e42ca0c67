//! `openclaw skills list|info|check`: the skills of the default agent, what they need and what is missing.
//!
//! Reads the folders of this host; only a gateway elsewhere is asked. Nothing is installed: it says how by hand.
use super::link::rpc;
use super::parse::Args;
use super::print::Printer;
use super::{Command, Context, Flag, JSON, Positional, far};
use crate::agents::Agents;
use crate::error::{Error, Result};
use crate::json::json;
use crate::skills::{KINDS, report};
use serde_json::{Map, Value};

pub const COMMAND: Command = Command {
    name: "skills",
    summary: "List the skills of the agent",
    about: "Skills are folders with a SKILL.md, in skills/ of the workspace and of the state directory and in skills.load.extraDirs. \
            Those that are ready are named to the model.",
    positionals: &[],
    flags: &[
        &[
            Flag::switch("eligible", "Show only those that are ready"),
            Flag::switch("verbose", "Show what is missing").short('v'),
            JSON,
        ],
        rpc::FLAGS,
    ],
    examples: &[("openclaw skills", "Show the skills and whether they are ready")],
    failure: "",
    run: list,
};

pub const LIST: Command = Command {
    name: "skills list",
    examples: &[
        ("openclaw skills list --eligible", "Show the skills that the model is told of"),
        ("openclaw skills list -v", "Show all of them and what is missing"),
    ],
    ..COMMAND
};

pub const INFO: Command = Command {
    name: "skills info",
    summary: "Show one skill, what it needs and how to get it",
    about: "",
    positionals: &[Positional::required("name")],
    flags: &[&[JSON], rpc::FLAGS],
    examples: &[("openclaw skills info github", "Show what the skill github needs")],
    run: info,
    ..COMMAND
};

pub const CHECK: Command = Command {
    name: "skills check",
    summary: "Show which skills are ready and what the others need",
    about: "",
    flags: &[&[JSON], rpc::FLAGS],
    examples: &[("openclaw skills check", "Show what is missing and how to get it")],
    run: check,
    ..COMMAND
};

/// What `skills.status` answers, of this host or asked of a gateway elsewhere.
fn status(context: &Context, args: &Args) -> Result<Value> {
    let (config, env) = far::load(context, args)?;
    if far::or_here(context, &env, &config, args).is_some() {
        return rpc::call(context, args, "skills.status", &json!({}));
    }
    let agents = Agents::of(&config, &env);
    Ok(report(&agents, &agents.default_id()))
}

fn rows(status: &Value) -> Vec<&Value> {
    status.get("skills").and_then(Value::as_array).into_iter().flatten().collect()
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is(row: &Value, name: &str) -> bool {
    row.get(name) == Some(&Value::Bool(true))
}

fn texts<'v>(row: &'v Value, name: &str) -> Vec<&'v str> {
    row.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// One word for how a skill stands; the order says which counts.
fn state(row: &Value) -> &'static str {
    match () {
        () if is(row, "eligible") => "ready",
        () if is(row, "disabled") => "disabled",
        () if is(row, "blockedByAllowlist") => "blocked",
        () => "missing",
    }
}

/// `bins: gh; env: TOKEN`.
fn missing(row: &Value) -> String {
    let of = |kind: &&str| {
        let names = row.get("missing").map(|missing| texts(missing, kind)).unwrap_or_default();
        (!names.is_empty()).then(|| format!("{kind}: {}", names.join(", ")))
    };
    let problem = Some(text(row, "problem").to_string()).filter(|problem| !problem.is_empty());
    KINDS.iter().filter_map(of).chain(problem).collect::<Vec<String>>().join("; ")
}

/// These members of a row, those that it has.
fn some(row: &Value, names: &[&str]) -> Value {
    let taken = names.iter().filter_map(|name| Some((name.to_string(), row.get(name)?.clone())));
    Value::Object(taken.collect::<Map<String, Value>>())
}

fn warn(out: &Printer, status: &Value) {
    texts(status, "problems").iter().for_each(|problem| out.warn(&format!("left out: {problem}")));
}

const SHOWN: [&str; 11] = [
    "name",
    "description",
    "emoji",
    "eligible",
    "disabled",
    "blockedByAllowlist",
    "source",
    "bundled",
    "primaryEnv",
    "homepage",
    "missing",
];

fn list(context: &Context, args: &Args) -> Result<()> {
    let status = status(context, args)?;
    let mut rows = rows(&status);
    rows.retain(|row| !args.has("eligible") || is(row, "eligible"));
    if args.has("json") {
        let skills: Vec<Value> = rows.iter().map(|row| some(row, &SHOWN)).collect();
        let mut shown = some(&status, &["workspaceDir", "managedSkillsDir"]);
        if let Some(map) = shown.as_object_mut() {
            map.insert("skills".into(), skills.into());
        }
        context.out.json(&shown);
        return Ok(());
    }
    warn(&context.out, &status);
    if rows.is_empty() {
        let all = context.env.command("skills list");
        context.out.line(match args.has("eligible") {
            true => format!("No skill is ready. {all} shows all of them."),
            false => "No skills found.".to_string(),
        });
        return Ok(());
    }
    let ready = rows.iter().filter(|row| is(row, "eligible")).count();
    context.out.heading(&format!("Skills ({ready}/{} ready)", rows.len()));
    let mut head = vec!["Status", "Skill", "Description", "Source"];
    head.extend(args.has("verbose").then_some("Missing"));
    let cells = |row: &&Value| {
        let mut cells: Vec<String> = vec![state(row).into()];
        cells.extend(["name", "description", "source"].map(|name| text(row, name).to_string()));
        cells.extend(args.has("verbose").then(|| missing(row)));
        cells
    };
    context.out.table(&head, &rows.iter().map(cells).collect::<Vec<_>>());
    Ok(())
}

fn info(context: &Context, args: &Args) -> Result<()> {
    let status = status(context, args)?;
    let name = args.positional(0).unwrap_or_default();
    let is_it = |row: &&Value| text(row, "name") == name || text(row, "skillKey") == name;
    let Some(row) = rows(&status).into_iter().find(is_it) else {
        let list = context.env.command("skills list");
        return Err(Error::not_found(format!("there is no skill \"{name}\": {list} shows those there are")));
    };
    let out = &context.out;
    if args.has("json") {
        out.json(row);
        return Ok(());
    }
    out.heading(&format!("{} ({})", text(row, "name"), state(row)));
    out.line(text(row, "description"));
    let path = context.env.display(text(row, "filePath").as_ref());
    let fields = [("Source", text(row, "source")), ("Path", &path), ("Homepage", text(row, "homepage"))];
    let more = [("Key", text(row, "skillKey")), ("Primary env", text(row, "primaryEnv"))];
    for (name, value) in fields.into_iter().chain(more).filter(|(_, value)| !value.is_empty()) {
        out.field(name, value);
    }
    for (kind, title) in KINDS.iter().zip(["Binaries", "Any binaries", "Environment", "Config", "OS"]) {
        let of = |part: &str| row.get(part).map(|part| texts(part, kind)).unwrap_or_default();
        let lacks = of("missing");
        let mark = |name: &str| format!("{name} ({})", if lacks.contains(&name) { "missing" } else { "ok" });
        let marks: Vec<String> = of("requirements").into_iter().map(mark).collect();
        if !marks.is_empty() {
            out.field(title, &marks.join(", "));
        }
    }
    if !text(row, "problem").is_empty() {
        out.field("Problem", text(row, "problem"));
    }
    by_hand(out, row);
    Ok(())
}

fn by_hand(out: &Printer, row: &Value) {
    texts(row, "byHand").iter().for_each(|todo| out.line(format!("  -> {todo}")));
}

fn check(context: &Context, args: &Args) -> Result<()> {
    let status = status(context, args)?;
    let of = |wanted: &str| -> Vec<&Value> {
        rows(&status).into_iter().filter(|row| state(row) == wanted).collect()
    };
    let (ready, disabled, blocked, lacking) = (of("ready"), of("disabled"), of("blocked"), of("missing"));
    let total = rows(&status).len();
    if args.has("json") {
        let names =
            |rows: &[&Value]| -> Vec<Value> { rows.iter().map(|row| text(row, "name").into()).collect() };
        let lacks = |row: &&Value| some(row, &["name", "missing", "install", "byHand", "problem"]);
        context.out.json(&json!({
            "summary": {
                "total": total, "eligible": ready.len(), "disabled": disabled.len(), "blocked": blocked.len(),
                "missingRequirements": lacking.len(),
            },
            "eligible": names(&ready), "disabled": names(&disabled), "blocked": names(&blocked),
            "missingRequirements": lacking.iter().map(lacks).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    let out = &context.out;
    warn(out, &status);
    for (title, rows) in [("Ready", &ready), ("Disabled", &disabled), ("Blocked", &blocked)] {
        let names: Vec<&str> = rows.iter().map(|row| text(row, "name")).collect();
        out.field(title, &format!("{} {}", names.len(), names.join(", ")));
    }
    out.field("Missing", &lacking.len().to_string());
    for row in lacking {
        out.line(format!("- {} ({})", text(row, "name"), missing(row)));
        by_hand(out, row);
    }
    Ok(())
}
