//! Tools for the files of a workspace.
pub(in crate::tools) mod apply_patch;
pub mod change;
pub(in crate::tools) mod edit;
pub(in crate::tools) mod image;
pub(in crate::tools) mod likeness;
mod patch;
pub(in crate::tools) mod read;
pub(in crate::tools) mod workspace;
pub(in crate::tools) mod write;
