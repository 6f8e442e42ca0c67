//! What a start is refused with: the mistake, its place, and what mends it. Pure but for the look whether there is a backup.
use crate::config::good;
use crate::config::load::source;
use crate::config::sources::Sources;
use crate::config::{Issue, parse};
use crate::env::Env;
use crate::error::Error;
use std::path::Path;

/// A file that is no JSON5: the mistake, and what it ends a start with.
pub fn broken(env: &Env, text: &str, name: Option<&Path>, failure: &parse::Failure) -> (Issue, Error) {
    let seen = parse::seen(text, failure);
    let spot = Sources::new(vec![source(env, seen, name, Some(failure))], &[]).spot(0, failure.offset);
    let message = &failure.message;
    let fix = match message.ends_with(parse::CUT) {
        true => match restored(env, "the file") {
            none if none.is_empty() => "close it".to_string(),
            advice => format!("close it, or {advice}"),
        },
        false if message.ends_with(parse::MANY) => {
            "keep here what is set, and lists of data in files of the workspace".to_string()
        }
        false if good::path(&env.config_path).is_file() => {
            format!("correct this line, or {}", restored(env, "the file"))
        }
        false => "correct this line".to_string(),
    };
    let fatal = spot.blame(Error::config(format!("config {spot}: {message}; {fix}")));
    let issue = Issue::new("", format!("JSON5 parse failed: {message}"));
    (Issue { spot: Some(Box::new(spot)), ..issue }, fatal)
}

/// The file as it was before the last edit, if there is one.
fn backup(env: &Env) -> Option<String> {
    let name = format!("{}.bak", env.config_path.file_name()?.to_string_lossy());
    env.config_path.with_file_name(&name).is_file().then_some(name)
}

/// The advice to take what a gateway ran with last, or that, for `what` is unusable; empty where there is neither.
pub fn restored(env: &Env, what: &str) -> String {
    let named = |name: &str, command: &str| format!("copy {name} over {what} (`{}`)", env.command(command));
    let good = good::path(&env.config_path);
    match (good.file_name().filter(|_| good.is_file()), backup(env)) {
        (Some(name), _) => named(&name.to_string_lossy(), "config rollback last-good"),
        (None, Some(name)) => named(&name, "config rollback"),
        (None, None) => String::new(),
    }
}

/// What mends a mistake, for a line of its own: a command, where one does.
pub fn remedy(env: &Env, issue: &Issue) -> String {
    // What another file says is not changed from here.
    let is_elsewhere = issue.spot.as_ref().is_some_and(|spot| spot.file != env.config_path);
    let earlier = match (good::path(&env.config_path).is_file(), backup(env)) {
        (true, _) => Some("config rollback last-good"),
        (false, Some(_)) => Some("config rollback"),
        (false, None) => None,
    };
    let edit = env.command("config edit");
    match (issue.path.as_str(), earlier) {
        _ if is_elsewhere => "correct that line by hand".to_string(),
        ("", Some(earlier)) => format!("{edit} (or go back: {})", env.command(earlier)),
        ("", None) => edit,
        (path, _) => env.command(&format!("config set {path} <value>")),
    }
}

/// A file that is unusable without any place in it.
pub fn unusable(env: &Env, message: String) -> (Issue, Error) {
    let fatal = Error::config(format!("config {} {message}", env.config_path.display()));
    (Issue::new("", message), fatal)
}

/// The same for a mistake in one key.
pub fn fatal_of(env: &Env, issue: &Issue) -> Error {
    let place =
        issue.spot.as_ref().map_or_else(|| env.config_path.display().to_string(), |spot| spot.to_string());
    let key = if issue.path.is_empty() { String::new() } else { format!(" {}:", issue.path) };
    issue.blame(Error::config(format!("config {place}:{key} {}", issue.message)))
}
