//! Floods: lines that are alike but for their numbers are written a few times, then counted (R-13c).
//!
//! Pure over the lines' own times. A storm of 100,000 failures writes a few lines and then one summary at
//! growing intervals; debug lines are not judged, because whoever asks for them wants them all.
use super::Line;
use log::Level;
use std::collections::HashMap;
use std::time::Duration;

/// Alike lines written before counting begins, within one calm period.
const FREE: u64 = 5;
/// Silence after which a kind of line is new again, milliseconds.
const CALM: u64 = 10_000;
const FIRST_SUMMARY: u64 = 1_000;
const MAX_SUMMARY: u64 = 60_000;
const MAX_KINDS: usize = 256;
/// How often summaries are looked for while something is counted.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Write,
    Count,
}

#[derive(Default)]
pub struct Flood {
    kinds: HashMap<String, Kind>,
}

struct Kind {
    written: u64,
    counted: u64,
    last: u64,
    summary_at: u64,
    interval: u64,
    level: Level,
    target: String,
    sample: String,
}

impl Flood {
    pub fn judge(&mut self, line: &Line) -> Verdict {
        if line.level > Level::Info {
            return Verdict::Write;
        }
        if self.kinds.len() >= MAX_KINDS {
            self.kinds.retain(|_, k| k.counted > 0 || line.at < k.last + CALM);
        }
        let key = format!("{} {}", line.target, shape(&line.text));
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&key) {
            return Verdict::Write;
        }
        let kind = self.kinds.entry(key).or_insert_with(|| Kind {
            written: 0,
            counted: 0,
            last: line.at,
            summary_at: 0,
            interval: FIRST_SUMMARY,
            level: line.level,
            target: line.target.clone(),
            sample: line.text.clone(),
        });
        if kind.counted == 0 && line.at >= kind.last + CALM {
            (kind.written, kind.interval) = (0, FIRST_SUMMARY);
        }
        kind.last = line.at;
        kind.sample.clone_from(&line.text);
        if kind.written < FREE {
            kind.written += 1;
            return Verdict::Write;
        }
        if kind.counted == 0 {
            kind.summary_at = line.at + kind.interval;
        }
        kind.counted += 1;
        Verdict::Count
    }

    /// How long the caller may sleep before it asks for summaries, if any are owed.
    pub fn next_summary(&self) -> Option<Duration> {
        self.kinds.values().any(|k| k.counted > 0).then_some(LOOK)
    }

    /// Summaries that are due at `now`.
    pub fn due(&mut self, now: u64) -> Vec<Line> {
        self.kinds
            .values_mut()
            .filter(|k| k.counted > 0 && now >= k.summary_at)
            .map(|k| k.summary(now))
            .collect()
    }

    /// All summaries owed, for the end of the process.
    pub fn all(&mut self) -> Vec<Line> {
        self.kinds.values_mut().filter(|k| k.counted > 0).map(|k| k.summary(k.last)).collect()
    }
}

impl Kind {
    fn summary(&mut self, now: u64) -> Line {
        let text = format!("{} (and {} more like this)", self.sample, self.counted);
        self.counted = 0;
        self.interval = (self.interval * 2).min(MAX_SUMMARY);
        Line { at: now, level: self.level, target: self.target.clone(), text }
    }
}

/// The text with each run of digits as one `#`.
fn shape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(120) {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if c != '#' || !out.ends_with('#') {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: u64, text: &str) -> Line {
        Line { at, level: Level::Warn, target: "gateway".into(), text: text.into() }
    }

    #[test]
    fn r_13c_a_storm_writes_few_lines_and_says_how_many_there_were() {
        let mut flood = Flood::default();
        let (mut written, mut told) = (0, 0);
        for n in 0..100_000u64 {
            let at = n / 2;
            written += u64::from(flood.judge(&line(at, &format!("refused conn={n}"))) == Verdict::Write);
            for summary in flood.due(at) {
                written += 1;
                told += summary.text.split(' ').rev().nth(3).unwrap().parse::<u64>().unwrap();
            }
        }
        told += flood
            .all()
            .iter()
            .map(|s| s.text.split(' ').rev().nth(3).unwrap().parse::<u64>().unwrap())
            .sum::<u64>();
        assert!(written < 100, "{written}");
        assert_eq!(told + FREE, 100_000);
    }

    #[test]
    fn different_lines_and_calm_repetitions_are_all_written() {
        let mut flood = Flood::default();
        for n in 0..50 {
            assert_eq!(flood.judge(&line(n * CALM, "same")), Verdict::Write);
            assert_eq!(flood.judge(&line(n * CALM, &"x".repeat(n as usize))), Verdict::Write);
        }
    }
}
