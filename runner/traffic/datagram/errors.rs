//! What the network says of a datagram that did not arrive: the kernel's queue of errors, in words. In: a socket. Out: what was
//! said, by whom, and the beginning of the datagram. Decides nothing.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use scn_reports::record::flow::ConnectionEnd;

/// Where an error came from (`SO_EE_ORIGIN_*`): the own kernel, which did not send; ICMP; ICMPv6.
const FROM_HERE: u8 = 1;
const FROM_ICMP: u8 = 2;
const FROM_ICMP6: u8 = 3;
/// So much of a datagram is looked at.
const QUOTED: usize = 1024;

/// One message of the network about one datagram.
#[derive(Debug)]
pub struct Said {
    /// In words: `destination port unreachable, says 10.0.0.2`.
    pub what: String,
    /// What it comes to.
    pub end: ConnectionEnd,
    /// The own kernel says it, of what it did not send.
    pub local: bool,
    /// The datagram as far as it was quoted, without the headers of IP and UDP.
    pub quoted: Vec<u8>,
}

/// The next one that waits; `WouldBlock`: none.
pub fn next(socket: BorrowedFd<'_>) -> io::Result<Said> {
    let mut bytes = [0u8; QUOTED];
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let length = message.bytes;
    let told = message.cmsgs()?.find_map(|told| match told {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            Some((error, from.map(|from| IpAddr::V4(Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr))))))
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => Some((error, from.map(|from| IpAddr::V6(Ipv6Addr::from(from.sin6_addr.s6_addr))))),
        _ => None,
    });
    let local = told.is_some_and(|(error, _)| error.ee_origin == FROM_HERE);
    let (what, end) = told.map_or_else(
        || ("an error of no kind that is known".to_owned(), ConnectionEnd::Other),
        |(error, from)| {
            let (mut what, end) = words(&error);
            if let Some(from) = from.filter(|from| !from.is_unspecified()) {
                what = format!("{what}, says {from}");
            }
            (what, end)
        },
    );
    Ok(Said { what, end, local, quoted: bytes[..length.min(QUOTED)].to_vec() })
}

fn words(error: &libc::sock_extended_err) -> (String, ConnectionEnd) {
    use ConnectionEnd::{Other, Refused, Timeout, Unreachable};
    let (kind, code, mtu) = (error.ee_type, error.ee_code, error.ee_info);
    let (what, end) = match (error.ee_origin, kind, code) {
        (FROM_ICMP, 3, 0) => ("network unreachable", Unreachable),
        (FROM_ICMP, 3, 1) => ("host unreachable", Unreachable),
        (FROM_ICMP, 3, 2) => ("protocol unreachable", Refused),
        (FROM_ICMP, 3, 3) | (FROM_ICMP6, 1, 4) => ("destination port unreachable", Refused),
        (FROM_ICMP, 3, 4) | (FROM_ICMP6, 2, _) => return (format!("packet too big: {mtu} bytes pass"), Other),
        (FROM_ICMP, 3, 9 | 10 | 13) | (FROM_ICMP6, 1, 1) => ("administratively prohibited", Unreachable),
        (FROM_ICMP, 3, _) => ("destination unreachable", Unreachable),
        (FROM_ICMP, 11, 0) => ("time to live exceeded", Unreachable),
        (FROM_ICMP, 11, _) | (FROM_ICMP6, 3, 1..) => ("fragments did not all arrive", Timeout),
        (FROM_ICMP6, 1, 0) => ("no route", Unreachable),
        (FROM_ICMP6, 1, 3) => ("address unreachable", Unreachable),
        (FROM_ICMP6, 1, _) => ("destination unreachable", Unreachable),
        (FROM_ICMP6, 3, _) => ("hop limit exceeded", Unreachable),
        (FROM_ICMP, 12, _) | (FROM_ICMP6, 4, _) => ("a header was not understood", Other),
        _ => return of_kernel(&io::Error::from_raw_os_error(i32::try_from(error.ee_errno).unwrap_or(libc::EIO)), Some(mtu)),
    };
    (what.to_owned(), end)
}

/// An error of the program's own kernel.
pub fn of_kernel(error: &io::Error, mtu: Option<u32>) -> (String, ConnectionEnd) {
    match error.raw_os_error() {
        Some(libc::EMSGSIZE) => match mtu.filter(|mtu| *mtu > 0) {
            Some(mtu) => (format!("packet too big: {mtu} bytes pass"), ConnectionEnd::Other),
            None => ("packet too big for the way out".to_owned(), ConnectionEnd::Other),
        },
        Some(libc::ECONNREFUSED) => ("destination port unreachable".to_owned(), ConnectionEnd::Refused),
        Some(libc::EHOSTUNREACH | libc::EHOSTDOWN) => ("host unreachable".to_owned(), ConnectionEnd::Unreachable),
        Some(libc::ENETUNREACH | libc::ENETDOWN) => ("network unreachable".to_owned(), ConnectionEnd::Unreachable),
        _ => (error.to_string(), ConnectionEnd::Other),
    }
}
