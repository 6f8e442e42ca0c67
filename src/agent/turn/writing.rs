//! What a turn writes into the transcript.
use super::Turn;
use crate::clock;
use crate::error::{Error, Kind, Result};
use crate::models::provider::{Completion, Usage};
use crate::sessions::message;
use serde_json::Value;

impl Turn<'_> {
    /// Takes the content out of it: it may be long.
    #[inline(never)]
    pub(super) fn write_answer(&mut self, completion: &mut Completion) -> Result<()> {
        let usage = completion.usage;
        self.finished.usage.add(&usage);
        self.finished.cost += self.setting.as_ref().map_or(0.0, |s| s.provider.cost.of(&usage).total());
        let counted = usage.input + usage.cache_read + usage.cache_write;
        self.finished.context_tokens = Some(if counted > 0 { counted } else { self.guess });
        let stop = completion.stop_reason;
        self.finished.stop_reason = stop;
        self.write_message(std::mem::take(&mut completion.content), stop, usage, None)
    }

    /// Writes down what came before the failure, so that the history shows it, and gives the failure on.
    #[inline(never)]
    pub(super) fn fail(&mut self, error: Error) -> Result<()> {
        let is_aborted = error.kind == Kind::Aborted;
        if self.is_written || (!self.has_said && is_aborted) {
            return Err(error);
        }
        let kept = self.kept.take().unwrap_or_default();
        let stop = if is_aborted { "aborted" } else { "error" };
        let said = (!is_aborted).then(|| error.message().to_string());
        self.write_message(kept.content, stop, kept.usage, said.as_deref())?;
        Err(error)
    }

    fn write_message(
        &mut self,
        content: Vec<Value>,
        stop_reason: &str,
        usage: Usage,
        error_message: Option<&str>,
    ) -> Result<()> {
        let Some(setting) = &self.setting else { return Ok(()) };
        let provider = &setting.provider;
        let answer = message::Assistant {
            content,
            api: provider.api.name(),
            provider: &provider.id,
            model: &provider.model,
            usage: message::Usage {
                input: usage.input,
                output: usage.output,
                cache_read: usage.cache_read,
                cache_write: usage.cache_write,
                cost: provider.cost.of(&usage),
            },
            stop_reason,
            error_message,
        };
        let entry = message::assistant(answer, clock::now_ms());
        (self.is_written, self.has_said) = (true, false);
        let (text, written) = self.job.write_answer(entry);
        self.finished.said(text);
        written
    }
}
