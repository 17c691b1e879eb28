//! Sends frames out of a tap, many with one system call. In: frames with their virtio headers. Out: how many went, and why the others did not.
//! Keeps nothing.

use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::frame::HEADER_BYTES;
use super::receive::FRAMES;

/// Frames of one system call; as many as are received with one.
pub(crate) const BATCH: usize = FRAMES;
/// A frame that the kernel has no room for is tried again so often.
const TRIES: u32 = 8;

/// What became of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sent {
    pub(crate) delivered: u64,
    /// The other end is down, or going.
    pub(crate) down: u64,
    /// The kernel would not take them.
    pub(crate) failed: u64,
    /// Which were not delivered for each cause: a bit for each frame, the first the lowest.
    down_at: u32,
    failed_at: u32,
}

impl Sent {
    /// What became of a frame; `None`: it was delivered.
    pub(crate) fn why_not(&self, at: usize) -> Option<Stopped> {
        let is_at = |bits: u32| bits & 1 << at != 0;
        if is_at(self.down_at) { Some(Stopped::Down) } else { is_at(self.failed_at).then_some(Stopped::Failed) }
    }
}

/// Why a frame did not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    Down,
    Failed,
}

const _: () = assert!(BATCH <= u32::BITS as usize, "each frame has a bit of its own");

/// Structures for the frames of one system call.
pub(crate) struct Sender {
    vectors: Vec<[libc::iovec; 2]>,
    headers: Vec<libc::mmsghdr>,
}

impl Sender {
    pub(crate) fn new() -> Self {
        // SAFETY: both are plain C structures for which all zero bytes are valid values.
        let (vectors, header) = unsafe { (zeroed::<[libc::iovec; 2]>(), zeroed::<libc::mmsghdr>()) };
        Sender { vectors: vec![vectors; BATCH], headers: vec![header; BATCH] }
    }

    /// Sends frames in their order, at most [`BATCH`] of them.
    pub(crate) fn send<'a>(&mut self, tap: &Socket, frames: impl Iterator<Item = (&'a [u8; HEADER_BYTES], &'a [u8])>) -> Sent {
        let mut count = 0;
        for ((header, frame), at) in frames.zip(0..BATCH) {
            // The kernel only reads what it sends, whatever the type of the pointer.
            self.vectors[at] = [
                libc::iovec { iov_base: header.as_ptr().cast_mut().cast(), iov_len: HEADER_BYTES },
                libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() },
            ];
            self.headers[at].msg_hdr.msg_iov = self.vectors[at].as_mut_ptr();
            self.headers[at].msg_hdr.msg_iovlen = 2;
            count += 1;
        }
        self.send_all(tap, count)
    }

    fn send_all(&mut self, tap: &Socket, count: usize) -> Sent {
        let (mut sent, mut at, mut tries) = (Sent::default(), 0, 0);
        while at < count {
            let left = libc::c_uint::try_from(count - at).unwrap_or(1);
            // SAFETY: the headers point to vectors of this value, and those to headers and frames that the caller has borrowed
            // until after this call, all with their true sizes; no more headers are passed than were filled.
            let went = unsafe { libc::sendmmsg(tap.as_raw_fd(), self.headers[at..].as_mut_ptr(), left, 0) };
            if let Ok(went) = usize::try_from(went) {
                sent.delivered += went as u64;
                (at, tries) = (at + went, 0);
                continue;
            }
            match io::Error::last_os_error().raw_os_error() {
                // ENOBUFS: the other end's queue is full for this moment. EAGAIN: our own buffer is.
                Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR) if tries < TRIES => {
                    tries += 1;
                    std::thread::yield_now();
                    continue;
                }
                Some(libc::ENETDOWN | libc::ENXIO | libc::ENODEV) => {
                    sent.down += 1;
                    sent.down_at |= 1 << at;
                }
                _ => {
                    sent.failed += 1;
                    sent.failed_at |= 1 << at;
                }
            }
            (at, tries) = (at + 1, 0);
        }
        sent
    }
}
