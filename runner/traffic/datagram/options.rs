//! Socket options of datagram flows and services: set, and read back, since the kernel may take an option and do otherwise. In: the
//! scenario's options. Out: a socket that has them, or what the kernel refused. Opens nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use scn_grammar::scenario::transport::{Icmp, Listener, Socket, Transport};
use socket2::SockRef;

use super::socket::set_number;

/// Room that a socket is given when nothing is said, bytes, if the kernel allows it: what waits there while the program is busy must
/// not be lost.
const ROOM: usize = 4 << 20;
/// Bits of the old type of service that are not the code point.
const NOT_DSCP: u32 = 3;

/// Sets and reads a size.
type Set = fn(&SockRef<'_>, usize) -> io::Result<()>;
type Get = fn(&SockRef<'_>) -> io::Result<usize>;

/// What a flow or service says of its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Time to live, hop limit.
    pub ttl: Option<u8>,
    /// Code point.
    pub dscp: Option<u8>,
    /// Firewall mark.
    pub mark: Option<u32>,
    /// Send buffer, bytes.
    pub send_buffer: Option<u64>,
    /// Receive buffer, bytes.
    pub receive_buffer: Option<u64>,
    /// Packets may not be fragmented (`Some(true)`), or may (`Some(false)`); `None`: as the kernel does.
    pub dont_fragment: Option<bool>,
}

impl Options {
    /// Those of UDP, and what they have in common with those of TCP.
    pub fn of_socket(socket: &Socket) -> Options {
        let Socket { ttl, dscp, mark, send_buffer, receive_buffer, .. } = *socket;
        Options { ttl, dscp, mark, send_buffer, receive_buffer, dont_fragment: None }
    }

    /// Those of a flow.
    pub fn of_flow(transport: &Transport) -> Options {
        match transport {
            Transport::Udp { socket, .. } | Transport::Quic { socket, .. } => Options::of_socket(socket),
            Transport::Icmp(Icmp { ttl, dont_fragment, dscp, mark }) => {
                Options { ttl: *ttl, dscp: *dscp, mark: *mark, dont_fragment: Some(*dont_fragment), ..Options::default() }
            }
            _ => Options::default(),
        }
    }

    /// Those of a service.
    pub fn of_listener(listener: &Listener) -> Options {
        match listener {
            Listener::Udp { socket, .. } | Listener::Quic { socket, .. } => Options::of_socket(socket),
            _ => Options::default(),
        }
    }

    /// Sets all of them.
    ///
    /// # Errors
    /// The option that the kernel refused, or took and did not keep.
    pub fn set(&self, socket: &OwnedFd, ipv6: bool) -> io::Result<()> {
        let plain = SockRef::from(socket);
        // Without the option the kernel's own size does, if it allows no more.
        let _ = plain.set_recv_buffer_size(ROOM);
        // More than the kernel keeps for a neighbour that does not answer: it then drops the oldest, and nothing stands in the way of the rest.
        let _ = plain.set_send_buffer_size(ROOM);
        if let Some(fragments) = self.dont_fragment {
            discover(socket.as_fd(), ipv6, fragments).map_err(|error| refused("df", &error))?;
        }
        self.set_common(&plain, ipv6)
    }

    /// Sets those that sockets of connections have too.
    ///
    /// # Errors
    /// As of [`Options::set`].
    pub fn set_common(&self, plain: &SockRef<'_>, ipv6: bool) -> io::Result<()> {
        if let Some(ttl) = self.ttl {
            let ttl = u32::from(ttl);
            if ipv6 {
                keep("ttl", ttl, plain.set_unicast_hops_v6(ttl), || plain.unicast_hops_v6())?;
            }
            keep("ttl", ttl, unless(ipv6, || plain.set_ttl_v4(ttl)), || if ipv6 { Ok(ttl) } else { plain.ttl_v4() })?;
        }
        if let Some(dscp) = self.dscp {
            let class = u32::from(dscp) << 2;
            if ipv6 {
                keep("dscp", class, plain.set_tclass_v6(class), || plain.tclass_v6().map(|class| class & !NOT_DSCP))?;
            }
            keep("dscp", class, unless(ipv6, || plain.set_tos_v4(class)), || {
                if ipv6 { Ok(class) } else { plain.tos_v4().map(|class| class & !NOT_DSCP) }
            })?;
        }
        if let Some(mark) = self.mark {
            keep("mark", mark, plain.set_mark(mark), || plain.mark())?;
        }
        self.buffers(plain)
    }

    /// The kernel doubles what it is told, for its own use of the room, and lowers what is over its limit.
    fn buffers(&self, socket: &SockRef<'_>) -> io::Result<()> {
        let sizes: [(_, _, Set, Get); 2] = [
            ("send_buffer", self.send_buffer, |socket, size| socket.set_send_buffer_size(size), |socket| socket.send_buffer_size()),
            ("receive_buffer", self.receive_buffer, |socket, size| socket.set_recv_buffer_size(size), |socket| socket.recv_buffer_size()),
        ];
        for (name, wanted, set, get) in sizes {
            let Some(wanted) = wanted.map(|wanted| usize::try_from(wanted).unwrap_or(usize::MAX)) else { continue };
            set(socket, wanted).map_err(|error| refused(name, &error))?;
            let kept = get(socket)?;
            if kept / 2 < wanted {
                return Err(io::Error::other(format!("`{name}`: {wanted} bytes were asked for, the kernel allows {}", kept / 2)));
            }
        }
        Ok(())
    }
}

/// A socket of IPv6 that speaks IPv4 too has options of both; one that does not refuses those of IPv4, which matters to nobody.
fn unless(ipv6: bool, set: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match set() {
        Err(_) if ipv6 => Ok(()),
        other => other,
    }
}

/// What is read back is what was set.
pub fn keep(name: &str, wanted: u32, set: io::Result<()>, get: impl Fn() -> io::Result<u32>) -> io::Result<()> {
    set.map_err(|error| refused(name, &error))?;
    let kept = get()?;
    if kept == wanted { Ok(()) } else { Err(io::Error::other(format!("`{name}`: the kernel made {kept} of {wanted}"))) }
}

/// An error with the option's name.
pub fn refused(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{name}`: {error}"))
}

/// Forbids fragments, on the way too, without heeding what the kernel learned of the path: each packet shall meet its own fate.
fn discover(socket: BorrowedFd<'_>, ipv6: bool, never: bool) -> io::Result<()> {
    match (ipv6, never) {
        (false, true) => set_number(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
        (false, false) => set_number(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT),
        (true, true) => {
            set_number(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
            set_number(socket, libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 1)
        }
        (true, false) => set_number(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DONT),
    }
}
