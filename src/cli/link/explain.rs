//! What a command says when its gateway could not be reached or refused it: the target, where its address and
//! credentials came from, and the one fix. Values of credentials never appear.
use super::target::{Secret, Target};
use crate::cli::gateway::status::{live, stranger};
use crate::config::Config;
use crate::error::{Cause, Error, Kind, TlsFault};
use crate::gateway;
use crate::service::Place;

/// A gateway that stays silent for less is not said to hang, milliseconds.
const PATIENCE: u64 = 1000;

impl Target {
    /// `error` with the lines that say what was tried, for people in the text and for scripts in the details.
    pub fn explain(&self, error: Error, stored_device_token: bool) -> Error {
        let credential = self.credential(stored_device_token);
        let said = self.without_hint(error.message());
        let mut text = format!("{said}\nGateway target: {}\nSource: {}", self.url, self.source);
        text += &format!("\nConfig: {}", self.config);
        if let Some(bind) = &self.bind {
            text += &format!("\nBind: {bind}");
        }
        text += &format!("\nCredential: {credential}");
        if let Some(fix) = self.fix(&error) {
            text += &format!("\nFix: {fix}");
        }
        let mut explained = Error::new(error.kind, text);
        for (key, value) in error.details().into_iter().flatten() {
            explained = explained.with(key, value.clone());
        }
        if let Some(after) = error.retry_after() {
            explained = explained.retry_in(after);
        }
        if let Some(cause) = error.cause() {
            explained = explained.because(cause);
        }
        explained
            .with("target", self.url.to_string())
            .with("source", self.source.as_str())
            .with("config", self.config.as_str())
            .with("credential", credential)
    }

    /// What the gateway said. Its hint in brackets is about `gateway.remote`, which is not read for one of this host.
    fn without_hint(&self, said: &str) -> String {
        match said.split_once(" (set gateway.remote.").filter(|_| self.bind.is_some()) {
            Some((before, hint)) => {
                let after = hint.split_once(')').map_or("", |(_, after)| after);
                format!("{before}{after}")
            }
            None => said.to_string(),
        }
    }

    /// Where the credentials came from, in words.
    fn credential(&self, stored_device_token: bool) -> String {
        let part =
            |name: &str, secret: &Option<Secret>| Some(format!("{name} from {}", secret.as_ref()?.source));
        let device = stored_device_token.then(|| "device token from identity/device-auth.json".to_string());
        let parts = [part("token", &self.token), part("password", &self.password), device];
        let known: Vec<String> = parts.into_iter().flatten().collect();
        if known.is_empty() { "none".to_string() } else { known.join(", ") }
    }

    fn fix(&self, error: &Error) -> Option<String> {
        let detail = |key: &str| error.details()?.get(key)?.as_str();
        match error.cause() {
            Some(Cause::Tls(fault)) => {
                return self.tls_fix(fault, detail("gotFingerprint").unwrap_or_default());
            }
            Some(Cause::Held) => {
                return Some(
                    "end that process as its user or root, or use another port (OPENCLAW_GATEWAY_PORT, gateway.port); \
                     a gateway of another account on this machine is reached by --ssh USER@localhost"
                        .into(),
                );
            }
            _ => {}
        }
        // What follows is what the gateway said, in the members that are its answer's.
        if let Some(hint) =
            detail("remediationHint").filter(|_| detail("reason") == Some("device-signature-stale"))
        {
            return Some(hint.to_string());
        }
        match error.kind {
            Kind::Unreachable if self.bind.is_some() => Some(self.way_to_run(error)),
            Kind::Unreachable => {
                Some("check the address, and that the gateway runs and its port is reachable".into())
            }
            Kind::Unauthorized | Kind::RateLimited if self.stranger().is_some() => {
                let who = self.stranger().unwrap_or_default();
                Some(format!("{who}: use its --profile or its secret, or another port (gateway.port)"))
            }
            Kind::Unauthorized | Kind::NotPaired if self.held_config().is_some() => self.held_config(),
            Kind::Unauthorized | Kind::RateLimited => {
                Some(self.right_secret(detail("code").unwrap_or_default()))
            }
            Kind::NotPaired => detail("requestId").map(|id| {
                let command = self.env.command(&format!("devices approve {id}"));
                format!("on the gateway's host run `{command}`")
            }),
            _ => None,
        }
    }

    /// Who has the port in place of this host's gateway.
    fn stranger(&self) -> Option<String> {
        self.bind.as_ref().and_then(|_| stranger(&self.env, self.port))
    }

    /// What to do about a secret that is missing or wrong; `code` is the gateway's.
    fn right_secret(&self, code: &str) -> String {
        let is_password = code.starts_with("AUTH_PASSWORD");
        let name = if is_password { "password" } else { "token" };
        let (first, second) =
            if is_password { (&self.password, &self.token) } else { (&self.token, &self.password) };
        match first.as_ref().or(second.as_ref()).filter(|_| !code.ends_with("_MISSING")) {
            Some(secret) => format!(
                "the gateway expects another secret than the one from {}; correct it there",
                secret.source
            ),
            None if !self.is_configured() && code.is_empty() => "pass --token or --password".into(),
            None if !self.is_configured() => format!("pass --{name}"),
            None => {
                let section = if self.source.contains("remote") { "remote" } else { "auth" };
                let upper = name.to_ascii_uppercase();
                format!(
                    "pass --{name}, set OPENCLAW_GATEWAY_{upper}, or set gateway.{section}.{name} in the config"
                )
            }
        }
    }

    /// What brings this host's gateway back, by what runs, what has the port and what is installed. Asks no manager.
    fn way_to_run(&self, error: &Error) -> String {
        let (env, port) = (&self.env, self.port);
        let is_installed = Place::find(env, None).is_ok_and(|place| place.path.exists());
        let start = env.command(if is_installed { "gateway start" } else { "gateway" });
        if let Some(live) = live(env) {
            let pid = live.pid;
            let is_hurried = match error.cause() {
                Some(Cause::Silent(ms)) => ms < PATIENCE,
                _ => true,
            };
            return match live.port(env) {
                Some(other) if other != port => format!(
                    "the gateway of this state directory (pid {pid}) listens on port {other}: \
                     set OPENCLAW_GATEWAY_PORT={other}, or gateway.port"
                ),
                _ if is_hurried => {
                    format!("the gateway (pid {pid}) runs: try again, with a longer --timeout if it is busy")
                }
                _ if is_installed => {
                    format!(
                        "the gateway (pid {pid}) hangs: restart it with `{}`",
                        env.command("gateway restart")
                    )
                }
                _ => {
                    format!("the gateway (pid {pid}) hangs: end it with `kill -9 {pid}`, then run `{start}`")
                }
            };
        }
        if let Some(who) = stranger(env, port) {
            return format!("{who}: stop it, or set another gateway.port");
        }
        match gateway::refusal(env) {
            Some(why) => format!("correct what keeps the gateway from starting: {why}"),
            None if env.is_given("OPENCLAW_GATEWAY_PORT") => format!(
                "start the gateway with `{start}`, or open the tunnel that OPENCLAW_GATEWAY_PORT={port} names"
            ),
            None => format!("start the gateway with `{start}`"),
        }
    }

    /// Where the secret that is meant may be unknown: the file cannot be used and a gateway runs with an earlier one.
    fn held_config(&self) -> Option<String> {
        let error = self.bind.as_ref().and_then(|_| Config::load(&mut self.env.clone()).err())?;
        let pid = live(&self.env)?.pid;
        Some(format!("{}; the gateway (pid {pid}) runs with the last good one", error.message()))
    }

    /// What to do about a certificate; `got` is the fingerprint of the one that was shown.
    fn tls_fix(&self, fault: TlsFault, got: &str) -> Option<String> {
        let key = if self.is_configured() { ", or set gateway.remote.tlsFingerprint" } else { "" };
        Some(match fault {
            TlsFault::Mismatch => {
                "if the gateway has a new certificate, compare the fingerprint on its host and replace \
                           the pin; if not, somebody else answers there"
                    .into()
            }
            TlsFault::Untrusted => format!(
                "if this is the fingerprint of the certificate on the gateway's host, pin it: --tls-fingerprint {got}{key}"
            ),
            TlsFault::Plain => "name the port of the TLS proxy, or use ws:// through a tunnel".into(),
            TlsFault::Failed => return None,
        })
    }
}
