//! How secrets are called: whether the name of a key or a variable is one of a secret, may be one or is a slip of the pen for
//! one. Pure.
use crate::config::lookup;
use crate::parts::Parts;

/// Parts of names of secrets, lower case, without separators.
const NAMES: &[&str] = &[
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "authorization",
    "cookie",
    "credential",
    "bearer",
    "encryptkey",
    "encryptionkey",
    "masterkey",
    "clientkey",
    "licensekey",
    "authkey",
    "serviceaccount",
    "mnemonic",
    "connectionstring",
];

/// Last words of names of secrets that are too short to be looked for inside of names: `githubPat`, `DB_PWD`.
const WORDS: &[&str] = &["pat", "pwd", "jwt", "pass", "psk", "otp", "totp", "nsec", "dsn"];

/// Names that are those of secrets only where nothing is known of the place.
pub(super) const VAGUE: &[&str] = &[
    "access",
    "auth",
    "basicauth",
    "code",
    "hmac",
    "oauth",
    "pk",
    "pw",
    "refresh",
    "salt",
    "seed",
    "sig",
    "signature",
];

/// Whether a key or variable of this name probably holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain = plain(name);
    NAMES.iter().any(|part| plain.contains(part)) || plain == "key" || ends_in_word(name)
}

/// The same for one that says it at its end: `botToken: 12345` is a secret without quotes, `maxTokens: 4096` is none.
pub(super) fn is_secret_end(name: &str) -> bool {
    let plain = plain(name);
    NAMES.iter().any(|part| plain.ends_with(part)) || plain == "key" || ends_in_word(name)
}

fn ends_in_word(name: &str) -> bool {
    let ends = |word: &&str| {
        let Some((before, end)) = name.len().checked_sub(word.len()).and_then(|at| name.split_at_checked(at))
        else {
            return false;
        };
        let is_word = match before.chars().next_back() {
            Some(c) if c.is_alphabetic() => c.is_lowercase() && end.starts_with(char::is_uppercase),
            _ => true,
        };
        is_word && end.eq_ignore_ascii_case(word)
    };
    // The variable of the working directory is no secret.
    name != "PWD" && WORDS.iter().any(ends)
}

/// Whether the name, or its last words, are one letter away from a name of secrets: `tokn`, `dbPasword`.
pub(super) fn is_slip(name: &str) -> bool {
    let begins = |at: &usize| {
        let (before, rest) = name.split_at_checked(*at).unwrap_or_default();
        let is_upper = rest.starts_with(char::is_uppercase);
        before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() || c.is_lowercase() && is_upper)
    };
    let words = name.char_indices().map(|(at, _)| at).filter(begins);
    words.map(|at| plain(name.tail(at))).any(|words| {
        let is_near = |known: &str| words.len().abs_diff(known.len()) <= 2 && lookup::is_slip(known, &words);
        NAMES.iter().any(|known| is_near(known))
    })
}

/// A name as it is compared: its letters and digits, small.
pub fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
