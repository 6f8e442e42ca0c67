//! Addresses in a configuration, beyond that they are texts: of proxies, of new nodes, of browsers that run elsewhere. Part of
//! the check (`check.rs`). Pure.
use super::check::Findings;
use crate::config::ranges::Range;
use crate::config::{Issue, join};
use serde_json::Value;

pub(super) fn check(config: &Value, found: &mut Findings) {
    proxies(config, found);
    ranges_of_nodes(config, found);
    browsers(config, found);
}

/// S-L14: a proxy that cannot be read would count as somebody of this host. The original takes names and finds nobody by
/// them; the one of this host is read as it is meant.
fn proxies(config: &Value, found: &mut Findings) {
    let listed = config.pointer("/gateway/trustedProxies").and_then(Value::as_array).into_iter().flatten();
    for (i, text) in listed.enumerate().filter_map(|(i, item)| Some((i, item.as_str()?.trim()))) {
        let (is_read, is_name) = (!Range::of_proxy(text).is_empty(), is_host_name(text));
        let (list, message) = match (is_read, is_name) {
            (true, false) => continue,
            (true, true) => (
                &mut found.warnings,
                "read as 127.0.0.0/8 and ::1: who comes from there comes by a proxy; write the addresses",
            ),
            (false, true) => (
                &mut found.warnings,
                "a name is not looked up, so nobody is known as this proxy; write its address, as 10.0.0.1",
            ),
            (false, false) => {
                (&mut found.errors, "no address; write the proxy's as 10.0.0.1, or a range as 10.0.0.0/8")
            }
        };
        list.push(Issue::new(format!("gateway.trustedProxies.{i}"), message));
    }
}

/// Ranges from which new nodes are paired: one that cannot be read lets nobody in.
fn ranges_of_nodes(config: &Value, found: &mut Findings) {
    let listed = config.pointer("/gateway/nodes/pairing/autoApproveCidrs").and_then(Value::as_array);
    let texts = listed.into_iter().flatten().enumerate().filter_map(|(i, item)| Some((i, item.as_str()?)));
    for (i, _) in texts.filter(|(_, text)| Range::parse(text).is_none()) {
        let path = format!("gateway.nodes.pairing.autoApproveCidrs.{i}");
        found.errors.push(Issue::new(path, "no address; write it as 10.0.0.1, or a range as 10.0.0.0/8"));
    }
}

/// Debuggers of browsers that run elsewhere, and the names of profiles, which are directories too.
fn browsers(config: &Value, found: &mut Findings) {
    let Some(section) = config.get("browser") else { return };
    let profiles = section.get("profiles").and_then(Value::as_object).into_iter().flatten();
    let all = profiles.map(|(name, profile)| (join("browser.profiles", name), name.as_str(), profile));
    for (path, name, profile) in all.chain([("browser".to_string(), "browser", section)]) {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !name.starts_with(is_plain) || !name.chars().all(|c| is_plain(c) || c == '-') || name.len() > 64 {
            let message = "no name of a browser, not read; use small letters, digits and hyphens, 64 at most";
            found.errors.push(Issue::new(path.as_str(), message));
        }
        let url = profile.get("cdpUrl").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let at = join(&path, "cdpUrl");
        match url.split_once("://") {
            _ if url.is_empty() => {}
            Some(("http" | "ws", host)) if !host.starts_with(['/', ':']) && !host.is_empty() => {}
            Some(("https" | "wss", _)) => {
                let message =
                    "reached by http:// or ws:// only; make a tunnel to it (ssh -L) and name its end";
                found.warnings.push(Issue::new(at, message));
            }
            _ => {
                let message = "no address of a browser's debugger; write it as http://host:9222";
                found.errors.push(Issue::new(at, message));
            }
        }
    }
}

/// Whether it is surely a host's name, and no address with a mistake in it.
fn is_host_name(text: &str) -> bool {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_of_names)
        && text.split('.').next_back().is_some_and(|last| {
            last.starts_with(|c: char| c.is_ascii_alphabetic())
                && last.chars().any(|c| !c.is_ascii_hexdigit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::json;

    #[test]
    fn i15_4_browsers_elsewhere_have_addresses_and_profiles_names() {
        for (section, wrong, odd) in [
            (
                json!({"cdpUrl": "http://10.0.0.5:9222", "profiles": {"far-2": {"cdpUrl": "ws://h/devtools/browser/x"}}}),
                None,
                None,
            ),
            (json!({"cdpUrl": "", "profiles": {"work": {"cdpPort": 18801}}}), None, None),
            (json!({"cdpUrl": "nonsense"}), Some("browser.cdpUrl"), None),
            (json!({"profiles": {"x": {"cdpUrl": "file:///x"}}}), Some("browser.profiles.x.cdpUrl"), None),
            (json!({"profiles": {"x": {"cdpUrl": "http://"}}}), Some("browser.profiles.x.cdpUrl"), None),
            (
                json!({"profiles": {"x": {"cdpUrl": "https://x:9222"}}}),
                None,
                Some("browser.profiles.x.cdpUrl"),
            ),
            (json!({"profiles": {"Bad_Name": {"cdpPort": 1}}}), Some("browser.profiles.Bad_Name"), None),
        ] {
            let mut found = Findings::default();
            check(&json!({"browser": section}), &mut found);
            let first = |issues: &[Issue]| issues.first().map(|issue| issue.path.clone());
            assert_eq!(
                (first(&found.errors).as_deref(), first(&found.warnings).as_deref()),
                (wrong, odd),
                "{section}"
            );
        }
    }
}
