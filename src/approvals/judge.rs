//! Whether the rules let a command through: each of its parts must be a program that the owner has listed, or one that does
//! nothing but filter. Looks for programs, changes nothing; whatever is not sure is no.
use super::launchers::{ABLE, Able, LAUNCHERS};
use super::rules::Rules;
use super::words::{self, Part};
use super::{Security, names, safe};
use rustix::fs::{Access, access};
use std::path::{Path, PathBuf};

/// Where a command would run.
pub struct Place<'a> {
    pub cwd: &'a Path,
    /// Where programs are looked for.
    pub path: &'a [PathBuf],
    pub home: &'a Path,
    /// What the agent may write: a program there is whatever it wants it to be.
    pub writable: &'a [PathBuf],
    /// Names that may be taken for filters.
    pub safe: &'a [String],
    /// Names of programs that the agent's skills need, where the rules let those run.
    pub skilled: &'a [String],
}

/// The command with its programs' paths, for `words::line` or as it is, or why the rules do not let it through.
pub fn judge(command: &str, rules: &Rules, place: &Place) -> Result<Vec<Part>, String> {
    if rules.security == Security::Deny {
        return Err("commands are denied".into());
    }
    let mut parts = words::split(command)?;
    for (_, words) in &mut parts {
        let Some((program, arguments)) = words.split_first_mut() else {
            return Err("a command is missing".into());
        };
        let path = find(program, place).ok_or_else(|| format!("{program} is no program that is found"))?;
        look(program, &path, arguments, rules, place)?;
        *program = path.to_string_lossy().into_owned();
    }
    Ok(parts)
}

fn look(
    program: &str,
    path: &Path,
    arguments: &[String],
    rules: &Rules,
    place: &Place,
) -> Result<(), String> {
    let real = path.canonicalize().map_err(|e| format!("{program}: {e}"))?;
    if place.writable.iter().any(|dir| path.starts_with(dir) || real.starts_with(dir)) {
        return Err(format!("{program} lies where the agent itself writes"));
    }
    let name = file_name(path);
    let is_file = |text: &str| place.cwd.join(text).symlink_metadata().is_ok();
    // By its bare name only: a path of one's own could be any program of that name.
    if program == name && place.safe.contains(&name) && safe::only_filters(&name, arguments, &is_file) {
        return Ok(());
    }
    // What has several names goes by the one it is called by; what it is in truth may be busybox.
    let real_name = file_name(&real);
    if [&name, &real_name].iter().any(|name| is_launcher(name)) && !is_of_many(&real_name, &name) {
        return Err(format!("{program} runs or writes whatever it is told, so that its name says nothing"));
    }
    let names = [names::plain(&name), names::plain(&real_name), name.clone(), real_name];
    let able = ABLE.iter().filter(|able| names.iter().any(|name| name == able.name));
    let doing =
        |able: &Able| arguments.iter().find(|word| does(able, word)).or_else(|| over(able, arguments));
    if let Some(word) = able.filter_map(doing).next() {
        return Err(format!("{program} may start or write whatever it is told by {word}"));
    }
    if rules.allows_skills && program == name && place.skilled.contains(&name) {
        return Ok(());
    }
    let shown = path.to_string_lossy();
    match rules.patterns.iter().any(|pattern| matches(pattern, &shown, place.home)) {
        true => Ok(()),
        false => Err(format!("{shown} is not on the list")),
    }
}

/// One binary under many names, and this one is harmless.
fn is_of_many(real: &str, name: &str) -> bool {
    matches!(real, "busybox" | "toybox") && !is_launcher(name)
}

/// Programs that run or write whatever they are told.
pub fn is_launcher(name: &str) -> bool {
    let (name, plain) = (name.to_lowercase(), names::plain(name));
    LAUNCHERS.split(' ').any(|launcher| glob(launcher, &name) || glob(launcher, &plain))
        || name.ends_with(".sh")
        || name.ends_with(".py")
}

/// Whether it may be started by this argument to do more than it is listed for.
fn does(able: &Able, word: &str) -> bool {
    let bundle = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')).unwrap_or_default();
    able.begins.iter().any(|begin| word.starts_with(begin))
        || bundle.chars().any(|letter| able.letters.contains(letter))
        || able.words.iter().any(|whole| !word.is_empty() && whole.starts_with(word))
}

/// The word that is one more than it may be given.
fn over<'a>(able: &Able, arguments: &'a [String]) -> Option<&'a String> {
    let end = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    let is_option = |word: &str| word.starts_with('-') && word != "-";
    let others = arguments.iter().enumerate().filter(|(at, word)| *at > end || !is_option(word));
    others.map(|(_, word)| word).nth(able.most)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where a program lies, as it is called.
pub fn find(program: &str, place: &Place) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    match program.contains('/') {
        true => Some(place.cwd.join(program)).filter(is_program),
        false => place.path.iter().map(|dir| dir.join(program)).find(is_program),
    }
}

/// Whether a pattern of the list is this path. Names alone are none.
fn matches(pattern: &str, path: &str, home: &Path) -> bool {
    let expanded = match pattern.strip_prefix('~') {
        Some(rest) if rest.starts_with('/') => format!("{}{rest}", home.display()),
        _ => pattern.to_string(),
    };
    expanded.contains('/') && !path.contains("/../") && !path.contains("/./") && glob(&expanded, path)
}

/// `*` is anything without a slash, `**` anything, `?` one letter, `[0-9]` a digit.
fn glob(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    let Some(first) = rest.next() else { return text.is_empty() };
    let ends = |text: &str| text.char_indices().map(|(at, _)| at).chain([text.len()]).collect::<Vec<usize>>();
    if let Some(more) = pattern.strip_prefix("**") {
        return ends(text).into_iter().any(|at| text.get(at..).is_some_and(|tail| glob(more, tail)));
    }
    if let Some(more) = pattern.strip_prefix("[0-9]") {
        return text.strip_prefix(|c: char| c.is_ascii_digit()).is_some_and(|tail| glob(more, tail));
    }
    match first {
        '*' => {
            let reach = text.find('/').unwrap_or(text.len());
            ends(text)
                .into_iter()
                .take_while(|at| *at <= reach)
                .any(|at| text.get(at..).is_some_and(|tail| glob(rest.as_str(), tail)))
        }
        '?' => text.strip_prefix(|c: char| c != '/').is_some_and(|tail| glob(rest.as_str(), tail)),
        c => text.strip_prefix(c).is_some_and(|tail| glob(rest.as_str(), tail)),
    }
}

/// The filters that the configuration names, else those of the original.
pub fn safe_names(configured: Option<Vec<String>>) -> Vec<String> {
    configured.unwrap_or_else(|| safe::names().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Dir;
    use serde_json::json;

    fn judged(patterns: &[&str], command: &str) -> Result<String, String> {
        let dir = Dir::new();
        dir.write("ws/notes.md", "secret\n");
        dir.write("bin/tool", "#!/bin/sh\n");
        dir.write("ws/tool", "#!/bin/sh\n");
        for name in ["bin/tool", "ws/tool"] {
            std::fs::set_permissions(dir.path(name), std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }
        std::os::unix::fs::symlink("/bin/sh", dir.path("bin/harmless")).unwrap();
        let home = dir.path("ws").parent().unwrap().to_path_buf();
        let patterns: Vec<String> =
            patterns.iter().map(|p| p.replace("DIR", &home.display().to_string())).collect();
        let rules = Rules::of(&json!({"agents": {"main": {"allowlist": patterns}}}), "main", &[]);
        let (cwd, path) = (dir.path("ws"), [dir.path("bin"), "/usr/bin".into(), "/bin".into()]);
        let (writable, safe) = ([cwd.clone()], safe_names(None));
        let place =
            Place { cwd: &cwd, path: &path, home: &home, writable: &writable, safe: &safe, skilled: &[] };
        judge(command, &rules, &place)
            .map(|parts| words::line(&parts).replace(&home.display().to_string(), "DIR"))
    }

    #[test]
    fn what_is_listed_runs_by_its_path_and_each_part_is_judged() {
        let list = ["/usr/bin/uname", "/bin/uname", "/usr/bin/l*", "DIR/bin/**"];
        assert!(judged(&list, "uname -a").unwrap().ends_with("/bin/uname' '-a'"));
        assert!(judged(&list, "uname -a | head -n 1").unwrap().contains("' | '"));
        assert_eq!(judged(&list, "tool x").unwrap(), "'DIR/bin/tool' 'x'");
        for command in [
            "uname; id",
            "uname && id",
            "uname || id",
            "id | uname",
            "nosuchthing",
            "./tool",
            "../bin/harmless",
            "harmless -c id",
        ] {
            assert!(judged(&list, command).is_err(), "{command}");
        }
        assert!(judged(&["uname"], "uname").is_err(), "a name alone is no pattern");
        assert!(judged(&["/usr/bin/*", "/bin/*"], "./tool").is_err());
    }

    #[test]
    fn sec_41_compilers_and_what_starts_others_are_never_covered() {
        let all = "c++ cc g++ gcc x86_64-linux-gnu-gcc-13 aarch64-linux-gnu-g++ clang clang++-19 memusage not-x sotruss heaptrack \
            x86_64-linux-gnu-cpp-12 cpan5.36-x86_64-linux-gnu valgrind.bin pic gpic llc llvm-jitlink-14 \
            x86_64-linux-gnu-objcopy x86_64-linux-gnu-ar ctags-universal ptx fakeroot-sysv \
            choom uclampset perf systemd-cat systemd-inhibit systemd-run pg_virtualenv c++-14";
        for name in all.split_whitespace() {
            assert!(is_launcher(name), "{name}");
        }
        for name in [
            "uname",
            "ccache-stats",
            "notes",
            "perfect",
            "c",
            "uptime",
            "df",
            "ls",
            "cat",
            "sort",
            "ip",
            "lsblk",
            "gzip",
            "base64",
            "sha256sum",
            "ssd",
            "x86_64-linux-gnu-size",
        ] {
            assert!(!is_launcher(name), "{name}");
        }
    }

    /// surface.md 2.4: programs that run others, and the verified holes.
    #[test]
    fn sec_41_no_rule_lets_interpreters_and_holes_through() {
        let all = ["**", "/**", "/usr/bin/*", "/bin/*", "DIR/**"];
        for command in [
            "env id",
            "bash -c id",
            "sh -c id",
            "find . -exec id ';'",
            "find . -execdir id ';'",
            "find . -ok id ';'",
            "find . -delete",
            "find . -fprint x",
            "xargs id",
            "perl -e 1",
            "python3 -c 1",
            "node -e 1",
            "awk 1",
            "sed p",
            "nice id",
            "timeout 1 id",
            "git status",
            "tar cf x .",
            "tee x",
            "dd",
            "sort -S 1k --compress-program=sh notes.md",
            "sort --compress-prog sh notes.md",
            "sort --co=sh notes.md",
            "sort -ro x notes.md",
            "ld -plugin x.so",
            "cpp -wrapper sh,-c,id notes.md",
            "x86_64-linux-gnu-cpp notes.md",
            "lli l.ll",
            "gdbtui -batch",
            "iconv -o x notes.md",
            "iconv --output=x notes.md",
            "xxd notes.md x",
            "csplit notes.md 1",
            "tic -o . notes.md",
            "jar cf x notes.md",
            "truncate -s 0 notes.md",
            "uniq notes.md x",
            "uniq -- notes.md -x",
            "as notes.md",
            "ip netns exec x id",
            "ip n e x id",
            "ip -batch notes.md",
            "tar --to-command=id",
            "rsync -e id a b",
            "less notes.md",
            "man ls",
            "vim -c x",
            "tool",
            "ls $HOME",
            "head -c 40 $HOME/x",
            "head -c 5 *",
            "uname > x",
            "setsid id",
            "nohup id",
        ] {
            let found = judged(&all, command);
            assert!(found.is_err() || command == "tool", "{command}: {found:?}");
        }
        for command in ["head -c 5 notes.md", "grep -f/etc/hostname x", "sort -o/tmp/x", "cut -f1 notes.md"] {
            assert!(judged(&[], command).is_err(), "{command}");
        }
        assert!(judged(&[], "head -n 1 | wc -l").is_ok());
        for harmless in ["find . -name x", "sort -rnk2 notes.md", "uniq -c notes.md"] {
            assert!(judged(&all, harmless).is_ok(), "{harmless}");
        }
    }
}
