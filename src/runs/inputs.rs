//! Messages that wait for their turn, as clients are told of them that open the conversation: they stand in no transcript yet.
//!
//! Part of `Runs`, on the state thread.
use super::Runs;
use super::origin::Commands;
use super::run::{Doing, Phase, Run};
use crate::json::json;
use crate::parts::{Parts, within};
use crate::sessions::message;
use serde_json::Value;

/// Most that are told, and bytes of the text of each.
const MOST: usize = 20;
const MAX_TEXT: usize = 16 << 10;

impl Runs {
    /// Oldest first: the words of people, not what the gateway asks itself.
    pub fn pending_inputs(&self, key: &str) -> Value {
        let waiting = self.queues.get(key).into_iter().flatten().filter_map(|id| self.map.get(id));
        let all: Vec<&Run> = waiting.filter(|run| run.is_input()).collect();
        let items: Vec<Value> = all.iter().take(MOST).map(|run| run.as_input()).collect();
        json!({"items": items, "total": (all.len())})
    }
}

impl Run {
    fn is_input(&self) -> bool {
        self.phase == Phase::Waiting
            && matches!(self.doing, Doing::Answer)
            && self.new.origin.surface.commands != Commands::None
            && self.new.around.is_some()
    }

    /// Pictures are named, not sent.
    fn as_input(&self) -> Value {
        let text = &self.new.message;
        let (before, behind) = self.new.around.unwrap_or_default();
        let own = text.part(before..text.len().saturating_sub(behind).max(before));
        let pictures = self.new.images.iter().map(
            |image| json!({"type": "image", "mimeType": (image.get("mimeType").cloned()), "omitted": true}),
        );
        let content: Vec<Value> =
            std::iter::once(message::text(within(own, MAX_TEXT))).chain(pictures).collect();
        let said = json!({"role": "user", "content": content, "timestamp": self.accepted_at,
            "__openclaw": {"idempotencyKey": self.new.id}});
        json!({"id": self.new.id, "runId": self.new.id, "message": said, "acceptedAt": self.accepted_at, "state": "queued"})
    }
}
