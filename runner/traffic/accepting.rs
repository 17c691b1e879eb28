//! Takes connections from a listening socket. In: the socket. Out: connected sockets, non-blocking and close-on-exec, and who has connected. Serves nobody: they come
//! without an event loop, since they may go to another worker's.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::task::{Context, Poll, ready};

use socket2::SockAddr;
use tokio::io::unix::AsyncFd;

/// The next connection that waits.
///
/// # Errors
/// The kernel's.
pub fn accept(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let into = |address: *mut _, length: *mut _| {
        // SAFETY: the listening socket is open, and the kernel writes an address of at most `length` bytes to `address`.
        let number = unsafe { libc::accept4(socket.as_raw_fd(), address, length, flags) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made it, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    };
    // SAFETY: where it succeeds, the kernel has filled the address in with its length.
    let (accepted, address) = unsafe { SockAddr::try_init(|address, length| into(address.cast(), length)) }?;
    let client = address.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted))?;
    Ok((accepted.into(), client))
}

/// The same, once there is one.
pub fn poll_accept(socket: &AsyncFd<TcpListener>, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
    loop {
        let mut ready = ready!(socket.poll_read_ready(context))?;
        if let Ok(accepted) = ready.try_io(|socket| accept(socket.get_ref())) {
            return Poll::Ready(accepted);
        }
    }
}
