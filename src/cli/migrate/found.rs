//! What the Node program has left here: its state, as far as it is used from here, and its services.
//!
//! Runs on the command line's thread and only looks.
use crate::agents::{Agents, profile_book};
use crate::channels::is_spoken_for;
use crate::cli::gateway::status::stranger;
use crate::config::{Config, ports};
use crate::cron::Book;
use crate::cron::store::{self, Place as Jobs};
use crate::device::pairing::Pairing;
use crate::doctor;
use crate::doctor::unsupported::{Asked, asked};
use crate::env::Env;
use crate::error::Result;
use crate::service::{self, Other, Place, inspect};
use crate::sessions::newer;
use crate::{clock, gateway, skills};
use serde_json::Value;
use std::path::PathBuf;

/// Where earlier names of the program had their state.
const OLD_DIRS: [&str; 4] = [".openclaw", ".clawdbot", ".moltbot", ".moldbot"];

pub struct Found {
    /// What carries over, in the order in which it is told.
    pub carries: [(&'static str, usize); 5],
    /// What is configured and does nothing here, and what helps instead.
    pub stays: Vec<Asked>,
    /// Its services of this user, which can be taken over.
    pub services: Vec<Other>,
    /// Its services of the machine.
    pub system: Vec<Other>,
    /// State directories beside the one that is used.
    pub others: Vec<PathBuf>,
    /// Conversations that only a newer release reads.
    pub newer: Option<String>,
    /// Files that cannot be read, and why; what is in them is not counted.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Why no gateway would start with what is there.
    pub refusal: Option<String>,
    /// Who has the gateway's port without a service: most often the Node program, started by hand.
    pub holder: Option<String>,
}

impl Found {
    pub fn look(env: &Env, config: &Config) -> Result<Found> {
        let agents = Agents::of(config, env);
        let ids = agents.ids();
        let channels = config.get("channels").and_then(Value::as_object).into_iter().flatten();
        let is_here = |name: &str, value: &Value| {
            let is_on = value.get("enabled") != Some(&Value::Bool(false));
            name != "defaults" && is_on && is_spoken_for(config, env, name)
        };
        let mut unreadable: Vec<(PathBuf, String)> = Vec::new();
        let mut length = |path: PathBuf| match doctor::sessions::read(&path) {
            Ok(index) => index.len(),
            Err((why, remedy)) => {
                unreadable.push((path, format!("{why}; {remedy}")));
                0
            }
        };
        let sessions = ids.iter().map(|id| length(agents.session_store(id))).sum();
        let profiles = |id: &String| {
            let book = profile_book::read(&profile_book::of_dir(&agents.agent_dir(id))).ok()??;
            Some(book.get("profiles")?.as_object()?.len())
        };
        let jobs = Jobs::of(config, env);
        let (book, _) = Book::load(store::read(&jobs.jobs), clock::now_ms());
        unreadable.extend(book.broken.iter().map(|why| (jobs.jobs.clone(), why.clone())));
        unreadable.extend(doctor::unread::key_files(env, config));
        let devices = Pairing::new(&env.state_dir).unread();
        unreadable.extend(devices.into_iter().map(|(path, error)| (path, error.message().to_string())));
        let carries = [
            ("sessions", sessions),
            ("channels", channels.filter(|(name, value)| is_here(name, value)).count()),
            ("cron jobs", book.len()),
            ("skills", skills::find(&agents, &agents.default_id()).skills.len()),
            ("auth profiles", ids.iter().filter_map(profiles).sum()),
        ];
        let (services, system): (Vec<_>, Vec<_>) =
            services(env)?.into_iter().partition(|other| other.scope == "user");
        let dirs = OLD_DIRS.iter().map(|name| env.home.join(name));
        let is_alone = services.is_empty() && system.is_empty();
        let holder = is_alone.then(|| stranger(env, ports::configured(env, config))).flatten();
        Ok(Found {
            carries,
            stays: asked(config, env),
            system,
            others: dirs.filter(|dir| dir.is_dir() && *dir != env.state_dir).collect(),
            newer: newer::told(&env.state_dir, &ids),
            refusal: gateway::refusal(env),
            holder,
            unreadable,
            services,
        })
    }
}

/// Services that run the Node program, or a predecessor of it: at this profile's own place too.
fn services(env: &Env) -> Result<Vec<Other>> {
    let place = Place::find(env, None)?;
    let own = inspect::look(env, &place);
    let scope = if place.manager.is_system() { "system" } else { "user" };
    let own = own.is_node.then_some(Other {
        name: place.name,
        path: place.path,
        scope,
        marker: "openclaw",
        legacy: false,
        is_node: true,
    });
    let others = service::others(env, true).into_iter().filter(|other| other.is_node || other.legacy);
    Ok(own.into_iter().chain(others).collect())
}
