//! What a transcript knows of a question that is asked for again, because the process ended before the end of its turn was
//! recorded: whether it is written, what was said to it, and whether that was all.
//!
//! On the thread of the run. Nothing is written here, and what cannot be read counts as not there: then it is asked anew.
use crate::sessions::message;
use crate::sessions::transcript::{Transcript, kind};
use serde_json::Value;
use std::ops::ControlFlow;

/// Bytes of the end that are looked at: results of tools may stand behind the question.
const SCAN: usize = 32 << 20;

/// A question that is written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What its own run has said since, message by message.
    pub texts: Vec<String>,
    /// Nothing is to be asked any more: it has its answer, or the run has that it was answered with.
    pub is_answered: bool,
}

/// What stands behind the place that was come to.
#[derive(Default)]
struct Behind {
    said: Vec<(String, String)>,
    /// The runs that came to an end there.
    ends: Vec<String>,
}

impl Transcript {
    /// How a run's question stands. `None` where it is not written, or so far back that others have had their answers
    /// since: it is to be written again.
    pub fn standing(&self, run: &str) -> Option<Standing> {
        let (mut behind, mut found, mut scanned) = (Behind::default(), None, 0);
        let walked = self.walk_back(|mut entry, size| {
            scanned += size;
            if scanned > SCAN {
                return ControlFlow::Break(());
            }
            let of = entry.get("runId").and_then(Value::as_str).unwrap_or_default().to_string();
            let with = entry.get(message::ANSWERED_BY).and_then(Value::as_str).map(str::to_string);
            let Some(said) = entry.get_mut("message").map(Value::take).filter(|_| kind(&entry) == "message")
            else {
                return ControlFlow::Continue(());
            };
            match message::role(&said) {
                "user" if of == run => {
                    found = std::mem::take(&mut behind).standing(run, with.as_deref());
                    return ControlFlow::Break(());
                }
                "assistant" if !message::is_injected(&said) => behind.add(of, &said),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        walked.ok().and(found)
    }
}

impl Behind {
    /// An answer, or a part of one.
    fn add(&mut self, run: String, said: &Value) {
        let calls = |block: &Value| message::kind_of_block(block) == "toolCall";
        let text = message::text_of(said);
        let is_whole = matches!(said.get("stopReason").and_then(Value::as_str), Some("stop" | "length"));
        let goes_on = message::blocks(said).iter().any(calls);
        // What failed or was stopped is no answer, and what is asked behind it needs its question again.
        if !goes_on {
            self.ends.push(if is_whole { run.clone() } else { String::new() });
        }
        self.said.push((run, text));
    }

    fn standing(self, run: &str, with: Option<&str>) -> Option<Standing> {
        let is_answered = self.ends.iter().any(|end| end == run || Some(end.as_str()) == with);
        if !is_answered && !self.ends.is_empty() {
            return None;
        }
        let own = self.said.into_iter().rev().filter(|(of, text)| of == run && !text.is_empty());
        Some(Standing { texts: own.map(|(_, text)| text).collect(), is_answered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    fn answer(run: &str, body: &str, stop: &str, calls: bool) -> Value {
        let mut content = vec![message::text(body)];
        content.extend(calls.then(|| serde_json::json!({"type": "toolCall", "id": "c", "name": "read"})));
        let answer = message::Assistant { content, stop_reason: stop, ..message::Assistant::default() };
        message::of_run(message::assistant(answer, 1), run)
    }

    fn asked(run: &str, by: Option<&str>) -> Value {
        let mut entry = message::of_run(message::user_text(run, 1), run);
        by.into_iter().for_each(|by| entry[message::ANSWERED_BY] = by.into());
        entry
    }

    #[test]
    fn r_07d_a_question_stands_until_others_have_had_their_answers() {
        let dir = TestDir::new();
        let mut n = 0;
        let mut stands = |entries: &[Value], run: &str| {
            n += 1;
            let t = Transcript::at(&dir.0, &format!("t{n}")).unwrap();
            t.append(entries).unwrap();
            t.standing(run).map(|it| (it.texts, it.is_answered))
        };
        let open = Some((vec![], false));
        let two = [asked("2", None), asked("3", Some("2"))];
        assert_eq!((stands(&two, "2"), stands(&two, "3"), stands(&two, "4")), (open.clone(), open, None));
        let [two, three] = two;
        let done = [two.clone(), three, answer("2", "both", "stop", false)];
        assert_eq!(stands(&done, "2"), Some((vec!["both".into()], true)));
        assert_eq!(stands(&done, "3"), Some((vec![], true)), "its host says it");
        let result = message::tool_result("c", "read", "x", false, 1);
        let begun = [two.clone(), answer("2", "let me see", "toolUse", true), result];
        assert_eq!(stands(&begun, "2"), Some((vec!["let me see".into()], false)));
        let others = [two.clone(), asked("w", None), answer("w", "hi", "stop", false)];
        assert_eq!(stands(&others, "2"), None, "to somebody else");
        assert_eq!(stands(&[two, answer("2", "ha", "aborted", false)], "2"), None);
    }
}
