//! QUIC (RFC 9000) below flows and services, through quinn. In: what the plan says, the configurations of TLS, UDP sockets from the lab. Out: connections, and streams on
//! which patterns are played as on a connection of TCP. Opens no socket, and lets quinn spawn nothing: what keeps connections going is carried on by the task they
//! belong to, so that it stands still, ends and is silent with it.
//!
//! ```text
//! plan, tls --configure--> Prepared --+--> Opening --> Link --+--> Stream --> patterns
//!                                     +--> server ------------+
//!                    Udp --packets--> Driver (quinn) --^
//! ```
//!
//! Each connection of a flow has a socket of its own. A lane of it repeats the pattern on one bidirectional stream, which is opened by whoever sends first on it.

mod arriving;
mod configure;
mod driver;
mod ends;
mod link;
pub mod server;
mod stream;
#[cfg(test)]
mod tests;
mod udp;

use scn_grammar::scenario::transport::{Listener, Transport};

pub use configure::Prepared;
pub use ends::told;
pub use link::{Link, Opening};

use crate::plan::types::PlannedFlow;

/// A connection that is closed hears so long of what was on its way, ns; a server's last word gets so long to arrive.
pub const LINGER_NS: i64 = 1_000_000_000;

/// What a client said last gets so long to arrive, ns: a connection on which nothing comes for that long is over by itself.
pub const SETTLE_NS: i64 = 30_000_000_000;

/// A flow runs over it.
pub fn carries(flow: &PlannedFlow) -> bool {
    matches!(flow.transport, Transport::Quic { .. })
}

/// A listener takes it.
pub fn listens(listener: &Listener) -> bool {
    matches!(listener, Listener::Quic { .. })
}

/// Streams of one connection at once: no more than it has transactions.
pub fn streams(flow: &PlannedFlow) -> u64 {
    let most = flow.load.transactions.or(flow.load.total.map(|_| 1)).unwrap_or(u64::MAX);
    match &flow.transport {
        Transport::Quic { streams, .. } => (*streams).min(most).max(1),
        _ => 1,
    }
}
