//! `config.get` and `config.schema`. Changing the configuration comes with its own methods later.
use crate::config::{self, Config};
use crate::error::Result;
use crate::protocol::frame::Payload;
use crate::shared::Shared;
use crate::state::clients::Caller;
use serde_json::Value;

/// The file as it is now, secrets replaced.
pub fn get(shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(Config::inspect(&mut shared.env.clone()).snapshot().into())
}

pub fn schema(_shared: &Shared, _caller: &Caller, _params: Value) -> Result<Payload> {
    Ok(config::schema().into())
}
