//! What may be wrong with an installation: one table of checks, each a row here and a function in the file of its
//! family. `doctor` shows them all, `security audit` those that are marked so.
//!
//! Runs on the command line's thread, with the gateway up or down. Checks only look: nothing is created, locked or
//! changed by them, and no text in a language is understood. A finding may carry a `Fix`, which is data: it can be
//! shown before it is done. Findings name places and lengths of secrets, never the secrets.
mod access;
mod cages;
mod channels;
mod compat;
mod config;
mod cron;
mod fix;
mod heartbeat;
mod machine;
mod models;
mod modes;
mod ports;
mod reach;
mod rules;
mod services;
pub mod sessions;
mod surface;
mod tls;
pub mod unread;
pub mod unsupported;
mod workspaces;

pub use fix::{Change, Done, Fix, repair};
pub use machine::instance;
pub use reach::Reached;

use crate::config::{Config, Spot};
use crate::env::Env;
use std::path::PathBuf;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Works, but not well or not safely.
    Warning,
    /// Does not work, or others can get in.
    Error,
}

impl Severity {
    pub const NAMES: [&'static str; 3] = ["info", "warning", "error"];

    pub fn named(name: &str) -> Option<Severity> {
        let all = [Severity::Info, Severity::Warning, Severity::Error];
        Severity::NAMES.iter().zip(all).find(|(known, _)| **known == name).map(|(_, severity)| severity)
    }

    pub fn name(self) -> &'static str {
        Severity::NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// Its name in `security audit`, where existing scripts know other words.
    pub fn audit_name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warn",
            Severity::Error => "critical",
        }
    }
}

/// One thing that is looked at.
pub struct Check {
    /// Of its findings; stable, scripts name it.
    pub id: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    /// Whether `security audit` looks at it too.
    pub security: bool,
    pub run: fn(&Ctx) -> Vec<Finding>,
}

const fn check(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    run: fn(&Ctx) -> Vec<Finding>,
) -> Check {
    Check { id, severity, title, security: false, run }
}

const fn guard(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    run: fn(&Ctx) -> Vec<Finding>,
) -> Check {
    Check { id, severity, title, security: true, run }
}

use Severity::{Error, Info, Warning};

/// Every check, sorted by id.
#[rustfmt::skip]
pub const CHECKS: &[Check] = &[
    check("channels.allow_from", Warning, "Entries of a channel's list let nobody in", channels::allow_from),
    check("channels.groups", Warning, "Groups of a channel are not named by their ids", channels::groups),
    check("channels.pairing", Error, "Who was let in by a channel is not known", channels::pairing),
    check("channels.patterns", Warning, "A pattern by which a bot is meant fits nothing", channels::patterns),
    check("channels.platform", Warning, "A channel's platform has something to say", channels::platform),
    check("channels.program", Error, "A channel's program does not work", channels::program),
    guard("channels.public", Warning, "A bot answers everybody", channels::public),
    check("channels.token", Error, "An account of a channel has no token", channels::token),
    check("channels.twin", Error, "Two accounts have one token", channels::twin),
    check("clock.wrong", Warning, "The clock seems to be wrong", machine::clock),
    check("clock.zone", Warning, "A time zone is unknown", machine::zone),
    check("compat.keys", Info, "The original program refuses this key", compat::keys),
    check("compat.models", Info, "The original program wants more of a model", compat::models),
    check("config.invalid", Error, "The configuration has mistakes", config::invalid),
    check("config.legacy_key", Warning, "Keys of earlier versions are not read", config::legacy),
    check("config.missing", Info, "There is no configuration yet", config::missing),
    check("config.mode_unset", Error, "The gateway does not start without gateway.mode", config::mode),
    check("config.unknown_key", Warning, "Keys that nothing reads", config::unknown),
    check("cron.jobs", Warning, "Scheduled jobs that cannot run", cron::wrong),
    check("devices.unreadable", Error, "Paired devices cannot be read", unread::devices),
    check("disk.full", Error, "The disk is full", machine::full),
    check("disk.low", Warning, "The disk is nearly full", machine::low),
    check("env.legacy", Info, "Variables of earlier product names are set", machine::variables),
    guard("exec.approvals", Error, "The rules of commands cannot be read", rules::unreadable),
    guard("fs.config.perms_group_readable", Warning, "The config file is readable by its group", modes::config_group),
    guard("fs.config.perms_world_readable", Error, "The config file is readable by everybody", modes::config_world),
    guard("fs.config.perms_writable", Error, "The config file is writable by others", modes::config_writable),
    guard("fs.config.symlink", Warning, "The config file is a symbolic link", modes::config_link),
    guard("fs.config_include.perms_world_readable", Error, "An included config file is open to everybody", modes::includes),
    guard("fs.log_file.perms_readable", Warning, "The log file is readable by others", modes::log),
    guard("fs.sandbox.root_only", Warning, "Commands of agents reach what is for root alone", cages::private),
    guard("fs.state_dir.perms_group_writable", Warning, "The state directory is writable by its group", modes::state_group_writable),
    guard("fs.state_dir.perms_readable", Warning, "The state directory is readable by others", modes::state_readable),
    guard("fs.state_dir.perms_world_writable", Error, "The state directory is writable by everybody", modes::state_writable),
    guard("fs.state_dir.symlink", Warning, "The state directory is a symbolic link", modes::state_link),
    guard("fs.state_files.perms", Warning, "Files of the state directory are open to others", modes::files),
    guard("fs.synced_dir", Warning, "Configuration or state lie in a synchronised folder", modes::synced),
    guard("gateway.bind_no_auth", Error, "The gateway would be open to the network without a secret", access::bind_no_auth),
    guard("gateway.bind_plain", Warning, "Secrets and messages cross the network in the clear", access::bind_plain),
    guard("gateway.bind_weak_secret", Error, "The secret is too weak for a gateway open to the network", access::bind_weak),
    guard("gateway.control_ui.device_auth_disabled", Error, "The control page needs no device identity", access::no_devices),
    guard("gateway.control_ui.insecure_auth", Error, "A token alone opens the control page", access::insecure_ui),
    check("gateway.elsewhere", Info, "The gateway is on another machine", access::elsewhere),
    guard("gateway.loopback_no_auth", Error, "The gateway has no secret", access::no_auth),
    guard("gateway.probe_failed", Warning, "The gateway cannot be asked", reach::failed),
    guard("gateway.remote_plain", Warning, "Secrets go to a gateway elsewhere in the clear", access::remote_plain),
    guard("gateway.secret_file", Error, "The file of the gateway's secret has none", access::secret_file),
    guard("gateway.secret_file_open", Warning, "Others can read the gateway's secret", access::secret_file_open),
    guard("gateway.tls", Error, "The gateway's port cannot speak TLS", tls::unusable),
    guard("gateway.tls.expires", Warning, "The gateway's certificate is about to expire", tls::expires),
    guard("gateway.tls.key_open", Warning, "Others can read the key of the gateway's certificate", tls::key_open),
    check("gateway.tls.shown", Info, "The gateway's port speaks TLS", tls::shown),
    check("gateway.token_mismatch", Warning, "Gateway and command line have different secrets", access::mismatch),
    guard("gateway.token_too_short", Warning, "The gateway's secret is short", access::weak),
    check("gateway.version_skew", Info, "The running gateway is of another version", reach::skew),
    check("heartbeat.settings", Warning, "Settings of heartbeats that cannot be taken", heartbeat::wrong),
    guard("hooks.token", Warning, "The token of webhooks is no secret of its own", access::hooks_token),
    check("models.built_in", Info, "No model is configured", models::built_in),
    check("models.crowded", Warning, "Instructions and tools fill a model's window", models::crowded),
    check("models.key_file", Error, "A file of keys cannot be read", unread::keys),
    check("models.key_missing", Error, "A model has no API key", models::key_missing),
    check("models.unusable", Error, "A model cannot be used", models::unusable),
    check("models.window", Warning, "A model's window is assumed", models::window),
    check("port.collision", Warning, "Profiles share ports", ports::collisions),
    check("port.in_use", Error, "Another program has the gateway's port", ports::in_use),
    check("service.differs", Warning, "The service is not as it would be installed now", services::drift),
    check("service.legacy", Warning, "Services of earlier product names exist", services::legacy),
    check("service.others", Info, "Other gateway-like services exist", services::others),
    guard("service.secret", Error, "A service file holds a secret", services::secret),
    check("sessions.index_damaged", Error, "A session index cannot be read as a whole", sessions::index),
    check("sessions.litter", Info, "Left-over files wait to be swept", sessions::litter),
    check("sessions.newer_release", Warning, "Sessions of a newer release are not read", sessions::newer_release),
    check("sessions.transcript_lines", Info, "Transcripts hold lines that are no entries", sessions::strange),
    check("sessions.transcript_missing", Warning, "Sessions without their transcript", sessions::missing),
    check("sessions.transcript_torn", Info, "Transcripts end in half a line", sessions::torn),
    check("state.legacy_dir", Info, "State of an earlier product name", machine::legacy_dir),
    check("state.missing", Info, "There is no state directory yet", machine::missing),
    check("state.unwritable", Error, "The state directory cannot be written", machine::unwritable),
    guard("summary.attack_surface", Info, "What can be reached", surface::summary),
    check("unsupported.broadcast", Warning, "Broadcast groups are not in this version", unsupported::broadcast),
    check("unsupported.channels", Warning, "Channels are not in this version", unsupported::channels),
    check("unsupported.exec", Warning, "Commands run on this host only, and by tools", unsupported::exec),
    check("unsupported.hooks", Warning, "Hooks of JavaScript are not in this version", unsupported::hooks),
    check("unsupported.http", Warning, "The HTTP API is not in this version", unsupported::http),
    check("unsupported.media", Warning, "Media features are not in this version", unsupported::media),
    check("unsupported.memory", Warning, "Memory features are not in this version", unsupported::memory),
    check("unsupported.model_params", Warning, "Model settings that are not used in this version", unsupported::model_params),
    check("unsupported.network", Warning, "Network features are not in this version", unsupported::network),
    check("unsupported.pages", Warning, "Pages are not served in this version", unsupported::pages),
    check("unsupported.plugins", Warning, "Plugins and their skills are not in this version", unsupported::plugins),
    check("unsupported.web_search", Warning, "This web search is not in this version", unsupported::web_search),
    check("workspace.foreign", Warning, "A workspace is not this user's", workspaces::foreign),
    check("workspace.missing", Info, "A workspace does not exist yet", workspaces::missing),
    check("workspace.shared", Warning, "Profiles share a workspace", ports::workspaces),
    check("workspace.texts", Warning, "A text of an agent is not in its prompt", ports::texts),
];

/// What checks look at. Made once, so that all see the same.
pub struct Ctx {
    pub env: Env,
    pub config: Config,
    /// Epoch milliseconds.
    pub now: u64,
    /// Process id of the gateway that runs on this state directory.
    pub instance: Option<u32>,
    /// What asking the gateway gave; `None` when it was not asked.
    pub reached: Option<Reached>,
    /// Service files.
    pub services: services::Services,
    /// What the service manager told; `None` when it was not asked.
    pub service: Option<crate::service::Inspection>,
}

impl Ctx {
    /// Reads what all checks need; `deep` adds the services of the machine. Asks neither gateway nor manager.
    pub fn look(env: &Env, deep: bool) -> Ctx {
        let mut env = env.clone();
        let config = Config::inspect(&mut env);
        let instance = machine::instance(&env);
        let services = services::read(&env, deep);
        Ctx { config, now: crate::clock::now_ms(), instance, reached: None, services, service: None, env }
    }

    /// Whether there is a config file that says something; one that cannot be read is told once, not by every check.
    fn is_readable(&self) -> bool {
        self.config.exists() && !self.config.issues().iter().any(|issue| issue.path.is_empty())
    }
}

/// One thing that a check found.
#[derive(Debug, Default)]
pub struct Finding {
    pub detail: String,
    /// What a person does about it.
    pub remedy: Option<String>,
    pub path: Option<PathBuf>,
    /// The place in that file, if it is one of the configuration.
    pub spot: Option<Box<Spot>>,
    pub fix: Option<Fix>,
}

impl Finding {
    pub fn new(detail: impl Into<String>) -> Finding {
        Finding { detail: detail.into(), ..Finding::default() }
    }

    pub fn at(mut self, path: impl Into<PathBuf>) -> Finding {
        self.path = Some(path.into());
        self
    }

    pub fn remedy(mut self, text: impl Into<String>) -> Finding {
        self.remedy = Some(text.into());
        self
    }

    pub fn fix(mut self, fix: Fix) -> Finding {
        self.fix = Some(fix);
        self
    }
}

/// One finding if there is something to tell.
fn one(found: Option<Finding>) -> Vec<Finding> {
    found.into_iter().collect()
}

/// A finding with the check that made it.
pub struct Found {
    pub check: &'static Check,
    pub finding: Finding,
}

/// Runs the checks that `wanted` names; worst findings first.
pub fn run(ctx: &Ctx, wanted: impl Fn(&Check) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    for check in CHECKS.iter().filter(|check| wanted(check)) {
        found.extend((check.run)(ctx).into_iter().map(|finding| Found { check, finding }));
    }
    crate::order::by_key(&mut found, |found| std::cmp::Reverse(found.check.severity));
    found
}

/// Whether `only` names the check: its id, or a family of it as `gateway` or `fs.config`.
pub fn is_named(check: &Check, only: &str) -> bool {
    check.id == only || check.id.strip_prefix(only).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
pub mod testing {
    use super::*;
    use crate::config::testing::Dir;

    /// What the checks of this family find in a state directory with this configuration.
    pub fn found(dir: &Dir, vars: &[(&str, &str)], only: &str) -> Vec<(String, String)> {
        let ctx = Ctx::look(&dir.env(vars), false);
        let found = run(&ctx, |check| is_named(check, only));
        found.into_iter().map(|f| (f.check.id.to_string(), f.finding.detail)).collect()
    }

    pub fn ids(dir: &Dir, vars: &[(&str, &str)], only: &str) -> Vec<String> {
        found(dir, vars, only).into_iter().map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_id_is_its_own() {
        for pair in CHECKS.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].id, pair[1].id);
        }
        assert!(CHECKS.iter().all(|check| check.id.contains('.') && check.title.is_ascii()));
        let named = |only| CHECKS.iter().filter(|check| is_named(check, only)).count();
        assert_eq!((named("fs.config"), named("clock.wrong"), named("clock.w"), named("")), (4, 1, 0, 0));
        assert_eq!(Severity::named("warning"), Some(Severity::Warning));
    }
}
