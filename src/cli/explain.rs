//! What a command says when its gateway could not be reached or refused it: the target, where its address and
//! credentials came from, and the one fix. Values of credentials never appear.
use super::target::{Secret, Target};
use crate::error::{Error, Kind};

impl Target {
    /// `error` with the lines that say what was tried, for people in the text and for scripts in the details.
    pub fn explain(&self, error: Error, stored_device_token: bool) -> Error {
        let credential = self.credential(stored_device_token);
        let mut text = format!("{}\nGateway target: {}\nSource: {}", error.message(), self.url, self.source);
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
        explained
            .with("target", self.url.as_str())
            .with("source", self.source.as_str())
            .with("config", self.config.as_str())
            .with("credential", credential)
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
        if let Some(fault) = detail("tls") {
            return self.tls_fix(fault, detail("gotFingerprint").unwrap_or_default());
        }
        let key = if self.source.contains("remote") { "gateway.remote.token" } else { "gateway.auth.token" };
        match error.kind {
            Kind::Unreachable if self.bind.is_some() => Some(format!(
                "start the gateway with `{}`, or name another one with --url and --token",
                self.env.command("gateway")
            )),
            Kind::Unreachable => {
                Some("check the address, and that the gateway runs and its port is reachable".into())
            }
            Kind::Unauthorized => Some(match (&self.token, &self.password) {
                (None, None) if !self.is_configured => "pass --token or --password".into(),
                (None, None) => {
                    format!("pass --token, set OPENCLAW_GATEWAY_TOKEN, or set {key} in the config")
                }
                (Some(secret), _) | (None, Some(secret)) => {
                    format!(
                        "the gateway expects another secret than the one from {}; correct it there",
                        secret.source
                    )
                }
            }),
            Kind::NotPaired => detail("requestId").map(|id| {
                let command = self.env.command(&format!("devices approve {id}"));
                format!("on the gateway's host run `{command}`")
            }),
            _ => None,
        }
    }

    /// What to do about a certificate; `got` is the fingerprint of the one that was shown.
    fn tls_fix(&self, fault: &str, got: &str) -> Option<String> {
        let key = if self.is_configured && self.bind.is_none() {
            ", or set gateway.remote.tlsFingerprint"
        } else {
            ""
        };
        Some(match fault {
            "mismatch" => {
                "if the gateway has a new certificate, compare the fingerprint on its host and replace \
                           the pin; if not, somebody else answers there"
                    .into()
            }
            "untrusted" => format!(
                "if this is the fingerprint of the certificate on the gateway's host, pin it: --tls-fingerprint {got}{key}"
            ),
            "plain" if self.bind.is_some() => {
                "unset gateway.tls.enabled: this gateway leaves TLS to a proxy in front of it".into()
            }
            "plain" => "name the port of the TLS proxy, or use ws:// through a tunnel".into(),
            _ => return None,
        })
    }
}
