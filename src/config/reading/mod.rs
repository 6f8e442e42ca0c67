//! From the file to what is set: parsed, put together, checked; where a mistake stands and what it costs.
pub(in crate::config) mod aliases;
mod bars;
pub(in crate::config) mod bound;
pub(in crate::config) mod check;
pub(in crate::config) mod damage;
pub(in crate::config) mod excerpt;
pub(in crate::config) mod include;
mod keeping;
pub(in crate::config) mod kinds;
pub(in crate::config) mod legacy;
pub(in crate::config) mod lenient;
pub(in crate::config) mod load;
pub mod parse;
pub(in crate::config) mod refusal;
pub(in crate::config) mod shape;
pub(in crate::config) mod sources;
pub(in crate::config) mod spot;
pub mod substitute;
