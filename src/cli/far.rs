//! Whether the gateway that a command means is on another machine, whose files are not here.
//!
//! Commands that read or write this machine's files would show or change what no gateway uses: they ask the gateway
//! where it has a method for that, and refuse where it has none.
pub use crate::service::far::address;

use super::Context;
use crate::config::Config;
use crate::error::{Error, Result};

/// Refuses what only the gateway's own machine can do; `instead` is the method that does the like from here.
pub fn refuse(context: &Context, config: &Config, instead: Option<&str>) -> Result<()> {
    let env = &context.env;
    let Some(address) = address(env, config) else { return Ok(()) };
    let call = instead.map(|method| env.command(&format!("gateway call {method}")));
    let call = call.map_or(String::new(), |call| format!(", or use its method: `{call}`"));
    Err(Error::invalid(format!(
        "the gateway is elsewhere ({address}), and nothing was changed here\nFix: run it there, on the gateway's host{call}"
    )))
}
