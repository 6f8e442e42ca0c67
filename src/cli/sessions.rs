//! `openclaw sessions`: the sessions on disk, read without the gateway and without changing anything.
use super::gateway::usage::short;
use super::link::rpc;
use super::parse::Args;
use super::print::age;
use super::{Command, Context, Flag, JSON, far};
use crate::agents::Agents;
use crate::clock;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key;
use crate::sessions::index;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

pub const COMMAND: Command = Command {
    name: "sessions",
    summary: "List the sessions on disk",
    about: "Reads the session stores of this machine; only a gateway elsewhere is asked.\n\
            Tokens are those that the last prompt took, of the model's window.",
    positionals: &[],
    flags: &[FLAGS, rpc::FLAGS],
    examples: &[
        ("openclaw sessions", "List the sessions of all agents, newest first"),
        ("openclaw sessions --active 60 --json", "Print those of the last hour as JSON"),
    ],
    failure: "",
    run,
};

pub const LIST: Command = Command {
    name: "sessions list",
    examples: &[("openclaw sessions list", "List the sessions of all agents, newest first")],
    ..COMMAND
};

const FLAGS: &[Flag] = &[
    Flag::value("agent", "<id>", "List this agent's sessions only"),
    Flag::value("store", "<path>", "Read this store file"),
    Flag::value("active", "<minutes>", "List only sessions used in the last minutes"),
    JSON,
];

/// What scripts get of an entry.
const SHOWN: [&str; 18] = [
    "sessionId",
    "label",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "modelProvider",
    "model",
    "contextTokens",
    "modelOverride",
    "providerOverride",
    "thinkingLevel",
    "verboseLevel",
    "systemSent",
    "abortedLastRun",
    "compactionCount",
    "fallbackNoticeSelectedModel",
    "fallbackNoticeActiveModel",
    "fallbackNoticeReason",
];

/// One session as listed.
pub struct Row {
    pub key: String,
    pub updated_at: u64,
    pub entry: Map<String, Value>,
}

impl Row {
    /// A row of the gateway's own lists.
    pub fn told(entry: &Value) -> Option<Row> {
        let entry = entry.as_object()?.clone();
        let key = entry.get("key")?.as_str()?.to_string();
        let updated_at = entry.get("updatedAt").and_then(Value::as_u64).unwrap_or_default();
        Some(Row { key, updated_at, entry })
    }

    pub fn text(&self, name: &str) -> String {
        self.entry.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.entry.get(name).and_then(Value::as_u64)
    }

    /// The entry as scripts get it, with its key, kind and age.
    pub fn to_json(&self, now: u64) -> Value {
        let mut object = Map::new();
        object.insert("key".into(), self.key.as_str().into());
        object.insert("kind".into(), session_key::kind_of(&self.key).into());
        object.insert("updatedAt".into(), self.updated_at.into());
        object.insert("ageMs".into(), now.saturating_sub(self.updated_at).into());
        for name in SHOWN {
            if let Some(value) = self.entry.get(name) {
                object.insert(name.into(), value.clone());
            }
        }
        if let Some((used, all)) = self.window() {
            object.insert("remainingTokens".into(), all.saturating_sub(used).into());
            object.insert("percentUsed".into(), (used.saturating_mul(100) / all).into());
        }
        object.into()
    }

    /// Tokens used of the window and its size, where both are known.
    fn window(&self) -> Option<(u64, u64)> {
        self.number("totalTokens").zip(self.number("contextTokens").filter(|all| *all > 0))
    }

    /// `1.2k/64k (1%)`
    fn tokens(&self) -> String {
        match (self.window(), self.number("totalTokens")) {
            (Some((used, all)), _) => {
                format!("{}/{} ({}%)", short(used), short(all), used.saturating_mul(100) / all)
            }
            (None, Some(used)) => short(used),
            (None, None) => "-".to_string(),
        }
    }

    /// What differs from the usual: `think:high fallback:rate_limit`
    fn flags(&self) -> String {
        let named = [
            ("think", "thinkingLevel"),
            ("verbose", "verboseLevel"),
            ("reasoning", "reasoningLevel"),
            ("send", "sendPolicy"),
            ("fallback", "fallbackNoticeReason"),
        ];
        let flag = |(short, name): (&str, &str)| {
            Some(self.text(name)).filter(|t| !t.is_empty()).map(|t| format!("{short}:{t}"))
        };
        let aborted = self.entry.get("abortedLastRun").and_then(Value::as_bool) == Some(true);
        let flags = named.into_iter().filter_map(flag).chain(aborted.then(|| "aborted".to_string()));
        flags.collect::<Vec<_>>().join(" ")
    }

    /// Which model answers instead of the chosen one, and why.
    pub fn fallback(&self) -> Option<String> {
        let text = |name: &str| Some(self.text(name)).filter(|text| !text.is_empty());
        let (to, from) = (text("fallbackNoticeActiveModel")?, text("fallbackNoticeSelectedModel")?);
        Some(format!("{to} answers instead of {from} ({})", text("fallbackNoticeReason")?))
    }
}

/// The sessions of a store, newest first; a missing file is an empty store.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let text = match crate::files::read_bytes(path, index::MOST_BYTES) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(format_args!("read session store {}", path.display()), e)),
    };
    let map = index::parse(&text).ok_or_else(|| {
        let file = path.display();
        Error::new(
            crate::error::Kind::Io,
            format!(
                "read session store {file}: it is not a JSON object; the gateway repairs it when it starts"
            ),
        )
    })?;
    let row = |(key, entry): (String, Value)| {
        let Value::Object(entry) = entry else { return None };
        let updated_at = entry.get("updatedAt").and_then(Value::as_f64).unwrap_or_default() as u64;
        Some(Row { key, updated_at, entry })
    };
    let mut rows: Vec<Row> = map.into_iter().filter_map(row).collect();
    crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at));
    Ok(rows)
}

/// The sessions on disk, of all agents or of the one that is named, newest first, and where they are.
fn here(env: &Env, config: &Config, args: &Args) -> Result<(Vec<PathBuf>, Vec<Row>)> {
    if let Some(path) = args.value("store").map(|path| env.expand(path)) {
        let rows = read(&path)?;
        return Ok((vec![path], rows));
    }
    let agents = Agents::of(config, env);
    let mut ids = agents.ids();
    if let Some(id) = args.filled("agent")?.map(session_key::normalise_agent_id) {
        if !ids.contains(&id) {
            let known = ids.join(", ");
            return Err(Error::not_found(format!(
                "no agent {id:?} (there are: {known}); see: {}",
                env.command("agents")
            )));
        }
        ids = vec![id];
    }
    let stores: Vec<PathBuf> = ids.iter().map(|id| agents.session_store(id)).collect();
    let mut rows = Vec::new();
    for store in &stores {
        rows.extend(read(store)?);
    }
    crate::order::by_key(&mut rows, |row| std::cmp::Reverse(row.updated_at));
    Ok((stores, rows))
}

/// The sessions of a gateway elsewhere.
fn remote(context: &Context, args: &Args, address: &str) -> Result<Vec<Row>> {
    let mut params = json!({});
    if let (Some(map), Some(id)) = (params.as_object_mut(), args.filled("agent")?) {
        let id = session_key::normalise_agent_id(id);
        let told = rpc::call(context, args, "agents.list", &json!({}))?;
        let list = told.get("agents").and_then(Value::as_array).into_iter().flatten();
        let ids: Vec<&str> = list.filter_map(|agent| agent.get("id")?.as_str()).collect();
        if !ids.contains(&id.as_str()) {
            let known = ids.join(", ");
            return Err(Error::not_found(format!("no agent {id:?} at {address} (there are: {known})")));
        }
        map.insert("agentId".into(), id.into());
    }
    let told = rpc::call(context, args, "sessions.list", &params)?;
    let list = told.get("sessions").and_then(Value::as_array).into_iter().flatten();
    Ok(list.filter_map(Row::told).collect())
}

fn run(context: &Context, args: &Args) -> Result<()> {
    let active = args.number("active").ok().flatten().filter(|minutes| *minutes > 0);
    if args.value("active").is_some() && active.is_none() {
        return Err(Error::usage("--active must be a positive integer (minutes)"));
    }
    let (config, env) = far::load(context, args)?;
    let now = clock::now_ms();
    // Scripts get the paths as they are.
    let joined = |stores: &[PathBuf], shown: &dyn Fn(&Path) -> String| {
        stores.iter().map(|store| shown(store)).collect::<Vec<_>>().join(", ")
    };
    let elsewhere = match args.value("store") {
        Some(_) => None,
        None => far::or_here(context, &env, &config, args),
    };
    let (path, mut rows) = match elsewhere {
        Some(address) => {
            let rows = remote(context, args, &address)?;
            (address, rows)
        }
        None => {
            let (stores, rows) = here(&env, &config, args)?;
            let as_is = |path: &Path| path.display().to_string();
            let for_people = |path: &Path| env.display(path);
            let shown: &dyn Fn(&Path) -> String = if args.has("json") { &as_is } else { &for_people };
            (joined(&stores, shown), rows)
        }
    };
    rows.retain(|row| {
        active.is_none_or(|minutes| now.saturating_sub(row.updated_at) <= minutes.saturating_mul(60_000))
    });
    if args.has("json") {
        let list: Vec<Value> = rows.iter().map(|row| row.to_json(now)).collect();
        context
            .out
            .json(&json!({"path": path, "count": rows.len(), "activeMinutes": active, "sessions": list}));
        return Ok(());
    }
    context.out.line(format!("Session store: {path}"));
    context.out.line(format!("Sessions listed: {}", rows.len()));
    if rows.is_empty() {
        context.out.line("No sessions found.");
        return Ok(());
    }
    show(context, &rows.iter().collect::<Vec<_>>(), now);
    Ok(())
}

/// The sessions as a table.
pub fn show(context: &Context, rows: &[&Row], now: u64) {
    let cells = rows.iter().map(|row| {
        let age = age(now.saturating_sub(row.updated_at));
        vec![
            session_key::kind_of(&row.key).to_string(),
            row.key.clone(),
            age,
            row.text("model"),
            row.tokens(),
            row.text("sessionId"),
            row.flags(),
        ]
    });
    context.out.table(
        &["Kind", "Key", "Age", "Model", "Tokens (ctx %)", "Session", "Flags"],
        &cells.collect::<Vec<_>>(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_listed_newest_first_and_a_broken_one_is_named() {
        let path = std::env::temp_dir().join(format!("store-{}.json", std::process::id()));
        assert!(read(&path).unwrap().is_empty());
        std::fs::write(&path, r#"{"agent:main:a":{"updatedAt":1},"agent:main:b":{"updatedAt":5,"totalTokens":10,"contextTokens":100},"x":3}"#).unwrap();
        let rows = read(&path).unwrap();
        assert_eq!(
            rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(),
            ["agent:main:b", "agent:main:a"]
        );
        assert_eq!(rows[0].tokens(), "10/100 (10%)");
        assert_eq!(rows[0].to_json(7)["ageMs"], 2);
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path).err().unwrap().message().contains("repairs"));
        std::fs::remove_file(path).unwrap();
    }
}
