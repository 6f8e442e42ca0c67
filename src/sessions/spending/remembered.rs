//! The sums of large transcripts that were counted lately, so that whoever asks again and again has none of them read again.
//!
//! Shared by the connections' threads; the lock is held to look something up. A transcript that has changed is counted anew.
use super::usage::Span;
use super::usage_report::{Summary, add_transcript};
use super::usage_scan::{Budget, File};
use crate::config::Config;
use crate::error::Result;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is smaller, in bytes, is read as quickly as it is found here.
const LEAST: u64 = 64 << 10;
/// The sums may take so much memory together, in bytes, and are forgotten when nobody asks for so long.
const MOST: usize = 1 << 20;
const LIFE: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
pub struct Remembered(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    key: Key,
    sums: Arc<Summary>,
    asked: Instant,
}

/// Which file as it was, which days, and by which prices.
#[derive(Debug, Clone, PartialEq)]
struct Key {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    span: Span,
    prices: u64,
}

impl Key {
    fn of(found: &Metadata, span: Span, config: &Config) -> Key {
        Key {
            file: (found.dev(), found.ino()),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            span,
            prices: prices_of(config),
        }
    }
}

/// What tokens cost, told apart by a number.
fn prices_of(config: &Config) -> u64 {
    let mut hasher = DefaultHasher::new();
    config.get("models.providers").map(ToString::to_string).hash(&mut hasher);
    hasher.finish()
}

impl Remembered {
    /// The sums of a transcript over the days of `span`: those of an earlier request, or counted now.
    pub fn sums(
        &self,
        file: &File,
        config: &Config,
        span: &Span,
        budget: &mut Budget,
    ) -> Result<Arc<Summary>> {
        let key = |path: &Path| std::fs::metadata(path).ok().map(|found| Key::of(&found, *span, config));
        let before = key(&file.path).filter(|key| key.size >= LEAST);
        if let Some(sums) = before.as_ref().and_then(|key| self.known(key)) {
            return Ok(sums);
        }
        let mut own = Summary::default();
        add_transcript(&file.path, config, span, budget, &mut [&mut own])?;
        let sums = Arc::new(own);
        if let Some(before) = before
            && !budget.is_spent
            && key(&file.path).as_ref() == Some(&before)
        {
            self.keep(before, sums.clone());
        }
        Ok(sums)
    }

    fn known(&self, key: &Key) -> Option<Arc<Summary>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|kept| kept.asked.elapsed() < LIFE);
        let kept = all.iter_mut().find(|kept| kept.key == *key)?;
        kept.asked = Instant::now();
        Some(kept.sums.clone())
    }

    /// What does not fit is not kept: others would go that are asked for as often.
    fn keep(&self, key: Key, sums: Arc<Summary>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|kept| (kept.key.file, kept.key.span) != (key.file, key.span));
        let size = |kept: &Kept| kept.sums.size();
        if all.iter().map(size).sum::<usize>() + sums.size() <= MOST {
            all.push(Kept { key, sums, asked: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::TestDir;

    #[test]
    fn s_m5_a_transcript_is_counted_once_until_it_changes() {
        let (dir, config, remembered) = (TestDir::new(), Config::empty(), Remembered::default());
        let path = dir.0.join("a.jsonl");
        let line = |tokens: u64| {
            format!(
                "{{\"timestamp\":\"2026-11-20T00:00:00Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{}\",\"usage\":{{\"input\":{tokens}}}}}}}\n",
                "x".repeat(70_000)
            )
        };
        let span = Span::of(Some("2026-11-01"), Some("2026-11-30"), None, 0).unwrap();
        let count = |text: &str, budget: u64| {
            std::fs::write(&path, text).unwrap();
            let file = File { path: path.clone(), name: "a.jsonl".into(), modified: 0 };
            let mut budget = Budget::new(budget);
            let first = remembered.sums(&file, &config, &span, &mut budget).unwrap();
            let again = remembered.sums(&file, &config, &span, &mut Budget::new(0)).unwrap();
            (first.totals.tokens.input, again.totals.tokens.input)
        };
        assert_eq!(count(&line(5), 1 << 20), (5, 5), "the second time nothing is read");
        assert_eq!(count(&(line(5) + &line(2)), 1 << 20), (7, 7));
        assert_eq!(
            count(&(line(5) + &line(2) + &line(1)), 140_300),
            (7, 0),
            "a part is not kept for the whole"
        );
        assert_eq!(
            count("{\"message\":{\"role\":\"assistant\",\"usage\":{\"input\":9}}}", 1 << 20),
            (9, 0),
            "small"
        );
    }
}
