//! The sessions there are: those of this machine by their files, those of a gateway elsewhere by its word.
use super::row::Row;
use crate::agents::Agents;
use crate::cli::Context;
use crate::cli::link::rpc;
use crate::cli::parse::Args;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::json::json;
use crate::session_key;
use crate::sessions::index;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The sessions of a store, newest first; a missing file is an empty store.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let text = match crate::files::read_bytes(path, index::MOST_BYTES) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => {
            let way_out = format!("; {}", crate::files::remedy(path, &e));
            return Err(Error::io(format_args!("read session store {}", path.display()), e).ending(&way_out));
        }
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

/// What is known of the sessions of some stores.
#[derive(Default)]
pub(super) struct Found {
    pub stores: Vec<PathBuf>,
    /// The newest first.
    pub rows: Vec<Row>,
    /// Why others cannot be read.
    pub unread: Vec<Error>,
}

/// The sessions on disk, of all agents or of the one that is named. Of several stores those are passed over that cannot be read.
pub(super) fn here(env: &Env, config: &Config, args: &Args) -> Result<Found> {
    if let Some(path) = args.value("store").map(|path| env.expand(path)) {
        let rows = read(&path)?;
        return Ok(Found { stores: vec![path], rows, unread: Vec::new() });
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
    let mut found = Found::default();
    for store in ids.iter().map(|id| agents.session_store(id)) {
        match read(&store) {
            Ok(rows) => {
                found.rows.extend(rows);
                found.stores.push(store);
            }
            Err(error) => found.unread.push(error),
        }
    }
    if found.stores.is_empty()
        && let Some(error) = found.unread.pop()
    {
        return Err(error);
    }
    crate::order::by_key(&mut found.rows, |row| std::cmp::Reverse(row.updated_at));
    Ok(found)
}

/// The sessions of a gateway elsewhere.
pub(super) fn remote(context: &Context, args: &Args, address: &str) -> Result<Vec<Row>> {
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
