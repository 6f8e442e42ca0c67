//! The models that the configuration names: which one answers, which ones take over, what else can be chosen.
//!
//! Look-ups in the configuration on any thread; nothing is resolved and no server is asked.
use crate::config::Config;
use crate::models::provider::{Api, BUILTIN, Provider};
use crate::models::{keyed, known, resolve};
use serde_json::{Map, Value};
use ureq::http::Uri;

/// The setting of the model that answers, and of the one for pictures.
pub const MODEL: &str = "agents.defaults.model";
pub const IMAGE_MODEL: &str = "agents.defaults.imageModel";

/// A model and what the configuration says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Listed<'a> {
    pub provider: &'a str,
    pub model: &'a str,
    /// Its entry in the provider's list; null where none lists it.
    pub entry: &'a Value,
}

impl<'a> Listed<'a> {
    /// `provider/model`
    pub fn reference(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// For people.
    pub fn name(&self) -> &'a str {
        let own = self.entry.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        own.unwrap_or(if self.is_builtin() { "Built-in" } else { self.model })
    }

    /// In tokens.
    pub fn context_window(&self) -> u64 {
        self.own_window().unwrap_or(resolve::CONTEXT_WINDOW)
    }

    /// What the configuration says of it.
    pub fn own_window(&self) -> Option<u64> {
        let window = self.entry.get("contextWindow").and_then(Value::as_f64).map(|tokens| tokens as u64);
        window.filter(|tokens| *tokens > 0)
    }

    pub fn reasons(&self) -> bool {
        self.entry.get("reasoning").and_then(Value::as_bool).unwrap_or(false)
    }

    /// What may be sent: `text`, `image`.
    pub fn input(&self) -> Vec<&'a str> {
        let kinds = self.entry.get("input").and_then(Value::as_array).into_iter().flatten();
        let kinds: Vec<&str> = kinds.filter_map(Value::as_str).collect();
        if kinds.is_empty() { vec!["text"] } else { kinds }
    }

    pub fn is_builtin(&self) -> bool {
        BUILTIN.split_once('/') == Some((self.provider, self.model))
    }
}

/// The first model of a setting, which is a text or has a `primary`.
pub fn primary<'a>(config: &'a Config, setting: &str) -> Option<&'a str> {
    let setting = config.get(setting)?;
    let name = setting.as_str().or_else(|| setting.get("primary")?.as_str());
    name.map(str::trim).filter(|name| !name.is_empty())
}

/// The models tried when the first fails, in their order.
pub fn fallbacks<'a>(config: &'a Config, setting: &str) -> Vec<&'a str> {
    let list = config.get(setting).and_then(|model| model.get("fallbacks")).and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(Value::as_str).map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

/// The model that answers.
pub fn chosen(config: &Config) -> &str {
    primary(config, MODEL).unwrap_or(BUILTIN)
}

/// The models that sessions may choose, when the configuration limits them.
pub fn allowed(config: &Config) -> Option<&Map<String, Value>> {
    config.get("agents.defaults.models").and_then(Value::as_object).filter(|models| !models.is_empty())
}

/// Whether a session may use `reference`; `own` is what its agent uses.
pub fn permits(config: &Config, reference: &str, own: &str) -> bool {
    let primary = config.str("agents.defaults.model.primary");
    let reference = unaliased(config, reference);
    // A provider's name is the same in whatever case, and by its other names.
    let same = |name: &str| match (reference.split_once('/'), name.split_once('/')) {
        (Some(one), Some(other)) => {
            known::named(one.0).eq_ignore_ascii_case(known::named(other.0)) && one.1 == other.1
        }
        _ => reference == name,
    };
    let is = |name: &str| same(unaliased(config, name));
    let lists =
        |models: &Map<String, Value>| models.contains_key(reference) || models.keys().any(|name| same(name));
    allowed(config).is_none_or(lists) || is(own) || primary.is_some_and(is)
}

/// Short names and the models they stand for.
pub fn aliases(config: &Config) -> Vec<(&str, &str)> {
    let entries = allowed(config).into_iter().flatten();
    entries.filter_map(|(reference, entry)| Some((alias_of(entry)?, reference.as_str()))).collect()
}

fn alias_of(entry: &Value) -> Option<&str> {
    entry.get("alias").and_then(Value::as_str).map(str::trim).filter(|alias| !alias.is_empty())
}

/// Every model named anywhere: the one that answers, fallbacks, those for pictures, the limits', the providers'.
/// Each once, in this order; without any the built-in one.
pub fn all(config: &Config) -> Vec<Listed<'_>> {
    let settings = [MODEL, IMAGE_MODEL];
    let used = settings.iter().flat_map(|s| primary(config, s).into_iter().chain(fallbacks(config, s)));
    let limits = allowed(config).into_iter().flat_map(|models| models.keys().map(String::as_str));
    let mut all: Vec<Listed> = Vec::new();
    let found = used.chain(limits).filter_map(|name| find(config, name));
    for listed in found.chain(of_providers(config)) {
        if !all.iter().any(|known| (known.provider, known.model) == (listed.provider, listed.model)) {
            all.push(listed);
        }
    }
    if all.is_empty() {
        all.extend(builtin());
    }
    all
}

/// The built-in model.
pub fn builtin() -> Option<Listed<'static>> {
    let (provider, model) = BUILTIN.split_once('/')?;
    Some(Listed { provider, model, entry: &Value::Null })
}

/// What the providers' sections list.
pub fn of_providers(config: &Config) -> impl Iterator<Item = Listed<'_>> {
    let providers = config.get("models.providers").and_then(Value::as_object).into_iter().flatten();
    providers.flat_map(|(provider, section)| {
        let models = section.get("models").and_then(Value::as_array).into_iter().flatten();
        models.filter_map(move |entry| Some(Listed { provider, model: entry.get("id")?.as_str()?, entry }))
    })
}

/// The model that a name stands for, where it is an alias; else the name.
pub fn unaliased<'a>(config: &'a Config, name: &'a str) -> &'a str {
    let name = name.trim();
    let is = |alias: &&(&str, &str)| alias.0.eq_ignore_ascii_case(name);
    aliases(config).iter().find(is).map_or(name, |(_, reference)| reference)
}

/// The model of an alias, of a `provider/model`, or of a name that one provider alone lists.
pub fn find<'a>(config: &'a Config, name: &'a str) -> Option<Listed<'a>> {
    let name = unaliased(config, name);
    let Some((provider, model)) = name.split_once('/') else {
        let mut owners = of_providers(config).filter(|listed| listed.model == name);
        return owners.next().filter(|_| owners.next().is_none());
    };
    let provider = resolve::named(config.get("models.providers").unwrap_or(&Value::Null), provider);
    let known = of_providers(config).find(|listed| (listed.provider, listed.model) == (provider, model));
    Some(known.unwrap_or(Listed { provider, model, entry: &Value::Null }))
}

/// What a model is used for: `default`, `fallback#1`, `image`, `img-fallback#1`, `configured`, `alias:x`.
pub fn tags(config: &Config, listed: &Listed) -> Vec<String> {
    let is = |name: &str| find(config, name).is_some_and(|it| it.reference() == listed.reference());
    let mut tags = Vec::new();
    for (setting, first, next) in [(MODEL, "default", "fallback"), (IMAGE_MODEL, "image", "img-fallback")] {
        let chosen = if setting == MODEL { Some(chosen(config)) } else { primary(config, setting) };
        tags.extend(chosen.filter(|name| is(name)).map(|_| first.to_string()));
        let place = fallbacks(config, setting).into_iter().position(is);
        tags.extend(place.map(|place| format!("{next}#{}", place + 1)));
    }
    let entry = allowed(config).and_then(|models| models.get(&listed.reference()));
    if entry.is_some() || !listed.entry.is_null() {
        tags.push("configured".to_string());
    }
    tags.extend(entry.and_then(alias_of).map(|alias| format!("alias:{alias}")));
    tags
}

/// Whether the model's server is in this process, on this machine or in a private network.
pub fn is_local(provider: &Provider) -> bool {
    let host = |uri: Uri| uri.host().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase());
    let host = provider.base_url.parse().ok().and_then(host);
    provider.api == Api::Builtin || host.is_some_and(|host| resolve::is_nearby(&host))
}

/// Whether a server that surely wants a key gets nothing that could be one.
pub fn lacks_key(provider: &Provider) -> bool {
    let has_any = provider.api_key.is_some() || provider.key_file.is_some() || !provider.headers.is_empty();
    let has_any = has_any || keyed::has(&provider.id);
    !has_any && !is_local(provider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn config(text: &str) -> Config {
        let dir = Dir::new();
        dir.config(text)
    }

    #[test]
    fn every_named_model_is_there_once_with_its_uses() {
        let config = config(
            "{agents: {defaults: {model: {primary: 'y', fallbacks: ['q/z', 'p/x']}, imageModel: 'p/x', models: {'p/x': {alias: 'X'}}}},\
             models: {providers: {p: {baseUrl: 'http://h/v1', models: [{id: 'x', name: 'The X'}, {id: 'y', contextWindow: 9}]}}}}",
        );
        let all = all(&config);
        let rows: Vec<String> =
            all.iter().map(|it| format!("{} {}", it.reference(), tags(&config, it).join(","))).collect();
        let want = ["p/y default,configured", "q/z fallback#1", "p/x fallback#2,image,configured,alias:X"];
        assert_eq!(rows, want);
        assert_eq!((all[0].name(), all[0].context_window()), ("y", 9));
        assert_eq!((all[2].name(), all[2].input()), ("The X", vec!["text"]));
        assert_eq!(aliases(&config), [("X", "p/x")]);
        // B-F26
        // T2b-11
        assert!(permits(&config, "x", "") && permits(&config, "p/x", "") && !permits(&config, "z", ""));
        assert_eq!([unaliased(&config, " x "), unaliased(&config, "y")], ["p/x", "y"]);
        assert_eq!(find(&config, "X").unwrap().reference(), "p/x");
        // Issue 9: a provider in another case.
        assert_eq!(find(&config, "P/y").unwrap().context_window(), 9);
        assert!(
            permits(&config, "P/x", "") && !permits(&config, "P/X", "") && permits(&config, "Q/w", "q/w")
        );
    }

    #[test]
    fn without_any_the_built_in_one_answers() {
        let config = config("{}");
        let all = all(&config);
        assert_eq!((all.len(), all[0].reference().as_str(), all[0].name()), (1, BUILTIN, "Built-in"));
        assert_eq!(tags(&config, &all[0]), ["default"]);
    }
}
