//! What a call of `exec` asks for, checked: the command, where it runs, with which variables, how long, and as what.
use super::{number, setting, texts, workspace};
use crate::error::{Error, Kind, Result};
use crate::tools::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest command, characters: the owner has to read it.
const MAX_COMMAND: usize = 8000;
const MAX_VARIABLES: usize = 64;
/// The limits of `yieldMs`.
const YIELD: (u64, u64) = (10, 120_000);

/// Names by which programs are told to load, run or read something else than they would; `*` at the end is anything.
const FORBIDDEN: &str = "LD_* DYLD_* NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS PYTHON* RUBY* PERL* BASH_* BASHOPTS SHELLOPTS ENV \
    GCONV_PATH IFS PS4 PROMPT_COMMAND SSLKEYLOGFILE SSL_CERT_* GIT_* SSH_* OPENCLAW_* CLAWDBOT_* HOME SHELL TMPDIR \
    TMP TEMP XDG_* ZDOTDIR EDITOR VISUAL PAGER MANPAGER LESS* BROWSER JAVA_* _JAVA_* JDK_* CLASSPATH LUA_* GO* \
    CARGO_* RUST* NPM_* PIP_* GREP_* LOCPATH NLSPATH MALLOC_* GLIBC_* TERMINFO* CDPATH FPATH OPENSSL_* CC CXX CFLAGS \
    LDFLAGS MAKEFLAGS TAR_OPTIONS RSYNC_* DOCKER_* KUBECONFIG AWS_* HTTP_PROXY HTTPS_PROXY ALL_PROXY";

pub struct Wish {
    pub command: String,
    /// On a node as it was said, which may be not at all.
    pub cwd: PathBuf,
    /// What is said about it before the output.
    pub warning: Option<String>,
    pub env: Vec<(String, String)>,
    pub is_background: bool,
    pub has_terminal: bool,
    pub yields: Duration,
    pub timeout: Duration,
    /// What the call says of `security` and `ask`: it may only be stricter.
    pub security: Option<Value>,
    pub ask: Option<Value>,
    /// It runs on a node, on this one if one is named.
    pub is_afar: bool,
    pub node: Option<String>,
}

impl Wish {
    pub fn read(context: &Context, arguments: &Value) -> Result<Wish> {
        let flag = |name: &str| arguments.get(name) == Some(&Value::Bool(true));
        let command = arguments.get("command").and_then(Value::as_str).unwrap_or_default().trim();
        if command.is_empty() {
            return Err(Error::invalid("Provide a command to start."));
        }
        if command.chars().count() > MAX_COMMAND {
            let text = format!(
                "the command is longer than {MAX_COMMAND} characters: write a script into the workspace and run it"
            );
            return Err(Error::invalid(text));
        }
        if let Some(c) =
            command.chars().find(|c| *c == '\0' || (*c != '\n' && *c != '\t' && crate::clean::is_unfit(*c)))
        {
            return Err(Error::invalid(format!(
                "the command has {c:?} in it, which nobody sees who reads it: leave it out"
            )));
        }
        if flag("elevated") && !context.exec.is_elevated() {
            return Err(Error::new(
                Kind::Forbidden,
                "elevated is not on in this session: the owner switches it on with /elevated, where tools.elevated.enabled and tools.elevated.allowFrom let him; leave it out, and he is asked by the rules",
            ));
        }
        let is_afar = host(context, arguments)?;
        let said =
            |name: &str| arguments.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let (cwd, warning) = match is_afar {
            true => (PathBuf::from(said("workdir")), None),
            false => cwd(context, arguments),
        };
        let timeout = seconds(arguments, "timeout").unwrap_or(number(context, "timeoutSec", 1800) as f64);
        Ok(Wish {
            command: command.to_string(),
            cwd,
            warning,
            env: variables(arguments)?,
            is_background: flag("background"),
            has_terminal: flag("pty"),
            yields: yields(context, arguments),
            timeout: Duration::from_secs_f64(timeout.clamp(0.1, 7.0 * 86_400.0)),
            security: arguments.get("security").cloned(),
            ask: arguments.get("ask").cloned(),
            is_afar,
            node: Some(said("node").to_string()).filter(|node| is_afar && !node.is_empty()),
        })
    }
}

/// How long a call waits before the command goes on without it.
pub fn yields(context: &Context, arguments: &Value) -> Duration {
    if arguments.get("background") == Some(&Value::Bool(true)) {
        return Duration::ZERO;
    }
    let asked = seconds(arguments, "yieldMs").map(|ms| ms as u64);
    Duration::from_millis(
        asked.unwrap_or_else(|| number(context, "backgroundMs", 10_000)).clamp(YIELD.0, YIELD.1),
    )
}

fn seconds(arguments: &Value, name: &str) -> Option<f64> {
    arguments.get(name)?.as_f64().filter(|n| n.is_finite() && *n > 0.0)
}

/// Whether it runs on a node. This machine is one host here, which the original calls by two names.
fn host(context: &Context, arguments: &Value) -> Result<bool> {
    let configured = context.exec.host().or_else(|| setting(context, "host")?.as_str()).unwrap_or("gateway");
    let asked =
        arguments.get("host").and_then(Value::as_str).filter(|host| !host.is_empty()).unwrap_or(configured);
    let is_here = |host: &str| matches!(host, "gateway" | "sandbox");
    match (is_here(asked), is_here(configured)) {
        (true, true) => Ok(false),
        (false, false) if asked == "node" => Ok(true),
        _ => {
            let text = format!(
                "exec host not allowed (requested {asked}; configure tools.exec.host={asked} to allow)."
            );
            Err(Error::new(Kind::Forbidden, text))
        }
    }
}

fn cwd(context: &Context, arguments: &Value) -> (PathBuf, Option<String>) {
    let own = workspace(context);
    let Some(asked) =
        arguments.get("workdir").and_then(Value::as_str).map(str::trim).filter(|dir| !dir.is_empty())
    else {
        return (own, None);
    };
    let dir = own.join(context.settings.env.expand(asked));
    match dir.canonicalize() {
        Ok(dir) if dir.is_dir() => (dir, None),
        _ => {
            let shown = crate::parts::within(asked, 200);
            (own, Some(format!("Warning: workdir {shown:?} is not there; the workspace was used.")))
        }
    }
}

/// The variables that a call sets; those that steer programs are refused.
pub fn variables(arguments: &Value) -> Result<Vec<(String, String)>> {
    let Some(map) = arguments.get("env").and_then(Value::as_object) else { return Ok(Vec::new()) };
    if map.len() > MAX_VARIABLES {
        return Err(Error::invalid(format!("env has more than {MAX_VARIABLES} variables")));
    }
    map.iter().map(|(name, value)| Ok((name.clone(), variable(name, value)?))).collect()
}

fn variable(name: &str, value: &Value) -> Result<String> {
    let violation = |what: String| {
        Err(Error::new(
            Kind::Forbidden,
            format!("Security Violation: {what} is forbidden during host execution."),
        ))
    };
    let upper = name.to_ascii_uppercase();
    if upper == "PATH" {
        return violation("Custom 'PATH' variable".to_string());
    }
    if is_forbidden(name) {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        return violation(format!("Environment variable '{shown}'"));
    }
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return Err(Error::invalid(format!("env.{name} must be a text"))),
    };
    match value.contains('\0') || value.len() > 16 << 10 {
        true => Err(Error::invalid(format!("env.{name} is no text that a variable can have"))),
        false => Ok(value),
    }
}

/// What no variable of a command is called.
pub fn is_forbidden(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => upper.starts_with(start),
        None => upper == pattern,
    };
    let is_one = name.chars().all(is_name) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    !is_one || upper == "PATH" || FORBIDDEN.split(' ').any(fits)
}

/// Where programs are looked for: what the owner puts in front, then the gateway's own, but no place that the agent writes.
pub fn path(context: &Context, writable: &[PathBuf]) -> Vec<PathBuf> {
    let all = context.settings.env.program_dirs(&texts(context, "pathPrepend"));
    let is_fit = |dir: &Path| dir.is_dir() && !writable.iter().any(|w| dir.starts_with(w));
    all.into_iter().filter(|dir| is_fit(dir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::testing::context;
    use serde_json::json;

    fn refusal(config: &str, arguments: Value) -> String {
        let (context, _dir) = context(config);
        Wish::read(&context, &arguments).err().map(|e| e.message().to_string()).unwrap_or_default()
    }

    #[test]
    fn sec_41_variables_that_steer_programs_are_refused() {
        for name in [
            "LD_PRELOAD",
            "ld_preload",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "BASH_ENV",
            "ENV",
            "IFS",
            "PERL5OPT",
            "GIT_SSH_COMMAND",
            "BASH_FUNC_ls%%",
            "A B",
            "1A",
            "",
            "SSLKEYLOGFILE",
            "OPENCLAW_GATEWAY_TOKEN",
            "HOME",
            "LESSOPEN",
        ] {
            let text = refusal("{}", json!({"command": "ls", "env": {name: "x"}}));
            assert!(
                text.starts_with(&format!("Security Violation: Environment variable '{name}' is forbidden")),
                "{name}: {text}"
            );
        }
        let text = refusal("{}", json!({"command": "ls", "env": {"Path": "."}}));
        assert_eq!(text, "Security Violation: Custom 'PATH' variable is forbidden during host execution.");
        assert_eq!(refusal("{}", json!({"command": "ls", "env": {"FOO": "a", "N": 5}})), "");
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert_eq!(refusal("{}", json!({"command": "  "})), "Provide a command to start.");
        assert!(refusal("{}", json!({"command": "ls \u{202e}x"})).contains("nobody sees"));
        assert!(refusal("{}", json!({"command": "ls", "elevated": true})).contains("/elevated"));
        assert!(
            refusal("{}", json!({"command": "ls", "host": "node"}))
                .contains("configure tools.exec.host=node")
        );
        let on_node = "{tools: {exec: {host: 'node'}}}";
        assert_eq!(refusal(on_node, json!({"command": "ls"})), "");
        assert!(
            refusal(on_node, json!({"command": "ls", "host": "gateway"}))
                .contains("configure tools.exec.host=gateway")
        );
        assert_eq!(
            refusal("{tools: {exec: {host: 'sandbox'}}}", json!({"command": "ls", "host": "gateway"})),
            ""
        );
        assert!(refusal("{}", json!({"command": "x".repeat(9000)})).contains("write a script"));
    }
}
