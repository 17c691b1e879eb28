//! ICMP and ICMPv6 echo: requests, the replies of a target's kernel, and a kernel filter that lets a socket see its own replies alone.
//! In: identifier, number, payload. Out: packets, and what packets hold. Sends nothing.
//!
//! The packet's sequence number has 16 bits; the item's whole number stands in the payload's header where that has room for one.

use std::io;

use scn_grammar::scenario::flow::Load;
use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind, Varying};
use scn_grammar::source::Span;
use socket2::SockRef;

use super::socket::set_number;

/// Bytes of an echo's header.
pub const HEADER: usize = 8;
/// The payload if nothing is said, bytes: that of `ping`.
const SIZE: u64 = 56;
/// The type of an echo request and of a reply.
const REQUEST: u8 = 8;
const REPLY: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;
/// The socket option by which a raw socket says which types it takes (`ICMP_FILTER`, `ICMPV6_FILTER`).
const ICMP_FILTER: i32 = 1;
const SOL_RAW: i32 = 255;

/// What an echo flow does, as a pattern: the client sends, the target's kernel sends the same back.
pub fn pattern(load: &Load, target: &str, span: Span) -> Pattern {
    let size = load.size.clone().unwrap_or(Varying::Fixed(SIZE));
    let step = |text: String, kind| Step { span, text, kind };
    Pattern {
        name: "echo".to_owned(),
        steps: vec![
            step(
                format!("echo request to {target}"),
                StepKind::Sends { by: Side::Client, payload: Payload::Filled(size), implicit: false },
            ),
            step(format!("echo reply from {target}"), StepKind::Echoes { by: Side::Server }),
        ],
    }
}

/// Writes the header of a request before its payload. Of ICMPv6 the kernel computes the checksum.
pub fn write_header(packet: &mut [u8], ipv6: bool, identifier: u16, number: u16) {
    packet[..HEADER].fill(0);
    packet[0] = if ipv6 { REQUEST_V6 } else { REQUEST };
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&number.to_be_bytes());
    if !ipv6 {
        let sum = checksum(packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The checksum of RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let pairs = packet.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u64 = pairs.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The number and payload of a reply as a raw socket receives it (of IPv4 with the header of IP); `None`: no reply to this
/// identifier.
pub fn reply(packet: &[u8], ipv6: bool, identifier: u16) -> Option<(u16, &[u8])> {
    let echo = if ipv6 { packet } else { packet.get(usize::from(packet.first()? & 15) * 4..)? };
    if *echo.first()? != if ipv6 { REPLY_V6 } else { REPLY } {
        return None;
    }
    echo_of(echo, identifier)
}

/// The number and payload of a request that the network quotes in an error.
pub fn quoted(packet: &[u8], identifier: u16) -> Option<(u16, &[u8])> {
    if !matches!(*packet.first()?, REQUEST | REQUEST_V6) {
        return None;
    }
    echo_of(packet, identifier)
}

fn echo_of(echo: &[u8], identifier: u16) -> Option<(u16, &[u8])> {
    let header = echo.get(..HEADER)?;
    let same = u16::from_be_bytes([header[4], header[5]]) == identifier;
    same.then(|| (u16::from_be_bytes([header[6], header[7]]), &echo[HEADER..]))
}

/// Lets a raw socket receive replies with its identifier alone: others would fill its room, and those of many sockets cost each of
/// them.
pub fn filter(socket: &SockRef<'_>, fd: std::os::fd::BorrowedFd<'_>, ipv6: bool, identifier: u16) -> io::Result<()> {
    if !ipv6 {
        set_number(fd, SOL_RAW, ICMP_FILTER, !(1 << REPLY))?;
    }
    let op = |code: u32, jt: u8, jf: u8, k: u32| socket2::SockFilter::new(code as u16, jt, jf, k);
    let (load_byte, load_half) = (libc::BPF_LD | libc::BPF_B | libc::BPF_IND, libc::BPF_LD | libc::BPF_H | libc::BPF_IND);
    let (equals, returns) = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET | libc::BPF_K);
    let kind = if ipv6 { REPLY_V6 } else { REPLY };
    // The packet begins with the header of IPv4, and of IPv6 behind it.
    let begin = if ipv6 { op(libc::BPF_LDX | libc::BPF_IMM, 0, 0, 0) } else { op(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 0) };
    socket.attach_filter(&[
        begin,
        op(load_byte, 0, 0, 0),
        op(equals, 0, 3, u32::from(kind)),
        op(load_half, 0, 0, 4),
        op(equals, 0, 1, u32::from(identifier)),
        op(returns, 0, 0, u32::MAX),
        op(returns, 0, 0, 0),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_checksum_that_makes_its_sum_zero() {
        let mut packet = vec![0; HEADER];
        packet.extend_from_slice(b"odd number of bytes");
        write_header(&mut packet, false, 0x1234, 7);
        assert_eq!(checksum(&packet), 0, "the sum over a packet with its checksum is all ones");
        assert_eq!(quoted(&packet, 0x1234), Some((7, &b"odd number of bytes"[..])));
        assert_eq!(quoted(&packet, 0x1235), None);
        assert_eq!(reply(&packet, true, 0x1234), None, "a request is no reply");
    }

    #[test]
    fn a_reply_is_found_behind_a_header_of_any_length() {
        for words in [5u8, 6, 15] {
            let mut packet = vec![0; usize::from(words) * 4];
            packet[0] = 0x40 | words;
            packet.extend_from_slice(&[REPLY, 0, 0, 0, 0x12, 0x34, 0, 9, 42]);
            assert_eq!(reply(&packet, false, 0x1234), Some((9, &[42u8][..])));
        }
        assert_eq!(reply(&[], false, 1), None);
        assert_eq!(reply(&[0x4f], false, 1), None);
    }
}
