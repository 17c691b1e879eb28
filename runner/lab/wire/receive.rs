//! Reads frames from a tap, many with one system call, each with the instant of its arrival. In: a tap. Out: frames in a buffer that
//! is used again. Judges nothing.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::AsRawFd;

use socket2::Socket;

/// Frames of one system call.
pub(crate) const FRAMES: usize = 16;
/// The largest frame: 64 KiB of payload that is still to be cut into packets, its headers, the virtio header.
pub(crate) const FRAME_BYTES: usize = 66 * 1024;
/// Room for the time stamp.
const CONTROL_BYTES: usize = 64;
/// From `asm-generic/socket.h`: the time stamp's kind.
const SCM_TIMESTAMPNS: libc::c_int = 35;

/// Room for the stamp, aligned as the kernel writes it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

/// Buffers for the frames of one system call.
pub(crate) struct Receiver {
    frames: Vec<u8>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers in `vectors` and `headers` are written anew before every system call from the buffers of this very value,
// and not used in between; nothing else points to them.
unsafe impl Send for Receiver {}

impl Receiver {
    pub(crate) fn new() -> Self {
        // SAFETY: both are plain C structures for which all zero bytes are valid values.
        let (vector, header) = unsafe { (zeroed::<libc::iovec>(), zeroed::<libc::mmsghdr>()) };
        Receiver {
            frames: vec![0; FRAMES * FRAME_BYTES],
            controls: vec![Control([0; CONTROL_BYTES]); FRAMES],
            vectors: vec![vector; FRAMES],
            headers: vec![header; FRAMES],
        }
    }

    /// Reads what waits, at most [`FRAMES`] frames. 0: nothing waits.
    pub(crate) fn receive(&mut self, tap: &Socket) -> io::Result<usize> {
        for at in 0..FRAMES {
            self.vectors[at] = libc::iovec { iov_base: self.frames[at * FRAME_BYTES..].as_mut_ptr().cast(), iov_len: FRAME_BYTES };
            let header = &mut self.headers[at].msg_hdr;
            header.msg_iov = &raw mut self.vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[at].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES as _;
            header.msg_flags = 0;
        }
        // SAFETY: every header points to a vector and a control buffer of this value, which live through the call, with their
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
            Ok(count) => Ok(count),
            Err(_) => {
                let cause = io::Error::last_os_error();
                if cause.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(cause) }
            }
        }
    }

    /// A frame of the last call, its virtio header first; `None`: it was larger than any frame may be.
    pub(crate) fn frame(&self, at: usize) -> Option<&[u8]> {
        let header = &self.headers[at];
        let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
        let start = at * FRAME_BYTES;
        whole.then(|| &self.frames[start..start + (header.msg_len as usize).min(FRAME_BYTES)])
    }

    /// When a frame of the last call arrived, ns of the wall clock; `None`: the kernel did not say.
    pub(crate) fn arrived_ns(&self, at: usize) -> Option<u64> {
        let header = &self.headers[at].msg_hdr;
        // SAFETY: the header was filled by the kernel; its control buffer is ours, aligned, and as long as it says.
        let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
        if control.cmsg_level != libc::SOL_SOCKET || control.cmsg_type != SCM_TIMESTAMPNS {
            return None;
        }
        // SAFETY: a control message of this kind holds one timespec; it may stand unaligned.
        let stamp = unsafe { libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned() };
        Some(u64::try_from(stamp.tv_sec).ok()? * 1_000_000_000 + u64::try_from(stamp.tv_nsec).ok()?)
    }
}

const _: () = assert!(CONTROL_BYTES >= size_of::<libc::cmsghdr>() + size_of::<libc::timespec>());
