//! Tools for what an agent wrote down to remember.
pub(in crate::tools) mod memory;
pub(in crate::tools) mod memory_get;
pub(in crate::tools) mod memory_search;
