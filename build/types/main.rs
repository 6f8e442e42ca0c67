//! `make protocol-gen`: writes the types of the protocol into a folder, `generated` unless another is named.
#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a tool of the developers'"
)]
#[path = "mod.rs"]
mod types;
use std::path::PathBuf;

fn main() -> Result<(), String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::args().nth(1).map_or_else(|| root.join("generated"), PathBuf::from);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for (name, text) in types::all(&root.join("schemas"))? {
        let file = folder.join(name);
        std::fs::write(&file, &text).map_err(|e| format!("{}: {e}", file.display()))?;
        println!("{}: {} lines", file.display(), text.lines().count());
    }
    Ok(())
}
