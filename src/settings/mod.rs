//! What holds for the life of a gateway generation, for every room: environment, configuration, limits, the secret.
//!
//! Immutable but for two things behind short locks: `config`, the file as last read, and `auth`, which the watcher
//! replaces when a secret changes in the file. Any thread reads it.
pub mod file;
pub mod publication;
use crate::config::Config;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::protocol::limits::Limits;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

pub struct Settings {
    pub env: Env,
    /// The configuration in force; `config()` reads it.
    pub config: RwLock<Config>,
    pub limits: Limits,
    pub auth: RwLock<Arc<Auth>>,
    pub started: Instant,
    /// Names by which browser pages may address this machine.
    pub own_names: Vec<String>,
    pub refusal: Refusal,
}

/// What a start would refuse of a configuration in which there is no mistake, read under this environment.
pub type Refusal = Box<dyn Fn(&Config, &Env) -> Option<Error> + Send + Sync>;

impl Settings {
    /// How clients prove themselves now.
    pub fn auth(&self) -> Arc<Auth> {
        self.auth.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The configuration in force. What is read where it is used takes effect with the next look; ports, limits
    /// and the like were read at the start.
    pub fn config(&self) -> Config {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// What is in force, after a look at the file: what it says now is put in force, unless it says that changes wait
    /// for a restart. Reads a file, so not for the state thread.
    pub fn fresh_config(&self) -> Config {
        let (held, file) = (self.config(), self.file_config());
        if file.str("gateway.reload.mode") == Some("off") && file.digest() != held.digest() {
            return held;
        }
        self.set_config(file.clone());
        file
    }

    /// What is in force, for who changes the file and has that in force at once: refused while the file has changes
    /// that wait for a restart, which would come with it.
    pub fn settled_config(&self) -> Result<Config> {
        let config = self.fresh_config();
        match self.file_config().digest() == config.digest() {
            true => Ok(config),
            false => Err(Error::unavailable(format!(
                "{} has changes that wait for a restart (gateway.reload.mode=off): restart the gateway first, or take them back",
                self.env.display(config.path())
            ))),
        }
    }

    /// The configuration as the file has it now, in force or not, for who is about to write it. One that cannot be used
    /// leaves what is in force (R-06a). Reads a file, so not for the state thread.
    pub fn file_config(&self) -> Config {
        let held = self.config();
        if held.is_current() {
            return held;
        }
        let mut env = self.env.clone();
        // A variable may have come with the text that names it.
        env.read_dotenv();
        let config = Config::inspect(&mut env).beside(&held);
        let is_new = config.digest() != held.digest();
        // Who reads it first decides no other than the watcher does.
        let refused = || is_new.then(|| (self.refusal)(&config, &env)).flatten();
        match config.problem(&held).or_else(|| Some(config.refusal(&refused()?))) {
            None => config,
            Some(problem) => {
                log::warn!(target: "gateway/config", "{problem}; the last good configuration stays in force");
                held
            }
        }
    }

    /// The configuration for an agent's next turn: the file as it is, unless the owner wants changes to wait for a
    /// restart. Reads a file, so not for the state thread.
    pub fn turn_config(&self) -> Config {
        let held = self.config();
        if held.str("gateway.reload.mode") == Some("off") { held } else { self.fresh_config() }
    }

    /// The watcher's: a secret that was changed in the file holds from here on (SEC-14).
    pub fn set_auth(&self, auth: &Auth) {
        let mut held = self.auth.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(Auth { generation: held.generation + 1, ..auth.clone() });
    }
}

/// A secret; it has no `Debug` or `Display` that shows it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: &str) -> Secret {
        Secret(text.to_string())
    }

    /// For the comparison function only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    Token,
    Password,
}

impl AuthMode {
    pub fn name(self) -> &'static str {
        match self {
            AuthMode::Token => "token",
            AuthMode::Password => "password",
        }
    }
}

/// How clients prove themselves, resolved from flags, config and environment.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Counts the changes of the secret.
    pub generation: u64,
    pub mode: AuthMode,
    pub secret: Option<Secret>,
    pub allow_tailscale: bool,
    /// `gateway.controlUi.allowInsecureAuth`: the Control UI may connect without a device.
    pub allow_insecure_ui: bool,
    /// `gateway.controlUi.dangerouslyDisableDeviceAuth`: a device the Control UI sends is not looked at.
    pub ignore_ui_devices: bool,
}

impl Auth {
    /// Flags win over the config, the config over the environment (as in the reference program's server). In the config
    /// a file of the secret's own wins over the secret.
    pub fn resolve(
        config: &Config,
        env: &Env,
        mode: Option<&str>,
        token: Option<&str>,
        password: Option<&str>,
    ) -> Result<Auth> {
        let pick = |flag: Option<&str>, name: &str, var: &str| {
            let file =
                if flag.is_none() { file::read(config, env, name)?.map(|file| file.text) } else { None };
            let found = flag.or(file.as_deref()).or_else(|| config.str(&format!("gateway.auth.{name}")));
            let found = found.or_else(|| env.var_or_legacy(var));
            Ok::<_, Error>(found.map(str::trim).filter(|s| !s.is_empty()).map(Secret::new))
        };
        let token = pick(token, "token", "OPENCLAW_GATEWAY_TOKEN")?;
        let password = pick(password, "password", "OPENCLAW_GATEWAY_PASSWORD")?;
        let mode = match mode.or_else(|| config.str("gateway.auth.mode")) {
            Some("token") => AuthMode::Token,
            Some("password") => AuthMode::Password,
            Some(other) => {
                return Err(Error::config(format!(
                    "invalid auth mode \"{other}\": use --auth token or --auth password"
                )));
            }
            None if password.is_some() && token.is_none() => AuthMode::Password,
            None => AuthMode::Token,
        };
        let mut auth = Auth {
            generation: 0,
            mode,
            secret: if mode == AuthMode::Token { token } else { password },
            allow_tailscale: config.bool("gateway.auth.allowTailscale"),
            allow_insecure_ui: config.bool("gateway.controlUi.allowInsecureAuth"),
            ignore_ui_devices: config.bool("gateway.controlUi.dangerouslyDisableDeviceAuth"),
        };
        auth.publish(config, config.str("gateway.tailscale.mode").unwrap_or("off"));
        Ok(auth)
    }

    /// Published in this mode: who Serve names is let in, unless the owner has said whether.
    pub fn publish(&mut self, config: &Config, mode: &str) {
        if !config.is_set("gateway.auth.allowTailscale") {
            self.allow_tailscale = mode == "serve" && self.mode != AuthMode::Password;
        }
    }

    /// The secret in force, to be kept out of logs.
    pub fn secrets(&self) -> Vec<String> {
        self.secret.iter().map(|secret| secret.reveal().to_string()).collect()
    }

    /// Whether clients prove themselves in the same way by both.
    pub fn is_same(&self, other: &Auth) -> bool {
        let secret = |auth: &Auth| auth.secret.as_ref().map(|s| s.reveal().to_string()).unwrap_or_default();
        let rest = |a: &Auth| (a.mode, a.allow_tailscale, a.allow_insecure_ui, a.ignore_ui_devices);
        crate::device::secret_eq(&secret(self), &secret(other)) && rest(self) == rest(other)
    }

    /// The Control UI's device is not looked at when the owner switched that off and the secret is right.
    pub fn ignores_devices(&self, client_id: &str, secret_is_right: bool) -> bool {
        client_id == "openclaw-control-ui" && self.ignore_ui_devices && secret_is_right
    }
}
