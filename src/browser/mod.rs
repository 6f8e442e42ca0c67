//! A browser to drive: found, started when it is first needed, told what to do by its debugger's protocol (CDP), ended with the
//! gateway. One way in, `ask`, for its three callers: the method `browser.request`, the control port, the tool.
//!
//! Runs on the thread of whoever asks, which waits, never longer than its deadline; a browser that runs has one thread more,
//! `gw-browser` (`life.rs`). Nothing is there before the first use. Knows no clients, no agents' turns and no sockets of ours.
mod act;
pub mod afar;
mod ask;
mod attach;
mod cdp;
mod dialogs;
mod downloads;
mod events;
mod evidence;
mod finding;
mod gate;
mod launch;
mod leading;
mod life;
mod page;
mod pictures;
mod policy;
mod profiles;
mod snapshot;
mod status;
mod stored;
mod tabs;
mod tree;
mod world;

pub use ask::{Asked, ask};
pub use life::{end_all, stop_all};
pub use profiles::set_gateway_port;

use crate::config::Config;
use crate::env::Env;
use std::path::PathBuf;

/// Where pictures, documents and downloads lie.
pub fn media_dir(env: &Env) -> PathBuf {
    env.state_dir.join("media").join("browser")
}

/// Whether the owner lets browsers be driven here.
pub fn is_on(config: &Config) -> bool {
    config.bool("browser.enabled") && !config.is_disabled("browser")
}

/// Whether he has said anything of it: only then has an agent the tool, and the control port listens.
pub fn is_wanted(config: &Config) -> bool {
    is_on(config) && config.is_set("browser")
}

/// The port of the control service, if it listens.
pub fn control_port(config: &Config, env: &Env) -> Option<u16> {
    let is_skipped = env.flag("OPENCLAW_SKIP_BROWSER_CONTROL_SERVER");
    (is_wanted(config) && !is_skipped).then(|| profiles::ports(config, env).browser_control)
}
