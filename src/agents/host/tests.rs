//! What may be changed from afar and what may not.
use super::*;
use crate::config::keys::KEYS;
use crate::config::testing::Dir;
use crate::config::write::{self, Base, Change, Terms, write};
use crate::json::json;

const OLD: &str = "{logging: {file: '~/logs/x.log'}, agents: {defaults: {workspace: '~/ours', sandbox: {mode: 'all'}}, list: [{id: 'a', workspace: '~/a', tools: {exec: {security: 'deny'}}}]}, models: {providers: {p: {baseUrl: 'http://h/v1', apiKey: '${THE_KEY}', models: []}, q: {baseUrl: 'http://h/v1', apiKeyFile: '~/k', models: []}, own: {baseUrl: 'http://o', apiKey: 'canary-own', headers: {A: 'canary-head'}, models: []}, signed: {baseUrl: 'http://s/v1', models: []}, plain: {baseUrl: 'http://n/v1', models: [{id: 'm', headers: {B: '${THE_KEY}'}}]}}}, channels: {slack: {$include: './slack.json5'}, irc: {host: 'h', port: 1}}, gateway: {mode: 'local', remote: {url: 'wss://r', token: 'canary-remote', tlsFingerprint: ''}}, tools: {exec: {security: 'allowlist'}}, mystery: {cmd: ['sh', '-c', 'x']}, env: {vars: {A: 'b', OPENCLAW_X: 'c'}}}";

fn fixture() -> (Dir, Env) {
    let dir = Dir::new();
    dir.write("slack.json5", "{a: 1}");
    dir.write("openclaw.json", OLD);
    let env = dir.env(&[
        ("THE_KEY", "canary-key"),
        ("OTHER", "canary-other"),
        ("OTHER_API_KEY", "canary-2"),
        ("OWN_API_KEY", "canary-3"),
        ("OPENAI_API_KEY", "canary-4"),
        ("OPEN_AI_API_KEY", "canary-5"),
    ]);
    for (agent, provider) in [("a", "Signed"), ("gone", "left")] {
        let path = env.state_dir.join("agents").join(agent).join("agent");
        std::fs::create_dir_all(&path).unwrap();
        let entry = json!({"type": "api_key", "provider": provider, "key": "canary-p"});
        let book = json!({"profiles": {"x:default": entry}}).to_string();
        std::fs::write(path.join("auth-profiles.json"), book).unwrap();
    }
    (dir, env)
}

fn terms(check: Option<write::Check>) -> Terms<'static> {
    Terms { base: Base::Present, force: true, check, starts: &|_, _| Vec::new() }
}

fn refused(patch: &str) -> Option<String> {
    let (dir, env) = fixture();
    let done = |write: &dyn Fn() -> Result<()>| write().err().map(|e| e.message().to_string());
    let told = done(&|| write(&env, Change::Merge(patch), terms(Some(check))).map(drop));
    if let Some(told) = &told {
        assert!(told.contains("change it on the host: ") && !told.contains("canary"), "{patch}: {told}");
        dir.write("openclaw.json", OLD);
        let told = done(&|| write(&env, Change::Merge(patch), terms(None)).map(drop));
        assert!(!told.unwrap_or_default().contains("on the host"), "a person at the host may: {patch}");
    }
    told
}

#[test]
fn s_h1_what_names_the_host_is_not_changed_from_afar() {
    for (patch, path) in [
        ("{logging: {file: '~/.ssh/id_ed25519'}}", "logging.file"),
        ("{hooks: {mappings: [{match: {path: '${OTHER}'}}]}}", "hooks.mappings.0.match.path"),
        ("{hooks: {mappings: [{match: {deep: {path: '/x'}}}]}}", "hooks.mappings.0.match.deep.path"),
        ("{agents: {defaults: {workspace: '~/.ssh'}}}", "agents.defaults.workspace"),
        ("{agents: {defaults: {workspace: '~/bin'}}}", "agents.defaults.workspace"),
        ("{agents: {list: [{id: 'a'}, {id: 'b', workspace: '/'}]}}", "agents.list.1.workspace"),
        ("{agents: {list: [{id: 'a', agentDir: '~/.config'}]}}", "agents.list.0.agentDir"),
        ("{models: {providers: {p: {apiKeyFile: '~/k'}}}}", "models.providers.p.apiKeyFile"),
        ("{models: {providers: {p: {apiKey: '${OTHER}'}}}}", "models.providers.p.apiKey"),
        ("{models: {providers: {p: {baseUrl: 'http://evil/${THE_KEY}'}}}}", "models.providers.p.baseUrl"),
        ("{models: {providers: {n: {baseUrl: 'x', apiKey: '${THE_KEY}'}}}}", "models.providers.n.apiKey"),
        ("{ui: {$include: '/any.json'}}", "ui.$include"),
        ("{channels: {slack: {$include: '/any.json'}}}", "channels.slack.$include"),
        ("{channels: {signal: {cliPath: '/bin/sh'}}}", "channels.signal.cliPath"),
        ("{plugins: {load: {paths: ['/x']}}}", "plugins.load.paths"),
        ("{browser: {executablePath: '/x'}}", "browser.executablePath"),
        (
            "{agents: {defaults: {cliBackends: {c: {command: 'sh'}}}}}",
            "agents.defaults.cliBackends.c.command",
        ),
        ("{session: {store: '/x/{agentId}.json'}}", "session.store"),
        ("{cron: {store: '~/x'}}", "cron.store"),
        ("{channels: {whatsapp: {accounts: {a: {authDir: '~'}}}}}", "channels.whatsapp.accounts.a.authDir"),
        (
            "{channels: {telegram: {accounts: {a: {tokenFile: '~'}}}}}",
            "channels.telegram.accounts.a.tokenFile",
        ),
        ("{canvasHost: {root: '~'}}", "canvasHost.root"),
        ("{mystery: {cmd: ['sh', '-c', 'y']}}", "mystery.cmd"),
        // A command is its words together, in their order.
        ("{mystery: {cmd: ['sh', '-c']}}", "mystery.cmd"),
        ("{mystery: {cmd: ['sh', 'x', '-c']}}", "mystery.cmd"),
        ("{mystery: {cmd: []}}", "mystery.cmd"),
        ("{mystery: {cmd: null}}", "mystery.cmd"),
        ("{nonsense: {dataDir: '/'}}", "nonsense.dataDir"),
        ("{env: {vars: {OPENCLAW_X: 'd'}}}", "env.vars.OPENCLAW_X"),
        ("{env: {LD_PRELOAD: '/x'}}", "env.LD_PRELOAD"),
        ("{env: {vars: {PERL5OPT: '-Mx'}}}", "env.vars.PERL5OPT"),
        ("{env: {vars: {_JAVA_OPTIONS: 'x'}}}", "env.vars._JAVA_OPTIONS"),
        ("{env: {EDITOR: 'x'}}", "env.EDITOR"),
        ("{nonsense: {deep: [{commands: ['sh']}]}}", "nonsense.deep.0.commands"),
        ("{nonsense: {binaries: ['x'], directories: 'x'}}", "nonsense.binaries"),
        ("{nonsense: {mount: 'x'}}", "nonsense.mount"),
        ("{nonsense: {source: '~/x'}}", "nonsense.source"),
        ("{nonsense: {url: 'file:///etc/passwd'}}", "nonsense.url"),
        ("{models: {providers: {p: {request: {tls: {ca: '/x'}}}}}}", "models.providers.p.request.tls.ca"),
        ("{tools: {web: {fetch: {allowHosts: ['127.0.0.1']}}}}", "tools.web.fetch.allowHosts"),
        ("{gateway: {remote: {url: 'ws://evil:1'}}}", "gateway.remote.url"),
        ("{env: {vars: {HTTPS_PROXY: 'http://evil'}}}", "env.vars.HTTPS_PROXY"),
        ("{env: {vars: {OPENAI_BASE_URL: 'http://evil'}}}", "env.vars.OPENAI_BASE_URL"),
        ("{env: {vars: {NEW: 'x ${THE_KEY}'}}}", "env.vars.NEW"),
        (
            "{auth: {profiles: {x: {provider: 'p', keyRef: {source: 'env', id: 'HOME'}}}}}",
            "auth.profiles.x.keyRef",
        ),
        ("{auth: {profiles: {x: {tokenRef: {source: 'FILE', id: 'HOME'}}}}}", "auth.profiles.x.tokenRef"),
        ("{secrets: {providers: {v: {source: 'exec'}}}}", "secrets.providers.v"),
        ("{models: {providers: {p: {apiKey: {source: 'exec', id: 'x'}}}}}", "models.providers.p.apiKey"),
        ("{channels: {slack: {botToken: 'secretref-env:HOME'}}}", "channels.slack.botToken"),
        ("{browser: {noSandbox: true}}", "browser.noSandbox"),
        ("{browser: {cdpUrl: 'http://evil'}}", "browser.cdpUrl"),
        ("{nonsense: {seccompProfile: 'unconfined'}}", "nonsense.seccompProfile"),
        ("{channels: {irc: {host: 'evil'}}}", "channels.irc.host"),
        ("{channels: {irc: {port: 2}}}", "channels.irc.port"),
        ("{channels: {telegram: {webhookUrl: 'https://evil'}}}", "channels.telegram.webhookUrl"),
        ("{channels: {telegram: {proxy: 'http://evil'}}}", "channels.telegram.proxy"),
        ("{tools: {web: {search: {grok: {baseUrl: 'http://evil'}}}}}", "tools.web.search.grok.baseUrl"),
        ("{hooks: {gmail: {pushEndpoint: 'http://evil'}}}", "hooks.gmail.pushEndpoint"),
        (
            "{agents: {defaults: {memorySearch: {remote: {baseUrl: 'http://evil'}}}}}",
            "agents.defaults.memorySearch.remote.baseUrl",
        ),
    ] {
        let told = refused(patch).unwrap_or_else(|| panic!("{patch} passes"));
        assert!(told.contains(&format!(": {path} names")), "{patch}: {told}");
    }
}

#[test]
fn s_h1_what_the_host_decides_is_neither_changed_nor_taken_away() {
    for (patch, path) in [
        ("{gateway: {mode: 'remote'}}", "gateway.mode"),
        ("{gateway: {remote: {transport: 'direct'}}}", "gateway.remote.transport"),
        ("{gateway: {remote: {url: null}}}", "gateway.remote.url"),
        ("{gateway: {remote: {token: 'mine'}}}", "gateway.remote.token"),
        ("{gateway: {remote: {password: 'mine'}}}", "gateway.remote.password"),
        ("{gateway: {tools: {allow: ['exec']}}}", "gateway.tools.allow"),
        ("{gateway: {tools: {deny: ['read']}}}", "gateway.tools.deny"),
        ("{env: {shellEnv: {enabled: true}}}", "env.shellEnv"),
        ("{agents: {defaults: {sandbox: null}}}", "agents.defaults.sandbox"),
        (
            "{agents: {defaults: {sandbox: {docker: {seccompProfile: 'unconfined'}}}}}",
            "agents.defaults.sandbox.docker.seccompProfile",
        ),
        ("{agents: {defaults: {sandbox: {browser: {enabled: true}}}}}", "agents.defaults.sandbox"),
        ("{agents: {list: [{id: 'a', workspace: '~/a'}]}}", "agents.list[0].tools.exec.security"),
        ("{agents: {list: [{id: 'b', sandbox: {mode: 'non-main'}}]}}", "agents.list[0].sandbox"),
        ("{tools: {exec: {security: 'full'}}}", "tools.exec.security"),
        ("{tools: {exec: null}}", "tools.exec.security"),
        ("{tools: {exec: {host: 'gateway'}}}", "tools.exec.host"),
        ("{hooks: {internal: {enabled: true}}}", "hooks.internal"),
        ("{channels: {irc: {nick: 'x'}}}", "channels.irc.nick"),
        ("{channels: {irc: {tls: true}}}", "channels.irc.tls"),
        ("{channels: {irc: {host: null}}}", "channels.irc.host"),
        ("{channels: {irc: {accounts: {a: {domain: 'x'}}}}}", "channels.irc.accounts.a.domain"),
        ("{channels: {whatsapp: {broker: 'x'}}}", "channels.whatsapp.broker"),
        ("{channels: {new: {enabled: true, password: 'x'}}}", "channels.new.password"),
    ] {
        let told = refused(patch).unwrap_or_else(|| panic!("{patch} passes"));
        assert!(told.contains(&format!(": {path} ")), "{patch}: {told}");
    }
}

#[test]
fn s_h1_a_key_of_the_host_goes_where_the_host_said() {
    let of = |id: &str, rest: &str| format!("{{models: {{providers: {{{id}: {{{rest}}}}}}}}}");
    let key = Some("the apiKey");
    for (patch, what) in [
        (of("p", "baseUrl: 'http://evil/v1'"), key),
        (of("p", "baseUrl: 'https://h/v1'"), key),
        (of("p", "baseUrl: 'http://h:81/v1'"), key),
        (of("p", "baseUrl: 'http://h.evil/v1'"), key),
        (of("p", "baseUrl: 'http://evil/v1', authHeader: false"), key),
        (of("p", "baseUrl: 'http://evil/v1', apiKey: '__OPENCLAW_REDACTED__'"), key),
        (of("own", "baseUrl: 'http://evil/v1', headers: null"), key),
        (of("own", "baseUrl: 'http://evil/v1', apiKey: ' canary-own ', headers: null"), key),
        (of("own", "baseUrl: 'http://evil/v1', apiKey: 'mine'"), Some("a header")),
        (of("own", "baseUrl: 'http://evil/v1', apiKey: 'mine', headers: null"), None),
        (of("own", "apiKey: null, headers: null"), Some("the key in OWN_API_KEY")),
        (of("own", "apiKey: 'OWN_API_KEY'"), Some("the key in OWN_API_KEY")),
        (of("own", "apiKey: ' OWN_API_KEY '"), Some("the key in OWN_API_KEY")),
        (of("own", "baseUrl: 'http://o:80/v2', api: 'anthropic-messages', authHeader: true"), None),
        (of("plain", "baseUrl: 'http://evil/v1'"), Some("a header")),
        (of("plain", "baseUrl: 'http://evil/v1', models: []"), None),
        // S-H1: one address may serve many hosts.
        (of("own", "headers: {Host: 'evil'}"), key),
        (of("own", "models: [{id: 'm', headers: {' x-forwarded-HOST': 'evil'}}]"), key),
        (of("own", "headers: {Forwarded: 'host=evil'}, apiKey: 'mine'"), Some("a header")),
        (of("own", "headers: {Accept: 'x'}"), None),
        (of("plain", "baseUrl: 'http://evil/v1', models: [{id: 'n', headers: {C: 'x'}}]"), None),
        (of("q", "baseUrl: 'http://evil/v1'"), Some("the key in apiKeyFile")),
        (of("q", "baseUrl: 'http://evil/v1', apiKey: 'mine'"), None),
        (of("signed", "baseUrl: 'http://evil/v1'"), Some("a key in auth-profiles.json")),
        (of("signed", "baseUrl: 'http://evil/v1', apiKey: 'mine'"), Some("a key in auth-profiles.json")),
        (of("signed", "baseUrl: 'http://s/v2', api: 'openai-responses'"), None),
        (of("SIGNED", "baseUrl: 'http://evil', models: []"), Some("a key in auth-profiles.json")),
        (of("left", "baseUrl: 'http://evil', models: []"), Some("a key in auth-profiles.json")),
        (of("other", "baseUrl: 'http://evil', models: []"), Some("the key in OTHER_API_KEY")),
        (
            of("other", "baseUrl: 'http://evil', apiKey: 'OTHER_API_KEY', models: []"),
            Some("the key in OTHER_API_KEY"),
        ),
        (of("'open-ai'", "baseUrl: 'http://evil', models: []"), Some("the key in OPEN_AI_API_KEY")),
        (of("openai", "baseUrl: 'http://evil', models: []"), Some("the key in OPENAI_API_KEY")),
        (of("openai", "baseUrl: 'https://api.openai.com/v1', models: []"), None),
        (of("p", "baseUrl: 'http://evil/v1', apiKey: 'mine'"), None),
        (of("p", "models: [], retries: 1"), None),
        (of("none", "baseUrl: 'http://h', models: []"), None),
    ] {
        let told = refused(&patch);
        assert_eq!(told.is_some(), what.is_some(), "{patch}: {told:?}");
        let told = told.unwrap_or_default();
        assert!(what.is_none_or(|what| told.contains(&format!("would send {what} of"))), "{patch}: {told}");
    }
}

/// What one change may not do, several after each other do not do either.
#[test]
fn s_h1_no_way_round_by_steps() {
    for steps in [
        [
            "{models: {providers: {q: {baseUrl: 'http://evil', apiKey: 'mine'}}}}",
            "{models: {providers: {q: {apiKey: null}}}}",
        ],
        [
            "{models: {providers: {own: null}}}",
            "{models: {providers: {own: {baseUrl: 'http://evil', models: []}}}}",
        ],
        [
            "{models: {providers: {new: {baseUrl: 'http://evil', apiKey: 'mine', models: []}, own: null}}}",
            "{models: {providers: {other: {baseUrl: 'http://evil', apiKey: '', models: []}}}}",
        ],
        [
            "{models: {providers: {own: {baseUrl: 'http://evil', apiKey: 'mine', headers: null}}}}",
            "{models: {providers: {own: {apiKey: ''}}}}",
        ],
    ] {
        let (_dir, env) = fixture();
        let mut last = Ok(());
        for step in steps {
            last = write(&env, Change::Merge(step), terms(Some(check))).map(drop);
        }
        assert!(last.is_err_and(|e| e.message().contains("would send")), "{steps:?}");
    }
}

/// S-H1: what is judged is what is stored, to the letter.
#[test]
fn s_h1_a_name_that_stands_twice_is_refused() {
    let p = "p: {baseUrl: 'http://h/v1', apiKey: '${THE_KEY}', models: []}";
    for text in [
        "{models: {providers: {p: {baseUrl: 'http://evil'}, p: {models: []}}}}".to_string(),
        "{models: {providers: {p: {models: []}, 'p': {baseUrl: 'http://evil'}}}}".to_string(),
        "{models: {providers: {p: {models: []}, \\u0070: {baseUrl: 'http://evil'}}}}".to_string(),
        "{ui: {}, models: {}, ui: null}".to_string(),
        "{agents: {list: [{id: 'a', id: 'b'}]}}".to_string(),
        OLD.replace(p, &format!("p: {{baseUrl: 'http://evil', models: []}}, {p}")),
    ] {
        for change in [Change::Merge(&text), Change::Replace(&text)] {
            let (_dir, env) = fixture();
            let done = write(&env, change, terms(Some(check)));
            let told = done.err().map(|e| e.message().to_string()).unwrap_or_default();
            assert!(told.contains("has a key twice"), "{text}: {told}");
        }
    }
}

#[test]
fn s_h1_what_stays_or_names_nothing_of_the_host_passes() {
    for patch in [
        OLD,
        // Part of an address.
        "{hooks: {mappings: [{match: {path: '/github', source: 'x'}, messageTemplate: 't'}, {match: {path: 'b'}}]}}",
        "{logging: {level: 'debug', file: null}}",
        "{agents: {list: [{id: 'b', workspace: '~/a'}, {id: 'c', workspace: '~/.openclaw/workspace-c'}]}}",
        "{agents: {defaults: {workspace: '~/ours/below'}}}",
        "{models: {providers: {p: {baseUrl: 'http://h/v1', apiKey: '__OPENCLAW_REDACTED__'}}}}",
        "{models: {providers: {n: {baseUrl: 'http://h', apiKey: 'k', models: []}}}}",
        "{channels: {telegram: {customCommands: [{command: 'x', description: 'y'}], webhookPath: '/hook'}}}",
        "{mystery: {cmd: ['sh', '-c', 'x']}, ui: {assistant: {name: 'costs $5'}}}",
        "{channels: {irc: {enabled: false, dmPolicy: 'open', allowFrom: ['x', '*'], groups: {g: {requireMention: false}}, textChunkLimit: 5}}}",
        "{channels: {irc: {accounts: {a: {enabled: false}}}}}",
        "{channels: {irc: null, whatsapp: {sendReadReceipts: false}}, mystery: null}",
        "{env: {vars: {MY_API_KEY: 'x'}}, hooks: {path: '/hooks'}}",
    ] {
        assert_eq!(refused(patch), None, "{patch}");
    }
}

/// A row whose name says that it is of the host says so itself, or stands here with the reason.
#[test]
fn s_h1_no_row_is_forgotten() {
    let others = [
        // Parts of addresses.
        "channels.telegram.webhookPath",
        "gateway.controlUi.basePath",
        "hooks.gmail.serve.path",
        "hooks.gmail.tailscale.path",
        "hooks.mappings.*.match.path",
        "hooks.path",
        // Words of a chat.
        "channels.telegram.customCommands.*.command",
    ];
    for key in KEYS {
        let name = key.path.rsplit('.').next().unwrap();
        let is_text = !matches!(
            key.kind,
            crate::config::keys::Type::Bool
                | crate::config::keys::Type::Object
                | crate::config::keys::Type::Any
                | crate::config::keys::Type::Map
        );
        let is_sent_to =
            ["url", "proxy", "webhook", "endpoint"].iter().any(|end| name.to_lowercase().ends_with(end));
        let is_text = is_text && key.path != "models.providers.*.baseUrl"; // `servers` judges it.
        let is_meant = (is_host_name(name) || is_sent_to) && is_text && !others.contains(&key.path);
        assert!(!is_meant || key.host_only, "{} names something of the host", key.path);
    }
}
