//! Floors: dependencies between the rooms of `src/` point one way. A room may use the rooms of its own floor and of
//! those below, never one above; whatever needs more is given a function or a sender.
use std::collections::BTreeMap;
use std::path::Path;

/// From the ground up; the last line is the roof. A room is a file or folder of `src/`.
const FLOORS: &[&[&str]] = &[
    // Ground: texts, numbers, files and clocks.
    &[
        "cancel",
        "charset",
        "clean",
        "clock",
        "counter",
        "dotenv",
        "env",
        "error",
        "fences",
        "files",
        "ids",
        "json",
        "metrics",
        "order",
        "owners",
        "params",
        "parts",
        "percent",
        "processes",
        "session_key",
        "shell",
        "sys",
        "text",
        "threads",
        "untrusted",
        "version",
    ],
    &["protocol"],
    // Data: what is known of this installation, and who asks.
    &["config", "device"],
    &["approvals", "calls", "door", "fetch", "logging", "settings", "signals", "tls"],
    // Means: conversations, workspaces, model servers and the agents that use them.
    &["cron", "nodes", "sessions", "subagents", "workspace"],
    &["deliveries", "models"],
    &["agents"],
    &["browser", "heartbeat", "skills", "slash"],
    // Work that is done for somebody.
    &["backup", "channels", "discovery", "service", "tools", "upkeep"],
    &["agent", "doctor"],
    // What one thread owns, and the commands that look at it.
    &["runs"],
    &["state"],
    &["commands"],
    // Doors: methods, and the ways in.
    &["methods"],
    &["net"],
    &["http"],
    // The house.
    &["gateway"],
    &["cli"],
    &["main"],
];

/// Arrows that go up all the same, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

#[test]
fn i10_7_dependencies_between_rooms_point_down() {
    let floor: BTreeMap<&str, usize> =
        FLOORS.iter().enumerate().flat_map(|(n, rooms)| rooms.iter().map(move |room| (*room, n))).collect();
    let mut up = Vec::new();
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let room = file.split(['/', '.']).next().unwrap_or_default().to_string();
        let own = *floor.get(room.as_str()).unwrap_or_else(|| panic!("{file}: give `{room}` a floor"));
        for used in rooms_used(&text) {
            let Some(other) = floor.get(used.as_str()) else { continue };
            let is_known =
                EXCEPTIONS.iter().any(|(from, to, _)| (*from, *to) == (room.as_str(), used.as_str()));
            if *other > own && !is_known {
                up.push(format!("{file} uses {used}, which is above {room}"));
            }
        }
    }
    up.dedup();
    assert!(up.is_empty(), "arrows up:\n{}", up.join("\n"));
}

/// Rooms of one floor may use each other one way only: of rooms in a circle none can be read without the others.
#[test]
fn i10_7_no_rooms_form_a_circle() {
    let mut arrows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rooms = FLOORS.concat();
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let room = file.split(['/', '.']).next().unwrap_or_default().to_string();
        let used =
            rooms_used(&text).into_iter().filter(|used| *used != room && rooms.contains(&used.as_str()));
        arrows.entry(room.clone()).or_default().extend(used);
    }
    // What uses nothing that is left is taken away, until nothing is left, or a circle.
    while let Some(room) = arrows.iter().find(|(_, used)| used.iter().all(|r| !arrows.contains_key(r))) {
        let room = room.0.clone();
        arrows.remove(&room);
    }
    let left: Vec<&String> = arrows.keys().collect();
    assert!(left.is_empty(), "a circle is among {left:?}");
}

/// Where a channel that is built in may be spoken of, besides the two places that ARCHITECTURE.md names under "How to
/// add": nobody has to write there for the next one.
const SPOKEN_OF: &[(&str, &str)] = &[
    ("cli/agents/edit.rs", "an example"),
    ("cli/channels/logs.rs", "an example"),
    ("cli/onboard/mod.rs", "an example"),
    ("cli/pairing/mod.rs", "examples"),
    ("config/reading/legacy.rs", "where its keys were before"),
];

#[test]
fn i10_a_channel_that_is_built_in_stands_in_two_places() {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let mut found: Vec<String> = Vec::new();
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let is_its_own = file.starts_with("config/channels/") || file.starts_with("channels/telegram/");
        let rows = if file == "channels/mod.rs" { &["mod telegram;", "telegram::CHANNEL,"][..] } else { &[] };
        let named = text.lines().filter(is_code).filter(|line| line.to_lowercase().contains("telegram"));
        let others: Vec<&str> = named.map(str::trim).filter(|line| !rows.contains(line)).collect();
        match SPOKEN_OF.iter().any(|(known, _)| *known == file) {
            true => assert!(!others.is_empty(), "{file} speaks of it no more"),
            false if !is_its_own => found.extend(others.iter().map(|line| format!("{file}: {line}"))),
            false => {}
        }
    }
    assert!(found.is_empty(), "stands elsewhere:\n{}", found.join("\n"));
}

#[test]
fn every_room_of_the_table_exists() {
    let src = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    for room in FLOORS.iter().flat_map(|rooms| rooms.iter()) {
        let is_there = src.join(room).is_dir() || src.join(format!("{room}.rs")).is_file();
        assert!(is_there, "there is no room {room}");
    }
    // The process aside, what stands by itself in `src/` is ground.
    let is_ground = |name: &str| FLOORS[0].contains(&name) || ["main", "signals"].contains(&name);
    for file in std::fs::read_dir(src).unwrap().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let Some(room) = name.strip_suffix(".rs") else { continue };
        assert!(is_ground(room) || room.ends_with("_tests"), "src/{name}: give it a folder");
    }
}

/// The source files without their tests: path below `src/`, text.
pub fn sources(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            // Tests may build what they test from anywhere.
            let is_test = ["tests", "testing", "fuzz"].iter().any(|part| name.contains(part));
            if path.is_dir() {
                waiting.push(path);
            } else if name.ends_with(".rs") && !is_test {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((name, without_tests(&text).to_string()));
            }
        }
    }
    found
}

/// A text up to its modules of tests, which end a file.
fn without_tests(text: &str) -> &str {
    const MARK: &str = "#[cfg(test)]\n";
    let begins = |at: usize| {
        let line = text[at + MARK.len()..].lines().next().unwrap_or_default();
        line.contains("mod test") && line.ends_with('{')
    };
    let end = text.match_indices(MARK).map(|(at, _)| at).find(|at| begins(*at));
    &text[..end.unwrap_or(text.len())]
}

/// The rooms that a text names as `crate::room` or `crate::{room, ..}`, comments aside.
fn rooms_used(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        let end = |text: &str| text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len());
        match rest.strip_prefix('{') {
            Some(list) => used.extend(items(list).map(|item| item[..end(item)].to_string())),
            None => used.push(rest[..end(rest)].to_string()),
        }
    }
    used
}

/// The items of a list in braces, up to the brace that ends it; those of lists in it belong to their item.
fn items(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let is_end = move |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0
    };
    let list = &list[..list.find(is_end).unwrap_or(list.len())];
    let mut depth = 0;
    let is_between = move |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0 && c == ','
    };
    list.split(is_between).map(str::trim).filter(|item| !item.is_empty())
}

#[test]
fn rooms_are_found_in_every_spelling() {
    let text = "use crate::json::json;\n// crate::cli\nuse crate::{env, ids::uuid};\nlet x = crate::state::State;\n\
                use crate::{calls::{Call, line::{A}}, net};\n#[cfg(test)]\nmod tests;\nuse crate::text;";
    assert_eq!(rooms_used(text), ["json", "env", "ids", "state", "calls", "net", "text"]);
}

/// ARCHITECTURE.md draws the same floors, the highest first.
#[test]
fn i10_the_floors_are_drawn_as_they_are() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let drawn = text.split_once("```floors\n").unwrap().1.split_once("\n```").unwrap().0.replace("\n  ", " ");
    let drawn: Vec<Vec<&str>> = drawn.lines().rev().map(|line| line.split(' ').collect()).collect();
    assert_eq!(drawn, FLOORS);
}
