//! Sums over several transcripts out of those over each, and how much memory one takes.
use super::{Counts, Day, Latency, Models, Summary};

impl Summary {
    /// As if all that was added to `other` had been added here.
    pub fn merge(&mut self, other: &Summary) {
        self.totals.merge(&other.totals);
        self.counts.merge(&other.counts);
        for (day, sums) in &other.days {
            let own = self.days.entry(*day).or_default();
            own.totals.merge(&sums.totals);
            own.answers += sums.answers;
            own.counts.merge(&sums.counts);
            merge_models(&mut own.models, &sums.models);
            own.latency.merge(&sums.latency);
        }
        merge_models(&mut self.models, &other.models);
        for (name, count) in &other.tools {
            *self.tools.entry(name.clone()).or_default() += count;
        }
        self.latency.merge(&other.latency);
        if let Some((first, last)) = other.active {
            let (own_first, own_last) = self.active.unwrap_or((first, last));
            self.active = Some((own_first.min(first), own_last.max(last)));
        }
    }

    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let samples = |latency: &Latency| 8 * latency.sample.len();
        let of_day = |day: &Day| 500 + 200 * day.models.len() + samples(&day.latency);
        let days: usize = self.days.values().map(of_day).sum();
        1000 + days + 200 * self.models.len() + 100 * self.tools.len() + samples(&self.latency)
    }
}

impl Counts {
    fn merge(&mut self, other: &Counts) {
        self.user += other.user;
        self.assistant += other.assistant;
        self.tool_calls += other.tool_calls;
        self.tool_results += other.tool_results;
        self.errors += other.errors;
    }
}

fn merge_models(own: &mut Models, other: &Models) {
    for (model, (count, totals)) in other {
        let sum = own.entry(model.clone()).or_default();
        sum.0 += count;
        sum.1.merge(totals);
    }
}
