//! The agent's tools: one row in `TOOLS` and one file each.
//!
//! Called on a run's thread; each tool runs on a thread of its own, so that one which panics or never returns
//! costs its run an error result and nothing else. What an agent may use is decided in `policy`.
use crate::agent::cancel::Cancel;
use crate::config::Config;
use crate::error::Result;
use crate::shared::Shared;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// A tool as the model and the policy see it.
pub struct Tool {
    /// The model's name for it.
    pub name: &'static str,
    /// What the model reads about it.
    pub doc: &'static str,
    /// JSON Schema of the arguments.
    pub parameters: &'static str,
    pub run: fn(&Context, &Value) -> Result<Output>,
}

/// For whom a tool works.
#[derive(Clone)]
pub struct Context {
    pub shared: Arc<Shared>,
    /// The configuration of this turn.
    pub config: Config,
    pub agent: String,
    /// Canonical key of the session whose turn it is.
    pub session_key: String,
    pub run: String,
    pub workspace: PathBuf,
    pub cancel: Cancel,
}

/// What a tool says.
#[derive(Debug, Clone, Default)]
pub struct Output {
    pub text: String,
    /// A few words for people: the path, the address.
    pub meta: Option<String>,
}
