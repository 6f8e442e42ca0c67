//! Resolving a model reference against a configuration and an environment.
use super::*;
use crate::models::provider::Secret;
use crate::models::{failure, key_file};
use serde_json::json;

fn resolve(config: Value, vars: &[(&str, &str)], model_ref: &str) -> Result<Provider> {
    let vars = vars.iter().chain(&[("HOME", "/h")]).map(|(k, v)| (k.to_string(), v.to_string()));
    let env = Env::from_vars(vars, None).unwrap();
    Provider::from_section(config.pointer("/models/providers").unwrap_or(&Value::Null), &env, model_ref)
}

fn one(section: Value) -> Value {
    json!({"models": {"providers": {"box": section}}})
}

/// A format that is added is a choice of the configuration, and what `parse` knows.
#[test]
fn every_wire_format_may_be_configured() {
    for place in ["models.providers.p.api", "models.providers.p.models.0.api"] {
        let kind = crate::config::lookup::find(place.split('.')).unwrap().kind();
        let crate::config::keys::Type::Enum(choices) = kind else { panic!("{place} is no choice") };
        assert!(Api::names().iter().all(|name| choices.contains(name) && Api::parse(name).is_some()));
    }
}

#[test]
fn reads_a_provider_and_its_model() {
    let config = one(
        json!({"baseUrl": "https://models.example.com/v1/", "apiKey": "key-1", "headers": {"X-A": "b"}, "retries": 5,
        "timeouts": {"connectMs": 1, "idleMs": 3},
        "models": [{"id": "org/m", "contextWindow": 9, "maxTokens": 8, "reasoning": true, "input": ["text"], "headers": {"X-B": "c"}}]}),
    );
    let p = resolve(config.clone(), &[], "box/org/m").unwrap();
    let ms = Duration::from_millis;
    assert_eq!((p.id.as_str(), p.model.as_str(), p.retries), ("box", "org/m", 5));
    assert_eq!(p.timeouts, Timeouts { connect: ms(1), first_token: ms(60_000), idle: ms(3) });
    assert_eq!((p.context_window, p.max_tokens, p.reasoning, p.images), (9, Some(8), true, false));
    assert_eq!(p.headers.len(), 2);
    assert_eq!(p.url("/chat/completions"), "https://models.example.com/v1/chat/completions");
    assert_eq!(p.api_key.unwrap().reveal(), "key-1");
    let other = resolve(config, &[], "box/unlisted").unwrap();
    assert_eq!((other.context_window, other.max_tokens, other.images), (200_000, None, true));
}

#[test]
fn keys_fall_back_to_the_usual_variable() {
    let vars = [("OPENROUTER_API_KEY", "or"), ("MY_BOX_API_KEY", "mine"), ("GEMINI_API_KEY", "g")];
    let key = |config: Value, model: &str| {
        resolve(config, &vars, model).unwrap().api_key.map(|k| k.reveal().to_string())
    };
    assert_eq!(key(json!({}), "openrouter/a/b").as_deref(), Some("or"));
    assert_eq!(key(json!({}), "google/x").as_deref(), Some("g"));
    assert_eq!(
        key(json!({"models": {"providers": {"my-box": {"baseUrl": "http://box:1/v1"}}}}), "my-box/m")
            .as_deref(),
        Some("mine")
    );
    assert_eq!(key(json!({}), "ollama/m"), None);
}

#[test]
fn nearby_hosts_get_ten_minutes_for_the_first_token() {
    let check = |host: &str, nearby: bool| assert_eq!(is_nearby(host), nearby, "{host}");
    for host in [
        "127.0.0.1",
        "::1",
        "localhost",
        "192.168.1.4",
        "10.0.0.1",
        "100.100.1.1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "gpu-box",
        "pi.local",
    ] {
        check(host, true);
    }
    for host in
        ["127.evil.com", "8.8.8.8", "100.1.1.1", "2606:4700::1", "api.openai.com", "localhost.example.com"]
    {
        check(host, false);
    }
    let p = resolve(one(json!({"baseUrl": "http://[::1]:8080/v1?k=v"})), &[], "box/m").unwrap();
    assert_eq!(p.timeouts.first_token, Duration::from_secs(600));
    assert_eq!(p.url("/x"), "http://[::1]:8080/v1/x?k=v");
    assert_eq!(p.shown_url(), "http://[::1]:8080/v1");
}

#[test]
fn what_cannot_work_is_refused_with_the_fix() {
    let check = |config: Value, model: &str, words: &str| {
        let error = resolve(config, &[], model).unwrap_err();
        assert!(error.message().contains(words) && error.exit_code() == 78, "{error}");
        assert!(!error.message().contains("canary"), "{error}");
    };
    check(json!({}), "nowhere/m", "needs models.providers.nowhere.baseUrl");
    check(json!({}), "bare", "write it as provider/model");
    check(json!({}), "box/", "write it as provider/model");
    check(one(json!({"baseUrl": "box:1/v1"})), "box/m", "baseUrl");
    // T2b-1: the usual port in place of a damaged one is another server, and it would get the key.
    for port in ["114345/v1", "41721v1", "99999", "abc", "-1", "+80", "0"] {
        let url = format!("http://box:{port}");
        check(one(json!({"baseUrl": url, "apiKey": "canary"})), "box/m", "baseUrl ");
    }
    check(
        one(json!({"baseUrl": "http://box:99999"})),
        "box/m",
        "has a port that is no number from 1 to 65535",
    );
    check(one(json!({"baseUrl": "ftp://box/v1"})), "box/m", "must start with http");
    check(one(json!({"baseUrl": "http://u:canary@box/v1"})), "box/m", "must not hold a user name");
    check(
        one(json!({"baseUrl": "http://box/v1", "api": "google-generative-ai"})),
        "box/m",
        "\"google-generative-ai\", which this gateway does not know; set models.providers.box.api to one of openai-completions, openai-responses, anthropic-messages",
    );
    check(
        one(json!({"baseUrl": "http://box/v1", "apiKey": "canary\nx"})),
        "box/m",
        "fix models.providers.box.apiKey",
    );
    check(
        one(json!({"baseUrl": "http://box/v1", "headers": {"bad name": "canary"}})),
        "box/m",
        "no HTTP header",
    );
}

#[test]
fn a_bare_name_finds_its_only_provider() {
    let listed = one(json!({"baseUrl": "http://box/v1", "models": [{"id": "m"}]}));
    assert_eq!(resolve(listed, &[], "m").unwrap().id, "box");
    assert_eq!(resolve(json!({}), &[], BUILTIN).unwrap().api, Api::Builtin);
}

#[test]
fn secrets_are_never_shown() {
    let config = one(
        json!({"baseUrl": "http://box/v1?key=canary-q", "apiKey": "canary-key-1", "headers": {"authorization": "Bearer canary-head"}}),
    );
    let p = resolve(config, &[], "box/m").unwrap();
    assert!(!format!("{p:?} {:?} {}", p.api_key, p.api_key.as_ref().unwrap()).contains("canary"));
    assert_eq!(p.redact("a canary-key-1 b canary-head"), "a [redacted] b [redacted]");
}

#[test]
fn the_usual_providers_need_only_a_key() {
    let p = resolve(json!({}), &[("ANTHROPIC_API_KEY", "a")], "anthropic/claude-sonnet-4-5").unwrap();
    assert_eq!(
        (p.api, p.base_url.as_str(), p.reasoning),
        (Api::AnthropicMessages, "https://api.anthropic.com", true)
    );
    assert_eq!(p.api_key.as_ref().map(Secret::reveal), Some("a"));
    let p = resolve(json!({}), &[], "openai/gpt-5").unwrap();
    assert_eq!((p.api, p.effort, p.bearer), (Api::OpenAiCompletions, true, false));
    let section = json!({"models": {"providers": {"openai": {"api": "openai-responses", "auth": "token"}}}});
    let p = resolve(section, &[], "openai/gpt-4o").unwrap();
    assert_eq!((p.api, p.reasoning, p.bearer), (Api::OpenAiResponses, false, true));
}

#[test]
fn a_model_tells_prices_and_what_it_can() {
    let entry = json!({"id": "m", "maxTokens": 10.5, "cost": {"input": 3, "output": 15.5, "cacheRead": -1},
        "compat": {"supportsTools": false, "supportsReasoningEffort": true}});
    let p = resolve(one(json!({"baseUrl": "http://box/v1", "models": [entry]})), &[], "box/m").unwrap();
    assert_eq!(p.cost, Cost { input: 3.0, output: 15.5, cache_read: 0.0, cache_write: 0.0 });
    assert_eq!((p.tools, p.effort, p.reasoning, p.max_tokens), (false, true, false, Some(10)));
    assert!(resolve(one(json!({"baseUrl": "http://box/v1"})), &[], "box/m").unwrap().tools);
}

#[test]
fn a_key_may_come_from_a_file() {
    let dir = std::env::temp_dir().join(format!("openclaw-key-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("key");
    let section = |more: Value| {
        let mut section = json!({"baseUrl": "http://box/v1", "apiKeyFile": path.to_str().unwrap()});
        section.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        one(section)
    };
    let p = resolve(section(json!({})), &[("BOX_API_KEY", "from-env")], "box/m").unwrap();
    assert_eq!((p.api_key.as_ref(), p.key_file.as_deref()), (None, Some(path.as_path())));
    let fails = |words: &str| {
        let error = key_file::read("box", &path).unwrap_err();
        assert!(error.message().contains("models.providers.box.apiKeyFile"), "{error}");
        assert!(error.message().contains(words) && !error.message().contains("canary"), "{error}");
        assert_eq!((error.exit_code(), failure::reason(&error)), (78, "auth"));
    };
    fails("cannot be read");
    std::fs::write(&path, " \n").unwrap();
    fails("is empty");
    std::fs::write(&path, "canary\nmore").unwrap();
    fails("holds more than a key");
    std::fs::write(&path, " sk-file\n").unwrap();
    assert_eq!(key_file::read("box", &path).unwrap().reveal(), "sk-file");
    // The configuration's own key comes first; `~` is the home directory.
    let p = resolve(section(json!({"apiKey": "own", "apiKeyFile": "~/k"})), &[], "box/m").unwrap();
    assert_eq!((p.api_key.unwrap().reveal(), p.key_file.unwrap()), ("own", "/h/k".into()));
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Issue 9: a provider's name in another case is that provider, where only one fits.
#[test]
fn b_f26_a_provider_in_another_case_is_taken_when_only_one_fits() {
    let providers = json!({
        "stub": {"baseUrl": "http://h/v1", "models": []},
        "Two": {"baseUrl": "http://a/v1", "models": []}, "TWO": {"baseUrl": "http://b/v1", "models": []},
    });
    let resolved =
        |name: &str| Provider::from_section(&providers, &Env::default(), name).map(|p| (p.id, p.base_url));
    let of = |id: &str, url: &str| Ok((id.to_string(), url.to_string()));
    let plain = |name: &str| resolved(name).map_err(|e| e.message().to_string());
    assert_eq!(plain("Stub/test"), of("stub", "http://h/v1"));
    assert_eq!(plain("TWO/test"), of("TWO", "http://b/v1"));
    assert!(plain("two/test").unwrap_err().contains("models.providers.two.baseUrl"));
    assert_eq!(plain("OpenAI/gpt-5").map(|(id, _)| id), Ok("openai".to_string()));
}
