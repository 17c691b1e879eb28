//! Reads frames from a tap, many with one system call, each with the instant of its arrival. In: a tap. Out: frames in buffers that are used
//! again, with the tag that the kernel had taken off. Judges nothing.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::frame::HEADER_BYTES;

/// Frames of one system call.
pub(crate) const FRAMES: usize = 32;
/// The largest frame: 64 KiB of payload that is still to be cut into packets, and its headers.
const FRAME_BYTES: usize = 66 * 1024;
/// From one buffer to the next: pages, with room for a tag before the next one.
const SLOT_BYTES: usize = 68 * 1024;
const PAGE: usize = 4096;
/// Room for the time stamp and for what the kernel says besides.
const CONTROL_BYTES: usize = 128;
/// From `asm-generic/socket.h`: the time stamp's kind.
const SCM_TIMESTAMPNS: libc::c_int = 35;
/// From `linux/if_packet.h`: the kernel took a tag off, and says of which type.
const TAG_IS_VALID: u32 = 1 << 4;
const TAG_TYPE_IS_VALID: u32 = 1 << 6;
/// A tag, and the two hardware addresses before it.
const TAG_BYTES: usize = 4;
const MAC_BYTES: usize = 12;

/// Room for what comes besides a frame, aligned as the kernel writes it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// `struct tpacket_auxdata`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Besides {
    status: u32,
    length: u32,
    captured: u32,
    mac: u16,
    network: u16,
    tag: u16,
    tag_type: u16,
}

/// A frame that was read.
pub(crate) struct Received<'a> {
    /// Its virtio header.
    pub(crate) header: &'a [u8; HEADER_BYTES],
    /// Its bytes.
    pub(crate) frame: &'a [u8],
    /// When it arrived, ns of the wall clock; `None`: the kernel did not say.
    pub(crate) arrived_ns: Option<u64>,
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
    arrived_ns: Option<u64>,
}

/// Buffers for the frames of one system call.
pub(crate) struct Receiver {
    bytes: Vec<u8>,
    first: usize,
    virtio: Vec<[u8; HEADER_BYTES]>,
    controls: Vec<Control>,
    vectors: Vec<[libc::iovec; 2]>,
    headers: Vec<libc::mmsghdr>,
    /// Where each came from, by the kernel's words; empty: that is not asked for.
    origins: Vec<libc::sockaddr_ll>,
    /// Of the frames of the last call; `None`: larger than any frame may be, or no frame at all.
    places: Vec<Option<Place>>,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        // SAFETY: both are plain C structures for which all zero bytes are valid values.
        let (vectors, header) = unsafe { (zeroed::<[libc::iovec; 2]>(), zeroed::<libc::mmsghdr>()) };
        let bytes = vec![0; FRAMES * SLOT_BYTES + 2 * PAGE];
        // One page before the first, for its tag.
        let first = bytes.as_ptr().align_offset(PAGE).min(PAGE) + if bytes.as_ptr().align_offset(PAGE) < TAG_BYTES { PAGE } else { 0 };
        Receiver {
            bytes,
            first,
            virtio: vec![[0; HEADER_BYTES]; FRAMES],
            controls: vec![Control([0; CONTROL_BYTES]); FRAMES],
            vectors: vec![vectors; FRAMES],
            headers: vec![header; FRAMES],
            origins: Vec::new(),
            places: vec![None; FRAMES],
        }
    }

    /// One that tells which frames were sent by the interface itself, too.
    pub(crate) fn telling_origins() -> Self {
        // SAFETY: it is a plain C structure for which all zero bytes are a valid value.
        let origin = unsafe { zeroed::<libc::sockaddr_ll>() };
        Receiver { origins: vec![origin; FRAMES], ..Receiver::new() }
    }

    /// Reads what waits, at most [`FRAMES`] frames. 0: nothing waits.
    pub(crate) fn receive(&mut self, tap: &Socket) -> io::Result<usize> {
        for at in 0..FRAMES {
            let start = self.first + at * SLOT_BYTES;
            self.vectors[at] = [
                libc::iovec { iov_base: self.virtio[at].as_mut_ptr().cast(), iov_len: HEADER_BYTES },
                libc::iovec { iov_base: self.bytes[start..start + FRAME_BYTES].as_mut_ptr().cast(), iov_len: FRAME_BYTES },
            ];
            let header = &mut self.headers[at].msg_hdr;
            header.msg_iov = self.vectors[at].as_mut_ptr();
            header.msg_iovlen = 2;
            header.msg_control = self.controls[at].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES as _;
            header.msg_flags = 0;
            if let Some(origin) = self.origins.get_mut(at) {
                header.msg_name = std::ptr::from_mut(origin).cast();
                header.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            }
        }
        // SAFETY: every header points to vectors, a control buffer and perhaps an address of this value, which live through the call, with their
        // true sizes; the count is the number of headers.
        let count = unsafe {
            libc::recvmmsg(
                tap.as_raw_fd(),
                self.headers.as_mut_ptr(),
                FRAMES as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => {
                for at in 0..count {
                    self.places[at] = self.place(at);
                }
                Ok(count)
            }
            Err(_) => {
                let cause = io::Error::last_os_error();
                if cause.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(cause) }
            }
        }
    }

    /// A frame of the last call; `None`: it was larger than any frame may be, or no frame at all.
    pub(crate) fn frame(&self, at: usize) -> Option<Received<'_>> {
        let Place { start, length, arrived_ns } = self.places[at]?;
        Some(Received { header: &self.virtio[at], frame: &self.bytes[start..start + length], arrived_ns })
    }

    /// The interface itself sent a frame of the last call; known only to one made by [`Receiver::telling_origins`].
    pub(crate) fn was_sent(&self, at: usize) -> bool {
        self.origins.get(at).is_some_and(|origin| origin.sll_pkttype == libc::PACKET_OUTGOING)
    }

    /// Where a frame that was just read lies, its tag put back.
    fn place(&mut self, at: usize) -> Option<Place> {
        let (arrived_ns, tag) = self.besides(at);
        let message = &self.headers[at];
        let whole = message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
        let length = (message.msg_len as usize).checked_sub(HEADER_BYTES).filter(|length| whole && *length >= MAC_BYTES + 2)?;
        let start = self.first + at * SLOT_BYTES;
        let Some(tag) = tag else { return Some(Place { start, length, arrived_ns }) };
        let (start, length) = (start - TAG_BYTES, length + TAG_BYTES);
        self.bytes.copy_within(start + TAG_BYTES..start + TAG_BYTES + MAC_BYTES, start);
        self.bytes[start + MAC_BYTES..start + MAC_BYTES + TAG_BYTES].copy_from_slice(&tag);
        move_sum(&mut self.virtio[at]);
        Some(Place { start, length, arrived_ns })
    }

    /// What came besides a frame: its instant, ns of the wall clock, and the tag that was taken off.
    fn besides(&self, at: usize) -> (Option<u64>, Option<[u8; TAG_BYTES]>) {
        let header = &self.headers[at].msg_hdr;
        let (mut arrived, mut tag) = (None, None);
        // SAFETY: the header was filled by the kernel; its control buffer is ours, aligned, and as long as it says.
        let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
        // SAFETY: the pointer is null or points to a control message in that buffer.
        while let Some(control) = unsafe { next.as_ref() } {
            // SAFETY: the data of a control message follows it in that buffer.
            let data = unsafe { libc::CMSG_DATA(control) };
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_SOCKET, SCM_TIMESTAMPNS) => {
                    // SAFETY: a control message of this kind holds one timespec; it may stand unaligned.
                    let stamp = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                    let parts = u64::try_from(stamp.tv_sec).ok().zip(u64::try_from(stamp.tv_nsec).ok());
                    arrived = parts.map(|(seconds, ns)| seconds * 1_000_000_000 + ns);
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    // SAFETY: a control message of this kind holds one such structure; it may stand unaligned.
                    tag = tag_of(unsafe { data.cast::<Besides>().read_unaligned() });
                }
                _ => {}
            }
            // SAFETY: both are of the same buffer, as above.
            next = unsafe { libc::CMSG_NXTHDR(header, control) };
        }
        (arrived, tag)
    }
}

/// The four bytes of a tag that was taken off.
fn tag_of(besides: Besides) -> Option<[u8; TAG_BYTES]> {
    let kind = if besides.status & TAG_TYPE_IS_VALID == 0 { 0x8100 } else { besides.tag_type };
    let ([a, b], [c, d]) = (u16::to_be_bytes(kind), besides.tag.to_be_bytes());
    (besides.status & TAG_IS_VALID != 0).then_some([a, b, c, d])
}

/// With a tag more, everything in the frame stands later.
fn move_sum(header: &mut [u8; HEADER_BYTES]) {
    for at in [2, 6] {
        let number = u16::from_ne_bytes([header[at], header[at + 1]]);
        if number != 0 {
            header[at..at + 2].copy_from_slice(&(number + TAG_BYTES as u16).to_ne_bytes());
        }
    }
}

const _: () = assert!(CONTROL_BYTES >= 2 * size_of::<libc::cmsghdr>() + size_of::<libc::timespec>() + size_of::<Besides>() + 16);
const _: () = assert!(SLOT_BYTES >= FRAME_BYTES + TAG_BYTES && SLOT_BYTES.is_multiple_of(PAGE));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_was_taken_off_is_known() {
        let besides = |status| Besides { status, tag: 0x2007, tag_type: 0x88a8, ..Besides::default() };
        assert_eq!(tag_of(besides(0)), None);
        assert_eq!(tag_of(besides(TAG_IS_VALID)), Some([0x81, 0, 0x20, 7]));
        assert_eq!(tag_of(besides(TAG_IS_VALID | TAG_TYPE_IS_VALID)), Some([0x88, 0xa8, 0x20, 7]));
    }

    #[test]
    fn sums_move_with_the_frame() {
        let [a, b] = 34u16.to_ne_bytes();
        let mut header = [1, 0, 0, 0, 0, 0, a, b, 16, 0];
        move_sum(&mut header);
        assert_eq!(u16::from_ne_bytes([header[6], header[7]]), 38);
        assert_eq!(header[2..4], [0, 0]);
    }
}
