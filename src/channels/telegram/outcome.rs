//! What became of a call: carried out, refused, never sent, or nobody knows (R-10c, R-30). Pure.
use super::refusal::{Refusal, Why};
use super::token::BotToken;
use crate::fetch::dial::Phase;
use crate::fetch::http::Fault;
use crate::fetch::kept::Failed;
use crate::json;
use crate::parts::first;
use serde_json::{Map, Value};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T = Value> {
    Done(T),
    /// A definite no.
    Refused(Refusal),
    /// Nothing was carried out: it never left in full, or whoever answered was not the Bot API.
    NotSent(Trouble),
    /// It left, and may have been carried out. What has an effect is not sent again.
    Unknown(Trouble),
}

/// What went wrong on the way, in one sentence without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub text: String,
    /// The caller stopped it.
    pub is_cancelled: bool,
}

impl<T> Outcome<T> {
    pub fn map<U>(self, map: impl FnOnce(T) -> Outcome<U>) -> Outcome<U> {
        match self {
            Outcome::Done(value) => map(value),
            Outcome::Refused(refusal) => Outcome::Refused(refusal),
            Outcome::NotSent(trouble) => Outcome::NotSent(trouble),
            Outcome::Unknown(trouble) => Outcome::Unknown(trouble),
        }
    }

    pub fn not_sent(text: impl Into<String>) -> Outcome<T> {
        Outcome::NotSent(Trouble { text: text.into(), is_cancelled: false })
    }

    pub fn unknown(text: impl Into<String>) -> Outcome<T> {
        Outcome::Unknown(Trouble { text: text.into(), is_cancelled: false })
    }

    /// No answer came from this host, or from the proxy on the way there.
    pub fn failed(
        failed: &Failed,
        method: &str,
        (host, proxy): (&str, Option<&str>),
        token: &BotToken,
    ) -> Outcome<T> {
        let on_the_way = proxy.and_then(|proxy| of_proxy(proxy, &failed.fault));
        let what = on_the_way.unwrap_or_else(|| format!("{host} {}", sentence(&failed.fault)));
        let text = token.hide(&format!("{method}: {what}"));
        let trouble = Trouble { text, is_cancelled: failed.fault == Fault::Cancelled };
        if failed.may_have_arrived { Outcome::Unknown(trouble) } else { Outcome::NotSent(trouble) }
    }
}

impl Outcome {
    /// An answer came with this status and body.
    pub fn answered(
        status: u16,
        after: Option<Duration>,
        body: &[u8],
        method: &str,
        token: &BotToken,
    ) -> Outcome {
        match read(body) {
            Some(mut answer) if answer.get("ok") == Some(&Value::Bool(true)) => {
                Outcome::Done(answer.remove("result").unwrap_or(Value::Null))
            }
            Some(answer) if answer.get("ok") == Some(&Value::Bool(false)) => {
                let code = answer.get("error_code").and_then(Value::as_i64).unwrap_or(i64::from(status));
                let text = answer.get("description").and_then(Value::as_str).unwrap_or_default();
                let parameter = |name: &str| answer.get("parameters")?.get(name)?.as_i64();
                let seconds = parameter("retry_after").and_then(|n| u64::try_from(n).ok());
                let after = seconds.map(Duration::from_secs).or(after);
                refused(code, text, after, parameter("migrate_to_chat_id"), method, token)
            }
            // Whoever wrote this is no Bot API: a proxy in front, or nothing of the kind at all.
            _ => foreign(status, after, body, method, token),
        }
    }
}

/// Values of an answer; updates full of entities fit.
pub const MOST_VALUES: usize = 200_000;

/// An answer's members.
pub fn read(body: &[u8]) -> Option<Map<String, Value>> {
    json::read_object(body, MOST_VALUES, json::DEEPEST).ok()
}

fn refused(
    code: i64,
    text: &str,
    after: Option<Duration>,
    migrated: Option<i64>,
    method: &str,
    token: &BotToken,
) -> Outcome {
    let said: String = token.hide(&text.chars().take(300).collect::<String>());
    if code >= 500 {
        return failed_there(code, format!("{method}: the server failed ({code}: {said})"));
    }
    Outcome::Refused(Refusal {
        why: Why::read(code, text, after, migrated),
        code,
        text: format!("{method}: {said} ({code})"),
    })
}

fn foreign(status: u16, after: Option<Duration>, body: &[u8], method: &str, token: &BotToken) -> Outcome {
    let start = String::from_utf8_lossy(first(body, 60)).replace(['\r', '\n'], " ");
    let said = token.hide(start.trim());
    match status {
        413 | 429 => refused(i64::from(status), "", after, None, method, token),
        300..=499 => Outcome::not_sent(format!(
            "{method}: what answers there is no Bot API ({status}: {said}); check channels.telegram.apiRoot and proxy"
        )),
        500.. => failed_there(status.into(), format!("{method}: the server failed ({status}: {said})")),
        _ => Outcome::unknown(format!("{method}: the answer cannot be read ({status}: {said})")),
    }
}

/// A server that says that it failed has not carried it out, unless it only did not hear what became of it (504).
///
/// R-30a wants an answer seen once after a 5xx, R-10c nothing sent twice whose outcome is unknown. Telegram's servers answer
/// 500 to 503 instead of beginning with a call, while they restart or are overloaded, and proxies in front when they reach
/// none; 504 is a proxy's word for one that was reached. Taken for unknown, each such hour would lose all answers of it.
fn failed_there(code: i64, text: String) -> Outcome {
    if code == 504 { Outcome::unknown(text) } else { Outcome::not_sent(text) }
}

/// Host and port of an address, without who may use it.
pub fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default()
}

/// The same where it was the proxy: what connects, connects to it.
fn of_proxy(proxy: &str, fault: &Fault) -> Option<String> {
    let what = match fault {
        Fault::Protocol(text) if text.to_lowercase().contains("proxy") => {
            format!("did not let it through ({text})")
        }
        Fault::Refused | Fault::NoSuchHost | Fault::Unreachable(_) | Fault::Late(Phase::Connect) => {
            sentence(fault)
        }
        _ => return None,
    };
    Some(format!("the proxy {proxy} {what}; check channels.telegram.proxy"))
}

/// What happened, after the name of the host.
fn sentence(fault: &Fault) -> String {
    match fault {
        Fault::Cancelled => "was not waited for any longer".to_string(),
        Fault::NoSuchHost => "does not resolve; check the name and this machine's DNS".to_string(),
        Fault::Refused => "refused the connection".to_string(),
        Fault::Unreachable(text) => format!("cannot be reached ({text})"),
        Fault::Tls(text) => format!("failed the TLS handshake ({text})"),
        Fault::Late(Phase::Connect) => "did not take the connection in time".to_string(),
        Fault::Late(_) => "did not answer in time".to_string(),
        Fault::Dropped => "closed the connection before it answered".to_string(),
        Fault::Coded(coding) => format!("answered in a coding that is not read ({coding:?})"),
        Fault::Protocol(text) => format!("did not answer in proper HTTP ({text})"),
        Fault::TooLong => "answered with more than is taken".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    const TOKEN: &str = "123456:AAcanaryCANARYcanaryCANARY";

    fn answered(status: u16, body: &str) -> Outcome {
        Outcome::answered(
            status,
            None,
            body.as_bytes(),
            "sendMessage",
            &BotToken::read(&Secret::new(TOKEN)).unwrap(),
        )
    }

    #[test]
    fn r_30_answers_are_judged_by_what_they_say() {
        assert_eq!(answered(200, r#"{"ok":true,"result":7}"#), Outcome::Done(7.into()));
        let why = |status, body: &str| match answered(status, body) {
            Outcome::Refused(refusal) => Some(refusal.why),
            _ => None,
        };
        let flood = r#"{"ok":false,"error_code":429,"description":"x","parameters":{"retry_after":9}}"#;
        assert_eq!(why(429, flood), Some(Why::RetryAfter(Duration::from_secs(9))));
        // The code in the body counts, whatever a proxy made of the status.
        assert_eq!(
            why(200, r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#),
            Some(Why::Unauthorized)
        );
        assert_eq!(why(413, "<html>413</html>"), Some(Why::FileTooBig));
        let unknown = |status, body: &str| matches!(answered(status, body), Outcome::Unknown(_));
        let not_sent = |status, body: &str| matches!(answered(status, body), Outcome::NotSent(_));
        assert!(not_sent(500, r#"{"ok":false,"error_code":500,"description":"Internal Server Error"}"#));
        assert!(not_sent(502, "<html>bad gateway</html>") && unknown(504, "<html>gateway timeout</html>"));
        assert!(unknown(200, r#"{"ok":tr"#) && unknown(200, "[]") && unknown(200, ""));
        assert!(matches!(answered(403, "<html>no</html>"), Outcome::NotSent(_)));
        assert!(matches!(answered(302, ""), Outcome::NotSent(_)));
    }

    #[test]
    fn sec_25_no_answer_carries_the_token_on() {
        for (status, body) in [
            (400, format!("{{\"ok\":false,\"error_code\":400,\"description\":\"bad {TOKEN}\"}}")),
            (500, format!("{{\"ok\":false,\"error_code\":500,\"description\":\"bad {TOKEN}\"}}")),
            (404, format!("no /bot{TOKEN}/x")),
            (502, format!("<html>/bot{TOKEN}/x")),
        ] {
            assert!(!format!("{:?}", answered(status, &body)).contains("CANARY"), "{body}");
        }
    }
}
