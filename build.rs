//! Packs the schemas of the protocol and of the configuration for the program, which needs their words only to say what
//! is wrong with a value or to print them: a line a file, its path, a tab and its text without the white space between its
//! parts; all of it deflated. The protocol's validators are made by `jsonschema` when the program is compiled.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "cargo speaks to it so")]
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What strangers are judged by. It comes first, so that little is inflated to answer them.
const FIRST: [&str; 2] = ["schemas/frames.json", "schemas/methods/connect.json"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = FIRST.iter().map(PathBuf::from).collect();
    for folder in ["schemas/methods", "schemas/events"] {
        println!("cargo::rerun-if-changed={folder}");
        let found = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut found = found.collect::<Result<Vec<_>, std::io::Error>>()?;
        found.retain(|file| !FIRST.iter().any(|first| file == Path::new(first)));
        found.sort();
        files.append(&mut found);
    }
    files.push("schemas/config.json".into());
    println!("cargo::rerun-if-changed=schemas/frames.json");
    println!("cargo::rerun-if-changed=schemas/config.json");
    println!("cargo::rerun-if-changed=build.rs");
    let mut pack = String::new();
    for file in &files {
        pack.push_str(&file.to_string_lossy());
        pack.push('\t');
        push_without_space(&mut pack, &fs::read_to_string(file)?);
        pack.push('\n');
    }
    let packed = miniz_oxide::deflate::compress_to_vec(pack.as_bytes(), 10);
    fs::write(Path::new(&std::env::var("OUT_DIR")?).join("schemas.deflate"), packed)?;
    Ok(())
}

/// A JSON text without the white space between its parts.
fn push_without_space(pack: &mut String, text: &str) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in text.chars() {
        if is_quoted || !c.is_ascii_whitespace() {
            pack.push(c);
        }
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
    }
}
