//! Why Telegram refused a call, and what follows from it. Pure.
//!
//! Texts are matched by fragment, whatever their case: servers, versions and proxies word them differently.
use std::time::Duration;

/// A definite no: the call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    pub code: i64,
    /// Telegram's own words, without the token.
    pub text: String,
}

/// The refusals that differ in what is done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The token was revoked or never was one.
    Unauthorized,
    /// No such method, or no Bot API behind this address.
    NotFound,
    /// Final for this chat: blocked, removed, unknown.
    ChatGone,
    /// The bot may not do this here.
    NoPermission,
    /// The group is a supergroup now, with this id.
    Migrated(i64),
    /// An edit that changes nothing: what was wanted is there.
    NotModified,
    /// The message to edit or delete is gone, or out of the bot's reach.
    MessageGone,
    /// What is replied to or quoted is gone: send without it.
    ReplyGone,
    /// The topic is gone or closed. Nothing goes to the main chat instead.
    ThreadGone,
    /// The marks do not parse: send the same text plain.
    CannotParse,
    /// Nothing is left of the text.
    Empty,
    TooLong,
    /// The buttons or parameters are ours to mend.
    Buttons,
    /// Wrong or not there for the moment: try again a few times.
    FileUnavailable,
    FileTooBig,
    /// The picture or address is not taken as what it was sent as.
    Media,
    /// The user takes no voice messages.
    NoVoice,
    /// A reaction, or the answer to a button, came to nothing.
    Cosmetic,
    /// A newer poller of the same token took over.
    OtherPoller,
    /// A webhook is set: polls need it deleted.
    WebhookSet,
    RetryAfter(Duration),
    Other,
}

/// Where nobody says how long.
const SOME_TIME: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Fragments in lower case; the first that is found counts.
const FRAGMENTS: &[(&str, Why)] = &[
    ("message is not modified", Why::NotModified),
    ("bot was blocked", Why::ChatGone),
    ("user is deactivated", Why::ChatGone),
    ("can't initiate conversation", Why::ChatGone),
    ("bot was kicked", Why::ChatGone),
    ("bot is not a member", Why::ChatGone),
    ("chat not found", Why::ChatGone),
    ("chat_id is empty", Why::ChatGone),
    ("peer_id_invalid", Why::ChatGone),
    ("group chat was deactivated", Why::ChatGone),
    ("voice_messages_forbidden", Why::NoVoice),
    ("not enough rights", Why::NoPermission),
    ("have no rights", Why::NoPermission),
    ("chat_write_forbidden", Why::NoPermission),
    ("need administrator rights", Why::NoPermission),
    ("message to edit not found", Why::MessageGone),
    ("message can't be edited", Why::MessageGone),
    ("message to delete not found", Why::MessageGone),
    ("message can't be deleted", Why::MessageGone),
    ("message_id_invalid", Why::MessageGone),
    ("message to be replied not found", Why::ReplyGone),
    ("message to reply not found", Why::ReplyGone),
    ("replied message not found", Why::ReplyGone),
    ("quote_text_invalid", Why::ReplyGone),
    ("quote not found", Why::ReplyGone),
    ("message thread not found", Why::ThreadGone),
    ("topic_closed", Why::ThreadGone),
    ("topic_deleted", Why::ThreadGone),
    ("can't parse entities", Why::CannotParse),
    ("text is empty", Why::Empty),
    ("text must be non-empty", Why::Empty),
    ("is too long", Why::TooLong),
    ("_too_long", Why::TooLong),
    ("button_data_invalid", Why::Buttons),
    ("inline keyboard button", Why::Buttons),
    ("unsupported parse_mode", Why::Buttons),
    ("wrong file_id", Why::FileUnavailable),
    ("temporarily unavailable", Why::FileUnavailable),
    ("file is too big", Why::FileTooBig),
    ("request entity too large", Why::FileTooBig),
    ("photo_invalid_dimensions", Why::Media),
    ("image_process_failed", Why::Media),
    ("wrong type of the web page content", Why::Media),
    ("failed to get http url content", Why::Media),
    ("reaction_invalid", Why::Cosmetic),
    ("message to react not found", Why::Cosmetic),
    ("query is too old", Why::Cosmetic),
    ("webhook is active", Why::WebhookSet),
    ("terminated by setwebhook", Why::WebhookSet),
    ("terminated by other getupdates", Why::OtherPoller),
];

impl Why {
    /// By code and text, and what stood in `parameters`.
    pub fn read(code: i64, text: &str, retry_after: Option<Duration>, migrated: Option<i64>) -> Why {
        let text = text.to_lowercase();
        if let Some(id) = migrated {
            return Why::Migrated(id);
        }
        if code == 429 || text.starts_with("too many requests") {
            let said = || text.rsplit("retry after ").next()?.trim().parse().ok().map(Duration::from_secs);
            return Why::RetryAfter(retry_after.or_else(said).unwrap_or(SOME_TIME).min(MOST));
        }
        // "reply markup is too long" is no text to split.
        if text.contains("reply markup is too long") {
            return Why::Buttons;
        }
        match FRAGMENTS.iter().find(|(fragment, _)| text.contains(fragment)) {
            Some((_, why)) => *why,
            None => match code {
                401 => Why::Unauthorized,
                403 => Why::NoPermission,
                404 => Why::NotFound,
                409 => Why::OtherPoller,
                413 => Why::FileTooBig,
                _ => Why::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_30b_what_telegram_says_is_told_apart() {
        let check =
            |code: i64, text: &str, want: Why| assert_eq!(Why::read(code, text, None, None), want, "{text}");
        check(401, "Unauthorized", Why::Unauthorized);
        check(404, "Not Found", Why::NotFound);
        check(403, "Forbidden: bot was blocked by the user", Why::ChatGone);
        check(403, "Forbidden: BOT WAS KICKED from the supergroup chat", Why::ChatGone);
        check(403, "Forbidden: something new", Why::NoPermission);
        check(400, "Bad Request: not enough rights to send photos to the chat", Why::NoPermission);
        check(400, "Bad Request: message is not modified: specified new message content", Why::NotModified);
        check(400, "Bad Request: message to be replied not found", Why::ReplyGone);
        check(400, "Bad Request: message thread not found", Why::ThreadGone);
        check(
            400,
            "Bad Request: can't parse entities: Unclosed start tag at byte offset 3",
            Why::CannotParse,
        );
        check(400, "Bad Request: message caption is too long", Why::TooLong);
        check(400, "Bad Request: reply markup is too long", Why::Buttons);
        check(400, "Bad Request: file is too big", Why::FileTooBig);
        check(400, "Bad Request: VOICE_MESSAGES_FORBIDDEN", Why::NoVoice);
        check(409, "Conflict: terminated by other getUpdates request; make sure", Why::OtherPoller);
        check(409, "Conflict: can't use getUpdates method while webhook is active", Why::WebhookSet);
        check(400, "Bad Request: who knows", Why::Other);
        check(429, "Too Many Requests: retry after 40", Why::RetryAfter(Duration::from_secs(40)));
        check(429, "slow down", Why::RetryAfter(SOME_TIME));
        let most = Why::read(429, "", Some(Duration::from_secs(u64::MAX)), None);
        assert_eq!(most, Why::RetryAfter(MOST));
        let moved =
            Why::read(400, "Bad Request: group chat was upgraded to a supergroup chat", None, Some(-1007));
        assert_eq!(moved, Why::Migrated(-1007));
    }
}
