//! The path of a request target: decoded once, normalised once, matched once (SEC-28).
//!
//! Pure. Anything that two readers could understand differently is refused instead of interpreted.

use crate::percent;

/// The folder of names that may hold a slash, which clients write as `%2F`.
pub const NAMES: &str = "/v1/models/";

/// The path without query, or `None` for one that is not plain: encoded or literal dot segments, encoded
/// slashes, backslashes, control characters, `//`, `;`, bad escapes.
pub fn plain(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next()?;
    let refused: &[u8] = if path.starts_with(NAMES) { b"\\.;%" } else { b"/\\.;%" };
    let path = percent::plain_but(path, refused)?;
    let odd = path.contains("//") || path.contains(['\\', ';']) || path.chars().any(char::is_control);
    let dots = path.split('/').any(|segment| segment == "." || segment == "..");
    (path.starts_with('/') && !odd && !dots).then_some(path)
}

/// A name or value of a query: `%XX` and `+`. `None` for bad escapes.
pub fn decoded(text: &str) -> Option<String> {
    percent::plain(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn plain_paths_pass_and_tricks_do_not() {
        for (target, want) in [
            ("/v1/models/a%2Fb", "/v1/models/a/b"),
            ("/health", "/health"),
            ("/health?x=/../y", "/health"),
            ("/a%20b", "/a b"),
            ("/", "/"),
        ] {
            assert_eq!(plain(target).as_deref(), Some(want), "{target}");
        }
        for target in [
            "/a/../health",
            "/%2e%2e/health",
            "/a%2fhealth",
            "/a%5chealth",
            "//health",
            "/health;x",
            "/he%00alth",
            "/health%",
            "/health%2",
            "/health%zz",
            "/./health",
            "/%ff",
            "health",
            "/a\\b",
            "/%252e",
            "/v1%2Fmodels/a",
            "/v1/models/%2Fa",
            "/v1/models/%2e%2e%2fhealth",
            "/v1/models/..%2fhealth",
        ] {
            assert_eq!(plain(target), None, "{target}");
        }
    }
}
