//! A context for a tool without a gateway around it. Tests only.
use super::Context;
use crate::cancel::Cancel;
use crate::config::Config;
use crate::config::testing::Dir;
use crate::gateway::{Judge, Options};
use crate::net::door::Door;
use crate::protocol::limits::Limits;
use crate::shared::{Auth, Published, Shared};
use std::sync::{Arc, RwLock};
use std::time::Instant;

/// The turn of agent `main` under this configuration; nobody is at the other end of the state thread's channel. The
/// workspace is `ws` in the directory, which lives as long as the second value.
pub fn context(config: &str) -> (Context, Dir) {
    let dir = Dir::new();
    dir.write("openclaw.json", config);
    dir.write("ws/AGENTS.md", "rules\n");
    let mut env = dir.env(&[]);
    let config = Config::inspect(&mut env);
    let (state, _) = crossbeam_channel::bounded(1);
    let shared = Shared {
        auth: RwLock::new(Arc::new(Auth::resolve(&config, &env, None, Some("t"), None).unwrap())),
        limits: Limits::of(|key| config.u64(key)),
        config: RwLock::new(config.clone()),
        judge: Arc::new(Judge::new(env.clone(), Options::default())),
        env,
        door: Door::new(),
        budget: Arc::default(),
        succession: Default::default(),
        state,
        started: Instant::now(),
        own_names: Vec::new(),
        published: Published::default(),
    };
    let context = Context {
        shared: Arc::new(shared),
        config,
        agent: "main".into(),
        session_key: "agent:main:main".into(),
        run: "r1".into(),
        workspace: dir.path("ws"),
        cancel: Cancel::new(),
    };
    (context, dir)
}
