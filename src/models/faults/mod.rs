//! What went wrong with a call, in words and in kinds, and whether another try or model helps.
pub mod failure;
pub mod foreign;
pub mod page;
pub mod report;
pub mod shortfall;
pub mod verdict;
