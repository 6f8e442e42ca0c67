//! Who asks, and the way back to him: callers, their calls, the reply to each, and the outbox of a connection.
//!
//! Types that travel between threads; each file says who owns what. A caller is a client on the wire or a part of
//! this process, and what is called cannot tell the difference.
pub mod budget;
mod call;
mod caller;
pub mod line;
mod making;
pub mod outbox;
mod pending;
mod queue;
pub mod stream;
mod wake;

pub use call::{Ask, Call, EXEC_TOLD, Reply, SUBAGENT_SPAWN, Said, TURN_MAY, Whom, log_failure};
pub use caller::{Caller, Provenance};
pub use pending::{Party, Pending, Question};
pub use wake::Wake;
