//! What an answer comes to when nothing more comes: a completion, why it is none, and what is kept of that.
use super::Reply;
use crate::metrics::{self, Metric};
use crate::models::content;
use crate::models::draft::{End, Stop};
use crate::models::failure::Failure;
use crate::models::provider::{Chunk, Completion, Kept, Usage};

impl Reply<'_> {
    /// The answer as a whole, or why it is none.
    pub fn complete(&mut self) -> Result<Completion, Failure> {
        match self.draft.finish().and_then(|()| self.reader.end(&mut self.draft)) {
            Err(Stop::Failure(failure)) => return Err(*failure),
            Err(Stop::Reported(error)) => return Err(self.reported(&error)),
            Err(Stop::Fault(_)) => return Err(Failure::too_long(self.p)),
            Ok(()) => {}
        }
        let end = match self.draft.end {
            Some(End::Refused) => return Err(self.refused()),
            _ if self.broke_off.is_some() && self.spoke() => return Err(self.cut_off()),
            _ if !self.is_finished() && self.spoke() => return Err(self.cut_off()),
            Some(End::Broken) => return Err(self.cut_off()),
            end => end.unwrap_or(End::Stop),
        };
        if !self.draft.has_answer() && !self.is_silent_end(end) {
            return Err(self.no_answer(end));
        }
        let usage = self.counted();
        let details = std::mem::take(&mut self.draft.details);
        let is_paused = end == End::Paused;
        let (content, tool_calls) = content::of(self.draft.take_blocks(), details, is_paused);
        let stop_reason = match end {
            _ if !tool_calls.is_empty() => "toolUse",
            End::Length => "length",
            End::Stop | End::Paused | End::Refused | End::Broken => "stop",
        };
        Ok(Completion { content, stop_reason, usage, tool_calls, is_paused })
    }

    /// Whether the model ends a turn without another word, as many do after a tool whose work needs none.
    fn is_silent_end(&self, end: End) -> bool {
        let is_told = self.draft.done || self.draft.end.is_some();
        self.has_acted && is_told && end == End::Stop && self.skipped.is_none()
    }

    /// The tokens of an answer that has ended, one way or the other.
    fn counted(&self) -> Usage {
        let usage = self.draft.usage;
        metrics::add(Metric::TokensIn, usage.input + usage.cache_read + usage.cache_write);
        metrics::add(Metric::TokensOut, usage.output);
        usage
    }

    /// Hands on what came of an answer that fails; of one that somebody stopped, what it said.
    pub fn keep(&mut self, is_stopped: bool) {
        // The answer failed already; what cannot be settled any more is left out.
        let _ = self.draft.finish();
        let (mut content, ..) = content::of(self.draft.take_blocks(), Vec::new(), false);
        content.retain(|block| block.get("type").is_some_and(|kind| kind != "toolCall"));
        content.retain(|block| !is_stopped || block.get("type").is_some_and(|kind| kind == "text"));
        let usage = if is_stopped { Usage::default() } else { self.counted() };
        let kept = Kept { content, usage };
        if kept != Kept::default() {
            self.draft.tell(Chunk::Kept(Box::new(kept)));
        }
    }
}
