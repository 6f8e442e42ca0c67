//! What a model's words ask of the channel beside being shown: files (`MEDIA:` lines), what is answered
//! (`[[reply_to_current]]`, `[[reply_to:<id>]]`), a voice (`[[audio_as_voice]]`). Pure; code is left as it is.
use crate::sessions::tags;

/// Answers by which an agent says nothing.
const SILENT: [&str; 2] = ["NO_REPLY", "HEARTBEAT_OK"];

/// Whether words so far may still turn out to be none: nothing of them is shown before. They are trimmed.
pub fn may_be_silent(said: &str) -> bool {
    SILENT.iter().any(|silent| silent.starts_with(said))
}

/// A model's words, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What is to be shown.
    pub text: String,
    /// Paths and addresses of files.
    pub media: Vec<String>,
    pub reply: Reply,
    pub is_voice: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Reply {
    #[default]
    None,
    /// To the message that the turn answers.
    Current,
    To(String),
}

impl Said {
    pub fn read(text: &str) -> Said {
        let mut said = Said::default();
        let (shown, tags) = tags::cut(text);
        tags.iter().for_each(|tag| said.tag(tag));
        (said.text, said.media) = tags::files(shown);
        said
    }

    fn tag(&mut self, tag: &str) {
        match tag.split_once(':') {
            Some((_, id)) => self.reply = Reply::To(id.to_string()),
            None if tag == "audio_as_voice" => self.is_voice = true,
            None => self.reply = Reply::Current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> (String, Vec<String>, Reply, bool) {
        let Said { text, media, reply, is_voice } = Said::read(text);
        (text, media, reply, is_voice)
    }

    #[test]
    fn files_and_tags_are_taken_out_of_a_text() {
        let none = || (Vec::new(), Reply::None, false);
        let check = |text: &str, want: &str, (media, reply, voice): (Vec<String>, Reply, bool)| {
            assert_eq!(said(text), (want.to_string(), media, reply, voice), "{text}");
        };
        check("a [[b]] c", "a [[b]] c", none());
        check("[[reply_to_current]] hello", "hello", (Vec::new(), Reply::Current, false));
        check("hello [[ reply_to: 42 ]] you", "hello you", (Vec::new(), Reply::To("42".into()), false));
        check("[[reply_to_current]]\nhello", "hello", (Vec::new(), Reply::Current, false));
        check(
            "see\nMEDIA: `/a b/c.png`\nMEDIA:https://x.org/y\nthere",
            "see\nthere",
            (vec!["/a b/c.png".into(), "https://x.org/y".into()], Reply::None, false),
        );
        check("[[audio_as_voice]]\nMEDIA:./v.ogg", "", (vec!["./v.ogg".into()], Reply::None, true));
        check("```a``` b\nMEDIA:/x.png", "```a``` b", (vec!["/x.png".into()], Reply::None, false));
        check("MEDIA: is a word", "MEDIA: is a word", none());
        let code = "```\nMEDIA:/x.png\n[[reply_to_current]]\n```";
        check(code, code, none());
        check("[[open", "[[open", none());
        check("[[x [[reply_to_current]] y", "[[x y", (Vec::new(), Reply::Current, false));
    }
}
