//! A connection with or without TLS, or an association of SCTP, as one stream. In: a connected socket, or one whose handshake is done. Out: bytes as they were sent.
//! One that is closed in order says so to its peer.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::plain::Plain;
use crate::traffic::control::{Control, Order};
use crate::traffic::sctp_options;
use crate::traffic::sockets::Streams;
use crate::traffic::wire::Transport;

/// A connection.
pub enum Stream {
    /// TCP or MPTCP alone.
    Plain(Plain),
    /// SCTP. It keeps the bounds of messages: that a read or a write moves less than it might says nothing of what is left, as it does of TCP.
    Messages(AsyncFd<Socket>),
    /// TLS over it.
    Secured(Box<Secured>),
}

/// A connection with TLS.
pub struct Secured {
    pub(super) stream: TlsStream<TcpStream>,
    control: Rc<Control>,
    /// The peer has ended its side.
    ended: bool,
}

impl Stream {
    /// One whose handshake is done.
    pub(super) fn secured(stream: TlsStream<TcpStream>, control: Rc<Control>) -> Stream {
        Stream::Secured(Box::new(Secured { stream, control, ended: false }))
    }

    /// One without TLS; `accepted`: by a listener.
    ///
    /// # Errors
    /// The kernel's, when it can't be watched.
    pub fn plain(stream: TcpStream, over: Streams, accepted: bool) -> io::Result<Stream> {
        match over {
            Streams::Tcp | Streams::Mptcp => Ok(Stream::Plain(Plain::new(stream, accepted))),
            Streams::Sctp => sctp_options::watched(stream.into_std()?.into()).map(Stream::Messages),
        }
    }

    /// What both ends agreed to speak over TLS.
    pub fn protocol(&self) -> Option<&[u8]> {
        match self {
            Stream::Plain(_) | Stream::Messages(_) => None,
            Stream::Secured(secured) => secured.stream.get_ref().1.alpn_protocol(),
        }
    }

    /// The socket's number.
    pub fn socket(&self) -> RawFd {
        self.below().as_raw_fd()
    }

    /// The socket.
    fn below(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Plain(tcp) => tcp.as_fd(),
            Stream::Messages(socket) => socket.get_ref().as_fd(),
            Stream::Secured(secured) => secured.stream.get_ref().0.as_fd(),
        }
    }
}

impl Transport for Stream {
    fn socket(&self) -> Option<RawFd> {
        Some(Stream::socket(self))
    }

    fn abort(&mut self) {
        // Without it the close is an orderly one; the other side then reports that.
        let _ = SockRef::from(&self.below()).set_linger(Some(Duration::ZERO));
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        // What ends at once, as a program that is killed, says nothing. Nor is there anybody to tell once the peer has closed: its kernel
        // would answer with a reset.
        let reset = || SockRef::from(self.stream.get_ref().0).linger().is_ok_and(|linger| linger == Some(Duration::ZERO));
        if self.ended || self.control.order() >= Order::Abort || reset() {
            return;
        }
        // As far as the socket takes it: a peer that reads nothing can't be told.
        let _ = match &mut self.stream {
            TlsStream::Client(stream) => {
                let (tcp, session) = stream.get_mut();
                session.send_close_notify();
                session.write_tls(&mut AtOnce(tcp))
            }
            TlsStream::Server(stream) => {
                let (tcp, session) = stream.get_mut();
                session.send_close_notify();
                session.write_tls(&mut AtOnce(tcp))
            }
        };
    }
}

/// Writes what the socket takes now.
struct AtOnce<'a>(&'a TcpStream);

impl Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, room),
            Stream::Messages(socket) => loop {
                let mut ready = ready!(socket.poll_read_ready(context))?;
                if let Ok(read) = ready.try_io(|socket| socket.get_ref().read(room.initialize_unfilled())) {
                    return Poll::Ready(read.map(|count| room.advance(count)));
                }
            },
            Stream::Secured(secured) => {
                let before = room.filled().len();
                let read = match ready!(Pin::new(&mut secured.stream).poll_read(context, room)) {
                    // Many peers end a connection without the word that TLS has for it.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                    other => other,
                };
                secured.ended |= read.is_ok() && room.filled().len() == before && room.remaining() > 0;
                Poll::Ready(read)
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Messages(socket) => loop {
                let mut ready = ready!(socket.poll_write_ready(context))?;
                if let Ok(written) = ready.try_io(|socket| socket.get_ref().write(bytes)) {
                    return Poll::Ready(written);
                }
            },
            Stream::Secured(secured) => Pin::new(&mut secured.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, pieces),
            // The first that is not empty: the next are the next message.
            Stream::Messages(_) => {
                let piece = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
                self.poll_write(context, piece)
            }
            Stream::Secured(secured) => Pin::new(&mut secured.stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(tcp) => tcp.is_write_vectored(),
            Stream::Messages(_) => false,
            Stream::Secured(secured) => secured.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Messages(_) => Poll::Ready(Ok(())),
            Stream::Secured(secured) => Pin::new(&mut secured.stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Messages(socket) => Poll::Ready(socket.get_ref().shutdown(Shutdown::Write)),
            Stream::Secured(secured) => Pin::new(&mut secured.stream).poll_shutdown(context),
        }
    }
}
