//! Methods that newer clients call at every start or on a page of theirs, and whose true answer here is always the same,
//! because this gateway has nothing of the kind: no questions of agents, no observer of sessions,
//! no updates of its own, no plugins. Without them those clients show an error or ask again every few
//! seconds.
use crate::calls::Call;
use crate::error::Result;
use crate::protocol::frame::Payload;
use crate::state::State;
use crate::state::event::Answer;
use serde_json::Value;

/// The method and its answer as JSON. When one of these comes to exist, its row moves to a handler of its own.
const ANSWERS: [(&str, &str); 20] = [
    ("openclaw.approval.list", "[]"),
    ("plugin.approval.list", "[]"),
    ("question.list", r#"{"questions":[]}"#),
    // The client says whether it shows what an observer notes.
    ("sessions.observer.visibility", r#"{"ok":true}"#),
    ("update.status", r#"{"sentinel":null,"updateAvailable":null}"#),
    ("artifacts.list", r#"{"artifacts":[]}"#),
    (
        "doctor.memory.status",
        r#"{"provider":"none","searchRuntimeRegistered":false,"embedding":{"ok":false,"error":"memories are found by words; there are no embeddings here"},"dreaming":null}"#,
    ),
    ("environments.list", r#"{"environments":[]}"#),
    ("plugins.list", r#"{"plugins":[],"diagnostics":[],"mutationAllowed":false,"generation":0}"#),
    ("progressCard.get", r#"{"card":null}"#),
    ("sessions.branches.list", r#"{"branches":[]}"#),
    ("sessions.companion.state", r#"{"exchanges":[]}"#),
    ("skills.library.list", r#"{"skills":[],"bundles":[]}"#),
    ("skills.proposals.list", r#"{"proposals":[],"installedSkills":[]}"#),
    ("skills.search", r#"{"results":[]}"#),
    (
        "talk.catalog",
        r#"{"modes":[],"transports":[],"brains":[],"speech":{"providers":[]},"transcription":{"ready":false,"providers":[]},"realtime":{"ready":false,"providers":[]}}"#,
    ),
    ("tasks.list", r#"{"tasks":[]}"#),
    (
        "themes.list",
        r#"{"current":{"requestedId":null},"theme":{"id":"claw","source":"builtin"},"definition":null,"themes":[]}"#,
    ),
    ("plugins.catalog.browse", r#"{"items":[]}"#),
    ("worktrees.list", r#"{"worktrees":[]}"#),
];

pub fn answer(_state: &mut State, call: Call, _params: Value) -> Result<Answer> {
    let found = ANSWERS.iter().find(|(name, _)| *name == call.method);
    Ok(Answer::Now(Payload::Text(found.map_or("{}", |(_, text)| text).into())))
}

#[cfg(test)]
pub fn is_of(method: &str) -> bool {
    ANSWERS.iter().any(|(name, _)| *name == method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{METHODS, Run};

    #[test]
    fn each_row_is_a_method_and_json() {
        for (name, text) in ANSWERS {
            let method =
                METHODS.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name} is no method"));
            assert!(matches!(method.run, Run::State(_)), "{name}");
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{name}");
        }
    }
}
