//! What the walls around a command keep from it where the gateway is root, and what a command is told of files that it
//! could not make. Issue 13, part 4, in the real binary.
use super::exec::{exec, start, workspace};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Directories of a test among the system's own.
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.iter().for_each(|dir| drop(std::fs::remove_dir_all(dir)));
    }
}

fn put(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The modes of files do not stop commands of root's; the walls do.
#[test]
fn i13_4_what_is_for_root_alone_is_not_reached_however_deep_it_lies() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: needs root");
    }
    let name = format!("openclaw-test-{}", std::process::id());
    let places = ["/etc", "/opt", "/usr/local", "/usr/local/etc"].map(|dir| Path::new(dir).join(&name));
    let _made = Made(places.to_vec());
    let files = [
        ("/etc", "s1", 0o600, false),
        ("/etc", "a/s2", 0o640, false),
        ("/etc", "a/b/s3", 0o600, false),
        ("/etc", "a/b/c/s4", 0o600, false),
        ("/etc", "a/b/c/open", 0o644, true),
        ("/etc", "shut/open", 0o644, false),
        ("/opt", ".env", 0o600, false),
        ("/opt", "conf/.env", 0o600, false),
        ("/opt", "conf/open", 0o644, true),
        ("/opt", "lib/a/b/open", 0o644, true),
        ("/usr/local", "key", 0o600, false),
        ("/usr/local", "lib/open", 0o644, true),
        ("/usr/local/etc", "key", 0o600, false),
        ("/usr/local/etc", "a/key", 0o600, false),
        ("/usr/local/etc", "a/b/open", 0o644, true),
    ];
    let path = |dir: &str, file: &str| Path::new(dir).join(&name).join(file);
    for (dir, file, mode, _) in &files {
        let path = path(dir, file);
        put(&path, "SAID", *mode);
        for dir in
            path.ancestors().skip(1).take_while(|dir| !places.iter().any(|place| place.parent() == Some(dir)))
        {
            std::fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        }
    }
    std::fs::set_permissions(path("/etc", "shut"), Permissions::from_mode(0o700)).unwrap();
    let gateway = start("{}");
    for (dir, file, _, is_reached) in &files {
        let path = path(dir, file);
        let (is_error, said) = exec(&gateway, &format!("cat {}", path.display()));
        assert_eq!(
            (!is_error, said.contains("SAID")),
            (*is_reached, *is_reached),
            "{}: {said}",
            path.display()
        );
    }
    // Programs look for their parts; where some are for root alone their names are not told either.
    for (dir, file, is_told) in [("/opt", "conf", true), ("/etc", "a/b", true), ("/etc", "", false)] {
        let (is_error, said) = exec(&gateway, &format!("ls -a {}", path(dir, file).display()));
        assert_eq!(!is_error, is_told, "{dir} {file}: {said}");
    }
    // What became private is, for the next command.
    std::fs::set_permissions(path("/etc", "a/b/c/open"), Permissions::from_mode(0o600)).unwrap();
    let (is_error, said) = exec(&gateway, &format!("cat {}", path("/etc", "a/b/c/open").display()));
    assert!(is_error && !said.contains("SAID"), "{said}");
}

/// What is not there was not written, and a script that asks is told so.
#[test]
fn i13_4_touch_says_when_it_could_make_no_file() {
    let gateway = start("{}");
    let (is_error, said) = exec(&gateway, "touch /etc/openclaw-test-touch && echo wrote");
    assert!(is_error && said.contains("/etc/openclaw-test-touch") && !said.contains("wrote"), "{said}");
    let (_, said) = exec(&gateway, "touch made && touch made && touch -d 2001-01-01 made && echo wrote");
    assert_eq!(said, "wrote");
    assert!(workspace(&gateway).join("made").exists());
    if Path::new("/usr/bin/python3").exists() {
        let by_name = "python3 -c 'import pathlib; pathlib.Path(\"other\").touch()'";
        assert_eq!(exec(&gateway, by_name), (false, "(no output)".to_string()));
        assert!(workspace(&gateway).join("other").exists(), "where the time is set by name first");
    }
    assert_eq!(gateway.cli(&["health"]).status.code(), Some(0));
}
