//! Runs the tool calls of one round: side by side, each on its own thread, none able to harm or to hold its run.
//!
//! Calls that change files wait for each other, so that an edit finds what the one before it left.
//! `run_all` runs on the run's thread and waits. A call gets a deadline; when it is over, or the run is stopped, the
//! call's thread is told by its own stop flag and left to end by itself, and the model gets an error result.
use super::{Context, Output, Tool, arguments, serves};
use crate::cancel::{Cancel, Reason, SLICE};
use crate::counter::AtomicU64;
use crate::error::Result;
use crate::metrics::{self, Metric};
use crate::models::provider::ToolCall;
use crate::parts::within;
use crate::threads;
use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Calls of one run at the same time.
const AT_ONCE: usize = 4;
/// Tool threads of the whole process, those included that were given up and still hang.
const MAX_THREADS: usize = 64;
const STACK: usize = 256 * 1024;
/// Bytes of a result that the model gets.
pub const MAX_TEXT: usize = 100 * 1024;

static NUMBER: AtomicU64 = AtomicU64::new(0);
static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// The result of one call, as the model gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub text: String,
    pub is_error: bool,
    pub meta: Option<String>,
    pub details: Option<Box<Value>>,
    pub pictures: Vec<Value>,
}

/// What happens meanwhile.
pub enum Progress<'a> {
    Started(&'a ToolCall),
    Updated(&'a ToolCall, &'a Value),
    Ended(&'a ToolCall, &'a Outcome),
}

struct Running {
    index: usize,
    name: &'static str,
    changes: bool,
    deadline: Instant,
    cancel: Cancel,
}

type Message = (usize, Outcome);

/// The way for what a call has so far. Nobody waits for it, and what comes too fast is left out.
#[derive(Clone)]
pub struct Updates {
    index: usize,
    to: Sender<(usize, Value)>,
}

impl Updates {
    pub fn tell(&self, partial: Value) {
        // Full: the next one says more.
        let _ = self.to.try_send((self.index, partial));
    }
}

/// Updates that wait to be told.
const UPDATES: usize = 8;

/// Runs the calls, at most four at once, and gives their results in the order of the calls. Whatever goes wrong is
/// an error result; a stopped run gets its results at once.
pub fn run_all(
    context: &Context,
    offered: &[&'static Tool],
    calls: &[ToolCall],
    on: &mut dyn FnMut(Progress),
) -> Vec<Outcome> {
    // Room for each answer: a thread that was given up can still say its word, to nobody.
    let (tx, rx) = bounded(calls.len().saturating_mul(2).max(1));
    let (told, news) = bounded(UPDATES);
    let mut waiting: VecDeque<(usize, &ToolCall)> = calls.iter().enumerate().collect();
    let mut running: Vec<Running> = Vec::new();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; calls.len()];
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < AT_ONCE
            && context.cancel.reason().is_none()
            && let Some((index, call)) = next(offered, &mut waiting, &running)
        {
            metrics::count(Metric::ToolCalls);
            on(Progress::Started(call));
            match start(context, offered, call, index, (&tx, &told)) {
                Ok(started) => running.push(started),
                Err(outcome) => settle(&mut outcomes, calls, (index, outcome), on),
            }
        }
        for (index, partial) in news.try_iter() {
            if let Some(call) = calls.get(index).filter(|_| running.iter().any(|r| r.index == index)) {
                on(Progress::Updated(call, &partial));
            }
        }
        for message in collect(context, &mut running, &rx) {
            settle(&mut outcomes, calls, message, on);
        }
        if context.cancel.reason().is_some() {
            // Those never begun have neither start nor end to tell.
            break;
        }
    }
    let stopped = || Outcome::error(context.cancel.error().message());
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(stopped)).collect()
}

/// One call for somebody who may not wait to the end, which is asked all the time.
pub fn run_while(
    context: &Context,
    tool: &'static Tool,
    call: &ToolCall,
    is_wanted: &dyn Fn() -> bool,
) -> Outcome {
    let (tx, rx) = bounded(2);
    // Nobody watches it meanwhile.
    let (told, _) = bounded(1);
    metrics::count(Metric::ToolCalls);
    let mut running = match start(context, &[tool], call, 0, (&tx, &told)) {
        Ok(running) => vec![running],
        Err(outcome) => return outcome,
    };
    loop {
        if !is_wanted() {
            context.cancel.cancel(Reason::Rpc);
        }
        if let Some((_, outcome)) = collect(context, &mut running, &rx).pop() {
            return outcome;
        }
    }
}

/// The first call that may begin now: one that changes files not beside another such.
fn next<'c>(
    offered: &[&'static Tool],
    waiting: &mut VecDeque<(usize, &'c ToolCall)>,
    running: &[Running],
) -> Option<(usize, &'c ToolCall)> {
    let is_changing = running.iter().any(|running| running.changes);
    let may_begin = |call: &ToolCall| !(is_changing && find(offered, call).is_some_and(|tool| tool.changes));
    let at = waiting.iter().position(|(_, call)| may_begin(call))?;
    waiting.remove(at)
}

fn find(offered: &[&'static Tool], call: &ToolCall) -> Option<&'static Tool> {
    offered.iter().copied().find(|tool| tool.name.eq_ignore_ascii_case(call.name.trim()))
}

fn settle(
    outcomes: &mut [Option<Outcome>],
    calls: &[ToolCall],
    (index, outcome): Message,
    on: &mut dyn FnMut(Progress),
) {
    if let (Some(call), Some(slot)) = (calls.get(index), outcomes.get_mut(index)) {
        on(Progress::Ended(call, slot.insert(outcome)));
    }
}

/// Starts a call's thread; an error is the call's result.
fn start(
    context: &Context,
    offered: &[&'static Tool],
    call: &ToolCall,
    index: usize,
    (tx, told): (&Sender<Message>, &Sender<(usize, Value)>),
) -> std::result::Result<Running, Outcome> {
    // Asked once more here: what is offered is what the model is told, this is what is done.
    let Some(tool) = find(offered, call).filter(|tool| serves(&context.config, tool, context.provenance))
    else {
        return Err(Outcome::error(&not_offered(offered, &call.name)));
    };
    let arguments = arguments::fit(tool, &call.arguments).map_err(|text| Outcome::error(&text))?;
    let deadline = Instant::now() + (tool.time)(context, &arguments);
    let cancel = Cancel::with_deadline(deadline);
    let updates = Some(Updates { index, to: told.clone() });
    let own = Context { cancel: cancel.clone(), updates, ..context.clone() };
    let alive = Alive::take().ok_or_else(|| {
        Outcome::error("too many tools that never ended are still at work: wait, or restart the gateway")
    })?;
    let (name, changes) = (tool.name, tool.changes);
    let (done, died) = (tx.clone(), tx.clone());
    let work = move || {
        let _alive = alive;
        // The run may have gone on without it.
        let _ = done.try_send((index, Outcome::of((tool.run)(&own, &arguments))));
    };
    let died = move |panic: String| {
        log::error!(target: "tools", "tool {name} panicked: {panic}");
        let text =
            format!("tool {name} failed by a fault of its own ({panic}): do without it, and tell the user");
        // As above.
        let _ = died.try_send((index, Outcome::error(&text)));
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    match threads::spawn(&format!("gw-tool-{number}"), STACK, work, died) {
        Ok(_) => Ok(Running { index, name, changes, deadline, cancel }),
        Err(e) => Err(Outcome::error(e.message())),
    }
}

/// Waits a little; gives the results that came, and those of calls that are late or stopped.
fn collect(context: &Context, running: &mut Vec<Running>, rx: &Receiver<Message>) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    if !running.is_empty() {
        let first = rx.recv_timeout(SLICE).ok();
        found.extend(first.into_iter().chain(rx.try_iter()));
    }
    // One that was given up may answer later; its result stands already.
    found.retain(|(index, _)| running.iter().any(|r| r.index == *index));
    running.retain(|r| !found.iter().any(|(index, _)| *index == r.index));
    let stop = context.cancel.reason();
    running.retain(|r| {
        let text = match stop {
            Some(_) => context.cancel.error().message().to_string(),
            None if Instant::now() >= r.deadline => {
                log::warn!(target: "tools", "tool {} of run {} took too long and was given up", r.name, context.run);
                format!("tool {} took too long and was given up: try something smaller", r.name)
            }
            None => return true,
        };
        r.cancel.cancel(stop.unwrap_or(Reason::Timeout));
        found.push((r.index, Outcome::error(&text)));
        false
    });
    found
}

fn not_offered(offered: &[&'static Tool], name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let names: Vec<&str> = offered.iter().map(|tool| tool.name).collect();
    let rest = match names.is_empty() {
        true => "no tools are allowed here, answer without them".to_string(),
        false => format!("use one of {}", names.join(", ")),
    };
    match super::TOOLS.iter().any(|tool| tool.name.eq_ignore_ascii_case(name.trim())) {
        true => format!("tool {shown} is not allowed here: {rest}"),
        false => format!("there is no tool {shown:?}: {rest}"),
    }
}

impl Outcome {
    fn error(text: &str) -> Outcome {
        Outcome { text: text.to_string(), is_error: true, meta: None, details: None, pictures: Vec::new() }
    }

    fn of(result: Result<Output>) -> Outcome {
        match result {
            Ok(output) => Outcome {
                text: capped(output.text),
                is_error: false,
                meta: output.meta,
                details: output.details.map(Box::new),
                pictures: output.pictures,
            },
            Err(e) => Outcome::error(&capped(e.message().to_string())),
        }
    }
}

fn capped(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let total = text.len();
        text.truncate(within(&text, MAX_TEXT).len());
        text += &format!(
            "\n[cut here: the result has {total} bytes, at most {MAX_TEXT} are shown; ask for less]"
        );
    }
    text
}

/// A place among the process's tool threads.
struct Alive;

impl Alive {
    fn take() -> Option<Alive> {
        if ALIVE.fetch_add(1, Ordering::AcqRel) >= MAX_THREADS {
            ALIVE.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Alive)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Provenance;
    use crate::error::Error;
    use crate::tools::TOOLS;
    use crate::tools::testing::context;
    use serde_json::{Value, json};
    use std::time::Duration;

    const ANY: &str = r#"{"type": "object"}"#;

    fn tool(name: &'static str, run: fn(&Context, &Value) -> Result<Output>) -> &'static Tool {
        let time = |_: &Context, arguments: &Value| match arguments.get("ms").and_then(Value::as_u64) {
            Some(ms) => Duration::from_millis(ms),
            None => Duration::from_secs(60),
        };
        Box::leak(Box::new(Tool {
            name,
            doc: "T.",
            parameters: ANY,
            aliases: &[],
            changes: name == "changes",
            serves: if name == "private" { Provenance::is_own } else { Provenance::is_any },
            time,
            run,
        }))
    }

    fn call(name: &str, arguments: Value) -> ToolCall {
        ToolCall { id: format!("c-{name}"), name: name.to_string(), arguments }
    }

    fn hang(_: &Context, _: &Value) -> Result<Output> {
        std::thread::sleep(Duration::from_secs(3));
        Ok(Output::text("late"))
    }

    #[test]
    fn i12_2_a_call_ends_when_nobody_waits_for_it_and_at_its_deadline() {
        let (mut context, _dir) = context("{}");
        let slow = tool("slow", |context, _| {
            while context.cancel.sleep(Duration::from_secs(60)) {}
            Ok(Output::text("late"))
        });
        let call = ToolCall { id: "c".into(), name: "slow".into(), arguments: json!({}) };
        let (begun, looks) = (Instant::now(), std::cell::Cell::new(0));
        let is_wanted = || looks.replace(looks.get() + 1) < 3;
        assert!(run_while(&context, slow, &call, &is_wanted).is_error);
        context.cancel = Cancel::with_deadline(Instant::now() + Duration::from_millis(50));
        let outcome = run_while(&context, slow, &call, &|| true);
        assert!(outcome.is_error && context.cancel.reason() == Some(Reason::Timeout), "{outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        context.cancel = Cancel::new();
        let quick = tool("quick", |_, _| Ok(Output::text("done")));
        let call = ToolCall { name: "quick".into(), ..call };
        assert_eq!(run_while(&context, quick, &call, &|| true).text, "done");
    }

    #[test]
    fn results_stand_in_the_order_of_the_calls_and_all_are_told() {
        let slow = tool("slow", |context, arguments| {
            context.cancel.sleep(Duration::from_millis(arguments["wait"].as_u64().unwrap()));
            Ok(Output::text(arguments["wait"].to_string()).about("waited"))
        });
        let fails = tool("fails", |_, _| Err(Error::invalid("it is broken")));
        let (context, _dir) = context("{}");
        let mut calls: Vec<ToolCall> =
            [300, 10, 200, 5, 100, 1].iter().map(|ms| call("slow", json!({"wait": ms}))).collect();
        calls.push(call("fails", json!({})));
        let (mut started, mut ended) = (0, 0);
        let at = Instant::now();
        let outcomes = run_all(&context, &[slow, fails], &calls, &mut |progress| match progress {
            Progress::Started(_) => started += 1,
            Progress::Updated(..) => {}
            Progress::Ended(call, outcome) => {
                ended += 1;
                assert_eq!(outcome.is_error, call.name == "fails");
            }
        });
        let texts: Vec<&str> = outcomes.iter().map(|o| o.text.as_str()).collect();
        assert_eq!(texts, ["300", "10", "200", "5", "100", "1", "it is broken"]);
        assert_eq!((started, ended, outcomes[0].meta.as_deref()), (7, 7, Some("waited")));
        assert!(at.elapsed() < Duration::from_millis(600), "one after the other: {:?}", at.elapsed());
    }

    /// SEC-34: strangers do not use what shows other conversations, whatever was offered.
    #[test]
    fn sec_34_a_tool_serves_whom_its_row_says() {
        let private = tool("private", |_, _| Ok(Output::text("a secret")));
        let (mut context, _dir) = context("{}");
        for (provenance, is_served) in [
            (Provenance::Operator, true),
            (Provenance::Owner, true),
            (Provenance::Cron, true),
            (Provenance::Agent, true),
            (Provenance::Guest, false),
            (Provenance::Hook, false),
        ] {
            context.provenance = provenance;
            let outcomes = run_all(&context, &[private], &[call("private", json!({}))], &mut |_| {});
            assert_eq!(outcomes[0].is_error, !is_served, "{provenance:?}");
        }
        let theirs: Vec<&str> =
            TOOLS.iter().filter(|tool| !(tool.serves)(Provenance::Guest)).map(|tool| tool.name).collect();
        assert_eq!(
            theirs,
            [
                "browser",
                "canvas",
                "cron",
                "exec",
                "gateway",
                "nodes",
                "process",
                "sessions_history",
                "sessions_list",
                "sessions_send",
                "sessions_spawn"
            ]
        );
    }

    #[test]
    fn calls_that_change_files_run_one_after_the_other_in_their_order() {
        static LOG: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
        let changes = tool("changes", |context, arguments| {
            LOG.lock().unwrap().push(format!("+{}", arguments["n"]));
            context.cancel.sleep(Duration::from_millis(20));
            LOG.lock().unwrap().push(format!("-{}", arguments["n"]));
            Ok(Output::default())
        });
        let looks = tool("looks", |_, _| Ok(Output::text(LOG.lock().unwrap().len().to_string())));
        let (context, _dir) = context("{}");
        let mut calls: Vec<ToolCall> = (0..5).map(|n| call("changes", json!({"n": n}))).collect();
        calls.push(call("looks", json!({})));
        let outcomes = run_all(&context, &[changes, looks], &calls, &mut |_| {});
        assert_eq!(LOG.lock().unwrap().join(""), "+0-0+1-1+2-2+3-3+4-4");
        assert!(outcomes[5].text.parse::<usize>().unwrap() < 4, "others do not wait");
    }

    #[test]
    fn edits_of_one_round_on_one_file_all_stay() {
        let (context, dir) = context("{}");
        let offered: Vec<&'static Tool> = TOOLS.iter().collect();
        let mut calls = vec![call("write", json!({"path": "a.md", "content": "0"}))];
        let edit = |n: i32| {
            call("edit", json!({"path": "a.md", "oldText": n.to_string(), "newText": (n + 1).to_string()}))
        };
        calls.extend((0..8).map(edit));
        let outcomes = run_all(&context, &offered, &calls, &mut |_| {});
        assert!(outcomes.iter().all(|outcome| !outcome.is_error), "{outcomes:?}");
        assert_eq!(std::fs::read_to_string(dir.path("ws/a.md")).unwrap(), "8");
    }

    #[test]
    fn a_tool_that_panics_or_never_returns_is_an_error_result() {
        let panics = tool("panics", |_, _| panic!("oh no"));
        let hangs = tool("hangs", hang);
        let (context, _dir) = context("{}");
        let calls = [call("panics", json!({})), call("hangs", json!({"ms": 80}))];
        let at = Instant::now();
        let outcomes = run_all(&context, &[panics, hangs], &calls, &mut |_| {});
        assert!(at.elapsed() < Duration::from_secs(2));
        assert!(outcomes[0].is_error && outcomes[0].text.contains("tool panics failed"), "{:?}", outcomes[0]);
        assert!(
            outcomes[1].is_error && outcomes[1].text.contains("tool hangs took too long"),
            "{:?}",
            outcomes[1]
        );
    }

    #[test]
    fn a_stopped_run_does_not_wait() {
        let hangs = tool("hangs", hang);
        let (context, _dir) = context("{}");
        let cancel = context.cancel.clone();
        let stopper = threads::bare("t-stop", 64 * 1024, move || {
            std::thread::sleep(Duration::from_millis(60));
            cancel.cancel(Reason::Stop);
        });
        let calls: Vec<ToolCall> = (0..6).map(|_| call("hangs", json!({}))).collect();
        let (at, mut open) = (Instant::now(), 0);
        let outcomes = run_all(&context, &[hangs], &calls, &mut |progress| match progress {
            Progress::Started(_) => open += 1,
            Progress::Updated(..) => {}
            Progress::Ended(..) => open -= 1,
        });
        assert!(at.elapsed() < Duration::from_secs(2));
        assert!(outcomes.len() == 6 && outcomes.iter().all(|o| o.is_error && o.text.contains("stopped")));
        assert_eq!(open, 0);
        stopper.unwrap().join().unwrap();
    }

    #[test]
    fn what_cannot_be_run_is_explained() {
        let (context, _dir) = context("{}");
        let offered: Vec<&'static Tool> = TOOLS.iter().filter(|tool| tool.name == "read").collect();
        for (name, arguments, want) in [
            (
                "write",
                json!({"path": "a", "content": "b"}),
                "tool write is not allowed here: use one of read",
            ),
            ("exec", json!({}), "tool exec is not allowed here: use one of read"),
            ("telescope", json!({}), "there is no tool \"telescope\": use one of read"),
            ("read", json!("{\"path\": "), "not valid JSON"),
            ("read", json!({"offset": 1}), "invalid read arguments: must have required property 'path'"),
            ("read", json!({"path": "../x"}), "is not inside"),
        ] {
            let outcomes = run_all(&context, &offered, &[call(name, arguments)], &mut |_| {});
            assert!(outcomes[0].is_error && outcomes[0].text.contains(want), "{name}: {}", outcomes[0].text);
        }
        assert!(run_all(&context, &[], &[call("read", json!({}))], &mut |_| {})[0].text.contains("no tools"));
    }

    #[test]
    fn long_results_are_cut_visibly() {
        let text = capped("é".repeat(MAX_TEXT));
        assert!(text.len() < MAX_TEXT + 200 && text.contains(&format!("has {} bytes", 2 * MAX_TEXT)));
        assert_eq!(capped("short".into()), "short");
    }
}
