//! Whether a message is a command. Pure: text and configuration in, invocation out.
use super::directives::{found, is_at_start};
use super::{Command, Invocation, names, table};
use crate::config::Config;

/// The command that the whole message is; `None` for a message that the model is to answer, with or without
/// directives in it.
pub fn parse(config: &Config, text: &str) -> Option<Invocation> {
    let text = text.trim();
    if let Some(rest) = reset_trigger(config, text) {
        return one("new", rest);
    }
    if let Some(rest) = text.strip_prefix('!') {
        // More than an exclamation: `! ls`, `!poll`.
        let is_shell = rest.starts_with(|c: char| c.is_whitespace() || c.is_alphabetic());
        return if is_shell { one("bash", rest.trim()) } else { None };
    }
    let (name, args) = split(text.strip_prefix('/')?);
    let Some(command) = table::find(name) else {
        // A model's short name alone.
        let is_alias = args.is_empty() && names::alias(config, name).is_some();
        return if is_alias { one("model", name) } else { None };
    };
    if command.is_directive
        && let Some(parsed) = directives_only(config, text)
    {
        return parsed;
    }
    let stands_alone = command.args.is_empty() && !args.is_empty();
    (!stands_alone).then(|| Invocation { calls: vec![(command, args.to_string())] })
}

fn one(name: &str, args: &str) -> Option<Invocation> {
    Some(Invocation { calls: vec![(table::find(name)?, args.to_string())] })
}

/// `Some(None)` when text follows the directives: they are for that message only. `None` when the message starts
/// with no complete directive, so that the command can say what it wants.
fn directives_only(config: &Config, text: &str) -> Option<Option<Invocation>> {
    let (found, rest) = found(config, text);
    if !found.first().is_some_and(is_at_start) {
        return None;
    }
    if !rest.trim().is_empty() {
        return Some(None);
    }
    let call = |directive: &super::directives::Found| -> Option<(&'static Command, String)> {
        Some((directive.command, text.get(directive.args.clone())?.to_string()))
    };
    Some(Some(Invocation { calls: found.iter().filter_map(call).collect() }))
}

/// The text after one of `session.resetTriggers`, in any case.
fn reset_trigger<'t>(config: &Config, text: &'t str) -> Option<&'t str> {
    config.strings("session.resetTriggers").into_iter().map(str::trim).filter(|t| !t.is_empty()).find_map(
        |trigger| {
            let (head, rest) = text.split_at_checked(trigger.len())?;
            let is_trigger = head.to_lowercase() == trigger.to_lowercase();
            (is_trigger && (rest.is_empty() || rest.starts_with(char::is_whitespace))).then(|| rest.trim())
        },
    )
}

/// Name and arguments of `name args`, `name: args` and `name : args`.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start();
    (name, rest.strip_prefix(':').unwrap_or(rest).trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;

    pub fn config() -> Config {
        let dir = Dir::new();
        dir.write(
            "openclaw.json",
            r#"{
            session: {resetTriggers: ['/new', '/reset', 'Fresh start', ' ']},
            models: {providers: {test: {baseUrl: 'http://127.0.0.1:1/v1', models: [{id: 'm'}]}}},
            agents: {defaults: {models: {'test/m': {alias: 'Small'}}}}}"#,
        );
        Config::load(&mut dir.env(&[])).unwrap()
    }

    #[test]
    fn messages_are_commands_or_not() {
        let config = config();
        let check = |text: &str, want: &[(&str, &str)]| {
            let got = parse(&config, text).map(|i| i.calls).unwrap_or_default();
            let got: Vec<(&str, &str)> = got.iter().map(|(c, args)| (c.name, args.as_str())).collect();
            assert_eq!(got, want, "{text:?}");
        };
        check("/help", &[("help", "")]);
        check("  /STATUS \n", &[("status", "")]);
        check("/id", &[("whoami", "")]);
        check("/help:", &[("help", "")]);
        check("/think: high", &[("think", "high")]);
        check("/t : high", &[("think", "high")]);
        check("/thinking", &[("think", "")]);
        check("/think big", &[("think", "big")]);
        check("/think big steps", &[("think", "big steps")]);
        check("/think high /verbose on", &[("think", "high"), ("verbose", "on")]);
        check("/queue collect cap:5", &[("queue", "collect cap:5")]);
        check("/queue nonsense", &[("queue", "nonsense")]);
        check("/model", &[("model", "")]);
        check("/model list", &[("model", "list")]);
        check("/model test/m", &[("model", "test/m")]);
        check("/model no/such", &[("model", "no/such")]);
        check("/small", &[("model", "small")]);
        check("/compact keep the names", &[("compact", "keep the names")]);
        check("/new", &[("new", "")]);
        check("/NEW hello\nthere", &[("new", "hello\nthere")]);
        check("/reset: hello", &[("reset", "hello")]);
        check("fresh START now", &[("new", "now")]);
        check("! ls -l", &[("bash", "ls -l")]);
        check("!poll", &[("bash", "poll")]);
        check("/bash ls", &[("bash", "ls")]);
        check("/stop", &[("stop", "")]);
        for plain in [
            "",
            "hello",
            "/",
            "//",
            "/ help",
            "/unknowncmd foo",
            "/tmp/think high",
            "/think/high",
            "/stop please",
            "/status report of last week",
            "/newest",
            "fresh starts",
            "!!!",
            "!",
            "tell me about /help",
            "/think high what is 2+2",
            "/model test/m say hi",
            "/small talk",
            "ÿ/new",
        ] {
            check(plain, &[]);
        }
    }
}
