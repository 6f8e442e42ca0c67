//! What of a configuration of the original program is told as not in this version.
use super::*;
use crate::config::testing::Dir;

fn told(text: &str, more: &[(&str, &str)]) -> Option<String> {
    let dir = Dir::new();
    dir.write("openclaw.json", text);
    for (path, text) in more {
        let file = dir.env(&[]).state_dir.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let mut env = dir.env(&[]);
    let config = Config::inspect(&mut env);
    assert!(config.is_valid(), "{text}: {:?}", config.issues());
    line(&config, &env)
}

#[test]
fn n_2_what_a_migrant_configured_is_named_and_counted() {
    let text = "{channels: {defaults: {}, telegram: {botToken: 'x'}, whatsapp: {}, discord: {token: 'y'}},
        hooks: {enabled: true, token: 'z', mappings: [{id: 'm'}]}, browser: {enabled: true},
        agents: {defaults: {memorySearch: {provider: 'openai'}}}, tools: {exec: {host: 'node'}},
        gateway: {mode: 'local'}}";
    assert_eq!(told(text, &[]).unwrap(), "2 channels (whatsapp, discord), search by embeddings");
}

#[test]
fn n_2_what_is_off_or_unset_is_not_told() {
    for text in [
        "{}",
        "{gateway: {mode: 'local', tailscale: {mode: 'off'}, controlUi: {allowedOrigins: ['https://x.example']}}}",
        "{channels: {defaults: {groupPolicy: 'open'}, telegram: {enabled: false, botToken: 'x'}}}",
        "{agents: {defaults: {heartbeat: {every: '1m'}, sandbox: {mode: 'off'}}}, browser: {enabled: false}}",
        "{cron: {enabled: false}, hooks: {enabled: false, token: 'z'}, tools: {exec: {timeoutSec: 5}, web: {fetch: {enabled: true}}}}",
        "{plugins: {enabled: false, entries: {x: {enabled: true}}}, discovery: {mdns: {mode: 'off'}}}",
        "{gateway: {mode: 'remote', remote: {url: 'ws://x:1'}}, browser: {enabled: true}}",
    ] {
        assert_eq!(told(text, &[]), None, "{text}");
    }
}

#[test]
fn n_2_relatives() {
    for (text, want) in [
        ("{tools: {web: {search: {provider: 'grok', apiKey: 'k'}}}}", "web search by Grok"),
        ("{plugins: {entries: {a: {enabled: true}, b: {enabled: false}}}}", "1 plugin (a)"),
        (
            "{plugins: {entries: {'memory-core': {enabled: true}, telegram: {enabled: true}, x: {enabled: true}}}}",
            "1 plugin (x)",
        ),
        ("{messages: {tts: {auto: 'always'}}}", "spoken replies"),
        ("{hooks: {internal: {enabled: true}}}", "internal hooks"),
        ("{agents: {defaults: {memorySearch: {provider: 'openai'}}}}", "search by embeddings"),
        (
            "{discovery: {mdns: {mode: 'full'}, wideArea: {enabled: true}}, env: {shellEnv: {enabled: true}}}",
            "wide-area discovery, variables of the login shell",
        ),
    ] {
        assert_eq!(told(text, &[]).as_deref(), Some(want), "{text}");
    }
    let linked = [("credentials/whatsapp/default/creds.json", "{}")];
    assert_eq!(told("{}", &linked).as_deref(), Some("1 channel (whatsapp)"));
    assert_eq!(told("{web: {enabled: false}}", &linked), None);
}
