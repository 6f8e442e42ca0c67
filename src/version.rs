//! The version of this program, in one place for the wire, the command line, services and outgoing requests.
use crate::json::json;
use serde_json::Value;

/// As in Cargo.toml, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// All that is known of this build; the commit is null where it was built from a tarball or for development.
pub fn build() -> Value {
    let features: Vec<&str> = env!("OPENCLAW_FEATURES").split(',').filter(|name| !name.is_empty()).collect();
    json!({
        "version": VERSION, "commit": option_env!("OPENCLAW_COMMIT"), "build": env!("OPENCLAW_BUILD"),
        "target": env!("OPENCLAW_TARGET"), "features": features,
    })
}
