//! The table: what was measured, its budget, and whether it holds.

pub struct Report {
    rows: Vec<Row>,
    /// How many times its budget a time may take before it counts as missed: 1 for `make bench`, which wants a
    /// quiet machine; more for the quick run in `make check`, which must not fail because a machine is busy.
    patience: f64,
}

struct Row {
    what: String,
    budget: String,
    measured: String,
    holds: bool,
}

impl Report {
    pub fn new(patience: f64) -> Report {
        Report { rows: Vec::new(), patience }
    }

    /// A figure that must not be above `budget`.
    pub fn at_most(&mut self, what: &str, measured: f64, budget: f64, unit: &str) {
        let patience = if matches!(unit, "ms" | "%") { self.patience } else { 1.0 };
        let limit = budget * patience;
        // What was applied is what stands there; a stretched one is marked.
        let stretched =
            if patience > 1.0 { format!(" (* {patience} × {})", figure(budget)) } else { String::new() };
        self.row(what, format!("≤ {} {unit}{stretched}", figure(limit)), measured, unit, measured <= limit);
    }

    /// Half a budget in the short form.
    pub fn eased(&self, budget: f64) -> f64 {
        if self.patience > 1.0 { budget / 2.0 } else { budget }
    }

    /// A figure that must not be below `budget`.
    pub fn at_least(&mut self, what: &str, measured: f64, budget: f64, unit: &str) {
        self.row(what, format!("≥ {} {unit}", figure(budget)), measured, unit, measured >= budget);
    }

    /// A figure without a budget.
    pub fn note(&mut self, what: &str, measured: f64, unit: &str) {
        self.row(what, "-".to_string(), measured, unit, true);
    }

    fn row(&mut self, what: &str, budget: String, measured: f64, unit: &str, holds: bool) {
        let measured = format!("{} {unit}", figure(measured));
        eprintln!("{what}: {measured}{}", if holds { "" } else { "  MISSED" });
        self.rows.push(Row { what: what.to_string(), budget: budget.trim().to_string(), measured, holds });
    }

    /// Prints the table; whether every budget holds.
    pub fn print(&self) -> bool {
        println!("{}", self.table());
        self.rows.iter().all(|row| row.holds)
    }

    /// What was measured, the limit that was applied to it, and how many held.
    pub fn table(&self) -> String {
        let mut out = "| what | budget | measured |\n| --- | --- | --- |\n".to_string();
        for row in &self.rows {
            let mark = if row.holds { "" } else { " **missed**" };
            out += &format!("| {} | {} | {}{mark} |\n", row.what, row.budget, row.measured.trim());
        }
        if self.patience > 1.0 {
            out += &format!(
                "\n* times of the short form may take {} times their budget; `make bench` does not stretch them\n",
                self.patience
            );
        }
        let missed = self.rows.iter().filter(|r| !r.holds).count();
        out + &format!("\nbudgets: {} held, {missed} missed", self.rows.len() - missed)
    }
}

fn figure(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// The value at `q` (0 to 1) of a list of measurements; 0 of an empty one.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * q).round() as usize;
    sorted.get(at).copied().unwrap_or(0.0)
}

pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
