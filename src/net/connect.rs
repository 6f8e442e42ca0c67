//! What a client says in `connect`, as far as the gateway goes by it.
use crate::nodes::node::Announced;
use crate::params::params;
use crate::state::admitted::Client;
use serde_json::Value;

params! {
    /// The params of `connect` that matter to the gateway; they passed the schema before.
    #[derive(Debug, Clone, Default)]
    pub struct Connect {
        pub min_protocol: u64,
        pub max_protocol: u64,
        pub client: Client,
        pub caps: Vec<String>,
        pub commands: Vec<String>,
        pub permissions: Value,
        pub path_env: Option<String>,
        pub role: Option<String>,
        pub scopes: Vec<String>,
        pub device: Option<Device>,
        pub auth: Credentials,
    }
}

impl Connect {
    /// What a node says of itself; nothing of an operator's is kept.
    pub fn announced(&mut self, role: &str) -> Option<Box<Announced>> {
        let client = (role == "node").then_some(&self.client)?;
        let about = Announced {
            display_name: client.display_name.clone(),
            version: client.version.clone(),
            platform: client.platform.clone(),
            device_family: client.device_family.clone(),
            model_identifier: client.model_identifier.clone(),
            caps: self.caps.clone(),
            commands: std::mem::take(&mut self.commands),
            permissions: self.permissions.as_object_mut().map(std::mem::take).unwrap_or_default(),
            path_env: self.path_env.take(),
            names_commands: false,
        };
        Some(Box::new(about.bounded()))
    }
}

params! {
    #[derive(Debug, Clone, Default)]
    pub struct Device {
        pub id: String,
        pub public_key: String,
        pub signature: String,
        pub signed_at: u64,
        pub nonce: Option<String>,
    }
}

params! {
    /// What a client offers as proof. Not `Debug`: it must not reach a log.
    #[derive(Clone, Default)]
    pub struct Credentials {
        pub token: Option<String>,
        pub password: Option<String>,
        pub device_token: Option<String>,
        pub bootstrap_token: Option<String>,
    }
}

impl Credentials {
    /// What may be a device's token, as far as it is there.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        let offered = [&self.device_token, &self.token].into_iter();
        offered.filter_map(|text| text.as_deref().filter(|text| !text.is_empty()))
    }

    pub fn has_password(&self) -> bool {
        self.password.as_deref().is_some_and(|password| !password.is_empty())
    }

    /// The code that a browser was opened with.
    pub fn code(&self) -> Option<&str> {
        self.bootstrap_token.as_deref().filter(|code| !code.is_empty())
    }

    pub fn is_offered(&self) -> bool {
        self.has_password() || self.tokens().next().is_some() || self.code().is_some()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}
