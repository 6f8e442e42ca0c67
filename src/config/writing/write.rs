//! Writing the configuration on request: who asked, what it means, whether it may be written.
//!
//! One function for the methods and the command line. The present text is read, judged, changed and judged again under
//! the lock that all writers share (R-02d), so a mistake never reaches the file. Runs on the caller's thread. How a
//! text is edited is for `edit.rs`; a gateway that runs sees the file change like any other.
use crate::config::edit::{self, Draft};
use crate::config::load::{self, Loaded};
use crate::config::plan::{Plan, plan};
use crate::config::redact::HIDDEN;
use crate::config::{Config, Issue, is_within, members, parse, patch, restore};
use crate::env::Env;
use crate::error::{Cause, Error, Kind, Result};
use crate::json::json;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// This text in place of the whole file.
    Replace(&'a str),
    /// A JSON5 object as merge patch (RFC 7396): null takes away, lists are replaced.
    Merge(&'a str),
    /// The same, read before (`asked`), with nothing hidden in it. It is taken, since it may be long.
    Lay(&'a RefCell<Map<String, Value>>),
    Set(&'a [&'a str], &'a Value),
    Remove(&'a [&'a str]),
}

/// Which text the change was made for.
#[derive(Debug, Clone, Copy)]
pub enum Base<'a> {
    /// Whatever is there now.
    Present,
    /// The text with this hash. It must be given when there is a file.
    Hash(Option<&'a str>),
}

/// What came of it.
#[derive(Debug)]
pub struct Written {
    /// The configuration as the file has it now.
    pub config: Config,
    /// What a gateway does about the change.
    pub plan: Plan,
    /// `false` when there was nothing to change.
    pub written: bool,
}

/// Who may refuse a change.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub base: Base<'a>,
    /// Lifts the guard against losing most of a file (R-02e).
    pub force: bool,
    /// For somebody who need not be on the host, and may not choose what of the host is read or written.
    pub check: Option<Check>,
    pub starts: Starts<'a>,
}

/// Refuses a change: the text before, the text after, the configuration before.
pub type Check = fn(&str, Arc<str>, &Config, &Env) -> Result<()>;

/// All that keeps a gateway, or an account, from starting with a configuration in which there is no mistake.
pub type Starts<'a> = &'a dyn Fn(&Config, &Env) -> Vec<Error>;

/// Writes `change` to the file that `env` names.
pub fn write(env: &Env, change: Change, terms: Terms) -> Result<Written> {
    if env.var("OPENCLAW_NIX_MODE") == Some("1") {
        return Err(Error::invalid("the config is read-only in Nix mode; change it where it is generated"));
    }
    let work = |draft: &mut Draft| changed(draft, env, change, terms);
    let ((plan, config), written) = edit::change(&env.config_path, work)?;
    Ok(Written { config, plan, written })
}

/// The same without writing: what a gateway would do, and the configuration as it would be.
pub fn rehearse(env: &Env, change: Change, terms: Terms) -> Result<(Plan, Config)> {
    changed(&mut edit::present(&env.config_path)?, env, change, terms)
}

/// Makes the change in a draft of the file, if nothing is against it.
fn changed(draft: &mut Draft, env: &Env, change: Change, terms: Terms) -> Result<(Plan, Config)> {
    let old_text = draft.shared();
    let is_new = draft.is_new();
    // With the variables of the configuration.
    let (mut old_env, mut new_env) = (env.clone(), env.clone());
    let (old, old_issues) =
        if is_new { (load::empty(), Vec::new()) } else { load::judge(&mut old_env, old_text.clone(), None) };
    let old = Config::of(env, old);
    check_base(terms.base, &old)?;
    apply(draft, change, &old, &old_issues)?;
    if let Some(check) = terms.check {
        // Before anything that it names is looked at.
        check(&old_text, draft.shared(), &old, env)?;
    }
    let (new, issues) = load::judge(&mut new_env, draft.shared(), None);
    check_issues(change, &old_issues, issues)?;
    let new = Config::of(env, new);
    if let Change::Set(path, value) = change
        && !terms.force
    {
        refuse_unread(path, value, &new)?;
    }
    if !terms.force && !is_new {
        guard(&old_text, draft.text(), &old, &new)?;
    }
    check_start(change, (terms.starts)(&new, &new_env), || (terms.starts)(&old, &old_env))?;
    Ok((plan(&old, &new), new))
}

/// The configuration as it would be if `text`, which now stands in `file`, stood in its place, and what is wrong with it.
pub fn judge(env: &Env, text: impl Into<Arc<str>>, file: &Path) -> (Config, Vec<Issue>) {
    let (loaded, issues) = load::judge(&mut env.clone(), text.into(), Some(file));
    (Config::of(env, loaded), issues)
}

fn check_base(base: Base, old: &Config) -> Result<()> {
    let (kind, message) = match base {
        Base::Present => return Ok(()),
        Base::Hash(None) if !old.exists() => return Ok(()),
        Base::Hash(Some(hash)) if hash.eq_ignore_ascii_case(old.hash()) => return Ok(()),
        Base::Hash(None) => (Kind::Invalid, "config base hash required; re-run config.get and retry"),
        Base::Hash(Some(_)) => {
            (Kind::Conflict, "config changed since last load; re-run config.get and retry")
        }
    };
    Err(Error::new(kind, message).with("hash", old.hash()))
}

fn apply(draft: &mut Draft, change: Change, old: &Config, old_issues: &[Issue]) -> Result<()> {
    let loaded: &Loaded = &old.inner.loaded;
    let present = if loaded.parses && !draft.is_new() { draft.shared() } else { "".into() };
    match change {
        Change::Replace(text) => {
            syntax(text)?;
            draft.replace(&restore::restore(text, &present, &loaded.secrets)?);
            return Ok(());
        }
        _ if loaded.parses => {}
        Change::Merge(_) | Change::Lay(_) => {
            return Err(invalid("invalid config; fix before patching", old_issues));
        }
        _ => return Err(loaded.fatal.clone().unwrap_or_else(|| Error::config("the config cannot be used"))),
    }
    let edited = match change {
        Change::Merge(text) => {
            asked(text)?;
            let text = restore::restore(text, &present, &loaded.secrets)?;
            patch::merge(draft, &asked(&text)?, old)
        }
        Change::Lay(asked) => patch::merge(draft, &asked.take(), old),
        Change::Set(path, value) => {
            if value.to_string().contains(HIDDEN) {
                return Err(restore::refused(&path.join(".")));
            }
            patch::set(draft, path, value, old)
        }
        Change::Remove(path) => patch::remove(draft, path, old),
        Change::Replace(_) => Ok(()),
    };
    // What cannot be edited is the request's fault, not the file's.
    edited.map_err(|e| if e.kind == Kind::Config { Error::invalid(e.message()) } else { e })
}

/// What a merge patch says.
pub fn asked(text: &str) -> Result<Map<String, Value>> {
    match syntax(text)? {
        Value::Object(asked) => Ok(asked),
        _ => Err(Error::invalid("config.patch raw must be an object")),
    }
}

/// Values that a request may bring, and bytes; each costs many times its text while the change is judged.
const MOST_VALUES: usize = 20_000;
const MOST_BYTES: usize = 2 << 20;

/// What the text of a request says. A name that stands twice would say one thing to a reader and another to a program.
fn syntax(text: &str) -> Result<Value> {
    let values = parse::most_values(text);
    if values > MOST_VALUES {
        return Err(Error::invalid(format!(
            "config write refused: raw holds some {values} values, and {MOST_VALUES} are the most; send it in pieces"
        )));
    }
    if text.len() > MOST_BYTES {
        return Err(Error::invalid(format!(
            "config write refused: raw is {} bytes long, and {MOST_BYTES} are the most; keep long texts in files of the \
             workspace",
            text.len()
        )));
    }
    let wrong = |e: parse::Failure| Error::invalid(format!("SyntaxError: JSON5: {}{}", e.message, e.place()));
    let value = parse::json5(text).map_err(wrong)?;
    match members::repeated(text) {
        None => Ok(value),
        Some((path, _)) => {
            let place = if path.is_empty() { "the object".to_string() } else { path };
            Err(Error::invalid(format!("config write refused: {place} has a key twice; write each once")))
        }
    }
}

/// Mistakes refuse the write. Those that an edit found in the file do not refuse it, as it may be a step of a repair; but for
/// a mistake in the value that is set, though it was so before.
fn check_issues(change: Change, old: &[Issue], mut issues: Vec<Issue>) -> Result<()> {
    let set = if let Change::Set(path, _) = change { Some(path.join(".")) } else { None };
    let is_set = |issue: &Issue| set.as_ref().is_some_and(|set| is_within(&issue.path, set));
    if !matches!(change, Change::Replace(_)) {
        issues.retain(|issue| !old.contains(issue) || is_set(issue));
    }
    if issues.is_empty() { Ok(()) } else { Err(invalid("invalid config", &issues)) }
}

/// The same of what keeps a gateway from starting.
fn check_start(change: Change, mut found: Vec<Error>, before: impl FnOnce() -> Vec<Error>) -> Result<()> {
    if !found.is_empty() && !matches!(change, Change::Replace(_)) {
        let before = before();
        found.retain(|why| !before.iter().any(|old| old.message() == why.message()));
    }
    let Some(why) = found.first() else { return Ok(()) };
    let what = match why.cause() {
        Some(Cause::Account) => "no account can sign in with this",
        _ => "no gateway would start with this",
    };
    let why = why.message().replace('\n', " ");
    Err(Error::invalid(format!("{what}, and nothing was written: {why}")))
}

fn invalid(message: &str, issues: &[Issue]) -> Error {
    // Whoever sees only the message has the first one.
    let first = issues.first().map_or(String::new(), |issue| format!(": {}", issue.told()));
    Error::invalid(format!("{message}{first}")).with("issues", json!(issues))
}

/// Whoever names a key means one that is read, in the value too. What a file says that is included there was there before.
fn refuse_unread(path: &[&str], value: &Value, new: &Config) -> Result<()> {
    let place = path.join(".");
    let is_given = |issue: &Issue| match issue.path.strip_prefix(&format!("{place}.")) {
        Some(below) => value.pointer(&format!("/{}", below.replace('.', "/"))).is_some(),
        None => true,
    };
    let is_meant = |issue: &&Issue| issue.is_unread() && issue.concerns(&place) && is_given(issue);
    match new.warnings().iter().find(is_meant) {
        Some(issue) => {
            Err(Error::invalid(format!("{}; nothing was written; if it is meant, force it", issue.told()))
                .because(Cause::NeedsForce)
                .with("code", "FORCE_REQUIRED"))
        }
        None => Ok(()),
    }
}

/// R-02e: what looks like an accident must be asked for.
fn guard(old_text: &str, new_text: &str, old: &Config, new: &Config) -> Result<()> {
    const SECRETS: [&str; 4] = [
        "gateway.auth.token",
        "gateway.auth.password",
        "gateway.auth.tokenFile",
        "gateway.auth.passwordFile",
    ];
    let lost = |keys: &[&str]| keys.iter().any(|k| old.is_set(k)) && !keys.iter().any(|k| new.is_set(k));
    let what = if lost(&["gateway.mode"]) {
        "remove gateway.mode".to_string()
    } else if lost(&["gateway.auth"]) || lost(&SECRETS) {
        "remove gateway.auth".to_string()
    } else if new_text.len() * 2 < old_text.len() {
        format!("shrink the config from {} to {} bytes", old_text.len(), new_text.len())
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("this write would {what}; if that is meant, force it"))
        .because(Cause::NeedsForce)
        .with("code", "FORCE_REQUIRED"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    fn terms(base: Base, force: bool) -> Terms {
        Terms { base, force, check: None, starts: &|_, _| Vec::new() }
    }

    /// What `change` makes of a file, or how it is refused.
    fn told(text: &str, change: Change, force: bool) -> std::result::Result<String, String> {
        let dir = Dir::new();
        dir.write("base.json5", "{ui: {seamColor: '#fff'}, tools: {deny: ['exec']}}");
        dir.write("openclaw.json", text);
        let done = write(&dir.env(&[("THE_TOKEN", "canary")]), change, terms(Base::Present, force));
        let now = std::fs::read_to_string(dir.path("openclaw.json")).unwrap();
        match done {
            Ok(written) => {
                assert_eq!(written.written, now != text);
                Ok(now)
            }
            Err(e) => {
                assert_eq!(now, text, "a refusal writes nothing");
                Err(e.message().to_string())
            }
        }
    }

    const FILE: &str = "// mine\n{\n  $include: './base.json5',\n  gateway: { mode: 'local', auth: { token: '${THE_TOKEN}' } }, // guard\n  agents: { list: [ { id: 'a' /* first */ } ] },\n  mystery: 1,\n}\n";

    #[test]
    fn r_02b_a_merge_changes_what_it_names() {
        let merged = |patch: &str| told(FILE, Change::Merge(patch), false);
        assert_eq!(merged("{gateway: {mode: 'local'}, mystery: 1, nothing: null}").unwrap(), FILE);
        assert_eq!(
            merged("{gateway: {port: 4000, auth: {token: '__OPENCLAW_REDACTED__'}}, mystery: null}").unwrap(),
            FILE.replace("} }, // guard", "}, port: 4000 }, // guard").replace("  mystery: 1,\n", "")
        );
        assert_eq!(
            merged("{ui: {assistant: {name: 'x', avatar: null}}}").unwrap(),
            FILE.replace(
                "  mystery: 1,\n",
                "  mystery: 1,\n  ui: {\n    \"assistant\": {\n      \"name\": \"x\"\n    }\n  },\n"
            )
        );
        for (patch, want) in [
            ("[]", "config.patch raw must be an object"),
            ("{", "SyntaxError: JSON5: "),
            ("{gateway: {port: 'x'}}", "invalid config"),
            ("{gateway: {auth: null}}", "this write would remove gateway.auth"),
            ("{hooks: {token: '__OPENCLAW_REDACTED__'}}", "config write rejected: \"token\" is redacted"),
        ] {
            let error = merged(patch).unwrap_err();
            assert!(error.starts_with(want), "{patch}: {error}");
        }
        let error = told("{gateway: ", Change::Merge("{ui: {}}"), false).unwrap_err();
        assert!(
            error.starts_with("invalid config; fix before patching: <root>: JSON5 parse failed"),
            "{error}"
        );
    }

    #[test]
    fn a_value_is_set_where_the_path_leads() {
        let done = |path: &str, value: Value| {
            let path = crate::config::path::parse(path).unwrap();
            told(FILE, Change::Set(&path.iter().map(String::as_str).collect::<Vec<_>>(), &value), false)
        };
        let list = |new: &str| FILE.replace("{ id: 'a' /* first */ }", new);
        assert_eq!(done("agents.list[0].id", json!("b")).unwrap(), list("{ id: \"b\" /* first */ }"));
        assert_eq!(
            done("agents.list[1].id", json!("b")).unwrap(),
            list("{ id: 'a' /* first */ }, {\"id\":\"b\"}")
        );
        let made = done("bindings[0].agentId", json!("a")).unwrap();
        let value = parse::json5(&made).unwrap();
        assert_eq!(value["bindings"], json!([{"agentId": "a"}]), "a list, not an object with the key 0");
        assert!(done("agents.list[5].id", json!("b")).unwrap_err().contains("no item 5"));
        assert!(done("bindings[5].agentId", json!("a")).unwrap_err().contains("bindings has no item 5"));
        assert!(done("channels.telegram.accounts.7.name", json!("a")).is_ok());
        assert!(done("tools.deny", json!(["x"])).unwrap_err().contains("included file"));
        assert!(done("ui.seamColor", json!("#000")).is_ok());
        assert!(done("gateway.mode.x", json!(1)).unwrap_err().contains("not an object"));
    }

    /// What is in force after an edit is what was asked for, or the edit is refused.
    #[test]
    fn r_02b_what_an_included_file_sets_is_not_edited_beside_it() {
        let file =
            |team: &str| format!("{{tools: {{deny: ['x']}}, agents: {{$include: './team.json5'{team}}}}}");
        let done = |team: &str, change: Change| {
            let dir = Dir::new();
            dir.write("team.json5", "{list: [{id: 'a', name: 'Ada'}], defaults: {timeoutSeconds: 5}}");
            dir.write("openclaw.json", &file(team));
            write(&dir.env(&[]), change, terms(Base::Present, false)).map(|written| written.config)
        };
        let set = |team: &str, path: &str, value: Value| {
            let path = crate::config::path::parse(path).unwrap();
            done(team, Change::Set(&path.iter().map(String::as_str).collect::<Vec<_>>(), &value))
        };
        let own = ", list: [{id: 'b'}]";
        for (team, path, value) in [
            ("", "agents.list[0].name", json!("Bob")),
            ("", "agents.list[0]", json!({"id": "z"})),
            ("", "agents.list[1].id", json!("z")),
            ("", "agents.list", json!([{"id": "z"}])),
            ("", "agents.defaults", json!({"maxConcurrent": 2})),
            (own, "agents.list[0].name", json!("Bob")),
            (own, "agents.list[1].name", json!("Bob")),
        ] {
            let error = set(team, path, value).unwrap_err();
            assert!(
                error.message().contains("is set by an included file; change it there"),
                "{path}: {error}"
            );
        }
        let now = set("", "agents.defaults.timeoutSeconds", json!(7.0)).unwrap();
        assert_eq!(now.u64("agents.defaults.timeoutSeconds"), Some(7));
        assert!(set("", "tools.deny[0]", json!("y")).is_ok());
        assert!(set("", "agents", json!({"list": [{"id": "z"}]})).is_ok(), "the include goes with it");
        assert!(set("", "tools", json!({"$include": "./team.json5"})).is_ok());
        assert!(set("", "agents.$include", json!(["./team.json5"])).is_ok());

        let merged = |patch: &str| done("", Change::Merge(patch));
        for patch in ["{agents: {list: [{id: 'z'}]}}", "{agents: {defaults: {timeoutSeconds: null}}}"] {
            let error = merged(patch).unwrap_err();
            assert!(error.message().contains("included file"), "{patch}: {error}");
        }
        let now = merged("{agents: {defaults: {maxConcurrent: 2}}, tools: {deny: null}}").unwrap();
        assert_eq!(now.u64("agents.defaults.maxConcurrent"), Some(2));
        assert!(
            done(own, Change::Remove(&["agents", "list", "0"]))
                .unwrap_err()
                .message()
                .contains("agents.list is")
        );
        assert!(done(own, Change::Remove(&["agents", "list"])).is_ok());
    }

    #[test]
    fn what_is_not_there_cannot_be_removed() {
        let done = |path: &[&str], force: bool| told(FILE, Change::Remove(path), force);
        assert_eq!(done(&["mystery"], false).unwrap(), FILE.replace("  mystery: 1,\n", ""));
        assert_eq!(done(&["agents", "x"], false).unwrap_err(), "Config path not found: agents.x");
        assert!(done(&["ui"], false).unwrap_err().contains("included file"));
        assert!(done(&["gateway", "mode"], false).unwrap_err().contains("remove gateway.mode"));
        assert!(done(&["gateway", "mode"], true).is_ok());
    }

    #[test]
    fn r_02e_a_shrinking_text_needs_force() {
        let long = FILE.replace("// mine", &"// mine".repeat(100));
        let short = "{gateway: {mode: 'local', auth: {token: 'abc'}}}";
        assert!(told(&long, Change::Replace(short), false).unwrap_err().contains("shrink"));
        assert_eq!(told(&long, Change::Replace(short), true).unwrap(), short);
    }

    #[test]
    fn r_06_mistakes_that_stay_do_not_block_the_repair_of_others() {
        let file = "{gateway: {port: 'x'}, tools: {deny: 5}}";
        let set = |path: &[&str], value: Value| told(file, Change::Set(path, &value), false);
        assert!(set(&["gateway", "port"], json!(1)).is_ok());
        assert_eq!(
            set(&["ui"], json!(5)).unwrap_err(),
            "invalid config: ui: expected an object, got another number"
        );
        let all = told(file, Change::Replace(file), false).unwrap_err();
        assert!(all.starts_with("invalid config: gateway.port: expected a whole number"), "{all}");
    }

    #[test]
    fn r_02d_a_stale_hash_is_refused_with_the_present_one() {
        let dir = Dir::new();
        dir.write("openclaw.json", "{}");
        let env = dir.env(&[]);
        let hash = judge(&env, "{}", &env.config_path).0.hash().to_string();
        let ask = |base| {
            write(&env, Change::Replace("{ui: {}}"), terms(base, false)).map(|w| w.config.hash().to_string())
        };
        for base in [Base::Hash(None), Base::Hash(Some("stale"))] {
            let error = ask(base).unwrap_err();
            assert_eq!(error.details().unwrap()["hash"], hash.as_str());
        }
        let new = ask(Base::Hash(Some(&hash))).unwrap();
        assert_eq!(new, Config::inspect(&mut env.clone()).hash());
        assert!(ask(Base::Hash(Some(&hash))).is_err(), "the hash is stale now");
    }

    #[test]
    fn r_22c_five_private_backups_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let dir = Dir::new();
        dir.write("openclaw.json", "{mystery: 0}");
        std::fs::set_permissions(dir.path("openclaw.json"), PermissionsExt::from_mode(0o644)).unwrap();
        for n in 1..=7 {
            write(&dir.env(&[]), Change::Set(&["mystery"], &json!(n)), terms(Base::Present, true)).unwrap();
        }
        for (name, n) in [("", 7), (".bak", 6), (".bak.1", 5), (".bak.2", 4), (".bak.3", 3), (".bak.4", 2)] {
            let path = dir.path(&format!("openclaw.json{name}"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{{mystery: {n}}}"), "{name}");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        let files = std::fs::read_dir(dir.path("")).unwrap().count();
        assert_eq!(files, 7, "the config, five backups and the lock");
    }

    #[test]
    fn what_keeps_a_gateway_from_starting_refuses_a_write_unless_it_was_so_before() {
        let starts = |config: &Config, _: &Env| -> Vec<Error> {
            let keys = ["ui.seamColor", "session.mainKey"].into_iter().filter(|key| config.is_set(key));
            keys.map(|key| Error::config(format!("{key} is set\nFix: unset it"))).collect()
        };
        let dir = Dir::new();
        let done = |text: &str, change: Change| {
            dir.write("openclaw.json", text);
            let terms = Terms { starts: &starts, ..terms(Base::Present, true) };
            write(&dir.env(&[]), change, terms).map(drop).map_err(|e| (e.kind, e.message().to_string()))
        };
        let set = |text: &str, value: &str| done(text, Change::Set(&["ui", "seamColor"], &json!(value)));
        let told =
            "no gateway would start with this, and nothing was written: ui.seamColor is set Fix: unset it";
        assert_eq!(set("{}", "#fff").unwrap_err(), (Kind::Invalid, told.to_string()));
        assert!(set("{ui: {seamColor: '#000'}}", "#fff").is_ok());
        let both = "{ui: {seamColor: '#000'}, session: {mainKey: 'x'}}";
        assert!(done(both, Change::Remove(&["session"])).is_ok(), "one mistake after the other");
        assert!(done("{session: {mainKey: 'x'}}", Change::Merge("{ui: {seamColor: '#fff'}}")).is_err());
        assert!(
            done(both, Change::Replace("{ui: {seamColor: '#000'}}")).is_err(),
            "a whole text is judged as one"
        );
    }

    /// S-H4: what a request brings is counted before it is read.
    #[test]
    fn s_h4_a_write_of_too_many_values_is_refused_unread() {
        let zeros = format!("{{ui: {{a: [{}0]}}}}", "0,".repeat(MOST_VALUES));
        let nested =
            format!("{{ui: {{a: [{}0]}}}}", format!("{}0{},", "[".repeat(20), "]".repeat(20)).repeat(1000));
        for text in [&zeros, &nested] {
            for change in [Change::Merge(text), Change::Replace(text)] {
                let why = told("{}", change, true).unwrap_err();
                assert!(why.contains("are the most; send it in pieces"), "{why}");
            }
        }
        let some = format!("{{ui: {{a: [{}0]}}}}", "0,".repeat(3000));
        told("{}", Change::Merge(&some), true).unwrap();
    }

    /// S-H4: unknown keys are found in one reading, however many they are.
    #[test]
    fn s_h4_thousands_of_unknown_keys_cost_little() {
        let members: Vec<String> = (0..8000).map(|n| format!("\"k{n}\":0")).collect();
        let text = format!("{{\"ui\":{{{}}}}}", members.join(","));
        let started = std::time::Instant::now();
        told("{}", Change::Merge(&text), true).unwrap();
        assert!(started.elapsed() < std::time::Duration::from_secs(8), "{:?}", started.elapsed());
    }
}
