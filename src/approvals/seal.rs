//! Buttons below a request for approval: what they say when they are pressed bears a seal that nobody can make but this
//! process, so that a button which somebody else put into a chat allows nothing. The seal stands in the button alone:
//! it is put on when the button is sent, taken off before the words go on, and no file, tool, event or transcript shows it.
//!
//! A press that says a command (`/approve ...`) without one is not obeyed (`channels/telegram/intake.rs`), and nobody gets
//! such a button sent (`kept`). Any thread.
use crate::device::secret_eq;
use crate::error::{Error, Kind, Result};
use crate::ids;
use ring::hmac;
use serde_json::Value;
use std::sync::OnceLock;

/// Bytes of a seal; with the longest words it fits the 64 letters that Telegram gives back.
const LENGTH: usize = 16;
/// How the keys of deliveries begin that ask for approval.
pub const KEY: &str = "approval-";

/// Made when the first button is, and gone with the process: so are the commands that wait.
static SECRET: OnceLock<hmac::Key> = OnceLock::new();

/// `words` with their seal.
pub fn sealed(words: &str) -> Result<String> {
    if SECRET.get().is_none() {
        // Of two that come at once one stays.
        let _ = SECRET.set(hmac::Key::new(hmac::HMAC_SHA256, &ids::random::<32>()?));
    }
    let secret = SECRET.get().ok_or_else(|| Error::unavailable("there is no secret for buttons"))?;
    Ok(format!("{words} {}", seal(secret, words)))
}

fn seal(secret: &hmac::Key, words: &str) -> String {
    let whole = hmac::sign(secret, words.as_bytes());
    ids::encode(crate::parts::first(whole.as_ref(), LENGTH))
}

/// The words of a button that this process has made.
pub fn opened(data: &str) -> Option<&str> {
    let (words, found) = data.rsplit_once(' ')?;
    secret_eq(&seal(SECRET.get()?, words), found).then_some(words)
}

/// Whether `data` would be read as a command.
pub fn is_command(data: &str) -> bool {
    data.trim_start().starts_with('/')
}

/// The rows of buttons as they are kept until they are sent: a command is in none of them, but for those of this process, whose
/// seal is put on again by who sends them, so that it stands in no file.
pub fn kept(mut rows: Value) -> Result<Value> {
    let buttons = rows.as_array_mut().into_iter().flatten().filter_map(Value::as_array_mut).flatten();
    for data in buttons.filter_map(|button| button.get_mut("callback_data")) {
        let Some(said) = data.as_str().filter(|said| is_command(said)) else { continue };
        let Some(words) = opened(said).map(str::to_string) else {
            return Err(Error::new(
                Kind::Forbidden,
                "callback_data must not begin with /: a button that gives a command is the gateway's own to make",
            ));
        };
        *data = words.into();
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sec_41_a_seal_is_for_these_words_alone() {
        let words = "/approve 73422bc8 allow-always";
        let data = sealed(words).unwrap();
        assert!(data.len() <= 64, "{}", data.len());
        assert_eq!((opened(&data), opened(words)), (Some(words), None));
        let seal = data.rsplit(' ').next().unwrap();
        for forged in [
            format!("/approve 73422bc9 allow-always {seal}"),
            format!("/approve 73422bc8 allow-once {seal}"),
            format!("{words} {}", "0".repeat(32)),
            format!("{words} "),
            format!("{data}0"),
            data.replace(seal, &seal[..31]),
        ] {
            assert_eq!(opened(&forged), None, "{forged}");
        }
        let row = |data: &str| json!([[{"text": "a", "callback_data": "b"}], [{"text": "a", "callback_data": data}]]);
        assert_eq!(kept(row(&data)).unwrap(), row(words));
        for rows in [row("yes"), json!("odd")] {
            assert_eq!(kept(rows.clone()).unwrap(), rows);
        }
        for data in [words, " /stop", "\n/approve"] {
            assert!(kept(row(data)).unwrap_err().message().contains("must not begin with /"), "{data}");
        }
    }
}
