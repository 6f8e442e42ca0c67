//! Values that name something of the host: files, directories, programs, variables. Who changes the configuration over
//! the wire need not be on the host, so there they may stay as they are and not become others.
//!
//! Pure, over the texts before and after; on the thread that writes. Rows of the table say it of themselves; keys the
//! table does not know, and all keys below a row of type `Any`, are judged by their name.
use crate::agents::Agents;
use crate::config::lookup;
use crate::config::lookup::Node;
use crate::config::{Config, join, parse, substitute};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::models::known;
use crate::workspace;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Ends of names of keys whose texts are files, directories or programs; lower case, without separators.
const ENDS: &[&str] = &[
    "arg",
    "argv",
    "bin",
    "binary",
    "binaries",
    "binds",
    "cert",
    "cmd",
    "command",
    "cwd",
    "dir",
    "directory",
    "directories",
    "exec",
    "executable",
    "file",
    "folder",
    "home",
    "identityfile",
    "include",
    "location",
    "module",
    "mount",
    "path",
    "pem",
    "program",
    "root",
    "script",
    "shell",
    "socket",
    "sshidentity",
    "store",
    "volume",
    "workspace",
];
/// Those of them that are parts of addresses, words of a chat or sets of rules.
const OTHERS: &[&str] = &[
    "customcommands",
    "allowcommands",
    "denycommands",
    "webhookpath",
    "basepath",
    "urlpath",
    "httppath",
    "profile",
];
/// Variables that steer programs; and all whose names end like those of files.
const VARIABLES: &[&str] =
    &["openclaw", "clawdbot", "ld", "dyld", "node", "ssl", "bash", "git", "ssh", "xdg", "glibc", "docker"];
/// Names by themselves, and how names of variables begin that put words into a program's command line.
const PROGRAMS: &[&str] =
    &["editor", "visual", "pager", "browser", "env", "tz", "hostaliases", "ifs", "term"];
const LANGUAGES: &[&str] = &["perl5", "python", "ruby", "java", "jdk"];

/// Refuses the text `new` if something of the host in it is another than in `old` and in the text it was read from.
pub fn check(old_text: &str, new_text: &str, old: &Config, env: &Env) -> Result<()> {
    // What does not parse is refused for that.
    let Ok(new) = parse::json5(new_text) else { return Ok(()) };
    let written = parse::json5(old_text).unwrap_or_default();
    let agents = Agents::of(old, env);
    let check = Check { env, named: agents.workspaces() };
    let place = Place { node: Some(lookup::root()), is_env: false, is_host: false };
    check.walk(&new, &[&written, old.whole()], place, "")
}

struct Check<'a> {
    env: &'a Env,
    /// The workspaces that the configuration has.
    named: Vec<PathBuf>,
}

#[derive(Clone, Copy)]
struct Place {
    node: Option<Node>,
    /// A block of variables.
    is_env: bool,
    /// At or below a key that names something of the host.
    is_host: bool,
}

impl Place {
    fn member(&self, name: &str) -> Place {
        let node = self.node.and_then(|node| node.child(name));
        let named = match node {
            Some(node) => node.key().is_some_and(|key| key.host_only),
            None => is_host_name(name),
        };
        let is_env = name == "env" || (self.is_env && name == "vars");
        let steers = self.is_env && !is_env && is_host_variable(name);
        Place { node, is_env, is_host: self.is_host || named || steers || name == "$include" }
    }

    fn item(&self) -> Place {
        Place { node: self.node.and_then(|node| node.child("0")), ..*self }
    }
}

impl Check<'_> {
    /// `old` is what stood at this place, in any item where it is in a list.
    fn walk(&self, new: &Value, old: &[&Value], place: Place, at: &str) -> Result<()> {
        match new {
            Value::Object(map) => {
                map.iter().try_for_each(|(name, value)| {
                    let old: Vec<&Value> = old.iter().filter_map(|old| old.get(name)).collect();
                    self.walk(value, &old, place.member(name), &join(at, name))
                })?;
                match (at.strip_prefix("models.providers."), map.get("baseUrl")) {
                    (Some(id), Some(url)) => self.server(id, url, map, old, at),
                    _ => Ok(()),
                }
            }
            Value::Array(items) => {
                let old: Vec<&Value> = old.iter().filter_map(|old| old.as_array()).flatten().collect();
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(i, item)| self.walk(item, &old, place.item(), &join(at, &i.to_string())))
            }
            Value::String(text) => self.text(text, new, old, place, at),
            _ => Ok(()),
        }
    }

    fn text(&self, text: &str, new: &Value, old: &[&Value], place: Place, at: &str) -> Result<()> {
        let what = match substitute::names(text).next() {
            Some(name) => format!("${{{name}}}, a variable"),
            None if (place.is_host && !text.is_empty()) || (place.node.is_none() && is_path(text, at)) => {
                "a file, directory or program".to_string()
            }
            None => return Ok(()),
        };
        let is_default = place.node.and_then(|node| node.default()) == Some(new);
        if is_default || old.contains(&new) || old.iter().any(|old| self.is_same_path(old, text)) {
            return Ok(());
        }
        if at.ends_with(".workspace") && workspace::allowed_from_afar(self.env, &self.named, text).is_ok() {
            return Ok(());
        }
        let how = match at.ends_with("$include") {
            true => format!("edit {} there", self.env.display(&self.env.config_path)),
            false => self.env.command(&format!("config set {at} ...")),
        };
        Err(Error::invalid(format!(
            "config write refused: {at} names {what} of the gateway's host and is not changed from afar; change it on the host: {how}"
        ))
        .with("code", "HOST_ONLY")
        .with("path", at))
    }

    /// A key that only the host knows, in a variable or a file, goes to the server that the host named.
    fn server(
        &self,
        id: &str,
        url: &Value,
        new: &Map<String, Value>,
        old: &[&Value],
        at: &str,
    ) -> Result<()> {
        let known = known::base_url(id).is_some_and(|known| url.as_str() == Some(known));
        let stays = |old: &&Value| {
            ["baseUrl", "apiKey", "apiKeyFile"].iter().all(|key| old.get(key) == new.get(*key))
        };
        if known || old.iter().any(stays) {
            return Ok(());
        }
        let variable = known::key_variable(id);
        let key = new.get("apiKey").and_then(Value::as_str).filter(|key| *key != variable);
        let from = match key {
            Some(key) => substitute::names(key).next().map(str::to_string),
            None if new.contains_key("apiKeyFile") => Some("apiKeyFile".to_string()),
            None => self.env.var(&variable).map(|_| variable),
        };
        match from {
            None => Ok(()),
            Some(from) => Err(Error::invalid(format!(
                "config write refused: {at}.baseUrl would send the key of the gateway's host ({from}) to another server; give an apiKey with it, or change it on the host: {}",
                self.env.command(&format!("config set {at}.baseUrl ..."))
            ))
            .with("code", "HOST_ONLY")
            .with("path", at)),
        }
    }

    /// `~/x` and what it stands for.
    fn is_same_path(&self, old: &Value, text: &str) -> bool {
        let is_path = text.starts_with(['~', '/']) && !text.contains('$');
        is_path && old.as_str().is_some_and(|old| self.env.expand(old) == self.env.expand(text))
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What a key that the table does not know holds, when it looks like a place in the file system.
fn is_path(text: &str, at: &str) -> bool {
    let starts = ["/", "~/", "./", "../", "file:", "\\\\"];
    let name = plain(at.rsplit('.').next().unwrap_or_default());
    starts.iter().any(|start| text.starts_with(start)) && !OTHERS.iter().any(|end| name.ends_with(end))
}

fn is_host_name(name: &str) -> bool {
    let plain = plain(name);
    let one = plain.strip_suffix('s').unwrap_or(&plain);
    ENDS.iter().any(|end| plain.ends_with(end) || one.ends_with(end))
        && !OTHERS.iter().any(|end| plain.ends_with(end))
}

fn is_host_variable(name: &str) -> bool {
    let first = name.split('_').next().unwrap_or_default().to_ascii_lowercase();
    let plain = plain(name);
    VARIABLES.contains(&first.as_str())
        || PROGRAMS.contains(&plain.as_str())
        || LANGUAGES.iter().any(|language| plain.starts_with(language))
        || plain.ends_with("proxy")
        || is_host_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::KEYS;
    use crate::config::testing::Dir;
    use crate::config::write::{Base, Change, write, write_checked};

    const OLD: &str = "{logging: {file: '~/logs/x.log'}, agents: {defaults: {workspace: '~/ours'}, list: [{id: 'a', workspace: '~/a'}]}, models: {providers: {p: {baseUrl: 'http://h/v1', apiKey: '${THE_KEY}', models: []}, q: {baseUrl: 'http://h/v1', apiKeyFile: '~/k', models: []}, own: {baseUrl: 'http://o', apiKey: 'k', models: []}}}, channels: {slack: {$include: './slack.json5'}}, mystery: {cmd: ['sh', '-c', 'x']}, env: {vars: {A: 'b', OPENCLAW_X: 'c'}}}";

    fn refused(patch: &str) -> Option<String> {
        let dir = Dir::new();
        dir.write("slack.json5", "{a: 1}");
        dir.write("openclaw.json", OLD);
        let env = dir.env(&[
            ("THE_KEY", "canary-key"),
            ("OTHER", "canary-other"),
            ("OTHER_API_KEY", "canary-2"),
            ("OWN_API_KEY", "canary-3"),
        ]);
        let done = |write: &dyn Fn() -> Result<()>| write().err().map(|e| e.message().to_string());
        let told =
            done(&|| write_checked(&env, Change::Merge(patch), Base::Present, true, Some(check)).map(drop));
        if let Some(told) = &told {
            assert!(told.contains("change it on the host: ") && !told.contains("canary"), "{patch}: {told}");
            dir.write("openclaw.json", OLD);
            let told = done(&|| write(&env, Change::Merge(patch), Base::Present, true).map(drop));
            assert!(!told.unwrap_or_default().contains("on the host"), "a person at the host may: {patch}");
        }
        told
    }

    #[test]
    fn s_h1_what_names_the_host_is_not_changed_from_afar() {
        for (patch, path) in [
            ("{logging: {file: '~/.ssh/id_ed25519'}}", "logging.file"),
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
            ("{plugins: {load: {paths: ['/x']}}}", "plugins.load.paths.0"),
            ("{browser: {executablePath: '/x'}}", "browser.executablePath"),
            (
                "{agents: {defaults: {cliBackends: {c: {command: 'sh'}}}}}",
                "agents.defaults.cliBackends.c.command",
            ),
            ("{session: {store: '/x/{agentId}.json'}}", "session.store"),
            ("{cron: {store: '~/x'}}", "cron.store"),
            (
                "{channels: {whatsapp: {accounts: {a: {authDir: '~'}}}}}",
                "channels.whatsapp.accounts.a.authDir",
            ),
            (
                "{channels: {telegram: {accounts: {a: {tokenFile: '~'}}}}}",
                "channels.telegram.accounts.a.tokenFile",
            ),
            ("{canvasHost: {root: '~'}}", "canvasHost.root"),
            ("{mystery: {cmd: ['sh', '-c', 'y']}}", "mystery.cmd.2"),
            ("{nonsense: {dataDir: '/'}}", "nonsense.dataDir"),
            ("{env: {vars: {OPENCLAW_X: 'd'}}}", "env.vars.OPENCLAW_X"),
            ("{env: {LD_PRELOAD: '/x'}}", "env.LD_PRELOAD"),
            ("{env: {vars: {PERL5OPT: '-Mx'}}}", "env.vars.PERL5OPT"),
            ("{env: {vars: {_JAVA_OPTIONS: 'x'}}}", "env.vars._JAVA_OPTIONS"),
            ("{env: {EDITOR: 'x'}}", "env.EDITOR"),
            ("{nonsense: {deep: [{commands: ['sh']}]}}", "nonsense.deep.0.commands.0"),
            ("{nonsense: {binaries: ['x'], directories: 'x'}}", "nonsense.binaries.0"),
            ("{nonsense: {mount: 'x'}}", "nonsense.mount"),
            ("{nonsense: {source: '~/x'}}", "nonsense.source"),
            ("{nonsense: {url: 'file:///etc/passwd'}}", "nonsense.url"),
            ("{models: {providers: {p: {request: {tls: {ca: '/x'}}}}}}", "models.providers.p.request.tls.ca"),
            ("{gateway: {remote: {url: 'ws://evil:1'}}}", "gateway.remote.url"),
            ("{env: {vars: {HTTPS_PROXY: 'http://evil'}}}", "env.vars.HTTPS_PROXY"),
        ] {
            let told = refused(patch).unwrap_or_else(|| panic!("{patch} passes"));
            assert!(told.contains(&format!(": {path} names")), "{patch}: {told}");
        }
    }

    #[test]
    fn s_h1_a_key_of_the_host_goes_where_the_host_said() {
        for (patch, from) in [
            ("{models: {providers: {p: {baseUrl: 'http://evil/v1'}}}}", Some("THE_KEY")),
            ("{models: {providers: {q: {baseUrl: 'http://evil/v1'}}}}", Some("apiKeyFile")),
            ("{models: {providers: {other: {baseUrl: 'http://evil', models: []}}}}", Some("OTHER_API_KEY")),
            (
                "{models: {providers: {other: {baseUrl: 'http://evil', apiKey: 'OTHER_API_KEY', models: []}}}}",
                Some("OTHER_API_KEY"),
            ),
            ("{models: {providers: {own: {apiKey: null}}}}", Some("OWN_API_KEY")),
            ("{models: {providers: {p: {baseUrl: 'http://evil/v1', apiKey: 'mine'}}}}", None),
            ("{models: {providers: {p: {models: []}, none: {baseUrl: 'http://h', models: []}}}}", None),
        ] {
            let told = refused(patch);
            assert_eq!(told.is_some(), from.is_some(), "{patch}: {told:?}");
            assert!(from.is_none_or(|from| told.unwrap_or_default().contains(&format!("host ({from})"))));
        }
    }

    #[test]
    fn s_h1_what_stays_or_names_nothing_of_the_host_passes() {
        for patch in [
            OLD,
            "{logging: {level: 'debug', file: null}}",
            "{agents: {list: [{id: 'b', workspace: '~/a'}, {id: 'c', workspace: '~/.openclaw/workspace-c'}]}}",
            "{agents: {defaults: {workspace: '~/ours/below'}}}",
            "{models: {providers: {p: {baseUrl: 'http://h/v1', apiKey: '__OPENCLAW_REDACTED__'}}}}",
            "{models: {providers: {n: {baseUrl: 'http://h', apiKey: 'k', models: []}}}}",
            "{channels: {telegram: {customCommands: [{command: 'x', description: 'y'}], webhookPath: '/hook'}}}",
            "{mystery: {cmd: ['sh', '-c']}, ui: {assistant: {name: 'costs $5'}}}",
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
            let is_meant = is_host_name(name) && is_text && !others.contains(&key.path);
            assert!(!is_meant || key.host_only, "{} names something of the host", key.path);
        }
    }
}
