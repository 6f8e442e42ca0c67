//! How long answers took: mean, percentiles of a sample, extremes.
use crate::json::json;
use serde_json::Value;

/// How long answers took, milliseconds. Of very many an even sample is kept for the percentile.
#[derive(Debug, Default)]
pub(super) struct Latency {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    pub(super) sample: Vec<u64>,
    /// One of 2 to this power is kept.
    thinned: u32,
}

impl Latency {
    pub(super) const MAX_SAMPLE: usize = 4096;

    pub(super) fn add(&mut self, ms: u64) {
        self.min = if self.count == 0 { ms } else { self.min.min(ms) };
        self.max = self.max.max(ms);
        if self.count.trailing_zeros() >= self.thinned {
            self.sample.push(ms);
        }
        self.count += 1;
        self.sum += ms;
        if self.sample.len() >= Latency::MAX_SAMPLE {
            self.thin();
        }
    }

    /// As if those of `other` had been added.
    pub(super) fn merge(&mut self, other: &Latency) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        (self.count, self.sum) = (self.count + other.count, self.sum + other.sum);
        while self.thinned < other.thinned {
            self.thin();
        }
        let step = 1 << (self.thinned - other.thinned).min(16);
        self.sample.extend(other.sample.iter().step_by(step));
        while self.sample.len() >= Latency::MAX_SAMPLE {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let mut at = 0;
        self.sample.retain(|_| {
            at += 1;
            at % 2 == 1
        });
        self.thinned += 1;
    }

    pub(super) fn to_value(&self) -> Option<Value> {
        let mut sample = self.sample.clone();
        crate::order::sort(&mut sample);
        let at = (sample.len() * 95).div_ceil(100).saturating_sub(1);
        let p95 = *sample.get(at)?;
        let average = self.sum as f64 / self.count as f64;
        Some(
            json!({"count": self.count, "avgMs": average, "p95Ms": p95, "minMs": self.min, "maxMs": self.max}),
        )
    }
}
