//! Frames on their way to the kernel: room that is made ready once and written again and again, sent many with one call, the short way where there is
//! one. In: a template, items. Out: how many the kernel took. Opens nothing.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::express::{Express, Handed};
use super::shortcut::Shortcut;
use super::template::{IPV6_HEADER, Template};

/// Frames of one call.
pub const BATCH: usize = 64;
/// What the kernel routes begins behind the header of Ethernet.
const ETHERNET: usize = 14;

/// A frame that was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// The number of its item.
    pub item: u64,
    /// When it was meant to be sent, ns.
    pub intended_ns: i64,
    /// How late it was released, ns.
    pub lag_ns: u32,
    /// Bytes of its payload.
    pub payload: u32,
}

/// How the frames of a batch go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All the long way, out of the batch's own room.
    Long,
    /// Out of the memory of the short way and by it, but for one that its interface has refused: that goes the long way, whose answer is the one that
    /// counts.
    Short { refused: Option<usize> },
    /// The same memory, of a short way that has broken off: all that are left go the long way.
    Broken,
}

/// Room for the frames of one call.
pub struct Batch {
    room: Vec<u8>,
    stride: usize,
    written: [Written; BATCH],
    lengths: [usize; BATCH],
    count: usize,
    /// The short way, where there is one. While it has no room frames go the long one.
    shortcut: Shortcut,
    way: Way,
    /// The kernel routes what is sent: IPv6 or not.
    routed: Option<bool>,
    destination_at: usize,
}

impl Way {
    /// After frames from this place on were handed over the short way. Out: the same, and how many were sent.
    fn after(self, first: usize, handed: Handed) -> (Way, usize) {
        match handed {
            Handed::Sent(sent) => (self, sent),
            Handed::Refused(sent) => (Way::Short { refused: Some(first + sent) }, sent),
            Handed::Broken(sent) => (Way::Broken, sent),
        }
    }

    /// Of the frames from this place on, how many of `count` go the long way together; 0: this one goes the short one.
    fn long(self, first: usize, count: usize) -> usize {
        match self {
            Way::Long | Way::Broken => count - first,
            Way::Short { refused } => usize::from(refused == Some(first)),
        }
    }
}

impl Batch {
    /// Room for frames of this form. `routed`: they are packets of IPv6 (`true`) or IPv4 that the kernel is to route.
    pub fn new(template: &Template, routed: Option<bool>, shortcut: Shortcut) -> Batch {
        let stride = template.longest.next_multiple_of(64).max(64);
        let mut room = vec![0; stride * BATCH];
        room.chunks_exact_mut(stride).for_each(|room| template.prepare(room));
        let network = template.network.map_or(ETHERNET, |network| network.at);
        let destination_at = network + if routed == Some(true) { IPV6_HEADER - 16 } else { 16 };
        let (written, lengths) = ([Written::default(); BATCH], [0; BATCH]);
        Batch { room, stride, written, lengths, count: 0, shortcut, way: Way::Long, routed, destination_at }
    }

    /// How many wait to be sent.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Writes the frame of an item; there must be room.
    pub fn write(&mut self, template: &Template, lane: u32, item: u64, intended_ns: i64, lag_ns: u32) {
        let at = self.count;
        if at == 0 && self.shortcut.look().is_some_and(Express::begin) {
            self.way = Way::Short { refused: None };
        }
        let room = match self.shortcut.here_mut() {
            Some(express) if self.way != Way::Long => express.frame_mut(at),
            _ => &mut self.room[at * self.stride..(at + 1) * self.stride],
        };
        let length = template.write(item, lane, room);
        let payload = (length - template.payload_at) as u32;
        (self.written[at], self.lengths[at]) = (Written { item, intended_ns, lag_ns, payload }, length);
        self.count += 1;
    }

    /// Those that were written, in order.
    pub fn written(&self) -> &[Written] {
        &self.written[..self.count]
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        match std::mem::replace(&mut self.way, Way::Long) {
            Way::Long => {}
            Way::Short { .. } => self.shortcut.here_mut().into_iter().for_each(Express::end),
            // A way that has broken off does not come back.
            Way::Broken => self.shortcut.close(),
        }
        self.count = 0;
    }

    /// Sends those from a place on: how many the kernel took. The error is that of the first one.
    pub fn send(&mut self, socket: BorrowedFd<'_>, first: usize) -> io::Result<usize> {
        if self.way.long(first, self.count) == 0
            && let Some(express) = self.shortcut.here_mut()
        {
            let (way, sent) = self.way.after(first, express.send(&self.lengths[..self.count]));
            self.way = way;
            if sent > 0 {
                return Ok(sent);
            }
        }
        self.send_long(socket, first, self.way.long(first, self.count))
    }

    /// A frame of the batch.
    fn frame(&self, at: usize) -> &[u8] {
        match self.shortcut.here() {
            Some(express) if self.way != Way::Long => express.frame(at, self.lengths[at]),
            _ => &self.room[at * self.stride..at * self.stride + self.lengths[at]],
        }
    }

    /// So many the long way, from a place on.
    fn send_long(&self, socket: BorrowedFd<'_>, first: usize, count: usize) -> io::Result<usize> {
        let end = first + count;
        // SAFETY: all of these are integers and pointers, for which all zeros are valid.
        let (mut parts, mut headers, mut names) = unsafe {
            (
                std::mem::zeroed::<[libc::iovec; BATCH]>(),
                std::mem::zeroed::<[libc::mmsghdr; BATCH]>(),
                std::mem::zeroed::<[libc::sockaddr_in6; BATCH]>(),
            )
        };
        let skipped = if self.routed.is_some() { ETHERNET } else { 0 };
        for at in first..end {
            let frame = self.frame(at);
            let part = &frame[skipped..];
            parts[at] = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
            let header = &mut headers[at].msg_hdr;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
            if let Some(ipv6) = self.routed {
                header.msg_namelen = write_name(address(&frame[self.destination_at..], ipv6), &mut names[at]);
                header.msg_name = (&raw mut names[at]).cast();
            }
        }
        // SAFETY: each header from `first` on points at memory of this function and of this value that lives through the call, with its true
        // length; the kernel only reads it and writes the headers' own `msg_len`.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers[first..].as_mut_ptr(), count as _, libc::MSG_DONTWAIT as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// The address that stands at the beginning of bytes.
fn address(bytes: &[u8], ipv6: bool) -> IpAddr {
    let mut number = [0; 16];
    if ipv6 {
        number.copy_from_slice(&bytes[..16]);
        return Ipv6Addr::from(number).into();
    }
    Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()
}

/// Writes an address as the kernel reads it; its length.
fn write_name(address: IpAddr, name: &mut libc::sockaddr_in6) -> libc::socklen_t {
    match address {
        IpAddr::V4(v4) => {
            let plain = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from(v4).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a `sockaddr_in` is smaller than a `sockaddr_in6` and is aligned no more strictly.
            unsafe { std::ptr::from_mut(name).cast::<libc::sockaddr_in>().write(plain) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        IpAddr::V6(v6) => {
            name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            name.sin6_addr = libc::in6_addr { s6_addr: v6.octets() };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, Handed, Way};

    const SHORT: Way = Way::Short { refused: None };

    #[test]
    fn a_refused_frame_alone_goes_the_long_way() {
        let (way, sent) = SHORT.after(10, Handed::Refused(5));
        assert_eq!(sent, 5);
        assert_eq!([10, 14, 15, 16].map(|first| way.long(first, BATCH)), [0, 0, 1, 0]);
        assert_eq!(SHORT.after(10, Handed::Sent(54)), (SHORT, 54));
        assert_eq!(way.after(16, Handed::Refused(0)).0.long(16, BATCH), 1, "the next one too");
    }

    #[test]
    fn a_refused_last_frame_does_not_break_the_way() {
        let last = BATCH - 1;
        let (way, sent) = SHORT.after(0, Handed::Refused(last));
        assert_eq!((way, sent), (Way::Short { refused: Some(last) }, last));
        assert_eq!(way.long(last, BATCH), 1);
    }

    #[test]
    fn what_is_left_when_the_way_breaks_goes_the_long_one() {
        let (way, sent) = SHORT.after(10, Handed::Broken(5));
        assert_eq!((way, sent), (Way::Broken, 5));
        assert_eq!(way.long(15, 40), 25);
        assert_eq!(Way::Long.long(0, 40), 40);
    }
}
