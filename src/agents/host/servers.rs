//! A key that the host has goes to the server that the host named: a literal one in the configuration, one in a file, in
//! a variable or in an `auth-profiles.json`, and the headers beside it.
//!
//! Over what is in force before and after a change, so that several changes after each other bring nobody further than
//! one. A server is the same as long as scheme, host and port are, and the headers that name a host. Reads the files of profiles.
use super::refused;
use crate::agents::profiles;
use crate::config::Config;
use crate::env::Env;
use crate::error::Result;
use crate::fetch::port;
use crate::models::known;
use serde_json::Value;
use ureq::http::Uri;

/// Where a key comes from.
#[derive(PartialEq)]
enum Key {
    /// As it is written, variables filled in.
    Written(String),
    File,
    Variable(String),
}

/// What a call of a provider sends, and where to.
struct Sent {
    server: Option<String>,
    /// Whether that is where the provider's own keys belong.
    is_known: bool,
    key: Option<Key>,
    profile: bool,
    headers: Vec<String>,
}

pub fn check(new: &Config, old: &Config, env: &Env) -> Result<()> {
    let section =
        |config: &Config| config.whole().get("models").and_then(|models| models.get("providers")).cloned();
    let (Some(Value::Object(new)), before) = (section(new), section(old).unwrap_or_default()) else {
        return Ok(());
    };
    if Value::Object(new.clone()) == before {
        return Ok(());
    }
    let with_profiles = profiles::providers(old, env);
    new.iter().try_for_each(|(id, new)| {
        let has_profile = with_profiles.iter().any(|name| name.eq_ignore_ascii_case(id.trim()));
        let was = before.get(id).unwrap_or(&Value::Null);
        let sent = |section: &Value| Sent::of(id.trim(), section, has_profile, env);
        match sent(new).of_host_elsewhere(&sent(was), text(was, "apiKey")) {
            None => Ok(()),
            Some((what, way)) => Err(refused(
                env,
                &format!("{}.baseUrl", crate::config::join("models.providers", id)),
                &format!(
                    "would send {what} of the gateway's host to a server that it was not given for; {way}"
                ),
            )),
        }
    })
}

impl Sent {
    fn of(id: &str, section: &Value, has_profile: bool, env: &Env) -> Sent {
        let base = text(section, "baseUrl");
        let url = base.or(known::base_url(id));
        let written = text(section, "apiKey").filter(|name| !known::is_key_variable(name, id));
        let has_file = text(section, "apiKeyFile").is_some();
        let variable = known::key_variable(id);
        let key = match written {
            Some(key) => Some(Key::Written(key.to_string())),
            None if has_file => Some(Key::File),
            None => env.var(&variable).map(|_| Key::Variable(variable)),
        };
        Sent {
            server: url.map(|url| server(url) + &hosts(section)),
            is_known: url.is_some() && url == known::base_url(id),
            key,
            profile: has_profile && !has_file,
            headers: headers(section),
        }
    }

    /// What of the host's goes to another server than before, or goes anywhere only now. `key` is the one it wrote.
    fn of_host_elsewhere(&self, was: &Sent, key: Option<&str>) -> Option<(String, &'static str)> {
        self.server.as_ref()?;
        let stays = self.server == was.server;
        let is_held = stays && self.key == was.key;
        const OWN: &str = "give your own with the change, or ";
        match &self.key {
            Some(Key::Written(now)) if Some(now.as_str()) == key && !is_held => {
                return Some(("the apiKey".to_string(), OWN));
            }
            Some(Key::File) if !is_held => return Some(("the key in apiKeyFile".to_string(), OWN)),
            Some(Key::Variable(name)) if !is_held && !self.is_known => {
                return Some((format!("the key in {name}"), OWN));
            }
            _ => {}
        }
        // It goes before a key.
        if self.profile && !(stays && was.profile) && !self.is_known {
            return Some(("a key in auth-profiles.json".to_string(), ""));
        }
        let is_kept = |value: &String| was.headers.contains(value);
        (!stays && self.headers.iter().any(is_kept)).then(|| ("a header".to_string(), OWN))
    }
}

fn text<'a>(section: &'a Value, name: &str) -> Option<&'a str> {
    section.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// Values of the headers of a provider and its models.
fn headers(section: &Value) -> Vec<String> {
    all_headers(section).filter_map(|(_, value)| Some(value.as_str()?.to_string())).collect()
}

/// The headers by which one address serves many hosts, as one text.
fn hosts(section: &Value) -> String {
    let is_host = |name: &str| name.contains("host") || name.trim() == "forwarded";
    let named = all_headers(section).filter(|(name, _)| is_host(&name.to_ascii_lowercase()));
    named.map(|(name, value)| format!(" {name}: {value}")).collect()
}

fn all_headers(section: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let models = section.get("models").and_then(Value::as_array).into_iter().flatten();
    let all = [section].into_iter().chain(models).filter_map(|it| it.get("headers")?.as_object());
    all.flatten()
}

/// Scheme, host and port; of what is no address, the text itself.
fn server(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return url.to_string() };
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let Some(port) = port::of(&uri) else { return url.to_string() };
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let user = uri.authority().and_then(|whole| whole.as_str().rsplit_once('@')).map_or("", |(user, _)| user);
    format!("{scheme}://{user}@{}:{}", host.trim_end_matches('.'), port)
}
