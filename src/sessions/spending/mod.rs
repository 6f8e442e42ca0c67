//! Tokens and costs, by session and by day.
mod latency;
pub mod remembered;
pub mod usage;
pub mod usage_report;
pub mod usage_scan;
pub mod usage_series;
