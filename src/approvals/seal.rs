//! Buttons below a request for approval: what they say when they are pressed bears a seal that nobody can make but this
//! process, so that a button which somebody else put into a chat allows nothing. The seal stands in the button alone:
//! it is taken off before the words go on, and no tool, event or transcript shows it.
//!
//! A press that says a command (`/approve ...`) without one is not obeyed (`channels/telegram/intake.rs`), and nobody gets
//! such a button sent (`check`). Any thread.
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

/// Whether somebody may have these rows of buttons sent: none says a command, but for those of this process.
pub fn check(rows: &Value) -> Result<()> {
    let buttons = rows.as_array().into_iter().flatten().filter_map(Value::as_array).flatten();
    let mut said = buttons.filter_map(|button| button.get("callback_data")?.as_str());
    match said.any(|data| is_command(data) && opened(data).is_none()) {
        true => Err(Error::new(
            Kind::Forbidden,
            "callback_data must not begin with /: a button that gives a command is the gateway's own to make",
        )),
        false => Ok(()),
    }
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
        check(&row(&data)).unwrap();
        check(&row("yes")).unwrap();
        check(&json!("odd")).unwrap();
        for data in [words, " /stop", "\n/approve"] {
            assert!(check(&row(data)).unwrap_err().message().contains("must not begin with /"), "{data}");
        }
    }
}
