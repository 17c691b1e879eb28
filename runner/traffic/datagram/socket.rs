//! Many datagrams with one call to the kernel, the address that each was sent to, and the kernel's queue of errors. In: sockets. Out:
//! bytes, addresses, errors. Knows nothing of flows.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams of one call.
pub const BATCH: usize = 32;
/// Room for the largest datagram, bytes.
const LARGEST: usize = 65_536;
/// What the kernel copies to the beginning of a page it copies many times as fast, bytes.
const PAGE: usize = 4096;
/// Room for a datagram's ancillary data, bytes: an `in6_pktinfo` and an `in_pktinfo` with their headers, rounded up.
const CONTROL: usize = 128;
/// `UDP_SEGMENT` and `UDP_GRO` of linux/udp.h.
const UDP_SEGMENT: i32 = 103;
const UDP_GRO: i32 = 104;
/// The place of dropped packets in what the kernel tells of a socket's memory.
const MEMINFO_DROPS: usize = 8;
/// `SO_MEMINFO` of asm-generic/socket.h.
const SO_MEMINFO: i32 = 55;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// Where a datagram goes to and from which of our addresses; the interface counts for link-local addresses only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The other end.
    pub peer: SocketAddr,
    /// This end; unspecified: whichever the kernel takes, for what came to a group of IPv6.
    pub own: IpAddr,
    /// The interface it came by; 0: any.
    pub interface: u32,
}

/// Buffers for what is received; made once for each worker.
pub struct Arrivals {
    data: Box<[u8]>,
    /// Where in it the first page begins.
    start: usize,
    names: Box<[libc::sockaddr_in6; BATCH]>,
    controls: Box<[Control; BATCH]>,
    lengths: [usize; BATCH],
    control_lengths: [usize; BATCH],
}

impl Arrivals {
    /// Room for a batch. Memory that no datagram reaches is never touched.
    pub fn new() -> Arrivals {
        // SAFETY: `sockaddr_in6` is plain integers, for which all zeros are valid.
        let name = unsafe { std::mem::zeroed::<libc::sockaddr_in6>() };
        let data = vec![0; LARGEST * BATCH + PAGE].into_boxed_slice();
        let start = data.as_ptr().align_offset(PAGE).min(PAGE);
        Arrivals {
            data,
            start,
            names: Box::new([name; BATCH]),
            controls: Box::new([Control([0; CONTROL]); BATCH]),
            lengths: [0; BATCH],
            control_lengths: [0; BATCH],
        }
    }

    /// Takes what waits, at most a batch: how many datagrams. Never waits.
    #[expect(clippy::unnecessary_cast, reason = "of another width in other C libraries")]
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: both structures are integers and pointers, for which all zeros are valid.
        let (mut parts, mut headers) =
            unsafe { (std::mem::zeroed::<[libc::iovec; BATCH]>(), std::mem::zeroed::<[libc::mmsghdr; BATCH]>()) };
        for (at, room) in self.data[self.start..].chunks_exact_mut(LARGEST).take(BATCH).enumerate() {
            parts[at] = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: LARGEST };
            let header = &mut headers[at].msg_hdr;
            header.msg_name = (&raw mut self.names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[at]).cast();
            header.msg_controllen = CONTROL as _;
        }
        // SAFETY: each header points at memory of this structure and of this function that lives through the call, disjoint from
        // that of the others, with its true lengths; the kernel writes no more than these.
        let count =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), BATCH as _, libc::MSG_DONTWAIT as _, std::ptr::null_mut()) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (at, header) in headers.iter().enumerate().take(count) {
            self.lengths[at] = header.msg_len as usize;
            self.control_lengths[at] = header.msg_hdr.msg_controllen as usize;
        }
        Ok(count)
    }

    /// The bytes of a datagram of the last batch.
    pub fn bytes(&self, at: usize) -> &[u8] {
        &self.data[self.start + at * LARGEST..][..self.lengths[at].min(LARGEST)]
    }

    /// Where a datagram of the last batch came from, and to which address; `None`: the kernel did not tell.
    pub fn way(&self, at: usize) -> Option<Way> {
        let peer = socket_address(&self.names[at])?;
        let (own, interface) = self.destination(at)?;
        Some(Way { peer, own, interface })
    }

    /// The datagrams of one arrival: several where the kernel had joined them.
    pub fn pieces(&self, at: usize) -> impl Iterator<Item = &[u8]> {
        let bytes = self.bytes(at);
        let size = self.told::<libc::c_int>(at, libc::IPPROTO_UDP, UDP_GRO).and_then(|size| usize::try_from(size).ok());
        // What is empty is a datagram too.
        let size = size.filter(|size| *size > 0).unwrap_or(bytes.len()).max(1);
        let empty = bytes.is_empty().then_some(bytes);
        empty.into_iter().chain(bytes.chunks(size))
    }

    #[expect(clippy::unnecessary_cast, reason = "of another width in other C libraries")]
    fn destination(&self, at: usize) -> Option<(IpAddr, u32)> {
        // Of a broadcast and of a group this is an own address, by which it can be answered; a socket of IPv6 is told it of IPv4 too.
        if let Some(info) = self.told::<libc::in_pktinfo>(at, libc::IPPROTO_IP, libc::IP_PKTINFO) {
            let own = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
            return Some((own.into(), info.ipi_ifindex.cast_unsigned()));
        }
        let info = self.told::<libc::in6_pktinfo>(at, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)?;
        let own = Ipv6Addr::from(info.ipi6_addr.s6_addr);
        let own = if own.is_multicast() { Ipv6Addr::UNSPECIFIED } else { own };
        Some((own.into(), info.ipi6_ifindex as u32))
    }

    /// What the kernel told of a datagram in a message of this kind, which holds plain integers.
    #[expect(clippy::unnecessary_cast, reason = "of another width in other C libraries")]
    fn told<T: Plain>(&self, at: usize, level: i32, kind: i32) -> Option<T> {
        // SAFETY: a `msghdr` of zeros is valid; only its control part is used below.
        let mut header = unsafe { std::mem::zeroed::<libc::msghdr>() };
        header.msg_control = (&raw const self.controls[at]).cast_mut().cast();
        header.msg_controllen = self.control_lengths[at].min(CONTROL) as _;
        // SAFETY: the header describes the control messages that the kernel wrote, aligned as it demands; the macros stay in its
        // length. What a message holds is read unaligned and only after its level, type and length are those of the structure, which
        // is integers.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(&raw const header);
            while let Some(found) = message.as_ref() {
                let holds = found.cmsg_len as usize >= libc::CMSG_LEN(size_of::<T>() as _) as usize;
                if (found.cmsg_level, found.cmsg_type) == (level, kind) && holds {
                    return Some(libc::CMSG_DATA(message).cast::<T>().read_unaligned());
                }
                message = libc::CMSG_NXTHDR(&raw const header, message);
            }
        }
        None
    }
}

/// Integers alone, for which any bytes are valid.
trait Plain: Copy {}
impl Plain for libc::c_int {}
impl Plain for libc::in_pktinfo {}
impl Plain for libc::in6_pktinfo {}

/// The kernel may hand over several datagrams as one; [`Arrivals::pieces`] tells them apart.
///
/// # Errors
/// A kernel that does not know it.
pub fn receive_joined(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_number(socket, libc::IPPROTO_UDP, UDP_GRO, 1)
}

/// The kernel can cut what is sent into datagrams of a size.
///
/// # Errors
/// A kernel that does not know it.
pub fn can_send_joined(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_number(socket, libc::IPPROTO_UDP, UDP_SEGMENT, 0)
}

/// One datagram to be sent: where its bytes stand, and whither; `None`: as the socket is connected.
#[derive(Debug, Clone, Copy)]
pub struct Departure<'a> {
    /// What is sent.
    pub bytes: &'a [u8],
    /// Whither.
    pub way: Option<Way>,
    /// The kernel cuts it into datagrams of so many bytes, the last perhaps of fewer.
    pub segment: Option<u16>,
}

/// Sends the first ones, at most a batch: how many the kernel took. The error is that of the first one.
#[expect(clippy::unnecessary_cast, reason = "of another width in other C libraries")]
pub fn send<'a>(socket: BorrowedFd<'_>, ipv6: bool, departures: impl Iterator<Item = Departure<'a>>) -> io::Result<usize> {
    // SAFETY: all of these are integers and pointers, for which all zeros are valid.
    let (mut parts, mut headers, mut names) = unsafe {
        (
            std::mem::zeroed::<[libc::iovec; BATCH]>(),
            std::mem::zeroed::<[libc::mmsghdr; BATCH]>(),
            std::mem::zeroed::<[libc::sockaddr_in6; BATCH]>(),
        )
    };
    let mut controls = [Control([0; CONTROL]); BATCH];
    let mut count = 0;
    for (at, departure) in departures.take(BATCH).enumerate() {
        count = at + 1;
        parts[at] = libc::iovec { iov_base: departure.bytes.as_ptr().cast_mut().cast(), iov_len: departure.bytes.len() };
        let header = &mut headers[at].msg_hdr;
        header.msg_iov = &raw mut parts[at];
        header.msg_iovlen = 1;
        if let Some(way) = departure.way {
            header.msg_namelen = write_address(way.peer, ipv6, &mut names[at]);
            header.msg_name = (&raw mut names[at]).cast();
            if !way.own.is_unspecified() || way.interface != 0 {
                header.msg_controllen = write_source(way, ipv6, &mut controls[at]) as _;
                header.msg_control = (&raw mut controls[at]).cast();
            }
        }
        if let Some(segment) = departure.segment {
            let used = header.msg_controllen as usize;
            header.msg_controllen = (used + write_segment(segment, &mut controls[at], used)) as _;
            header.msg_control = (&raw mut controls[at]).cast();
        }
    }
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: each header points at memory of this function, or of the departures, that lives through the call, with its true
    // lengths; the kernel only reads it and writes the headers' own `msg_len`.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as _, libc::MSG_DONTWAIT as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Writes a peer's address in the form of the socket's family; its length.
fn write_address(peer: SocketAddr, ipv6: bool, name: &mut libc::sockaddr_in6) -> libc::socklen_t {
    let peer = match peer {
        SocketAddr::V4(v4) if ipv6 => SocketAddr::V6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0)),
        other => other,
    };
    match peer {
        SocketAddr::V4(v4) => {
            let plain = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a `sockaddr_in` is smaller than a `sockaddr_in6` and is aligned no more strictly.
            unsafe { std::ptr::from_mut(name).cast::<libc::sockaddr_in>().write(plain) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_port = v6.port().to_be();
            name.sin6_flowinfo = v6.flowinfo();
            name.sin6_addr = libc::in6_addr { s6_addr: v6.ip().octets() };
            name.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

/// Writes the address that a datagram is to come from; the length of the control message.
fn write_source(way: Way, ipv6: bool, control: &mut Control) -> usize {
    let own = match way.own {
        IpAddr::V4(v4) if ipv6 => IpAddr::V6(v4.to_ipv6_mapped()),
        other => other,
    };
    let (level, kind, size) = match own {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>()),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, size_of::<libc::in6_pktinfo>()),
    };
    // SAFETY: `CMSG_LEN` and `CMSG_SPACE` only compute; either structure fits into `CONTROL` bytes behind a header, which is aligned
    // as a header must be; what follows the header is written unaligned.
    unsafe {
        let head = std::ptr::from_mut(control).cast::<libc::cmsghdr>();
        (*head).cmsg_level = level;
        (*head).cmsg_type = kind;
        (*head).cmsg_len = libc::CMSG_LEN(size as _) as _;
        match own {
            IpAddr::V4(v4) => libc::CMSG_DATA(head).cast::<libc::in_pktinfo>().write_unaligned(libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from(v4).to_be() },
                ipi_addr: libc::in_addr { s_addr: 0 },
            }),
            IpAddr::V6(v6) => libc::CMSG_DATA(head).cast::<libc::in6_pktinfo>().write_unaligned(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: v6.octets() },
                ipi6_ifindex: if v6.is_unicast_link_local() || v6.is_unspecified() { way.interface as _ } else { 0 },
            }),
        }
        libc::CMSG_SPACE(size as _) as usize
    }
}

/// Writes into how large datagrams the kernel is to cut, behind what is used of the room; the length of the control message.
fn write_segment(segment: u16, control: &mut Control, used: usize) -> usize {
    let size = size_of::<u16>();
    // SAFETY: `CMSG_LEN` and `CMSG_SPACE` only compute; what is used is an address's message at most, a multiple of a header's alignment, and
    // behind it is room for this one; what follows the header is written unaligned.
    unsafe {
        let head = std::ptr::from_mut(control).cast::<u8>().add(used).cast::<libc::cmsghdr>();
        (*head).cmsg_level = libc::IPPROTO_UDP;
        (*head).cmsg_type = UDP_SEGMENT;
        (*head).cmsg_len = libc::CMSG_LEN(size as _) as _;
        libc::CMSG_DATA(head).cast::<u16>().write_unaligned(segment);
        libc::CMSG_SPACE(size as _) as usize
    }
}

/// An address as the kernel writes it.
fn socket_address(name: &libc::sockaddr_in6) -> Option<SocketAddr> {
    match i32::from(name.sin6_family) {
        libc::AF_INET => {
            // SAFETY: the kernel wrote a `sockaddr_in`, as the family says, into the larger `sockaddr_in6`.
            let plain = unsafe { std::ptr::from_ref(name).cast::<libc::sockaddr_in>().read() };
            Some(SocketAddr::new(Ipv4Addr::from(u32::from_be(plain.sin_addr.s_addr)).into(), u16::from_be(plain.sin_port)))
        }
        libc::AF_INET6 => {
            let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(address, u16::from_be(name.sin6_port), name.sin6_flowinfo, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Datagrams that the kernel threw away at a socket since it was made: for lack of room, or for a wrong checksum.
pub fn thrown_away(socket: BorrowedFd<'_>) -> u32 {
    let mut info = [0u32; MEMINFO_DROPS + 1];
    let mut length = size_of::<[u32; MEMINFO_DROPS + 1]>() as libc::socklen_t;
    // SAFETY: `info` is plain integers and the kernel writes at most `length` bytes, which is its size.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, info.as_mut_ptr().cast(), &raw mut length) };
    if result == 0 { info[MEMINFO_DROPS] } else { 0 }
}

/// Sets a whole-number option of the kernel's.
pub fn set_number(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the kernel reads the four bytes of `value`, which lives through the call.
    let result = unsafe {
        let length = size_of::<i32>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    /// Sends to a server on every address and lets it answer; the client is connected, so that it sees only answers from the
    /// address it asked.
    fn ask(listen: &str, asked: &str) {
        let server = UdpSocket::bind(listen).unwrap();
        let ipv6 = listen.starts_with('[');
        if ipv6 {
            set_number(server.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1).unwrap();
        }
        set_number(server.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1).unwrap();
        let target = SocketAddr::new(asked.parse().unwrap(), server.local_addr().unwrap().port());
        let client = UdpSocket::bind(if asked.contains(':') { "[::1]:0" } else { "127.0.0.1:0" }).unwrap();
        client.connect(target).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let messages = [&b"one"[..], b"two", b""];
        let departures = messages.iter().map(|bytes| Departure { bytes, way: None, segment: None });
        assert_eq!(send(client.as_fd(), asked.contains(':'), departures).unwrap(), 3);
        let mut arrivals = Arrivals::new();
        assert_eq!(arrivals.receive(server.as_fd()).unwrap(), 3);
        for (at, message) in messages.iter().enumerate() {
            assert_eq!(arrivals.bytes(at), *message);
            let way = arrivals.way(at).unwrap();
            assert_eq!(way.own.to_canonical(), target.ip());
            assert_eq!(way.peer.port(), client.local_addr().unwrap().port());
            let answer = [Departure { bytes: message, way: Some(way), segment: None }];
            assert_eq!(send(server.as_fd(), ipv6, answer.into_iter()).unwrap(), 1);
            let mut bytes = [0; 16];
            assert_eq!(client.recv(&mut bytes).unwrap(), message.len());
        }
        assert_eq!(arrivals.receive(server.as_fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn answers_come_from_the_address_that_was_asked() {
        ask("0.0.0.0:0", "127.0.0.9");
        ask("[::]:0", "127.0.0.9");
        ask("[::]:0", "::1");
    }
}
