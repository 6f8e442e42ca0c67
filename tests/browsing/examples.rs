//! The examples of `openclaw browser`'s help texts, run as they are printed: a browser, a page with what they name.
use super::{World, is_wanted};
use crate::examples::examples;
use crate::harness::*;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the page has for the refs that an example names, in their order.
const PARTS: &[(&str, &[&str])] = &[
    ("click", &["\"Change\""]),
    ("download", &["\"Get\""]),
    ("drag", &["drag", "drop"]),
    ("fill", &["\"Name\""]),
    ("highlight", &["\"Over\""]),
    ("hover", &["\"Over\""]),
    ("scrollintoview", &["\"Low\""]),
    ("select", &["\"Pick\""]),
    ("type", &["\"Name\""]),
    ("upload", &["\"File\""]),
];
/// After these the browser is gone, or what it keeps.
const LAST: &[&str] = &["close", "stop", "reset-profile"];

/// The refs in a line, as `e12`.
fn refs(line: &str) -> Vec<&str> {
    let is_ref = |word: &&str| {
        word.strip_prefix('e').is_some_and(|digits| {
            !digits.is_empty() && digits.len() < 3 && digits.bytes().all(|b| b.is_ascii_digit())
        })
    };
    line.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_ref).collect()
}

#[test]
fn i14_7_every_example_of_the_browser_runs() {
    if !is_wanted(true) {
        return;
    }
    let mut world = World::new(json!({}));
    let home = world.gateway.dir.join("home");
    // Pages are given files of a workspace.
    let workspace = world.gateway.state_dir().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("photo.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let mut lines = examples(&world.gateway.dir);
    lines.retain(|line| line.starts_with("openclaw browser "));
    assert!(lines.len() > 30, "{lines:?}");
    let place = |line: &String| LAST.iter().position(|verb| line.split(' ').nth(2) == Some(verb));
    lines.sort_by_key(place);
    // A busy machine takes its time to start one.
    world.post("/start", json!({}));
    for line in &lines {
        let verb = line.split(' ').nth(2).unwrap();
        // A tab of its own: what the last one set off may still be on its way.
        let page = if line.contains("Thanks") { "/done?x" } else { "/" };
        let tab = if verb == "reset-profile" { "-".repeat(8) } else { world.open(page) };
        let mut fitted = line.replace("https://example.com", &world.site.url("/")).replace("21F0", &tab[..8]);
        let parts = PARTS.iter().find(|(known, _)| *known == verb).map(|(_, parts)| *parts);
        let named = refs(line);
        assert_eq!(named.len(), parts.map_or(0, <[_]>::len), "{line}");
        for (name, words) in named.into_iter().zip(parts.unwrap_or_default()) {
            let there = world.reference(words);
            // A ref of the page may be one that is named further on.
            fitted = fitted.replacen(name, &format!("@{there}"), 1);
        }
        let output = typed(&fitted.replace('@', ""), &world.gateway, &home).output().unwrap();
        assert!(output.status.success(), "{line}, as {fitted}: {output:?}");
        assert!(!output.stdout.is_empty(), "{line}: it says nothing");
    }
}

fn typed(line: &str, gateway: &Gateway, home: &Path) -> Command {
    let like = gateway::command(&gateway.dir);
    let program = Path::new(env!("CARGO_BIN_EXE_openclaw")).parent().unwrap();
    let mut shell = Command::new("bash");
    shell.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", format!("{}:/usr/bin:/bin", program.display()));
    shell.env("OPENCLAW_GATEWAY_PORT", gateway.port.to_string());
    shell.args(["-c", line]).current_dir(home).stdin(Stdio::null());
    shell
}
