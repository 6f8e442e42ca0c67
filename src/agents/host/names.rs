//! Names of keys and variables by which values are told that are the host's: where the table has no row, the name is all
//! there is. Pure.
use crate::config::plain;

/// Ends of names of keys whose texts are files, directories or programs; lower case, without separators.
const ENDS: &[&str] = &[
    "arg",
    "argv",
    "bin",
    "binary",
    "binaries",
    "binds",
    "cert",
    "cmd",
    "command",
    "cwd",
    "dir",
    "directory",
    "directories",
    "exec",
    "executable",
    "file",
    "folder",
    "home",
    "identityfile",
    "include",
    "location",
    "module",
    "mount",
    "path",
    "pem",
    "program",
    "root",
    "script",
    "shell",
    "socket",
    "sshidentity",
    "store",
    "volume",
    "workspace",
];
/// Those of them that are parts of addresses, words of a chat or sets of rules.
const OTHERS: &[&str] = &[
    "customcommands",
    "allowcommands",
    "denycommands",
    "webhookpath",
    "basepath",
    "urlpath",
    "httppath",
    "profile",
];
/// Variables that steer programs; and all whose names end like those of files.
const VARIABLES: &[&str] =
    &["openclaw", "clawdbot", "ld", "dyld", "node", "ssl", "bash", "git", "ssh", "xdg", "glibc", "docker"];
/// Names by themselves, and how names of variables begin that put words into a program's command line.
const PROGRAMS: &[&str] = &[
    "editor",
    "visual",
    "pager",
    "browser",
    "env",
    "tz",
    "hostaliases",
    "ifs",
    "term",
    "ps4",
    "unzip",
    "zipopt",
];
const LANGUAGES: &[&str] = &["perl", "python", "ruby", "java", "jdk", "lua", "php", "less", "npmconfig"];
/// How those end that give a program its options, its files or another program.
const STEERS: &[&str] = &[
    "options", "opts", "opt", "flags", "pager", "editor", "rsh", "command", "init", "preload", "conf",
    "askpass", "inputrc", "wgetrc", "phprc",
];

/// Ends of names of keys that say where something is sent.
const ADDRESSES: &[&str] = &[
    "address", "addresse", "apibase", "apiroot", "endpoint", "host", "hostname", "origin", "port", "proxy",
    "proxie", "relay", "server", "uri", "url", "webhook",
];
/// Parts of names of switches that say how far a program is shut in.
const SWITCHES: &[&str] = &["sandbox", "seccomp", "apparmor", "privileged", "capadd", "capdrop"];

/// What a key that the table does not know holds, when it looks like a place in the file system.
pub fn is_path(text: &str, at: &str) -> bool {
    let starts = ["/", "~/", "./", "../", "file:", "\\\\"];
    let name = plain(at.rsplit('.').next().unwrap_or_default());
    starts.iter().any(|start| text.starts_with(start)) && !OTHERS.iter().any(|end| name.ends_with(end))
}

/// The part of a webhook's address that a mapping is for.
pub fn is_of_webhook(at: &str) -> bool {
    let item = at.strip_prefix("hooks.mappings.").and_then(|rest| rest.strip_suffix(".match.path"));
    item.is_some_and(|item| item.bytes().all(|b| b.is_ascii_digit()))
}

pub fn is_host_name(name: &str) -> bool {
    let plain = plain(name);
    let one = plain.strip_suffix('s').unwrap_or(&plain);
    ENDS.iter().any(|end| plain.ends_with(end) || one.ends_with(end))
        && !OTHERS.iter().any(|end| plain.ends_with(end))
}

pub fn is_host_variable(name: &str) -> bool {
    let first = name.split('_').next().unwrap_or_default().to_ascii_lowercase();
    let plain = plain(name);
    VARIABLES.contains(&first.as_str())
        || PROGRAMS.contains(&plain.as_str())
        || LANGUAGES.iter().any(|language| plain.starts_with(language))
        || STEERS.iter().any(|end| plain.ends_with(end))
        || (is_address_name(name) && !plain.ends_with("port"))
        || is_host_name(name)
}

pub fn is_address_name(name: &str) -> bool {
    let plain = plain(name);
    let one = plain.strip_suffix('s').unwrap_or(&plain);
    ADDRESSES.iter().any(|end| plain.ends_with(end) || one.ends_with(end))
}

pub fn is_switch_name(name: &str) -> bool {
    let plain = plain(name);
    SWITCHES.iter().any(|part| plain.contains(part))
}

/// A text that stands for a secret kept elsewhere.
pub fn refers(text: &str) -> bool {
    let text = text.trim_start().to_ascii_lowercase();
    ["secretref-", "secretref:", "$env:"].iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_h1_variables_that_steer_programs_are_known_by_families() {
        for name in "LESSOPEN LESSCLOSE TAR_OPTIONS GREP_OPTIONS PERLLIB PERL5OPT OPENSSL_CONF MANPAGER GIT_PAGER RSYNC_RSH \
            CVS_RSH MAVEN_OPTS MAKEFLAGS CFLAGS PROMPT_COMMAND SUDO_ASKPASS INPUTRC LUA_INIT PHPRC ZIPOPT PS4 NODE_OPTIONS \
            LD_PRELOAD MALLOC_CONF VISUAL HGEDITOR npm_config_prefix"
            .split_whitespace()
        {
            assert!(is_host_variable(name), "{name}");
        }
        for name in ["OPENAI_API_KEY", "LANG", "LC_ALL", "DEBUG", "MODEL", "MY_TOKEN", "STAGE"] {
            assert!(!is_host_variable(name), "{name}");
        }
    }
}
