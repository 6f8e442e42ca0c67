//! `config.get`, `config.schema` and `config.schema.lookup`: what is written and what may be. Changing it is
//! `config_write.rs`. All on the caller's connection thread.
use crate::calls::Caller;
use crate::config::{self, Config, path};
use crate::error::{Error, Result};
use crate::params::{params, read};
use crate::protocol::frame::Payload;
use crate::state::shared::Shared;
use serde_json::Value;

/// The file as it is now, secrets replaced.
pub fn get(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(Config::inspect(&mut shared.env.clone()).snapshot().into())
}

pub fn schema(_shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(config::schema().into())
}

params! {
    struct Lookup {
        path: String,
    }
}

/// One place of the schema instead of all of it.
pub fn schema_lookup(_shared: &Shared, _caller: &Caller, params: Value) -> Result<Payload> {
    let Lookup { path } = read(params)?;
    let names = path::parse(&path).map_err(|e| Error::invalid(e.message()))?;
    let found = config::schema_at(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let missing =
        || Error::not_found(format!("config schema path not found: {path:.200}; config.schema lists all"));
    Ok(found.ok_or_else(missing)?.into())
}
