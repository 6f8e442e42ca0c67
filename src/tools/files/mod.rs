//! Tools for the files of a workspace.
pub mod change;
pub(in crate::tools) mod edit;
pub(in crate::tools) mod likeness;
pub(in crate::tools) mod read;
pub(in crate::tools) mod workspace;
pub(in crate::tools) mod write;
