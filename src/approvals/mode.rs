//! What the owner says of commands for a session or for one message: `/exec` and `/elevated`. It stands in place of the
//! configuration; the file of rules may be stricter all the same. Pure.

/// Words for what may be said: the word, the member of a session, the choices.
pub const WORDS: [(&str, &str, &[&str]); 3] = [
    ("host", "execHost", &["sandbox", "gateway", "node"]),
    ("security", "execSecurity", &["deny", "allowlist", "full"]),
    ("ask", "execAsk", &["off", "on-miss", "always"]),
];
pub const ELEVATED: &str = "elevatedLevel";
const LEVELS: [&str; 4] = ["off", "on", "ask", "full"];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// In the order of `WORDS`.
    said: [Option<&'static str>; 3],
    pub elevated: Option<&'static str>,
    /// A node was named.
    pub names_node: bool,
}

impl Mode {
    /// What a session holds.
    pub fn of<'e>(member: impl Fn(&str) -> Option<&'e str>) -> Mode {
        let said = WORDS.map(|(_, name, choices)| known(choices, member(name)?));
        Mode { said, elevated: member(ELEVATED).and_then(elevated), names_node: false }
    }

    /// Nothing but how far it is raised.
    pub fn raised(level: &'static str) -> Mode {
        Mode { elevated: Some(level), ..Mode::default() }
    }

    /// Takes `name=value` in; `false` where it says nothing known.
    pub fn takes(&mut self, word: &str) -> bool {
        let word = word.to_ascii_lowercase();
        let Some((name, value)) = word.split_once('=') else { return false };
        if name == "node" && !value.is_empty() {
            self.names_node = true;
            return true;
        }
        for (at, (known_name, _, choices)) in self.said.iter_mut().zip(WORDS) {
            if name == known_name
                && let Some(value) = known(choices, value)
            {
                *at = Some(value);
                return true;
            }
        }
        false
    }

    /// What is not said here is as there.
    pub fn or(self, other: Mode) -> Mode {
        let mut said = self.said;
        said.iter_mut().zip(other.said).for_each(|(own, other)| *own = own.or(other));
        Mode {
            said,
            elevated: self.elevated.or(other.elevated),
            names_node: self.names_node || other.names_node,
        }
    }

    pub fn host(&self) -> Option<&'static str> {
        if self.is_elevated() { Some("gateway") } else { self.said[0] }
    }

    /// Elevated in full is every command without a question.
    pub fn security(&self) -> Option<&'static str> {
        if self.elevated == Some("full") { Some("full") } else { self.said[1] }
    }

    pub fn ask(&self) -> Option<&'static str> {
        if self.elevated == Some("full") { Some("off") } else { self.said[2] }
    }

    pub fn is_elevated(&self) -> bool {
        self.elevated.is_some_and(|level| level != "off")
    }

    /// The members of a session that are said, with their values.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.said.into_iter().zip(WORDS).filter_map(|(value, (_, member, _))| Some((member, value?)))
    }
}

fn known(choices: &'static [&'static str], word: &str) -> Option<&'static str> {
    choices.iter().copied().find(|known| *known == word)
}

/// The level of a word as people write it.
pub fn elevated(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let word = match word.as_str() {
        "true" | "yes" | "1" => "on",
        "false" | "no" | "0" => "off",
        word => word,
    };
    LEVELS.into_iter().find(|known| *known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i13_4_what_is_said_stands_in_place_of_what_was() {
        let mut mode = Mode::default();
        assert!(mode.takes("Security=FULL") && mode.takes("ask=off"));
        for word in ["security=some", "node=", "ask", "ask=", "=off", "x=y"] {
            assert!(!mode.takes(word), "{word}");
        }
        assert_eq!(mode.members().collect::<Vec<_>>(), [("execSecurity", "full"), ("execAsk", "off")]);
        let session = Mode::of(|name| (name == "execAsk").then_some("always"));
        assert_eq!((mode.or(session).ask(), session.or(mode).ask()), (Some("off"), Some("always")));
        let full = Mode { elevated: elevated("FULL"), ..session };
        assert_eq!((full.host(), full.security(), full.ask()), (Some("gateway"), Some("full"), Some("off")));
        let asks = Mode { elevated: elevated("ask"), ..session };
        assert_eq!((asks.is_elevated(), asks.security(), asks.ask()), (true, None, Some("always")));
    }
}
