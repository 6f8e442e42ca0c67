//! `openclaw browser ...`: a browser driven by hand. Each command is one request to the gateway's control service, by
//! `browser.request`: a row says which, and what of the command line goes along.
mod shown;

use super::link::rpc;
use super::parse::Args;
use super::{Command, Context, Flag, JSON, Positional};
use crate::error::{Error, Result};
use crate::json::{Put, json};
use serde_json::{Map, Value};

/// How long a command waits, milliseconds; a browser that is started first takes its time.
const USUAL_MS: u64 = 60_000;
const BASE: Command = Command::of("browser status", |c, a| go(c, a, "GET", "/", &[], &[]));
const OF: &[Flag] = &[
    Flag::value("browser-profile", "<name>", "Use this browser, else browser.defaultProfile"),
    Flag::value("timeout", "<time>", "Give up after this time, as 5s or 500 (ms); default 60s"),
    JSON,
];
const TAB: &[Flag] = &[Flag::value("target-id", "<id>", "Use this tab, else the one used last")];
const CALL: &[&[Flag]] = &[OF, rpc::FLAGS];
const PAGE: &[&[Flag]] = &[TAB, OF, rpc::FLAGS];

/// How a word of the command line goes along.
#[derive(Clone, Copy)]
enum As {
    Text,
    Number,
    Json,
    /// A switch: `true` where it is there.
    Switch,
    /// A switch: this word where it is there.
    Word(&'static str),
}

/// Positionals in their order, each with the name of its member.
type Words = &'static [(&'static str, As)];
/// Options, each with its member.
type Options = &'static [(&'static str, &'static str, As)];

const ON: Options = &[("target-id", "targetId", As::Text)];
const KIND: &str = "/act";

macro_rules! commands {
    ($($name:ident $words:literal $summary:literal [$($positional:expr),*] $flags:expr, $example:literal => $run:expr;)+) => {
        $(pub const $name: Command = Command {
            name: concat!("browser ", $words),
            summary: $summary,
            positionals: &[$($positional),*],
            flags: $flags,
            examples: &[(concat!("openclaw browser ", $example), $summary)],
            run: $run,
            ..BASE
        };)+
    };
}

const fn need(name: &'static str) -> Positional {
    Positional::required(name)
}

commands! {
    CLICK "click" "Click an element of the last snapshot" [need("ref")] &[CLICKS, TAB, OF, rpc::FLAGS], "click e12" =>
        |c, a| act(c, a, "click", &[("ref", As::Text)], &[("button", "button", As::Text), ("double", "doubleClick", As::Switch)]);
    CLOSE "close" "Close a tab" [Positional::optional("id")] CALL, "close" => close;
    CONSOLE "console" "Show what the page has logged" [] &[LEVELS, TAB, OF, rpc::FLAGS], "console --level error" =>
        |c, a| go(c, a, "GET", "/console", &[], &[("target-id", "targetId", As::Text), ("level", "level", As::Text)]);
    COOKIES "cookies" "Show the browser's cookies" [] PAGE, "cookies --json" => |c, a| go(c, a, "GET", "/cookies", &[], ON);
    DIALOG "dialog" "Say how the next dialog is answered" [Positional { name: "answer", required: true, choices: &["accept", "dismiss"] }]
        &[PROMPT, TAB, OF, rpc::FLAGS], "dialog accept" => dialog;
    DOWNLOAD "download" "Click an element and keep the file that comes" [need("ref"), Positional::optional("name")] PAGE, "download e7 report.pdf" =>
        |c, a| go(c, a, "POST", "/download", &[("ref", As::Text), ("path", As::Text)], ON);
    DRAG "drag" "Drag one element to another" [need("from"), need("to")] PAGE, "drag e3 e9" =>
        |c, a| act(c, a, "drag", &[("startRef", As::Text), ("endRef", As::Text)], &[]);
    ERRORS "errors" "Show what the page's scripts have thrown" [] PAGE, "errors" => |c, a| go(c, a, "GET", "/errors", &[], ON);
    EVALUATE "evaluate" "Run code in the page" [need("code"), Positional::optional("ref")] PAGE, "evaluate \"document.title\"" =>
        |c, a| act(c, a, "evaluate", &[("fn", As::Text), ("ref", As::Text)], &[]);
    FILL "fill" "Fill in a form" [need("fields")] PAGE, "fill '[{\"ref\":\"e3\",\"value\":\"Ann\"}]'" =>
        |c, a| act(c, a, "fill", &[("fields", As::Json)], &[]);
    FOCUS "focus" "Bring a tab to the front" [need("id")] CALL, "focus 21F0" =>
        |c, a| go(c, a, "POST", "/tabs/focus", &[("targetId", As::Text)], &[]);
    HIGHLIGHT "highlight" "Frame an element for three seconds" [need("ref")] PAGE, "highlight e4" =>
        |c, a| go(c, a, "POST", "/highlight", &[("ref", As::Text)], ON);
    HOVER "hover" "Move the mouse to an element" [need("ref")] PAGE, "hover e4" => |c, a| act(c, a, "hover", &[("ref", As::Text)], &[]);
    NAVIGATE "navigate" "Lead a tab to an address" [need("url")] PAGE, "navigate https://example.com" =>
        |c, a| go(c, a, "POST", "/navigate", &[("url", As::Text)], ON);
    OPEN "open" "Open an address in a new tab" [need("url")] CALL, "open https://example.com" =>
        |c, a| go(c, a, "POST", "/tabs/open", &[("url", As::Text)], &[]);
    PDF "pdf" "Print the page into a file" [] PAGE, "pdf" => |c, a| go(c, a, "POST", "/pdf", &[], ON);
    PRESS "press" "Press a key" [need("key")] PAGE, "press Control+A" => |c, a| act(c, a, "press", &[("key", As::Text)], &[]);
    PROFILES "profiles" "List the browsers that are configured" [] CALL, "profiles" => |c, a| go(c, a, "GET", "/profiles", &[], &[]);
    REQUESTS "requests" "Show what the page has fetched" [] &[FILTER, TAB, OF, rpc::FLAGS], "requests --filter api" =>
        |c, a| go(c, a, "GET", "/requests", &[], &[("target-id", "targetId", As::Text), ("filter", "filter", As::Text)]);
    RESET "reset-profile" "Put a browser's cookies, logins and history aside" [] CALL, "reset-profile" =>
        |c, a| go(c, a, "POST", "/reset-profile", &[], &[]);
    RESIZE "resize" "Give the page another size" [need("width"), need("height")] PAGE, "resize 1280 800" =>
        |c, a| act(c, a, "resize", &[("width", As::Number), ("height", As::Number)], &[]);
    SCREENSHOT "screenshot" "Take a picture of the page or of an element" [Positional::optional("ref")] &[WHOLE, TAB, OF, rpc::FLAGS], "screenshot --full-page" =>
        |c, a| go(c, a, "POST", "/screenshot", &[("ref", As::Text)], &[("target-id", "targetId", As::Text), ("full-page", "fullPage", As::Switch)]);
    SCROLL "scrollintoview" "Scroll to an element" [need("ref")] PAGE, "scrollintoview e40" =>
        |c, a| act(c, a, "scrollIntoView", &[("ref", As::Text)], &[]);
    SELECT "select" "Choose in a list, by value or label" [need("ref"), need("value")] PAGE, "select e5 Two" =>
        |c, a| act(c, a, "select", &[("ref", As::Text), ("values", As::Text)], &[]);
    SNAPSHOT "snapshot" "Show the page as text, with refs for what can be acted on" [] &[SHOWN, TAB, OF, rpc::FLAGS], "snapshot --interactive" =>
        |c, a| go(c, a, "GET", "/snapshot", &[], SHOW);
    START "start" "Start the browser" [] CALL, "start" => |c, a| go(c, a, "POST", "/start", &[], &[]);
    STATUS "status" "Show whether a browser runs, and which would" [] CALL, "status" => |c, a| go(c, a, "GET", "/", &[], &[]);
    STOP "stop" "End the browser" [] CALL, "stop" => |c, a| go(c, a, "POST", "/stop", &[], &[]);
    TABS "tabs" "List the open tabs" [] CALL, "tabs" => |c, a| go(c, a, "GET", "/tabs", &[], &[]);
    TYPE "type" "Put text into a field" [need("ref"), need("text")] &[TYPES, TAB, OF, rpc::FLAGS], "type e3 \"Ann Lee\" --submit" =>
        |c, a| act(c, a, "type", &[("ref", As::Text), ("text", As::Text)], &[("submit", "submit", As::Switch), ("slowly", "slowly", As::Switch)]);
    UPLOAD "upload" "Give a file of a workspace to a file field" [need("ref"), need("path")] PAGE, "upload e8 photo.png" =>
        |c, a| go(c, a, "POST", "/hooks/file-chooser", &[("inputRef", As::Text), ("paths", As::Text)], ON);
    WAIT "wait" "Wait for what the page is to become" [] &[WAITS, TAB, OF, rpc::FLAGS], "wait --text Thanks" =>
        |c, a| act(c, a, "wait", &[], WAITED);
}

const CLICKS: &[Flag] = &[
    Flag::choice("button", "<button>", &["left", "right", "middle"], "Use this button of the mouse"),
    Flag::switch("double", "Click twice"),
];
const LEVELS: &[Flag] = &[Flag::choice(
    "level",
    "<level>",
    &["error", "warning", "info", "debug"],
    "Show this level and what is worse",
)];
const PROMPT: &[Flag] = &[Flag::value("prompt-text", "<text>", "Answer a question with this")];
const FILTER: &[Flag] = &[Flag::value("filter", "<text>", "Show addresses that hold this text")];
const WHOLE: &[Flag] = &[Flag::switch("full-page", "Show what lies below too")];
const TYPES: &[Flag] =
    &[Flag::switch("submit", "Press Enter after it"), Flag::switch("slowly", "Type key by key")];
const SHOWN: &[Flag] = &[
    Flag::switch("interactive", "Show only what can be acted on"),
    Flag::switch("efficient", "Show little: six levels, 10000 characters"),
    Flag::choice("format", "<format>", &["ai", "aria"], "Show it in this form"),
    Flag::value("selector", "<css>", "Show only what this selects"),
    Flag::value("frame", "<css>", "Show only this frame"),
];
const SHOW: Options = &[
    ("target-id", "targetId", As::Text),
    ("interactive", "interactive", As::Switch),
    ("efficient", "mode", As::Word("efficient")),
    ("format", "format", As::Text),
    ("selector", "selector", As::Text),
    ("frame", "frame", As::Text),
];
const WAITS: &[Flag] = &[
    Flag::value("time", "<ms>", "Wait this long"),
    Flag::value("text", "<text>", "Wait until the page shows this"),
    Flag::value("text-gone", "<text>", "Wait until it shows this no more"),
    Flag::value("selector", "<css>", "Wait until this is seen"),
    Flag::value("page-url", "<pattern>", "Wait until the address is like this"),
    Flag::choice(
        "load",
        "<state>",
        &["load", "domcontentloaded", "networkidle"],
        "Wait until it is loaded so far",
    ),
];
const WAITED: Options = &[
    ("time", "timeMs", As::Number),
    ("text", "text", As::Text),
    ("text-gone", "textGone", As::Text),
    ("selector", "selector", As::Text),
    ("page-url", "url", As::Text),
    ("load", "loadState", As::Text),
];

fn close(context: &Context, args: &Args) -> Result<()> {
    match args.positional(0) {
        Some(id) => ask(context, args, "DELETE", &format!("/tabs/{id}"), Map::new()),
        None => ask(
            context,
            args,
            "POST",
            KIND,
            [("kind".to_string(), Value::from("close"))].into_iter().collect(),
        ),
    }
}

fn dialog(context: &Context, args: &Args) -> Result<()> {
    let mut body =
        gather(args, &[], &[("target-id", "targetId", As::Text), ("prompt-text", "promptText", As::Text)])?;
    body.put("accept", args.positional(0) == Some("accept"));
    ask(context, args, "POST", "/hooks/dialog", body)
}

fn act(context: &Context, args: &Args, kind: &str, words: Words, options: Options) -> Result<()> {
    let mut body = gather(args, words, options)?;
    args.value("target-id").into_iter().for_each(|id| body.put("targetId", id));
    body.put("kind", kind);
    ask(context, args, "POST", KIND, body)
}

fn go(
    context: &Context,
    args: &Args,
    method: &str,
    path: &str,
    words: Words,
    options: Options,
) -> Result<()> {
    ask(context, args, method, path, gather(args, words, options)?)
}

fn gather(args: &Args, words: Words, options: Options) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    for (at, (name, how)) in words.iter().enumerate() {
        if let Some(word) = args.positional(at) {
            body.put(name, read(name, word, *how)?);
        }
    }
    for (flag, name, how) in options {
        if let Some(word) = args.value(flag) {
            body.put(name, read(flag, word, *how)?);
        }
    }
    Ok(body)
}

fn read(name: &str, word: &str, how: As) -> Result<Value> {
    match how {
        As::Text => Ok(word.into()),
        As::Switch => Ok(true.into()),
        As::Word(word) => Ok(word.into()),
        As::Number => word
            .parse::<f64>()
            .map(Value::from)
            .map_err(|_| Error::usage(format!("{name}: {word:?} is no number"))),
        As::Json => {
            crate::json::read(word, 10_000, 20).map_err(|e| Error::usage(format!("{name} is no JSON: {e}")))
        }
    }
}

fn ask(context: &Context, args: &Args, method: &str, path: &str, mut body: Map<String, Value>) -> Result<()> {
    let mut query = Map::new();
    args.value("browser-profile").into_iter().for_each(|name| query.put("profile", name));
    let time = args.millis("timeout", 1)?;
    time.into_iter().for_each(|time| body.put("timeoutMs", time));
    let time = time.unwrap_or(USUAL_MS);
    let params = json!({"method": method, "path": path, "query": query, "body": body, "timeoutMs": time});
    let told = rpc::call_told_within(context, args, "browser.request", &params, time)?;
    if args.has("json") {
        context.out.json(&told);
        return Ok(());
    }
    shown::show(context, path, &told);
    Ok(())
}
