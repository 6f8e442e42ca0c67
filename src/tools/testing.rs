//! A context for a tool without a gateway around it. Tests only.
use super::Context;
use crate::cancel::Cancel;
use crate::config::Config;
use crate::config::testing::Dir;
use crate::protocol::limits::Limits;
use crate::settings::{Auth, Settings};
use std::sync::{Arc, RwLock};
use std::time::Instant;

/// The turn of agent `main` under this configuration; nobody answers calls of methods. The
/// workspace is `ws` in the directory, which lives as long as the second value.
pub fn context(config: &str) -> (Context, Dir) {
    let dir = Dir::new();
    dir.write("openclaw.json", config);
    dir.write("ws/AGENTS.md", "rules\n");
    let mut env = dir.env(&[]);
    let config = Config::inspect(&mut env);
    let settings = Settings {
        auth: RwLock::new(Arc::new(Auth::resolve(&config, &env, None, Some("t"), None).unwrap())),
        limits: Limits::of(|key| config.u64(key)),
        config: RwLock::new(config.clone()),
        env,
        started: Instant::now(),
        own_names: Vec::new(),
        refusal: Box::new(|_, _| None),
    };
    let settings = Arc::new(settings);
    let context = Context {
        ask: crate::state::testing::shared(settings.clone()).asker(),
        settings,
        config,
        agent: "main".into(),
        session_key: "agent:main:main".into(),
        run: "r1".into(),
        provenance: Default::default(),
        exec: Default::default(),
        place: None,
        workspace: dir.path("ws"),
        cancel: Cancel::new(),
        updates: None,
    };
    (context, dir)
}
