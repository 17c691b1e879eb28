//! Takes connections from a listening socket. In: the socket. Out: connected sockets, non-blocking and close-on-exec, and who has connected. Serves nobody: they come
//! without an event loop, since they may go to another worker's.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::unix::AsyncFd;

/// The next connection that waits.
///
/// # Errors
/// The kernel's.
pub fn accept(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (accepted, address) = SockRef::from(socket).accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)?;
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
