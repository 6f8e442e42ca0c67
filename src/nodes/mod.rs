//! Nodes as data: devices that do things for the gateway, such as phones and other hosts. What one may be told
//! (`allowed`), what it says of itself (`node`), how a command for one is made harmless (`command`), what waits for one that
//! sleeps (`asleep`), the files of the older pairing (`older`), and
//! whether what is pushed to a screen can be shown (`a2ui`).
//!
//! Plain functions on any thread; only `older` reads and writes files. Which nodes are connected is the state's
//! (`state/nodes.rs`).
pub mod a2ui;
pub mod allowed;
pub mod asleep;
pub mod command;
pub mod node;
pub mod older;
