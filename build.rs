//! Packs what the program carries beside its code. The schemas of the protocol and of the configuration, whose words it
//! needs only to say what is wrong with a value or to print them: a line a file, its path, a tab and its text without the
//! white space between its parts; all of it deflated. The protocol's validators are made by `jsonschema` when the program
//! is compiled. And the files of the control page (`ui/`), each as gzip, as it goes to browsers. Besides it says what is
//! built: the commit, for whom, with what.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "cargo speaks to it so")]
#[path = "build/git.rs"]
mod git;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What strangers are judged by. It comes first, so that little is inflated to answer them.
const FIRST: [&str; 2] = ["schemas/frames.json", "schemas/methods/connect.json"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = FIRST.iter().map(PathBuf::from).collect();
    // Then what commands look at whom nobody asks to wait.
    files.push("schemas/config.json".into());
    for folder in ["schemas/methods", "schemas/events"] {
        println!("cargo::rerun-if-changed={folder}");
        let found = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut found = found.collect::<Result<Vec<_>, std::io::Error>>()?;
        found.retain(|file| !FIRST.iter().any(|first| file == Path::new(first)));
        found.sort();
        files.append(&mut found);
    }
    // What commands print is asked for least.
    println!("cargo::rerun-if-changed=schemas/cli");
    let mut found = fs::read_dir("schemas/cli")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    found.sort();
    files.append(&mut found);
    println!("cargo::rerun-if-changed=schemas/frames.json");
    println!("cargo::rerun-if-changed=schemas/config.json");
    println!("cargo::rerun-if-changed=build.rs");
    tell_build()?;
    if has_conformance() {
        println!("cargo::rustc-cfg=conformance");
        list_transcripts()?;
    } else {
        files.retain(|file| file != Path::new("schemas/cli/conformance.json"));
    }
    let mut pack = String::new();
    for file in &files {
        pack.push_str(&file.to_string_lossy());
        pack.push('\t');
        push_without_space(&mut pack, &fs::read_to_string(file)?);
        pack.push('\n');
    }
    let packed = miniz_oxide::deflate::compress_to_vec(pack.as_bytes(), 10);
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("schemas.deflate"), packed)?;
    pack_page(&out)
}

/// Whether `openclaw conformance` is a part: in development builds, or where it is asked for.
fn has_conformance() -> bool {
    let is_debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    is_debug || std::env::var_os("CARGO_FEATURE_CONFORMANCE").is_some()
}

/// A table of the transcripts that it plays.
fn list_transcripts() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=tests/transcripts");
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let found = fs::read_dir(root.join("tests/transcripts"))?.map(|entry| Ok(entry?.path()));
    let mut found = found.collect::<Result<Vec<_>, std::io::Error>>()?;
    found.sort();
    let row = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        format!("    ({name:?}, include_str!({:?})),\n", file.to_string_lossy())
    };
    let table = format!("&[\n{}]\n", found.iter().map(row).collect::<String>());
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("transcripts.rs"), table)?;
    Ok(())
}

/// What `openclaw version --json` says of a build. The commit only of a release: a development build would be compiled
/// anew after each one. Who builds from a tarball may name it by `OPENCLAW_COMMIT`.
fn tell_build() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build/git.rs");
    let profile = std::env::var("PROFILE")?;
    println!("cargo::rustc-env=OPENCLAW_BUILD={profile}");
    println!("cargo::rustc-env=OPENCLAW_TARGET={}", std::env::var("TARGET")?);
    let has = |feature: &str| {
        let all = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
        all.split(',').any(|known| known == feature)
    };
    println!("cargo::rustc-env=OPENCLAW_FEATURES={}", if has("crt-static") { "static" } else { "" });
    println!("cargo::rerun-if-env-changed=OPENCLAW_COMMIT");
    let is_asked = profile == "release" && std::env::var_os("OPENCLAW_COMMIT").is_none();
    if let Some((commit, files)) = Some(Path::new(".")).filter(|_| is_asked).and_then(git::commit) {
        println!("cargo::rustc-env=OPENCLAW_COMMIT={commit}");
        files.iter().for_each(|file| println!("cargo::rerun-if-changed={}", file.display()));
    }
    Ok(())
}

/// Writes the control page's files as gzip, and a table of them. The page asks for the others below a name made of all
/// their bytes, so that a browser may keep them for ever and never mixes two versions.
fn pack_page(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=ui");
    let mut names = fs::read_dir("ui")?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, _>>()?;
    names.sort();
    let mut all = Vec::new();
    for name in &names {
        all.extend_from_slice(&fs::read(Path::new("ui").join(name))?);
    }
    let version = format!("{:08x}{:08x}", crc32(&all), all.len());
    let mut table = format!("pub static VERSION: &str = {version:?};\npub static FILES: &[File] = &[\n");
    for name in &names {
        let mut bytes = fs::read(Path::new("ui").join(name))?;
        if name.ends_with(".html") || name.ends_with(".webmanifest") {
            bytes = String::from_utf8(bytes)?.replace("VERSION/", &format!("a/{version}/")).into_bytes();
        }
        let packed = out.join(format!("{name}.gz"));
        fs::write(&packed, gzip(&bytes))?;
        let packed = packed.to_string_lossy();
        table.push_str(&format!("    File {{ name: {name:?}, gzip: include_bytes!({packed:?}) }},\n"));
    }
    table.push_str("];\n");
    fs::write(out.join("page.rs"), table)?;
    Ok(())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    packed.extend(miniz_oxide::deflate::compress_to_vec(bytes, 10));
    packed.extend(crc32(bytes).to_le_bytes());
    packed.extend((bytes.len() as u32).to_le_bytes());
    packed
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
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
