//! A connection of TCP or MPTCP without TLS. In: a connected socket. Out: bytes as they were sent. The first write, and the first read of one that was accepted, are
//! tried at once: that a new socket takes what is small, and that a client's first word is there, the event loop would tell a turn later.

use std::io::{self, IoSlice, Read as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection.
pub struct Plain {
    tcp: TcpStream,
    /// The next read is tried at once.
    reads_at_once: bool,
    /// The next write is tried at once.
    writes_at_once: bool,
}

impl Plain {
    /// Of a socket that is connected; `accepted`: by a listener.
    pub fn new(tcp: TcpStream, accepted: bool) -> Plain {
        Plain { tcp, reads_at_once: accepted, writes_at_once: true }
    }
}

impl AsFd for Plain {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

impl AsRawFd for Plain {
    fn as_raw_fd(&self) -> RawFd {
        self.tcp.as_raw_fd()
    }
}

/// What a first attempt came to; `None`: there is something to wait for.
fn at_once<T>(attempt: io::Result<T>) -> Option<io::Result<T>> {
    match attempt {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => None,
        other => Some(other),
    }
}

impl AsyncRead for Plain {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.reads_at_once) {
            let read = (&*SockRef::from(&self.tcp)).read(room.initialize_unfilled());
            if let Some(read) = at_once(read) {
                return Poll::Ready(read.map(|count| room.advance(count)));
            }
        }
        Pin::new(&mut self.tcp).poll_read(context, room)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if std::mem::take(&mut self.writes_at_once)
            && let Some(written) = at_once(SockRef::from(&self.tcp).send_with_flags(bytes, libc::MSG_NOSIGNAL))
        {
            return Poll::Ready(written);
        }
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        // One piece the kernel takes with less ado.
        let mut some = pieces.iter().filter(|piece| !piece.is_empty());
        match (some.next(), some.next()) {
            (Some(piece), None) => self.poll_write(context, piece),
            _ if std::mem::take(&mut self.writes_at_once)
                && let Some(written) = at_once(SockRef::from(&self.tcp).send_vectored_with_flags(pieces, libc::MSG_NOSIGNAL)) =>
            {
                Poll::Ready(written)
            }
            _ => Pin::new(&mut self.tcp).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[tokio::test]
    async fn the_first_write_goes_at_once_in_one_piece_or_in_several() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for pieces in [&[IoSlice::new(b"head and body")][..], &[IoSlice::new(b"head"), IoSlice::new(b" and body")]] {
            let tcp = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            tcp.set_nonblocking(true).unwrap();
            let mut plain = Plain::new(TcpStream::from_std(tcp).unwrap(), false);
            // The event loop had no turn in which it could have learnt of the socket.
            let written = Pin::new(&mut plain).poll_write_vectored(&mut Context::from_waker(Waker::noop()), pieces);
            assert!(matches!(written, Poll::Ready(Ok(13))), "{written:?}");
        }
    }
}
