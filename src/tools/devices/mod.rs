//! Tools that reach nodes: `nodes` has one do something, `canvas` shows pages and surfaces on its screen. `node` says which one
//! is meant, `media` keeps what it gives.
pub(in crate::tools) mod canvas;
pub(in crate::tools) mod media;
pub(in crate::tools) mod node;
pub(in crate::tools) mod nodes;
