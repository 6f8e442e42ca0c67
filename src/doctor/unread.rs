//! Checks of what the gateway keeps in files of its own: keys of model servers and paired devices that cannot be read. Only
//! looks.
use super::{Ctx, Finding};
use crate::agents::{Agents, profile_book};
use crate::config::Config;
use crate::device::pairing::Pairing;
use crate::env::Env;
use std::path::PathBuf;

/// The agents' files of keys that cannot be read, and why.
pub fn key_files(env: &Env, config: &Config) -> Vec<(PathBuf, String)> {
    let agents = Agents::of(config, env);
    let files = agents.ids().into_iter().map(|id| profile_book::of_dir(&agents.agent_dir(&id)));
    let why = |file: &PathBuf| match profile_book::read(file) {
        Err(unread) => Some(unread.to_string()),
        Ok(_) if file.is_dir() => Some("is a directory, no key is read there; move it away".to_string()),
        Ok(_) => None,
    };
    files.filter_map(|file| why(&file).map(|why| (file, why))).collect()
}

pub fn keys(ctx: &Ctx) -> Vec<Finding> {
    let finding =
        |(file, why): (PathBuf, String)| Finding::new(format!("{} {why}", ctx.env.display(&file))).at(file);
    key_files(&ctx.env, &ctx.config).into_iter().map(finding).collect()
}

pub fn devices(ctx: &Ctx) -> Vec<Finding> {
    let unread = Pairing::new(&ctx.env.state_dir).unread();
    let finding = |(file, error): (PathBuf, crate::error::Error)| {
        Finding::new(ctx.env.display_all(error.message())).at(file)
    };
    unread.into_iter().map(finding).collect()
}
