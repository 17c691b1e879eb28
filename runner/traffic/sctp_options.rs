//! SCTP's sockets: options by the kernel's numbers (small messages at once, the largest piece of a message), and how they are watched. In: a socket of SCTP. Out: what
//! it has. Knows nothing of flows.

use std::io;
use std::os::fd::AsRawFd as _;

use socket2::{SockRef, Socket};
use tokio::io::unix::AsyncFd;

/// `SCTP_NODELAY` and `SCTP_MAXSEG` of `linux/sctp.h`.
const NODELAY: libc::c_int = 3;
const LARGEST: libc::c_int = 13;

/// `struct sctp_assoc_value` of all associations to come.
#[repr(C)]
struct OfAssociations {
    association: i32,
    value: u32,
}

/// Messages are sent at once, however small.
///
/// # Errors
/// The kernel's.
pub fn set_nodelay(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
    set(socket, NODELAY, &libc::c_int::from(on))
}

/// The largest piece of a message that goes into one packet, bytes.
///
/// # Errors
/// The kernel's.
pub fn set_largest(socket: &SockRef<'_>, bytes: u32) -> io::Result<()> {
    set(socket, LARGEST, &OfAssociations { association: 0, value: bytes })
}

/// The same as it is now.
///
/// # Errors
/// The kernel's.
pub fn largest(socket: &SockRef<'_>) -> io::Result<u32> {
    let mut kept = OfAssociations { association: 0, value: 0 };
    let mut length = size_of::<OfAssociations>() as libc::socklen_t;
    // SAFETY: the pointers are those of `kept`, plain integers for which any bytes are valid, and of its length, which the kernel keeps to.
    let got = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_SCTP, LARGEST, (&raw mut kept).cast(), &raw mut length) };
    if got == 0 { Ok(kept.value) } else { Err(io::Error::last_os_error()) }
}

/// The socket where its task hears of it.
///
/// # Errors
/// The kernel's.
pub fn watched(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a socket owns its descriptor, which stays the same and open until it is dropped.
    Ok(unsafe { AsyncFd::register(socket) }?)
}

fn set<T>(socket: &SockRef<'_>, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `value`, which the kernel copies.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_SCTP,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
