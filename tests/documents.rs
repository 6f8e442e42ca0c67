//! What the documents name is there: files and folders of the repository.
use crate::harness::gateway::{command, free_port, new_dir};
use crate::harness::terminal::Terminal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

/// Documents, and whether they also name files of `src/` without saying so.
const DOCUMENTS: &[(&str, bool)] = &[
    ("ARCHITECTURE.md", true),
    ("README.md", false),
    ("SECURITY.md", false),
    ("COMPATIBILITY.md", false),
    ("docs", false),
];

#[test]
fn every_path_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rooms: Vec<String> = names(&root.join("src"));
    let top: Vec<String> = names(root);
    let mut gone = Vec::new();
    for &(document, is_of_code) in DOCUMENTS {
        for (file, text) in texts(&root.join(document)) {
            for path in quoted(&text) {
                let first = path.split('/').next().unwrap_or_default();
                let is_below =
                    |known: &[String]| path.contains('/') && known.iter().any(|name| name == first);
                let is_code = path.ends_with(".rs") || is_of_code && is_below(&rooms);
                let is_there = root.join(path).exists() || is_of_code && root.join("src").join(path).exists();
                if (is_code || is_below(&top)) && !is_there {
                    gone.push(format!("{file}: {path}"));
                }
            }
        }
    }
    assert!(gone.is_empty(), "named and not there:\n{}", gone.join("\n"));
}

/// A comment names a file from `src/`, from the repository, or from a folder it lies in.
#[test]
fn every_file_that_a_comment_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut gone = Vec::new();
    for (file, text) in texts(&root.join("src")).into_iter().filter(|(file, _)| file.ends_with(".rs")) {
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        let comments: String = text.lines().filter(is_comment).flat_map(|line| [line, "\n"]).collect();
        for path in quoted(&comments).filter(|path| path.ends_with(".rs")) {
            let mut places = Path::new(&file).ancestors().skip(1).take_while(|place| place.starts_with(root));
            if !root.join("src").join(path).exists() && !places.any(|place| place.join(path).exists()) {
                gone.push(format!("{file}: {path}"));
            }
        }
    }
    assert!(gone.is_empty(), "named and not there:\n{}", gone.join("\n"));
}

/// And with what it is for.
#[test]
fn every_dependency_has_its_row_in_the_architecture() {
    let read =
        |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (cargo, architecture) = (read("Cargo.toml"), read("ARCHITECTURE.md"));
    let section = cargo.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let mut there: Vec<&str> = section.lines().filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    let table = architecture.split("\n## Dependencies\n").nth(1).unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let mut told: Vec<&str> =
        cells.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches('`'))).collect();
    there.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, there, "left ARCHITECTURE.md, right Cargo.toml");
}

/// Issue 10: the threads of the house are drawn, each by its name.
#[test]
fn every_thread_has_its_place_in_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drawn = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut gone = Vec::new();
    for (file, text) in super::floors::sources(&root.join("src")) {
        for kind in ["gw-", "cli-", "scan-"] {
            for rest in text.split(&format!("\"{kind}")).skip(1) {
                let name = rest.split(['"', '{']).next().unwrap().trim_end_matches('-');
                if (!name.is_empty() || kind == "scan-") && !drawn.contains(&format!("`{kind}{name}")) {
                    gone.push(format!("src/{file}: {kind}{name}"));
                }
            }
        }
    }
    assert!(gone.is_empty(), "not drawn:\n{}", gone.join("\n"));
}

/// Issue 10: how a method is run, and where there is `unsafe`, as the sources have it.
#[test]
fn i10_kinds_of_methods_and_places_of_unsafe_are_those_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let methods = std::fs::read_to_string(root.join("src/methods/mod.rs")).unwrap();
    let kinds = methods.split("pub enum Run {").nth(1).unwrap().split("\n}").next().unwrap();
    let kinds = kinds.lines().filter_map(|line| line.trim().split_once('(')).map(|(name, _)| name);
    let request = told.split("**A request**").nth(1).unwrap().split("\n\n").next().unwrap();
    let missing: Vec<&str> = kinds.filter(|kind| !request.contains(&format!("`{kind}`"))).collect();
    assert!(missing.is_empty(), "kinds of methods that \"A request\" leaves out: {missing:?}");
    let sources = super::floors::sources(&root.join("src"));
    let is_unsafe = |text: &&(String, String)| text.1.lines().any(|line| line.trim() == "unsafe {");
    let there: Vec<String> = sources.iter().filter(is_unsafe).map(|(file, _)| file.clone()).collect();
    let rule = told.split("`unsafe`\n    everywhere but in ").nth(1).unwrap().split(".\n").next().unwrap();
    let named: Vec<&str> = rule.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, there, "left invariant 20, right the sources");
}

fn names(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap();
    files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// A document, or each one of a folder.
fn texts(path: &Path) -> Vec<(String, String)> {
    if path.is_dir() {
        let texts_of = |name: &String| texts(&path.join(name));
        return names(path).iter().filter(|name| !name.ends_with(".png")).flat_map(texts_of).collect();
    }
    vec![(path.display().to_string(), std::fs::read_to_string(path).unwrap())]
}

/// What stands between backticks and could be a path: no words, no options, no places to fill in.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let parts = text.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2));
    parts.filter(move |part| part.chars().all(is_of_path) && !part.starts_with(['.', '/', '-']))
}

/// N-30: a row that came to be out of date and its successor side by side say two things.
#[test]
fn n_30_no_row_of_the_deviations_stands_twice() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("COMPATIBILITY.md")).unwrap();
    let mut seen = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("| ").and_then(|row| row.split(" | ").next()) {
            None => seen.clear(),
            Some(subject) => {
                assert!(!seen.contains(&subject), "twice: {subject}");
                seen.push(subject);
            }
        }
    }
    // What is told to be missing is no tool, and all tools are told.
    let tools = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tools.md")).unwrap();
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let is_tool = |name: &&str| tools.lines().any(|line| line.starts_with(&format!("| `{name}` |")));
    let missing =
        text.lines().filter(|line| line.contains("| not in this version; policies may name them |"));
    for line in missing {
        let here: Vec<&str> = line.split('`').skip(1).step_by(2).filter(|name| is_tool(name)).collect();
        assert!(here.is_empty(), "{here:?} are here");
    }
    let all = tools
        .lines()
        .skip_while(|line| !line.starts_with("| tool |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    for tool in all.filter_map(|line| line.split('`').nth(1)) {
        assert!(readme.contains(&format!("`{tool}`")), "README.md names no {tool}");
    }
}

/// The first block of commands behind this heading of README.md, without what is said of them.
fn tour(heading: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, below) = readme.split_once(&format!("\n{heading}\n")).unwrap();
    let block = below.split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap();
    block.lines().map(|line| line.split(" #").next().unwrap().trim().to_string()).collect()
}

/// In their order, in a home in which nothing is; what `make install` does makefile.rs holds.
#[test]
fn i14_the_tour_of_the_readme_is_ten_lines_that_work() {
    let lines = tour("## Use it");
    assert_eq!(lines.len(), 10, "{lines:#?}");
    let (dir, port) = (new_dir(), free_port());
    let program = Path::new(env!("CARGO_BIN_EXE_openclaw")).parent().unwrap();
    let typed = |line: &str| {
        let like = command(&dir);
        let mut shell = std::process::Command::new("bash");
        shell.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PATH", format!("{}:/usr/bin:/bin", program.display())).env("EDITOR", "true");
        shell.env("OPENCLAW_GATEWAY_PORT", port.to_string());
        shell.args(["-c", &format!("exec {line}")]).stdin(Stdio::null());
        shell
    };
    let mut gateway = None;
    for line in &lines {
        match line.as_str() {
            "make install PREFIX=~/.local" => {}
            "openclaw gateway" => {
                let mut child = typed(line).stdout(Stdio::piped()).spawn().unwrap();
                let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
                assert!(said.any(|line| line.contains("listening on")));
                gateway = Some((child, said));
            }
            "openclaw chat" => {
                let mut terminal = Terminal::start(typed(line), 80);
                terminal.wait_text(0, "/help: what");
                terminal.keys("\u{4}");
                assert_eq!(terminal.end().0, Some(0));
            }
            line => {
                let output = typed(line).output().unwrap();
                assert!(output.status.success() && !output.stdout.is_empty(), "{line}: {output:?}");
            }
        }
    }
    let (mut child, _said) = gateway.unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::remove_dir_all(dir).unwrap();
}
