//! Users of the machine, as /etc/passwd knows them: names, homes. Small systems may have no such file.
use crate::env::Env;
use rustix::process::getuid;

/// One line of /etc/passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub uid: u32,
    pub home: String,
}

/// The user this process runs as.
pub fn own(env: &Env) -> Person {
    let uid = getuid().as_raw();
    find(|person| person.uid == uid).unwrap_or_else(|| Person {
        name: env.var("USER").map_or_else(|| uid.to_string(), str::to_string),
        uid,
        home: env.home.display().to_string(),
    })
}

pub fn named(name: &str) -> Option<Person> {
    find(|person| person.name == name)
}

/// The user who called `sudo`, if one did.
pub fn behind_sudo(env: &Env) -> Option<Person> {
    let name = env.var("SUDO_USER").filter(|_| getuid().is_root())?;
    named(name).filter(|person| person.uid != 0)
}

fn find(fits: impl Fn(&Person) -> bool) -> Option<Person> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines().filter_map(parse).find(fits)
}

fn parse(line: &str) -> Option<Person> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_string();
    let uid = fields.nth(1)?.parse().ok()?;
    Some(Person { name, uid, home: fields.nth(2)?.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_passwd() {
        let root = Person { name: "root".into(), uid: 0, home: "/root".into() };
        assert_eq!(parse("root:x:0:0:root:/root:/bin/bash"), Some(root));
        assert_eq!(parse("root:x:zero:0:root:/root:/bin/bash"), None);
        assert_eq!(parse("# note"), None);
    }
}
