//! A provider's key in a file of its own, so that it stands neither in the configuration nor in a variable.
//!
//! Read on the thread of the call, for each call: a changed key needs no restart. The key is never shown.
use crate::error::{Error, Result};
use crate::files;
use crate::models::provider::Secret;
use std::path::Path;

/// A configuration error about a key: another model may still be used.
pub fn refused(message: String) -> Error {
    Error::config(message).failing_over("auth")
}

/// Whether a key fits into a header.
pub fn can_be_sent(key: &Secret) -> bool {
    is_plain(key.reveal())
}

/// Whether a text has only characters that a credential in a header may have.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

/// The key in a file. Others on this machine should not be able to read it.
pub fn read(id: &str, path: &Path) -> Result<Secret> {
    let setting = format!("models.providers.{id}.apiKeyFile");
    let shown = path.display();
    let wrong =
        |why: &str| refused(format!("{setting} names {shown}, which {why}; put the key of {id} there"));
    let found = files::read_secret(path).map_err(|why| wrong(&why))?;
    if found.is_open {
        log::warn!(target: "gateway/agent", "{shown} of {setting} can be read by others; run chmod 600 {shown}");
    }
    let key = Secret::new(&found.text);
    match can_be_sent(&key) {
        true => Ok(key),
        false => Err(wrong("holds more than a key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_f28_a_key_that_no_header_carries_is_seen() {
        for (key, fits) in [("sk-1 ~\t", true), ("sk-\u{f6}", false), ("sk\n1", false), ("sk\u{7f}", false)] {
            assert_eq!(can_be_sent(&Secret::new(key)), fits, "{key:?}");
        }
    }
}
