//! The texts of the schemas as the program carries them: deflated, since they are needed only to say what is wrong with
//! a value and to print them. Pure. `build.rs` makes the pack, a line a file: its path, a tab, its text.
use miniz_oxide::inflate::decompress_to_vec_with_limit;

static PACK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schemas.deflate"));

/// Bytes at the start of the pack that hold what strangers are judged by: so much is inflated for them, not all of it.
const START: usize = 8 << 10;
/// Those that hold the schema of the configuration too, which commands look at.
const CONFIG: usize = 160 << 10;
/// More than all of it.
const WHOLE: usize = 4 << 20;

/// The text of the schema at `path`; empty where there is none.
pub(super) fn text(path: &str) -> String {
    let texts =
        [START, CONFIG, WHOLE].into_iter().find_map(|most| find(&inflated(most), path).map(str::to_string));
    texts.unwrap_or_default()
}

/// All texts, to be read with `lines`.
pub(super) fn whole() -> String {
    inflated(WHOLE)
}

/// The text of the schema at `path` among what was inflated.
fn find<'p>(pack: &'p str, path: &str) -> Option<&'p str> {
    lines(pack).find_map(|(name, text)| (name == path).then_some(text))
}

/// Path and text of each schema among what was inflated.
pub(super) fn lines(pack: &str) -> impl Iterator<Item = (&str, &str)> {
    // A line that was cut has no end.
    pack.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.split_once('\t'))
}

fn inflated(most: usize) -> String {
    let bytes = decompress_to_vec_with_limit(PACK, most).unwrap_or_else(|e| e.output);
    // A character that was cut is in the last line, which has no end either.
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_are_judged_by_is_at_the_start_of_the_pack() {
        let start = inflated(START);
        assert!(start.len() <= START && start.len() < whole().len());
        assert!(find(&inflated(CONFIG), "schemas/config.json").is_some());
        for path in ["schemas/frames.json", "schemas/methods/connect.json"] {
            assert_eq!(find(&start, path), Some(text(path).as_str()));
            assert!(text(path).starts_with("{\"$schema\":\"https://"), "{path}");
        }
        assert_eq!((text("schemas/methods/no.json"), find("a\tb\nc\td", "c")), (String::new(), None));
    }
}
