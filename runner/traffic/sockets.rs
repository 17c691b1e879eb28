//! What traffic asks of the lab: sockets in a node's namespace. In: nothing. Out: the trait. Opens nothing itself.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use scn_grammar::scenario::NodeId;

/// A future that the lab answers.
pub type Answer<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

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
}

/// The door through which sockets come. The lab implements it; tests implement it on loopback.
pub trait Sockets: Send + Sync {
    /// `count` unbound, unconnected, non-blocking, close-on-exec TCP sockets in a node's namespace.
    ///
    /// # Errors
    /// The kernel's, such as EMFILE when descriptors run out.
    fn tcp(&self, node: NodeId, ipv6: bool, count: usize) -> Answer<Vec<OwnedFd>>;

    /// A bound, non-blocking, close-on-exec TCP socket with `SO_REUSEADDR`, which does not listen yet; for `[::]` it takes IPv4 too.
    ///
    /// # Errors
    /// The kernel's: EADDRINUSE when the port is in use, EADDRNOTAVAIL when the node has no such address.
    fn tcp_listener(&self, node: NodeId, address: SocketAddr) -> Answer<OwnedFd>;

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

    /// A non-blocking, close-on-exec socket of whole frames, bound to an interface of a node; it receives nothing until it is bound to a
    /// protocol too.
    ///
    /// # Errors
    /// The kernel's: ENODEV when the node has no such interface.
    fn frames(&self, node: NodeId, interface: &str) -> Answer<OwnedFd>;
}
