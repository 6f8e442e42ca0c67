//! What a program is called without what its name says of machines and versions: `x86_64-linux-gnu-cpp-12` is `cpp`. Pure.
use crate::parts::Parts;

/// What distributions put behind the name of a program in whose place they put a script.
const BEHIND: [&str; 5] = [".bin", ".real", ".distrib", ".orig", ".exe"];
/// Parts of the names of machines, behind the first one.
const SYSTEMS: [&str; 9] = ["linux", "gnu", "elf", "eabi", "w64", "pc", "apple", "unknown", "none"];
const BEGINNINGS: [&str; 10] =
    ["gnueabi", "gnuabi", "gnux32", "musl", "uclibc", "mingw", "darwin", "freebsd", "openbsd", "netbsd"];

/// In small letters.
pub fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let whole = BEHIND.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    let parts: Vec<&str> = whole.split('-').collect();
    let is_system =
        |part: &&str| SYSTEMS.contains(part) || BEGINNINGS.iter().any(|begin| part.starts_with(begin));
    let systems = || parts.iter().enumerate().skip(1).filter(|(_, part)| is_system(part)).map(|(at, _)| at);
    let (first, last) = (systems().next().unwrap_or(0), systems().next_back().unwrap_or(0));
    // The machine stands before the name, or behind it.
    let kept = match (last, parts.tail(last + 1)) {
        (0, _) => parts.as_slice(),
        (_, []) => parts.head(first.saturating_sub(1)),
        (_, rest) => rest,
    };
    let kept = if kept.is_empty() { whole.to_string() } else { kept.join("-") };
    match kept.ends_with(|c: char| c.is_ascii_digit()) {
        true => {
            kept.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').trim_end_matches('-').to_string()
        }
        false => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn sec_41_a_program_is_known_whatever_its_machine_and_version() {
        for (name, want) in [
            ("x86_64-linux-gnu-cpp-12", "cpp"),
            ("arm-linux-gnueabihf-strip", "strip"),
            ("x86_64-w64-mingw32-objcopy", "objcopy"),
            ("arm-none-eabi-ar", "ar"),
            ("aarch64-apple-darwin23-clang", "clang"),
            ("x86_64-pc-linux-musl-gcc-ranlib-12.2", "gcc-ranlib"),
            ("cpan5.36-x86_64-linux-gnu", "cpan"),
            ("perl5.36.0", "perl"),
            ("llvm-jitlink-14", "llvm-jitlink"),
            ("valgrind.bin", "valgrind"),
            ("LLI-14", "lli"),
            ("x86_64-linux-gnu", "x86_64-linux-gnu"),
            ("linux-boot-prober", "linux-boot-prober"),
            ("gnutls-cli", "gnutls-cli"),
            ("uname", "uname"),
            ("md5sum", "md5sum"),
            ("linux32", "linux"),
        ] {
            assert_eq!(plain(name), want, "{name}");
        }
    }
}
