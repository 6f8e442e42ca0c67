//! The calls of one command on one connection, which the first of them makes and the end of the talk closes. Main thread.
//!
//! Each has a deadline of its own. One that is lost is not made again: who asked is told what is known of it.
use super::client::Deadline;
use super::connect::{Session, connect};
use super::rpc::{self, DEFAULT_TIMEOUT_MS};
use super::target::Target;
use crate::cli::Context;
use crate::cli::parse::Args;
use crate::cli::waiting::Waiting;
use crate::error::Result;
use serde_json::Value;

pub struct Talk<'a> {
    pub context: &'a Context,
    pub args: &'a Args,
    /// An answer is waited for so much longer than the limit.
    pub beside_ms: u64,
    open: Option<(Target, Session)>,
}

impl<'a> Talk<'a> {
    pub fn new(context: &'a Context, args: &'a Args) -> Talk<'a> {
        Talk { context, args, beside_ms: 0, open: None }
    }

    /// Calls `method` and gives its payload.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.call_within(method, params, DEFAULT_TIMEOUT_MS)
    }

    /// The same with another limit, where `--timeout` sets none.
    pub fn call_within(&mut self, method: &str, params: &Value, usual_ms: u64) -> Result<Value> {
        let (context, args) = (self.context, self.args);
        let millis = args.millis("timeout", 1)?.unwrap_or(usual_ms);
        let deadline = Deadline::after(context.started, millis.saturating_add(self.beside_ms));
        // A file that cannot be used hides no gateway from who only looks.
        let named = if rpc::reads(method) { None } else { Some(rpc::target(context, args)?.0) };
        let waits =
            |target: &Target| Waiting::begin(context.out, &format!("asking the gateway at {}", target.url));
        let (open, _waiting) = match self.open.take() {
            Some(mut open) => {
                open.1.client.set_deadline(deadline);
                let waiting = waits(&open.0);
                (open, waiting)
            }
            None => {
                let target = match named {
                    Some(target) => target,
                    None => rpc::target_to_read(context, args)?,
                };
                let waiting = waits(&target);
                let session = connect(&target, &context.env.state_dir, &[], deadline)?;
                ((target, session), waiting)
            }
        };
        let (target, session) = self.open.insert(open);
        rpc::request(session, target, method, params, args.has("expect-final"))
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        if let Some((_, session)) = self.open.take() {
            session.client.close();
        }
    }
}
