//! What traffic asks of the lab: sockets in a node's namespace, and what a name means there. In: nothing. Out: the trait. Opens nothing itself.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::transport::TransportKind;

/// A future that the lab answers.
pub type Answer<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Protocols of sockets with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// TCP (RFC 9293).
    Tcp,
    /// TCP over several ways (RFC 8684).
    Mptcp,
    /// SCTP, one to one (RFC 6458).
    Sctp,
}

impl Streams {
    /// What a transport with connections runs over.
    #[must_use]
    pub fn of(kind: TransportKind) -> Streams {
        match kind {
            TransportKind::Mptcp => Streams::Mptcp,
            TransportKind::Sctp => Streams::Sctp,
            _ => Streams::Tcp,
        }
    }

    /// As `socket` takes it.
    #[must_use]
    pub fn protocol(self) -> socket2::Protocol {
        match self {
            Streams::Tcp => socket2::Protocol::TCP,
            Streams::Mptcp => socket2::Protocol::MPTCP,
            Streams::Sctp => socket2::Protocol::SCTP,
        }
    }
}

/// Sockets that send packets of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packets {
    /// UDP.
    Udp {
        /// IPv6, else IPv4.
        ipv6: bool,
    },
    /// ICMP or ICMPv6, raw.
    Echo {
        /// IPv6, else IPv4.
        ipv6: bool,
    },
    /// Whole packets, header included, that are routed; it receives nothing.
    Raw {
        /// IPv6, else IPv4.
        ipv6: bool,
    },
    /// Whole frames out of memory that the kernel knows (AF_XDP), to an interface that it is still to be bound to.
    Express,
}

/// The door through which sockets come. The lab implements it; tests implement it on loopback.
pub trait Sockets: Send + Sync {
    /// `count` unbound, unconnected, non-blocking, close-on-exec sockets of a protocol in a node's namespace.
    ///
    /// # Errors
    /// The kernel's, such as EMFILE when descriptors run out.
    fn streams(&self, node: NodeId, over: Streams, ipv6: bool, count: usize) -> Answer<Vec<OwnedFd>>;

    /// A bound, non-blocking, close-on-exec socket of a protocol with `SO_REUSEADDR`, which does not listen yet; for `[::]` it takes IPv4 too.
    ///
    /// # Errors
    /// The kernel's: EADDRINUSE when the port is in use, EADDRNOTAVAIL when the node has no such address.
    fn stream_listener(&self, node: NodeId, over: Streams, address: SocketAddr) -> Answer<OwnedFd>;

    /// `count` unbound, unconnected, non-blocking, close-on-exec sockets in a node's namespace.
    ///
    /// # Errors
    /// The kernel's.
    fn packets(&self, node: NodeId, kind: Packets, count: usize) -> Answer<Vec<OwnedFd>>;

    /// A bound, non-blocking, close-on-exec UDP socket; for `[::]` it takes IPv4 too.
    ///
    /// # Errors
    /// The kernel's: EADDRINUSE when the port is in use, EADDRNOTAVAIL when the node has no such address.
    fn udp_listener(&self, node: NodeId, address: SocketAddr) -> Answer<OwnedFd>;

    /// What the kernel of a node counts of UDP: files of `/proc/net`, which stay those of the node.
    ///
    /// # Errors
    /// Those of `/proc`, which may not be there.
    fn account_of_udp(&self, node: NodeId) -> Answer<Vec<File>>;

    /// A non-blocking, close-on-exec socket of whole frames, bound to an interface of a node; it receives nothing until it is bound to a
    /// protocol too.
    ///
    /// # Errors
    /// The kernel's: ENODEV when the node has no such interface.
    fn frames(&self, node: NodeId, interface: &str) -> Answer<OwnedFd>;

    /// The addresses of a name as a program in the node finds them, in the resolver's order, at least one.
    ///
    /// # Errors
    /// The resolver's words, or `TimedOut` when it gave no answer within the limit.
    fn look_up(&self, node: NodeId, name: &str, limit: Duration) -> Answer<Vec<IpAddr>>;
}
