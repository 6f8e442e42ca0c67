//! `HEARTBEAT_OK`: the word by which an agent says that there is nothing to tell, at either edge of an answer and in
//! any dress. Pure.
use crate::parts::Parts;

pub const TOKEN: &str = "HEARTBEAT_OK";
/// Marks of Markdown that may stand around it.
const MARKS: [char; 4] = ['*', '`', '~', '_'];
/// Signs behind it that change nothing.
const SIGNS: [char; 4] = ['.', '!', '?', '…'];

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing at all.
    Nothing,
    /// That there is nothing to tell.
    Ok,
    Words(String),
}

/// Beside the word at most `most` characters may stand that are not told.
pub fn read(answer: &str, most: usize) -> Said {
    let text = answer.trim();
    if text.is_empty() || text == "NO_REPLY" {
        return Said::Nothing;
    }
    let rest = match (without(text), without(&undressed(text))) {
        (Some(rest), _) if !rest.is_empty() => rest,
        (_, Some(rest)) => rest,
        (_, None) => return Said::Words(text.to_string()),
    };
    match rest.chars().count() <= most {
        true => Said::Ok,
        false => Said::Words(rest),
    }
}

/// Whether an answer is that word alone.
pub fn is_only(answer: &str) -> bool {
    read(answer, 0) == Said::Ok
}

/// The text without the word at its edges; `None` where it is at neither.
fn without(text: &str) -> Option<String> {
    let (mut rest, mut is_there) = (text.trim(), false);
    loop {
        let end = rest.trim_end_matches(is_trimming);
        let before = || end.strip_suffix(TOKEN).filter(|rest| !rest.ends_with(char::is_alphanumeric));
        let before = || before().map(|rest| rest.trim_end_matches(MARKS));
        let behind = rest.strip_prefix(TOKEN).filter(|rest| !rest.starts_with(char::is_alphanumeric));
        let shorter = behind.map(|rest| rest.trim_start_matches(MARKS)).or_else(before);
        match shorter {
            Some(shorter) => (rest, is_there) = (shorter.trim(), true),
            None => break,
        }
    }
    // What followed the word when nothing else does.
    let is_bare = rest.trim_matches(is_trimming).trim().is_empty();
    is_there.then(|| if is_bare { String::new() } else { rest.to_string() })
}

fn is_trimming(c: char) -> bool {
    SIGNS.contains(&c) || MARKS.contains(&c)
}

/// The text without tags of HTML, spaces of HTML and Markdown's marks at its edges.
fn undressed(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        plain.push_str(rest.head(at));
        let behind = rest.tail(at);
        let Some(end) = behind.find('>') else {
            rest = behind;
            break;
        };
        plain.push(' ');
        rest = behind.tail(end + 1);
    }
    plain.push_str(rest);
    let plain = plain.replace("&nbsp;", " ").replace("&NBSP;", " ");
    plain.trim_matches(|c: char| c.is_whitespace() || MARKS.contains(&c)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i13_2_heartbeat_ok_in_all_its_dresses() {
        for ok in [
            "HEARTBEAT_OK",
            " HEARTBEAT_OK\n",
            "**HEARTBEAT_OK**",
            "`HEARTBEAT_OK`",
            "__HEARTBEAT_OK__",
            "~~HEARTBEAT_OK~~",
            "<b>HEARTBEAT_OK</b>",
            "<p><b>HEARTBEAT_OK</b></p>",
            "&nbsp;HEARTBEAT_OK&nbsp;",
            "HEARTBEAT_OK!!!",
            "HEARTBEAT_OK.",
            "HEARTBEAT_OK HEARTBEAT_OK",
            "**HEARTBEAT_OK**.",
        ] {
            assert_eq!(read(ok, 0), Said::Ok, "{ok}");
            assert!(is_only(ok), "{ok}");
        }
        for ok in [
            "HEARTBEAT_OK all quiet today",
            "all quiet HEARTBEAT_OK",
            "all quiet HEARTBEAT_OK.",
            "All quiet.\n\n**HEARTBEAT_OK**",
            "<b>HEARTBEAT_OK</b> all quiet",
            "All quiet **HEARTBEAT_OK**.",
        ] {
            assert_eq!(read(ok, 300), Said::Ok, "{ok}");
            assert!(!is_only(ok), "{ok}");
        }
    }

    #[test]
    fn i13_2_words_are_told_without_the_word_at_their_edges() {
        let long = "x".repeat(301);
        for (answer, told) in [
            (format!("HEARTBEAT_OK {long}"), long.clone()),
            (format!("{long}\nHEARTBEAT_OK"), long.clone()),
            (format!("**HEARTBEAT_OK** {long}"), long.clone()),
            (format!("{long} **{long}** HEARTBEAT_OK"), format!("{long} **{long}**")),
            ("HEARTBEAT_OKAY then".into(), "HEARTBEAT_OKAY then".into()),
            ("notHEARTBEAT_OK".into(), "notHEARTBEAT_OK".into()),
            ("the word HEARTBEAT_OK in the middle".into(), "the word HEARTBEAT_OK in the middle".into()),
            ("The cellar is wet.".into(), "The cellar is wet.".into()),
            (" a < b ".into(), "a < b".into()),
        ] {
            assert_eq!(read(&answer, 300), Said::Words(told), "{answer}");
        }
        assert_eq!(read(&format!("HEARTBEAT_OK {}", "x".repeat(300)), 300), Said::Ok);
        assert_eq!(read("HEARTBEAT_OK a b", 0), Said::Words("a b".into()));
        assert_eq!(read("HEARTBEAT_OK Line one\nline two", 3), Said::Words("Line one\nline two".into()));
        for nothing in ["", " \n", "NO_REPLY"] {
            assert_eq!(read(nothing, 300), Said::Nothing);
        }
    }
}
