//! Runs every file of `tests/transcripts/`; the format is described in `harness/transcript.rs`.
use crate::harness::transcript;
use std::sync::Mutex;
use std::thread::scope;

#[test]
fn every_transcript_is_what_happens() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    assert!(files.len() > 15, "the transcripts are missing");
    let left = Mutex::new(files);
    let next = || left.lock().unwrap().pop();
    // Four at a time: most of a transcript's time is waiting.
    scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                while let Some(path) = next() {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    transcript::run(&name, &std::fs::read_to_string(&path).unwrap());
                }
            });
        }
    });
}
